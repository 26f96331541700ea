//! Settings of what protects the door: rate limits, keys, origins; and what makes no sense in them.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::limits::{BURST, HASH_QUEUE};
use super::{ConfigError, bad, empty_is_none, within};
use crate::auth::CardKeyRing;

/// HS256 wants a key at least as long as its hash (RFC 7518, 3.2).
const KEY_MIN_BYTES: usize = 32;

/// How often one client may ask, by kind of client; a rate of 0 is no limit.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatesConfig {
    pub staff_per_second: u32,
    pub staff_burst: u32,
    pub device_per_second: u32,
    pub device_burst: u32,
    pub reader_per_second: u32,
    pub reader_burst: u32,
    pub anonymous_per_second: u32,
    pub anonymous_burst: u32,
}

impl RatesConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, per_second, burst) in [
            ("rates.staff_burst", self.staff_per_second, self.staff_burst),
            ("rates.device_burst", self.device_per_second, self.device_burst),
            ("rates.reader_burst", self.reader_per_second, self.reader_burst),
            ("rates.anonymous_burst", self.anonymous_per_second, self.anonymous_burst),
        ] {
            let least = u32::from(per_second > 0);
            within(key, burst, least..=*BURST.end())?;
        }
        Ok(())
    }
}

/// Origins as browsers send them: scheme, host and port, no slash at the end. `*` is no origin: name them.
pub(super) fn check_origins(origins: &str) -> Result<(), ConfigError> {
    let fits = |one: &str| {
        let host = one.strip_prefix("https://").or_else(|| one.strip_prefix("http://"));
        host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ', '?', '#', '@']))
    };
    match origins.split(',').map(str::trim).find(|one| !fits(one)) {
        Some(_) if origins.is_empty() => Ok(()),
        Some(one) => bad(
            "http.cors_origins",
            format!("{one} is not like https://host or https://host:port"),
        ),
        None => Ok(()),
    }
}

/// Tokens, keys, and what hashing a password costs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    pub access_minutes: u32,
    pub refresh_days: u32,
    #[serde(deserialize_with = "empty_is_none")]
    pub signing_key: Option<SecretString>,
    #[serde(deserialize_with = "empty_is_none")]
    pub old_signing_keys: Option<SecretString>,
    #[serde(deserialize_with = "empty_is_none")]
    pub digest_key: Option<SecretString>,
    #[serde(deserialize_with = "empty_is_none")]
    pub identity_key: Option<SecretString>,
    #[serde(deserialize_with = "empty_is_none")]
    pub old_identity_keys: Option<SecretString>,
    #[serde(deserialize_with = "empty_is_none")]
    pub card_keys: Option<SecretString>,
    /// Ids of keys, separated by commas.
    pub lost_identity_keys: String,
    pub argon2_memory_kib: u32,
    pub argon2_iterations: u32,
    pub argon2_parallelism: u32,
    pub hash_threads: usize,
    pub hash_queue: usize,
}

impl AuthConfig {
    #[must_use]
    pub fn access_ttl(&self) -> Duration {
        Duration::from_secs(u64::from(self.access_minutes) * 60)
    }

    #[must_use]
    pub fn refresh_ttl(&self) -> Duration {
        Duration::from_secs(u64::from(self.refresh_days) * 24 * 3600)
    }

    /// The replaced keys of the configuration, the latest first.
    pub(crate) fn old_keys(&self) -> impl Iterator<Item = &str> {
        listed(self.old_signing_keys.as_ref())
    }

    /// The other keys of the configuration for what identifies readers.
    pub(crate) fn other_identity_keys(&self) -> impl Iterator<Item = &str> {
        listed(self.old_identity_keys.as_ref())
    }

    /// Ids of keys for what identifies readers that are lost for good.
    pub(crate) fn lost_identity_keys(&self) -> impl Iterator<Item = &str> {
        self.lost_identity_keys
            .split(',')
            .map(str::trim)
            .filter(|id| !id.is_empty())
    }

    /// Ranges, and what must hold between two keys.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("auth.access_minutes", self.access_minutes, 1..=1440)?;
        within("auth.refresh_days", self.refresh_days, 1..=365)?;
        within("auth.argon2_parallelism", self.argon2_parallelism, 1..=16)?;
        within(
            "auth.argon2_memory_kib",
            self.argon2_memory_kib,
            8 * self.argon2_parallelism..=1024 * 1024,
        )?;
        within("auth.argon2_iterations", self.argon2_iterations, 1..=32)?;
        within("auth.hash_threads", self.hash_threads, 1..=64)?;
        within("auth.hash_queue", self.hash_queue, HASH_QUEUE)?;
        self.check_keys()
    }

    fn check_keys(&self) -> Result<(), ConfigError> {
        for (name, key) in [
            ("auth.signing_key", &self.signing_key),
            ("auth.digest_key", &self.digest_key),
            ("auth.identity_key", &self.identity_key),
        ] {
            if key
                .as_ref()
                .is_some_and(|key| key.expose_secret().len() < KEY_MIN_BYTES)
            {
                return bad(name, "at least 32 bytes are needed");
            }
        }
        let reason = "at least 32 bytes are needed of each, separated by commas";
        if self.old_keys().any(|key| key.len() < KEY_MIN_BYTES) {
            return bad("auth.old_signing_keys", reason);
        }
        if self.other_identity_keys().any(|key| key.len() < KEY_MIN_BYTES) {
            return bad("auth.old_identity_keys", reason);
        }
        if self.identity_key.is_none() && self.old_identity_keys.is_some() {
            return bad("auth.old_identity_keys", "means nothing without auth.identity_key");
        }
        if self.signing_key.is_none() && self.old_signing_keys.is_some() {
            return bad("auth.old_signing_keys", "means nothing without auth.signing_key");
        }
        let listed = self.card_keys.as_ref().map(ExposeSecret::expose_secret);
        if listed.is_some_and(|keys| CardKeyRing::parse(keys.split(',')).is_none()) {
            let reason = "expected SEED SINCE, separated by commas, the latest first; SEED is 32 bytes in base64url";
            return bad("auth.card_keys", reason);
        }
        Ok(())
    }
}

fn listed(keys: Option<&SecretString>) -> impl Iterator<Item = &str> {
    let listed = keys.map(ExposeSecret::expose_secret);
    listed.into_iter().flat_map(|keys| keys.split(',')).map(str::trim)
}
