//! The keys of this node: one that signs, and those it replaced, which are still believed while a token of theirs may live.
//! So a key is rotated without logging anybody out. They stand in the configuration or in a file of the data directory:
//!
//! ```text
//! CURRENT               the only line of a file that was never rotated
//! OLD 1764000000        one per replaced key: since when, in seconds of the epoch
//! digest FIRST          what request digests are made with; never rotated, or stored digests would mean nothing
//! ```
//!
//! Not here: signing and checking ([`super::tokens`]).

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use super::key_file::{self, KEY_BYTES, random};
use super::signing_key::SigningKey;
use crate::config::Config;

const FILE_NAME: &str = "signing.key";
/// `auth.access_minutes` is a day at most; a day more, for clocks and for a node that restarts with a shorter life.
const KEPT_FOR: TimeDelta = TimeDelta::days(2);

/// A key that signs no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldKey {
    pub key: SigningKey,
    /// `None`: the configuration lists it, and takes it away again.
    pub retired_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRing {
    pub current: SigningKey,
    /// The latest first.
    pub old: Vec<OldKey>,
    pub(super) digest: SigningKey,
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for SigningKey {}

#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    #[error("cannot keep keys in {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} may be read by other users (mode {mode:o}); make it 0600", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("{} does not hold a signing key; restore it, or delete it to have a new one made", path.display())]
    Damaged { path: PathBuf },
    #[error(
        "{} does not hold the keys of what identifies readers; restore it from its copy, and do not delete it: without \
         them no ID number or address is found or read again",
        path.display()
    )]
    IdentityDamaged { path: PathBuf },
    #[error(
        "what identifies readers is sealed under keys that are not here ({keys}); restore identity.key from its copy, or \
         give every node the same auth.identity_key and auth.old_identity_keys. What stands under a key that is lost for good is \
         lost, too: name such keys in auth.lost_identity_keys"
    )]
    IdentityMissing { keys: String },
    #[error("{} is gone; restore it. The keys that were read before stay in use until the server stops", path.display())]
    Vanished { path: PathBuf },
    #[error(
        "the signing key stands in the configuration: put a new one there, and the old one into auth.old_signing_keys"
    )]
    Configured,
    #[error(
        "the keys of what identifies readers stand in the configuration: put a new one into auth.identity_key, and the old \
         one into auth.old_identity_keys"
    )]
    IdentityConfigured,
    #[error("the keys of the electronic card stand in the configuration: put a new line in front of auth.card_keys")]
    CardKeysConfigured,
    #[error("a key that was made before signs from {from} on; wait until then, or say that the present one has leaked")]
    RotatesAlready { from: DateTime<Utc> },
}

type Result<T> = std::result::Result<T, KeyRingError>;

impl KeyRing {
    /// A ring of one key.
    #[must_use]
    pub fn of(current: SigningKey) -> Self {
        Self {
            digest: current.clone(),
            current,
            old: Vec::new(),
        }
    }

    /// The configured keys, else those of the data directory, where one is made when there is none.
    ///
    /// # Errors
    /// When the file cannot be read or written, is open to other users, or holds something else.
    pub fn load(config: &Config) -> Result<Self> {
        if let Some(ring) = Self::found(config)? {
            return Ok(ring);
        }
        let path = config.data.dir.join(FILE_NAME);
        let failed = |source| KeyRingError::File {
            path: path.clone(),
            source,
        };
        let first = format!("{}\n", URL_SAFE_NO_PAD.encode(random().map_err(failed)?));
        key_file::create(&config.data.dir, &path, &first).map_err(failed)?;
        // Read back: when two processes start at once, both must use the key that won.
        Self::again(config)
    }

    /// The same while a server runs: makes no key.
    ///
    /// # Errors
    /// `Vanished` when the file is gone; else as `load`.
    pub fn again(config: &Config) -> Result<Self> {
        let path = config.data.dir.join(FILE_NAME);
        Self::found(config)?.ok_or(KeyRingError::Vanished { path })
    }

