//! Webhooks over HTTP: one signed POST per event, to public places only (`public_hosts`). An adapter for the port in `usecase::tell_webhook`. Each webhook has a breaker of
//! its own, so that one that is down keeps no other waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::breaker::Breaker;
use super::public_hosts::{PublicHosts, is_refusal};
use super::signed_post::{Post, in_words, is_for_now, post};
use crate::clock::Clock;
use crate::config::WebhooksConfig;
use crate::usecase::deliver_outbox::Fault;
use crate::usecase::tell_webhook::{Hooks, Told};

/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The id of the event: act once on it.
const EVENT: &str = "Tongjie-Event";

/// Tells webhooks.
#[derive(Debug)]
pub struct HttpWebhooks {
    agent: ureq::Agent,
    clock: Clock,
    breakers: Mutex<HashMap<i64, Arc<Breaker>>>,
}

impl HttpWebhooks {
    pub fn new(config: &WebhooksConfig, clock: &Clock) -> Arc<Self> {
        Arc::new(Self {
            agent: PublicHosts::of(config).agent(TIMEOUT),
            clock: clock.clone(),
            breakers: Mutex::default(),
        })
    }

    fn breaker(&self, webhook: i64) -> Arc<Breaker> {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(breakers.entry(webhook).or_default())
    }
}

impl Hooks for HttpWebhooks {
    async fn tell(&self, key: &str, told: Told) -> Result<u16, Fault> {
        let breaker = self.breaker(told.webhook);
        let (agent, key, now) = (self.agent.clone(), key.to_owned(), self.clock.now());
        let answered = tokio::task::spawn_blocking(move || {
            let body = told.body.to_string().into_bytes();
            post(
                &agent,
                &Post {
                    url: &told.url,
                    headers: &[(EVENT, &key)],
                    body: &body,
                    secrets: &told.secrets,
                    now,
                },
            )
        });
        let ended = match answered.await {
            Ok(Ok(status @ 200..=299)) => Ok(status),
            Ok(Ok(status)) if is_for_now(status) => Err(Fault::Later(format!("it answered {status}"))),
            Ok(Ok(status)) => Err(Fault::Never(format!("it answered {status}"))),
            // Given up at once, and seen in the list of what was: the webhook or the settings are wrong.
            Ok(Err(error)) if is_refusal(&error) => Err(Fault::Never(in_words(&error))),
            Ok(Err(error)) => Err(Fault::Later(in_words(&error))),
            Err(_) => Err(Fault::Later("the attempt ended by a panic".to_owned())),
        };
        breaker.note(!matches!(ended, Err(Fault::Later(_))), Instant::now());
        ended
    }

    fn is_ready(&self, webhook: i64) -> bool {
        self.breaker(webhook).is_closed(Instant::now())
    }
}
