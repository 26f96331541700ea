//! How the simulation calls a use case: often under a key, sometimes twice, with what staff say to refusals; and what it
//! makes of the answer. Success and declared refusals are answers, everything else is a violation.

use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use tongjie::domain::act::Overrides;
use tongjie::store::{Once, Store, StoreError};
use tongjie::usecase::record::Consent;
use tongjie::usecase::{IdempotencyKey, Result, UseCaseError};

use super::run::Simulation;

/// What a call sends: the store and its key are given anew each time.
pub type Key = Option<IdempotencyKey>;

impl Simulation {
    /// One call that changes something. `None`: it was refused.
    pub async fn call<T, F, Fut>(&mut self, verb: &'static str, send: F) -> Option<T>
    where
        T: Serialize,
        F: Fn(Arc<Store>, Key) -> Fut,
        Fut: Future<Output = Result<Once<T>>>,
    {
        self.attempt(verb, send).await.ok()
    }

    async fn attempt<T, F, Fut>(&mut self, verb: &'static str, send: F) -> Result<T>
    where
        T: Serialize,
        F: Fn(Arc<Store>, Key) -> Fut,
        Fut: Future<Output = Result<Once<T>>>,
    {
        let rehearses = std::mem::take(&mut self.rehearsing);
        let keyed = self.random.percent(60) && !rehearses;
        let key = keyed.then(|| self.key());
        let once = self.weigh(verb, send(self.store.clone(), key.clone()).await)?;
        if once.replayed {
            self.violated(format!("{verb}: a new key was answered with something stored"));
        }
        if let Some(key) = key {
            if self.random.percent(20) {
                self.send_again(verb, &once.value, key.clone(), &send).await;
            }
            if self.random.percent(8) {
                self.send_another(verb, key, &send).await;
            }
        }
        Ok(once.value)
    }

    /// As `call`, where staff may pass what was refused: they look at it, and mostly do.
    pub async fn insist<T, F, Fut>(&mut self, verb: &'static str, send: F) -> Option<(T, bool)>
    where
        T: Serialize,
        F: Fn(Arc<Store>, Consent, Key) -> Fut,
        Fut: Future<Output = Result<Once<T>>>,
    {
        let rehearses = self.rehearsing;
        let mute = Consent {
            seal: Some(self.seal.clone()),
            ..Consent::default()
        };
        let first = self.attempt(verb, |store, key| send(store, mute.clone(), key)).await;
        let (refusals, offer) = match first {
            Ok(value) => return Some((value, false)),
            Err(UseCaseError::Passable { refusals, offer, .. }) => (refusals, offer),
            Err(_) => return None,
        };
        if self.random.percent(30) {
            return None;
        }
        let consent = Consent {
            overrides: Overrides {
                codes: refusals.0.iter().map(|one| one.code).collect(),
                reason: "经馆长同意".to_owned(),
            },
            confirmed: refusals.0.iter().map(|one| one.code).collect(),
            token: Some(offer.token),
            ..mute
        };
        self.rehearsing = rehearses;
        let value = self.call(verb, |store, key| send(store, consent.clone(), key)).await;
        value.map(|value| (value, true))
    }

    /// A look: nothing is changed.
    pub async fn look<T>(&mut self, verb: &'static str, answer: impl Future<Output = Result<T>>) -> Option<T> {
        let answer = answer.await;
        self.judge(verb, answer)
    }

    pub fn key(&mut self) -> IdempotencyKey {
        self.keys += 1;
        IdempotencyKey {
            key: format!("sim-{}", self.keys),
            request_hash: [1; 32],
        }
    }

    /// The same once more: the same answer, and nothing new.
    async fn send_again<T, F, Fut>(&mut self, verb: &'static str, first: &T, key: IdempotencyKey, send: &F)
    where
        T: Serialize,
        F: Fn(Arc<Store>, Key) -> Fut,
        Fut: Future<Output = Result<Once<T>>>,
    {
        let before = self.traces();
        match send(self.store.clone(), Some(key)).await {
            Ok(again) if again.replayed => {
                let (first, again) = (text(first), text(&again.value));
                if first != again {
                    self.violated(format!("{verb}: sent again, it answered {again} after {first}"));
                }
            }
            Ok(_) => self.violated(format!("{verb}: sent again under its key, it was done again")),
            Err(error) => self.violated(format!("{verb}: sent again under its key, it failed: {error:?}")),
        }
        if before != self.traces() {
            self.violated(format!("{verb}: sent again under its key, it left something behind"));
        }
    }

    /// Another request under the same key: refused.
    async fn send_another<T, F, Fut>(&mut self, verb: &'static str, key: IdempotencyKey, send: &F)
    where
        F: Fn(Arc<Store>, Key) -> Fut,
        Fut: Future<Output = Result<Once<T>>>,
    {
        let other = IdempotencyKey {
            request_hash: [2; 32],
            ..key
        };
        match send(self.store.clone(), Some(other)).await {
            Err(UseCaseError::Store(StoreError::KeyReused)) => {}
            Ok(_) => self.violated(format!("{verb}: another request under a used key was done")),
            Err(error) => self.violated(format!("{verb}: another request under a used key met {error:?}")),
        }
    }

    /// The answer of a single caller.
    pub fn judge<T>(&mut self, verb: &'static str, answer: Result<T>) -> Option<T> {
        self.weigh(verb, answer).ok()
    }

    fn weigh<T>(&mut self, verb: &'static str, answer: Result<T>) -> Result<T> {
        self.operations += 1;
        let count = self.counts.entry(verb).or_default();
        let Err(error) = &answer else {
            count.done += 1;
            return answer;
        };
        count.refused += 1;
        *self.reasons.entry(format!("{verb}: {}", reason(error))).or_default() += 1;
        if !is_declared(error) {
            self.violated(format!("{verb} failed: {error:?}"));
        }
        if matches!(error, UseCaseError::Refused(refusals) if refusals.0.is_empty()) {
            self.violated(format!("{verb} was refused for no reason"));
        }
        answer
    }

    /// How many events and outcomes there are.
    fn traces(&self) -> [i64; 2] {
        let mut outside = self.db.outside();
        ["events", "idempotency_keys"].map(|table| outside.number(&format!("SELECT count(*) AS n FROM {table}")))
    }
}

/// A caller can do something about it.
pub fn is_declared(error: &UseCaseError) -> bool {
    matches!(
        error,
        UseCaseError::Refused(_)
            | UseCaseError::Passable { .. }
            | UseCaseError::Invalid(_)
            | UseCaseError::NotFound(_)
            | UseCaseError::Ambiguous { .. }
            | UseCaseError::Forbidden
            | UseCaseError::State(_)
            | UseCaseError::Merged { .. }
            | UseCaseError::Stale(_)
            | UseCaseError::CompartmentState(_)
            | UseCaseError::CompartmentTurn { .. }
            | UseCaseError::NoCompartmentFits { .. }
            | UseCaseError::LoadIt
            | UseCaseError::LockerInUse { .. }
            | UseCaseError::LockerSessionEnded(_)
            | UseCaseError::TooManyLogIns { .. }
    )
}

fn reason(error: &UseCaseError) -> String {
    match error {
        UseCaseError::Invalid(fields) => fields
            .iter()
            .map(|one| format!("{} {}; ", one.field, one.reason))
            .collect(),
        other => other.to_string(),
    }
}

pub fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("an outcome is JSON")
}
