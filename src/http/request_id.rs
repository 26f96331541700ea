//! The id of a request: the client's own if it is one, else made up. It is in every log line of the request and in the answer.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries it, both ways.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that is taken from a client.
pub const MAX_CHARS: usize = 64;

/// 1 to 64 of `A-Z a-z 0-9 . _ -`: nothing that could forge a log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    fn parse(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        let fits = (1..=MAX_CHARS).contains(&text.len());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (fits && text.bytes().all(plain)).then(|| Self(text.to_owned()))
    }

    /// As a header of the answer.
    pub fn header_value(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes ids up: a number drawn once per process and a count, so that no request pays for randomness.
#[derive(Debug)]
pub struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    /// For one process.
    pub fn new() -> Self {
        let mut drawn = [0; 8];
        // Without randomness ids repeat after a restart: a nuisance in the log, nothing more.
        let process = getrandom::fill(&mut drawn).map_or(0, |()| u64::from_be_bytes(drawn));
        Self {
            process,
            next: AtomicU64::new(1),
        }
    }

    /// The client's id, or a new one. An id that is none is replaced: a bad header of some proxy stops no check-out.
    pub fn of(&self, headers: &HeaderMap) -> RequestId {
        headers
            .get(HEADER)
            .and_then(RequestId::parse)
            .unwrap_or_else(|| self.made_up())
    }

    fn made_up(&self) -> RequestId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        RequestId(format!("{:016x}-{number:x}", self.process))
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_names_its_request_within_bounds() {
        let ids = RequestIds::new();
        let of = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_bytes(value).expect("a header value"));
            ids.of(&headers).to_string()
        };
        for fine in ["a", "0c9d-4_x.1", &"i".repeat(MAX_CHARS)] {
            assert_eq!(of(fine.as_bytes()), fine);
        }
        for bad in ["", "a b", "a\"b", "é", "a,b", &"i".repeat(MAX_CHARS + 1)] {
            assert_ne!(of(bad.as_bytes()), bad);
        }
        let (one, two) = (ids.of(&HeaderMap::new()), ids.of(&HeaderMap::new()));
        assert_ne!(one, two);
        let again = one.header_value().expect("fits a header");
        assert_eq!(RequestId::parse(&again), Some(one));
    }
}
