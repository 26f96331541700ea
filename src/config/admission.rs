//! The provider that says whether readers may borrow without a deposit: where it is asked, and how both sides know each other.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::delivery::is_safe_url;
use super::{ConfigError, bad, empty_is_none, within};

const SECRET_BYTES: usize = 32;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdmissionConfig {
    /// The name by which the rules speak of it.
    #[serde(deserialize_with = "empty_is_none")]
    pub provider: Option<String>,
    #[serde(deserialize_with = "empty_is_none")]
    pub provider_url: Option<String>,
    /// Signs what it is asked.
    #[serde(deserialize_with = "empty_is_none")]
    pub secret: Option<SecretString>,
    /// Signs what it reports.
    #[serde(deserialize_with = "empty_is_none")]
    pub report_secret: Option<SecretString>,
    pub timeout_ms: u64,
}

impl AdmissionConfig {
    /// # Errors
    /// A URL that is none, a secret that is short or missing, a time out of range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !self.provider_url.as_deref().is_none_or(is_safe_url) {
            return bad(
                "admission.provider_url",
                "expected https://HOST, with or without a path; http:// only to this machine, because names go there",
            );
        }
        let long = |secret: &SecretString| secret.expose_secret().len() >= SECRET_BYTES;
        for (key, secret) in [
            ("admission.secret", &self.secret),
            ("admission.report_secret", &self.report_secret),
        ] {
            if !secret.as_ref().is_none_or(long) {
                return bad(key, "expected at least 32 bytes");
            }
        }
        if self.provider_url.is_some() && (self.provider.is_none() || self.secret.is_none()) {
            return bad(
                "admission.provider_url",
                "needs admission.provider, its name in the rules, and admission.secret",
            );
        }
        within("admission.timeout_ms", self.timeout_ms, 100..=60_000)
    }
}
