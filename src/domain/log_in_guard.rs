//! How fast log-ins may be tried, and why nobody can lock somebody else out.
//!
//! Failures are counted in three scopes. The *pair* of account and address: whoever mistypes, or guesses, from one place is
//! slowed there for that account, more with every failure. The *account* from all addresses, and the *address* for all accounts: they catch
//! guessing that is spread out, but slow strangers only, that is pairs that never logged in. So an attack from many
//! addresses leaves the owner, at an address that was good before, as free as ever, and lets a trickle of strangers in
//! among whom the owner may be.
//!
//! Not here: the secrets, and where the tallies are kept.

use chrono::{DateTime, TimeDelta, Utc};

/// What is remembered of one scope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Failures since the last success or since it was forgotten.
    pub failures: u32,
    pub failed_at: Option<DateTime<Utc>>,
    /// The last success; kept of pairs only.
    pub succeeded_at: Option<DateTime<Utc>>,
}

/// The three scopes of one attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tallies {
    pub pair: Tally,
    pub account: Tally,
    pub address: Tally,
}

/// How a scope slows down.
struct Pace {
    /// Failures that cost nothing.
    free: u32,
    /// The delay after the first failure that does; it doubles with each further one.
    first_delay_s: i64,
    most_delay_s: i64,
    /// Without a failure for so long, everything is forgotten.
    memory: TimeDelta,
}

const PAIR: Pace = Pace {
    free: 5,
    first_delay_s: 2,
    most_delay_s: 900,
    memory: TimeDelta::hours(24),
};
const ACCOUNT: Pace = Pace {
    free: 30,
    first_delay_s: 2,
    most_delay_s: 10,
    memory: TimeDelta::hours(1),
};
/// A library's readers share an address: many may be wrong before it means anything.
const ADDRESS: Pace = Pace {
    free: 200,
    first_delay_s: 1,
    most_delay_s: 2,
    memory: TimeDelta::hours(1),
};

/// How long a pair that was good is known.
pub const KNOWN_FOR: TimeDelta = TimeDelta::days(90);

impl Pace {
    fn current(&self, tally: &Tally, now: DateTime<Utc>) -> u32 {
        let fresh = tally.failed_at.is_some_and(|at| now - at < self.memory);
        if fresh { tally.failures } else { 0 }
    }

    fn open_at(&self, tally: &Tally, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let over = self.current(tally, now).checked_sub(self.free)?;
        let delay_s = self
            .first_delay_s
            .saturating_mul(1 << over.min(20))
            .min(self.most_delay_s);
        Some(tally.failed_at? + TimeDelta::seconds(delay_s))
    }

    fn counted(&self, tally: Tally, now: DateTime<Utc>) -> Tally {
        Tally {
            failures: self.current(&tally, now).saturating_add(1),
            failed_at: Some(now),
            ..tally
        }
    }
}

impl Tally {
    /// The moment from which it says nothing any more.
    pub fn forget_at(&self) -> Option<DateTime<Utc>> {
        let failed = self.failed_at.map(|at| at + PAIR.memory);
        let known = self.succeeded_at.map(|at| at + KNOWN_FOR);
        failed.max(known)
    }

    fn pardoned(self) -> Self {
        Self {
            failures: self.failures.saturating_sub(1),
            ..self
        }
    }
}

impl Tallies {
    /// Nobody has logged in to this account from this address lately.
    pub fn stranger(&self, now: DateTime<Utc>) -> bool {
        self.pair.succeeded_at.is_none_or(|at| now - at >= KNOWN_FOR)
    }

    /// How long the next attempt must wait; `None`: it may be made.
    ///
    /// ```
    /// use chrono::{DateTime, TimeDelta};
    /// use tongjie::domain::log_in_guard::Tallies;
    /// let now = DateTime::UNIX_EPOCH;
    /// let mut tallies = Tallies::default();
    /// for _ in 0..5 {
    ///     assert_eq!(tallies.wait(now), None);
    ///     tallies = tallies.attempted(now);
    /// }
    /// assert_eq!(tallies.wait(now), Some(TimeDelta::seconds(2)));
    /// assert_eq!(tallies.wait(now + TimeDelta::seconds(2)), None);
    /// ```
    pub fn wait(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let mut open_at = PAIR.open_at(&self.pair, now);
        if self.stranger(now) {
            open_at = open_at
                .max(ACCOUNT.open_at(&self.account, now))
                .max(ADDRESS.open_at(&self.address, now));
        }
        open_at.map(|at| at - now).filter(|wait| *wait > TimeDelta::zero())
    }

