//! Another place in the queue for a waiting hold. Places are ranks; what is stored are keys between which there is room.
//! Not for: who may do it, or why (staff write a reason).

use super::act::{Act, Findings, Passed};
use super::hold::HoldFacts;
use super::ids::HoldId;
use super::refusal::{Refusals, Verb};
use super::suspend_hold::judge_waiting;

/// How far keys are set apart where there was no room: a millisecond of microseconds.
pub const STEP: i64 = 1_000;

/// What the queue is ordered by: priority class, rank, then the hold's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueKey {
    pub priority: i32,
    pub rank: i64,
    pub hold: HoldId,
}

/// What the store writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub priority: i32,
    pub rank: i64,
    /// This one and everything behind it in the same class steps back by [`STEP`] first.
    pub steps_back: Option<QueueKey>,
    pub passed: Passed,
}

/// Decides the key of a hold that is to stand at `place` (from 1) of the waiting holds `queue`, which are in order.
///
/// # Errors
/// The hold has ended or has a copy. Source: their rows in the table of [`refusal`](super::refusal).
pub fn decide(act: &Act, hold: &HoldFacts, queue: &[QueueKey], place: usize) -> Result<Plan, Refusals> {
    let mut found = Findings::new(Verb::ChangeHold, act.channel);
    judge_waiting(&mut found, hold, None);
    let passed = found.subtract(act)?;
    let others: Vec<QueueKey> = queue.iter().filter(|key| key.hold != hold.id).copied().collect();
    let at = place.saturating_sub(1).min(others.len());
    let before = at.checked_sub(1).and_then(|at| others.get(at));
    let (priority, rank, steps_back) = match (before, others.get(at)) {
        (None, None) => (0, queue.first().map_or(0, |own| own.rank), None),
        (None, Some(next)) => (next.priority, next.rank - STEP, None),
        (Some(last), None) => (last.priority, last.rank + STEP, None),
        (Some(last), Some(next)) if last.priority != next.priority => (last.priority, last.rank + STEP, None),
        (Some(last), Some(next)) if next.rank - last.rank >= 2 => {
            (last.priority, last.rank + (next.rank - last.rank) / 2, None)
        }
        (Some(last), Some(next)) => (last.priority, last.rank + 1, Some(*next)),
    };
    Ok(Plan {
        priority,
        rank,
        steps_back,
        passed,
    })
}
