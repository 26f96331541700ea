//! The secret that signs access tokens: from the configuration, or made once and kept in the data directory.
//!
//! Not here: rotation. Replacing the key ends every access token at once; refresh tokens do not depend on it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretSlice};

use crate::config::Config;

const FILE_NAME: &str = "signing.key";
const KEY_BYTES: usize = 32;

#[derive(Debug, Clone)]
pub struct SigningKey(SecretSlice<u8>);

#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    #[error("cannot keep the signing key in {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} may be read by other users (mode {mode:o}); make it 0600", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("{} does not hold a signing key; restore it, or delete it to have a new one made", path.display())]
    Damaged { path: PathBuf },
}

impl SigningKey {
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec().into())
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The configured key, else the one of the data directory, which is made when it is not there.
    ///
    /// # Errors
    /// When the file cannot be read or written, is open to other users, or holds something else.
    pub fn load(config: &Config) -> Result<Self, SigningKeyError> {
        if let Some(key) = &config.auth.signing_key {
            return Ok(Self::from_bytes(key.expose_secret().as_bytes()));
        }
        let path = config.data.dir.join(FILE_NAME);
        match read(&path) {
            Err(SigningKeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        create(&config.data.dir, &path).map_err(|source| SigningKeyError::File {
            path: path.clone(),
            source,
        })?;
        // Read back: when two processes start at once, both must use the key that won.
        read(&path)
    }
}

fn read(path: &Path) -> Result<SigningKey, SigningKeyError> {
    let failed = |source| SigningKeyError::File {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SigningKeyError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let text = io::read_to_string(file).map_err(failed)?;
    match URL_SAFE_NO_PAD.decode(text.trim_end()) {
        Ok(bytes) if bytes.len() == KEY_BYTES => Ok(SigningKey(bytes.into())),
        _ => Err(SigningKeyError::Damaged { path: path.to_owned() }),
    }
}

/// Makes the file whole or not at all: written under another name, then linked, which never replaces a key.
fn create(dir: &Path, path: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    let draft = path.with_extension(format!("key.{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            writeln!(file, "{}", URL_SAFE_NO_PAD.encode(bytes))?;
            file.sync_all()
        });
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked.and_then(|()| File::open(dir)?.sync_all()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("tongjie-key-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&dir);
            Self(dir)
        }

        fn config(&self, key: Option<&str>) -> Config {
            let mut config = Config::for_tests(&self.0, "sqlite:unused.db");
            config.auth.signing_key = key.map(Into::into);
            config
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_key_is_made_once_and_kept_private() {
        let dir = Dir::new("once");
        let first = SigningKey::load(&dir.config(None)).expect("made");
        let second = SigningKey::load(&dir.config(None)).expect("found");
        assert_eq!(first.expose(), second.expose());
        assert_eq!(first.expose().len(), KEY_BYTES);
        assert_eq!(fs::metadata(dir.0.join(FILE_NAME)).expect("file").mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&dir.0).expect("dir").count(), 1, "no draft is left");
        assert!(format!("{first:?}").contains("REDACTED"), "debug output shows no bytes");
    }

    #[test]
    fn a_configured_key_needs_no_file() {
        let dir = Dir::new("configured");
        let key = SigningKey::load(&dir.config(Some("0123456789abcdef0123456789abcdef"))).expect("given");
        assert_eq!(key.expose(), b"0123456789abcdef0123456789abcdef");
        assert!(!dir.0.exists());
    }

    #[test]
    fn an_exposed_or_damaged_key_is_refused() {
        let dir = Dir::new("exposed");
        SigningKey::load(&dir.config(None)).expect("made");
        let path = dir.0.join(FILE_NAME);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        assert!(matches!(
            SigningKey::load(&dir.config(None)),
            Err(SigningKeyError::Exposed { mode: 0o644, .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        fs::write(&path, "c2hvcnQ\n").expect("write");
        assert!(matches!(
            SigningKey::load(&dir.config(None)),
            Err(SigningKeyError::Damaged { .. })
        ));
    }
}
