//! Who runs which job, and how far it is. A run belongs to one node until its lease ends; whoever lost it notices, because its
//! number has grown.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::dialect;
use super::error::StoreError;
use super::schema::jobs;
use super::tx::{ReadTx, WriteTx};
use crate::clock::from_millis;
use crate::domain::schedule::{LEASE_SECONDS, Runs};

/// A job's row.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct JobRow {
    pub name: String,
    pub node: Option<String>,
    pub lease_until: Option<i64>,
    pub run: i64,
    /// The last id the run has dealt with; 0 at its beginning.
    pub after_id: i64,
    pub expected: Option<i64>,
    pub looked_at: i64,
    pub changed: i64,
    pub started_at: Option<i64>,
    pub finished_at: Option<i64>,
    pub failed_at: Option<i64>,
    pub error: Option<String>,
}

impl JobRow {
    /// What decides whether it is due.
    pub fn runs(&self) -> Runs {
        Runs {
            started_at: self.started_at.map(from_millis),
            finished_at: self.finished_at.map(from_millis),
            failed_at: self.failed_at.map(from_millis),
            lease_until: self.lease_until.map(from_millis),
        }
    }
}

/// A run that this node has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub name: &'static str,
    pub run: i64,
    pub after_id: i64,
    pub looked_at: i64,
    pub changed: i64,
}

/// How a run is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leave {
    /// All was looked at.
    Finished,
    /// The node stops: another goes on where this one was.
    Stopped,
    /// Told to the operator; tried again later, where it stood.
    Failed(String),
}

impl ReadTx<'_> {
    /// A job's row, once it ran for the first time.
    pub fn job(&mut self, name: &str) -> Result<Option<JobRow>, StoreError> {
        Ok(jobs::table.find(name).first(self.conn).optional()?)
    }

    /// Every job that ever ran.
    pub fn jobs(&mut self) -> Result<Vec<JobRow>, StoreError> {
        Ok(jobs::table.order(jobs::name).load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Takes a job over until `until`, if nobody has it. A run that was not finished goes on where it stood.
    pub fn take_job(
        &mut self,
        name: &'static str,
        node: &str,
        expected: Option<i64>,
        until: DateTime<Utc>,
    ) -> Result<Option<Lease>, StoreError> {
        let now = self.now();
        dialect::insert_job(self.conn, name)?;
        let longest = now + TimeDelta::seconds(LEASE_SECONDS);
        let free = jobs::lease_until
            .is_null()
            .or(jobs::lease_until.le(now.timestamp_millis()))
            .or(jobs::lease_until.gt(longest.timestamp_millis()));
        let taken = diesel::update(jobs::table.find(name).filter(free))
            .set((
                jobs::node.eq(node),
                jobs::lease_until.eq(until.timestamp_millis()),
                jobs::run.eq(jobs::run + 1),
            ))
            .execute(self.conn)?;
        if taken == 0 {
            return Ok(None);
        }
        let Some(mut row) = self.job(name)? else {
            return Ok(None);
        };
        if !row.runs().is_unfinished() {
            (row.after_id, row.looked_at, row.changed) = (0, 0, 0);
            diesel::update(jobs::table.find(name))
                .set((
                    jobs::after_id.eq(0),
                    jobs::expected.eq(expected),
                    jobs::looked_at.eq(0),
                    jobs::changed.eq(0),
                    jobs::started_at.eq(now.timestamp_millis()),
                ))
                .execute(self.conn)?;
        }
        Ok(Some(Lease {
            name,
            run: row.run,
            after_id: row.after_id,
            looked_at: row.looked_at,
            changed: row.changed,
        }))
    }

    /// Keeps how far a run is, and the run until `until`; false when another node has it by now.
    pub fn keep_job(&mut self, lease: &Lease, until: DateTime<Utc>) -> Result<bool, StoreError> {
        let kept = diesel::update(jobs::table.find(lease.name).filter(jobs::run.eq(lease.run)))
            .set((
                jobs::lease_until.eq(until.timestamp_millis()),
                jobs::after_id.eq(lease.after_id),
                jobs::looked_at.eq(lease.looked_at),
                jobs::changed.eq(lease.changed),
            ))
            .execute(self.conn)?;
        Ok(kept == 1)
    }

    /// Leaves a run; does nothing when another node has it by now.
    pub fn leave_job(&mut self, lease: &Lease, how: &Leave) -> Result<(), StoreError> {
        // Never before its start, or the run would begin again: the clock may have been set back meanwhile.
        let started = self.job(lease.name)?.and_then(|row| row.started_at);
        let now = self.now().timestamp_millis().max(started.unwrap_or(i64::MIN));
        let (finished, failed, error) = match how {
            Leave::Finished => (Some(now), None, None),
            Leave::Stopped => (None, None, None),
            Leave::Failed(error) => (None, Some(now), Some(error.as_str())),
        };
        let mine = jobs::table.find(lease.name).filter(jobs::run.eq(lease.run));
        diesel::update(mine)
            .set((
                jobs::node.eq(None::<String>),
                jobs::lease_until.eq(None::<i64>),
                jobs::after_id.eq(lease.after_id),
                jobs::looked_at.eq(lease.looked_at),
                jobs::changed.eq(lease.changed),
                finished.map(|at| jobs::finished_at.eq(at)),
                jobs::failed_at.eq(failed),
                jobs::error.eq(error),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}
