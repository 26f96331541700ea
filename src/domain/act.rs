//! Who does an act where, what they may override, and the subtraction of it from the refusals found.
//! Not for: authenticating the caller or knowing their rights; the adapter puts those in.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ids::{DeviceId, LockerSessionId, UnitId};
use super::reader::Channel;
use super::refusal::{Code, Outcome, Refusal, Refusals, Verb};

/// Codes that staff override, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Overrides {
    pub codes: BTreeSet<Code>,
    /// Written by staff; blank overrides nothing.
    pub reason: String,
}

/// The circumstances of one act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub unit: UnitId,
    pub channel: Channel,
    pub device: Option<DeviceId>,
    /// The reader's session at a machine in which it is done; a desk, and a machine that was alone, has none.
    pub session: Option<LockerSessionId>,
    /// The caller has the right to override at this unit.
    pub may_override: bool,
    pub overrides: Overrides,
    /// Codes that staff have confirmed.
    pub confirmed: BTreeSet<Code>,
    /// The caller has the right to give a due date.
    pub may_set_due: bool,
    pub due_by_hand: Option<DateTime<Utc>>,
}

impl Act {
    /// An act without any special right or wish.
    pub const fn at(unit: UnitId, channel: Channel) -> Self {
        Self {
            unit,
            channel,
            device: None,
            session: None,
            may_override: false,
            overrides: Overrides {
                codes: BTreeSet::new(),
                reason: String::new(),
            },
            confirmed: BTreeSet::new(),
            may_set_due: false,
            due_by_hand: None,
        }
    }

    /// Whether the caller may pass this refusal.
    ///
    /// B never. O at a staffed channel, with the right, the code listed and a reason written. C at a staffed channel,
    /// with the code confirmed. I always. Overrides that nothing asked for are ignored.
    pub fn passes(&self, refusal: &Refusal) -> bool {
        let staffed = self.channel.is_staffed();
        match refusal.outcome {
            Outcome::Blocked => false,
            Outcome::Override => {
                let listed = self.overrides.codes.contains(&refusal.code);
                staffed && self.may_override && listed && !self.overrides.reason.trim().is_empty()
            }
            Outcome::Confirm => staffed && self.confirmed.contains(&refusal.code),
            Outcome::Info => true,
        }
    }
}

/// What is left after the subtraction, when nothing refuses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passed {
    /// Told, not refused.
    pub notices: Vec<Refusal>,
    /// Refusals that staff overrode.
    pub overridden: Vec<Refusal>,
    /// Refusals that staff confirmed.
    pub confirmed: Vec<Refusal>,
}

impl Passed {
    /// The overridden codes, for the event.
    pub fn overridden_codes(&self) -> Vec<Code> {
        self.overridden.iter().map(|refusal| refusal.code).collect()
    }
}

/// Collects everything a decision finds before anything is subtracted.
#[derive(Debug)]
pub(super) struct Findings {
    verb: Verb,
    staffed: bool,
    list: Vec<Refusal>,
}

impl Findings {
    pub(super) const fn new(verb: Verb, channel: Channel) -> Self {
        Self {
            verb,
            staffed: channel.is_staffed(),
            list: Vec::new(),
        }
    }

    /// Adds a code with the outcome the table declares for this verb and channel.
    pub(super) fn add(&mut self, code: Code) -> &mut Refusal {
        let at = self.list.len();
        self.list
            .push(Refusal::new(code, code.outcome(self.verb, self.staffed)));
        &mut self.list[at]
    }

    /// The subtraction.
    ///
    /// # Errors
    /// Everything the caller may not pass.
    pub(super) fn subtract(self, act: &Act) -> Result<Passed, Refusals> {
        let (passed, refused): (Vec<_>, Vec<_>) = self.list.into_iter().partition(|one| act.passes(one));
        if !refused.is_empty() {
            return Err(Refusals(refused));
        }
        Ok(sort(passed))
    }

    /// The subtraction where a blocked refusal was found, so that no plan is possible.
    pub(super) fn refuse(self, act: &Act) -> Refusals {
        Refusals(self.list.into_iter().filter(|one| !act.passes(one)).collect())
    }

    /// The findings of a step that only tells.
    pub(super) fn told(self) -> Vec<Refusal> {
        self.list
    }

    /// For acts that cannot be refused (a book already lies in the drop): everything is only told. Gives back the
    /// codes that would have refused, in the order found.
    pub(super) fn tell(self, act: &Act) -> (Passed, Vec<Code>) {
        let refused = self
            .list
            .iter()
            .filter(|one| !act.passes(one))
            .map(|one| one.code)
            .collect();
        let told = self.list.into_iter().map(|one| Refusal {
            outcome: Outcome::Info,
            ..one
        });
        (sort(told.collect()), refused)
    }
}

fn sort(found: Vec<Refusal>) -> Passed {
    let mut passed = Passed::default();
    for refusal in found {
        match refusal.outcome {
            Outcome::Override => passed.overridden.push(refusal),
            Outcome::Confirm => passed.confirmed.push(refusal),
            Outcome::Info | Outcome::Blocked => passed.notices.push(refusal),
        }
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(outcome: Outcome) -> Refusal {
        Refusal::new(Code::LimitLoans, outcome)
    }

    #[test]
    fn the_subtraction_rule_holds_in_every_combination() {
        let codes = BTreeSet::from([Code::LimitLoans]);
        for bits in 0..32_u8 {
            let [right, listed, reason, confirmed, staffed] = std::array::from_fn(|bit| bits & (1 << bit) != 0);
            let channel = if staffed { Channel::Desk } else { Channel::Kiosk };
            let act = Act {
                may_override: right,
                overrides: Overrides {
                    codes: if listed { codes.clone() } else { BTreeSet::new() },
                    reason: if reason { "checked".to_owned() } else { "  ".to_owned() },
                },
                confirmed: if confirmed { codes.clone() } else { BTreeSet::new() },
                ..Act::at(UnitId::new(1), channel)
            };
            assert!(!act.passes(&refusal(Outcome::Blocked)));
            assert_eq!(
                act.passes(&refusal(Outcome::Override)),
                right && listed && reason && staffed
            );
            assert_eq!(act.passes(&refusal(Outcome::Confirm)), confirmed && staffed);
            assert!(act.passes(&refusal(Outcome::Info)));
        }
    }
}
