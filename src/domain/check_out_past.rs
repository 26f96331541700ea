//! A check-out that has happened already, judged as of its time: it is recorded, with what would have refused it.
//! Not for: whether it contradicts the records (`journal_act`).

use chrono::{DateTime, Utc};

use super::act::Passed;
use super::check_out::{Facts, Plan, judge, plan};
use super::refusal::Code;

/// What comes of a check-out at that time, and every code that would have refused it then. Nothing is passed: nobody was asked.
///
/// ```
/// # use tongjie::domain::example;
/// use tongjie::domain::check_out::{Demand, Effect, Facts};
/// use tongjie::domain::check_out_past::decide;
/// use tongjie::domain::refusal::Code;
/// let world = example::world();
/// let (act, item) = (world.at_desk(), world.item());
/// let reader = world.reader_with_loans(10);
/// let facts = Facts { act: &act, network: &world.network, reader: &reader, item: &item, demand: Demand::default() };
/// let (plan, refused) = decide(&facts, world.now);
/// assert!(matches!(plan.effect, Effect::Loan { .. }));
/// assert_eq!(refused, [Code::LimitCreditBand]);
/// ```
pub fn decide(facts: &Facts<'_>, then: DateTime<Utc>) -> (Plan, Vec<Code>) {
    let (found, judged) = judge(facts, then);
    let (_, mut refused) = found.tell(facts.act);
    // That something happened since says nothing about then.
    refused.retain(|code| *code != Code::OlderThanLastEvent);
    refused.dedup();
    (plan(facts, judged, Passed::default()), refused)
}
