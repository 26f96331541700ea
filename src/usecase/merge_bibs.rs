//! Bibs that turn out to be one: items, holds and open loans of the duplicates go to the one that survives, which stands for
//! them from then on. Its record stays as it is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::error::FieldError;
use super::get_bib::BibView;
use super::once::{once, rehearsed};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{BibId, ItemId, ReaderId, UnitId};
use crate::domain::merge_bibs::{self, Fault, MOST_HOLDS, MOST_ITEMS, OpenHold, Plan, Replaced, Wrong};
use crate::domain::network::Network;
use crate::store::bibs::LockedBib;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Events of one act: its own, and one for each hold it ends.
const IDS: i64 = 1 + MOST_HOLDS as i64;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct MergeBibs {
    /// The one that stays.
    pub survivor: BibId,
    /// Its version when the caller looked.
    pub seen: i64,
    pub duplicates: Vec<BibId>,
    pub reason: Option<String>,
    /// Decide only; change nothing.
    pub dry_run: bool,
}

/// A hold that ended because another of the same reader stands for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplacedHold {
    #[schema(example = 1042)]
    pub hold_id: i64,
    /// The reader's hold that stays.
    #[schema(example = 1043)]
    pub replaced_by: i64,
}

/// What a merge did. It names no reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MergeOutcome {
    /// The bib that survives, as it is now.
    pub bib: BibView,
    /// The bibs it stands for from now on.
    #[schema(example = json!([1043, 1044]))]
    pub merged: Vec<i64>,
    /// How many items it got.
    #[schema(example = 12)]
    pub items_moved: usize,
    /// How many of those are lent.
    #[schema(example = 3)]
    pub loans_moved: usize,
    /// Open holds that joined its queue, in their order.
    #[schema(example = json!([1045]))]
    pub holds_moved: Vec<i64>,
    /// Holds with a copy set aside whose readers have two such: from now on they wait for that copy only.
    #[schema(example = json!([1045]))]
    pub holds_bound: Vec<i64>,
    /// Holds of readers who waited twice.
    pub holds_cancelled: Vec<ReplacedHold>,
    /// Nothing was changed: the answer says what would happen.
    pub dry_run: bool,
}

impl Outcome for MergeOutcome {}

/// What is merged, under its locks.
struct Involved {
    survivor: BibId,
    duplicates: Vec<BibId>,
    /// Merged into a duplicate before.
    earlier: Vec<BibId>,
    items: Vec<ItemId>,
    /// Open holds on the duplicates.
    held: usize,
    plan: Plan,
}

/// Merges duplicates into a bib.
///
/// # Errors
/// `Invalid` naming every wrong entry; `NotFound`; `Merged` when the bib was merged itself; `Stale`; `State` when it is too
/// much for one act; a failure of the store.
pub async fn merge_bibs(
    store: &Arc<Store>,
    caller: &Caller,
    command: MergeBibs,
    key: Option<IdempotencyKey>,
) -> Result<Once<MergeOutcome>> {
    caller.require_somewhere(Right::ManageItems)?;
    check(merge_bibs::faults(command.survivor, &command.duplicates))?;
    if command.dry_run {
        return rehearsed(store, caller, IDS, command, apply).await;
    }
    once(store, caller, key, IDS, command, apply).await
}

/// Locks a bib that something is to be added to or changed about; `None` if there is no such bib.
///
/// # Errors
/// `Merged` when another bib stands for it.
pub(super) fn lock_standing(tx: &mut WriteTx<'_>, id: BibId) -> Result<Option<LockedBib>> {
    tx.lock_bib(id)?.map(standing).transpose()
}

pub(super) fn standing(bib: LockedBib) -> Result<LockedBib> {
    match bib.merged_into {
        None => Ok(bib),
        Some(into) => Err(UseCaseError::Merged {
            bib: bib.id.get(),
            into: into.get(),
        }),
    }
}

