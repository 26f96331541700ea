//! Webhooks: which places they may reach beside public ones.

use serde::Deserialize;

use super::AddressRanges;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhooksConfig {
    pub allow_private: AddressRanges,
}
