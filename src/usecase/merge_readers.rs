//! Two rows turn out to be one person: one of them gets everything of the other, by a documented act.
//! Not for: events of the time before, which stay as they were recorded.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::credit_ledger::{Books, IDS_PER_POSTING};
use super::named::Wrong;
use super::once::once;
use super::session::audience_code;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::{Audience, Right};
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::guardian::MOST_GUARDIANS;
use crate::domain::ids::{BibId, CategoryId, ReaderId, UnitId};
use crate::domain::merge_bibs::OpenHold;
use crate::domain::merge_readers::{self, Links, MOST_MOVED, Plan, Standing};
use crate::domain::resident_id::ResidentId;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::readers::merging::{MergeDocument, Mergeable, Moved, OpenOfBoth};
use crate::store::tx::WriteTx;
use crate::store::{Once, Store, StoreError};

/// The document, the event, and the line of the ledger.
const IDS: i64 = 2 + IDS_PER_POSTING;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct MergeReaders {
    pub survivor: ReaderId,
    pub duplicate: ReaderId,
    pub reason: String,
}

/// What a merge moved. Nothing personal: this answer is kept for a while under the idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MergedReaders {
    /// The number of the document.
    #[schema(example = 1050)]
    pub merge_id: i64,
    /// The reader who stays.
    pub reader_id: i64,
    /// The reader who was merged.
    #[schema(example = 1042)]
    pub merged_reader_id: i64,
    /// How many open loans the reader who stays got.
    #[schema(example = 3)]
    pub loans_moved: usize,
    /// How many closed loans that are still linked to a reader.
    #[schema(example = 12)]
    pub closed_loans_moved: usize,
    /// How many holds, open and closed.
    #[schema(example = 2)]
    pub holds_moved: usize,
    /// Holds that ended because both readers waited for the same.
    #[schema(example = json!([1045]))]
    pub holds_cancelled: Vec<i64>,
    /// How many cards.
    #[schema(example = 1)]
    pub cards_moved: usize,
    /// Guardian links that ended because both readers had them, or would be their own guardian.
    #[schema(example = json!([]))]
    pub guardianships_ended: Vec<i64>,
    /// How many lines of the ledger of credit.
    #[schema(example = 7)]
    pub credit_entries_moved: i64,
    /// The debt of both together in fen.
    #[schema(example = 0)]
    pub debt_fen: i64,
}

impl Outcome for MergedReaders {
    fn reader_id(&self) -> Option<i64> {
        Some(self.reader_id)
    }
}

/// Merges a reader into another one.
///
/// # Errors
/// `Invalid` for a duplicate that is the survivor itself or unknown; `State` for one that was merged already, for two with ID numbers that
/// differ, for a number that does not fit the day of birth, for too many guardians, and for more than one act moves; `NotFound`; `Forbidden`; a failure of the store.
pub async fn merge_readers(
    store: &Arc<Store>,
    caller: &Caller,
    command: MergeReaders,
    key: Option<IdempotencyKey>,
) -> Result<Once<MergedReaders>> {
    caller.require_somewhere(Right::MergeReaders)?;
    once(store, caller, key, IDS, command, apply).await
}

/// Both readers and what is open of them, under the locks of all of it.
struct Locked {
    survivor: Mergeable,
    duplicate: Mergeable,
    open: OpenOfBoth,
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &MergeReaders, mut ids: IdRun) -> Result<MergedReaders> {
    let mut wrong = Wrong::default();
    if command.survivor == command.duplicate {
        wrong.say("duplicate_id", "is the reader who is to stay");
    }
    wrong.check()?;
    let locked = lock(tx, command)?;
    let person = check(tx, command, &locked)?;
    let plan = merge_readers::decide(&locked.open.holds);
    let standing = merge_readers::stricter(&locked.survivor.standing, &locked.duplicate.standing);
    let moved = carry_out(tx, command, &locked, &plan, &standing)?;
    let (from, to) = (command.duplicate, command.survivor);
    tx.complete_reader(from, to, person.born)?;
    let now = tx.now();
    tx.move_guardianships(&person.links, now)?;
    let credit = merge_ledgers(tx, caller, command, &mut ids)?;
    let home = tx
        .reader_view(command.survivor)?
        .ok_or(UseCaseError::NotFound("reader"))?
        .0;
    let at = caller.unit.unwrap_or(UnitId::new(home.home_unit_id));
    let made = MergedReaders {
        credit_entries_moved: credit,
        guardianships_ended: person.links.ended,
        ..outcome(ids.next(), command, moved, &plan, standing.debt_fen)
    };
    tx.mark_reader_merged(&document(now, caller, command, at, &made)?)?;
    tx.end_sessions_of(
        audience_code(Audience::Reader),
        command.duplicate.get(),
        None,
        now.timestamp_millis(),
    )?;
    tell(tx, caller, command, (&locked.survivor, at), &made, ids.next())?;
    Ok(made)
}

