//! Where the keys of what identifies readers come from: the configuration, or a file of the data directory with one line per key, its
//! bytes and since when it seals in seconds of the epoch, the newest last. A file that is gone is never made anew where something
//! stands under its keys: what they sealed could not be read, and nobody would notice.
//!
//! Not here: sealing and looking up ([`super::identity`]).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;

use super::identity::{IdentityKey, in_force};
use super::key_file::{self, KEY_BYTES, random};
use super::key_ring::KeyRingError;
use crate::config::Config;

const FILE_NAME: &str = "identity.key";
/// Servers read the file again every few seconds.
const KNOWN_AFTER: TimeDelta = TimeDelta::seconds(60);

type Result<T> = std::result::Result<T, KeyRingError>;

/// The configured keys, else those of the data directory; `None` where there are none.
///
/// # Errors
/// When the file cannot be read, is open to other users, or holds something else.
pub fn found(config: &Config) -> Result<Option<Vec<IdentityKey>>> {
    if let Some(keys) = configured(config) {
        return Ok(Some(keys));
    }
    let path = config.data.dir.join(FILE_NAME);
    let Some(text) = key_file::read(&path)? else {
        return Ok(None);
    };
    let keys = parse(&text).ok_or(KeyRingError::IdentityDamaged { path })?;
    Ok(Some(keys))
}

/// The keys to start with: those that were found, as long as `in_use` names none but them and those that are said to be lost. Where
/// nothing stands yet, a first one is made.
///
/// # Errors
/// `IdentityMissing` for keys that are in use and not there; else as [`found`], or when the file cannot be written.
pub fn at_start(config: &Config, found: Option<Vec<IdentityKey>>, in_use: &[String]) -> Result<Vec<IdentityKey>> {
    let known: Vec<String> = found.iter().flatten().map(IdentityKey::id).collect();
    let lost: Vec<&str> = config.auth.lost_identity_keys().collect();
    let missing = in_use.iter().map(String::as_str);
    let missing: Vec<&str> = missing
        .filter(|id| !known.iter().any(|key| key == id) && !lost.contains(id))
        .collect();
    if !missing.is_empty() {
        return Err(KeyRingError::IdentityMissing {
            keys: missing.join(", "),
        });
    }
    found.map_or_else(|| first(config), Ok)
}

/// The keys again, while a server runs. Makes none.
///
/// # Errors
/// `Vanished` when there are none any more; else as [`found`].
pub fn again(config: &Config) -> Result<Vec<IdentityKey>> {
    let path = config.data.dir.join(FILE_NAME);
    found(config)?.ok_or(KeyRingError::Vanished { path })
}

fn first(config: &Config) -> Result<Vec<IdentityKey>> {
    let path = config.data.dir.join(FILE_NAME);
    let failed = |source| KeyRingError::File {
        path: path.clone(),
        source,
    };
    let first = IdentityKey::new(&random().map_err(failed)?, DateTime::UNIX_EPOCH);
    key_file::create(&config.data.dir, &path, &written(&[first])).map_err(failed)?;
    // Read back: when two processes start at once, both must use the key that won.
    again(config)
}

/// Adds a key that seals from a minute later. Of the others those stay under which `in_use` says that something stands, the one that
/// seals now, and the newest; a running server takes them over within seconds.
///
/// # Errors
/// `IdentityConfigured` when the keys are not in the data directory; else as [`again`].
pub fn rotate(config: &Config, now: DateTime<Utc>, in_use: &[String]) -> Result<Vec<IdentityKey>> {
    if config.auth.identity_key.is_some() {
        return Err(KeyRingError::IdentityConfigured);
    }
    let mut keys = again(config)?;
    let newest = keys.last().map(IdentityKey::id);
    let seals = in_force(&keys, now).map(IdentityKey::id);
    keys.retain(|key| {
        let id = Some(key.id());
        id == newest || id == seals || in_use.contains(&key.id())
    });
    let path = config.data.dir.join(FILE_NAME);
    let failed = |source| KeyRingError::File {
        path: path.clone(),
        source,
    };
    keys.push(IdentityKey::new(&random().map_err(failed)?, now + KNOWN_AFTER));
    key_file::replace(&config.data.dir, &path, &written(&keys)).map_err(failed)?;
    Ok(keys)
}

/// Old keys first: they find and read, and the last one seals.
fn configured(config: &Config) -> Option<Vec<IdentityKey>> {
    let key = config.auth.identity_key.as_ref()?;
    let made = |text: &str| IdentityKey::new(text.as_bytes(), DateTime::UNIX_EPOCH);
    let mut keys: Vec<IdentityKey> = config.auth.other_identity_keys().map(made).collect();
    keys.push(made(key.expose_secret()));
    Some(keys)
}

fn written(keys: &[IdentityKey]) -> String {
    let line = |key: &IdentityKey| format!("{} {}\n", URL_SAFE_NO_PAD.encode(key.expose()), key.since.timestamp());
    keys.iter().map(line).collect()
}

