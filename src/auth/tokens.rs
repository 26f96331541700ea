//! Access tokens (JWT, HS256), and the random secrets behind refresh tokens and devices.
//!
//! An access token carries everything a request needs to be allowed or refused, so that no statement is spent on
//! it; it lives for minutes, which bounds how late a withdrawn right takes effect. Checking is in the hot path of
//! every request, hence the small cache of tokens that have already been found genuine.
//!
//! Not here: rotation and reuse detection of refresh tokens. They are rows of the store; this file only makes the
//! secret and its hash. Time is an argument throughout.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::key_ring::KeyRing;
use super::rights::Grant;
use super::signing_key::SigningKey;

const ISSUER: &str = "tongjie";
/// A token with fifty grants is about 2.5 KB; anything longer is not ours.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// At most this many genuine tokens are remembered (about 1 KB each).
const CACHE_LIMIT: usize = 4096;

/// Which kind of caller a token is for. A token for one is never accepted for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    Staff,
    Reader,
    Device,
}

/// What a log-in established; the service adds issuer and times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Id of the staff member, reader or device.
    pub sub: i64,
    pub aud: Audience,
    /// The session family: every refresh of one log-in shares it.
    pub sid: i64,
    /// The unit the caller works at.
    pub unit: Option<i64>,
    /// What a device is: it decides the channel of its acts.
    pub device_kind: Option<String>,
    pub grants: Vec<Grant>,
}

/// The body of an access token that was found genuine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    pub iss: String,
    pub aud: Audience,
    /// Text in the token, as RFC 7519 wants it.
    #[serde(with = "id_as_text")]
    pub sub: i64,
    pub sid: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_kind: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// Seconds since the epoch.
    pub iat: i64,
    /// Seconds since the epoch; at this second the token no longer counts.
    pub exp: i64,
}

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Forged, expired, malformed, for another audience: on purpose not told apart, here or in an answer.
    #[error("the access token is not valid")]
    Invalid,
    #[error("an access token could not be signed")]
    Signing(#[source] jsonwebtoken::errors::Error),
}

/// A retired key is believed of tokens made so long after it: nodes and clocks differ.
const GRACE_S: i64 = 60;

/// One key, ready for use.
struct Believed {
    id: String,
    decoding: DecodingKey,
    /// Seconds since the epoch; `None`: it still signs, or the configuration lists it.
    retired_at: Option<i64>,
}

/// The ring, ready for use.
struct Keys {
    id: String,
    encoding: EncodingKey,
    /// The current one first.
    believed: Vec<Believed>,
}

pub struct TokenService {
    keys: RwLock<Arc<Keys>>,
    validation: Validation,
    access_ttl: Duration,
    /// Derived from the signing key, for digests that nobody without it can try guesses against.
    digest: Hmac<Sha256>,
    /// Token to claims. Only genuine tokens get in, so forgeries cannot push anything out.
    genuine: RwLock<HashMap<Box<str>, Arc<Claims>>>,
}

/// A key of its own for each purpose, so that no two uses of the signing key can meet.
fn keyed(key: &[u8], purpose: &[u8]) -> Hmac<Sha256> {
    let empty = || Hmac::<Sha256>::new(&Default::default());
    let mut derive = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| empty());
    derive.update(purpose);
    Hmac::<Sha256>::new_from_slice(&derive.finalize().into_bytes()).unwrap_or_else(|_| empty())
}

impl Keys {
    fn new(ring: &KeyRing) -> Self {
        let believed = |key: &SigningKey, retired_at| Believed {
            id: key.id(),
            decoding: DecodingKey::from_secret(key.expose()),
            retired_at,
        };
        let old = ring.old.iter().map(|old| {
            let retired_at = old.retired_at.map(|at| at.timestamp());
            believed(&old.key, retired_at)
        });
        Self {
            id: ring.current.id(),
            encoding: EncodingKey::from_secret(ring.current.expose()),
            believed: std::iter::once(believed(&ring.current, None)).chain(old).collect(),
        }
    }

