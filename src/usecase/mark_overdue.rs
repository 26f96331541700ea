//! Marking overdue loans: each loan once for each due date that passes, with the event that notices, statistics and credit
//! read. Run by a job.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::run_job::{Look, Pass};
use super::{Result, UseCaseError};
use crate::store::Store;
use crate::store::tx::ReadTx;

/// Open loans looked at in one read.
const LOANS_PER_LOOK: i64 = 5_000;

/// Loans marked by one write: some milliseconds.
const LOANS_PER_WRITE: usize = 200;

/// The walk over all open loans.
#[derive(Debug, Clone, Copy, Default)]
pub struct MarkOverdue;

impl Pass for MarkOverdue {
    type Work = i64;

    fn expected(&self, tx: &mut ReadTx<'_>) -> Result<Option<i64>> {
        Ok(Some(tx.count_open_loans()?))
    }

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<i64>> + Send + 'static {
        move |tx| {
            let walked = tx.walk_overdue(after, now, LOANS_PER_LOOK)?;
            Ok(Look {
                work: walked.found,
                looked_at: walked.loans,
                after: walked.last_item,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<i64>) -> Result<i64> {
        let mut marked = 0;
        for some in work.chunks(LOANS_PER_WRITE) {
            let some = some.to_vec();
            let ids = store
                .take_ids::<UseCaseError>(i64::try_from(some.len()).unwrap_or(i64::MAX))
                .await?;
            let now_marked = store
                .write(move |tx| tx.mark_overdue(&some, ids.clone()).map_err(UseCaseError::from))
                .await?;
            marked += i64::try_from(now_marked).unwrap_or(i64::MAX);
        }
        Ok(marked)
    }
}
