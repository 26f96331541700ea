//! Automatic renewal: whether the job renews a loan now, by the same decision as a reader at home, who consents to nothing.
//! Not for: finding the loans, or telling readers.

use chrono::{DateTime, Days, Utc};

use super::network::Network;
use super::refusal::Code;
use super::renew::{self, Facts, Plan, situation};

/// What the job did to a loan before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Before {
    /// Renewals that nobody asked for.
    pub renewals: u16,
    /// The due date for which it was refused.
    pub refused_for: Option<DateTime<Utc>>,
}

/// What the job does with a loan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Renew(Plan),
    /// It stays as it is. Not tried again until it has another due date.
    Refused(Vec<Code>),
    /// Nothing to do, or not yet.
    Leave,
}

/// The last moment at which a loan may be due that is looked at now: the end of the day `days` calendar days ahead.
pub fn due_until(network: &Network, days: u16, now: DateTime<Utc>) -> DateTime<Utc> {
    let day = network.local_day(now);
    let last = day.checked_add_days(Days::new(u64::from(days))).unwrap_or(day);
    super::calendar::end_of_day(network.zone(), last)
}

/// Decides about one loan, tried in the last `days` calendar days before its due date and on that day.
///
/// A loan is left alone when its terms do not ask for it, when it is returned, overdue or not due yet, when it was refused for this
/// due date already, or when its renewals by the job are used up; and as long as it is too soon.
///
/// ```
/// # use tongjie::domain::example;
/// use chrono::Days;
/// use tongjie::domain::auto_renew::{Before, Verdict, decide};
/// use tongjie::domain::renew::{Demand, Facts};
/// let world = example::world();
/// let (act, reader, loan) = (world.at_desk(), world.reader(), world.loan());
/// let item = world.item_on_loan(&loan);
/// let demand = Demand::default();
/// let facts = Facts { act: &act, network: &world.network, reader: &reader, item: &item, loan: Some(&loan), demand };
/// // The preset renews nothing by itself.
/// assert_eq!(decide(&facts, Before::default(), 1, loan.due_at), Verdict::Leave);
/// ```
pub fn decide(facts: &Facts<'_>, before: Before, days: u16, now: DateTime<Utc>) -> Verdict {
    let Some(loan) = facts.loan else {
        return Verdict::Leave;
    };
    let terms = facts.network.winner(&situation(facts, loan)).terms;
    let used_up = terms.auto_renewals > 0 && before.renewals >= terms.auto_renewals;
    let in_time = now <= loan.due_at && loan.due_at <= due_until(facts.network, days, now);
    if !terms.auto_renew || used_up || !in_time || before.refused_for == Some(loan.due_at) {
        return Verdict::Leave;
    }
    match renew::decide(facts, now) {
        Ok(plan) => Verdict::Renew(plan),
        Err(refusals) if refusals.has(Code::RenewalTooSoon) => Verdict::Leave,
        Err(refusals) => Verdict::Refused(refusals.codes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::act::Act;
    use crate::domain::example::{self, BRANCH, World};
    use crate::domain::item::ItemStatus;
    use crate::domain::loan::OpenLoan;
    use crate::domain::policy::Terms;
    use crate::domain::reader::{Channel, ReaderFacts};
    use crate::domain::renew::Demand;

    /// The example's world, where everything may be renewed twice and is renewed by itself.
    fn world(change: impl Fn(&mut Terms)) -> World {
        let mut parts = example::parts();
        for row in &mut parts.rules.terms {
            row.terms.auto_renew = true;
            row.terms.renewals = 2;
            change(&mut row.terms);
        }
        World {
            network: Network::build(parts).unwrap(),
            ..example::world()
        }
    }

    struct Case<'a> {
        world: &'a World,
        loan: OpenLoan,
        reader: ReaderFacts,
        status: ItemStatus,
        demand: Demand,
        before: Before,
    }

    fn case(world: &World) -> Case<'_> {
        Case {
            world,
            loan: world.loan(),
            reader: world.reader(),
            status: ItemStatus::OnLoan,
            demand: Demand::default(),
            before: Before::default(),
        }
    }

    impl Case<'_> {
        /// The verdict so many days before it is due.
        fn verdict(&self, ahead: u64) -> Verdict {
            let mut item = self.world.item_on_loan(&self.loan);
            item.status = self.status;
            let act = Act::at(BRANCH, Channel::Portal);
            let facts = Facts {
                act: &act,
                network: &self.world.network,
                reader: &self.reader,
                item: &item,
                loan: Some(&self.loan),
                demand: self.demand,
            };
            decide(&facts, self.before, 1, self.loan.due_at - Days::new(ahead))
        }

        fn refused(&self) -> Vec<Code> {
            match self.verdict(1) {
                Verdict::Refused(codes) => codes,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_loan_is_renewed_from_the_day_before_it_is_due_to_its_last_moment() {
        let world = world(|_| ());
        let case = case(&world);
        for (ahead, renews) in [(3, false), (2, false), (1, true), (0, true)] {
            let verdict = case.verdict(ahead);
            assert_eq!(matches!(verdict, Verdict::Renew(_)), renews, "{ahead} days before");
            assert!(renews || verdict == Verdict::Leave);
        }
        let Verdict::Renew(plan) = case.verdict(1) else {
            panic!("it is in time")
        };
        assert!(plan.due_at > case.loan.due_at && plan.renewals == case.loan.renewals + 1 && !plan.due_by_hand);
    }

    #[test]
    fn what_is_overdue_used_up_tried_or_not_asked_for_is_left_alone() {
        let usual = world(|_| ());
        let mut overdue = case(&usual);
        overdue.loan.due_at = usual.now - Days::new(1);
        let facts_now = |case: &Case<'_>| {
            let item = usual.item_on_loan(&case.loan);
            let act = Act::at(BRANCH, Channel::Portal);
            let (network, reader, loan) = (&usual.network, &case.reader, Some(&case.loan));
            decide(
                &Facts {
                    act: &act,
                    network,
                    reader,
                    item: &item,
                    loan,
                    demand: case.demand,
                },
                case.before,
                1,
                usual.now,
            )
        };
        assert_eq!(facts_now(&overdue), Verdict::Leave);
        let mut tried = case(&usual);
        tried.before.refused_for = Some(tried.loan.due_at);
        assert_eq!(tried.verdict(1), Verdict::Leave);
        tried.before.refused_for = Some(tried.loan.loaned_at);
        assert!(
            matches!(tried.verdict(1), Verdict::Renew(_)),
            "refused for another due date"
        );
        let one = world(|terms| terms.auto_renewals = 1);
        let mut used_up = case(&one);
        assert!(matches!(used_up.verdict(1), Verdict::Renew(_)));
        used_up.before.renewals = 1;
        assert_eq!(used_up.verdict(1), Verdict::Leave);
        let off = world(|terms| terms.auto_renew = false);
        assert_eq!(case(&off).verdict(1), Verdict::Leave);
    }

    #[test]
    fn what_a_reader_at_home_would_be_refused_is_refused() {
        let world = world(|_| ());
        let mut renewed = case(&world);
        renewed.loan.renewals = 2;
        assert_eq!(renewed.refused(), [Code::RenewalLimit]);
        let mut wanted = case(&world);
        wanted.demand.waiting = 1;
        assert_eq!(wanted.refused(), [Code::WantedByOthers]);
        let mut recalled = case(&world);
        recalled.loan.recalled_at = Some(world.now);
        assert_eq!(recalled.refused(), [Code::Recalled]);
        for (status, code) in [
            (ItemStatus::ClaimedReturned, Code::ItemClaimedReturned),
            (ItemStatus::Lost, Code::ItemLost),
        ] {
            let mut gone = case(&world);
            gone.status = status;
            assert_eq!(gone.refused(), [code]);
        }
        let mut expired = case(&world);
        expired.reader.card.expires_on = Some(world.network.local_day(expired.loan.due_at - Days::new(2)));
        assert!(expired.refused().contains(&Code::CardExpired));
    }

    #[test]
    fn a_window_that_opens_later_is_waited_for() {
        let world = world(|terms| terms.renew_window_days = 1);
        let case = case(&world);
        let mut earlier = case.loan.due_at - Days::new(1);
        earlier -= chrono::TimeDelta::hours(1);
        let item = world.item_on_loan(&case.loan);
        let act = Act::at(BRANCH, Channel::Portal);
        let (network, reader, loan) = (&world.network, &case.reader, Some(&case.loan));
        let facts = Facts {
            act: &act,
            network,
            reader,
            item: &item,
            loan,
            demand: case.demand,
        };
        assert_eq!(decide(&facts, case.before, 1, earlier), Verdict::Leave);
        assert!(matches!(case.verdict(0), Verdict::Renew(_)));
    }

    #[test]
    fn a_due_date_never_passes_the_card() {
        let world = world(|_| ());
        let mut short = case(&world);
        let end = world.network.local_day(short.loan.due_at) + Days::new(4);
        short.reader.card.expires_on = Some(end);
        let Verdict::Renew(plan) = short.verdict(1) else {
            panic!("four days are left")
        };
        assert!(world.network.local_day(plan.due_at) <= end);
    }
}
