//! A gateway for short messages behind a URL: one signed POST per message, under an idempotency key. An adapter for the port in
//! `usecase::send_notice`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};

use super::breaker::Breaker;
use super::signed_post::{Post, agent, in_words, is_for_now, post};
use crate::clock::Clock;
use crate::config::MessagesConfig;
use crate::usecase::deliver_outbox::Fault;
use crate::usecase::send_notice::{Messenger, Sent, ShortMessage};

/// The gateway behind a URL.
#[derive(Debug, Clone)]
pub struct HttpMessenger(Arc<Gateway>);

#[derive(Debug)]
struct Gateway {
    agent: ureq::Agent,
    url: String,
    secret: SecretString,
    clock: Clock,
    breaker: Breaker,
}

impl HttpMessenger {
    /// The gateway at one of the configured URLs; `None` where there is none.
    pub fn of(config: &MessagesConfig, url: Option<&String>, clock: &Clock) -> Option<Arc<Self>> {
        Some(Arc::new(Self(Arc::new(Gateway {
            agent: agent(Duration::from_millis(config.timeout_ms)),
            url: url?.clone(),
            secret: config.secret.clone()?,
            clock: clock.clone(),
            breaker: Breaker::default(),
        }))))
    }
}

impl Gateway {
    fn hand_over(&self, key: &str, message: &ShortMessage) -> Result<Sent, Fault> {
        let body = serde_json::to_vec(message).map_err(|error| Fault::Never(error.to_string()))?;
        let status = post(
            &self.agent,
            &Post {
                url: &self.url,
                headers: &[("Idempotency-Key", key)],
                body: &body,
                secrets: &[self.secret.expose_secret().to_owned()],
                now: self.clock.now(),
            },
        );
        match status.map_err(|error| Fault::Later(format!("the gateway: {}", in_words(&error))))? {
            200..=299 => Ok(Sent::Taken),
            // Gone: there is no such number.
            410 => Ok(Sent::NoSuchAddress("410".to_owned())),
            status if is_for_now(status) => Err(Fault::Later(format!("the gateway answered {status}"))),
            status => Err(Fault::Never(format!("the gateway answered {status}"))),
        }
    }
}

impl Messenger for HttpMessenger {
    async fn send(&self, key: &str, message: ShortMessage) -> Result<Sent, Fault> {
        let (gateway, key) = (Arc::clone(&self.0), key.to_owned());
        let sent = tokio::task::spawn_blocking(move || gateway.hand_over(&key, &message)).await;
        let sent = sent.unwrap_or_else(|_| Err(Fault::Later("the attempt ended by a panic".to_owned())));
        self.0
            .breaker
            .note(!matches!(sent, Err(Fault::Later(_))), Instant::now());
        sent
    }

    fn is_ready(&self) -> bool {
        self.0.breaker.is_closed(Instant::now())
    }
}
