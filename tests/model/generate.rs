//! Facts of every kind, sensible and not: what the properties are tried on.

use chrono::{DateTime, Days, NaiveDate, TimeDelta};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use tongjie::domain::act::{Act, Overrides};
use tongjie::domain::calendar::WeeklyHours;
use tongjie::domain::check_out::OwnHold;
use tongjie::domain::example::{BRANCH, BRANCH_2, CENTRAL, LOCKER, MAIN, OTHER_BRANCH, OTHER_MAIN, ROOT};
use tongjie::domain::hold::{CopyFacts, HoldFacts, HoldStatus};
use tongjie::domain::ids::{BibId, HoldId, ItemId, ReaderId, UnitId};
use tongjie::domain::item::{ItemStatus, ReturnPolicy, TransitReason};
use tongjie::domain::place_hold::Existing;
use tongjie::domain::reader::{CardStatus, Channel, CreditBand, LoanOfReader, ManualBlock, ReaderStatus};
use tongjie::domain::refusal::Code;
use tongjie::domain::void_loan::FilledHold;

use crate::scene::{Scene, other_loan};

pub const ITEM_TYPES: [&str; 8] = [
    "book",
    "book_children",
    "book_foreign",
    "book_braille",
    "periodical",
    "av",
    "av_audio",
    "av_disc",
];
const CATEGORIES: [&str; 8] = [
    "adult",
    "adult",
    "adult",
    "child",
    "senior",
    "disabled",
    "institution_200",
    "reading_only",
];

/// A unit of the example, seldom one that does not exist.
pub fn unit() -> impl Strategy<Value = UnitId> {
    prop_oneof![
        12 => select(vec![BRANCH, BRANCH_2, LOCKER, MAIN, OTHER_MAIN, OTHER_BRANCH]),
        1 => select(vec![ROOT, CENTRAL, UnitId::new(99)]),
    ]
}

fn status() -> impl Strategy<Value = ItemStatus> {
    prop_oneof![3 => Just(ItemStatus::OnShelf), 2 => select(ItemStatus::ALL.to_vec())]
}

fn codes() -> impl Strategy<Value = std::collections::BTreeSet<Code>> {
    prop_oneof![
        Just(std::collections::BTreeSet::new()),
        Just(Code::ALL.iter().copied().collect()),
        btree_set(select(Code::ALL.to_vec()), 0..8),
    ]
}

pub fn act() -> impl Strategy<Value = Act> {
    let rights = (any::<bool>(), codes(), codes(), any::<bool>());
    let place = (
        unit(),
        prop_oneof![2 => Just(Channel::Desk), 1 => select(Channel::ALL.to_vec())],
    );
    (place, rights, any::<bool>()).prop_map(
        |((unit, channel), (may_override, overridden, confirmed, blank), may_set_due)| Act {
            may_override,
            overrides: Overrides {
                codes: overridden,
                reason: if blank {
                    " ".to_owned()
                } else {
                    "looked into it".to_owned()
                },
            },
            confirmed,
            may_set_due,
            ..Act::at(unit, channel)
        },
    )
}

/// One step of setting a scene; the scene itself is what a failing test prints.
struct Change(Box<dyn Fn(&mut Scene)>);

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Change")
    }
}

fn boxed(change: impl Fn(&mut Scene) + 'static) -> Change {
    Change(Box::new(change))
}

/// One of five configurations of the network.
fn configuration() -> impl Strategy<Value = Change> {
    (0..5_u8).prop_map(|kind| {
        boxed(move |scene| match kind {
            // Nothing ever opens.
            1 => scene.reconfigure(|parts| {
                parts
                    .units
                    .iter_mut()
                    .for_each(|unit| unit.hours = Some(WeeklyHours::default()));
            }),
            // Nobody has filled the calendar in.
            2 => scene.reconfigure(|parts| {
                parts.units.iter_mut().for_each(|unit| {
                    unit.hours = None;
                    unit.closed.clear();
                });
            }),
            // Nobody has joined.
            3 => scene.reconfigure(|parts| parts.memberships.clear()),
            _ => {}
        })
    })
}

