//! The secret that signs access tokens, known in a token's header by its id.
//!
//! Not here: where keys come from and how they rotate ([`super::key_ring`]).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest, Sha256};

/// Bytes of the digest that an id shows.
const ID_BYTES: usize = 8;

#[derive(Debug, Clone)]
pub struct SigningKey(SecretSlice<u8>);

impl SigningKey {
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec().into())
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The `kid` of its tokens: says which key, and nothing about it.
    #[must_use]
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"key id");
        hash.update(self.expose());
        URL_SAFE_NO_PAD.encode(&hash.finalize()[..ID_BYTES])
    }
}