    /// The keys that may have signed a token: the one it names. One without a name was signed before keys had any.
    fn named<'k>(&'k self, id: Option<&'k str>) -> impl Iterator<Item = &'k Believed> {
        self.believed.iter().filter(move |key| id.is_none_or(|id| key.id == id))
    }
}

impl Believed {
    /// A stolen old key makes no new tokens, and none at all once its last genuine one has ended.
    fn may_have_signed(&self, claims: &Claims, now: i64, life_s: i64) -> bool {
        self.retired_at.is_none_or(|at| {
            let last = at.saturating_add(GRACE_S);
            claims.iat <= last && now < last.saturating_add(life_s)
        })
    }
}

impl TokenService {
    /// A service of one key.
    #[must_use]
    pub fn new(key: &SigningKey, access_ttl: Duration) -> Self {
        Self::with_ring(&KeyRing::of(key.clone()), access_ttl)
    }

    #[must_use]
    pub fn with_ring(ring: &KeyRing, access_ttl: Duration) -> Self {
        // The algorithm is fixed here and never taken from the token. Time and audience are checked below, against
        // the `now` and the audiences of the call: the crate would read the clock.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Self {
            keys: RwLock::new(Arc::new(Keys::new(ring))),
            validation,
            access_ttl,
            digest: keyed(ring.digest.expose(), b"request digest"),
            genuine: RwLock::default(),
        }
    }

    /// Signs with another key from now on, and believes those of this ring only. Digests stay as they are.
    pub fn replace_keys(&self, ring: &KeyRing) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Keys::new(ring));
        // What only a key no longer believed had signed must be looked at again.
        self.genuine.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A keyed digest of a request: bodies may hold passwords, and a dump of the database must not help to guess them.
    #[must_use]
    pub fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.digest.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The life of a token issued now: the `expires_in` of a log-in's answer.
    #[must_use]
    pub fn access_ttl(&self) -> Duration {
        self.access_ttl
    }

    /// # Errors
    /// [`TokenError::Signing`], when the token cannot be encoded.
    pub fn issue(&self, identity: Identity, now: DateTime<Utc>) -> Result<String, TokenError> {
        let Identity {
            sub,
            aud,
            sid,
            unit,
            device_kind,
            grants,
        } = identity;
        let iat = now.timestamp();
        let exp = iat.saturating_add_unsigned(self.access_ttl.as_secs());
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud,
            sub,
            sid,
            unit,
            device_kind,
            grants,
            iat,
            exp,
        };
        let keys = self.keys();
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(keys.id.clone());
        jsonwebtoken::encode(&header, &claims, &keys.encoding).map_err(TokenError::Signing)
    }

    /// # Errors
    /// [`TokenError::Invalid`], whatever is wrong.
    pub fn verify(&self, token: &str, expected: &[Audience], now: DateTime<Utc>) -> Result<Arc<Claims>, TokenError> {
        let known = self
            .genuine
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(token)
            .cloned();
        let claims = match known {
            Some(claims) => claims,
            None => self.decode(token, now)?,
        };
        if now.timestamp() >= claims.exp || !expected.contains(&claims.aud) {
            return Err(TokenError::Invalid);
        }
        Ok(claims)
    }

    fn decode(&self, token: &str, now: DateTime<Utc>) -> Result<Arc<Claims>, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let keys = self.keys();
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let signed_by = |key| Some((key, self.claims(token, key)?));
        let found = keys.named(header.kid.as_deref()).find_map(signed_by);
        let (key, claims) = found.ok_or(TokenError::Invalid)?;
        let life_s = i64::try_from(self.access_ttl.as_secs()).unwrap_or(i64::MAX);
        if claims.iss != ISSUER || !key.may_have_signed(&claims, now.timestamp(), life_s) {
            return Err(TokenError::Invalid);
        }
        let claims = Arc::new(claims);
        let mut genuine = self.genuine.write().unwrap_or_else(PoisonError::into_inner);
        // Starting over costs a few microseconds per live token; keeping an order would cost them on every hit.
        if genuine.len() >= CACHE_LIMIT {
            genuine.clear();
        }
        genuine.insert(token.into(), Arc::clone(&claims));
        Ok(claims)
    }

    fn claims(&self, token: &str, key: &Believed) -> Option<Claims> {
        let decoded = jsonwebtoken::decode(token, &key.decoding, &self.validation);
        decoded.ok().map(|decoded| decoded.claims)
    }
}

