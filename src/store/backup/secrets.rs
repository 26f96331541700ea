//! The files of the data directory that only their owner may read: the signing key, the demo's log-ins, and whatever else
//! is kept so. A database without them can be restored; log-ins and idempotency keys made before are then unknown.

use std::fs::{self, DirBuilder};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::draft::create_private;
use super::{BackupError, at, sync_dir};
use crate::store::connection::sidecar;
use crate::store::file_claim::leave_to_owner_of_directory;

/// No secret is larger, and everything else in a data directory is.
const MAX_BYTES: u64 = 64 * 1024;
/// Directories below the data directory that are looked into.
const DEPTH: u32 = 2;

/// Where the secrets of a backup are: a directory beside it.
#[must_use]
pub fn beside(backup: &Path) -> PathBuf {
    sidecar(backup, ".secrets")
}

/// Secret files below `dir`, relative to it. The database and what belongs to it are not among them.
///
/// # Errors
/// When the directory cannot be read.
pub fn find(dir: &Path, database: Option<&Path>) -> Result<Vec<PathBuf>, BackupError> {
    let mut found = Vec::new();
    let name = database
        .and_then(Path::file_name)
        .map(|name| name.to_string_lossy().into_owned());
    walk(dir, Path::new(""), DEPTH, &mut |relative, meta| {
        let ours = name
            .as_ref()
            .is_some_and(|name| relative.to_string_lossy().starts_with(name.as_str()));
        // A small backup that was made into the data directory.
        let copy = relative.extension().is_some_and(|it| it == "db" || it == "dump");
        if meta.mode() & 0o077 == 0 && meta.len() <= MAX_BYTES && !ours && !copy {
            found.push(relative.to_owned());
        }
    })?;
    found.sort();
    Ok(found)
}

fn walk(root: &Path, below: &Path, depth: u32, see: &mut impl FnMut(&Path, &fs::Metadata)) -> Result<(), BackupError> {
    let dir = root.join(below);
    for entry in fs::read_dir(&dir).map_err(at(&dir))? {
        let entry = entry.map_err(at(&dir))?;
        let relative = below.join(entry.file_name());
        // Not followed: a link leads to somebody else's file.
        let meta = entry.metadata().map_err(at(&entry.path()))?;
        let unfinished = relative.to_string_lossy().contains(".partial-");
        if meta.is_file() {
            see(&relative, &meta);
        } else if meta.is_dir() && depth > 0 && !unfinished && !relative.to_string_lossy().ends_with(".secrets") {
            walk(root, &relative, depth - 1, see)?;
        }
    }
    Ok(())
}

/// Copies the files from one directory to another, readable by their owner only. A file that is there and differs is kept
/// aside under its name and `stamp`; without a stamp it must not be there.
///
/// # Errors
/// `File`.
pub fn copy(files: &[PathBuf], from: &Path, to: &Path, stamp: Option<&str>) -> Result<(), BackupError> {
    make_dir(to)?;
    for relative in files {
        let (source, target) = (from.join(relative), to.join(relative));
        if let Some(parent) = target.parent() {
            make_dir(parent)?;
        }
        let bytes = fs::read(&source).map_err(at(&source))?;
        if let Some(stamp) = stamp
            && let Ok(present) = fs::read(&target)
        {
            if present == bytes {
                continue;
            }
            let aside = sidecar(&target, &format!(".before-{stamp}"));
            fs::rename(&target, &aside).map_err(at(&aside))?;
        }
        let mut file = create_private(&target)?;
        file.write_all(&bytes)
            .and_then(|()| file.sync_all())
            .map_err(at(&target))?;
        if stamp.is_some() {
            leave_to_owner_of_directory(&target);
        }
    }
    sync_dir(to)
}

fn make_dir(dir: &Path) -> Result<(), BackupError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(at(dir))
}
