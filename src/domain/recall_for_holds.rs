//! Recalls by rule: which loans are called back for the holds of one bib that nothing else serves.
//! Not for: what a recall does to a loan (see `recall`), or copies on shelves (see `target_hold`).

use std::cmp::Reverse;

use chrono::{DateTime, NaiveDate, Utc};

use super::hold::{CopyFacts, QUEUE_COUNTED, may_fill};
use super::ids::{ItemId, LoanId};
use super::loan::OpenLoan;
use super::network::Network;
use super::policy::Situation;
use super::reader::CreditBand;
use super::recall::{self, Guarantee};
use super::target_hold::{Waiting, sends};

/// A copy that is on loan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lent {
    pub copy: CopyFacts,
    pub loan: OpenLoan,
    pub band: CreditBand,
}

/// What stands around the holds of one bib.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub network: &'a Network,
    /// The holds that nothing is being fetched for, in the order of the queue.
    pub waiting: &'a [Waiting],
    /// Copies that are not on loan, not set aside and not being fetched.
    pub free: &'a [CopyFacts],
    pub lent: &'a [Lent],
    pub guarantee: Guarantee,
}

/// A loan to be called back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recall {
    pub item: ItemId,
    pub loan: LoanId,
}

/// A loan that may be called back, and when it would be due then.
struct Offer<'a> {
    lent: &'a Lent,
    due_at: DateTime<Utc>,
}

/// Chooses loans to call back, at most one for each hold that no copy serves and at most `room`, in the order of their items.
///
/// A hold is served by a copy that stands on a shelf of a unit that sends it, that is under way or in processing, that was called back
/// already, or that is due no later than a recall could bring it. For the others, in the order of the queue, the loan is
/// taken whose reader has had most of the guaranteed time: the one that would be due first, then the oldest. Its terms must ask for
/// it (`recall_holds`), and its reader must not be the one who waits. A hold that is not wanted any more by then recalls nothing.
pub fn choose(facts: &Facts<'_>, now: DateTime<Utc>, room: usize) -> Vec<Recall> {
    let today = facts.network.local_day(now);
    let (coming, mut offers) = sort_out(facts, now);
    let unserved = unserved(facts, coming, today);
    let asked = u16::try_from(unserved.len()).unwrap_or(u16::MAX);
    offers.retain(|offer| (1..=asked).contains(&recall_holds(facts.network, offer.lent)));
    let mut chosen = Vec::new();
    for hold in unserved {
        if chosen.len() == room || offers.is_empty() {
            break;
        }
        let serves = |offer: &Offer<'_>| {
            let back = facts.network.local_day(offer.due_at);
            offer.lent.loan.reader != hold.reader
                && hold.wanted_until.is_none_or(|last| back <= last)
                && may_fill(facts.network, &offer.lent.copy, &hold.wish, today).is_ok()
        };
        if let Some(at) = offers.iter().position(serves) {
            let loan = &offers.remove(at).lent.loan;
            chosen.push(Recall {
                item: loan.item,
                loan: loan.id,
            });
        }
    }
    chosen.sort_unstable();
    chosen
}

/// The copies that serve holds without a recall, the surest first, and the loans that might be called back, the fairest first.
fn sort_out<'a>(facts: &Facts<'a>, now: DateTime<Utc>) -> (Vec<&'a CopyFacts>, Vec<Offer<'a>>) {
    let mut coming: Vec<&CopyFacts> = facts.free.iter().collect();
    coming.sort_by_key(|copy| Reverse(copy.is_on_shelf()));
    let mut offers = Vec::new();
    for lent in facts.lent {
        let loan = &lent.loan;
        match recall::decide(facts.network, loan, lent.copy.status, facts.guarantee, now) {
            Ok(plan) if plan.earlier => offers.push(Offer {
                lent,
                due_at: plan.due_at,
            }),
            Ok(_) if loan.due_at >= now => coming.push(&lent.copy),
            // Overdue: a recall brings nothing forward, and nobody knows when it comes.
            Ok(_) => {}
            Err(_) if loan.recalled_at.is_some() => coming.push(&lent.copy),
            Err(_) => {}
        }
    }
    offers.sort_by_key(|offer| (offer.due_at, offer.lent.loan.loaned_at, offer.lent.loan.id));
    (coming, offers)
}

