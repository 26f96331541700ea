//! Signatures of offline journals (Ed25519): a device signs with a key it made itself; the network keeps the public half, so
//! nobody who reads the database can make an entry.
//!
//! Not here: which key an entry must have, and what becomes of one that is not genuine ([`crate::domain::journal`]).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

/// The first line of what is signed for an entry: never of anything else.
const ENTRY: &str = "tongjie-journal-1";

/// The first line of what proves a new key.
const NEW_KEY: &str = "tongjie-key-1";

/// Of the hash of a public key: enough to tell the few keys of one device apart.
const ID_BYTES: usize = 6;

/// The public half of the key of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalKey(VerifyingKey);

/// One entry, as it was signed.
#[derive(Debug, Clone, Copy)]
pub struct SignedEntry<'a> {
    pub device_code: &'a str,
    pub journal: u64,
    pub sequence: u64,
    /// The text as it was sent, not what it says.
    pub body: &'a str,
}

/// The announcement of a new key, as the key before signs it.
#[derive(Debug, Clone, Copy)]
pub struct NewKey<'a> {
    pub device_code: &'a str,
    pub journal: u64,
    pub first_sequence: u64,
    pub key: &'a JournalKey,
}

impl JournalKey {
    /// Reads 32 bytes; `None` for what is no key, or one under which anything would be genuine.
    pub fn of(public: &[u8]) -> Option<Self> {
        let bytes: &[u8; 32] = public.try_into().ok()?;
        let key = VerifyingKey::from_bytes(bytes).ok()?;
        (!key.is_weak()).then_some(Self(key))
    }

    /// Reads what a device sends: 32 bytes in base64url without padding.
    pub fn read(text: &str) -> Option<Self> {
        Self::of(&URL_SAFE_NO_PAD.decode(text).ok()?)
    }

    /// As it is stored.
    pub fn bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// What an entry names it by: made of the key, so that device and network agree on it.
    pub fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(&Sha256::digest(self.bytes())[..ID_BYTES])
    }

    /// Whether a signature (64 bytes in base64url without padding) is of this entry, by this key.
    ///
    /// ```
    /// use tongjie::auth::journal_signature::{JournalKey, SignedEntry};
    /// let key = JournalKey::read("6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw").expect("a key");
    /// let body = r#"{"kind":"check_in","at":"2026-11-22T10:04:05.120Z","item":{"tag":"E004010012345678"}}"#;
    /// let entry = SignedEntry { device_code: "JC-L1", journal: 1, sequence: 4711, body };
    /// let signature = "iMeFBvKM4LVZn6aeZmAzcA70uzsQUyIUWIAaxN0JHifsYWimtV-OnQfMTjrkvV9uXB0-T_XL8aHBOt5pWLEgCA";
    /// assert!(key.signed(&entry, signature));
    /// assert!(!key.signed(&SignedEntry { sequence: 4712, ..entry }, signature));
    /// ```
    pub fn signed(&self, entry: &SignedEntry<'_>, signature: &str) -> bool {
        self.is_genuine(&entry.text(), signature)
    }

    /// Whether a signature announces this new key, by this one.
    pub fn announces(&self, new: &NewKey<'_>, signature: &str) -> bool {
        self.is_genuine(&new.text(), signature)
    }

    fn is_genuine(&self, text: &str, signature: &str) -> bool {
        let bytes = URL_SAFE_NO_PAD.decode(signature).ok();
        let signature = bytes.and_then(|bytes| Signature::from_slice(&bytes).ok());
        // Strictly: of one content there is one signature, so an entry cannot be sent again under another.
        signature.is_some_and(|signature| self.0.verify_strict(text.as_bytes(), &signature).is_ok())
    }
}

impl SignedEntry<'_> {
    /// What is signed: the body comes last, for only it may hold further lines.
    fn text(&self) -> String {
        let Self {
            device_code,
            journal,
            sequence,
            body,
        } = self;
        format!("{ENTRY}\n{device_code}\n{journal}\n{sequence}\n{body}")
    }
}

impl NewKey<'_> {
    fn text(&self) -> String {
        let (code, journal, first) = (self.device_code, self.journal, self.first_sequence);
        let key = URL_SAFE_NO_PAD.encode(self.key.bytes());
        format!("{NEW_KEY}\n{code}\n{journal}\n{first}\n{key}")
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    fn signing(byte: u8) -> (SigningKey, JournalKey) {
        let key = SigningKey::from_bytes(&[byte; 32]);
        let public = JournalKey::of(key.verifying_key().as_bytes()).expect("a key");
        (key, public)
    }

    fn signature(key: &SigningKey, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()).to_bytes())
    }

    const ENTRY_1: SignedEntry<'static> = SignedEntry {
        device_code: "JC-L1",
        journal: 1,
        sequence: 1,
        body: "{\"kind\":\n\"check_in\"}",
    };

    #[test]
    fn a_signature_is_of_one_device_one_number_and_one_body() {
        let (key, public) = signing(1);
        let made = signature(&key, &ENTRY_1.text());
        assert!(public.signed(&ENTRY_1, &made));
        for other in [
            SignedEntry {
                device_code: "JC-L2",
                ..ENTRY_1
            },
            SignedEntry { journal: 2, ..ENTRY_1 },
            SignedEntry {
                sequence: 11,
                ..ENTRY_1
            },
            SignedEntry {
                body: "{\"kind\":\n\"check_in\"} ",
                ..ENTRY_1
            },
        ] {
            assert!(!public.signed(&other, &made), "{other:?}");
        }
        assert!(!signing(2).1.signed(&ENTRY_1, &made), "another key");
    }

    #[test]
    fn what_is_no_signature_is_not_genuine() {
        let (_, public) = signing(1);
        for text in [
            "",
            "A",
            "not base64!",
            &"A".repeat(85),
            &"A".repeat(86),
            &"A".repeat(5_000),
        ] {
            assert!(!public.signed(&ENTRY_1, text), "{text:.20}");
        }
    }

    #[test]
    fn a_key_is_announced_by_the_one_before_and_its_signatures_announce_no_entry() {
        let (old, old_public) = signing(1);
        let (_, new_public) = signing(2);
        let new = NewKey {
            device_code: "JC-L1",
            journal: 1,
            first_sequence: 100,
            key: &new_public,
        };
        let proof = signature(&old, &new.text());
        assert!(old_public.announces(&new, &proof));
        assert!(!old_public.announces(
            &NewKey {
                first_sequence: 1,
                ..new
            },
            &proof
        ));
        assert!(!new_public.announces(&new, &proof));
        let entry = SignedEntry {
            device_code: "JC-L1",
            journal: 1,
            sequence: 100,
            body: &URL_SAFE_NO_PAD.encode(new_public.bytes()),
        };
        assert!(!old_public.signed(&entry, &proof));
    }

    #[test]
    fn keys_are_read_back_and_weak_ones_are_none() {
        let (_, public) = signing(7);
        assert_eq!(JournalKey::of(&public.bytes()), Some(public.clone()));
        assert_eq!(
            JournalKey::read(&URL_SAFE_NO_PAD.encode(public.bytes())),
            Some(public.clone())
        );
        assert_eq!(public.id(), "_oEsEvOr");
        for length in [0, 31, 33] {
            assert_eq!(JournalKey::of(&vec![1; length]), None);
        }
        // The neutral element: a signature of zeros would be genuine for any text.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert_eq!(JournalKey::of(&neutral), None);
        assert_eq!(
            JournalKey::read("6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw="),
            None,
            "padded"
        );
    }
}
