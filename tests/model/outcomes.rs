//! What a plan does, case by case: where an item goes, what a loan fills, what a void restores.

use chrono::{NaiveDate, TimeDelta};
use tongjie::domain::calendar::end_of_day;
use tongjie::domain::check_in::{REPEAT_WINDOW_SECONDS, TransitEffect};
use tongjie::domain::check_out::{Effect, OwnHold};
use tongjie::domain::example::{BRANCH, BRANCH_2, LOCKER, MAIN, OTHER_BRANCH, OTHER_MAIN};
use tongjie::domain::hold::{HoldStatus, Target, Unfit, Wish, may_fill};
use tongjie::domain::ids::{BibId, HoldId, ItemId, LoanId, TransitId, UnitId};
use tongjie::domain::item::{ItemStatus, Lending, ReturnPolicy, TransitReason};
use tongjie::domain::policy::{RenewFrom, Terms};
use tongjie::domain::reader::{Channel, CreditBand};
use tongjie::domain::refusal::Code;
use tongjie::domain::route::NextStep;
use tongjie::domain::void_loan::{FilledHold, RestoresHold};

use crate::scene::Scene;

const SHELF: NextStep = NextStep::ShelfHere { collection: None };
const HOME: NextStep = NextStep::Crate {
    to: BRANCH,
    reason: TransitReason::ReturnHome,
    hold: None,
};
const ON: NextStep = NextStep::Crate {
    to: BRANCH,
    reason: TransitReason::Redirect,
    hold: None,
};

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// On loan, and brought back at this unit.
fn returned_at(unit: UnitId) -> Scene {
    let mut scene = Scene::new();
    scene.lend();
    scene.at(unit, Channel::Desk);
    scene
}

fn next_step(scene: &Scene) -> NextStep {
    scene.check_in().expect("the return is accepted").next_step
}

#[test]
fn a_returned_item_follows_its_return_policy() {
    let cap = |cap| ReturnPolicy::FloatWithCap { cap };
    for (policy, unit, floating_here, expected) in [
        (ReturnPolicy::Home, BRANCH, 0, SHELF),
        (ReturnPolicy::Home, OTHER_BRANCH, 0, HOME),
        (ReturnPolicy::Float, OTHER_BRANCH, 99, SHELF),
        (cap(5), OTHER_BRANCH, 4, SHELF),
        (cap(5), OTHER_BRANCH, 5, HOME),
        (cap(5), BRANCH, 5, SHELF),
        (ReturnPolicy::Restricted, BRANCH_2, 0, HOME),
    ] {
        let mut scene = returned_at(unit);
        (scene.item.return_policy, scene.item.floating_here) = (policy, floating_here);
        let plan = scene.check_in().expect("the return is accepted");
        assert_eq!(plan.next_step, expected, "{policy:?} at {unit}");
        assert_eq!(plan.current, unit);
        let status = if expected == SHELF {
            ItemStatus::OnShelf
        } else {
            ItemStatus::AwaitingDispatch
        };
        assert_eq!(plan.item_status, status);
        assert_eq!(plan.closes_loan.map(|closes| closes.loan), Some(LoanId::new(1)));
        assert!(!plan.local_use);
    }
}

#[test]
fn a_waiting_hold_gets_the_item_here_or_by_crate() {
    for (pickup, unit, expected) in [
        // Seven open days after Wednesday the 4th; the branch is closed on Mondays.
        (
            BRANCH,
            BRANCH,
            NextStep::HoldShelf {
                hold: HoldId::new(8),
                number: 42,
                expires_on: day("2026-03-12"),
            },
        ),
        // Three at a locker, by its parent's calendar.
        (
            LOCKER,
            LOCKER,
            NextStep::HoldShelf {
                hold: HoldId::new(8),
                number: 42,
                expires_on: day("2026-03-07"),
            },
        ),
        (
            MAIN,
            OTHER_BRANCH,
            NextStep::Crate {
                to: MAIN,
                reason: TransitReason::Hold,
                hold: Some(HoldId::new(8)),
            },
        ),
    ] {
        let mut scene = returned_at(unit);
        scene.queue(pickup);
        let plan = scene.check_in().expect("the return is accepted");
        assert_eq!(plan.next_step, expected);
        let capture = plan.capture.expect("the hold is captured");
        assert_eq!((capture.hold, capture.pickup), (HoldId::new(8), pickup));
        assert_eq!(capture.shelf_number.is_some(), pickup == unit);
    }
}

