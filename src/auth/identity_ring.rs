//! Where the keys of what identifies readers come from: the configuration, or a file of the data directory with one line per key, its
//! bytes and since when it seals in seconds of the epoch, the newest last.
//!
//! Not here: sealing and looking up ([`super::identity`]).

use std::io;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;

use super::identity::IdentityKey;
use super::key_file::{self, KEY_BYTES, random};
use super::key_ring::KeyRingError;
use crate::config::Config;

const FILE_NAME: &str = "identity.key";
/// Servers read the file again every few seconds.
const KNOWN_AFTER: TimeDelta = TimeDelta::seconds(60);

type Result<T> = std::result::Result<T, KeyRingError>;

/// The configured keys, else those of the data directory, where one is made when there is none.
///
/// # Errors
/// When the file cannot be read or written, is open to other users, or holds something else.
pub fn load(config: &Config) -> Result<Vec<IdentityKey>> {
    if let Some(keys) = configured(config) {
        return Ok(keys);
    }
    let path = config.data.dir.join(FILE_NAME);
    let damaged = || KeyRingError::Damaged { path: path.clone() };
    if let Some(text) = key_file::read(&path)? {
        return parse(&text).ok_or_else(damaged);
    }
    let failed = |source| KeyRingError::File {
        path: path.clone(),
        source,
    };
    let first = IdentityKey::new(&random().map_err(failed)?, DateTime::UNIX_EPOCH);
    key_file::create(&config.data.dir, &path, &written(&[first])).map_err(failed)?;
    // Read back: when two processes start at once, both must use the key that won.
    let text = key_file::read(&path)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    parse(&text).ok_or_else(damaged)
}

/// Adds a key that seals from a minute later. Of the others those stay under which `in_use` says that something stands, and the
/// newest; a running server takes them over within seconds.
///
/// # Errors
/// `Configured` when the keys are not in the data directory; else as [`load`].
pub fn rotate(config: &Config, now: DateTime<Utc>, in_use: &[String]) -> Result<Vec<IdentityKey>> {
    if config.auth.identity_key.is_some() {
        return Err(KeyRingError::Configured);
    }
    let mut keys = load(config)?;
    let newest = keys.last().map(IdentityKey::id);
    keys.retain(|key| Some(key.id()) == newest || in_use.contains(&key.id()));
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

/// `None` for anything but what [`written`] writes.
fn parse(text: &str) -> Option<Vec<IdentityKey>> {
    let key = |line: &str| {
        let (key, since) = line.split_once(' ')?;
        let bytes = URL_SAFE_NO_PAD.decode(key).ok()?;
        let since = DateTime::from_timestamp(since.parse().ok()?, 0)?;
        (bytes.len() == KEY_BYTES).then(|| IdentityKey::new(&bytes, since))
    };
    let keys: Vec<IdentityKey> = text.lines().map(key).collect::<Option<_>>()?;
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
        let config = Config::for_tests(&dir, "sqlite:unused.db");
        (Dir(dir), config)
    }

    fn ids(keys: &[IdentityKey]) -> Vec<String> {
        keys.iter().map(IdentityKey::id).collect()
    }

    #[test]
    fn a_rotation_adds_a_key_and_drops_those_under_which_nothing_stands() {
        let (_dir, config) = config("rotate");
        let first = load(&config).expect("made");
        assert_eq!(ids(&load(&config).expect("found")), ids(&first));
        let now = DateTime::from_timestamp(1_000, 0).expect("in range");
        let second = rotate(&config, now, &ids(&first)).expect("rotated");
        assert_eq!(ids(&second)[..1], ids(&first)[..]);
        assert_eq!(second[1].since, now + KNOWN_AFTER);
        assert_eq!(ids(&load(&config).expect("found")), ids(&second));
        let third = rotate(&config, now, &[]).expect("rotated");
        assert_eq!(
            ids(&third)[..1],
            ids(&second)[1..],
            "the newest stays, whatever stands under it"
        );
    }

    #[test]
    fn a_damaged_file_is_refused_and_configured_keys_rotate_by_configuration() {
        let (_dir, mut config) = config("damaged");
        load(&config).expect("made");
        fs::write(config.data.dir.join(FILE_NAME), "c2hvcnQ 0\n").expect("written");
        assert!(matches!(load(&config), Err(KeyRingError::Damaged { .. })));
        config.auth.identity_key = Some("a key of thirty-two bytes or even more".into());
        config.auth.old_identity_keys = Some("another key of thirty-two bytes or more".into());
        assert_eq!(load(&config).expect("given").len(), 2);
        assert!(matches!(
            rotate(&config, DateTime::UNIX_EPOCH, &[]),
            Err(KeyRingError::Configured)
        ));
    }
}
