//! Tokens of electronic cards (JWS, `EdDSA`): made with a card key, opened with the public ones, also where no server is near.
//! What one says is judged by [`crate::domain::card_token`].
//!
//! Not here: where the keys come from ([`super::card_keys`]).

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::card_keys::{CardKey, CardKeyRing};
use super::tokens::TokenError;
use crate::domain::card_token::{CardToken, LIFE_S};
use crate::domain::ids::CardId;

/// The type that a header names: a token made for anything else is none.
const TYPE: &str = "card+jwt";
/// Longer is not ours: the longest is 332 characters.
pub const MAX_BYTES: usize = 512;
/// 96 random bits, 16 characters: nobody meets or guesses one within a minute.
const NONCE_BYTES: usize = 12;
/// What stands before the seed in the PKCS #8 form of an Ed25519 key (RFC 8410).
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The body of a token.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
    jti: String,
}

/// A public key as JWKS (RFC 7517) writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    pub kty: String,
    #[serde(default)]
    pub crv: String,
    #[serde(default)]
    pub kid: String,
    /// The key itself, 32 bytes in base64url.
    #[serde(default)]
    pub x: String,
    #[serde(default, rename = "use")]
    pub usage: String,
    #[serde(default)]
    pub alg: String,
}

/// The keys with which tokens are opened.
#[derive(Clone)]
pub struct PublicKeys {
    by_id: HashMap<String, DecodingKey>,
    validation: Validation,
}

impl PublicKeys {
    /// Those of a JWKS that are Ed25519; others are none of ours.
    #[must_use]
    pub fn new(listed: &[PublicKey]) -> Self {
        // Time and audience are judged by the domain, against the `now` of the call.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let ours = listed.iter().filter(|key| key.kty == "OKP" && key.crv == "Ed25519");
        let whole = ours.filter(|key| URL_SAFE_NO_PAD.decode(&key.x).is_ok_and(|bytes| bytes.len() == 32));
        let by_id = whole.filter_map(|key| Some((key.kid.clone(), DecodingKey::from_ed_components(&key.x).ok()?)));
        Self {
            by_id: by_id.collect(),
            validation,
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// What a token says, if one of these keys signed it. Not yet whether it counts here and now.
    ///
    /// # Errors
    /// [`TokenError::Invalid`], whatever is wrong.
    pub fn open(&self, token: &str) -> Result<CardToken, TokenError> {
        self.genuine(token).ok_or(TokenError::Invalid)
    }

    fn genuine(&self, token: &str) -> Option<CardToken> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let header = jsonwebtoken::decode_header(token).ok()?;
        let key_id = header.kid.filter(|_| header.typ.as_deref() == Some(TYPE))?;
        let key = self.by_id.get(&key_id)?;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.validation)
            .ok()?
            .claims;
        let life_s = claims.exp.checked_sub(claims.iat)?;
        if !(1..=LIFE_S).contains(&life_s) {
            return None;
        }
        Some(CardToken {
            card: CardId::new(claims.sub.parse().ok()?),
            scope: claims.aud,
            issued_at: DateTime::from_timestamp(claims.iat, 0)?,
            expires_at: DateTime::from_timestamp(claims.exp, 0)?,
            nonce: claims.jti,
            key_id,
        })
    }
}

/// The keys of a ring that are published now.
#[must_use]
pub fn published(ring: &CardKeyRing, now: DateTime<Utc>) -> Vec<PublicKey> {
    ring.published(now).map(PublicKey::of).collect()
}

impl PublicKey {
    fn of(key: &CardKey) -> Self {
        Self {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            kid: key.id.clone(),
            x: URL_SAFE_NO_PAD.encode(key.public),
            usage: "sig".to_owned(),
            alg: "EdDSA".to_owned(),
        }
    }
}

/// A token, and what it says.
#[derive(Clone, PartialEq, Eq)]
pub struct Made {
    pub token: String,
    pub says: CardToken,
}

/// Makes and opens tokens with the keys of this node.
pub struct CardTokens {
    ring: RwLock<CardKeyRing>,
}

impl CardTokens {
    #[must_use]
    pub fn new(ring: CardKeyRing) -> Self {
        Self {
            ring: RwLock::new(ring),
        }
    }

    /// Takes other keys over; answers whether they are others.
    pub fn replace_keys(&self, ring: CardKeyRing) -> bool {
        let mut known = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *known != ring;
        *known = ring;
        changed
    }