#[test]
fn a_captured_item_goes_to_its_own_hold_before_the_next_one() {
    let mut scene = Scene::new();
    scene.capture(2, BRANCH, ItemStatus::InTransit);
    scene.send(MAIN, BRANCH, TransitReason::Hold, ItemStatus::InTransit);
    scene.queue(MAIN);
    let plan = scene.check_in().expect("it arrives");
    assert_eq!(plan.transit, TransitEffect::Received(TransitId::new(3)));
    assert_eq!(
        plan.capture.map(|capture| (capture.hold, capture.shelf_number)),
        Some((HoldId::new(7), Some(42)))
    );
    assert_eq!(plan.item_status, ItemStatus::OnHoldShelf);
    // Scanned once more, it keeps its place.
    scene.item.transit = None;
    scene.capture(2, BRANCH, ItemStatus::OnHoldShelf);
    let again = scene.check_in().expect("it is there");
    let (hold, number, expires_on) = (HoldId::new(7), 17, day("2026-03-11"));
    assert_eq!(
        again.next_step,
        NextStep::HoldShelf {
            hold,
            number,
            expires_on
        }
    );
    assert_eq!(again.capture, None);
}

#[test]
fn a_journey_is_received_kept_or_repaired() {
    let transit = TransitId::new(3);
    for (from, to, status, at, effect, next) in [
        (
            MAIN,
            BRANCH,
            ItemStatus::InTransit,
            BRANCH,
            TransitEffect::Received(transit),
            SHELF,
        ),
        (
            MAIN,
            BRANCH,
            ItemStatus::AwaitingDispatch,
            MAIN,
            TransitEffect::Keeps(transit),
            HOME,
        ),
        (
            MAIN,
            BRANCH,
            ItemStatus::InTransit,
            MAIN,
            TransitEffect::Repaired(transit),
            ON,
        ),
        (
            MAIN,
            BRANCH,
            ItemStatus::InTransit,
            OTHER_MAIN,
            TransitEffect::Repaired(transit),
            ON,
        ),
        (
            MAIN,
            OTHER_MAIN,
            ItemStatus::InTransit,
            BRANCH,
            TransitEffect::Repaired(transit),
            SHELF,
        ),
    ] {
        let mut scene = Scene::new();
        scene.send(from, to, TransitReason::ReturnHome, status);
        scene.at(at, Channel::Desk);
        let plan = scene.check_in().expect("it is accepted");
        assert_eq!(
            (plan.transit, plan.next_step),
            (effect, next),
            "{from} to {to}, scanned at {at}"
        );
        assert!(!plan.local_use);
    }
}

#[test]
fn a_drop_takes_everything_and_puts_aside_what_staff_must_see() {
    type Change = fn(&mut Scene);
    let exception = |reason| NextStep::Exception { reason };
    let cases: [(Change, NextStep, ItemStatus); 7] = [
        (|_| {}, SHELF, ItemStatus::OnShelf),
        (
            |s| s.item.parts = 3,
            exception(Code::CountParts),
            ItemStatus::NeedsAttention,
        ),
        (
            |s| s.item.status = ItemStatus::ClaimedReturned,
            exception(Code::ClaimUnresolved),
            ItemStatus::NeedsAttention,
        ),
        (
            |s| s.item.alert_note = Some("map".into()),
            exception(Code::ItemAlert),
            ItemStatus::NeedsAttention,
        ),
        (
            |s| s.act.unit = UnitId::new(99),
            exception(Code::UnitUnknown),
            ItemStatus::NeedsAttention,
        ),
        (
            |s| {
                s.act.unit = OTHER_BRANCH;
                s.item.return_policy = ReturnPolicy::Restricted;
            },
            HOME,
            ItemStatus::AwaitingDispatch,
        ),
        (
            |s| s.item.status = ItemStatus::Withdrawn,
            exception(Code::ItemWithdrawn),
            ItemStatus::Withdrawn,
        ),
    ];
    for (change, next, status) in cases {
        let mut scene = returned_at(BRANCH);
        scene.act.channel = Channel::Drop;
        change(&mut scene);
        let plan = scene.check_in().expect("a drop never refuses");
        assert_eq!((plan.next_step, plan.item_status), (next, status));
        assert!(plan.closes_loan.is_some(), "the reader has returned it");
        assert!(plan.passed.overridden.is_empty() && plan.passed.confirmed.is_empty());
    }
}