fn loans() -> impl Strategy<Value = Vec<(i64, &'static str, UnitId, UnitId, Channel, i64)>> {
    let loan = (
        1..40_i64,
        select(ITEM_TYPES.to_vec()),
        unit(),
        unit(),
        select(Channel::ALL.to_vec()),
        prop_oneof![5 => 0..40_i64, 1 => -20..0_i64],
    );
    vec(loan, 0..14)
}

fn reader() -> impl Strategy<Value = Change> {
    let state = prop_oneof![
        4 => Just((ReaderStatus::Active, CardStatus::Active, false)),
        1 => (select(ReaderStatus::ALL.to_vec()), select(CardStatus::ALL.to_vec()), any::<bool>()),
    ];
    let traits = (
        select(CATEGORIES.to_vec()),
        option::of(0..90_u64),
        select(CreditBand::ALL.to_vec()),
        unit(),
    );
    let blocks = (
        option::of(-5..60_i64),
        option::weighted(0.2, option::of(-9..9_i64)),
        0..1_300_i64,
    );
    (state, traits, blocks, loans(), 0..5_u32).prop_map(
        |((status, card, barred), (category, age, band, home), (card_end, block, debt), loans, holds)| {
            boxed(move |scene| {
                let id = scene.world.category(category);
                let known = scene.world.network.category(id).cloned();
                let (now, reader) = (scene.now, &mut scene.reader);
                reader.category = id;
                reader.child = known.as_ref().is_some_and(|one| one.child);
                reader.reading_only = known.as_ref().is_some_and(|one| one.reading_only);
                (reader.status, reader.card.status, reader.barred) = (status, card, barred);
                reader.birth_date = age.and_then(|years| day(now).checked_sub_days(Days::new(years * 365)));
                (reader.band, reader.home, reader.debt_fen, reader.open_holds) = (band, home, debt, holds);
                reader.card.expires_on = card_end.map(|days| day(now) + TimeDelta::days(days));
                reader.block = block.map(|until| ManualBlock {
                    reason: "noise".to_owned(),
                    until: until.map(|days| now + TimeDelta::days(days)),
                });
                scene.reader.loans = loans.iter().map(|loan| other(scene, *loan)).collect();
            })
        },
    )
}

fn other(
    scene: &Scene,
    (id, item_type, owner, unit, channel, days): (i64, &str, UnitId, UnitId, Channel, i64),
) -> LoanOfReader {
    LoanOfReader {
        owner,
        unit,
        channel,
        ..other_loan(scene, id, item_type, days)
    }
}

fn day(at: DateTime<chrono::Utc>) -> NaiveDate {
    at.date_naive()
}

fn return_policy() -> impl Strategy<Value = ReturnPolicy> {
    prop_oneof![
        Just(ReturnPolicy::Home),
        Just(ReturnPolicy::Float),
        (0..4_u32).prop_map(|cap| ReturnPolicy::FloatWithCap { cap }),
        Just(ReturnPolicy::Restricted),
    ]
}

