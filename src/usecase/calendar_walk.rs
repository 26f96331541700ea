//! The walk that follows a change of calendars: over the hold shelves and the open loans of a unit and everything below it, in small
//! steps that anybody may take up where the last one ended. The one who made the change walks a little; a job walks the rest.
//! Which day moves where: `domain::move_due`; what is looked for: `due_moves`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::json;

use super::due_moves::{AffectedLoan, DueMoves, Scope, moved_so_far};
use super::run_job::{Look, Pass};
use super::{Result, UseCaseError};
use crate::clock::from_millis;
use crate::domain::calendar::end_of_day;
use crate::domain::event::EventKind;
use crate::domain::ids::UnitId;
use crate::domain::move_due::put_back;
use crate::domain::network::Network;
use crate::store::Store;
use crate::store::calendar_changes::{ChangeRow, DONE, SETTLING, UNDOING, UNDONE};
use crate::store::due_moves::{Move, Moved};
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::tx::ReadTx;

/// Loans or holds moved by one write: some milliseconds.
const MOVES_PER_WRITE: usize = 125;

/// How long whoever made a change walks.
const OWN_WALK: Duration = Duration::from_secs(1);

/// How long the job walks at a time.
const JOB_WALK: Duration = Duration::from_secs(1);

/// Between two looks whether transactions older than the change have ended.
const SETTLE_PAUSE: Duration = Duration::from_millis(10);

/// The job that carries walks on.
#[derive(Debug, Clone, Copy, Default)]
pub struct CalendarWalks;

impl Pass for CalendarWalks {
    type Work = i64;

    fn look(&self, after: i64, _: DateTime<Utc>) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<i64>> + Send + 'static {
        move |tx| {
            let row = tx.change_under_way(after)?;
            // One that waits for others' transactions is passed; one that can go on comes again at once.
            let passed = row
                .as_ref()
                .map(|row| if row.status == SETTLING { row.id } else { row.id - 1 });
            Ok(Look {
                looked_at: i64::from(row.is_some()),
                work: row.into_iter().map(|row| row.id).collect(),
                after: passed,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<i64>) -> Result<i64> {
        let mut changed = 0;
        for id in work {
            changed += carry_on(store, id, JOB_WALK).await?;
        }
        Ok(changed)
    }
}

/// Carries a walk on for so long, or to its end; answers how much it moved.
///
/// # Errors
/// A failure of the store; the walk stands where it stood.
pub async fn carry_on(store: &Arc<Store>, change: i64, patience: Duration) -> Result<i64> {
    let until = Instant::now() + patience;
    let mut moved = 0;
    loop {
        let row = store
            .read(move |tx| tx.calendar_change(change).map_err(UseCaseError::from))
            .await?
            .ok_or(UseCaseError::NotFound("change"))?;
        match row.status.as_str() {
            DONE | UNDONE => return Ok(moved),
            UNDOING => moved += undo_step(store, row).await?,
            SETTLING => begin(store, row).await?,
            _ if row.began_at.is_none() => begin(store, row).await?,
            _ if row.walks_holds => moved += hold_step(store, row).await?,
            _ => moved += loan_step(store, row).await?,
        }
        if Instant::now() >= until {
            return Ok(moved);
        }
    }
}

/// Walks a little after a change was made, and tells what has moved by then. The change itself is done: whatever fails here is done
/// by the job.
pub(super) async fn walk_after(store: &Arc<Store>, change: i64) -> Option<(DueMoves, Vec<AffectedLoan>)> {
    let walked = match carry_on(store, change, OWN_WALK).await {
        Ok(_) => moved_so_far(store, change).await,
        Err(error) => Err(error),
    };
    walked
        .inspect_err(|error| tracing::warn!(%error, change, "due dates will be moved by the job"))
        .ok()
}

/// Begins a walk. One that begins while transactions older than the change are still there is not the last: what they bring may
/// follow the old calendar. So once they are gone, everything is looked at again.
async fn begin(store: &Arc<Store>, row: ChangeRow) -> Result<()> {
    const TRIES: usize = 10;
    let first = row.began_at;
    let mut asked = Asked {
        began_at: first,
        older: true,
        expected: 0,
    };
    for _ in 0..TRIES {
        let since = asked.began_at;
        asked = store.read(move |tx| ask(tx, since)).await?;
        if !asked.older {
            break;
        }
        tokio::time::sleep(SETTLE_PAUSE).await;
    }
    if row.status == SETTLING && asked.older {
        return Ok(());
    }
    let (began_at, sure, expected) = (asked.began_at.unwrap_or_default(), !asked.older, asked.expected);
    store
        .write(move |tx| -> Result<()> {
            tx.begin_walk(&row, began_at, sure, expected)?;
            Ok(())
        })
        .await
}

struct Asked {
    began_at: Option<i64>,
    older: bool,
    expected: i64,
}

fn ask(tx: &mut ReadTx<'_>, since: Option<i64>) -> Result<Asked> {
    // The count comes first: what is read later is not older than what this transaction sees.
    let expected = tx.count_open_loans()?;
    let since = match since {
        Some(since) => since,
        None => tx.moment_of_database()?,
    };
    Ok(Asked {
        began_at: Some(since),
        older: tx.has_older_writers(since)?,
        expected,
    })
}

/// Of the change, as the network stands now.
fn scope<'n>(network: &'n Network, row: &ChangeRow, now: DateTime<Utc>) -> Scope<'n> {
    let unit = UnitId::new(row.unit_id);
    let made = from_millis(row.made_at);
    Scope::new(network, unit, now)
        .made_at(made)
        .of_closing(unit, row.id, made)
}