#[test]
fn an_exception_releases_the_hold_the_item_was_set_aside_for() {
    let mut scene = Scene::new();
    scene.capture(2, BRANCH, ItemStatus::Missing);
    scene.act.channel = Channel::Drop;
    let plan = scene.check_in().expect("a drop never refuses");
    assert_eq!(
        plan.next_step,
        NextStep::Exception {
            reason: Code::MissingFound
        }
    );
    assert_eq!((plan.releases_hold, plan.capture), (Some(HoldId::new(7)), None));
}

#[test]
fn local_use_is_counted_once() {
    let mut scene = Scene::new();
    assert!(scene.check_in().is_ok_and(|plan| plan.local_use && !plan.repeated));
    for (seconds, repeated) in [
        (0, true),
        (REPEAT_WINDOW_SECONDS, true),
        (REPEAT_WINDOW_SECONDS + 1, false),
    ] {
        scene.item.last_event_at = scene.now - TimeDelta::seconds(seconds);
        let plan = scene.check_in().expect("it is accepted");
        assert_eq!((plan.repeated, plan.local_use), (repeated, !repeated), "{seconds} s");
        assert_eq!(plan.next_step, SHELF);
    }
}

#[test]
fn a_floating_item_scanned_again_stays_where_it_floats() {
    let mut scene = Scene::new();
    scene.item.return_policy = ReturnPolicy::FloatWithCap { cap: 1 };
    // It is itself the one that floats here.
    (scene.item.current, scene.item.floating_here) = (OTHER_BRANCH, 1);
    scene.at(OTHER_BRANCH, Channel::Desk);
    assert_eq!(next_step(&scene), SHELF);
}

#[test]
fn the_true_time_of_return_decides_the_overdue_days() {
    let mut scene = returned_at(BRANCH);
    let due_at = scene.loan.as_ref().map(|loan| loan.due_at).expect("it is on loan");
    scene.now = due_at + TimeDelta::days(10);
    for (returned_at, overdue_days) in [(due_at, 0), (due_at + TimeDelta::days(1), 1), (scene.now, 8)] {
        scene.returned_at = returned_at;
        let closes = scene
            .check_in()
            .expect("it is accepted")
            .closes_loan
            .expect("the loan ends");
        assert_eq!((closes.returned_at, closes.overdue_days), (returned_at, overdue_days));
    }
}

#[test]
fn a_loan_does_what_came_with_it() {
    let mut scene = Scene::new();
    let plan = scene.check_out().expect("an ordinary loan");
    let due_at = end_of_day(scene.network().zone(), day("2026-04-03"));
    assert_eq!(
        plan.effect,
        Effect::Loan {
            due_at,
            due_by_hand: false,
            reading_room: false
        }
    );
    assert_eq!(
        (plan.rule, plan.rules_version),
        (scene.network().rules().terms[0].id, 1)
    );
    // The own hold, from the queue and from the hold shelf.
    scene.own_hold = Some(OwnHold {
        id: HoldId::new(5),
        captured_item: None,
    });
    assert_eq!(scene.check_out().map(|plan| plan.fills_hold), Ok(Some(HoldId::new(5))));
    scene.capture(1, BRANCH, ItemStatus::OnHoldShelf);
    assert_eq!(scene.check_out().map(|plan| plan.fills_hold), Ok(Some(HoldId::new(7))));
    // Somebody else's, overridden.
    scene.own_hold = None;
    scene.capture(2, BRANCH, ItemStatus::OnHoldShelf);
    scene.override_codes(&[Code::HeldOnShelfForOther]);
    let plan = scene.check_out().expect("overridden");
    assert_eq!((plan.fills_hold, plan.releases_hold), (None, Some(HoldId::new(7))));
    assert_eq!(plan.passed.overridden_codes(), [Code::HeldOnShelfForOther]);
}