    fn found(config: &Config) -> Result<Option<Self>> {
        match Self::configured(config) {
            Some(ring) => Ok(Some(ring)),
            None => read(&config.data.dir.join(FILE_NAME)),
        }
    }

    /// Makes a new key in the data directory; the present one is believed as long as its tokens may live. A running server
    /// takes it over within seconds.
    ///
    /// # Errors
    /// `Configured` when the keys are not in the data directory; else as `load`.
    pub fn rotate(config: &Config, now: DateTime<Utc>) -> Result<Self> {
        if config.auth.signing_key.is_some() {
            return Err(KeyRingError::Configured);
        }
        let Self {
            current,
            mut old,
            digest,
        } = Self::load(config)?;
        old.insert(
            0,
            OldKey {
                key: current,
                retired_at: Some(now),
            },
        );
        old.retain(|old| old.retired_at.is_none_or(|at| now - at < KEPT_FOR));
        let path = config.data.dir.join(FILE_NAME);
        let failed = |source| KeyRingError::File {
            path: path.clone(),
            source,
        };
        let current = SigningKey::from_bytes(&random().map_err(failed)?);
        let ring = Self { current, old, digest };
        key_file::replace(&config.data.dir, &path, &ring.text()).map_err(failed)?;
        Ok(ring)
    }

    fn configured(config: &Config) -> Option<Self> {
        let key = config.auth.signing_key.as_ref()?;
        let current = SigningKey::from_bytes(key.expose_secret().as_bytes());
        let old: Vec<OldKey> = config
            .auth
            .old_keys()
            .map(|key| OldKey {
                key: SigningKey::from_bytes(key.as_bytes()),
                retired_at: None,
            })
            .collect();
        let digest = config.auth.digest_key.as_ref();
        let digest = digest.map_or_else(
            || current.clone(),
            |key| SigningKey::from_bytes(key.expose_secret().as_bytes()),
        );
        Some(Self { current, old, digest })
    }

    fn text(&self) -> String {
        let shown = |key: &SigningKey| URL_SAFE_NO_PAD.encode(key.expose());
        let mut text = format!("{}\n", shown(&self.current));
        for old in &self.old {
            let since = old.retired_at.unwrap_or_default().timestamp();
            text.push_str(&format!("{} {since}\n", shown(&old.key)));
        }
        text.push_str(&format!("digest {}\n", shown(&self.digest)));
        text
    }

    /// `None` for anything but the format above.
    fn parse(text: &str) -> Option<Self> {
        let key = |text: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            (bytes.len() == KEY_BYTES).then(|| SigningKey::from_bytes(&bytes))
        };
        let mut lines = text.lines();
        let mut ring = Self::of(key(lines.next()?.trim_end())?);
        for line in lines {
            match line.split_once(' ')? {
                ("digest", digest) => ring.digest = key(digest)?,
                (old, since) => ring.old.push(OldKey {
                    key: key(old)?,
                    retired_at: Some(DateTime::from_timestamp(since.parse().ok()?, 0)?),
                }),
            }
        }
        Some(ring)
    }
}