async fn hold_step(store: &Arc<Store>, row: ChangeRow) -> Result<i64> {
    let about = row.clone();
    let (moves, last) = store
        .read(move |tx| -> Result<_> {
            let network = tx.network()?;
            let scope = scope(&network, &about, tx.now());
            let units = scope.next_units(about.after_id);
            Ok((scope.holds(tx, &units)?, units.last().map(|unit| unit.get())))
        })
        .await?;
    let Some(last) = last else {
        return take(store, row, (false, 0), 0, Doing::MoveHolds(Vec::new()))
            .await
            .map(|(moved, _)| moved);
    };
    let (mut row, mut moved) = (row, 0);
    let mut chunks: Vec<Vec<Move<String>>> = moves.chunks(MOVES_PER_WRITE).map(<[_]>::to_vec).collect();
    let final_chunk = chunks.pop().unwrap_or_default();
    for chunk in chunks {
        let stays = (true, row.after_id);
        let (some, next) = take(store, row, stays, 0, Doing::MoveHolds(chunk)).await?;
        moved += some;
        let Some(next) = next else { return Ok(moved) };
        row = next;
    }
    let (some, _) = take(store, row, (true, last), 0, Doing::MoveHolds(final_chunk)).await?;
    Ok(moved + some)
}

async fn loan_step(store: &Arc<Store>, row: ChangeRow) -> Result<i64> {
    let about = row.clone();
    let page = store
        .read(move |tx| {
            let network = tx.network()?;
            scope(&network, &about, tx.now()).loans(tx, about.after_id)
        })
        .await?;
    let Some(last) = page.last_item else {
        let status = if row.sure { DONE } else { SETTLING };
        return end(store, row, status).await.map(|()| 0);
    };
    let (mut row, mut moved) = (row, 0);
    let mut chunks: Vec<&[(i64, Move<i64>)]> = page.moves.chunks(MOVES_PER_WRITE).collect();
    let final_chunk = chunks.pop().unwrap_or_default();
    let plain = |chunk: &[(i64, Move<i64>)]| chunk.iter().map(|(_, one)| one.clone()).collect::<Vec<_>>();
    for chunk in chunks {
        let to = (false, chunk.last().map_or(row.after_id, |(item, _)| *item));
        let (some, next) = take(store, row, to, 0, Doing::MoveLoans(plain(chunk))).await?;
        moved += some;
        let Some(next) = next else { return Ok(moved) };
        row = next;
    }
    let doing = Doing::MoveLoans(plain(final_chunk));
    let (some, _) = take(store, row, (false, last), page.looked_at, doing).await?;
    Ok(moved + some)
}

