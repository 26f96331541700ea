//! What readers agree to: given in words of a version, withdrawn at any time.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::once::once;
use super::page::{Page, PageRequest};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::clock::from_millis;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{CategoryId, ReaderId, UnitId};
use crate::domain::reader_consent::ConsentKind;
use crate::store::events::Event;
use crate::store::held::consents::ConsentRow;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Ids of an act: the consent and its event.
const IDS: i64 = 2;

/// One consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsentView {
    pub id: i64,
    /// Whose it is.
    pub reader_id: i64,
    /// `privacy_notice`, `credit_check`, `research` or `news`.
    #[schema(example = "privacy_notice")]
    pub kind: String,
    /// The version of the text that was shown.
    #[schema(example = "2026-01")]
    pub text_version: String,
    /// When it was given.
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub given_at: DateTime<Utc>,
    /// When it was withdrawn, or replaced by that to another version; absent while it counts.
    #[schema(example = "2026-04-01T04:00:00Z")]
    pub withdrawn_at: Option<DateTime<Utc>>,
}

impl From<ConsentRow> for ConsentView {
    fn from(row: ConsentRow) -> Self {
        Self {
            id: row.id,
            reader_id: row.reader_id,
            kind: row.kind,
            text_version: row.text_version,
            given_at: from_millis(row.given_at),
            withdrawn_at: row.withdrawn_at.map(from_millis),
        }
    }
}

impl Outcome for ConsentView {
    fn reader_id(&self) -> Option<i64> {
        Some(self.reader_id)
    }
}

/// What is agreed to.
#[derive(Debug, Clone)]
pub struct GiveConsent {
    pub kind: ConsentKind,
    pub text_version: String,
}

/// The consents of the reader who asks, the newest first.
///
/// # Errors
/// `Forbidden` for anybody but a reader; a failure of the store.
pub async fn list_my_consents(store: &Arc<Store>, caller: &Caller, page: PageRequest) -> Result<Page<ConsentView>> {
    let reader = caller.itself()?;
    store
        .read(move |tx| {
            let rows = tx.consents_of(reader, page.before_id(), page.fetch())?;
            Ok(page.cut(rows, |row| row.id).map(ConsentView::from))
        })
        .await
}

/// Agrees to a text. The same version again changes nothing; another one takes the place of the one before.
///
/// # Errors
/// `Forbidden` for anybody but a reader; `NotFound` for an erased one; a failure of the store.
pub async fn give_my_consent(
    store: &Arc<Store>,
    caller: &Caller,
    command: GiveConsent,
    key: Option<IdempotencyKey>,
) -> Result<Once<ConsentView>> {
    caller.itself()?;
    once(store, caller, key, IDS, command, give).await
}

fn give(tx: &mut WriteTx<'_>, caller: &Caller, command: &GiveConsent, mut ids: IdRun) -> Result<ConsentView> {
    let reader = locked(tx, caller)?;
    let now = tx.now().timestamp_millis();
    let kind = command.kind.code();
    if let Some(open) = tx.open_consent(reader, kind)? {
        if open.text_version == command.text_version {
            return Ok(open.into());
        }
        tx.end_consent(open.id, now)?;
    }
    let row = ConsentRow {
        id: ids.next(),
        reader_id: reader.get(),
        kind: kind.to_owned(),
        text_version: command.text_version.clone(),
        given_at: now,
        withdrawn_at: None,
    };
    tx.insert_consent(&row)?;
    append(tx, caller, reader, EventKind::ConsentGiven, &row, ids.next())?;
    Ok(row.into())
}

/// Withdraws what was agreed to. Again: nothing changes.
///
/// # Errors
/// `NotFound` where nothing of the kind is agreed to; `Forbidden` for anybody but a reader; a failure of the store.
pub async fn withdraw_my_consent(
    store: &Arc<Store>,
    caller: &Caller,
    kind: ConsentKind,
    key: Option<IdempotencyKey>,
) -> Result<Once<ConsentView>> {
    caller.itself()?;
    once(store, caller, key, IDS, kind, withdraw).await
}

fn withdraw(tx: &mut WriteTx<'_>, caller: &Caller, kind: &ConsentKind, mut ids: IdRun) -> Result<ConsentView> {
    let reader = locked(tx, caller)?;
    let open = tx.open_consent(reader, kind.code())?;
    let mut row = open.ok_or(UseCaseError::NotFound("consent"))?;
    let now = tx.now().timestamp_millis();
    tx.end_consent(row.id, now)?;
    row.withdrawn_at = Some(now);
    append(tx, caller, reader, EventKind::ConsentWithdrawn, &row, ids.next())?;
    Ok(row.into())
}

/// The reader who asks, locked; an erased one is not there.
fn locked(tx: &mut WriteTx<'_>, caller: &Caller) -> Result<ReaderId> {
    let reader = caller.itself()?;
    tx.lock_readers(&[reader])?;
    if tx.is_erased(reader)? {
        return Err(UseCaseError::NotFound("reader"));
    }
    Ok(reader)
}

fn append(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    reader: ReaderId,
    kind: EventKind,
    consent: &ConsentRow,
    event_id: i64,
) -> Result<()> {
    let network = tx.network()?;
    let (row, _) = tx.reader_view(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
    let now = tx.now();
    let born = row.birth_date.as_deref().and_then(|text| text.parse().ok());
    let band = AgeBand::on(born, network.local_day(now));
    let event = Event::new(kind, now, UnitId::new(row.home_unit_id), caller.own_channel())
        .of_reader(reader, CategoryId::new(row.category_id), band)
        .detail(json!({"consent": consent.kind, "text_version": consent.text_version}));
    Ok(tx.append_event(event_id, &event)?)
}
