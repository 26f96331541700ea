//! The Ed25519 keys behind electronic cards: one signs now, others will, or did until lately and are still published. They stand
//! in the configuration or in a file of the data directory, one line per key, the latest first:
//!
//! ```text
//! KEY SINCE      the seed in base64url, and from which second of the epoch on it signs
//! ```
//!
//! Not here: tokens ([`super::card_token`]).

use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::key_file::{self, KEY_BYTES, random};
use super::key_ring::KeyRingError;
use super::signing_key::SigningKey;
use crate::config::Config;

const FILE_NAME: &str = "card.keys";
/// How long a key stays published after it signed the last time: a token lives a minute, a device reads late.
const KEPT_FOR: TimeDelta = TimeDelta::hours(1);
/// Bytes of the digest that an id shows.
const ID_BYTES: usize = 8;

type Result<T> = std::result::Result<T, KeyRingError>;

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardKey {
    seed: SigningKey,
    /// From when on it signs.
    pub since: DateTime<Utc>,
    /// The public half.
    pub public: [u8; KEY_BYTES],
    /// The `kid` of its tokens: a digest of the public half.
    pub id: String,
}

/// All keys of this node, the latest first; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardKeyRing {
    keys: Vec<CardKey>,
}

impl CardKey {
    fn new(seed: [u8; KEY_BYTES], since: DateTime<Utc>) -> Self {
        let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().to_bytes();
        Self {
            seed: SigningKey::from_bytes(&seed),
            since,
            public,
            id: id_of(&public),
        }
    }

    pub(super) fn seed(&self) -> &[u8] {
        self.seed.expose()
    }
}

/// The name of a public key.
fn id_of(public: &[u8; KEY_BYTES]) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(public)[..ID_BYTES])
}

impl CardKeyRing {
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
        let first = Self {
            keys: vec![CardKey::new(random().map_err(failed)?, DateTime::UNIX_EPOCH)],
        };
        key_file::create(&config.data.dir, &path, &first.text()).map_err(failed)?;
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
        let path = config.data.dir.join(FILE_NAME);
        let Some(listed) = &config.auth.card_keys else {
            return read(&path);
        };
        let ring = Self::parse(listed.expose_secret().split(','));
        ring.map(Some).ok_or(KeyRingError::Damaged { path })
    }

    /// Makes a new key in the data directory, published at once, that signs from `lead` later on; or, where the present one
    /// has leaked (`None`), at once and alone. A running server takes it over within seconds.
    ///
    /// # Errors
    /// `CardKeysConfigured` when the keys are not in the data directory; `RotatesAlready`; else as `load`.
    pub fn rotate(config: &Config, now: DateTime<Utc>, lead: Option<TimeDelta>) -> Result<Self> {
        if config.auth.card_keys.is_some() {
            return Err(KeyRingError::CardKeysConfigured);
        }
        let Self { mut keys } = Self::load(config)?;
        let path = config.data.dir.join(FILE_NAME);
        let failed = |source| KeyRingError::File {
            path: path.clone(),
            source,
        };
        let seed = random().map_err(failed)?;
        let keys = match (lead, keys.first().map(|latest| latest.since)) {
            (None, _) => vec![CardKey::new(seed, now)],
            (Some(_), Some(from)) if from > now => return Err(KeyRingError::RotatesAlready { from }),
            (Some(lead), latest) => {
                // A line says whole seconds, and each line another one.
                let after = latest.unwrap_or(DateTime::UNIX_EPOCH) + TimeDelta::seconds(1);
                keys.insert(0, CardKey::new(seed, (now + lead).max(after)));
                keys
            }
        };
        let ring = Self { keys }.kept(now);
        key_file::replace(&config.data.dir, &path, &ring.text()).map_err(failed)?;
        // As the next start reads it: whole seconds.
        read(&path)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
    }

    /// The key that signs now. Where the clock stands before every line, the earliest.
    #[must_use]
    pub fn current(&self, now: DateTime<Utc>) -> Option<&CardKey> {
        let begun = self.keys.iter().find(|key| key.since <= now);
        begun.or_else(|| self.keys.last())
    }

    /// The latest key, whether or not it signs yet.
    #[must_use]
    pub fn latest(&self) -> Option<&CardKey> {
        self.keys.first()
    }

    /// Every key whose tokens are believed: those to come, the current one, and what was current an hour ago.
    pub fn published(&self, now: DateTime<Utc>) -> impl Iterator<Item = &CardKey> {
        let known_then = self.keys.iter().position(|key| key.since <= now - KEPT_FOR);
        let count = known_then.map_or(self.keys.len(), |position| position + 1);
        self.keys.iter().take(count)
    }

    fn kept(self, now: DateTime<Utc>) -> Self {
        Self {
            keys: self.published(now).cloned().collect(),
        }
    }

    fn text(&self) -> String {
        let line = |key: &CardKey| format!("{} {}\n", URL_SAFE_NO_PAD.encode(key.seed()), key.since.timestamp());
        self.keys.iter().map(line).collect()
    }

    /// `None` for anything but lines as above, at least one, the latest first.
    pub(crate) fn parse<'t>(lines: impl Iterator<Item = &'t str>) -> Option<Self> {
        let key = |line: &str| {
            let (seed, since) = line.trim().split_once(' ')?;
            let seed = URL_SAFE_NO_PAD.decode(seed).ok()?.try_into().ok()?;
            let since = DateTime::from_timestamp(since.trim().parse().ok()?, 0)?;
            Some(CardKey::new(seed, since))
        };
        let keys: Vec<CardKey> = lines.map(key).collect::<Option<_>>()?;
        let ordered = keys.windows(2).all(|pair| pair[0].since > pair[1].since);
        (!keys.is_empty() && ordered).then_some(Self { keys })
    }
}

