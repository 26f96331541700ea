//! How often one client may ask: a token bucket per client, in memory, per node. A client is the subject of a genuine token,
//! else the address; each kind of client has its own rate, and 0 turns it off before anything is locked or looked up.
//!
//! Not here: guessing of passwords, which is counted in the store ([`crate::domain::log_in_guard`]), and the limits on what
//! waits (queues, connections).

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, ResponseError, web};
use chrono::{DateTime, Utc};

use super::client_address::client_network;
use super::extract::genuine;
use super::problem::{Code, Problem};
use crate::app::App;
use crate::auth::{Audience, Claims};
use crate::config::RatesConfig;

/// Locks, so that workers rarely meet at one.
const SHARDS: usize = 16;
/// Clients remembered by one shard; then those whose bucket is full again are forgotten, which changes nothing for them.
const CLIENTS_PER_SHARD: usize = 8192;

/// Who is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    Subject(Audience, i64),
    Address(IpAddr),
}

/// What one kind of client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    per_second: u32,
    burst: u32,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: DateTime<Utc>,
}

/// The buckets of this node.
pub struct RateLimits {
    staff: Rate,
    reader: Rate,
    device: Rate,
    anonymous: Rate,
    hash: RandomState,
    shards: [Mutex<HashMap<Client, Bucket>>; SHARDS],
}

impl Rate {
    fn refilled(self, bucket: Bucket, now: DateTime<Utc>) -> f64 {
        let millis = u32::try_from((now - bucket.at).num_milliseconds().max(0)).unwrap_or(u32::MAX);
        let gained = f64::from(millis) / 1000.0 * f64::from(self.per_second);
        (bucket.tokens + gained).min(f64::from(self.burst))
    }
}

impl RateLimits {
    /// Buckets as the configuration says, all full.
    pub fn new(limits: &RatesConfig) -> Self {
        let rate = |per_second, burst| Rate { per_second, burst };
        Self {
            staff: rate(limits.staff_per_second, limits.staff_burst),
            reader: rate(limits.reader_per_second, limits.reader_burst),
            device: rate(limits.device_per_second, limits.device_burst),
            anonymous: rate(limits.anonymous_per_second, limits.anonymous_burst),
            hash: RandomState::new(),
            shards: Default::default(),
        }
    }

    /// Counts a request of a caller with a genuine token.
    ///
    /// # Errors
    /// 429 with `Retry-After`.
    pub fn caller(&self, claims: &Claims, now: DateTime<Utc>) -> Result<(), Problem> {
        let rate = match claims.aud {
            Audience::Staff => self.staff,
            Audience::Reader => self.reader,
            Audience::Device => self.device,
        };
        self.take(rate, || Client::Subject(claims.aud, claims.sub), now)
    }

    /// Counts a request without a genuine token.
    ///
    /// # Errors
    /// 429 with `Retry-After`.
    pub fn anonymous(&self, request: &HttpRequest, now: DateTime<Utc>) -> Result<(), Problem> {
        self.take(self.anonymous, || Client::Address(client_network(request)), now)
    }

    fn take(&self, rate: Rate, client: impl FnOnce() -> Client, now: DateTime<Utc>) -> Result<(), Problem> {
        if rate.per_second == 0 {
            return Ok(());
        }
        let client = client();
        let shard = usize::try_from(self.hash.hash_one(client) % SHARDS as u64).unwrap_or_default();
        let mut buckets = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CLIENTS_PER_SHARD && !buckets.contains_key(&client) {
            self.forget_full(&mut buckets, now);
        }
        let full = Bucket {
            tokens: f64::from(rate.burst),
            at: now,
        };
        let bucket = buckets.entry(client).or_insert(full);
        let tokens = rate.refilled(*bucket, now);
        *bucket = Bucket {
            tokens: if tokens >= 1.0 { tokens - 1.0 } else { tokens },
            at: now.max(bucket.at),
        };
        if tokens >= 1.0 {
            return Ok(());
        }
        // Never 0: a client that asks again at once is refused again.
        let rest = (1.0 - tokens) / f64::from(rate.per_second);
        Err(Problem::of(Code::TooManyRequests).retry_after(if rest <= 1.0 { 1 } else { 2 }))
    }

    /// If everybody is in the middle of a burst, everybody starts anew: memory stays bounded.
    fn forget_full(&self, buckets: &mut HashMap<Client, Bucket>, now: DateTime<Utc>) {
        buckets.retain(|client, bucket| {
            let rate = match client {
                Client::Subject(Audience::Staff, _) => self.staff,
                Client::Subject(Audience::Reader, _) => self.reader,
                Client::Subject(Audience::Device, _) => self.device,
                Client::Address(_) => self.anonymous,
            };
            rate.refilled(*bucket, now) < f64::from(rate.burst)
        });
        if buckets.len() >= CLIENTS_PER_SHARD {
            buckets.clear();
        }
    }
}

/// The middleware: counts every request, whatever it asks for, against the subject of its genuine token, else against its
/// address; a header that only looks like a token takes nobody out of the count. Probes are not counted. What the token
/// says is kept for the handler.
///
/// # Errors
/// As the service behind it.
pub async fn limit(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    match request.app_data::<web::Data<App>>().map(|app| count(app, &request)) {
        Some(Err(problem)) => Ok(request.into_response(problem.error_response())),
        _ => next.call(request).await,
    }
}

fn count(app: &App, request: &ServiceRequest) -> Result<(), Problem> {
    if request.path().starts_with("/health") {
        return Ok(());
    }
    let now = app.store.clock().now();
    let Some(claims) = genuine(app, request.request(), now) else {
        return app.limits.anonymous(request.request(), now);
    };
    app.limits.caller(&claims, now)?;
    request.extensions_mut().insert(claims);
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn limits(per_second: u32, burst: u32) -> RateLimits {
        let config = crate::config::Config::for_tests(std::path::Path::new("."), "sqlite:unused.db");
        RateLimits::new(&RatesConfig {
            anonymous_per_second: per_second,
            anonymous_burst: burst,
            ..config.rates
        })
    }

    fn client(n: u32) -> Client {
        Client::Address(IpAddr::V4(n.into()))
    }

    #[test]
    fn a_burst_is_let_through_then_the_rate() {
        let limits = limits(2, 3);
        let take = |n, now| limits.take(limits.anonymous, || client(n), now).is_ok();
        let start = DateTime::UNIX_EPOCH;
        assert_eq!(
            [take(1, start), take(1, start), take(1, start), take(1, start)],
            [true, true, true, false]
        );
        assert!(take(2, start), "another client has a bucket of its own");
        let later = start + TimeDelta::milliseconds(500);
        assert_eq!([take(1, later), take(1, later)], [true, false]);
        assert!(!take(1, start), "a clock set back gives nothing");
        let much_later = start + TimeDelta::hours(1);
        assert_eq!([1, 1, 1, 1].map(|n| take(n, much_later)), [true, true, true, false]);
    }

    #[test]
    fn zero_turns_a_limit_off() {
        let limits = limits(0, 0);
        for _ in 0..100 {
            assert!(
                limits
                    .take(limits.anonymous, || client(1), DateTime::UNIX_EPOCH)
                    .is_ok()
            );
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let limits = limits(1, 2);
        for n in 0..(2 * SHARDS * CLIENTS_PER_SHARD) as u32 {
            let _ = limits.take(limits.anonymous, || client(n), DateTime::UNIX_EPOCH);
        }
        for shard in &limits.shards {
            assert!(shard.lock().expect("not poisoned").len() <= CLIENTS_PER_SHARD);
        }
    }
}