#[test]
fn an_item_on_the_road_or_on_loan_is_settled_first() {
    let mut scene = Scene::new();
    scene.send(MAIN, OTHER_MAIN, TransitReason::ReturnHome, ItemStatus::InTransit);
    scene.confirm(&[Code::ItemInTransit]);
    assert_eq!(
        scene.check_out().map(|plan| plan.completes_transit),
        Ok(Some(TransitId::new(3)))
    );
    let mut scene = Scene::new();
    scene.lend_to_other();
    scene.confirm(&[Code::OnLoanToOther]);
    assert_eq!(
        scene.check_out().map(|plan| plan.returns_first),
        Ok(Some(LoanId::new(1)))
    );
}

#[test]
fn a_reader_who_only_reads_makes_no_loan() {
    let mut scene = Scene::new();
    scene.reader.category = scene.world.category("reading_only");
    scene.reader.reading_only = true;
    scene.own_hold = Some(OwnHold {
        id: HoldId::new(5),
        captured_item: None,
    });
    let plan = scene.check_out().expect("local use");
    assert_eq!((plan.effect, plan.fills_hold), (Effect::LocalUse { at: BRANCH }, None));
}

#[test]
fn a_due_date_by_hand_stands_as_given() {
    let mut scene = Scene::new();
    let due_at = scene.now + TimeDelta::days(400);
    (scene.act.may_set_due, scene.act.due_by_hand) = (true, Some(due_at));
    assert_eq!(
        scene.check_out().map(|plan| plan.effect),
        Ok(Effect::Loan {
            due_at,
            due_by_hand: true,
            reading_room: false
        })
    );
}

#[test]
fn a_blank_reason_and_a_needless_override_change_nothing() {
    let mut scene = Scene::new();
    scene.override_codes(Code::ALL);
    assert!(scene.check_out().is_ok_and(|plan| plan.passed.overridden.is_empty()));
    scene.reader.barred = true;
    assert!(scene.check_out().is_ok());
    scene.act.overrides.reason = " \t".to_owned();
    assert!(
        scene
            .check_out()
            .is_err_and(|refusals| refusals.codes() == [Code::Barred])
    );
}

#[test]
fn a_renewal_counts_from_the_due_date() {
    let mut scene = Scene::new();
    scene.lend();
    let plan = scene.renew().expect("the first renewal");
    // Thirty days after Friday, 3 April is Sunday, 3 May: over the holiday to Wednesday.
    assert_eq!(plan.due_at, end_of_day(scene.network().zone(), day("2026-05-06")));
    assert_eq!(plan.renewals, 1);
}

#[test]
fn a_cancelled_hold_lets_its_item_go_on() {
    let mut scene = Scene::new();
    scene.hold = scene.hold.take().map(|mut hold| {
        hold.status = HoldStatus::Captured;
        hold
    });
    let moves = |scene: &Scene| scene.cancel_hold().expect("cancelled").item_moves;
    // On the hold shelf of its home: to the shelf, or to the next hold.
    scene.capture(1, BRANCH, ItemStatus::OnHoldShelf);
    assert_eq!(moves(&scene).map(|moves| moves.next_step), Some(SHELF));
    scene.queue(BRANCH);
    let next = moves(&scene).and_then(|moves| moves.capture);
    assert_eq!(
        next.map(|capture| (capture.hold, capture.shelf_number)),
        Some((HoldId::new(8), None)),
        "it gets its number when it is scanned"
    );
    assert_eq!(
        moves(&scene).map(|moves| (moves.next_step, moves.leaves.number)),
        Some((NextStep::CheckIn { hold: HoldId::new(8) }, Some(17)))
    );
    // Elsewhere it is sent home.
    scene.next_hold = None;
    scene.item.current = MAIN;
    assert_eq!(
        moves(&scene).map(|moves| (moves.next_step, moves.current)),
        Some((HOME, MAIN))
    );
    // A crate not sent yet is called off; on the road the arrival decides.
    scene.send(MAIN, OTHER_MAIN, TransitReason::Hold, ItemStatus::AwaitingDispatch);
    assert_eq!(
        moves(&scene).and_then(|moves| moves.cancels_transit),
        Some(TransitId::new(3))
    );
    scene.item.status = ItemStatus::InTransit;
    assert_eq!(moves(&scene), None);
}

