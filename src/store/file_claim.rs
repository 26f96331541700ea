//! SQLite: who uses the file. Everybody who has it open shares one lock, and a restore wants it alone; the server holds
//! a second one, because two servers on one file would each believe to be its only writer.
//! Held by the kernel: a process that was killed holds nothing. The empty lock files stay, removing them would be a race.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::connection::{Target, sidecar};
use super::error::StoreError;

const USERS: &str = "-users";
const SERVER: &str = "-server";

/// Held until dropped.
#[derive(Debug)]
pub struct FileClaim {
    _file: File,
}

impl FileClaim {
    /// For everybody who opens the database. None: it is being restored.
    ///
    /// # Errors
    /// `Unavailable` when the lock file cannot be made.
    pub fn share(database: &Path) -> Result<Option<Self>, StoreError> {
        take(database, USERS, File::try_lock_shared)
    }

    /// For a restore. None: somebody has it open.
    ///
    /// # Errors
    /// As [`FileClaim::share`].
    pub fn alone(database: &Path) -> Result<Option<Self>, StoreError> {
        take(database, USERS, File::try_lock)
    }

    /// For the server. None: there is one.
    ///
    /// # Errors
    /// As [`FileClaim::share`].
    pub fn serve(database: &Path) -> Result<Option<Self>, StoreError> {
        take(database, SERVER, File::try_lock)
    }
}

/// Our share of a SQLite file.
pub(super) fn claimed(target: &Target) -> Result<Option<FileClaim>, StoreError> {
    let Target::Sqlite(path) = target else {
        return Ok(None);
    };
    match FileClaim::share(path)? {
        Some(claim) => Ok(Some(claim)),
        None => Err(StoreError::Unavailable {
            reason: "being restored",
            source: None,
        }),
    }
}

/// A command that root runs must leave nothing behind that the server's user cannot open. Anybody else owns what they make.
pub fn leave_to_owner_of_directory(path: &Path) {
    let owner = path.parent().and_then(|dir| std::fs::metadata(dir).ok());
    if let (Some(owner), Ok(now)) = (owner, std::fs::metadata(path))
        && owner.uid() != now.uid()
    {
        // Not allowed to anybody but root, and then there is nothing to do.
        drop(std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid())));
    }
}

fn take(
    database: &Path,
    suffix: &str,
    lock: impl Fn(&File) -> Result<(), TryLockError>,
) -> Result<Option<FileClaim>, StoreError> {
    let path = sidecar(database, suffix);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| StoreError::unavailable("gone", error))?;
    leave_to_owner_of_directory(&path);
    match lock(&file) {
        Ok(()) => Ok(Some(FileClaim { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(StoreError::unavailable("locked", error)),
    }
}
