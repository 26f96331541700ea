//! The queue and the choice of copies: what holds after any sequence of changes, and who is served by what.

use chrono::NaiveDate;
use proptest::prelude::*;
use tongjie::domain::example::{BRANCH, BRANCH_2, CENTRAL, MAIN, OTHER_MAIN};
use tongjie::domain::hold::{CopyFacts, HoldFacts, HoldStatus, Target, Wish};
use tongjie::domain::ids::{BibId, HoldId, ItemId, UnitId};
use tongjie::domain::item::{ItemStatus, Unscanned};
use tongjie::domain::network::NetworkParts;
use tongjie::domain::reorder_hold::{self, QueueKey, STEP};
use tongjie::domain::route::NextStep;
use tongjie::domain::sending::UnitSending;
use tongjie::domain::target_hold::{Load, Waiting, choose};
use tongjie::domain::volume::Volume;

use crate::scene::Scene;

/// What may happen to a queue.
#[derive(Debug, Clone)]
enum Change {
    Place,
    Leave(usize),
    Move(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => Just(Change::Place),
        1 => any::<prop::sample::Index>().prop_map(|at| Change::Leave(at.index(64))),
        3 => (0..64_usize, 0..64_usize).prop_map(|(from, to)| Change::Move(from, to)),
    ]
}

/// Carries a plan out as the store does.
fn apply(queue: &mut [QueueKey], hold: HoldId, plan: &reorder_hold::Plan) {
    for key in queue.iter_mut() {
        let behind = plan
            .steps_back
            .is_some_and(|from| key.priority == from.priority && (key.rank, key.hold) >= (from.rank, from.hold));
        if behind {
            key.rank += STEP;
        }
        if key.hold == hold {
            (key.priority, key.rank) = (plan.priority, plan.rank);
        }
    }
    queue.sort();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// All of it within one millisecond, in two classes: there is never room between keys for long.
    #[test]
    fn a_moved_hold_stands_where_it_was_put_and_the_others_keep_their_order(
        changes in prop::collection::vec(change(), 1..60), classes in prop::collection::vec(0..2_i32, 60),
    ) {
        let scene = Scene::new();
        let mut queue: Vec<QueueKey> = Vec::new();
        for (number, (change, class)) in changes.into_iter().zip(classes).enumerate() {
            match change {
                Change::Place => {
                    let last = queue.iter().filter(|key| key.priority == class).map(|key| key.rank).max();
                    let rank = last.map_or(1_000, |last| last + 1);
                    queue.push(QueueKey { priority: class, rank, hold: HoldId::new(number as i64 + 1) });
                    queue.sort();
                }
                Change::Leave(at) => {
                    if at < queue.len() {
                        queue.remove(at);
                    }
                }
                Change::Move(from, to) => {
                    if from >= queue.len() || to >= queue.len() {
                        continue;
                    }
                    let hold = queue[from].hold;
                    let facts = HoldFacts { id: hold, ..scene.hold.clone().expect("there is one") };
                    let plan = reorder_hold::decide(&scene.act, &facts, &queue, to + 1).expect("it waits");
                    let mut expected: Vec<HoldId> = queue.iter().map(|key| key.hold).collect();
                    expected.remove(from);
                    expected.insert(to, hold);
                    apply(&mut queue, hold, &plan);
                    prop_assert_eq!(queue.iter().map(|key| key.hold).collect::<Vec<_>>(), expected);
                }
            }
            let mut keys = queue.clone();
            keys.dedup();
            prop_assert_eq!(keys.len(), queue.len(), "places are 1..n");
        }
    }

    #[test]
    fn one_copy_serves_one_hold_and_the_first_that_it_may(
        pickups in prop::collection::vec(0..4_usize, 0..12), shelves in prop::collection::vec(0..4_usize, 0..12),
    ) {
        const UNITS: [UnitId; 4] = [BRANCH, BRANCH_2, MAIN, OTHER_MAIN];
        let scene = Scene::new();
        let copies: Vec<CopyFacts> = shelves.iter().enumerate().map(|(n, unit)| copy(&scene, n, UNITS[*unit])).collect();
        let waiting: Vec<Waiting> = pickups.iter().enumerate().map(|(n, unit)| waiting(&scene, n, UNITS[*unit])).collect();
        let pulls = choose(scene.network(), &waiting, &copies, &mut Load::default(), today(&scene), 100);
        prop_assert_eq!(pulls.len(), copies.len().min(waiting.len()), "everything fits everybody here");
        for (served, hold) in pulls.iter().zip(&waiting) {
            prop_assert_eq!(served.hold, hold.hold, "in the order of the queue");
            let cost = |unit| scene.network().units().distance(unit, hold.wish.pickup);
            let earlier = |item| pulls.iter().take_while(|one| one.hold != served.hold).any(|one| one.item == item);
            let nearest = copies.iter().filter(|copy| !earlier(copy.item)).map(|copy| cost(copy.current)).min();
            prop_assert_eq!(Some(cost(served.unit)), nearest);
        }
        let mut items: Vec<ItemId> = pulls.iter().map(|pull| pull.item).collect();
        items.sort_unstable();
        items.dedup();
        prop_assert_eq!(items.len(), pulls.len());
    }
}