    fn ring(&self) -> CardKeyRing {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What `/.well-known/jwks.json` lists.
    #[must_use]
    pub fn published(&self, now: DateTime<Utc>) -> Vec<PublicKey> {
        published(&self.ring(), now)
    }

    /// Opens a token with the keys of this node.
    ///
    /// # Errors
    /// As [`PublicKeys::open`].
    pub fn open(&self, token: &str, now: DateTime<Utc>) -> Result<CardToken, TokenError> {
        PublicKeys::new(&self.published(now)).open(token)
    }

    /// A token for a card that counts at and below a unit, from now on for a minute.
    ///
    /// # Errors
    /// [`TokenError::Signing`].
    ///
    /// # Panics
    /// When the operating system has no randomness, in which case nothing here may go on.
    pub fn make(&self, card: CardId, scope: &str, now: DateTime<Utc>) -> Result<Made, TokenError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).expect("the operating system provides randomness");
        let ring = self.ring();
        let missing = || TokenError::Signing(jsonwebtoken::errors::ErrorKind::InvalidEddsaKey.into());
        let key = ring.current(now).ok_or_else(missing)?;
        let iat = now.timestamp();
        let claims = Claims {
            sub: card.get().to_string(),
            aud: scope.to_owned(),
            iat,
            exp: iat + LIFE_S,
            jti: URL_SAFE_NO_PAD.encode(nonce),
        };
        Ok(Made {
            token: sign(key, &claims)?,
            says: CardToken {
                card,
                scope: claims.aud,
                issued_at: DateTime::from_timestamp(claims.iat, 0).unwrap_or(now),
                expires_at: DateTime::from_timestamp(claims.exp, 0).unwrap_or(now),
                nonce: claims.jti,
                key_id: key.id.clone(),
            },
        })
    }
}