mod id_as_text {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(id: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A new refresh token and the hash to store. The token itself is told to the caller once and kept nowhere.
///
/// # Panics
/// When the operating system has no randomness, in which case nothing here may go on.
#[must_use]
pub fn new_refresh() -> (String, [u8; 32]) {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system provides randomness");
    let token = URL_SAFE_NO_PAD.encode(bytes);
    let hash = hash_refresh(&token);
    (token, hash)
}

/// What the store keeps of a refresh token or a device secret. Both are 256 random bits, so a plain hash is
/// enough: argon2 is for secrets that people choose.
#[must_use]
pub fn hash_refresh(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Whether `secret` is the one behind `hash`, in a time that does not depend on where they differ.
#[must_use]
pub fn secret_matches(secret: &str, hash: &[u8]) -> bool {
    hash_refresh(secret).as_slice().ct_eq(hash).into()
}

#[cfg(test)]
mod tests {
    use super::super::rights::Role;
    use super::*;
    use serde_json::{Value, json};

    const ALL: &[Audience] = &[Audience::Staff, Audience::Reader, Audience::Device];

    fn service(key: &[u8]) -> TokenService {
        TokenService::new(&SigningKey::from_bytes(key), Duration::from_secs(900))
    }

    fn staff() -> Identity {
        let grants = vec![Grant {
            role: Role::UnitManager,
            unit: 3,
        }];
        Identity {
            sub: i64::MAX,
            aud: Audience::Staff,
            sid: 12,
            unit: Some(3),
            device_kind: None,
            grants,
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    /// A token with any header and body, signed with any key under HS256.
    fn crafted(header: &Value, body: &Value, key: &[u8]) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(body));
        let key = EncodingKey::from_secret(key);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).expect("signs");
        format!("{message}.{signature}")
    }

    #[test]
    fn a_token_tells_what_was_put_in() {
        let service = service(b"key");
        let token = service.issue(staff(), at(1000)).expect("issued");
        for _ in ["decoded", "from the cache"] {
            let claims = service.verify(&token, &[Audience::Staff], at(1000)).expect("valid");
            let Identity {
                sub,
                aud,
                sid,
                unit,
                device_kind,
                grants,
            } = staff();
            let expected = Claims {
                iss: "tongjie".into(),
                aud,
                sub,
                sid,
                unit,
                device_kind,
                grants,
                iat: 1000,
                exp: 1900,
            };
            assert_eq!(*claims, expected);
        }
    }

    #[test]
    fn a_token_ends_with_the_given_time_also_from_the_cache() {
        let service = service(b"key");
        let token = service.issue(staff(), at(1000)).expect("issued");
        assert!(service.verify(&token, ALL, at(1899)).is_ok());
        assert!(service.verify(&token, ALL, at(1900)).is_err());
        assert!(
            service.verify(&token, ALL, at(1899)).is_ok(),
            "time is the caller's, not the clock's"
        );
    }

    #[test]
    fn another_audience_is_refused_also_from_the_cache() {
        let service = service(b"key");
        let token = service.issue(staff(), at(0)).expect("issued");
        for _ in ["decoded", "from the cache"] {
            assert!(
                service
                    .verify(&token, &[Audience::Reader, Audience::Device], at(1))
                    .is_err()
            );
            assert!(service.verify(&token, &[], at(1)).is_err());
            assert!(service.verify(&token, &[Audience::Staff], at(1)).is_ok());
        }
    }

    #[test]
    fn every_forgery_gets_the_same_answer() {
        let service = service(b"key");
        let header = json!({"typ": "JWT", "alg": "HS256"});
        let body = json!({"iss": "tongjie", "aud": "staff", "sub": "1", "sid": 1, "iat": 0, "exp": 1000});
        let good = crafted(&header, &body, b"key");
        assert!(service.verify(&good, ALL, at(1)).is_ok());
        let with = |name: &str, value: Value| {
            let mut changed = body.clone();
            changed[name] = value;
            crafted(&header, &changed, b"key")
        };
        let parts: Vec<&str> = good.split('.').collect();
        let header_of = |alg: &str| URL_SAFE_NO_PAD.encode(json!({"typ": "JWT", "alg": alg}).to_string());
        let cases = [
            crafted(&header, &body, b"other key"),
            format!("{}.{}.", header_of("none"), parts[1]),
            format!("{}.{}.{}", header_of("none"), parts[1], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}", parts[0], parts[1]),
            crafted(&json!({"alg": "HS384"}), &body, b"key"),
            crafted(&json!({"alg": "RS256"}), &body, b"key"),
            crafted(&json!({"typ": "JWT"}), &body, b"key"),
            with("aud", json!("root")),
            with("aud", json!(["staff"])),
            with("iss", json!("elsewhere")),
            with("sub", json!(1)),
            with("sub", json!("one")),
            with("exp", json!("1000")),
            with("exp", Value::Null),
            with("grants", json!([{"role": "emperor", "unit": 1}])),
            with("admin", json!(true)),
            format!("{good}A"),
            format!(" {good}"),
            good.to_uppercase(),
            "a".repeat(MAX_TOKEN_BYTES + 1),
            "..".to_owned(),
            String::new(),
        ];
        for token in cases {
            let error = service.verify(&token, ALL, at(1)).expect_err(&token);
            assert_eq!(error.to_string(), "the access token is not valid");
        }
    }

    #[test]
    fn old_keys_are_believed_until_their_last_token_has_ended() {
        let old = SigningKey::from_bytes(b"old");
        let service = TokenService::new(&old, Duration::from_secs(900));
        let before = service.issue(staff(), at(1000)).expect("issued");
        let digest = service.digest(&[b"request"]);
        let ring = KeyRing {
            current: SigningKey::from_bytes(b"new"),
            old: vec![super::super::key_ring::OldKey {
                key: old.clone(),
                retired_at: Some(at(1100)),
            }],
            digest: old,
        };
        service.replace_keys(&ring);
        let after = service.issue(staff(), at(1200)).expect("issued");
        assert_eq!(digest, service.digest(&[b"request"]));
        for token in [&before, &after] {
            service.verify(token, ALL, at(1300)).expect("both count");
        }
        assert_ne!(before.split('.').next(), after.split('.').next(), "each names its key");
        // Whoever has the old key may neither make tokens now, nor back-date them for ever.
        let thief = self::service(b"old");
        for (issued, now) in [(1161, 1162), (1160, 1160 + 900)] {
            let forged = thief.issue(staff(), at(issued)).expect("issued");
            assert!(service.verify(&forged, ALL, at(now)).is_err(), "{issued} at {now}");
        }
        service.replace_keys(&KeyRing::of(SigningKey::from_bytes(b"new")));
        assert!(service.verify(&before, ALL, at(1300)).is_err());
        assert!(service.verify(&after, ALL, at(1300)).is_ok());
    }

    #[test]
    fn the_cache_stays_small() {
        let service = service(b"key");
        for sid in 0..2 * CACHE_LIMIT as i64 + 10 {
            let token = service.issue(Identity { sid, ..staff() }, at(0)).expect("issued");
            service.verify(&token, ALL, at(1)).expect("valid");
            assert!(service.genuine.read().expect("not poisoned").len() <= CACHE_LIMIT);
        }
    }

    #[test]
    fn refresh_tokens_are_random_and_known_by_their_hash() {
        let (token, hash) = new_refresh();
        assert_eq!(token.len(), 43);
        assert_ne!(token, new_refresh().0);
        assert_eq!(hash, hash_refresh(&token));
        assert!(secret_matches(&token, &hash));
        assert!(!secret_matches("other", &hash));
        assert!(!secret_matches(&token, &hash[..31]));
    }
}
