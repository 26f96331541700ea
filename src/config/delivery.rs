//! The carrier of parcels: where it is booked, and how its reports are known to be its own.

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
        let is_url = |url: &String| {
            let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
            rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()))
        };
        if !self.carrier_url.as_ref().is_none_or(is_url) {
            return bad(
                "delivery.carrier_url",
                "expected http://HOST:PORT or https://HOST, or with a path",
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