fn check(faults: Vec<Fault>) -> Result<()> {
    if faults.is_empty() {
        return Ok(());
    }
    let named = faults.into_iter().map(|fault| {
        let field = fault
            .at
            .map_or_else(|| "duplicates".to_owned(), |at| format!("duplicates[{at}]"));
        FieldError::new(field, fault.wrong.to_string())
    });
    Err(UseCaseError::Invalid(named.collect()))
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &MergeBibs, mut ids: IdRun) -> Result<MergeOutcome> {
    let network = tx.network()?;
    let root = network.units().root().map(|unit| unit.id);
    let at = caller.unit.or(root).ok_or(UseCaseError::NotFound("unit"))?;
    let involved = lock(tx, command)?;
    end_holds(tx, caller, &network, &involved.plan.cancelled, at, &mut ids)?;
    let loans_moved = carry_out(tx, &involved)?;
    let mut event = Event::new(EventKind::BibMerged, tx.now(), at, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(
            json!({"duplicates": involved.duplicates, "items": involved.items.len(), "loans": loans_moved,
            "holds": involved.plan.moved.len(), "holds_cancelled": involved.plan.cancelled.len(),
            "reason": command.reason}),
        );
    event.bib = Some(involved.survivor);
    tx.append_event(ids.next(), &event)?;
    let bib = tx.bib_view(involved.survivor)?.ok_or(UseCaseError::NotFound("bib"))?;
    Ok(outcome(involved, BibView::of(bib), loans_moved, command.dry_run))
}

/// Locks everything in order (bibs, items, readers) and decides.
fn lock(tx: &mut WriteTx<'_>, command: &MergeBibs) -> Result<Involved> {
    // Neither another merge nor an import that looks bibs up may come between.
    tx.lock_matching()?;
    let (survivor, duplicates) = (command.survivor, command.duplicates.clone());
    let earlier = tx.merged_into_any(&duplicates, one_more(MOST_ITEMS))?;
    let all: Vec<BibId> = duplicates.iter().chain(&earlier).chain([&survivor]).copied().collect();
    let locked = tx.lock_bibs(&all)?;
    let of = |id: BibId| locked.iter().find(|bib| bib.id == id).copied();
    let present = standing(of(survivor).ok_or(UseCaseError::NotFound("bib"))?)?;
    if present.version != command.seen {
        return Err(UseCaseError::Stale(present.version));
    }
    let wrong = |(at, id): (usize, &BibId)| {
        let wrong = match of(*id) {
            None => Wrong::Unknown,
            Some(bib) => Wrong::Merged(bib.merged_into?),
        };
        Some(Fault { at: Some(at), wrong })
    };
    check(duplicates.iter().enumerate().filter_map(wrong).collect())?;
    let items = tx.lock_items_of_bibs(&duplicates, one_more(MOST_ITEMS))?;
    let mut holds = tx.open_holds_of_bibs(&duplicates, one_more(MOST_HOLDS))?;
    within(items.len() + earlier.len(), holds.len())?;
    let held = holds.len();
    holds.extend(tx.open_holds_of_readers(survivor, &readers(&holds))?);
    let plan = merge_bibs::decide(survivor, &holds);
    within(0, plan.cancelled.len())?;
    let waited_twice: Vec<OpenHold> = plan.cancelled.iter().map(|replaced| replaced.hold).collect();
    tx.lock_readers(&readers(&waited_twice))?;
    Ok(Involved {
        survivor,
        duplicates,
        earlier,
        items,
        held,
        plan,
    })
}

/// Enough to see that there are more.
fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

/// Everybody else's write waits for this one.
fn within(items: usize, holds: usize) -> Result<()> {
    if items <= MOST_ITEMS && holds <= MOST_HOLDS {
        return Ok(());
    }
    Err(UseCaseError::State(format!(
        "the duplicates have too much for one act, which moves at most {MOST_ITEMS} items and {MOST_HOLDS} open holds: merge \
         fewer at a time, or let the one with the most survive"
    )))
}

fn readers(holds: &[OpenHold]) -> Vec<ReaderId> {
    let mut readers: Vec<ReaderId> = holds.iter().map(|hold| hold.reader).collect();
    readers.sort_unstable();
    readers.dedup();
    readers
}

/// Ends the holds of readers who waited twice, each with its event.
fn end_holds(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    network: &Network,
    cancelled: &[Replaced],
    at: UnitId,
    ids: &mut IdRun,
) -> Result<()> {
    let ended: Vec<OpenHold> = cancelled.iter().map(|replaced| replaced.hold).collect();
    let traits = tx.reader_traits(&readers(&ended))?;
    let now = tx.now();
    for Replaced { hold, by } in cancelled {
        tx.replace_hold(hold.id, *by, hold.reader, now.timestamp_millis())?;
        let reader = traits.iter().find(|reader| reader.id == hold.reader);
        let reader = reader.ok_or(UseCaseError::NotFound("reader"))?;
        let band = AgeBand::on(reader.birth_date, network.local_day(now));
        let mut event = Event::new(EventKind::HoldCancelled, now, at, caller.channel().code())
            .of_reader(reader.id, reader.category, band)
            .by(caller.staff(), caller.device())
            .detail(json!({"hold_id": hold.id, "reason": "bibs_merged", "replaced_by": by}));
        event.bib = Some(hold.bib);
        event.item = hold.item;
        tx.append_event(ids.next(), &event)?;
    }
    Ok(())
}

/// Moves items, loans and holds and marks the duplicates; answers how many loans were moved.
fn carry_out(tx: &mut WriteTx<'_>, involved: &Involved) -> Result<usize> {
    let Involved {
        survivor, held, plan, ..
    } = involved;
    for (hold, copy) in &plan.bound {
        tx.bind_hold(*hold, *copy)?;
    }
    let loans = tx.move_items(&involved.items, *survivor)?;
    let count = |n: usize| i32::try_from(n).map_err(|error| UseCaseError::Internal(error.to_string()));
    let more = count(*held)? - count(plan.cancelled.len())?;
    tx.move_holds(&plan.moved, &involved.duplicates, *survivor, more)?;
    let merged: Vec<BibId> = involved.duplicates.iter().chain(&involved.earlier).copied().collect();
    tx.mark_merged(&merged, *survivor)?;
    Ok(loans)
}

fn outcome(involved: Involved, bib: BibView, loans_moved: usize, dry_run: bool) -> MergeOutcome {
    let Plan {
        moved,
        bound,
        cancelled,
    } = involved.plan;
    MergeOutcome {
        bib,
        merged: involved.duplicates.iter().map(|bib| bib.get()).collect(),
        items_moved: involved.items.len(),
        loans_moved,
        holds_moved: moved.iter().map(|hold| hold.get()).collect(),
        holds_bound: bound.iter().map(|(hold, _)| hold.get()).collect(),
        holds_cancelled: cancelled
            .iter()
            .map(|replaced| ReplacedHold {
                hold_id: replaced.hold.id.get(),
                replaced_by: replaced.by.get(),
            })
            .collect(),
        dry_run,
    }
}
