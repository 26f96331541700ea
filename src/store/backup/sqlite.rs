//! SQLite: `VACUUM INTO` on a connection of its own, and the file that takes the place of another.
//!
//! Not SQLite's backup API: that starts over whenever another process writes, so under load it never ends. `VACUUM INTO`
//! reads one snapshot. Writers go on; only the write-ahead log cannot start over until the copy is done, so it grows by
//! what is written meanwhile and is brought home by the next checkpoint.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::draft::create_private;
use super::{BackupError, COUNTED, Contents, at, sync_dir, unusable};
use crate::store::connection::{AnyConnection, Opener, Role, sidecar};
use crate::store::error::StoreError;
use crate::store::file_claim::leave_to_owner_of_directory;
use crate::store::migrate;

const MAGIC: &[u8] = b"SQLite format 3\0";

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    value: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

/// Size of the database in bytes, about that of its copy.
///
/// # Errors
/// `NoDatabase` when there is no file.
pub fn size(path: &Path) -> Result<u64, BackupError> {
    fs::metadata(path)
        .map(|meta| meta.len())
        .map_err(|_| BackupError::NoDatabase { path: path.to_owned() })
}

/// Copies the database as it is now into the empty file `into`. Blocks for as long as that takes.
///
/// # Errors
/// `NotWritten` when there is no room; a failure of the store.
pub fn copy(opener: &Opener, into: &Path) -> Result<(), BackupError> {
    let name = into.to_str().ok_or_else(|| unusable(into, "its name is not UTF-8"))?;
    let (mut conn, _watch) = opener.open(Role::Writer)?;
    let copied = diesel::sql_query("VACUUM INTO ?")
        .bind::<Text, _>(name)
        .execute(&mut conn);
    copied.map(drop).map_err(|error| match StoreError::from(error) {
        source @ StoreError::Unavailable {
            reason: "full" | "input or output failed",
            ..
        } => BackupError::NotWritten {
            dir: into.parent().unwrap_or(into).to_owned(),
            source,
        },
        other => BackupError::Store(other),
    })
}

/// Looks a copy through without touching it: its own integrity, foreign keys, migrations this program knows, and counts.
///
/// # Errors
/// `Unusable` with the reason when it is cut short, damaged, something else, or too new.
pub fn contents(path: &Path) -> Result<Contents, BackupError> {
    let mut head = Vec::new();
    let opened = File::open(path).map_err(at(path))?;
    opened
        .take(MAGIC.len() as u64)
        .read_to_end(&mut head)
        .map_err(at(path))?;
    if head != MAGIC {
        return Err(unusable(path, "it is not a SQLite file"));
    }
    if fs::metadata(sidecar(path, "-wal")).is_ok_and(|log| log.len() > 0) {
        let reason = "it has a write-ahead log beside it, so it is a database in use and not a backup";
        return Err(unusable(path, reason));
    }
    let mut conn = open_unchanging(path).map_err(|error| unusable(path, error.to_string()))?;
    look_through(&mut conn).map_err(|reason| unusable(path, reason))
}

/// Nobody else writes to a backup: no locks, no side files, nothing written.
fn open_unchanging(path: &Path) -> Result<diesel::SqliteConnection, diesel::ConnectionError> {
    let escaped = crate::store::connection::escape_uri(path);
    diesel::SqliteConnection::establish(&format!("file:{escaped}?mode=ro&immutable=1"))
}