/// Puts back some of what a closing moved.
async fn undo_step(store: &Arc<Store>, row: ChangeRow) -> Result<i64> {
    let limit = i64::try_from(MOVES_PER_WRITE).unwrap_or(i64::MAX);
    let (id, made_at, after, holds) = (row.id, row.made_at, row.after_id, row.walks_holds);
    let (doing, last) = store
        .read(move |tx| -> Result<_> {
            let network = tx.network()?;
            let now = tx.now();
            if holds {
                let rows = tx.holds_to_put_back((id, made_at), after, limit)?;
                let moves = rows.iter().filter_map(|one| hold_back(&network, one, now)).collect();
                return Ok((Doing::PutHoldsBack(moves), rows.last().map(|one| one.id)));
            }
            let rows = tx.loans_to_put_back(id, after, limit)?;
            let moves = rows.iter().filter_map(|one| loan_back(&network, one, now)).collect();
            Ok((Doing::PutLoansBack(moves), rows.last().map(|one| one.id)))
        })
        .await?;
    match last {
        Some(last) => take(store, row, (holds, last), 0, doing).await.map(|(moved, _)| moved),
        None if holds => take(store, row, (false, 0), 0, doing).await.map(|(moved, _)| moved),
        None => end(store, row, UNDONE).await.map(|()| 0),
    }
}

/// From where the closing put it to where it goes back.
fn loan_back(network: &Network, loan: &Moved<i64>, now: DateTime<Utc>) -> Option<Move<i64>> {
    let day = |at: i64| network.local_day(from_millis(at));
    let calendar = network.calendar(UnitId::new(loan.unit_id));
    let to = put_back(&calendar, day(loan.old), day(loan.new), network.local_day(now))?;
    let back = if to == day(loan.old) {
        loan.old
    } else {
        end_of_day(network.zone(), to).timestamp_millis()
    };
    Some(Move {
        id: loan.id,
        old: loan.new,
        new: back,
    })
}

fn hold_back(network: &Network, hold: &Moved<String>, now: DateTime<Utc>) -> Option<Move<String>> {
    let calendar = network.calendar(UnitId::new(hold.unit_id));
    let (old, new) = (hold.old.parse().ok()?, hold.new.parse().ok()?);
    let to = put_back(&calendar, old, new, network.local_day(now))?;
    Some(Move {
        id: hold.id,
        old: hold.new.clone(),
        new: to.to_string(),
    })
}

/// What one write does.
#[derive(Debug, Clone)]
enum Doing {
    MoveLoans(Vec<Move<i64>>),
    MoveHolds(Vec<Move<String>>),
    PutLoansBack(Vec<Move<i64>>),
    PutHoldsBack(Vec<Move<String>>),
}

/// One short write: the step, and what is done in it. Answers how much was done and where the walk stands; `None`: somebody else
/// took this step.
async fn take(
    store: &Arc<Store>,
    row: ChangeRow,
    to: (bool, i64),
    looked_at: i64,
    doing: Doing,
) -> Result<(i64, Option<ChangeRow>)> {
    store
        .write(move |tx| -> Result<_> {
            if !tx.take_step(&row, to, looked_at)? {
                return Ok((0, None));
            }
            let (mut loans, mut holds, mut back) = (0, 0, 0);
            match &doing {
                Doing::MoveLoans(moves) => loans = tx.move_due_loans(row.id, moves)?,
                Doing::MoveHolds(moves) => holds = tx.move_shelves(row.id, moves)?,
                Doing::PutLoansBack(moves) => back = tx.put_due_back(row.id, moves)?,
                Doing::PutHoldsBack(moves) => back = tx.put_shelves_back(row.id, moves)?,
            }
            let moved = loans + holds + back;
            if moved > 0 {
                tx.count_moves(row.id, loans, holds, back)?;
            }
            let next = ChangeRow {
                walks_holds: to.0,
                after_id: to.1,
                ..row.clone()
            };
            Ok((moved, Some(next)))
        })
        .await
}

async fn end(store: &Arc<Store>, row: ChangeRow, status: &'static str) -> Result<()> {
    let ids = store.take_ids::<UseCaseError>(1).await?;
    store
        .write(move |tx| -> Result<()> {
            if !tx.end_walk(&row, status)? || status == SETTLING {
                return Ok(());
            }
            let unit = UnitId::new(row.unit_id);
            let detail = json!({"changed": "due_dates", "change_id": row.id, "status": status,
                "moved_loans": row.moved_loans, "moved_holds": row.moved_holds, "put_back": row.put_back});
            let event = Event::new(EventKind::UnitChanged, tx.now(), unit, SYSTEM_CHANNEL).detail(detail);
            Ok(tx.append_event(ids.clone().next(), &event)?)
        })
        .await
}
