//! A backup in the making: a private directory beside the target, so that the finished file only has to be renamed, and
//! half a backup never has a backup's name. Gone when dropped; `kill -9` leaves the directory, never the name.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::secrets::beside;
use super::{BackupError, at, sync_dir};

/// See the module.
#[derive(Debug)]
pub struct Draft {
    dir: PathBuf,
    target: PathBuf,
}

impl Draft {
    /// Prepares the way to `target`. A directory (or a name ending in `/`) gets a file called `name` in it.
    ///
    /// # Errors
    /// `Exists` when there is a file of that name, `File` when its directory cannot be written to.
    pub fn towards(target: &Path, name: &str) -> Result<Self, BackupError> {
        let into = target.is_dir() || target.as_os_str().to_string_lossy().ends_with('/');
        let target = if into { target.join(name) } else { target.to_owned() };
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // Absolute, so that no name of the user's can be taken for an option or a URI.
        let parent = parent.canonicalize().map_err(at(parent))?;
        let name = target
            .file_name()
            .ok_or_else(|| super::unusable(&target, "it has no file name"))?;
        let target = parent.join(name);
        refuse_present(&target)?;
        let mut dir = name.to_owned();
        dir.push(format!(".partial-{}", std::process::id()));
        let dir = parent.join(dir);
        DirBuilder::new().mode(0o700).create(&dir).map_err(at(&dir))?;
        Ok(Self { dir, target })
    }

    /// The file that is being made.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.dir.join("copy")
    }

    /// The directory for secret files, if any are wanted.
    #[must_use]
    pub fn secrets(&self) -> PathBuf {
        self.dir.join("secrets")
    }

    /// Makes the empty file, readable by its owner only, before anything is written to it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create_file(&self) -> Result<PathBuf, BackupError> {
        let file = self.file();
        create_private(&file)?;
        Ok(file)
    }

    /// Brings the file to the disk and gives it its name, after its secrets have theirs.
    ///
    /// # Errors
    /// `Exists` when somebody else took the name meanwhile; `File` when the disk says no.
    pub fn publish(self) -> Result<PathBuf, BackupError> {
        let file = self.file();
        File::open(&file).and_then(|file| file.sync_all()).map_err(at(&file))?;
        refuse_present(&self.target)?;
        let secrets = beside(&self.target);
        let with_secrets = self.secrets().is_dir();
        if with_secrets {
            refuse_present(&secrets)?;
            fs::rename(self.secrets(), &secrets).map_err(at(&secrets))?;
        }
        if let Err(error) = fs::rename(&file, &self.target) {
            if with_secrets {
                drop(fs::remove_dir_all(&secrets));
            }
            return Err(at(&self.target)(error));
        }
        if let Some(parent) = self.target.parent() {
            sync_dir(parent)?;
        }
        Ok(self.target.clone())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(%error, dir = %self.dir.display(), "an unfinished backup could not be removed");
        }
    }
}

fn refuse_present(path: &Path) -> Result<(), BackupError> {
    match path.symlink_metadata() {
        Ok(_) => Err(BackupError::Exists { path: path.to_owned() }),
        Err(_) => Ok(()),
    }
}

/// A new file only its owner may read.
///
/// # Errors
/// When there is one already, or it cannot be made.
pub fn create_private(path: &Path) -> Result<File, BackupError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(at(path))
}
