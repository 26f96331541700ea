//! The carrier of parcels: where it is booked, and how its reports are known to be its own.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{ConfigError, bad, empty_is_none, within};

const SECRET_BYTES: usize = 32;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryConfig {
    #[serde(deserialize_with = "empty_is_none")]
    pub carrier_url: Option<String>,
    #[serde(deserialize_with = "empty_is_none")]
    pub carrier_token: Option<SecretString>,
    #[serde(deserialize_with = "empty_is_none")]
    pub report_secret: Option<SecretString>,
    pub timeout_ms: u64,
    /// Without news for so many days, a parcel is alarmed.
    pub silent_days: u32,
}

impl DeliveryConfig {
    /// # Errors
    /// A URL that is none, a secret that is short, a time out of range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !self.carrier_url.as_deref().is_none_or(is_safe_url) {
            return bad(
                "delivery.carrier_url",
                "expected https://HOST, with or without a path; http:// only to this machine (127.0.0.1, [::1], localhost), because \
                 addresses and the token go there",
            );
        }
        let long = |secret: &SecretString| secret.expose_secret().len() >= SECRET_BYTES;
        if !self.report_secret.as_ref().is_none_or(long) {
            return bad("delivery.report_secret", "expected at least 32 bytes");
        }
        within("delivery.silent_days", self.silent_days, 1..=365)?;
        within("delivery.timeout_ms", self.timeout_ms, 100..=60_000)
    }
}

/// Encrypted, or to this machine.
pub(crate) fn is_safe_url(url: &str) -> bool {
    let is_written = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic());
    if let Some(rest) = url.strip_prefix("https://") {
        return is_written(rest);
    }
    let Some(rest) = url.strip_prefix("http://").filter(|rest| is_written(rest)) else {
        return false;
    };
    // Whoever stands before an @ is a user, not a host.
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map_or("", |(host, _)| host),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let address = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    !authority.contains('@') && (address || host.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use super::is_safe_url;

    #[test]
    fn addresses_go_in_the_clear_to_this_machine_only() {
        for url in [
            "https://carrier.example/api",
            "http://127.0.0.1:9",
            "http://[::1]:8080/x",
            "http://localhost:7100",
        ] {
            assert!(is_safe_url(url), "{url}");
        }
        for url in [
            "http://carrier.example",
            "http://10.0.0.5:80",
            "http://localhost.example",
            "http://127.0.0.1@carrier.example/",
            "http://127.0.0.1:9@carrier.example/",
            "http://",
            "https://",
            "ftp://localhost",
            "https://a b",
        ] {
            assert!(!is_safe_url(url), "{url}");
        }
    }
}