/// Locks everything in order: identities, bibs, items, readers.
fn lock(tx: &mut WriteTx<'_>, command: &MergeReaders) -> Result<Locked> {
    tx.lock_identities()?;
    let both = [command.survivor, command.duplicate];
    let limit = i64::try_from(MOST_MOVED).unwrap_or(i64::MAX).saturating_add(1);
    let before = tx.open_of_readers(&both, limit)?;
    if before.lent.len() > MOST_MOVED || before.holds.len() > MOST_MOVED {
        return Err(UseCaseError::State(format!(
            "the two have more than {MOST_MOVED} open loans or holds, which is more than one act moves"
        )));
    }
    let bibs: Vec<BibId> = before.holds.iter().map(|hold| hold.bib).collect();
    tx.lock_bibs(&bibs)?;
    let captured = before.holds.iter().filter_map(|hold| hold.captured);
    let items: Vec<_> = before.lent.iter().copied().chain(captured).collect();
    tx.lock_items_by_id(&items)?;
    tx.lock_readers(&both)?;
    let survivor = tx
        .mergeable(command.survivor)?
        .ok_or(UseCaseError::NotFound("reader"))?;
    let missing = || UseCaseError::field("duplicate_id", "there is no such reader");
    let duplicate = tx.mergeable(command.duplicate)?.ok_or_else(missing)?;
    let open = tx.open_of_readers(&both, limit)?;
    if open != before {
        // Something was lent, returned or wished for before the locks were there.
        return Err(StoreError::Retry(diesel::result::Error::RollbackTransaction).into());
    }
    Ok(Locked {
        survivor,
        duplicate,
        open,
    })
}

/// What the two are together as a person.
struct Person {
    born: Option<NaiveDate>,
    links: Links,
}

fn check(tx: &mut WriteTx<'_>, command: &MergeReaders, locked: &Locked) -> Result<Person> {
    let (survivor, duplicate) = (command.survivor, command.duplicate);
    for (reader, id) in [(&locked.survivor, survivor), (&locked.duplicate, duplicate)] {
        if let Some(into) = reader.merged_into {
            return Err(UseCaseError::State(format!(
                "reader {id} was merged into reader {into} already"
            )));
        }
    }
    for id in [survivor, duplicate] {
        if tx.is_erased(id)? {
            return Err(UseCaseError::State(format!(
                "reader {id} was erased: nobody can tell who it was"
            )));
        }
    }
    let numbers = (tx.identity_in_clear(survivor)?, tx.identity_in_clear(duplicate)?);
    if let (Some(one), Some(other)) = &numbers
        && one != other
    {
        return Err(UseCaseError::State(
            "the two are registered with different ID numbers: they are two persons".to_owned(),
        ));
    }
    if tx.deposits_of_both(survivor, duplicate)? {
        return Err(UseCaseError::State(
            "both have a deposit with one owner: refund one of them first".to_owned(),
        ));
    }
    person(tx, command, locked, numbers.0.or(numbers.1))
}

fn person(tx: &mut WriteTx<'_>, command: &MergeReaders, locked: &Locked, number: Option<String>) -> Result<Person> {
    let (survivor, duplicate) = (command.survivor, command.duplicate);
    let links = merge_readers::links(&tx.links_of_both(duplicate, survivor)?, duplicate, survivor);
    if links.too_many() {
        return Err(UseCaseError::State(format!(
            "a ward would have more than {MOST_GUARDIANS} guardians: end some of the links first"
        )));
    }
    let today = tx.network()?.local_day(tx.now());
    let by_number = number.and_then(|number| ResidentId::parse(&number, today).ok());
    let born = merge_readers::born(
        locked.survivor.birth_date,
        locked.duplicate.birth_date,
        by_number.map(|person| person.born()),
    );
    let born = born.map_err(|differs| UseCaseError::State(differs.to_string()))?;
    Ok(Person { born, links })
}