fn sign(key: &CardKey, claims: &Claims) -> Result<String, TokenError> {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(key.id.clone());
    let pkcs8 = [&PKCS8_HEAD[..], key.seed()].concat();
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&pkcs8)).map_err(TokenError::Signing)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const LONGEST_UNIT: &str = "a-unit-code-that-has-32-letters-";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    fn ring(lines: &[(u8, i64)]) -> CardKeyRing {
        let line = |(byte, since): &(u8, i64)| format!("{} {since}", URL_SAFE_NO_PAD.encode([*byte; 32]));
        let lines: Vec<String> = lines.iter().map(line).collect();
        CardKeyRing::parse(lines.iter().map(String::as_str)).expect("good lines")
    }

    fn tokens(lines: &[(u8, i64)]) -> CardTokens {
        CardTokens::new(ring(lines))
    }

    /// A token with any header and body, signed with the key of `byte`.
    fn crafted(header: &Value, body: &Value, byte: u8) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(body));
        let signing = ed25519_dalek::SigningKey::from_bytes(&[byte; 32]);
        let signature = ed25519_dalek::Signer::sign(&signing, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    #[test]
    fn a_token_says_what_it_was_made_for_and_anybody_with_the_public_keys_reads_it() {
        let ours = tokens(&[(1, 0)]);
        let made = ours.make(CardId::new(1234), "M1", at(1000)).expect("made");
        assert_eq!((made.says.issued_at, made.says.expires_at), (at(1000), at(1060)));
        assert_eq!(ours.open(&made.token, at(1000)).expect("ours"), made.says);
        let jwks = serde_json::to_string(&ours.published(at(1000))).expect("written");
        let read: Vec<PublicKey> = serde_json::from_str(&jwks).expect("read");
        assert_eq!(PublicKeys::new(&read).open(&made.token).expect("genuine"), made.says);
        assert!(
            !jwks.contains(&URL_SAFE_NO_PAD.encode([1; 32])),
            "the seed is not in it"
        );
        let again = ours.make(CardId::new(1234), "M1", at(1000)).expect("made");
        assert_ne!(again.says.nonce, made.says.nonce);
    }

    #[test]
    fn the_longest_token_fits_a_qr_code_of_version_15_at_level_m() {
        let made = tokens(&[(1, 0)]).make(CardId::new(i64::MAX), LONGEST_UNIT, at(9_999_999_999));
        let token = made.expect("made").token;
        assert!(token.len() <= 340, "{} characters", token.len());
        let code = qrcode::QrCode::with_error_correction_level(&token, qrcode::EcLevel::M).expect("encoded");
        let qrcode::Version::Normal(version) = code.version() else {
            panic!("a micro code")
        };
        assert!(version <= 15, "version {version}");
    }

    #[test]
    fn a_token_is_signed_by_the_key_of_its_moment_and_believed_while_that_is_published() {
        let ours = tokens(&[(2, 5000), (1, 0)]);
        let before = ours.make(CardId::new(1), "M1", at(4999)).expect("made");
        let after = ours.make(CardId::new(1), "M1", at(5000)).expect("made");
        assert_ne!(before.says.key_id, after.says.key_id);
        for made in [&before, &after] {
            assert!(ours.open(&made.token, at(5030)).is_ok());
        }
        assert!(ours.open(&before.token, at(5000 + 3600)).is_err(), "its key is gone");
        assert!(ours.replace_keys(ring(&[(3, 5100)])), "the others leaked");
        assert!(ours.open(&after.token, at(5100)).is_err());
        assert!(!ours.replace_keys(ring(&[(3, 5100)])), "the same again");
    }

    #[test]
    fn whatever_is_not_exactly_ours_is_no_token() {
        let ours = tokens(&[(1, 0)]);
        let now = at(1000);
        let made = ours.make(CardId::new(1), "M1", now).expect("made");
        let kid = made.says.key_id.clone();
        let header = json!({"typ": TYPE, "alg": "EdDSA", "kid": kid});
        let body = json!({"sub": "1", "aud": "M1", "iat": 1000, "exp": 1060, "jti": "n"});
        let with = |of: &Value, name: &str, value: Value| {
            let mut changed = of.clone();
            changed[name] = value;
            changed
        };
        assert!(
            ours.open(&crafted(&header, &body, 1), now).is_ok(),
            "the craft is right"
        );
        let (head, rest) = made.token.split_once('.').expect("parts");
        let (_, signature) = rest.split_once('.').expect("parts");
        let other_body = URL_SAFE_NO_PAD.encode(with(&body, "sub", json!("2")).to_string());
        let cases = [
            ("another key", crafted(&header, &body, 2)),
            ("another body", format!("{head}.{other_body}.{signature}")),
            ("no signature", format!("{head}.{other_body}.")),
            ("no algorithm", crafted(&with(&header, "alg", json!("none")), &body, 1)),
            (
                "another algorithm",
                crafted(&with(&header, "alg", json!("HS256")), &body, 1),
            ),
            (
                "an unknown key",
                crafted(&with(&header, "kid", json!("AAAAAAAAAAA")), &body, 1),
            ),
            ("no key named", crafted(&with(&header, "kid", Value::Null), &body, 1)),
            (
                "an access token",
                crafted(&with(&header, "typ", json!("JWT")), &body, 1),
            ),
            ("a long life", crafted(&header, &with(&body, "exp", json!(1061)), 1)),
            ("no life", crafted(&header, &with(&body, "exp", json!(1000)), 1)),
            (
                "an endless life",
                crafted(&header, &with(&body, "iat", json!(i64::MIN)), 1),
            ),
            (
                "a card that is no number",
                crafted(&header, &with(&body, "sub", json!("x")), 1),
            ),
            (
                "one member more",
                crafted(&header, &with(&body, "grants", json!([])), 1),
            ),
            (
                "too long",
                crafted(&header, &with(&body, "aud", json!("M".repeat(400))), 1),
            ),
            ("blanks", format!(" {}", made.token)),
            ("nothing", String::new()),
            ("dots", "..".to_owned()),
            ("a card number", "JC00012345".to_owned()),
        ];
        for (what, token) in cases {
            assert!(ours.open(&token, now).is_err(), "{what}");
        }
    }

    #[test]
    fn keys_of_other_kinds_in_a_jwks_are_passed_over() {
        let good = PublicKey::of(ring(&[(1, 0)]).latest().expect("one"));
        let rsa = PublicKey {
            kty: "RSA".to_owned(),
            ..good.clone()
        };
        let short = PublicKey {
            x: "AAAA".to_owned(),
            ..good.clone()
        };
        assert!(PublicKeys::new(&[rsa, short]).is_empty());
        assert!(!PublicKeys::new(&[good]).is_empty());
    }
}
