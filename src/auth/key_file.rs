//! Files of keys in the data directory: readable by their owner only, made whole or not at all, replaced in one step.
//!
//! Not here: what stands in them ([`super::key_ring`], [`super::card_keys`]).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::key_ring::KeyRingError;
use crate::store::file_claim::leave_to_owner_of_directory;

/// Of every key made here.
pub(super) const KEY_BYTES: usize = 32;

pub(super) fn random() -> io::Result<[u8; KEY_BYTES]> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// What stands in the file; `None` if there is none.
///
/// # Errors
/// When it cannot be read, or others may read it, too.
pub(super) fn read(path: &Path) -> Result<Option<String>, KeyRingError> {
    let failed = |source| KeyRingError::File {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyRingError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    io::read_to_string(file).map(Some).map_err(failed)
}

/// Makes the file whole or not at all: written under another name, then linked, which never replaces a key.
pub(super) fn create(dir: &Path, path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let draft = draft(path, text)?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked.and_then(|()| File::open(dir)?.sync_all()),
    }
}

/// Puts another file in its place, in one step.
pub(super) fn replace(dir: &Path, path: &Path, text: &str) -> io::Result<()> {
    let draft = draft(path, text)?;
    fs::rename(&draft, path)?;
    File::open(dir)?.sync_all()
}

/// Under a name that nobody had before: in a container every process may have the same id, and a power cut leaves a draft behind.
fn draft(path: &Path, text: &str) -> io::Result<PathBuf> {
    let random = random()?;
    let suffix: String = random.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let draft = path.with_extension(format!("key.{suffix}"));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    // Rotated by root, it must still be the server's: the next start reads it.
    leave_to_owner_of_directory(&draft);
    Ok(draft)
}