fn read(path: &Path) -> Result<Option<KeyRing>> {
    let damaged = || KeyRingError::Damaged { path: path.to_owned() };
    let text = key_file::read(path)?;
    text.map(|text| KeyRing::parse(&text).ok_or_else(damaged)).transpose()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

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
        let first = KeyRing::load(&dir.config(None)).expect("made");
        let second = KeyRing::load(&dir.config(None)).expect("found");
        assert_eq!(first.current.expose(), second.current.expose());
        assert_eq!(first.current.expose().len(), KEY_BYTES);
        assert_eq!(fs::metadata(dir.0.join(FILE_NAME)).expect("file").mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&dir.0).expect("dir").count(), 1, "no draft is left");
        assert!(format!("{first:?}").contains("REDACTED"), "debug output shows no bytes");
    }

    #[test]
    fn a_configured_key_needs_no_file() {
        let dir = Dir::new("configured");
        let key = KeyRing::load(&dir.config(Some("0123456789abcdef0123456789abcdef"))).expect("given");
        assert_eq!(key.current.expose(), b"0123456789abcdef0123456789abcdef");
        assert!(!dir.0.exists());
    }

    #[test]
    fn an_exposed_or_damaged_key_is_refused() {
        let dir = Dir::new("exposed");
        KeyRing::load(&dir.config(None)).expect("made");
        let path = dir.0.join(FILE_NAME);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        assert!(matches!(
            KeyRing::load(&dir.config(None)),
            Err(KeyRingError::Exposed { mode: 0o644, .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        fs::write(&path, "c2hvcnQ\n").expect("write");
        assert!(matches!(
            KeyRing::load(&dir.config(None)),
            Err(KeyRingError::Damaged { .. })
        ));
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    #[test]
    fn rotation_keeps_the_old_keys_and_what_digests_are_made_with() {
        let dir = Dir::new("rotate");
        let config = dir.config(None);
        let first = KeyRing::load(&config).expect("made");
        let second = KeyRing::rotate(&config, at(1000)).expect("rotated");
        let third = KeyRing::rotate(&config, at(2000)).expect("rotated");
        let read = KeyRing::load(&config).expect("read");
        assert_eq!((&read, &third.digest), (&third, &first.digest));
        assert_ne!(third.current.id(), second.current.id());
        let old: Vec<_> = third.old.iter().map(|old| (old.key.id(), old.retired_at)).collect();
        assert_eq!(
            old,
            [
                (second.current.id(), Some(at(2000))),
                (first.current.id(), Some(at(1000)))
            ]
        );
        assert_eq!(fs::read_dir(&dir.0).expect("dir").count(), 1, "no draft is left");
        assert_eq!(fs::metadata(dir.0.join(FILE_NAME)).expect("file").mode() & 0o777, 0o600);
        // Two days later no token of the first keys lives: they go.
        let later = KeyRing::rotate(&config, at(2000 + 2 * 86_400)).expect("rotated");
        assert_eq!(later.old.len(), 1);
        assert_eq!(later.digest, first.digest);
    }

    #[test]
    fn a_key_that_root_makes_or_rotates_belongs_to_the_owner_of_the_directory() {
        let dir = Dir::new("owner");
        fs::create_dir_all(&dir.0).expect("made");
        // Only root can give a directory away, and only root's key could be another's.
        if std::os::unix::fs::chown(&dir.0, Some(4711), Some(4712)).is_err() {
            return;
        }
        let owner = || {
            let meta = fs::metadata(dir.0.join(FILE_NAME)).expect("file");
            (meta.uid(), meta.gid(), meta.mode() & 0o777)
        };
        KeyRing::load(&dir.config(None)).expect("made");
        assert_eq!(owner(), (4711, 4712, 0o600));
        KeyRing::rotate(&dir.config(None), at(1000)).expect("rotated");
        assert_eq!(owner(), (4711, 4712, 0o600));
    }

    #[test]
    fn configured_keys_rotate_by_configuration() {
        let dir = Dir::new("by-hand");
        let mut config = dir.config(Some("0123456789abcdef0123456789abcdef"));
        let old = "an old key that is thirty-two bytes or more";
        config.auth.old_signing_keys = Some(format!("{old}, {old}").into());
        let ring = KeyRing::load(&config).expect("given");
        let keys: Vec<&[u8]> = ring.old.iter().map(|old| old.key.expose()).collect();
        assert_eq!(keys, [old.as_bytes(), old.as_bytes()]);
        assert_eq!(ring.digest, ring.current);
        config.auth.digest_key = Some(old.into());
        let ring = KeyRing::load(&config).expect("given");
        assert_eq!(ring.digest, ring.old[0].key, "digests outlive the rotation");
        assert!(matches!(KeyRing::rotate(&config, at(0)), Err(KeyRingError::Configured)));
    }
}
