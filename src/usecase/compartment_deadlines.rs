//! Doors of which nothing was heard in their time: nobody knows what is behind them, and the loan they were opened for is in question. Of a
//! loan that stays in question staff are told again each day.
//! Readers who went away without a word leave their screen. Run by a job.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::compartment_record::{IDS, tell};
use super::confirm_loan::{ask_again, heard_of_loan, said_of_loan};
use super::locker_session::standing;
use super::report_compartment::ReportedBy;
use super::run_job::{Look, Pass, of_one};
use super::{Result, Store, UseCaseError};
use crate::domain::compartment_life::{CompartmentStep, next};
use crate::domain::ids::{CompartmentId, LoanId, LockerSessionId};
use crate::domain::locker_session::SessionEnd;
use crate::domain::two_phase::{LoanPhase, Said};
use crate::store::ids::IdRun;
use crate::store::lockers::compartments::Compartment;
use crate::store::lockers::returns::ReturnRow;
use crate::store::tx::{ReadTx, WriteTx};

/// Doors, loans and sessions looked up at a time, of each.
const PAGE: i64 = 100;

/// The walk over doors and loans of which nothing was said until their deadline, over loans that have been in question for long, and over
/// sessions that nobody ended.
#[derive(Debug, Clone, Copy)]
pub struct CompartmentDeadlines;

/// What nothing was heard of.
#[derive(Debug, Clone, Copy)]
pub enum Silent {
    Door(CompartmentId),
    /// Its door was heard of, and said nothing of the book.
    Loan(LoanId),
    /// A person was told, and has not decided.
    StillAsked(LoanId),
    /// Its reader did nothing more.
    Session(LockerSessionId),
}

impl Pass for CompartmentDeadlines {
    type Work = Silent;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<Silent>> + Send + 'static {
        move |tx| {
            let doors = tx.silent_compartments(now, after, PAGE)?;
            let loans = tx.silent_loans(now, after, PAGE)?;
            let still_asked = tx.loans_still_asked_for(now, after, PAGE)?;
            let sessions = tx.sessions_over(now, after, PAGE)?;
            // One cursor for all: as far as all lists go.
            let last = |full: bool, id: Option<i64>| if full { id } else { None };
            let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
            let ends = [
                last(doors.len() == page, doors.last().map(|door| door.get())),
                last(loans.len() == page, loans.last().map(|loan| loan.get())),
                last(still_asked.len() == page, still_asked.last().map(|loan| loan.get())),
                last(sessions.len() == page, sessions.last().map(|session| session.get())),
            ];
            let bound = ends.into_iter().flatten().min().unwrap_or(i64::MAX);
            let mut work: Vec<(i64, Silent)> = Vec::new();
            work.extend(doors.into_iter().map(|door| (door.get(), Silent::Door(door))));
            work.extend(loans.into_iter().map(|loan| (loan.get(), Silent::Loan(loan))));
            work.extend(
                still_asked
                    .into_iter()
                    .map(|loan| (loan.get(), Silent::StillAsked(loan))),
            );
            let of_session = |session: LockerSessionId| (session.get(), Silent::Session(session));
            work.extend(sessions.into_iter().map(of_session));
            work.retain(|(id, _)| *id <= bound);
            work.sort_by_key(|(id, _)| *id);
            Ok(Look {
                looked_at: i64::try_from(work.len()).unwrap_or(i64::MAX),
                after: work.last().map(|(id, _)| *id),
                work: work.into_iter().map(|(_, one)| one).collect(),
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<Silent>) -> Result<i64> {
        let mut changed = 0;
        for one in work {
            let ids = store.take_ids::<UseCaseError>(IDS).await?;
            let (what, id) = match one {
                Silent::Door(door) => ("compartment", door.get()),
                Silent::Loan(loan) | Silent::StillAsked(loan) => ("loan", loan.get()),
                Silent::Session(session) => ("locker session", session.get()),
            };
            let done = store.write(move |tx| fall_silent(tx, one, ids.clone())).await;
            changed += i64::from(of_one(done, what, id)? == Some(true));
        }
        Ok(changed)
    }
}

/// It may have been heard of meanwhile.
fn fall_silent(tx: &mut WriteTx<'_>, one: Silent, mut ids: IdRun) -> Result<bool> {
    match one {
        Silent::Door(door) => door_silent(tx, door, &mut ids),
        Silent::Loan(loan) => {
            let now = tx.now();
            said_of_loan(tx, loan, Said::Silence, ReportedBy::Report, now, &mut ids)?;
            Ok(true)
        }
        Silent::StillAsked(loan) => ask_again(tx, loan, &mut ids),
        Silent::Session(session) => end_session(tx, session),
    }
}

/// It ends, unless its reader acts after all or one of its doors is open.
fn end_session(tx: &mut WriteTx<'_>, id: LockerSessionId) -> Result<bool> {
    let now = tx.now();
    let Some(session) = tx.lock_locker_session(id)?.filter(|session| session.ended.is_none()) else {
        return Ok(false);
    };
    let how = match standing(tx, &session)? {
        Some(standing) => standing.ended(now),
        // Its reader is gone.
        None => Some(SessionEnd::Device),
    };
    if let Some(how) = how {
        tx.end_locker_session(id, how, now)?;
    }
    Ok(how.is_some())
}

fn door_silent(tx: &mut WriteTx<'_>, id: CompartmentId, ids: &mut IdRun) -> Result<bool> {
    let now = tx.now();
    let seen = tx
        .compartment(id)?
        .filter(|seen| seen.deadline_at.is_some_and(|deadline| deadline <= now));
    let Some(seen) = seen else { return Ok(false) };
    let Some(state) = next(seen.state, CompartmentStep::Silent) else {
        return Ok(false);
    };
    let asked = tx.confirmation_of_turn(seen.device, seen.id, seen.turn)?;
    if let Some(asked) = &asked {
        heard_of_loan(tx, asked.loan, Said::Silence, ReportedBy::Report, now, ids)?;
    }
    // Somebody said of the loan that the book was taken: whatever is in there, it is not that.
    let gone = asked.is_some_and(|asked| asked.phase == LoanPhase::Confirmed);
    tx.lock_compartment_as(&seen)?;
    if let Some(back) = tx.return_of(seen.id, seen.turn)?.filter(ReturnRow::is_open) {
        tx.put_return(&back.became("unsure", None))?;
    }
    let after = Compartment {
        state,
        item: seen.item.filter(|_| !gone),
        deadline_at: None,
        changed_at: now,
        ..seen
    };
    tx.put_compartment(&after)?;
    tell(tx, &after, CompartmentStep::Silent, ids)?;
    Ok(true)
}
