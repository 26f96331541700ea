//! A signed POST to another system, in bounded time: for gateways of short messages and for webhooks.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::http::signed;

/// An answer that is longer is not read.
const ANSWER_BYTES: u64 = 64 * 1024;

/// What is sent.
#[derive(Debug)]
pub struct Post<'a> {
    pub url: &'a str,
    /// Names of headers and their values.
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
    /// Signs it: each of them, the newest first.
    pub secrets: &'a [String],
    pub now: DateTime<Utc>,
}

/// A client that follows no redirect.
pub fn agent(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .build()
        .into()
}

/// Sends it; answers the status.
///
/// # Errors
/// What went wrong; [`in_words`] tells it.
pub fn post(agent: &ureq::Agent, post: &Post<'_>) -> Result<u16, ureq::Error> {
    let timestamp = post.now.timestamp();
    let signatures: Vec<String> = post
        .secrets
        .iter()
        .map(|secret| signed::signature(secret.as_bytes(), timestamp, post.body))
        .collect();
    let mut request = agent
        .post(post.url)
        .header("Content-Type", "application/json")
        .header(signed::TIMESTAMP, timestamp.to_string())
        .header(signed::SIGNATURE, signatures.join(","));
    for (name, value) in post.headers {
        request = request.header(*name, *value);
    }
    let mut response = request.send(post.body)?;
    let status = response.status().as_u16();
    // Read, so that the connection can be used again; what it says does not matter.
    drop(response.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec());
    Ok(status)
}

/// Why nothing came of it, in words that repeat nothing of what was sent.
pub fn in_words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it did not answer in time".to_owned(),
        other => format!("it could not be reached: {other}"),
    }
}

/// Told to go elsewhere or to say who we are, or asked to wait: not for ever.
pub const fn is_for_now(status: u16) -> bool {
    matches!(status, 300..=399 | 401 | 403 | 407 | 408 | 425 | 429 | 500..=599)
}
