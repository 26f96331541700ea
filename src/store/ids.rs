//! Ids from blocks, prefetched outside any job: a fetch inside a job would wait for the writer it runs on.

use std::collections::VecDeque;
use std::sync::Mutex;

use diesel::prelude::*;

use super::error::StoreError;
use super::schema::id_blocks;
use super::tx::WriteTx;
use super::{FromStore, Store};

/// Ids fetched at a time. What is left of a block at a stop is never used: ids need not be without gaps.
const BLOCK: i64 = 20_000;

/// The blocks in hand.
#[derive(Debug, Default)]
pub struct IdBlocks {
    blocks: Mutex<VecDeque<(i64, i64)>>,
    fetching: tokio::sync::Mutex<()>,
}

/// A few ids handed to one use case. Cloned at the start of every run of its job, so that a rerun uses the same ones.
#[derive(Debug, Clone)]
pub struct IdRun {
    next: i64,
    end: i64,
}

impl IdRun {
    /// The next id.
    ///
    /// # Panics
    /// When more ids are drawn than were taken: a mistake in the use case, found by its first test.
    #[expect(clippy::should_implement_trait, reason = "it never ends in None")]
    pub fn next(&mut self) -> i64 {
        assert!(self.next < self.end, "more ids drawn than taken");
        self.next += 1;
        self.next - 1
    }

    /// So many of them, for a part of the work that uses them up by itself.
    ///
    /// # Panics
    /// As `next`.
    #[must_use]
    pub fn part(&mut self, count: i64) -> Self {
        assert!(self.left() >= count, "more ids drawn than taken");
        self.next += count;
        Self {
            next: self.next - count,
            end: self.next,
        }
    }

    /// How many are left.
    pub fn left(&self) -> i64 {
        self.end - self.next
    }
}

impl IdBlocks {
    fn cut(&self, count: i64) -> Option<IdRun> {
        let mut blocks = self.blocks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while let Some((next, end)) = blocks.front_mut() {
            if *end - *next >= count {
                let run = IdRun {
                    next: *next,
                    end: *next + count,
                };
                *next += count;
                return Some(run);
            }
            blocks.pop_front();
        }
        None
    }
}

impl Store {
    /// Takes `count` ids; fetches a block when none in hand is long enough.
    ///
    /// # Errors
    /// As `write`.
    pub async fn take_ids<E: FromStore + Send + 'static>(&self, count: i64) -> Result<IdRun, E> {
        if let Some(run) = self.ids.cut(count) {
            return Ok(run);
        }
        let _one_at_a_time = self.ids.fetching.lock().await;
        if let Some(run) = self.ids.cut(count) {
            return Ok(run);
        }
        let size = BLOCK.max(count);
        let first: i64 = self.write(move |tx| tx.reserve_ids(size).map_err(E::from)).await?;
        self.ids
            .blocks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push_back((first, first + size));
        self.ids.cut(count).ok_or_else(|| StoreError::Busy.into())
    }
}

impl WriteTx<'_> {
    /// Reserves `size` ids and answers the first. Only through `Store::take_ids`.
    fn reserve_ids(&mut self, size: i64) -> Result<i64, StoreError> {
        let after: i64 = diesel::update(id_blocks::table.find("global"))
            .set(id_blocks::next_id.eq(id_blocks::next_id + size))
            .returning(id_blocks::next_id)
            .get_result(self.conn)?;
        Ok(after - size)
    }
}
