//! Addresses of readers, sealed: a dump of the database does not tell where anybody is reached. And the codes and secrets that are
//! derived rather than kept: one-time codes, the secrets of webhooks.
//!
//! The key comes from the one that request digests are made with: it outlives a rotation, and all nodes share it.

use std::sync::Arc;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use subtle::ConstantTimeEq;

use super::TokenService;

/// Digits of a one-time code.
const CODE_DIGITS: usize = 6;

/// Seals, opens and derives.
#[derive(Clone)]
pub struct ContactSeal(Arc<TokenService>);

impl std::fmt::Debug for ContactSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContactSeal")
    }
}

/// What is sealed cannot be read: it was changed, belongs to another row, or the key is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address could not be sealed or opened")]
pub struct SealError;

impl ContactSeal {
    pub fn new(tokens: Arc<TokenService>) -> Self {
        Self(tokens)
    }

    /// Seals the address of one reader for one channel and nothing else.
    ///
    /// # Errors
    /// [`SealError`] when the machine gives no random numbers.
    pub fn seal(&self, reader: i64, channel: &str, address: &str) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| SealError)?;
        let mut sealed = address.as_bytes().to_vec();
        let about = about(reader, channel);
        self.key()?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(about), &mut sealed)
            .map_err(|_| SealError)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Reads it again.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, reader: i64, channel: &str, sealed: &[u8]) -> Result<String, SealError> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        let mut text = rest.to_vec();
        let about = about(reader, channel);
        let key = self.key()?;
        let opened = key
            .open_in_place(nonce, Aad::from(about), &mut text)
            .map_err(|_| SealError)?;
        String::from_utf8(opened.to_vec()).map_err(|_| SealError)
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

    fn key(&self) -> Result<LessSafeKey, SealError> {
        let key = self.0.digest(&[b"contact seal"]);
        let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| SealError)?;
        Ok(LessSafeKey::new(key))
    }
}

fn about(reader: i64, channel: &str) -> Vec<u8> {
    [&reader.to_be_bytes()[..], channel.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auth::{KeyRing, SigningKey};

    fn seal(key: &[u8]) -> ContactSeal {
        let ring = KeyRing::of(SigningKey::from_bytes(key));
        ContactSeal::new(Arc::new(TokenService::with_ring(&ring, Duration::from_secs(60))))
    }

    #[test]
    fn an_address_is_read_for_its_own_row_and_key_only() {
        let ours = seal(&[1; 32]);
        let sealed = ours.seal(7, "mail", "li@example.org").expect("sealed");
        assert!(!sealed.windows(2).any(|pair| pair == b"li"));
        assert_ne!(
            sealed,
            ours.seal(7, "mail", "li@example.org").expect("sealed"),
            "the same twice looks different"
        );
        assert_eq!(ours.open(7, "mail", &sealed).as_deref(), Ok("li@example.org"));
        assert_eq!(ours.open(8, "mail", &sealed), Err(SealError));
        assert_eq!(ours.open(7, "sms", &sealed), Err(SealError));
        assert_eq!(seal(&[2; 32]).open(7, "mail", &sealed), Err(SealError));
        assert_eq!(ours.open(7, "mail", &sealed[..5]), Err(SealError));
        let mut changed = sealed;
        *changed.last_mut().expect("bytes") ^= 1;
        assert_eq!(ours.open(7, "mail", &changed), Err(SealError));
    }

    #[test]
    fn codes_and_secrets_are_the_same_on_every_node_and_differ_by_number() {
        let (one, other) = (seal(&[1; 32]), seal(&[1; 32]));
        assert_eq!(one.code(5), other.code(5));
        assert!(one.code(5).len() == CODE_DIGITS && one.is_code(5, &one.code(5)));
        assert!(!one.is_code(5, "") && !one.is_code(6, &one.code(5)));
        assert_ne!(one.webhook_secret(1, 1), one.webhook_secret(1, 2));
        assert_ne!(one.webhook_secret(1, 2), one.webhook_secret(2, 1));
        assert_ne!(one.bounce_mark(1), seal(&[2; 32]).bounce_mark(1));
    }
}