#[test]
fn a_void_restores_what_the_loan_took() {
    let mut scene = Scene::new();
    scene.capture(1, BRANCH, ItemStatus::OnHoldShelf);
    let captured = scene.item.captured_for.take().expect("captured");
    scene.lend();
    let elsewhere = tongjie::domain::item::CapturedHold {
        pickup: MAIN,
        ..captured.clone()
    };
    // Handed over from the crate: it never stood on the shelf.
    let collected = tongjie::domain::item::CapturedHold {
        shelf_number: None,
        expires_on: None,
        ..captured.clone()
    };
    let hold = HoldId::new(7);
    let day = |day| chrono::NaiveDate::from_ymd_opt(2026, 3, day).expect("a day");
    let today = scene.network().local_day(scene.now);
    let fresh = scene.network().calendar(BRANCH).nth_open_day_after(today, 7);
    for (filled, status, restores) in [
        (None, ItemStatus::OnShelf, None),
        (
            Some(FilledHold::Waiting(hold)),
            ItemStatus::OnShelf,
            Some(RestoresHold::Waiting(hold)),
        ),
        (
            Some(FilledHold::Captured(captured)),
            ItemStatus::OnHoldShelf,
            Some(RestoresHold::Captured {
                hold,
                until: day(11),
                is_new: false,
            }),
        ),
        (
            Some(FilledHold::Captured(collected)),
            ItemStatus::OnHoldShelf,
            Some(RestoresHold::Captured {
                hold,
                until: fresh,
                is_new: true,
            }),
        ),
        (
            Some(FilledHold::Captured(elsewhere)),
            ItemStatus::OnShelf,
            Some(RestoresHold::Waiting(hold)),
        ),
    ] {
        scene.filled_hold = filled;
        let plan = scene.void_loan().expect("voided at once");
        assert_eq!(
            (plan.item_status, plan.restores_hold, plan.current),
            (status, restores, BRANCH)
        );
    }
}

/// The network's first row of terms says something else.
fn terms(scene: &mut Scene, change: impl FnOnce(&mut Terms)) {
    scene.reconfigure(|parts| change(&mut parts.rules.terms[0].terms));
}

