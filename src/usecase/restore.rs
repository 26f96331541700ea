//! Restoring: a backup takes the place of the database. What was there is kept aside, never deleted.

use std::path::{Path, PathBuf};

use super::back_up::{blocking, stamp};
use super::progress::Progress;
use crate::store::StoreOptions;
use crate::store::backup::postgres::Session;
use crate::store::backup::tools::Tools;
use crate::store::backup::{dump, postgres, secrets, sqlite, unusable};
use crate::store::connection::{Opener, Target};
use crate::store::file_claim::FileClaim;

pub use crate::store::backup::{BackupError, Contents};

type Result<T> = std::result::Result<T, BackupError>;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Restore {
    pub backup: PathBuf,
    /// Replace a database that holds something.
    pub force: bool,
    /// The data directory, if the secret files beside the backup are to be put there.
    pub secrets_to: Option<PathBuf>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    pub contents: Contents,
    /// Where the old records are now: a file, or a schema.
    pub aside: Option<String>,
    pub secrets: usize,
}

/// Puts a backup in place, or leaves everything as it was.
///
/// # Errors
/// What kept it from being put in place.
pub async fn restore(options: StoreOptions, wanted: Restore, progress: &dyn Progress) -> Result<Restored> {
    let stamp = stamp(options.clock.now());
    let secret_files = secret_files(&wanted)?;
    let (contents, aside) = match options.target.clone() {
        Target::Sqlite(path) => restore_file(&path, &wanted, &stamp, progress).await?,
        Target::Postgres(url) => restore_server(&options, url, &wanted, stamp.clone(), progress).await?,
    };
    if let Some(dir) = &wanted.secrets_to {
        secrets::copy(&secret_files, &secrets::beside(&wanted.backup), dir, Some(&stamp))?;
    }
    Ok(Restored {
        contents,
        aside,
        secrets: secret_files.len(),
    })
}

/// Looked up before anything is changed.
fn secret_files(wanted: &Restore) -> Result<Vec<PathBuf>> {
    match &wanted.secrets_to {
        Some(_) => secrets::find(&secrets::beside(&wanted.backup), None),
        None => Ok(Vec::new()),
    }
}

async fn restore_file(
    path: &Path,
    wanted: &Restore,
    stamp: &str,
    progress: &dyn Progress,
) -> Result<(Contents, Option<String>)> {
    let from = wanted.backup.clone();
    progress.begin("looking the backup through", None);
    let contents = blocking(move || sqlite::contents(&from)).await?;
    let what = path.display().to_string();
    if let Some(dir) = path.parent() {
        make_dir(dir)?;
    }
    let in_use = || BackupError::InUse { what: what.clone() };
    let _users = FileClaim::alone(path)?.ok_or_else(in_use)?;
    let _server = FileClaim::serve(path)?.ok_or_else(in_use)?;
    if !wanted.force && std::fs::metadata(path).is_ok_and(|meta| meta.len() > 0) {
        return Err(BackupError::Occupied { what });
    }
    progress.begin("copying", Some(sqlite::size(&wanted.backup)?));
    // Nobody else waits on this thread: it is a command's.
    let staged = sqlite::stage(&wanted.backup, path, |bytes| progress.advance(bytes))?;
    let aside = sqlite::swap(&staged, path, stamp)?;
    Ok((contents, aside.map(|aside| aside.display().to_string())))
}

async fn restore_server(
    options: &StoreOptions,
    url: String,
    wanted: &Restore,
    stamp: String,
    progress: &dyn Progress,
) -> Result<(Contents, Option<String>)> {
    let opener = Opener::of(options);
    let (backup, force) = (wanted.backup.clone(), wanted.force);
    progress.begin("looking the backup through", None);
    let (mut session, tools, contents) = blocking(move || {
        if !backup.is_file() {
            return Err(unusable(&backup, "there is no such file"));
        }
        let mut session = Session::open(&opener)?;
        let tools = session.tools()?;
        let contents = dump::contents(&tools, &backup)?;
        postgres::refuse_newer(&contents, &backup)?;
        session.claim()?;
        Ok((session, tools, contents))
    })
    .await?;
    let backup = wanted.backup.clone();
    progress.begin("restoring", None);
    let (aside, counts) = blocking(move || {
        let aside = replace(&mut session, &tools, &url, &backup, force, &stamp)?;
        Ok((aside, session.counts()?))
    })
    .await?;
    if counts != contents.counts {
        return Err(unusable(&wanted.backup, "what was restored has other numbers of rows"));
    }
    Ok((
        contents,
        aside.map(|schema| format!("schema {schema} of the same database")),
    ))
}

fn replace(
    session: &mut Session,
    tools: &Tools,
    url: &str,
    backup: &Path,
    force: bool,
    stamp: &str,
) -> Result<Option<String>> {
    let occupied = session.is_occupied()?;
    if occupied && !force {
        let what = "the database".to_owned();
        return Err(BackupError::Occupied { what });
    }
    let aside = occupied.then(|| session.set_aside(stamp)).transpose()?;
    let restored = postgres::restore(tools, url, backup).and_then(|()| session.rebase_events());
    if let (Err(_), Some(aside)) = (&restored, &aside) {
        session.put_back(aside)?;
    }
    restored.map(|()| aside)
}

fn make_dir(dir: &Path) -> Result<()> {
    if dir.as_os_str().is_empty() {
        return Ok(());
    }
    std::fs::create_dir_all(dir).map_err(|source| BackupError::File {
        path: dir.to_owned(),
        source,
    })
}
