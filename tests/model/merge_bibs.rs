//! What a merge of bibs decides about holds, tried on every kind of queue the database can hold.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use tongjie::domain::ids::{BibId, HoldId, ItemId, ReaderId};
use tongjie::domain::merge_bibs::{Fault, MOST_DUPLICATES, OpenHold, Plan, Wrong, decide, faults};
use tongjie::domain::volume::Volume;

const SURVIVOR: BibId = BibId::new(1);

/// Open holds of few readers on four bibs of three copies each, as the database allows them: one of a reader for each target,
/// and one hold for each copy set aside.
fn volume(n: u8) -> Volume {
    Volume::parse(&format!("第{n}卷")).expect("a volume")
}

fn holds() -> impl Strategy<Value = Vec<OpenHold>> {
    let one = (
        1..5_i64,
        1..5_i64,
        weighted(0.3, 0..3_i64),
        weighted(0.4, 0..3_i64),
        weighted(0.3, 0..2_u8),
        -1..2_i32,
        0..4_i64,
    );
    vec(one, 0..40).prop_map(|drawn| {
        let (mut targets, mut aside, mut holds) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for (id, (reader, bib, named, captured, volume, priority, queue_rank)) in (100..).zip(drawn) {
            let copy = |n: i64| ItemId::new(10 * bib + n);
            let item = named.map(copy);
            let captured = captured.map(|n| item.unwrap_or(copy(n)));
            let volume = volume.filter(|_| item.is_none());
            if !targets.insert((reader, bib, item, volume)) {
                continue;
            }
            holds.push(OpenHold {
                id: HoldId::new(id),
                bib: BibId::new(bib),
                reader: ReaderId::new(reader),
                item,
                volume: volume.map(self::volume),
                captured: captured.filter(|copy| aside.insert(*copy)),
                priority,
                queue_rank,
            });
        }
        holds
    })
}

/// The holds that are open afterwards.
fn applied(holds: &[OpenHold], plan: &Plan) -> Vec<OpenHold> {
    let bound: BTreeMap<HoldId, ItemId> = plan.bound.iter().copied().collect();
    let gone: BTreeSet<HoldId> = plan.cancelled.iter().map(|replaced| replaced.hold.id).collect();
    let moved: BTreeSet<HoldId> = plan.moved.iter().copied().collect();
    let open = holds.iter().filter(|hold| !gone.contains(&hold.id));
    open.map(|hold| OpenHold {
        bib: if moved.contains(&hold.id) { SURVIVOR } else { hold.bib },
        item: bound.get(&hold.id).copied().or(hold.item),
        volume: hold.volume.filter(|_| !bound.contains_key(&hold.id)),
        ..*hold
    })
    .collect()
}

/// The holds of a reader on any copy, or on any of one volume.
fn on_any(holds: &[OpenHold], reader: ReaderId, volume: Option<Volume>) -> impl Iterator<Item = &OpenHold> {
    let of_reader = holds
        .iter()
        .filter(move |hold| hold.reader == reader && hold.item.is_none());
    of_reader.filter(move |hold| hold.volume == volume)
}

/// The one of them that should stay so.
fn better(holds: &[OpenHold], reader: ReaderId, volume: Option<Volume>) -> Option<HoldId> {
    let best = on_any(holds, reader, volume).min_by_key(|hold| (hold.captured.is_none(), hold.rank()));
    best.map(|hold| hold.id)
}

proptest! {
    #[test]
    fn afterwards_every_hold_is_the_survivors_and_no_reader_waits_twice_for_one_target(holds in holds()) {
        let after = applied(&holds, &decide(SURVIVOR, &holds));
        prop_assert!(after.iter().all(|hold| hold.bib == SURVIVOR));
        let target = |hold: &OpenHold| (hold.reader, hold.item, hold.volume.map(|volume| volume.to_string()));
        let targets: BTreeSet<_> = after.iter().map(target).collect();
        prop_assert_eq!(targets.len(), after.len());
    }

    #[test]
    fn whatever_is_set_aside_stays_set_aside_for_the_same_hold(holds in holds()) {
        let after = applied(&holds, &decide(SURVIVOR, &holds));
        let aside = |holds: &[OpenHold]| -> BTreeSet<_> {
            holds.iter().filter_map(|hold| Some((hold.id, hold.captured?))).collect()
        };
        prop_assert_eq!(aside(&after), aside(&holds));
        let fits = |hold: &OpenHold| hold.item.is_none() || hold.captured.is_none() || hold.item == hold.captured;
        prop_assert!(after.iter().all(fits));
    }

    #[test]
    fn of_a_readers_places_the_better_one_stays_and_stands_for_the_others(holds in holds()) {
        let plan = decide(SURVIVOR, &holds);
        let after = applied(&holds, &plan);
        for (reader, n) in (1..5).flat_map(|reader| (0..3_u8).map(move |n| (ReaderId::new(reader), n))) {
            let volume = (n < 2).then(|| volume(n));
            let any: Vec<HoldId> = on_any(&after, reader, volume).map(|hold| hold.id).collect();
            prop_assert_eq!(any, better(&holds, reader, volume).into_iter().collect::<Vec<_>>());
        }
        for replaced in &plan.cancelled {
            let stands = after.iter().find(|hold| hold.id == replaced.by);
            prop_assert_eq!(stands.map(|hold| hold.reader), Some(replaced.hold.reader));
        }
    }

    #[test]
    fn what_moves_is_told_in_the_order_of_the_queue_whatever_the_order_of_the_facts(holds in holds()) {
        let plan = decide(SURVIVOR, &holds);
        let rank = |id: &HoldId| holds.iter().find(|hold| hold.id == *id).map(OpenHold::rank);
        prop_assert!(plan.moved.is_sorted_by_key(rank));
        let mut turned = holds.clone();
        turned.reverse();
        prop_assert_eq!(decide(SURVIVOR, &turned), plan);
    }

    #[test]
    fn a_list_is_good_exactly_when_it_names_others_each_once(list in vec(1..30_i64, 0..25)) {
        let bibs: Vec<BibId> = list.iter().copied().map(BibId::new).collect();
        let found = faults(SURVIVOR, &bibs);
        let once = list.iter().collect::<BTreeSet<_>>().len() == list.len();
        let good = (1..=MOST_DUPLICATES).contains(&list.len()) && once && !list.contains(&1);
        prop_assert_eq!(found.is_empty(), good);
        let whole = |fault: &Fault| fault.at.is_none() == matches!(fault.wrong, Wrong::Empty | Wrong::TooMany(_));
        prop_assert!(found.iter().all(whole));
    }
}
