//! Tokens that bind what staff said to refusals to the very case they were told of: verb, caller, unit, reader, item, and
//! the codes with their weights. Good for some minutes, by whichever node. Nothing is stored: the token carries the codes and
//! its end, and a keyed digest over them and the case.
//! Not for: deciding whether the codes suffice (see `usecase::consent`).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use subtle::ConstantTimeEq;

use super::TokenService;
use crate::clock::from_millis;

/// Makes and opens the tokens.
#[derive(Clone)]
pub struct ConsentSeal {
    tokens: Arc<TokenService>,
    life: TimeDelta,
}

/// What a genuine token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub codes: BTreeSet<String>,
    pub expires_at: DateTime<Utc>,
}

impl fmt::Debug for ConsentSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsentSeal")
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

impl ConsentSeal {
    /// With a key derived from the one request digests are made with: it outlives a rotation, and all nodes share it.
    #[must_use]
    pub const fn new(tokens: Arc<TokenService>, life: TimeDelta) -> Self {
        Self { tokens, life }
    }

    /// A token for these codes in this case, and its end.
    #[must_use]
    pub fn give(&self, about: &str, codes: &BTreeSet<String>, now: DateTime<Utc>) -> (String, DateTime<Utc>) {
        let expires_at = now + self.life;
        let listed: Vec<&str> = codes.iter().map(String::as_str).collect();
        let said = format!("{} {}", expires_at.timestamp_millis(), listed.join(","));
        let seal = self.seal(about, &said);
        let token = format!("{}.{}", URL_SAFE_NO_PAD.encode(&said), URL_SAFE_NO_PAD.encode(seal));
        (token, expires_at)
    }

    /// What a token says, if it was given for this case. One for another case looks like a forged one.
    #[must_use]
    pub fn open(&self, about: &str, token: &str) -> Option<Sealed> {
        let (said, seal) = token.split_once('.')?;
        let said = String::from_utf8(URL_SAFE_NO_PAD.decode(said).ok()?).ok()?;
        let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
        if !bool::from(self.seal(about, &said).ct_eq(seal.as_slice())) {
            return None;
        }
        let (expires_at, codes) = said.split_once(' ')?;
        Some(Sealed {
            codes: codes.split(',').map(str::to_owned).collect(),
            expires_at: from_millis(expires_at.parse().ok()?),
        })
    }

    fn seal(&self, about: &str, said: &str) -> [u8; 32] {
        self.tokens.digest(&[b"consent", about.as_bytes(), said.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auth::{KeyRing, SigningKey};

    fn seal(key: &[u8]) -> ConsentSeal {
        let ring = KeyRing::of(SigningKey::from_bytes(key));
        let tokens = Arc::new(TokenService::with_ring(&ring, Duration::from_secs(900)));
        ConsentSeal::new(tokens, TimeDelta::minutes(5))
    }

    #[test]
    fn a_token_opens_for_its_own_case_only() {
        let (ours, now) = (seal(b"ours"), DateTime::UNIX_EPOCH);
        let codes = BTreeSet::from(["item_alert:override".to_owned(), "count_parts:confirm".to_owned()]);
        let (token, expires_at) = ours.give("a case", &codes, now);
        assert_eq!(expires_at, now + TimeDelta::minutes(5));
        assert_eq!(ours.open("a case", &token), Some(Sealed { codes, expires_at }));
        assert_eq!(ours.open("another case", &token), None);
        assert_eq!(seal(b"theirs").open("a case", &token), None);
        let (_, of_other) = token.split_once('.').expect("two parts");
        let later = URL_SAFE_NO_PAD.encode("9999999999999 item_alert:override");
        for forged in [
            format!("{later}.{of_other}"),
            "x".to_owned(),
            ".".to_owned(),
            String::new(),
        ] {
            assert_eq!(ours.open("a case", &forged), None, "{forged}");
        }
    }
}
