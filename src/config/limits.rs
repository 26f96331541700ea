//! What clients are held to, and who may look at the metrics. One range per key: the check and docs/LIMITS.md read the same.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use serde::Deserialize;

use super::{ConfigError, DatabaseConfig, HttpConfig, bad, empty_is_none, within};

pub(crate) const MAX_BODY_BYTES: RangeInclusive<usize> = 1024..=64 * 1024 * 1024;
pub(crate) const REQUEST_TIMEOUT_MS: RangeInclusive<u64> = 100..=600_000;
pub(crate) const QUEUE_LIMIT: RangeInclusive<usize> = 1..=100_000;
pub(crate) const HASH_QUEUE: RangeInclusive<usize> = 1..=10_000;
pub(crate) const CONNECTIONS: RangeInclusive<usize> = 16..=100_000;
pub(crate) const HEADER_BYTES: RangeInclusive<usize> = 1024..=65_536;
pub(crate) const KEEP_ALIVE_MS: RangeInclusive<u64> = 1_000..=600_000;
/// The server's clock for these two may be half a second behind: a shorter limit would turn away whoever comes in time.
pub(crate) const HEAD_TIMEOUT_MS: RangeInclusive<u64> = 1_000..=120_000;
pub(crate) const DISCONNECT_TIMEOUT_MS: RangeInclusive<u64> = 1_000..=60_000;
pub(crate) const BATCH_BODY_BYTES: RangeInclusive<usize> = 1024..=64 * 1024 * 1024;
pub(crate) const BATCHES: RangeInclusive<usize> = 1..=64;
pub(crate) const BUSY_TIMEOUT_MS: RangeInclusive<u64> = 1..=60_000;
pub(crate) const CONNECT_TIMEOUT_MS: RangeInclusive<u64> = 100..=60_000;
pub(crate) const LOCK_TIMEOUT_MS: RangeInclusive<u64> = 10..=60_000;
pub(crate) const MAX_SIZE_MIB: RangeInclusive<u32> = 0..=1024 * 1024;
pub(crate) const BURST: RangeInclusive<u32> = 0..=1_000_000;
pub(crate) const READ_TIMEOUT_MS: RangeInclusive<u64> = 100..=600_000;
pub(crate) const FREE_DISK_MIB: RangeInclusive<u64> = 0..=1_048_576;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    pub connections: usize,
    pub header_bytes: usize,
    pub keep_alive_ms: u64,
    pub head_timeout_ms: u64,
    pub disconnect_timeout_ms: u64,
    pub free_disk_mib: u64,
    pub batch_body_bytes: usize,
    pub batches: usize,
}

impl LimitsConfig {
    /// # Errors
    /// The first value out of its range, or that cannot stand beside another.
    pub(super) fn check(&self, http: &HttpConfig) -> Result<(), ConfigError> {
        within("limits.connections", self.connections, CONNECTIONS)?;
        within("limits.header_bytes", self.header_bytes, HEADER_BYTES)?;
        within("limits.keep_alive_ms", self.keep_alive_ms, KEEP_ALIVE_MS)?;
        within("limits.head_timeout_ms", self.head_timeout_ms, HEAD_TIMEOUT_MS)?;
        within(
            "limits.disconnect_timeout_ms",
            self.disconnect_timeout_ms,
            DISCONNECT_TIMEOUT_MS,
        )?;
        within("limits.free_disk_mib", self.free_disk_mib, FREE_DISK_MIB)?;
        within("limits.batch_body_bytes", self.batch_body_bytes, BATCH_BODY_BYTES)?;
        within("limits.batches", self.batches, BATCHES)?;
        if self.connections < http.workers {
            return bad("limits.connections", "fewer than http.workers");
        }
        Ok(())
    }
}