/// The holds that none of these copies serves.
fn unserved<'a>(facts: &Facts<'a>, mut coming: Vec<&CopyFacts>, today: NaiveDate) -> Vec<&'a Waiting> {
    let serves = |copy: &CopyFacts, hold: &Waiting| {
        let reaches = !copy.is_on_shelf() || sends(facts.network, copy.current, hold).is_some();
        reaches && copy.circulates() && may_fill(facts.network, copy, &hold.wish, today).is_ok()
    };
    let looked_at = facts.waiting.iter().take(usize::from(QUEUE_COUNTED));
    let left = looked_at.filter(|hold| match coming.iter().position(|copy| serves(copy, hold)) {
        Some(at) => {
            coming.remove(at);
            false
        }
        None => true,
    });
    left.collect()
}

/// From how many unserved holds on the terms of a loan call it back; 0 is never.
fn recall_holds(network: &Network, lent: &Lent) -> u16 {
    let situation = Situation {
        unit: lent.loan.unit,
        category: lent.loan.category,
        item_type: lent.copy.item_type,
        owner: lent.copy.owner,
        channel: lent.loan.channel,
        band: lent.band,
    };
    network.winner(&situation).terms.recall_holds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::{self, BRANCH, OTHER_MAIN, World};
    use crate::domain::hold::{Target, Wish};
    use crate::domain::hold_terms::Waived;
    use crate::domain::ids::{HoldId, ReaderId};
    use crate::domain::item::ItemStatus;
    use chrono::Days;

    const GUARANTEE: Guarantee = Guarantee {
        loan_days: 14,
        notice_days: 7,
    };

    fn world(recall_holds: u16) -> World {
        let mut parts = example::parts();
        for row in &mut parts.rules.terms {
            row.terms.recall_holds = recall_holds;
        }
        World {
            network: Network::build(parts).unwrap(),
            ..example::world()
        }
    }

    fn copy(world: &World, number: i64, status: ItemStatus) -> CopyFacts {
        CopyFacts {
            item: ItemId::new(number),
            status,
            captured: false,
            ..CopyFacts::of(&world.item())
        }
    }

    /// A copy lent so many days ago, due after 30.
    fn lent(world: &World, number: i64, days_ago: u64) -> Lent {
        let loaned_at = world.now - Days::new(days_ago);
        Lent {
            copy: copy(world, number, ItemStatus::OnLoan),
            loan: OpenLoan {
                id: LoanId::new(number),
                item: ItemId::new(number),
                reader: ReaderId::new(1_000 + number),
                loaned_at,
                due_at: loaned_at + Days::new(30),
                ..world.loan()
            },
            band: world.reader().band,
        }
    }

    fn waits(world: &World, number: i64) -> Waiting {
        let reader = world.reader();
        Waiting {
            hold: HoldId::new(number),
            reader: ReaderId::new(2_000 + number),
            wish: Wish {
                target: Target::Bib(world.item().bib_id),
                pickup: BRANCH,
                category: reader.category,
                band: reader.band,
                child: false,
                reader_home: reader.home,
                birth_date: reader.birth_date,
                waived: Waived::default(),
            },
            refused_by: Vec::new(),
            wanted_until: None,
        }
    }

    /// The copies called back for so many holds.
    fn recalled(world: &World, holds: &[Waiting], free: &[CopyFacts], lent: &[Lent]) -> Vec<i64> {
        let facts = Facts {
            network: &world.network,
            waiting: holds,
            free,
            lent,
            guarantee: GUARANTEE,
        };
        let chosen = choose(&facts, world.now, 100);
        chosen.iter().map(|one| one.loan.get()).collect()
    }

    #[test]
    fn the_loan_with_most_of_its_guaranteed_time_behind_it_is_called_back_first() {
        let world = world(1);
        let lent = [
            lent(&world, 1, 2),
            lent(&world, 2, 12),
            lent(&world, 3, 11),
            lent(&world, 4, 0),
        ];
        let holds: Vec<Waiting> = (0..4).map(|n| waits(&world, n)).collect();
        for (holds, expected) in [
            (&holds[..0], vec![]),
            (&holds[..1], vec![2]),
            (&holds[..2], vec![2, 3]),
            (&holds[..3], vec![1, 2, 3]),
            (&holds[..], vec![1, 2, 3, 4]),
        ] {
            assert_eq!(recalled(&world, holds, &[], &lent), expected, "{} holds", holds.len());
        }
    }

    #[test]
    fn terms_say_from_how_many_holds_on() {
        for (recall_holds, called_back) in [(0, 0), (1, 2), (2, 2), (3, 0)] {
            let world = world(recall_holds);
            let holds = [waits(&world, 1), waits(&world, 2)];
            let lent = [lent(&world, 1, 3), lent(&world, 2, 3), lent(&world, 3, 3)];
            assert_eq!(
                recalled(&world, &holds, &[], &lent).len(),
                called_back,
                "{recall_holds}"
            );
        }
    }

    #[test]
    fn what_comes_anyway_calls_nothing_back() {
        let world = world(1);
        let (holds, out) = ([waits(&world, 1)], lent(&world, 1, 3));
        for (status, serves) in [
            (ItemStatus::OnShelf, true),
            (ItemStatus::InTransit, true),
            (ItemStatus::InProcessing, true),
            (ItemStatus::Missing, false),
            (ItemStatus::Damaged, false),
        ] {
            let free = [copy(&world, 9, status)];
            let expected = if serves { vec![] } else { vec![1] };
            assert_eq!(
                recalled(&world, &holds, &free, std::slice::from_ref(&out)),
                expected,
                "{status:?}"
            );
        }
        let mut called = lent(&world, 2, 3);
        called.loan.recalled_at = Some(world.now);
        assert_eq!(recalled(&world, &holds, &[], &[called.clone(), out.clone()]), [0; 0]);
        let more = [waits(&world, 1), waits(&world, 2)];
        assert_eq!(recalled(&world, &more, &[], &[called.clone(), out.clone()]), [1]);
        assert_eq!(recalled(&world, &more, &[], &[called]), [0; 0], "never twice");
        let soon = lent(&world, 3, 28);
        assert_eq!(recalled(&world, &holds, &[], &[soon, out.clone()]), [0; 0]);
        let overdue = lent(&world, 4, 40);
        assert_eq!(recalled(&world, &holds, &[], &[overdue, out]), [1]);
    }

    #[test]
    fn a_shelf_that_does_not_answer_serves_nobody() {
        let world = world(1);
        let (mut hold, out) = (waits(&world, 1), lent(&world, 1, 3));
        let far = CopyFacts {
            current: OTHER_MAIN,
            ..copy(&world, 9, ItemStatus::OnShelf)
        };
        assert_eq!(
            recalled(&world, &[hold.clone()], &[far], std::slice::from_ref(&out)),
            [0; 0]
        );
        hold.refused_by = vec![OTHER_MAIN];
        assert_eq!(recalled(&world, &[hold], &[far], &[out]), [1]);
    }

    #[test]
    fn a_hold_calls_back_only_what_may_fill_it_in_time() {
        let world = world(1);
        let out = [lent(&world, 1, 3)];
        let mut own = waits(&world, 1);
        own.reader = out[0].loan.reader;
        assert_eq!(recalled(&world, &[own], &[], &out), [0; 0]);
        let mut other_copy = waits(&world, 1);
        other_copy.wish.target = Target::Item(ItemId::new(77));
        assert_eq!(recalled(&world, &[other_copy], &[], &out), [0; 0]);
        let mut hurried = waits(&world, 1);
        hurried.wanted_until = Some(world.network.local_day(world.now) + Days::new(3));
        assert_eq!(recalled(&world, &[hurried], &[], &out), [0; 0]);
        let mut gone = lent(&world, 1, 3);
        gone.copy.status = ItemStatus::ClaimedReturned;
        assert_eq!(recalled(&world, &[waits(&world, 1)], &[], &[gone]), [0; 0]);
    }
}
