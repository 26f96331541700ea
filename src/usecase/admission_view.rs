//! A reader at the gate, as people see it; and the event that tells of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::ask_provider::ADMISSION;
use super::{Caller, Result, UseCaseError};
use crate::clock::from_millis;
use crate::domain::entry_gate::{Gate, row_of, still_closed};
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::ReaderId;
use crate::domain::network::Network;
use crate::store::admissions::{AdmissionRow, Newcomer};
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::tx::{ReadTx, WriteTx};

/// Whether a reader may borrow, and what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdmissionView {
    /// The reader.
    #[schema(example = 1042)]
    pub reader_id: i64,
    /// The gate of the rules: `none`, `external_score` or `deposit`.
    #[schema(example = "external_score")]
    pub gate: String,
    /// Who says whether the reader's score elsewhere is high enough.
    #[schema(example = "city-score")]
    pub provider: Option<String>,
    /// The deposit in fen.
    #[schema(example = 10_000)]
    pub deposit_fen: Option<i64>,
    /// Nothing is missing: the reader may borrow as far as the gate goes.
    #[schema(example = false)]
    pub may_borrow: bool,
    /// Who let the reader in: `external_score`, `deposit` or `staff`; absent where nobody had to, or has not yet.
    #[schema(example = "external_score")]
    pub admitted_by: Option<String>,
    /// What was asked last.
    pub request: Option<AdmissionRequestView>,
}

/// Asking a provider. The score is neither asked for nor kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdmissionRequestView {
    /// Its number.
    #[schema(example = 1042)]
    pub id: i64,
    /// Who was asked.
    #[schema(example = "city-score")]
    pub provider: String,
    /// `asked`, `agreed` (the provider decides), `passed`, `refused` or `failed` (it came to nothing).
    #[schema(example = "asked")]
    pub state: String,
    /// Where the reader agrees with the provider, once it has answered and until it is decided.
    #[schema(example = "https://score.example/agree/7d1f")]
    pub agree_url: Option<String>,
    /// When the reader asked (UTC).
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub asked_at: DateTime<Utc>,
    /// When the reader said that the provider may be asked (UTC).
    #[schema(example = "2026-03-04T04:05:00Z")]
    pub agreed_at: Option<DateTime<Utc>>,
    /// When it was decided (UTC).
    #[schema(example = "2026-03-04T04:06:00Z")]
    pub decided_at: Option<DateTime<Utc>>,
    /// How the provider is reached, while it is not decided: `waiting`, `retrying` (it does not answer just now), `failed` (asking again tries
    /// again) or `done`.
    #[schema(example = "done")]
    pub provider_told: Option<String>,
}

impl Outcome for AdmissionView {
    fn reader_id(&self) -> Option<i64> {
        Some(self.reader_id)
    }
}

/// A reader at the gate.
///
/// # Errors
/// `NotFound`; a failure of the store.
pub(super) fn admission_of(tx: &mut ReadTx<'_>, network: &Network, reader: ReaderId) -> Result<AdmissionView> {
    let newcomer = tx.newcomer(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
    let rows = network.rules().credit.as_ref().map(|rules| rules.gates.as_slice());
    let (home, category) = (newcomer.home, newcomer.category);
    let row = row_of(rows.unwrap_or_default(), network.units(), home, category);
    let gate = row.map_or(Gate::None, |row| row.gate.clone());
    let request = match tx.admission_of(reader)? {
        Some(row) => Some(request_view(tx, row)?),
        None => None,
    };
    let (provider, deposit_fen) = match &gate {
        Gate::ExternalScore { provider, .. } => (Some(provider.clone()), None),
        Gate::Deposit { fen } => (None, Some(*fen)),
        Gate::None => (None, None),
    };
    Ok(AdmissionView {
        reader_id: reader.get(),
        gate: gate.code().to_owned(),
        provider,
        deposit_fen,
        may_borrow: still_closed(network, (home, category), newcomer.entry).is_none(),
        admitted_by: newcomer.admitted_by,
        request,
    })
}

fn request_view(tx: &mut ReadTx<'_>, row: AdmissionRow) -> Result<AdmissionRequestView> {
    let told = match row.state()?.is_open() {
        true => tx.outbox_of(ADMISSION, row.id)?,
        false => None,
    };
    Ok(AdmissionRequestView {
        id: row.id,
        provider: row.provider,
        state: row.state,
        agree_url: row.agree_url,
        asked_at: from_millis(row.asked_at),
        agreed_at: row.agreed_at.map(from_millis),
        decided_at: row.decided_at.map(from_millis),
        provider_told: told.map(|row| row.status().to_owned()),
    })
}

/// Appends an event about a reader at the gate.
///
/// # Errors
/// A failure of the store.
pub(super) fn tell(
    tx: &mut WriteTx<'_>,
    (caller, network): (&Caller, &Network),
    newcomer: &Newcomer,
    (id, kind): (i64, EventKind),
    (detail, personal): (Value, Option<Value>),
) -> Result<()> {
    let now = tx.now();
    let at = caller.unit.unwrap_or(newcomer.home);
    let band = AgeBand::on(newcomer.birth_date, network.local_day(now));
    let event = Event::new(kind, now, at, caller.own_channel())
        .of_reader(newcomer.reader, newcomer.category, band)
        .by(caller.staff(), caller.device())
        .detail(detail);
    let event = match personal {
        Some(personal) => event.personal(personal),
        None => event,
    };
    Ok(tx.append_event(id, &event)?)
}
