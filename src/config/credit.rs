//! Systems that report volunteer work and events: how their reports are known to be their own.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{ConfigError, bad, empty_is_none};

const SECRET_BYTES: usize = 32;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditConfig {
    #[serde(deserialize_with = "empty_is_none")]
    pub report_secret: Option<SecretString>,
}

impl CreditConfig {
    /// # Errors
    /// A secret that is short.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let long = |secret: &SecretString| secret.expose_secret().len() >= SECRET_BYTES;
        if !self.report_secret.as_ref().is_none_or(long) {
            return bad("credit.report_secret", "expected at least 32 bytes");
        }
        Ok(())
    }
}