fn look_through(conn: &mut diesel::SqliteConnection) -> Result<Contents, String> {
    let words = |error: diesel::result::Error| error.to_string();
    let sound: Vec<Word> = diesel::sql_query("SELECT integrity_check AS value FROM pragma_integrity_check LIMIT 3")
        .load(conn)
        .map_err(words)?;
    if sound.len() != 1 || sound[0].value != "ok" {
        let faults: Vec<String> = sound.into_iter().map(|row| row.value).collect();
        return Err(format!("it is damaged: {}", faults.join("; ")));
    }
    let tables: Number = diesel::sql_query(
        "SELECT count(*) AS value FROM sqlite_master WHERE name IN ('__diesel_schema_migrations', 'network_state')",
    )
    .get_result(conn)
    .map_err(words)?;
    if tables.value != 2 {
        return Err("it is a database, but not one of Tongjie".to_owned());
    }
    migrate::refuse_foreign_sqlite(conn).map_err(|error| error.to_string())?;
    let orphans: Number = diesel::sql_query("SELECT count(*) AS value FROM pragma_foreign_key_check")
        .get_result(conn)
        .map_err(words)?;
    if orphans.value != 0 {
        return Err(format!("{} rows point to rows that are not there", orphans.value));
    }
    let migrations: Vec<Word> =
        diesel::sql_query("SELECT version AS value FROM __diesel_schema_migrations ORDER BY version")
            .load(conn)
            .map_err(words)?;
    let mut counts = Vec::new();
    for table in COUNTED {
        let rows: Number = diesel::sql_query(format!("SELECT count(*) AS value FROM {table}"))
            .get_result(conn)
            .map_err(words)?;
        counts.push((table, rows.value));
    }
    Ok(Contents {
        migrations: migrations.into_iter().map(|row| row.value).collect(),
        counts,
    })
}

/// Puts a copy into the shape of a backup again after it was opened as a database: no write-ahead log, one file.
///
/// # Errors
/// A failure of the store.
pub fn settle(opener: &Opener) -> Result<(), BackupError> {
    let (conn, _watch) = opener.open(Role::Writer)?;
    if let AnyConnection::Sqlite(mut conn) = conn {
        diesel::sql_query("PRAGMA journal_mode = DELETE").execute(&mut conn)?;
    }
    Ok(())
}

/// Copies `from` beside the database at `path`, tells `done` the bytes, and brings it to the disk.
///
/// # Errors
/// `File` when there is no room; nothing is left then.
pub fn stage(from: &Path, path: &Path, mut done: impl FnMut(u64)) -> Result<PathBuf, BackupError> {
    let staged = sidecar(path, &format!(".restoring-{}", std::process::id()));
    let copied = (|| {
        let mut source = File::open(from).map_err(at(from))?;
        let mut target = create_private(&staged)?;
        let mut block = vec![0; 1 << 20];
        loop {
            let read = source.read(&mut block).map_err(at(from))?;
            if read == 0 {
                return target.sync_all().map_err(at(&staged));
            }
            target.write_all(&block[..read]).map_err(at(&staged))?;
            done(read as u64);
        }
    })();
    if copied.is_err() {
        drop(fs::remove_file(&staged));
    }
    copied.map(|()| staged)
}

/// Gives the staged file the database's name; what had it before is kept under the answered name, with its log.
///
/// # Errors
/// `File`. If the process ends in between, there is no database of that name rather than a mixture of two.
pub fn swap(staged: &Path, path: &Path, stamp: &str) -> Result<Option<PathBuf>, BackupError> {
    let aside = sidecar(path, &format!(".before-{stamp}"));
    let had_one = path.exists();
    // The database before its log: a log without a database is ignored, a database without its log has lost commits.
    for (suffix, kept) in [("", true), ("-wal", true), ("-shm", false)] {
        let old = sidecar(path, suffix);
        let moved = if kept {
            fs::rename(&old, sidecar(&aside, suffix))
        } else {
            fs::remove_file(&old)
        };
        match moved {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at(&old)(error)),
            _ => {}
        }
    }
    fs::set_permissions(staged, fs::Permissions::from_mode(0o600)).map_err(at(staged))?;
    leave_to_owner_of_directory(staged);
    fs::rename(staged, path).map_err(at(path))?;
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        sync_dir(dir)?;
    }
    Ok(had_one.then_some(aside))
}
