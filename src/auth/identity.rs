//! What identifies a person, kept so that it is found and read again but never stands anywhere in clear: a keyed hash to find it
//! by, a sealed text to read it from. Both keys come from one master key outside the database.
//!
//! Not here: where master keys come from ([`super::identity_ring`]), what is a good ID number (`domain::resident_id`), and the rows.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

/// Bytes of the digest that a key's id shows.
const ID_BYTES: usize = 8;

/// A master key, and from when it seals.
#[derive(Clone)]
pub struct IdentityKey {
    master: SecretSlice<u8>,
    /// Before this moment other servers may not know it yet.
    pub since: DateTime<Utc>,
}

impl IdentityKey {
    pub fn new(master: &[u8], since: DateTime<Utc>) -> Self {
        Self {
            master: master.to_vec().into(),
            since,
        }
    }

    /// Names the key in rows; says nothing about it.
    pub fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.derived(b"key id")[..ID_BYTES])
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.master.expose_secret()
    }

    /// A key of its own for each purpose.
    fn derived(&self, purpose: &[u8]) -> [u8; 32] {
        mac(self.expose(), &[purpose])
    }

    fn cipher(&self) -> Result<LessSafeKey, IdentityError> {
        let key = UnboundKey::new(&AES_256_GCM, &self.derived(b"seal")).map_err(|_| IdentityError::Cipher)?;
        Ok(LessSafeKey::new(key))
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityKey({})", self.id())
    }
}

/// Each part with its length, so that no two lists of parts look the same.
fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Why nothing could be sealed or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("there is no key for what identifies readers")]
    NoKey,
    #[error("it is sealed under a key that is not there: restore identity.key")]
    UnknownKey,
    #[error("what is sealed was changed, or belongs to another row")]
    Changed,
    #[error("the cipher failed")]
    Cipher,
}

/// What a row keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub key_id: String,
    pub look_up: String,
    pub sealed: Vec<u8>,
}

/// A keyed hash, and the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookUp {
    pub key_id: String,
    pub digest: String,
}

/// The keys of a node, in the order in which they come into force. Shared by everything that seals or looks up.
#[derive(Debug, Clone, Default)]
pub struct Identities(Arc<RwLock<Vec<IdentityKey>>>);

impl Identities {
    pub fn of(keys: Vec<IdentityKey>) -> Self {
        Self(Arc::new(RwLock::new(keys)))
    }

    /// Takes other keys over, for everybody who shares these.
    pub fn replace(&self, keys: Vec<IdentityKey>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    fn with<T>(&self, look: impl FnOnce(&[IdentityKey]) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key that seals now: the last one that is in force.
    ///
    /// # Errors
    /// `NoKey`.
    pub fn current(&self, now: DateTime<Utc>) -> Result<IdentityKey, IdentityError> {
        self.with(|keys| in_force(keys, now).cloned().ok_or(IdentityError::NoKey))
    }

    /// What a text of this kind is found under, by each key.
    pub fn look_ups(&self, kind: &str, text: &str) -> Vec<LookUp> {
        self.with(|keys| keys.iter().map(|key| look_up(key, kind, text)).collect())
    }

    /// What a text is found under once it is sealed now.
    ///
    /// # Errors
    /// `NoKey`.
    pub fn look_up_now(&self, kind: &str, text: &str, now: DateTime<Utc>) -> Result<LookUp, IdentityError> {
        Ok(look_up(&self.current(now)?, kind, text))
    }

    /// Seals a text for one row and nothing else.
    ///
    /// # Errors
    /// `NoKey`; `Cipher` when the machine gives no random numbers.
    pub fn seal(&self, kind: &str, row: i64, text: &str, now: DateTime<Utc>) -> Result<Sealed, IdentityError> {
        let key = self.current(now)?;
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| IdentityError::Cipher)?;
        let mut sealed = text.as_bytes().to_vec();
        key.cipher()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound(kind, row)),
                &mut sealed,
            )
            .map_err(|_| IdentityError::Cipher)?;
        let LookUp { key_id, digest } = look_up(&key, kind, text);
        Ok(Sealed {
            key_id,
            look_up: digest,
            sealed: [nonce.as_slice(), &sealed].concat(),
        })
    }

    /// Reads a row's text.
    ///
    /// # Errors
    /// `UnknownKey`; `Changed` for anything but what was sealed for this row.
    pub fn open(&self, kind: &str, row: i64, key_id: &str, sealed: &[u8]) -> Result<String, IdentityError> {
        let key = self.with(|keys| keys.iter().find(|key| key.id() == key_id).cloned());
        let key = key.ok_or(IdentityError::UnknownKey)?;
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(IdentityError::Changed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| IdentityError::Changed)?;
        let mut text = text.to_vec();
        let opened = key
            .cipher()?
            .open_in_place(nonce, Aad::from(bound(kind, row)), &mut text);
        let opened = opened.map_err(|_| IdentityError::Changed)?;
        String::from_utf8(opened.to_vec()).map_err(|_| IdentityError::Changed)
    }
}

