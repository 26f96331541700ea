//! A renewal that was promised already, judged as of its time: it is recorded, with what would have refused it.
//! Not for: whether it contradicts the records (`journal_act`).

use chrono::{DateTime, Utc};

use super::loan::OpenLoan;
use super::refusal::Code;
use super::renew::{Facts, Plan, judge};

/// What comes of a renewal of this loan at that time, and every code that would have refused it then.
///
/// ```
/// # use tongjie::domain::example;
/// use tongjie::domain::loan::OpenLoan;
/// use tongjie::domain::refusal::Code;
/// use tongjie::domain::renew::{Demand, Facts};
/// use tongjie::domain::renew_past::decide;
/// let world = example::world();
/// let (act, reader, loan) = (world.at_desk(), world.reader(), world.loan());
/// let renewed = OpenLoan { renewals: 9, ..loan.clone() };
/// let item = world.item_on_loan(&renewed);
/// let demand = Demand::default();
/// let facts = Facts { act: &act, network: &world.network, reader: &reader, item: &item, loan: None, demand };
/// let (plan, refused) = decide(&facts, &renewed, loan.due_at);
/// assert!(plan.due_at > loan.due_at);
/// assert_eq!(refused, [Code::RenewalLimit]);
/// ```
pub fn decide(facts: &Facts<'_>, loan: &OpenLoan, then: DateTime<Utc>) -> (Plan, Vec<Code>) {
    let (found, mut plan) = judge(facts, loan, then);
    let (_, mut refused) = found.tell(facts.act);
    refused.dedup();
    // Nothing is due later than its card counts.
    if refused.contains(&Code::CardExpired) {
        plan.due_at = loan.due_at;
    }
    (plan, refused)
}
