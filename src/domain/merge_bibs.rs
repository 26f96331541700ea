//! What becomes of holds when bibs turn out to be one: who stays in the queue, and where a reader waits twice.
//! Not for: items, loans and records, which follow without a choice.

use std::collections::{BTreeMap, BTreeSet};

use super::ids::{BibId, HoldId, ItemId, ReaderId};
use super::volume::Volume;

/// Duplicates merged in one act.
pub const MOST_DUPLICATES: usize = 20;

/// Items that one act moves, and bibs merged into its duplicates before. Everybody else's write waits for it.
pub const MOST_ITEMS: usize = 5_000;

/// Open holds on the duplicates of one act.
pub const MOST_HOLDS: usize = 1_000;

/// What is wrong with the list of duplicates, or with one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("is empty: name 1 to {MOST_DUPLICATES} bibs")]
    Empty,
    #[error("names {0} bibs, at most {MOST_DUPLICATES} are merged at once")]
    TooMany(usize),
    #[error("is the bib that is to survive")]
    Itself,
    #[error("is in the list before")]
    Twice,
    #[error("there is no such bib")]
    Unknown,
    #[error("was merged into bib {0} already")]
    Merged(BibId),
}

/// A fault of the list (`at` is `None`) or of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub at: Option<usize>,
    pub wrong: Wrong,
}

/// What is wrong with a list before anything is looked up.
///
/// ```
/// use tongjie::domain::ids::BibId;
/// use tongjie::domain::merge_bibs::{Fault, Wrong, faults};
/// let [a, b] = [1, 2].map(BibId::new);
/// assert_eq!(faults(a, &[b]), []);
/// assert_eq!(faults(a, &[b, b]), [Fault { at: Some(1), wrong: Wrong::Twice }]);
/// ```
pub fn faults(survivor: BibId, duplicates: &[BibId]) -> Vec<Fault> {
    let whole = |wrong| vec![Fault { at: None, wrong }];
    match duplicates.len() {
        0 => return whole(Wrong::Empty),
        n if n > MOST_DUPLICATES => return whole(Wrong::TooMany(n)),
        _ => {}
    }
    let wrong = |(at, bib): (usize, &BibId)| {
        let wrong = if *bib == survivor {
            Wrong::Itself
        } else if duplicates[..at].contains(bib) {
            Wrong::Twice
        } else {
            return None;
        };
        Some(Fault { at: Some(at), wrong })
    };
    duplicates.iter().enumerate().filter_map(wrong).collect()
}

/// An open hold on one of the bibs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenHold {
    pub id: HoldId,
    pub bib: BibId,
    pub reader: ReaderId,
    /// The copy it waits for; `None` for any.
    pub item: Option<ItemId>,
    /// The volume it waits for; `None` for any.
    pub volume: Option<Volume>,
    /// The copy set aside for it.
    pub captured: Option<ItemId>,
    pub priority: i32,
    /// The order within a priority class: the time of placing, unless staff changed it.
    pub queue_rank: i64,
}

impl OpenHold {
    /// Its place in a queue is the rank of this.
    pub const fn rank(&self) -> (i32, i64, HoldId) {
        (self.priority, self.queue_rank, self.id)
    }
}

/// A hold that ends because another of the same reader stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    pub hold: OpenHold,
    pub by: HoldId,
}

/// What the store does with the holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// These join the survivor's queue, in its order: priority class, time of placing, number.
    pub moved: Vec<HoldId>,
    /// A second copy set aside for one reader stays so: the hold becomes one on that copy.
    pub bound: Vec<(HoldId, ItemId)>,
    pub cancelled: Vec<Replaced>,
}

/// Decides what becomes of the holds: the open ones on the duplicates, and those their readers have on the survivor.
///
/// Of a reader's holds on any copy (or any copy of one volume) one is kept: one with a copy set aside, or else the first in the order of the queue.
/// Holds on a named copy follow it. Whatever is set aside stays so.
///
/// ```
/// use tongjie::domain::ids::{BibId, HoldId, ReaderId};
/// use tongjie::domain::merge_bibs::{OpenHold, decide};
/// let [survivor, duplicate] = [1, 2].map(BibId::new);
/// let hold = |id: i64, bib, queue_rank| OpenHold {
///     id: HoldId::new(id), bib, reader: ReaderId::new(9), item: None, volume: None, captured: None, priority: 0, queue_rank,
/// };
/// let plan = decide(survivor, &[hold(5, survivor, 200), hold(6, duplicate, 100)]);
/// assert_eq!(plan.moved, [HoldId::new(6)]);
/// assert_eq!((plan.cancelled[0].hold.id, plan.cancelled[0].by), (HoldId::new(5), HoldId::new(6)));
/// ```
pub fn decide(survivor: BibId, holds: &[OpenHold]) -> Plan {
    let mut queue = holds.to_vec();
    queue.sort_unstable_by_key(OpenHold::rank);
    let mut readers: BTreeMap<ReaderId, Vec<OpenHold>> = BTreeMap::new();
    for hold in &queue {
        readers.entry(hold.reader).or_default().push(*hold);
    }
    let mut plan = Plan::default();
    for of_reader in readers.values() {
        for (at, hold) in of_reader.iter().enumerate() {
            if of_reader[..at].iter().all(|before| before.volume != hold.volume) {
                settle(of_reader, hold.volume, &mut plan);
            }
        }
    }
    let gone: BTreeSet<HoldId> = plan.cancelled.iter().map(|replaced| replaced.hold.id).collect();
    let moved = queue
        .iter()
        .filter(|hold| hold.bib != survivor && !gone.contains(&hold.id));
    plan.moved = moved.map(|hold| hold.id).collect();
    plan
}

/// One reader's holds on one volume, or on any, in the order of the queue.
fn settle(holds: &[OpenHold], volume: Option<Volume>, plan: &mut Plan) {
    let any = || {
        holds
            .iter()
            .filter(move |hold| hold.item.is_none() && hold.volume == volume)
    };
    let kept = any().find(|hold| hold.captured.is_some()).or_else(|| any().next());
    let Some(kept) = kept else { return };
    for hold in any().filter(|hold| hold.id != kept.id) {
        match hold.captured {
            None => plan.cancelled.push(Replaced {
                hold: *hold,
                by: kept.id,
            }),
            Some(copy) => {
                plan.bound.push((hold.id, copy));
                // The reader waits for that very copy as well: it is set aside now.
                let waits = |named: &&OpenHold| named.item == Some(copy) && named.captured.is_none();
                let named = holds.iter().filter(waits);
                plan.cancelled.extend(named.map(|named| Replaced {
                    hold: *named,
                    by: hold.id,
                }));
            }
        }
    }
}