/// The last key whose time has come; before all of them, the first.
pub(super) fn in_force(keys: &[IdentityKey], now: DateTime<Utc>) -> Option<&IdentityKey> {
    keys.iter().rev().find(|key| key.since <= now).or(keys.first())
}

fn look_up(key: &IdentityKey, kind: &str, text: &str) -> LookUp {
    LookUp {
        key_id: key.id(),
        digest: URL_SAFE_NO_PAD.encode(mac(&key.derived(b"look-up"), &[kind.as_bytes(), text.as_bytes()])),
    }
}

/// What a sealed text belongs to.
fn bound(kind: &str, row: i64) -> Vec<u8> {
    [kind.as_bytes(), b":", &row.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: &str = "11010519491231002X";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    fn key(byte: u8, since: i64) -> IdentityKey {
        IdentityKey::new(&[byte; 32], at(since))
    }

    #[test]
    fn what_is_sealed_is_read_again_for_its_row_only() {
        let keys = Identities::of(vec![key(1, 0)]);
        let sealed = keys.seal("resident_id", 7, NUMBER, at(9)).expect("sealed");
        let open = |kind, row, text: &[u8]| keys.open(kind, row, &sealed.key_id, text);
        assert_eq!(open("resident_id", 7, &sealed.sealed).as_deref(), Ok(NUMBER));
        assert_eq!(open("resident_id", 8, &sealed.sealed), Err(IdentityError::Changed));
        assert_eq!(open("phone", 7, &sealed.sealed), Err(IdentityError::Changed));
        assert_eq!(
            open("resident_id", 7, &sealed.sealed[..20]),
            Err(IdentityError::Changed)
        );
        assert_eq!(open("resident_id", 7, b"short"), Err(IdentityError::Changed));
        let again = keys.seal("resident_id", 7, NUMBER, at(9)).expect("sealed");
        assert_ne!(again.sealed, sealed.sealed, "nothing is told by two sealed texts");
        assert_eq!(again.look_up, sealed.look_up, "and yet it is found");
        let windows = sealed.sealed.windows(6);
        assert!(
            !windows
                .into_iter()
                .any(|part| NUMBER.as_bytes().windows(6).any(|six| six == part))
        );
    }

    #[test]
    fn a_key_seals_once_it_is_in_force_and_old_ones_still_find_and_read() {
        let keys = Identities::of(vec![key(1, 0)]);
        let first = keys.seal("resident_id", 7, NUMBER, at(9)).expect("sealed");
        keys.replace(vec![key(1, 0), key(2, 100)]);
        assert_eq!(keys.current(at(99)).expect("a key").id(), key(1, 0).id());
        assert_eq!(keys.current(at(100)).expect("a key").id(), key(2, 0).id());
        let found = keys.look_ups("resident_id", NUMBER);
        assert_eq!(found.len(), 2);
        assert!(found.iter().any(|one| one.digest == first.look_up));
        assert_eq!(
            keys.open("resident_id", 7, &first.key_id, &first.sealed).as_deref(),
            Ok(NUMBER)
        );
        keys.replace(vec![key(2, 100)]);
        let gone = keys.open("resident_id", 7, &first.key_id, &first.sealed);
        assert_eq!(gone, Err(IdentityError::UnknownKey));
        assert_eq!(
            Identities::default().seal("x", 1, "y", at(0)),
            Err(IdentityError::NoKey)
        );
    }

    #[test]
    fn kinds_and_keys_have_hashes_of_their_own_and_debug_shows_no_key() {
        let keys = Identities::of(vec![key(1, 0), key(2, 1)]);
        let [a, b] = ["id_card", "social_security"].map(|kind| keys.look_ups(kind, NUMBER));
        assert_ne!(a[0].digest, b[0].digest);
        assert_ne!(a[0].digest, a[1].digest);
        assert!(!format!("{keys:?}").contains("[1, 1"), "{keys:?}");
    }
}
