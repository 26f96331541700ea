//! A provider of scores that is asked over HTTP: signed calls in bounded time, each under a key. An adapter for the port in
//! `usecase::ask_provider`; the messages are described in docs/ADMISSION.md.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::breaker::Breaker;
use crate::clock::Clock;
use crate::config::AdmissionConfig;
use crate::domain::admission::{Conduct, Decision};
use crate::http::signed;
use crate::usecase::ask_provider::{NewOrder, Order, Provider, Standing};
use crate::usecase::deliver_outbox::Fault;

/// Random, new at each attempt: whoever heard one attempt cannot send it again.
pub const NONCE: &str = "tongjie-nonce";
/// An answer that is longer is none.
const ANSWER_BYTES: u64 = 64 * 1024;
/// An address that is longer is none.
const URL_BYTES: usize = 1_000;

/// What a signature covers beside the moment: nonce, path and body.
pub fn signed_text(nonce: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{nonce}.POST {path}.").into_bytes();
    text.extend_from_slice(body);
    text
}

/// The provider behind a URL.
#[derive(Debug)]
pub struct HttpProvider {
    agent: ureq::Agent,
    name: String,
    url: String,
    /// The path of the URL: signatures cover the whole path.
    base: String,
    secret: SecretString,
    breaker: Breaker,
    clock: Clock,
}

impl HttpProvider {
    /// The provider that is set up; `None` where there is none.
    pub fn of(config: &AdmissionConfig, clock: &Clock) -> Option<SharedProvider> {
        let url = config.provider_url.as_ref()?.trim_end_matches('/').to_owned();
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_millis(config.timeout_ms)))
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .into();
        let after_scheme = url.split_once("://").map_or("", |(_, rest)| rest);
        let base = after_scheme.find('/').map_or("", |at| &after_scheme[at..]).to_owned();
        Some(SharedProvider(Arc::new(Self {
            agent,
            name: config.provider.clone()?,
            url,
            base,
            secret: config.secret.clone()?,
            breaker: Breaker::default(),
            clock: clock.clone(),
        })))
    }

    /// One call. Whether it was answered at all is what the breaker counts.
    fn post(&self, path: &str, key: &str, body: &Value) -> Result<Vec<u8>, Fault> {
        let answered = self.attempt(path, key, body);
        self.breaker
            .note(!matches!(answered, Err(Fault::Later(_))), Instant::now());
        answered
    }

    fn attempt(&self, path: &str, key: &str, body: &Value) -> Result<Vec<u8>, Fault> {
        let body = body.to_string().into_bytes();
        let nonce = nonce().ok_or_else(|| Fault::Later("no randomness for a nonce".to_owned()))?;
        let at = self.clock.now().timestamp();
        let text = signed_text(&nonce, &format!("{}{path}", self.base), &body);
        let signature = signed::signature(self.secret.expose_secret().as_bytes(), at, &text);
        let request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", key)
            .header(signed::TIMESTAMP, at.to_string())
            .header(NONCE, nonce)
            .header(signed::SIGNATURE, signature);
        let mut response = request.send(&body[..]).map_err(|error| Fault::Later(told(&error)))?;
        judge(response.status().as_u16())?;
        let read = response.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec();
        read.map_err(|error| Fault::Later(told(&error)))
    }
}

/// Whether a status is a success, for now not, or never.
fn judge(status: u16) -> Result<(), Fault> {
    match status {
        200..=299 => Ok(()),
        // Told to go elsewhere or to say who we are: the settings are wrong, not the order.
        300..=399 | 401 | 403 | 407 => Err(Fault::Later(format!(
            "the provider answered {status}: look at its URL and secret"
        ))),
        408 | 425 | 429 | 500..=599 => Err(Fault::Later(format!("the provider answered {status}"))),
        _ => Err(Fault::Never(format!("the provider answered {status}"))),
    }
}

/// What went wrong, without what was sent.
fn told(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "the provider did not answer in time".to_owned(),
        other => format!("the provider could not be reached: {other}"),
    }
}

fn nonce() -> Option<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[derive(Deserialize)]
struct Opened {
    agree_url: String,
}

/// Members that we do not know are not even read: a score that is sent along goes nowhere.
#[derive(Deserialize)]
struct Stands {
    state: String,
}

