//! A carrier that is booked over HTTP: one POST per parcel, in bounded time, under an idempotency key.

use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::breaker::Breaker;
use crate::config::DeliveryConfig;
use crate::usecase::book_carrier::{Booked, Booking, Carrier};
use crate::usecase::deliver_outbox::Fault;

/// An answer that is longer is none.
const ANSWER_BYTES: u64 = 64 * 1024;
/// A tracking number that is longer is none.
const NUMBER_CHARS: usize = 64;

/// The carrier behind a URL.
#[derive(Debug)]
pub struct HttpCarrier {
    agent: ureq::Agent,
    url: String,
    token: Option<SecretString>,
    breaker: Breaker,
}

#[derive(Deserialize)]
struct Answer {
    tracking_number: String,
}

impl HttpCarrier {
    /// The carrier that is configured; `None` where there is none.
    pub fn of(config: &DeliveryConfig) -> Option<Arc<Self>> {
        let url = config.carrier_url.as_ref()?;
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_millis(config.timeout_ms)))
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .into();
        Some(Arc::new(Self {
            agent,
            url: format!("{}/bookings", url.trim_end_matches('/')),
            token: config.carrier_token.clone(),
            breaker: Breaker::default(),
        }))
    }

    fn post(&self, key: &str, booking: &Booking) -> Result<Booked, Fault> {
        let body = serde_json::to_vec(booking).map_err(|error| Fault::Never(error.to_string()))?;
        let mut request = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", key);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {}", token.expose_secret()));
        }
        let mut response = request.send(&body[..]).map_err(|error| Fault::Later(told(&error)))?;
        let status = response.status().as_u16();
        match status {
            200..=299 => {}
            // Told to go elsewhere or to say who we are: the settings are wrong, not the parcel.
            300..=399 | 401 | 403 | 407 => {
                return Err(Fault::Later(format!(
                    "the carrier answered {status}: look at its URL and token"
                )));
            }
            408 | 425 | 429 | 500..=599 => return Err(Fault::Later(format!("the carrier answered {status}"))),
            _ => return Err(Fault::Never(format!("the carrier answered {status}"))),
        }
        let read = response.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec();
        let bytes = read.map_err(|error| Fault::Later(told(&error)))?;
        let answer: Answer = serde_json::from_slice(&bytes)
            .map_err(|_| Fault::Later("the carrier's answer is not a booking".to_owned()))?;
        let number = answer.tracking_number.trim();
        let fits = (1..=NUMBER_CHARS).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits {
            return Err(Fault::Later("the carrier's tracking number is none".to_owned()));
        }
        Ok(Booked {
            tracking_number: number.to_owned(),
        })
    }
}

/// What went wrong, without the address that was sent: errors of the client do not repeat bodies.
fn told(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "the carrier did not answer in time".to_owned(),
        other => format!("the carrier could not be reached: {other}"),
    }
}

/// The one that the worker shares with whoever looks at it.
#[derive(Debug, Clone)]
pub struct SharedCarrier(pub Arc<HttpCarrier>);

impl Carrier for SharedCarrier {
    async fn book(&self, key: &str, booking: Booking) -> Result<Booked, Fault> {
        let (carrier, key) = (Arc::clone(&self.0), key.to_owned());
        let sent = tokio::task::spawn_blocking(move || carrier.post(&key, &booking)).await;
        let booked = sent.unwrap_or_else(|_| Err(Fault::Later("the attempt ended by a panic".to_owned())));
        self.0
            .breaker
            .note(!matches!(booked, Err(Fault::Later(_))), Instant::now());
        booked
    }

    fn is_ready(&self) -> bool {
        self.0.breaker.is_closed(Instant::now())
    }
}