    /// With one more attempt, counted as a failure until it is known to be none: attempts made at once must not all pass
    /// as the first.
    #[must_use]
    pub fn attempted(self, now: DateTime<Utc>) -> Self {
        let pair = PAIR.counted(self.pair, now);
        if !self.stranger(now) {
            return Self { pair, ..self };
        }
        Self {
            pair,
            account: ACCOUNT.counted(self.account, now),
            address: ADDRESS.counted(self.address, now),
        }
    }

    /// The attempt was never judged: too busy, or the request was not valid.
    #[must_use]
    pub fn pardoned(self, was_stranger: bool) -> Self {
        let pair = self.pair.pardoned();
        if !was_stranger {
            return Self { pair, ..self };
        }
        Self {
            pair,
            account: self.account.pardoned(),
            address: self.address.pardoned(),
        }
    }

    /// The secret was right: the pair is good from now on. What others did to the account is not forgiven by that.
    #[must_use]
    pub fn succeeded(self, was_stranger: bool, now: DateTime<Utc>) -> Self {
        let pair = Tally {
            failures: 0,
            failed_at: None,
            succeeded_at: Some(now),
        };
        Self {
            pair,
            ..self.pardoned(was_stranger)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn the_delay_of_a_pair_doubles_up_to_a_quarter_of_an_hour() {
        let (mut tallies, mut now, mut delays) = (Tallies::default(), at(0), Vec::new());
        for _ in 0..16 {
            let wait = tallies.wait(now).unwrap_or_default();
            delays.push(wait.num_seconds());
            now += wait;
            tallies = tallies.attempted(now);
        }
        assert_eq!(delays, [0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        assert_eq!(
            tallies.wait(now + TimeDelta::hours(24)),
            None,
            "a day later it is forgotten"
        );
    }

    #[test]
    fn an_attack_from_everywhere_leaves_the_owner_free_and_strangers_a_trickle() {
        let now = at(0);
        let mut account = Tally::default();
        for _ in 0..1000 {
            account = Tallies {
                account,
                ..Tallies::default()
            }
            .attempted(now)
            .account;
        }
        let stranger = Tallies {
            account,
            ..Tallies::default()
        };
        assert_eq!(stranger.wait(now), Some(TimeDelta::seconds(10)));
        let owner = stranger.succeeded(true, now);
        assert_eq!(owner.wait(now), None);
        assert_eq!(
            owner.account.failures, 999,
            "a success of the owner does not forgive the attack"
        );
        let mistyped = owner.attempted(now);
        assert_eq!((mistyped.account, mistyped.wait(now)), (owner.account, None));
        assert_eq!(owner.wait(now + KNOWN_FOR), None, "an hour without failures is enough");
    }

    #[test]
    fn guessing_at_many_accounts_slows_the_strangers_of_an_address_only() {
        let now = at(0);
        let mut address = Tally::default();
        for _ in 0..300 {
            address = Tallies {
                address,
                ..Tallies::default()
            }
            .attempted(now)
            .address;
        }
        let stranger = Tallies {
            address,
            ..Tallies::default()
        };
        assert_eq!(stranger.wait(now), Some(TimeDelta::seconds(2)));
        assert_eq!(stranger.succeeded(true, now).wait(now), None);
    }

    #[test]
    fn an_attempt_that_was_not_judged_leaves_no_trace() {
        let now = at(0);
        for tallies in [Tallies::default(), Tallies::default().succeeded(false, now)] {
            let stranger = tallies.stranger(now);
            let after = tallies.attempted(now).pardoned(stranger);
            assert_eq!(
                [after.pair.failures, after.account.failures, after.address.failures],
                [0, 0, 0]
            );
        }
    }

    #[test]
    fn a_tally_is_kept_as_long_as_it_says_something() {
        let attempted = Tallies::default().attempted(at(0));
        assert_eq!(attempted.pair.forget_at(), Some(at(86_400)));
        let good = attempted.succeeded(true, at(5));
        assert_eq!(good.pair.forget_at(), Some(at(5) + KNOWN_FOR));
        assert_eq!(Tally::default().forget_at(), None);
    }
}