fn carry_out(
    tx: &mut WriteTx<'_>,
    command: &MergeReaders,
    locked: &Locked,
    plan: &Plan,
    standing: &Standing,
) -> Result<Moved> {
    let (from, to, now) = (command.duplicate, command.survivor, tx.now());
    for replaced in &plan.cancelled {
        let OpenHold { id, bib, reader, .. } = replaced.hold;
        tx.replace_hold(id, replaced.by, reader, now.timestamp_millis())?;
        tx.count_hold_of_bib(bib, -1)?;
    }
    for (hold, copy) in &plan.bound {
        tx.bind_hold(*hold, *copy)?;
    }
    let moved = tx.move_reader(from, to)?;
    tx.move_identity(from, to)?;
    tx.move_notices(from, to, now)?;
    tx.move_locker_sessions(from, to, now)?;
    tx.move_conflicts(from, to)?;
    tx.move_privacy(from, to, now)?;
    tx.move_note(from, to)?;
    let ended = i32::try_from(plan.cancelled.len()).unwrap_or(i32::MAX);
    let holds = locked.survivor.open_holds + locked.duplicate.open_holds - ended;
    tx.set_standing(to, standing, holds)?;
    Ok(moved)
}

/// Without a programme lines are moved as they are.
fn merge_ledgers(tx: &mut WriteTx<'_>, caller: &Caller, command: &MergeReaders, ids: &mut IdRun) -> Result<i64> {
    let (from, to, now) = (command.duplicate, command.survivor, tx.now());
    let network = tx.network()?;
    let Some(rules) = network.rules().credit.as_ref() else {
        return Ok(tx.move_ledger(from, to, now)?.entries);
    };
    let mut books = Books {
        tx,
        network: &network,
        rules,
        caller,
        now,
        ids,
    };
    books.merge(from, to)
}

fn outcome(id: i64, command: &MergeReaders, moved: Moved, plan: &Plan, debt_fen: i64) -> MergedReaders {
    MergedReaders {
        merge_id: id,
        reader_id: command.survivor.get(),
        merged_reader_id: command.duplicate.get(),
        loans_moved: moved.open_loans,
        closed_loans_moved: moved.closed_loans,
        holds_moved: moved.holds,
        holds_cancelled: plan.cancelled.iter().map(|replaced| replaced.hold.id.get()).collect(),
        cards_moved: moved.cards,
        guardianships_ended: Vec::new(),
        credit_entries_moved: 0,
        debt_fen,
    }
}

fn document(
    now: DateTime<Utc>,
    caller: &Caller,
    command: &MergeReaders,
    at: UnitId,
    made: &MergedReaders,
) -> Result<MergeDocument> {
    let count = |n: usize| i64::try_from(n).map_err(|error| UseCaseError::Internal(error.to_string()));
    Ok(MergeDocument {
        id: made.merge_id,
        survivor_id: made.reader_id,
        duplicate_id: made.merged_reader_id,
        reason: command.reason.clone(),
        unit_id: at.get(),
        staff_id: caller.staff().map(|staff| staff.get()),
        merged_at: now.timestamp_millis(),
        open_loans: count(made.loans_moved)?,
        closed_loans: count(made.closed_loans_moved)?,
        holds: count(made.holds_moved)?,
        holds_cancelled: count(made.holds_cancelled.len())?,
        cards: count(made.cards_moved)?,
        debt_fen: made.debt_fen,
    })
}

fn tell(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &MergeReaders,
    (survivor, at): (&Mergeable, UnitId),
    made: &MergedReaders,
    event_id: i64,
) -> Result<()> {
    let (network, now) = (tx.network()?, tx.now());
    let born = survivor.birth_date;
    let event = Event::new(EventKind::ReaderMerged, now, at, caller.own_channel())
        .of_reader(
            command.survivor,
            CategoryId::new(survivor.category),
            AgeBand::on(born, network.local_day(now)),
        )
        .by(caller.staff(), caller.device())
        .detail(
            json!({"loans": made.loans_moved, "closed_loans": made.closed_loans_moved, "holds": made.holds_moved,
            "holds_cancelled": made.holds_cancelled.len(), "cards": made.cards_moved,
            "credit_entries": made.credit_entries_moved, "guardianships_ended": made.guardianships_ended.len()}),
        )
        .personal(
            json!({"merge_id": made.merge_id, "merged_reader_id": made.merged_reader_id, "reason": command.reason}),
        );
    Ok(tx.append_event(event_id, &event)?)
}
