//! What is derived rather than kept: one-time codes, the secrets of webhooks, the marks of mail that may come back.
//!
//! The key comes from the one that request digests are made with: it outlives a rotation, and all nodes share it.

use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::TokenService;

/// Digits of a one-time code.
const CODE_DIGITS: usize = 6;

/// Derives them.
#[derive(Clone)]
pub struct DerivedSecrets(Arc<TokenService>);

impl std::fmt::Debug for DerivedSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DerivedSecrets")
    }
}

impl DerivedSecrets {
    pub fn new(tokens: Arc<TokenService>) -> Self {
        Self(tokens)
    }

    /// The code with this number: six digits that nobody without the key can tell.
    pub fn code(&self, id: i64) -> String {
        let digest = self.0.digest(&[b"one-time code", &id.to_be_bytes()]);
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        format!("{:0CODE_DIGITS$}", u64::from_be_bytes(first) % 1_000_000)
    }

    /// Whether a code is the one with this number.
    pub fn is_code(&self, id: i64, given: &str) -> bool {
        self.code(id).as_bytes().ct_eq(given.as_bytes()).into()
    }

    /// The secret of a webhook with this number.
    pub fn webhook_secret(&self, webhook: i64, number: i64) -> String {
        let parts = [webhook.to_be_bytes(), number.to_be_bytes()];
        let digest = self.0.digest(&[b"webhook secret", &parts[0], &parts[1]]);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("whsec_{hex}")
    }

    /// The mark in the envelope of a notice, by which what comes back is known to be ours.
    pub fn bounce_mark(&self, sending: i64) -> String {
        let digest = self.0.digest(&[b"bounce mark", &sending.to_be_bytes()]);
        digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether a mark is the one of this sending.
    pub fn is_bounce_mark(&self, sending: i64, given: &str) -> bool {
        self.bounce_mark(sending).as_bytes().ct_eq(given.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auth::{KeyRing, SigningKey};

    fn of(key: &[u8]) -> DerivedSecrets {
        let ring = KeyRing::of(SigningKey::from_bytes(key));
        DerivedSecrets::new(Arc::new(TokenService::with_ring(&ring, Duration::from_secs(60))))
    }

    #[test]
    fn codes_and_secrets_are_the_same_on_every_node_and_differ_by_number() {
        let (one, other) = (of(&[1; 32]), of(&[1; 32]));
        assert_eq!(one.code(5), other.code(5));
        assert!(one.code(5).len() == CODE_DIGITS && one.is_code(5, &one.code(5)));
        assert!(!one.is_code(5, "") && !one.is_code(6, &one.code(5)));
        assert_ne!(one.webhook_secret(1, 1), one.webhook_secret(1, 2));
        assert_ne!(one.webhook_secret(1, 2), one.webhook_secret(2, 1));
        assert_ne!(one.bounce_mark(1), of(&[2; 32]).bounce_mark(1));
    }
}