fn read(path: &Path) -> Result<Option<CardKeyRing>> {
    let damaged = || KeyRingError::Damaged { path: path.to_owned() };
    let text = key_file::read(path)?;
    text.map(|text| CardKeyRing::parse(text.lines()).ok_or_else(damaged))
        .transpose()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::PathBuf;

    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> (Self, Config) {
            let dir = std::env::temp_dir().join(format!("tongjie-card-keys-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&dir);
            let config = Config::for_tests(&dir, "sqlite:unused.db");
            (Self(dir), config)
        }

        fn file(&self) -> PathBuf {
            self.0.join(FILE_NAME)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    fn ids(ring: &CardKeyRing, now: i64) -> Vec<&str> {
        ring.published(at(now)).map(|key| key.id.as_str()).collect()
    }

    #[test]
    fn a_key_is_made_once_and_kept_private() {
        let (dir, config) = Dir::new("once");
        let first = CardKeyRing::load(&config).expect("made");
        assert_eq!(CardKeyRing::load(&config).expect("found"), first);
        assert_eq!(fs::metadata(dir.file()).expect("file").mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&dir.0).expect("dir").count(), 1, "no draft is left");
        assert!(
            format!("{first:?}").contains("REDACTED"),
            "debug output shows no secret bytes"
        );
        fs::set_permissions(dir.file(), fs::Permissions::from_mode(0o640)).expect("chmod");
        let exposed = CardKeyRing::load(&config);
        assert!(matches!(exposed, Err(KeyRingError::Exposed { mode: 0o640, .. })));
    }

    #[test]
    fn a_new_key_is_published_before_it_signs_and_an_old_one_after() {
        let (_dir, config) = Dir::new("overlap");
        let old = CardKeyRing::load(&config).expect("made");
        let old_id = old.current(at(10_000)).expect("one").id.clone();
        let ring = CardKeyRing::rotate(&config, at(10_000), Some(TimeDelta::seconds(500))).expect("rotated");
        let new_id = ring.latest().expect("one").id.clone();
        assert_ne!(new_id, old_id);
        let signs = |now| ring.current(at(now)).expect("one").id.clone();
        assert_eq!((signs(10_499), signs(10_500)), (old_id.clone(), new_id.clone()));
        let both = [new_id.as_str(), old_id.as_str()];
        assert_eq!(ids(&ring, 10_000), both, "the new one from the start");
        assert_eq!(ids(&ring, 10_500 + 3599), both, "the old one for an hour");
        assert_eq!(ids(&ring, 10_500 + 3600), both[..1]);
        // A second rotation would leave devices no time.
        let again = CardKeyRing::rotate(&config, at(10_400), Some(TimeDelta::seconds(500)));
        assert!(matches!(again, Err(KeyRingError::RotatesAlready { from }) if from == at(10_500)));
        let third = CardKeyRing::rotate(&config, at(20_000), Some(TimeDelta::zero())).expect("rotated");
        assert_eq!(ids(&third, 20_000).len(), 2, "what was over is out of the file");
        assert_eq!(CardKeyRing::load(&config).expect("read"), third);
        let fourth = CardKeyRing::rotate(&config, at(20_000), Some(TimeDelta::zero())).expect("within the same second");
        assert_eq!(fourth.latest().expect("one").since, at(20_001));
        assert_eq!(CardKeyRing::load(&config).expect("read"), fourth);
    }

    #[test]
    fn a_running_server_makes_no_key() {
        let (dir, config) = Dir::new("again");
        let ring = CardKeyRing::load(&config).expect("made");
        assert_eq!(CardKeyRing::again(&config).expect("found"), ring);
        fs::remove_file(dir.file()).expect("removed");
        let gone = CardKeyRing::again(&config);
        assert!(matches!(gone, Err(KeyRingError::Vanished { .. })));
        assert!(!dir.file().exists());
    }

    #[test]
    fn a_leaked_key_is_gone_at_once() {
        let (_dir, config) = Dir::new("leaked");
        CardKeyRing::load(&config).expect("made");
        CardKeyRing::rotate(&config, at(10_000), Some(TimeDelta::days(1))).expect("rotated");
        let ring = CardKeyRing::rotate(&config, at(10_001), None).expect("replaced");
        assert_eq!(ids(&ring, 10_001), [ring.current(at(10_001)).expect("one").id.as_str()]);
    }

    #[test]
    fn configured_keys_need_no_file_and_rotate_by_configuration() {
        let (dir, mut config) = Dir::new("configured");
        let line = |byte: u8, since: i64| format!("{} {since}", URL_SAFE_NO_PAD.encode([byte; KEY_BYTES]));
        config.auth.card_keys = Some(format!("{}, {}", line(2, 2000), line(1, 1000)).into());
        let ring = CardKeyRing::load(&config).expect("given");
        assert_eq!(ring.current(at(1999)).expect("one").seed(), [1; KEY_BYTES]);
        assert_eq!(ring.current(at(2000)).expect("one").seed(), [2; KEY_BYTES]);
        assert_eq!(
            ring.current(at(1)).expect("one").seed(),
            [1; KEY_BYTES],
            "a clock that is behind"
        );
        assert!(!dir.0.exists());
        let rotated = CardKeyRing::rotate(&config, at(0), None);
        assert!(matches!(rotated, Err(KeyRingError::CardKeysConfigured)));
    }

    #[test]
    fn what_is_not_a_list_of_keys_is_refused() {
        let good = format!("{} 1000", URL_SAFE_NO_PAD.encode([1; KEY_BYTES]));
        let later = format!("{} 2000", URL_SAFE_NO_PAD.encode([2; KEY_BYTES]));
        assert!(CardKeyRing::parse([later.as_str(), good.as_str()].into_iter()).is_some());
        let cases: [&[&str]; 7] = [
            &[],
            &[""],
            &["c2hvcnQ 1000"],
            &[good.split(' ').next().unwrap_or_default()],
            &[&good, &good],
            &[&good, &later],
            &[&good, ""],
        ];
        for lines in cases {
            assert!(CardKeyRing::parse(lines.iter().copied()).is_none(), "{lines:?}");
        }
    }
}