fn item() -> impl Strategy<Value = Change> {
    let places = (unit(), unit(), unit());
    let traits = (select(ITEM_TYPES.to_vec()), return_policy(), 0..4_u32, 1..3_u16);
    let flags = (
        any::<bool>(),
        option::weighted(0.2, 6..20_u8),
        option::weighted(0.1, Just("map")),
    );
    let journey = option::weighted(0.3, (unit(), unit(), select(TransitReason::ALL.to_vec())));
    let kept = option::weighted(0.3, (1..4_i64, unit()));
    (places, traits, flags, (status(), journey, kept), (-1..200_i64, 0..3_u8)).prop_map(
        |((owner, home, current), traits, (children, min_age, note), (status, journey, kept), (age, lent))| {
            let (item_type, policy, floating, parts) = traits;
            boxed(move |scene| {
                match lent {
                    0 => scene.lend(),
                    1 => scene.lend_to_other(),
                    _ => {}
                }
                if let Some((reader, pickup)) = kept {
                    scene.capture(reader, pickup, status);
                }
                if let Some((from, to, reason)) = journey {
                    scene.send(from, to, reason, status);
                }
                let item_type = scene.world.item_type(item_type);
                let (now, item) = (scene.now, &mut scene.item);
                (item.owner, item.home, item.current) = (owner, home, current);
                (item.item_type, item.return_policy, item.floating_here) = (item_type, policy, floating);
                (item.parts, item.for_children, item.min_age_years) = (parts, children, min_age);
                item.alert_note = note.map(str::to_owned);
                item.last_event_at = now - TimeDelta::seconds(age);
                if lent > 1 {
                    item.status = status;
                }
            })
        },
    )
}

fn demand() -> impl Strategy<Value = Change> {
    let holds = (option::of(option::of(1..3_i64)), option::of(unit()), 0..3_u32, 0..3_u32);
    let wish = (unit(), option::weighted(0.3, 1..4_i64), any::<bool>(), 0..3_u32);
    let times = (
        -100..100_i64,
        option::weighted(0.2, -50..400_i64),
        option::of(-3..9_i64),
        0..3_u8,
    );
    let own_status = select(HoldStatus::ALL.to_vec());
    (holds, wish, times, (option::of(unit()), own_status)).prop_map(
        |((own, next, waiting, copies), (pickup, target, same, of_bib), (back, due, until, void), (copy, status))| {
            boxed(move |scene| {
                let hold = |item: Option<i64>| OwnHold {
                    id: HoldId::new(5),
                    captured_item: item.map(ItemId::new),
                };
                (scene.own_hold, scene.waiting, scene.other_copies) = (own.map(hold), waiting, copies);
                if let Some(next) = next {
                    scene.queue(next);
                }
                (scene.pickup, scene.hold_item) = (pickup, target.map(ItemId::new));
                let same_target = same.then_some(HoldId::new(5));
                scene.existing = Existing { same_target, of_bib };
                scene.returned_at = scene.now + TimeDelta::hours(back);
                scene.act.due_by_hand = due.map(|days| scene.now + TimeDelta::days(days));
                scene.wanted_until = until.map(|days| day(scene.now) + TimeDelta::days(days));
                let captured = scene.item.captured_for.clone().map(FilledHold::Captured);
                scene.filled_hold = match void {
                    0 => None,
                    1 => Some(FilledHold::Waiting(HoldId::new(5))),
                    _ => captured,
                };
                let here = CopyFacts {
                    bib: BibId::new(1),
                    ..CopyFacts::of(&scene.item)
                };
                let elsewhere = |current| CopyFacts {
                    item: ItemId::new(2),
                    current,
                    ..here
                };
                scene.copies = copy.map(elsewhere).into_iter().chain([here]).collect();
                scene.hold = scene.hold.take().map(|hold| HoldFacts { status, ..hold });
                scene.by_reader = same.then_some(ReaderId::new(1));
            })
        },
    )
}

prop_compose! {
    /// A scene: configuration, moment, act, reader, item, demand.
    pub fn scene()(
        configuration in configuration(),
        seconds in 0..63_072_000_i64,
        act in act(),
        reader in reader(),
        item in item(),
        demand in demand(),
    ) -> Scene {
        let mut scene = Scene::new();
        (configuration.0)(&mut scene);
        scene.now += TimeDelta::seconds(seconds);
        scene.act = act;
        // The item first: a loan is made as of the example's moment and may be overdue by now.
        for change in [item, reader, demand] {
            (change.0)(&mut scene);
        }
        scene
    }
}