fn today(scene: &Scene) -> NaiveDate {
    scene.network().local_day(scene.now)
}

fn copy(scene: &Scene, number: usize, unit: UnitId) -> CopyFacts {
    CopyFacts {
        item: ItemId::new(number as i64 + 100),
        bib: BibId::new(1),
        current: unit,
        ..CopyFacts::of(&scene.item)
    }
}

fn waiting(scene: &Scene, number: usize, pickup: UnitId) -> Waiting {
    Waiting {
        hold: HoldId::new(number as i64 + 1),
        wish: Wish {
            target: Target::Bib(BibId::new(1)),
            pickup,
            category: scene.reader.category,
            band: scene.reader.band,
            child: false,
            reader_home: scene.reader.home,
            birth_date: scene.reader.birth_date,
        },
        refused_by: Vec::new(),
    }
}

/// Which units are asked for the copies of these shelves, for holds picked up at the branch.
fn asked(scene: &Scene, shelves: &[UnitId], holds: usize, refused_by: &[UnitId], load: &mut Load) -> Vec<UnitId> {
    let copies: Vec<CopyFacts> = shelves
        .iter()
        .enumerate()
        .map(|(n, unit)| copy(scene, n, *unit))
        .collect();
    let hold = |n| Waiting {
        refused_by: refused_by.to_vec(),
        ..waiting(scene, n, BRANCH)
    };
    let holds: Vec<Waiting> = (0..holds).map(hold).collect();
    let pulls = choose(scene.network(), &holds, &copies, load, today(scene), 100);
    pulls.iter().map(|pull| pull.unit).collect()
}

fn saying(sends: bool, daily_cap: Option<u32>) -> UnitSending {
    UnitSending {
        sends,
        daily_cap,
        ..UnitSending::USUAL
    }
}

#[test]
fn the_nearest_unit_that_may_send_is_asked() {
    let mut scene = Scene::new();
    let shelves = [OTHER_MAIN, MAIN, BRANCH_2];
    let ask = |scene: &Scene, refused: &[UnitId]| asked(scene, &shelves, 1, refused, &mut Load::default());
    assert_eq!(ask(&scene, &[]), [MAIN]);
    assert_eq!(
        ask(&scene, &[MAIN]),
        [BRANCH_2],
        "a unit that refused is not asked again"
    );
    assert_eq!(ask(&scene, &shelves), []);
    scene.reconfigure(|parts: &mut NetworkParts| {
        parts.sending.units = [(MAIN, saying(false, None))].into();
    });
    assert_eq!(
        ask(&scene, &[]),
        [OTHER_MAIN],
        "nothing below a silent main is sent either"
    );
    scene.reconfigure(|parts| parts.sending.costs = [((OTHER_MAIN, CENTRAL), 1)].into());
    assert_eq!(
        ask(&scene, &[]),
        [OTHER_MAIN],
        "a row makes it nearer than the tree says"
    );
}

#[test]
fn a_unit_that_sends_nothing_still_fetches_for_its_own_hold_shelf() {
    let mut scene = Scene::new();
    scene.reconfigure(|parts| parts.sending.units = [(BRANCH, saying(false, Some(0)))].into());
    assert_eq!(asked(&scene, &[MAIN, BRANCH], 1, &[], &mut Load::default()), [BRANCH]);
}

