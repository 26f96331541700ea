//! Passwords that count once: those of an authenticator (TOTP, RFC 6238: SHA-1, six digits, thirty seconds), and recovery codes.
//! Secrets are derived from their numbers by the key that digests are made with: a dump of the database holds none of them.
//!
//! Not here: which step was used already. The store keeps that. Codes that are sent: [`super::derived_secrets`].

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::TokenService;
use super::tokens::hash_refresh;

/// Seconds of a time step.
const STEP_S: i64 = 30;
/// How many minutes a code that was sent to somebody counts.
pub const CODE_MINUTES: i64 = 10;
/// How often one may be tried.
pub const CODE_ATTEMPTS: i32 = 5;
/// Steps before and after the present one that are taken: clocks differ.
const DRIFT: i64 = 1;
/// Letters without those that look alike.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Letters of a recovery code: 60 bits.
const RECOVERY_LETTERS: usize = 12;
/// Recovery codes given at a time.
pub const RECOVERY_CODES: usize = 10;

/// The secret of an authenticator.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret([u8; 20]);

impl std::fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpSecret")
    }
}

impl TotpSecret {
    /// The secret with this number of a member of staff.
    #[must_use]
    pub fn derive(tokens: &TokenService, staff: i64, number: i64) -> Self {
        let digest = tokens.digest(&[b"totp secret", &staff.to_be_bytes(), &number.to_be_bytes()]);
        let mut secret = [0; 20];
        secret.copy_from_slice(&digest[..20]);
        Self(secret)
    }

    /// In the letters that authenticators read (RFC 4648, Base32).
    #[must_use]
    pub fn base32(&self) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut text = String::with_capacity(32);
        for five in self.0.chunks(5) {
            let bits = five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            for shift in (0..8).rev() {
                let letter = usize::try_from(bits >> (shift * 5) & 31).unwrap_or(0);
                text.push(char::from(ALPHABET[letter]));
            }
        }
        text
    }

    /// What a QR for authenticators says.
    #[must_use]
    pub fn uri(&self, account: &str) -> String {
        let safe = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        let account: String = account.chars().filter(|letter| safe(*letter)).collect();
        format!(
            "otpauth://totp/Tongjie:{account}?secret={}&issuer=Tongjie&algorithm=SHA1&digits=6&period=30",
            self.base32()
        )
    }

    /// The step a code belongs to: the present one or one beside it, and later than `after`, the last that was used.
    #[must_use]
    pub fn step_of(&self, code: &str, now: DateTime<Utc>, after: i64) -> Option<i64> {
        let present = now.timestamp().div_euclid(STEP_S);
        let steps = (present - DRIFT..=present + DRIFT).filter(|step| *step > after);
        // Every step is tried, however early one fits.
        steps.fold(None, |found, step| {
            let fits: bool = self.code(step, 6).as_bytes().ct_eq(code.as_bytes()).into();
            if fits { Some(step) } else { found }
        })
    }

    /// The code of a step.
    fn code(&self, step: i64, digits: usize) -> String {
        code_of(&self.0, step, digits)
    }

    /// The code of a moment, as an authenticator shows it.
    #[must_use]
    pub fn code_at(&self, now: DateTime<Utc>) -> String {
        self.code(now.timestamp().div_euclid(STEP_S), 6)
    }
}

/// RFC 4226 over the step.
fn code_of(secret: &[u8], step: i64, digits: usize) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else {
        // A key of any length is taken.
        return String::new();
    };
    mac.update(&step.to_be_bytes());
    let code = mac.finalize().into_bytes();
    let at = usize::from(code[19] & 15);
    let mut four = [0; 4];
    four.copy_from_slice(&code[at..at + 4]);
    let number = u64::from(u32::from_be_bytes(four) & 0x7fff_ffff);
    let modulus = 10_u64.pow(u32::try_from(digits).unwrap_or(6));
    format!("{:0digits$}", number % modulus)
}

/// New recovery codes, each with what is kept of it. The codes are told once.
///
/// # Panics
/// When the operating system has no randomness.
#[must_use]
pub fn new_recovery_codes() -> Vec<(String, [u8; 32])> {
    let one = || {
        let mut bytes = [0; RECOVERY_LETTERS];
        getrandom::fill(&mut bytes).expect("the operating system provides randomness");
        let code: String = bytes
            .iter()
            .map(|byte| char::from(LETTERS[usize::from(byte & 31)]))
            .collect();
        let hash = recovery_hash(&code);
        (code, hash)
    };
    (0..RECOVERY_CODES).map(|_| one()).collect()
}

/// What is kept of a recovery code. Hyphens, spaces and small letters are forgiven.
#[must_use]
pub fn recovery_hash(code: &str) -> [u8; 32] {
    let plain: String = code
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_uppercase())
        .collect();
    hash_refresh(&plain)
}

/// A number for a new secret.
///
/// # Panics
/// When the operating system has no randomness.
#[must_use]
pub fn new_number() -> i64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the operating system provides randomness");
    (u64::from_be_bytes(bytes) >> 11).cast_signed()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auth::SigningKey;

    const RFC: &[u8; 20] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, SHA-1, eight digits.
        for (second, expected) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(code_of(RFC, second / STEP_S, 8), expected, "{second}");
        }
    }

    #[test]
    fn secrets_are_written_as_rfc_4648_says() {
        assert_eq!(TotpSecret(*RFC).base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn a_step_is_taken_once_and_neighbours_are_forgiven() {
        let secret = TotpSecret(*RFC);
        let at = |second: i64| DateTime::from_timestamp(second, 0).expect("a moment");
        let now = at(1_111_111_111);
        let step = 1_111_111_111 / STEP_S;
        let code = secret.code_at(now);
        assert_eq!(secret.step_of(&code, now, 0), Some(step));
        assert_eq!(secret.step_of(&code, at(1_111_111_111 + 30), 0), Some(step));
        assert_eq!(secret.step_of(&code, at(1_111_111_111 - 30), 0), Some(step));
        assert_eq!(secret.step_of(&code, at(1_111_111_111 + 90), 0), None);
        assert_eq!(secret.step_of(&code, now, step), None, "it was used");
        assert_eq!(secret.step_of("", now, 0), None);
        assert_eq!(secret.step_of("000000", now, 0), None);
    }

    #[test]
    fn what_is_derived_differs_by_number_and_by_key() {
        let tokens = |key: &[u8]| TokenService::new(&SigningKey::from_bytes(key), Duration::from_secs(60));
        let (one, other) = (tokens(&[1; 32]), tokens(&[2; 32]));
        assert_eq!(TotpSecret::derive(&one, 1, 1), TotpSecret::derive(&one, 1, 1));
        assert_ne!(TotpSecret::derive(&one, 1, 1), TotpSecret::derive(&one, 1, 2));
        assert_ne!(TotpSecret::derive(&one, 1, 1), TotpSecret::derive(&one, 2, 1));
        assert_ne!(TotpSecret::derive(&one, 1, 1), TotpSecret::derive(&other, 1, 1));
    }

    #[test]
    fn recovery_codes_are_forgiving_and_all_different() {
        let codes = new_recovery_codes();
        let all: std::collections::BTreeSet<&String> = codes.iter().map(|(code, _)| code).collect();
        assert_eq!(all.len(), RECOVERY_CODES);
        let (code, hash) = &codes[0];
        let (head, tail) = code.split_at(4);
        assert_eq!(recovery_hash(&format!("{}-{}", head.to_lowercase(), tail)), *hash);
    }
}
