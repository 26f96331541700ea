//! A backup: one consistent copy of the whole database, taken while others work on it, looked through before it gets its
//! name. Not for: keeping several or sending them anywhere; that is the operator's.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::check::check;
use super::progress::Progress;
use super::{StoreError, UseCaseError};
use crate::store::backup::draft::Draft;
use crate::store::backup::{dump, postgres, secrets, sqlite};
use crate::store::connection::{Opener, Target};
use crate::store::file_claim::FileClaim;
use crate::store::{Store, StoreOptions};

pub use crate::store::backup::{BackupError, Contents};

/// How often the size of the growing copy is looked at.
const GLANCE: Duration = Duration::from_millis(200);

/// What is asked for.
#[derive(Debug, Clone)]
pub struct BackUp {
    /// A file that is not there yet, or a directory.
    pub target: PathBuf,
    /// The data directory, if its secret files are to be copied too.
    pub secrets_of: Option<PathBuf>,
    /// Audit the copy as `tongjie check` does. On PostgreSQL it is restored into a database of its own for that.
    pub verify: bool,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    pub path: PathBuf,
    pub bytes: u64,
    pub contents: Contents,
    /// Secret files copied into the directory beside it.
    pub secrets: usize,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackUpError {
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("the copy could not be audited")]
    Audit(#[source] UseCaseError),
    #[error("{0} violations were found in the copy, so it was not kept; `tongjie check` names them in the database")]
    Unsound(i64),
}

/// `tongjie-20261122T063403Z`: sorts by time.
pub(super) fn stamp(now: DateTime<Utc>) -> String {
    now.format("%Y%m%dT%H%M%SZ").to_string()
}

/// Makes a backup, or leaves nothing.
///
/// # Errors
/// What kept it from being made.
pub async fn back_up(
    options: StoreOptions,
    wanted: BackUp,
    progress: &dyn Progress,
) -> std::result::Result<Backup, BackUpError> {
    let name = format!("tongjie-{}", stamp(options.clock.now()));
    let (draft, contents) = match &options.target {
        Target::Sqlite(path) => {
            let draft = draft_of_file(&options, path, &wanted, &name, progress).await?;
            progress.begin("looking the copy through", None);
            let file = draft.file();
            let contents = blocking(move || sqlite::contents(&file)).await?;
            (draft, contents)
        }
        Target::Postgres(url) => draft_of_server(&options, url, &wanted, &name, progress).await?,
    };
    let copied = copy_secrets(&wanted, &options.target, &draft)?;
    let path = draft.publish()?;
    let bytes = std::fs::metadata(&path).map_or(0, |meta| meta.len());
    Ok(Backup {
        path,
        bytes,
        contents,
        secrets: copied,
    })
}

async fn draft_of_file(
    options: &StoreOptions,
    path: &Path,
    wanted: &BackUp,
    name: &str,
    progress: &dyn Progress,
) -> std::result::Result<Draft, BackUpError> {
    let total = sqlite::size(path)?;
    let _claim = share(path)?;
    let draft = Draft::towards(&wanted.target, &format!("{name}.db"))?;
    let (opener, into) = (Opener::of(options), draft.create_file()?);
    progress.begin("copying", Some(total));
    let growing = into.clone();
    watched(&growing, progress, move || sqlite::copy(&opener, &into)).await?;
    if wanted.verify {
        let opener = Opener {
            target: Target::Sqlite(draft.file()),
            ..Opener::of(options)
        };
        let audited = audit(options, opener.target.clone(), progress).await;
        // Opened as a database it got a log; a backup is one plain file.
        blocking(move || sqlite::settle(&opener)).await?;
        audited?;
    }
    Ok(draft)
}

async fn draft_of_server(
    options: &StoreOptions,
    url: &str,
    wanted: &BackUp,
    name: &str,
    progress: &dyn Progress,
) -> std::result::Result<(Draft, Contents), BackUpError> {
    let opener = Opener::of(options);
    let tools = blocking(move || {
        let mut session = postgres::Session::open(&opener)?;
        session.refuse_foreign()?;
        session.tools()
    })
    .await?;
    let draft = Draft::towards(&wanted.target, &format!("{name}.dump"))?;
    let into = draft.create_file()?;
    progress.begin("dumping (bytes)", None);
    let (url, beside) = (url.to_owned(), url.to_owned());
    let (growing, with) = (into.clone(), tools.clone());
    watched(&growing, progress, move || postgres::dump(&with, &url, &into)).await?;
    progress.begin("looking the copy through", None);
    let (file, with) = (draft.file(), tools.clone());
    let contents = blocking(move || dump::contents(&with, &file)).await?;
    if wanted.verify {
        let (opener, file) = (Opener::of(options), draft.file());
        progress.begin("restoring it elsewhere", None);
        let scratch = blocking(move || {
            let scratch = postgres::Scratch::create(&opener, &beside)?;
            postgres::restore(&tools, &scratch.url, &file)?;
            Ok(scratch)
        })
        .await?;
        let audited = audit(options, Target::Postgres(scratch.url.clone()), progress).await;
        blocking(move || {
            drop(scratch);
            Ok(())
        })
        .await?;
        audited?;
    }
    Ok((draft, contents))
}

/// Audits the copy as a database of its own.
async fn audit(
    options: &StoreOptions,
    target: Target,
    progress: &dyn Progress,
) -> std::result::Result<(), BackUpError> {
    let own = StoreOptions {
        target,
        slow_statement: Duration::ZERO,
        ..options.clone()
    };
    let store: Arc<Store> = blocking(move || Ok(Store::open(own)?)).await?;
    let found = check(&store, progress).await;
    blocking(move || {
        store.close();
        drop(store);
        Ok(())
    })
    .await?;
    let violations = found
        .map_err(BackUpError::Audit)?
        .iter()
        .map(|one| one.violations)
        .sum();
    if violations == 0 {
        Ok(())
    } else {
        Err(BackUpError::Unsound(violations))
    }
}

fn copy_secrets(wanted: &BackUp, target: &Target, draft: &Draft) -> std::result::Result<usize, BackupError> {
    let Some(dir) = &wanted.secrets_of else {
        return Ok(0);
    };
    let database = match target {
        Target::Sqlite(path) => Some(path.as_path()),
        Target::Postgres(_) => None,
    };
    let files = secrets::find(dir, database)?;
    secrets::copy(&files, dir, &draft.secrets(), None)?;
    Ok(files.len())
}

fn share(path: &Path) -> std::result::Result<FileClaim, BackupError> {
    FileClaim::share(path)?.ok_or_else(|| BackupError::InUse {
        what: path.display().to_string(),
    })
}

/// Runs `work` and tells how far the file it writes has grown.
async fn watched(
    file: &Path,
    progress: &dyn Progress,
    work: impl FnOnce() -> std::result::Result<(), BackupError> + Send + 'static,
) -> std::result::Result<(), BackupError> {
    let mut work = std::pin::pin!(blocking(work));
    let mut seen = 0;
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(GLANCE) => {
                let size = std::fs::metadata(file).map_or(seen, |meta| meta.len());
                progress.advance(size.saturating_sub(seen));
                seen = seen.max(size);
            }
        }
    }
}

/// Runs what blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::result::Result<T, BackupError> + Send + 'static,
) -> std::result::Result<T, BackupError> {
    let ran = tokio::task::spawn_blocking(work).await;
    ran.unwrap_or_else(|_| Err(StoreError::Panicked.into()))
}
