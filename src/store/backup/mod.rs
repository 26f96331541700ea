//! Backup and restore of the whole database, engine by engine: how a copy is taken while the server works, how a copy is
//! looked through, and how one takes the place of a database.
//! Not for: the order of the steps (see `usecase::back_up`, `usecase::restore`).

pub mod draft;
pub mod dump;
pub mod postgres;
pub mod secrets;
pub mod sqlite;
pub mod tools;

use std::io;
use std::path::{Path, PathBuf};

use super::error::StoreError;

/// Tables whose rows are counted in a copy, so that people see at a glance whether it is the right one.
pub const COUNTED: [&str; 7] = ["units", "bibs", "items", "readers", "loans", "holds", "events"];

/// What a copy holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Versions of the migrations it has seen, ascending.
    pub migrations: Vec<String>,
    /// Rows, in the order of [`COUNTED`].
    pub counts: Vec<(&'static str, i64)>,
}

/// Why there is no copy, or why one was not put in place. Nothing half-done is ever left under the final name.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is there already; a backup never overwrites anything", path.display())]
    Exists { path: PathBuf },
    #[error("there is no database at {}", path.display())]
    NoDatabase { path: PathBuf },
    /// SQLite could not write the copy.
    #[error("no room for the copy in {}, or its disk fails; nothing was left there", dir.display())]
    NotWritten { dir: PathBuf, source: StoreError },
    #[error("{} cannot be used as a backup: {reason}", path.display())]
    Unusable { path: PathBuf, reason: String },
    #[error("{what} holds records already; with --force they are kept aside and replaced")]
    Occupied { what: String },
    #[error("{what} is in use; stop the server and every other `tongjie` on it first")]
    InUse { what: String },
    /// PostgreSQL's own programs are missing, too old, or failed.
    #[error("{0}")]
    Program(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<diesel::result::Error> for BackupError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Gives an error of the file system its path.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> BackupError + '_ {
    |source| BackupError::File {
        path: path.to_owned(),
        source,
    }
}

pub(crate) fn unusable(path: &Path, reason: impl Into<String>) -> BackupError {
    BackupError::Unusable {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

/// Makes what a directory lists survive a power cut.
///
/// # Errors
/// When the directory cannot be opened or synced.
pub fn sync_dir(dir: &Path) -> Result<(), BackupError> {
    std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(at(dir))
}