impl DatabaseConfig {
    /// # Errors
    /// The first value out of its range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("database.pool_size", self.pool_size, 1..=512)?;
        within("database.write_workers", self.write_workers, 1..=256)?;
        within("database.read_pool_size", self.read_pool_size, 1..=64)?;
        within("database.gate_connections", self.gate_connections, 1..=64)?;
        within("database.busy_timeout_ms", self.busy_timeout_ms, BUSY_TIMEOUT_MS)?;
        let (connect, lock, read) = (self.connect_timeout_ms, self.lock_timeout_ms, self.read_timeout_ms);
        within("database.connect_timeout_ms", connect, CONNECT_TIMEOUT_MS)?;
        within("database.lock_timeout_ms", lock, LOCK_TIMEOUT_MS)?;
        within("database.read_timeout_ms", read, READ_TIMEOUT_MS)?;
        within("database.max_size_mib", self.max_size_mib, MAX_SIZE_MIB)?;
        within("database.queue_limit", self.queue_limit, QUEUE_LIMIT)?;
        within("database.group_limit", self.group_limit, 1..=4096)?;
        Ok(())
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsConfig {
    /// An address of their own; none: on `http.bind`, for `allow` only.
    #[serde(deserialize_with = "empty_is_none")]
    pub bind: Option<SocketAddr>,
    /// As written; [`MetricsConfig::allowed`] reads it.
    pub allow: String,
}

impl MetricsConfig {
    /// # Errors
    /// An address that is none, or one that is taken.
    pub(super) fn check(&self, http: &HttpConfig) -> Result<(), ConfigError> {
        if let Some(word) = self.words().find(|word| word.parse::<IpAddr>().is_err()) {
            return bad("metrics.allow", format!("`{word}` is not an IP address"));
        }
        match self.bind {
            Some(bind) if bind == http.bind && bind.port() != 0 => {
                bad("metrics.bind", "the same address as http.bind; leave it empty for that")
            }
            _ => Ok(()),
        }
    }

    /// Whether the metrics may be read from there.
    pub fn allowed(&self, from: IpAddr) -> bool {
        self.words()
            .filter_map(|word| word.parse::<IpAddr>().ok())
            .any(|known| known == from.to_canonical())
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.allow.split(',').map(str::trim).filter(|word| !word.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn refused(name: &str, value: &str) -> String {
        let env = [(name.to_owned(), value.to_owned())];
        Config::from_layers(None, env).expect_err(value).to_string()
    }

    #[test]
    fn a_limit_out_of_range_is_refused_by_name() {
        for (name, value, key) in [
            ("TONGJIE__LIMITS__CONNECTIONS", "15", "limits.connections"),
            ("TONGJIE__LIMITS__HEADER_BYTES", "131072", "limits.header_bytes"),
            ("TONGJIE__LIMITS__KEEP_ALIVE_MS", "0", "limits.keep_alive_ms"),
            ("TONGJIE__LIMITS__HEAD_TIMEOUT_MS", "0", "limits.head_timeout_ms"),
            (
                "TONGJIE__LIMITS__DISCONNECT_TIMEOUT_MS",
                "0",
                "limits.disconnect_timeout_ms",
            ),
            ("TONGJIE__LIMITS__FREE_DISK_MIB", "-1", "limits.free_disk_mib"),
            ("TONGJIE__LIMITS__BATCH_BODY_BYTES", "1", "limits.batch_body_bytes"),
            ("TONGJIE__LIMITS__BATCHES", "0", "limits.batches"),
            ("TONGJIE__METRICS__BIND", "9464", "metrics.bind"),
            ("TONGJIE__METRICS__BIND", "127.0.0.1:8080", "metrics.bind"),
            ("TONGJIE__METRICS__ALLOW", "127.0.0.1, prometheus", "metrics.allow"),
        ] {
            let error = refused(name, value);
            assert!(error.contains(key), "{name}={value}: {error}");
        }
    }

    #[test]
    fn only_named_addresses_may_read_the_metrics() {
        let metrics = MetricsConfig {
            bind: None,
            allow: "127.0.0.1, ::1,10.0.0.7".to_owned(),
        };
        for (from, expected) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:10.0.0.7", true),
            ("10.0.0.8", false),
        ] {
            assert_eq!(metrics.allowed(from.parse().expect("an address")), expected, "{from}");
        }
    }
}