#[test]
fn a_fixed_term_caps_a_loan_and_what_renews_it() {
    let lent = |term_end: &str, card_end: Option<&str>| {
        let mut scene = Scene::new();
        terms(&mut scene, |terms| terms.lending.term_end = Some(day(term_end)));
        scene.reader.card.expires_on = card_end.map(day);
        match scene.check_out().map(|plan| plan.effect) {
            Ok(Effect::Loan { due_at, .. }) => scene.network().local_day(due_at),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(lent("2026-03-15", None), day("2026-03-15"));
    // A Monday, when the branch is closed: the next open day; where the card ends before that, the last one before.
    assert_eq!(lent("2026-03-16", None), day("2026-03-17"));
    assert_eq!(lent("2026-03-16", Some("2026-03-16")), day("2026-03-15"));
    // Later than its days, and over before it began.
    assert_eq!(lent("2026-06-30", None), day("2026-04-03"));
    assert_eq!(lent("2026-03-03", None), day("2026-04-03"));
    let renewed = |term_end: &str, from: RenewFrom| {
        let mut scene = Scene::new();
        scene.lend();
        terms(&mut scene, |terms| {
            terms.lending.term_end = Some(day(term_end));
            terms.renew_from = from;
        });
        let plan = scene.renew().expect("something is left of the term");
        scene.network().local_day(plan.due_at)
    };
    assert_eq!(renewed("2026-04-10", RenewFrom::DueDate), day("2026-04-10"));
    // 3 April and thirty days is a holiday.
    assert_eq!(renewed("2026-06-30", RenewFrom::DueDate), day("2026-05-06"));
}

#[test]
fn use_in_the_reading_room_is_due_the_same_day() {
    let mut scene = Scene::new();
    scene.item.lending = Lending::ReadingRoom;
    terms(&mut scene, |terms| {
        terms.lending.reading_room_use = true;
        terms.lendable = false;
    });
    let due_at = end_of_day(scene.network().zone(), day("2026-03-04"));
    let plan = scene.check_out().expect("it is handed out");
    assert_eq!(
        plan.effect,
        Effect::Loan {
            due_at,
            due_by_hand: false,
            reading_room: true
        }
    );
    // Any other copy goes home, or does not.
    scene.item.lending = Lending::Normal;
    assert_eq!(
        scene.check_out().expect_err("not lendable").codes(),
        [Code::NotLendableByRule]
    );
}

#[test]
fn what_staff_passed_over_is_kept_with_the_hold() {
    let mut scene = Scene::new();
    scene.item.current = BRANCH_2;
    scene.copies = vec![tongjie::domain::hold::CopyFacts::of(&scene.item)];
    terms(&mut scene, |terms| {
        terms.holds.home_only = true;
        terms.holds.new_item_days = 61;
    });
    (scene.reader.home, scene.pickup) = (MAIN, MAIN);
    let both = [Code::HomeOnly, Code::NewItemProtected];
    assert_eq!(scene.place_hold().expect_err("kept for others").codes(), both);
    scene.override_codes(&both);
    let plan = scene.place_hold().expect("overridden");
    assert_eq!((plan.waived.home_only, plan.waived.new_item), (true, true));
    scene.reader.home = BRANCH;
    let plan = scene.place_hold().expect("overridden");
    assert_eq!((plan.waived.home_only, plan.waived.new_item), (false, true));
}

#[test]
fn a_copy_fills_only_the_holds_it_fits() {
    type Change = fn(&mut Scene, &mut Wish);
    let cases: [(Change, Result<(), Unfit>); 19] = [
        (|_, _| {}, Ok(())),
        (
            |scene, _| terms(scene, |terms| terms.holds.bib = false),
            Err(Unfit::KindNotTaken),
        ),
        (|scene, _| terms(scene, |terms| terms.holds.item = false), Ok(())),
        (
            |scene, wish| {
                terms(scene, |terms| terms.holds.home_only = true);
                wish.reader_home = MAIN;
            },
            Err(Unfit::HomeOnly),
        ),
        (
            |scene, wish| {
                terms(scene, |terms| terms.holds.home_only = true);
                wish.reader_home = MAIN;
                wish.waived.home_only = true;
            },
            Ok(()),
        ),
        (
            |scene, wish| {
                terms(scene, |terms| terms.holds.new_item_days = 61);
                wish.pickup = MAIN;
            },
            Err(Unfit::New),
        ),
        (
            |scene, wish| {
                terms(scene, |terms| terms.holds.new_item_days = 60);
                wish.pickup = MAIN;
            },
            Ok(()),
        ),
        // The locker of the branch is a part of it.
        (
            |scene, wish| {
                terms(scene, |terms| terms.holds.new_item_days = 61);
                wish.pickup = LOCKER;
            },
            Ok(()),
        ),
        (
            |scene, wish| {
                terms(scene, |terms| terms.holds.new_item_days = 61);
                wish.pickup = MAIN;
                wish.waived.new_item = true;
            },
            Ok(()),
        ),
        (
            |_, wish| wish.target = Target::Bib(BibId::new(2)),
            Err(Unfit::OtherTarget),
        ),
        (|_, wish| wish.target = Target::Item(ItemId::new(1)), Ok(())),
        (
            |_, wish| wish.target = Target::Item(ItemId::new(2)),
            Err(Unfit::OtherTarget),
        ),
        (|scene, _| scene.item.not_for_loan = true, Err(Unfit::NotForLoan)),
        (
            |scene, wish| wish.category = scene.world.category("reading_only"),
            Err(Unfit::ByRule),
        ),
        (
            |scene, wish| {
                scene.item.item_type = scene.world.item_type("av_disc");
                wish.pickup = OTHER_BRANCH;
            },
            Err(Unfit::StaysLocal),
        ),
        (|_, wish| wish.child = true, Err(Unfit::NotForChildren)),
        (|scene, _| scene.item.min_age_years = Some(18), Ok(())),
        (
            |scene, wish| {
                scene.item.min_age_years = Some(18);
                wish.birth_date = NaiveDate::from_ymd_opt(2010, 1, 1);
            },
            Err(Unfit::TooYoung),
        ),
        (
            |scene, wish| {
                scene.item.min_age_years = Some(18);
                wish.birth_date = None;
            },
            Err(Unfit::AgeUnknown),
        ),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let mut scene = Scene::new();
        scene.queue(BRANCH);
        let mut wish = scene.next_hold.take().expect("somebody waits").wish;
        wish.band = CreditBand::B;
        change(&mut scene, &mut wish);
        let copy = tongjie::domain::hold::CopyFacts::of(&scene.item);
        assert_eq!(
            may_fill(scene.network(), &copy, &wish, day("2026-03-04")),
            expected,
            "case {number}"
        );
    }
}