#[test]
fn equal_units_share_the_work_and_a_daily_cap_ends_it() {
    let mut scene = Scene::new();
    let shelves = [MAIN, MAIN, BRANCH_2, BRANCH_2];
    // Both as far.
    scene.reconfigure(|parts| parts.sending.costs = [((MAIN, BRANCH), 20)].into());
    let mut load = Load {
        open: [(MAIN, 1)].into(),
        ..Load::default()
    };
    assert_eq!(
        asked(&scene, &shelves, 4, &[], &mut load),
        [BRANCH_2, MAIN, BRANCH_2, MAIN],
        "at a tie of open pulls the lowest item number"
    );
    scene.reconfigure(|parts| {
        parts.sending.units = [(BRANCH_2, saying(true, Some(3)))].into();
        parts.sending.costs = [((BRANCH_2, BRANCH), 1)].into();
    });
    let mut load = Load {
        today: [(BRANCH_2, 2)].into(),
        ..Load::default()
    };
    assert_eq!(asked(&scene, &shelves, 3, &[], &mut load), [BRANCH_2, MAIN, MAIN]);
}

#[test]
fn a_volume_is_served_by_its_own_copies_only() {
    let scene = Scene::new();
    let volume = |text: &str| Some(Volume::parse(text).expect("a volume"));
    let copies: Vec<CopyFacts> = [None, volume("第1卷"), volume("第2卷")]
        .into_iter()
        .enumerate()
        .map(|(n, volume)| CopyFacts {
            volume,
            ..copy(&scene, n, BRANCH)
        })
        .collect();
    let wanting = |target| {
        let mut hold = waiting(&scene, 0, BRANCH);
        hold.wish.target = target;
        let pulls = choose(
            scene.network(),
            &[hold],
            &copies,
            &mut Load::default(),
            today(&scene),
            9,
        );
        pulls.first().map(|pull| pull.item.get() - 100)
    };
    let of = |text| Target::Volume(BibId::new(1), Volume::parse(text).expect("a volume"));
    assert_eq!(wanting(of("第2卷")), Some(2));
    assert_eq!(wanting(of("第3卷")), None);
    assert_eq!(wanting(Target::Item(ItemId::new(101))), Some(1));
    assert_eq!(wanting(Target::Bib(BibId::new(1))), Some(0), "any copy will do");
}

#[test]
fn a_redirected_copy_leaves_its_place_or_its_crate() {
    let mut scene = Scene::new();
    scene.hold_is(HoldStatus::Captured);
    scene.capture(1, BRANCH, ItemStatus::OnHoldShelf);
    scene.pickup = MAIN;
    let moves = scene.change_pickup().expect("it may").item_moves.expect("it is here");
    assert!(matches!(moves.next_step, NextStep::Crate { to: MAIN, .. }));
    assert_eq!(
        (moves.item_status, moves.leaves),
        (ItemStatus::AwaitingDispatch, Unscanned { number: Some(17) })
    );
    assert_eq!(moves.capture.and_then(|capture| capture.shelf_number), None);
    // In a crate to the branch that has not left the main: it stays at the main, to be checked in.
    let reason = tongjie::domain::item::TransitReason::Hold;
    scene.send(MAIN, BRANCH, reason, ItemStatus::AwaitingDispatch);
    scene.item.current = MAIN;
    let moves = scene
        .change_pickup()
        .expect("it may")
        .item_moves
        .expect("it is at the main");
    assert!(matches!(moves.next_step, NextStep::CheckIn { .. }));
    assert!(moves.cancels_transit.is_some() && moves.item_status == ItemStatus::OnHoldShelf);
    // On the road it goes on.
    scene.item.status = ItemStatus::InTransit;
    assert_eq!(scene.change_pickup().expect("it may").item_moves, None);
}

#[test]
fn a_scan_confirms_what_was_decided_without_one() {
    let mut scene = Scene::new();
    scene.capture(1, BRANCH, ItemStatus::OnHoldShelf);
    if let Some(hold) = &mut scene.item.captured_for {
        (hold.shelf_number, hold.expires_on) = (None, None);
    }
    scene.item.unscanned = Some(Unscanned { number: Some(9) });
    scene.item.last_event_at = scene.now;
    let plan = scene.check_in().expect("taken in");
    assert!(!plan.repeated, "a second ago nobody had it in hand");
    assert_eq!(plan.capture.and_then(|capture| capture.shelf_number), Some(42));
    // Back to the open shelf: nobody read it.
    scene.item.captured_for = None;
    scene.item.status = ItemStatus::OnShelf;
    assert!(!scene.check_in().expect("taken in").local_use);
    scene.item.unscanned = None;
    scene.item.last_event_at = scene.now - chrono::TimeDelta::hours(1);
    assert!(scene.check_in().expect("taken in").local_use);
    // Fetched for a reader: nobody read it either.
    scene.queue(BRANCH);
    if let Some(next) = &mut scene.next_hold {
        next.pulled = true;
    }
    assert!(!scene.check_in().expect("taken in").local_use);
}