/// `None` for anything but what [`written`] writes, and empty lines.
fn parse(text: &str) -> Option<Vec<IdentityKey>> {
    let key = |line: &str| {
        let (key, since) = line.split_once(' ')?;
        let bytes = URL_SAFE_NO_PAD.decode(key).ok()?;
        let since = DateTime::from_timestamp(since.trim().parse().ok()?, 0)?;
        (bytes.len() == KEY_BYTES).then(|| IdentityKey::new(&bytes, since))
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Vec<IdentityKey> = lines.map(key).collect::<Option<_>>()?;
    (!keys.is_empty()).then_some(keys)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    struct Dir(PathBuf);

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn config(name: &str) -> (Dir, Config) {
        let dir = std::env::temp_dir().join(format!("tongjie-identity-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        let mut config = Config::for_tests(&dir, "sqlite:unused.db");
        config.auth.identity_key = None;
        (Dir(dir), config)
    }

    fn start(config: &Config, in_use: &[String]) -> Result<Vec<IdentityKey>> {
        at_start(config, found(config)?, in_use)
    }

    fn ids(keys: &[IdentityKey]) -> Vec<String> {
        keys.iter().map(IdentityKey::id).collect()
    }

    #[test]
    fn a_rotation_adds_a_key_and_drops_those_under_which_nothing_stands() {
        let (_dir, config) = config("rotate");
        let first = start(&config, &[]).expect("made");
        assert_eq!(ids(&start(&config, &ids(&first)).expect("found")), ids(&first));
        let now = DateTime::from_timestamp(1_000, 0).expect("in range");
        let second = rotate(&config, now, &ids(&first)).expect("rotated");
        assert_eq!(ids(&second)[..1], ids(&first)[..]);
        assert_eq!(second[1].since, now + KNOWN_AFTER);
        assert_eq!(ids(&again(&config).expect("found")), ids(&second));
        let third = rotate(&config, now, &[]).expect("rotated");
        assert_eq!(
            ids(&third)[..2],
            ids(&second),
            "the one that seals and the newest stay, whatever stands under them"
        );
        let fourth = rotate(&config, now + KNOWN_AFTER, &[]).expect("rotated");
        assert_eq!(ids(&fourth)[..1], ids(&third)[2..], "the one that seals is the newest");
    }

    #[test]
    fn no_key_is_made_in_the_place_of_one_that_is_in_use() {
        let (_dir, mut config) = config("lost");
        let first = start(&config, &[]).expect("made");
        fs::remove_file(config.data.dir.join(FILE_NAME)).expect("removed");
        assert!(matches!(again(&config), Err(KeyRingError::Vanished { .. })));
        assert!(matches!(
            rotate(&config, DateTime::UNIX_EPOCH, &[]),
            Err(KeyRingError::Vanished { .. })
        ));
        let refused = start(&config, &ids(&first)).expect_err("rows stand under it");
        assert!(refused.to_string().contains(&ids(&first)[0]), "{refused}");
        assert!(!config.data.dir.join(FILE_NAME).exists());
        let mut other = config.clone();
        other.auth.identity_key = Some("a key of thirty-two bytes or even more".into());
        assert!(matches!(
            start(&other, &ids(&first)),
            Err(KeyRingError::IdentityMissing { .. })
        ));
        config.auth.lost_identity_keys = format!("x, {}", ids(&first)[0]);
        let second = start(&config, &ids(&first)).expect("lost for good, and said so");
        assert_ne!(ids(&second), ids(&first));
    }

    #[test]
    fn a_damaged_file_is_refused_and_configured_keys_rotate_by_configuration() {
        let (_dir, mut config) = config("damaged");
        let first = start(&config, &[]).expect("made");
        let path = config.data.dir.join(FILE_NAME);
        let text = fs::read_to_string(&path).expect("read");
        fs::write(&path, format!("\n{}  \r\n\n", text.trim_end())).expect("written");
        assert_eq!(ids(&again(&config).expect("an editor's lines")), ids(&first));
        fs::write(&path, "c2hvcnQ 0\n").expect("written");
        let refused = again(&config).expect_err("too short");
        assert!(matches!(refused, KeyRingError::IdentityDamaged { .. }));
        assert!(refused.to_string().contains("do not delete it"), "{refused}");
        config.auth.identity_key = Some("a key of thirty-two bytes or even more".into());
        config.auth.old_identity_keys = Some("another key of thirty-two bytes or more".into());
        assert_eq!(again(&config).expect("given").len(), 2);
        let refused = rotate(&config, DateTime::UNIX_EPOCH, &[]).expect_err("not a file");
        assert!(matches!(refused, KeyRingError::IdentityConfigured));
        assert!(refused.to_string().contains("auth.old_identity_keys"), "{refused}");
    }
}
