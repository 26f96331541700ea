//! A new version of a bib's record, made from the version its editor saw.

use std::sync::Arc;

use serde_json::json;

use super::bib_version::{BibOutcome, BibRecord, Warning, checked};
use super::get_bib::BibView;
use super::merge_bibs;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::BibId;
use crate::store::bulk::BibWithIsbns;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct UpdateBib {
    pub bib: BibId,
    /// The version the change was made from.
    pub seen: i64,
    pub record: BibRecord,
}

/// Replaces a bib's record; the replaced version is kept.
///
/// # Errors
/// `Stale` when somebody changed it meanwhile; `NotFound`; `Invalid` naming every fault of the record; a failure of the
/// store.
pub async fn update_bib(
    store: &Arc<Store>,
    caller: &Caller,
    command: UpdateBib,
    key: Option<IdempotencyKey>,
) -> Result<Once<BibOutcome>> {
    caller.require_somewhere(Right::ManageItems)?;
    let (row, warnings) = checked(&command.record)?;
    let ids = store.take_ids::<UseCaseError>(1).await?;
    let who = caller.clone();
    let claim = key.map(|key| key.claim(caller));
    let (bib, seen) = (command.bib, command.seen);
    store
        .write_once(claim, move |tx| {
            apply(tx, &who, (bib, seen), row.clone(), &warnings, ids.clone())
        })
        .await
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    (bib, seen): (BibId, i64),
    mut row: BibWithIsbns,
    warnings: &[Warning],
    mut ids: IdRun,
) -> Result<BibOutcome> {
    let network = tx.network()?;
    merge_bibs::lock_standing(tx, bib)?.ok_or(UseCaseError::NotFound("bib"))?;
    let (_, present) = tx.present_version(bib)?.ok_or(UseCaseError::NotFound("bib"))?;
    if present.version != seen {
        return Err(UseCaseError::Stale(present.version));
    }
    let now = tx.now();
    row.bib.updated_at = now.timestamp_millis();
    tx.replace_bib(&present, &row.bib, &row.isbns, caller.staff())?;
    let root = network.units().root().map(|unit| unit.id);
    let at = caller.unit.or(root).ok_or(UseCaseError::NotFound("unit"))?;
    let mut event = Event::new(EventKind::BibChanged, now, at, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"version": seen + 1}));
    event.bib = Some(bib);
    event.clc_class = row.bib.clc_class.as_deref();
    tx.append_event(ids.next(), &event)?;
    let stored = tx.bib_view(bib)?.ok_or(UseCaseError::NotFound("bib"))?;
    Ok(BibOutcome {
        bib: BibView::of(stored),
        warnings: warnings.to_vec(),
    })
}
