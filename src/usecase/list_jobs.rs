//! The list of jobs: what nobody asks for and everybody relies on, made visible.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::schedule::{JOBS, Job, Schedule};
use crate::store::Store;
use crate::store::jobs::JobRow;

/// One job and its last run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    /// The job's word.
    #[schema(example = "overdue_marking")]
    pub name: String,
    /// What it does, in Chinese.
    #[schema(example = "标记已逾期的借阅")]
    pub does_zh: String,
    /// What it does, in English.
    #[schema(example = "Marks loans whose due date has passed")]
    pub does_en: String,
    /// Seconds between the end of a run and the next; null for a daily job.
    #[schema(example = 300)]
    pub every_seconds: Option<u32>,
    /// The time of day in the network's zone, for a daily job.
    #[schema(example = "00:05")]
    pub daily_at: Option<String>,
    /// `waiting` for its time, `running`, `interrupted` (goes on by itself) or `failed` (is tried again by itself).
    #[schema(example = "waiting")]
    pub state: String,
    /// The node that runs it now.
    #[schema(example = "app-1-4121")]
    pub node: Option<String>,
    /// What the run has looked at so far; of the last run, if none is under way.
    #[schema(example = 920_000)]
    pub looked_at: i64,
    /// What there was to look at when the run began, if the job counts it.
    #[schema(example = 920_000)]
    pub expected: Option<i64>,
    /// What the run has changed so far.
    #[schema(example = 1_320)]
    pub changed: i64,
    /// When the run began (UTC).
    #[schema(example = "2026-03-04T16:05:00Z")]
    pub started_at: Option<DateTime<Utc>>,
    /// When the last finished run ended (UTC).
    #[schema(example = "2026-03-04T16:05:09Z")]
    pub finished_at: Option<DateTime<Utc>>,
    /// When it is due next (UTC); a moment that has passed means now.
    #[schema(example = "2026-03-05T16:05:00Z")]
    pub next_at: DateTime<Utc>,
    /// When a run failed, unless one went on since (UTC).
    #[schema(example = "2026-03-04T16:05:03Z")]
    pub failed_at: Option<DateTime<Utc>>,
    /// Why it failed.
    #[schema(example = "the database could not be reached")]
    pub error: Option<String>,
}

/// Lists the jobs of the network with their last runs.
///
/// # Errors
/// `Forbidden` without the right for the whole network; a failure of the store.
pub async fn list_jobs(store: &Arc<Store>, caller: &Caller) -> Result<Vec<JobView>> {
    caller.require_somewhere(Right::ReadJobs)?;
    let (caller, zone) = (caller.clone(), store.zone());
    store
        .read(move |tx| {
            let network = tx.network()?;
            let root = network.units().root().ok_or(UseCaseError::NotFound("unit"))?.id;
            caller.require(Right::ReadJobs, root, &network)?;
            let (rows, now) = (tx.jobs()?, tx.now());
            let row = |job: &Job| rows.iter().find(|row| row.name == job.name);
            Ok(JOBS.iter().map(|job| view(*job, row(job), zone, now)).collect())
        })
        .await
}

fn view(job: Job, row: Option<&JobRow>, zone: chrono_tz::Tz, now: DateTime<Utc>) -> JobView {
    let runs = row.map(JobRow::runs).unwrap_or_default();
    let (every_seconds, daily_at) = match job.schedule {
        Schedule::Every { seconds } => (Some(seconds), None),
        Schedule::Daily { minute } => (None, Some(format!("{:02}:{:02}", minute / 60, minute % 60))),
    };
    let state = if runs.is_running(now) {
        "running"
    } else if runs.failed_at.is_some() {
        "failed"
    } else if runs.is_unfinished() {
        "interrupted"
    } else {
        "waiting"
    };
    JobView {
        name: job.name.to_owned(),
        does_zh: job.does_zh.to_owned(),
        does_en: job.does_en.to_owned(),
        every_seconds,
        daily_at,
        state: state.to_owned(),
        node: row.and_then(|row| row.node.clone()).filter(|_| runs.is_running(now)),
        looked_at: row.map_or(0, |row| row.looked_at),
        expected: row.and_then(|row| row.expected),
        changed: row.map_or(0, |row| row.changed),
        started_at: runs.started_at,
        finished_at: row.and_then(|row| row.finished_at).map(from_millis),
        next_at: runs.next_at(job.schedule, zone, now),
        failed_at: runs.failed_at,
        error: row.and_then(|row| row.error.clone()),
    }
}
