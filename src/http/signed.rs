//! A body that another system signs: HMAC-SHA256 over the moment and the body, with a secret both sides know. Used where the
//! caller is a program without a log-in.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use actix_web::{FromRequest, HttpRequest, web};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use sha2::Sha256;

use super::extract::{collect, parse};
use super::problem::{Code, Problem};
use crate::app::App;
use crate::config::Config;

/// Seconds since 1970 at which it was signed.
pub const TIMESTAMP: &str = "tongjie-timestamp";
/// `sha256=` and the signature in hexadecimal digits.
pub const SIGNATURE: &str = "tongjie-signature";
/// How old, or how far ahead, a signature may be.
const TOLERANCE_SECONDS: i64 = 300;

/// What a genuine signature covers.
pub struct Signed<T>(pub T);

/// A body that is signed, and by whom.
pub trait SignedBody: DeserializeOwned + 'static {
    /// The secret that the sender shares with us; `None`: nobody may send it.
    fn secret(config: &Config) -> Option<&SecretString>;
}

impl<T: SignedBody> FromRequest for Signed<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let app = request.app_data::<web::Data<App>>();
            let app = app.ok_or_else(|| Problem::of(Code::Internal))?;
            // Who does not even try is told before the body is read.
            if !request.headers().contains_key(SIGNATURE) {
                return Err(Problem::of(Code::Unauthenticated));
            }
            let bytes = collect(&request, payload).await?;
            let secret = T::secret(&app.config);
            let now = app.store.clock().now().timestamp();
            let genuine = secret.is_some_and(|secret| {
                is_genuine(secret.expose_secret().as_bytes(), request.headers(), &bytes, now).is_some()
            });
            if !genuine {
                return Err(Problem::of(Code::Unauthenticated));
            }
            parse(&bytes).map(Self)
        })
    }
}

fn is_genuine(secret: &[u8], headers: &HeaderMap, body: &[u8], now: i64) -> Option<()> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let timestamp = text(TIMESTAMP)?;
    let signed_at: i64 = timestamp.parse().ok()?;
    if signed_at.abs_diff(now) > TOLERANCE_SECONDS.unsigned_abs() {
        return None;
    }
    let claimed = unhex(text(SIGNATURE)?.strip_prefix("sha256=")?)?;
    mac(secret, timestamp, body)?.verify_slice(&claimed).ok()
}

fn mac(secret: &[u8], timestamp: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac)
}

/// The header's value for a body that is signed at a moment (seconds since 1970).
pub fn signature(secret: &[u8], timestamp: i64, body: &[u8]) -> String {
    let signed = mac(secret, &timestamp.to_string(), body);
    let bytes = signed
        .map(|mac| mac.finalize().into_bytes().to_vec())
        .unwrap_or_default();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