fn agree_url(answer: &[u8]) -> Result<String, Fault> {
    let opened: Result<Opened, _> = serde_json::from_slice(answer);
    let url = opened.map(|opened| opened.agree_url).unwrap_or_default();
    let good = url.len() <= URL_BYTES
        && url.bytes().all(|byte| byte.is_ascii_graphic())
        && (url.starts_with("https://") || url.starts_with("http://127.0.0.1:"));
    good.then_some(url)
        .ok_or_else(|| Fault::Later("the provider's answer does not say where to agree".to_owned()))
}

fn standing(answer: &[u8]) -> Result<Standing, Fault> {
    let stands: Result<Stands, _> = serde_json::from_slice(answer);
    let word = stands.map(|stands| stands.state).unwrap_or_default();
    match (word.as_str(), Decision::from_code(&word)) {
        ("waiting", _) => Ok(Standing::Waiting),
        (_, Some(decision)) => Ok(Standing::Decided(decision)),
        _ => Err(Fault::Later(
            "the provider's answer does not say how it stands".to_owned(),
        )),
    }
}

/// The one that the worker shares with whoever looks at it.
#[derive(Debug, Clone)]
pub struct SharedProvider(Arc<HttpProvider>);

impl SharedProvider {
    async fn call(&self, path: String, key: &str, body: Value) -> Result<Vec<u8>, Fault> {
        let (provider, key) = (Arc::clone(&self.0), key.to_owned());
        let sent = tokio::task::spawn_blocking(move || provider.post(&path, &key, &body)).await;
        sent.unwrap_or_else(|_| Err(Fault::Later("the attempt ended by a panic".to_owned())))
    }
}

impl Provider for SharedProvider {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn is_ready(&self) -> bool {
        self.0.breaker.is_closed(Instant::now())
    }

    async fn create(&self, order: &Order, new: NewOrder) -> Result<String, Fault> {
        let body = json!({"order_key": order.key, "threshold": new.threshold, "name": new.name});
        agree_url(&self.call("/orders".to_owned(), &order.call_key, body).await?)
    }

    async fn agree(&self, order: &Order, at: DateTime<Utc>) -> Result<Standing, Fault> {
        let path = format!("/orders/{}/agreement", order.key);
        let body = json!({"agreed_at": at});
        standing(&self.call(path, &order.call_key, body).await?)
    }

    async fn settle(&self, order: &Order) -> Result<(), Fault> {
        let path = format!("/orders/{}/settlement", order.key);
        self.call(path, &order.call_key, json!({})).await.map(drop)
    }

    async fn report(&self, order: &Order, conduct: Conduct, at: DateTime<Utc>) -> Result<(), Fault> {
        let path = format!("/orders/{}/reports", order.key);
        let body = json!({"conduct": conduct.code(), "at": at});
        self.call(path, &order.call_key, body).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_none_is_asked_for_again() {
        for answer in [
            "",
            "{}",
            "<html>",
            r#"{"agree_url": "javascript:alert(1)"}"#,
            r#"{"agree_url": "https://a b"}"#,
            r#"{"state": "maybe"}"#,
        ] {
            assert!(matches!(agree_url(answer.as_bytes()), Err(Fault::Later(_))), "{answer}");
            assert!(matches!(standing(answer.as_bytes()), Err(Fault::Later(_))), "{answer}");
        }
    }

    #[test]
    fn a_score_that_is_sent_along_is_not_read() {
        let answer = br#"{"state": "passed", "score": 731}"#;
        assert_eq!(standing(answer), Ok(Standing::Decided(Decision::Passed)));
    }

    #[test]
    fn the_signature_covers_the_whole_path() {
        let config = |url: &str| AdmissionConfig {
            provider: Some("p".to_owned()),
            provider_url: Some(url.to_owned()),
            secret: Some("a secret of thirty-two bytes or more".into()),
            report_secret: None,
            timeout_ms: 1_000,
        };
        let base = |url: &str| {
            let provider = HttpProvider::of(&config(url), &Clock::System).expect("set up");
            provider.0.base.clone()
        };
        assert_eq!(base("https://score.example/api/v2/"), "/api/v2");
        assert_eq!(base("http://127.0.0.1:9401"), "");
    }
}
