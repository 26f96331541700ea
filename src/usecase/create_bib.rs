//! A new bib from a record that a cataloguer entered.

use std::sync::Arc;

use super::bib_version::{BibOutcome, BibRecord, Warning, checked};
use super::get_bib::BibView;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::BibId;
use crate::store::bulk::BibWithIsbns;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Adds a bib. One with the same ISBN is no obstacle: a reprint may share it.
///
/// # Errors
/// `Invalid` naming every fault of the record; a failure of the store.
pub async fn create_bib(
    store: &Arc<Store>,
    caller: &Caller,
    record: BibRecord,
    key: Option<IdempotencyKey>,
) -> Result<Once<BibOutcome>> {
    caller.require_somewhere(Right::ManageItems)?;
    let (row, warnings) = checked(&record)?;
    let ids = store.take_ids::<UseCaseError>(2).await?;
    let who = caller.clone();
    let claim = key.map(|key| key.claim(caller));
    store
        .write_once(claim, move |tx| apply(tx, &who, row.clone(), &warnings, ids.clone()))
        .await
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    mut row: BibWithIsbns,
    warnings: &[Warning],
    mut ids: IdRun,
) -> Result<BibOutcome> {
    let network = tx.network()?;
    let (id, now) = (BibId::new(ids.next()), tx.now());
    row.bib.id = id.get();
    (row.bib.created_at, row.bib.updated_at) = (now.timestamp_millis(), now.timestamp_millis());
    tx.insert_bib(&row.bib, &row.isbns)?;
    tx.sign_bib(id, caller.staff())?;
    let root = network.units().root().map(|unit| unit.id);
    let at = caller.unit.or(root).ok_or(UseCaseError::NotFound("unit"))?;
    let mut event =
        Event::new(EventKind::BibCreated, now, at, caller.channel().code()).by(caller.staff(), caller.device());
    event.bib = Some(id);
    event.clc_class = row.bib.clc_class.as_deref();
    tx.append_event(ids.next(), &event)?;
    let stored = tx.bib_view(id)?.ok_or(UseCaseError::NotFound("bib"))?;
    Ok(BibOutcome {
        bib: BibView::of(stored),
        warnings: warnings.to_vec(),
    })
}
