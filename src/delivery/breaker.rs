//! A light circuit breaker: after some failures in a row nobody is asked for a while, so that a carrier that is down is not
//! waited for once per parcel.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// How long it stays open.
const REST: Duration = Duration::from_secs(30);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// Whether it makes sense to ask now. After the rest one may try; its failure opens the breaker again.
    pub fn is_closed(&self, now: Instant) -> bool {
        self.state().open_until.is_none_or(|until| until <= now)
    }

    /// Notes how an attempt ended.
    pub fn note(&self, reached: bool, now: Instant) {
        let mut state = self.state();
        if reached {
            *state = State::default();
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            state.open_until = Some(now + REST);
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_try_after_a_rest() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 1..FAILURES {
            breaker.note(false, start);
        }
        breaker.note(true, start);
        for _ in 1..FAILURES {
            breaker.note(false, start);
        }
        assert!(breaker.is_closed(start), "not in a row");
        breaker.note(false, start);
        assert!(!breaker.is_closed(start));
        let later = start + REST;
        assert!(breaker.is_closed(later));
        breaker.note(false, later);
        assert!(!breaker.is_closed(later), "the one that tried failed");
        breaker.note(true, later);
        assert!(breaker.is_closed(later));
    }
}
