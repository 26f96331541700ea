//! Keeps the list of cards that devices may not lend to: a walk over the events writes what changed, and a nightly comparison of
//! all cards finds what no event tells, such as the end of a block. No act of a reader or a desk pays for it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::run_job::{Look, Pass, of_one};
use super::{Result, Store};
use crate::domain::event::EventKind;
use crate::domain::ids::ReaderId;
use crate::store::notices::walk::Place;
use crate::store::offline_blocks::{CardStanding, card_hash};
use crate::store::tx::{ReadTx, WriteTx};

/// The word of its place in the database.
const WALK: &str = "offline_blocks";

/// Events read at a time.
const EVENTS: i64 = 500;

/// Cards compared at a time.
const CARDS: i64 = 500;

/// How long it is told that a card is not blocked any more.
const UNBLOCKED_KEPT: TimeDelta = TimeDelta::days(90);

/// Lines forgotten in one write.
const FORGOTTEN: i64 = 1000;

/// The walk over what has happened.
#[derive(Debug, Clone, Copy)]
pub struct FollowBlocks;

/// Some events after each other, and whose cards they are about.
#[derive(Debug, Clone)]
pub struct Step {
    from: Place,
    to: Place,
    readers: Vec<ReaderId>,
}

/// Whether an event may change who may borrow.
const fn is_about_cards(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::ReaderRegistered
            | EventKind::ReaderChanged
            | EventKind::ReaderMerged
            | EventKind::ReaderErased
            | EventKind::CardIssued
            | EventKind::CardLost
            | EventKind::CardFound
            | EventKind::CardRenewed
            | EventKind::CardReplaced
            | EventKind::CardExpired
            | EventKind::CardCancelled
            | EventKind::ReaderFrozen
            | EventKind::ReaderThawed
    )
}

impl Pass for FollowBlocks {
    type Work = Step;

    fn look(
        &self,
        after: i64,
        _now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<Step>> + Send + 'static {
        move |tx| {
            let from = tx.event_place(WALK)?;
            let news = tx.news(from, EVENTS)?;
            let Some(last) = news.last() else {
                return Ok(Look {
                    looked_at: 0,
                    after: None,
                    work: Vec::new(),
                });
            };
            let to = last.place;
            let mut readers = Vec::new();
            for one in news.iter().filter(|one| one.kind.is_some_and(is_about_cards)) {
                readers.extend(tx.reader_of_event(one.place.seq)?);
            }
            readers.sort_unstable();
            readers.dedup();
            Ok(Look {
                looked_at: i64::try_from(news.len()).unwrap_or(i64::MAX),
                after: Some(after + 1),
                work: vec![Step { from, to, readers }],
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<Step>) -> Result<i64> {
        let mut changed = 0;
        for step in work {
            let seq = step.to.seq;
            let done = store.write(move |tx| follow(tx, &step)).await;
            changed += of_one(done, "event", seq)?.unwrap_or(0);
        }
        Ok(changed)
    }
}

fn follow(tx: &mut WriteTx<'_>, step: &Step) -> Result<i64> {
    if !tx.move_event_place(WALK, step.from, step.to)? {
        // Another node was faster.
        return Ok(0);
    }
    let mut cards = Vec::new();
    for reader in &step.readers {
        cards.extend(tx.card_standings_of(*reader)?);
    }
    write(tx, &cards)
}

/// The nightly walk over all cards.
#[derive(Debug, Clone, Copy)]
pub struct CompareBlocks;

impl Pass for CompareBlocks {
    /// The id after which some cards are compared.
    type Work = i64;

    fn look(
        &self,
        after: i64,
        _now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<i64>> + Send + 'static {
        move |tx| {
            let cards = tx.card_standings(after, CARDS)?;
            Ok(Look {
                looked_at: i64::try_from(cards.len()).unwrap_or(i64::MAX),
                after: cards.last().map(|card| card.card),
                work: if cards.is_empty() { Vec::new() } else { vec![after] },
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<i64>) -> Result<i64> {
        let mut changed = 0;
        for after in work {
            let done = store
                .write(move |tx| {
                    let cards = tx.card_standings(after, CARDS)?;
                    let before = tx.now() - UNBLOCKED_KEPT;
                    tx.forget_unblocked(before, FORGOTTEN)?;
                    write(tx, &cards)
                })
                .await;
            changed += of_one(done, "cards after", after)?.unwrap_or(0);
        }
        Ok(changed)
    }
}

/// Writes what differs from the list.
fn write(tx: &mut WriteTx<'_>, cards: &[CardStanding]) -> Result<i64> {
    if cards.is_empty() {
        return Ok(0);
    }
    let now = tx.now();
    let today = tx.day_of(now);
    let salt = tx.hold_block_numbers()?;
    let hashed: Vec<(Vec<u8>, bool)> = cards
        .iter()
        .map(|card| (card_hash(&salt, &card.number), card.is_blocked(now, today)))
        .collect();
    let hashes: Vec<Vec<u8>> = hashed.iter().map(|(hash, _)| hash.clone()).collect();
    let known = tx.blocks_of(&hashes)?;
    let mut changed = 0;
    for (hash, blocked) in hashed {
        let listed = known
            .iter()
            .find(|row| row.card_hash == hash)
            .is_some_and(|row| row.blocked);
        if listed != blocked {
            tx.set_block(&hash, blocked, now)?;
            changed += 1;
        }
    }
    Ok(changed)
}
