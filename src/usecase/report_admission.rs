//! What a provider decided, whether it answers or reports it: once each. A decision that comes late changes nothing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::admission_view::tell;
use super::ask_provider::ADMISSION;
use super::{Caller, Result, UseCaseError};
use crate::domain::admission::{AdmissionState, AdmittedBy, Decision};
use crate::domain::event::EventKind;
use crate::domain::ids::ReaderId;
use crate::store::Store;
use crate::store::admissions::AdmissionReportRow;
use crate::store::tx::WriteTx;

/// What a provider says.
#[derive(Debug, Clone)]
pub struct ReportAdmission {
    pub provider: String,
    /// Theirs: the same one counts once.
    pub report_id: String,
    pub order_key: String,
    pub decision: Decision,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdmissionReportOutcome {
    /// The state of the request now: `asked`, `agreed`, `passed`, `refused` or `failed`.
    #[schema(example = "passed")]
    pub state: String,
    /// False: it was decided before, and the report changed nothing.
    #[schema(example = true)]
    pub applied: bool,
    /// It came before.
    #[schema(example = false)]
    pub repeated: bool,
}

/// Takes a report. The caller has shown that it is the provider.
///
/// # Errors
/// `NotFound` for an order that is not ours; `State` when the report's id was used for another report; a failure of the store.
pub async fn report_admission(store: &Arc<Store>, report: ReportAdmission) -> Result<AdmissionReportOutcome> {
    let ids = store.take_ids::<UseCaseError>(1).await?;
    store.write(move |tx| apply(tx, &report, ids.clone().next())).await
}

fn apply(tx: &mut WriteTx<'_>, report: &ReportAdmission, event: i64) -> Result<AdmissionReportOutcome> {
    let request = tx.admission_by_key(&report.provider, &report.order_key)?;
    let request = request.ok_or(UseCaseError::NotFound("order"))?;
    // Of two at once the second finds what the first wrote.
    tx.lock_readers(&[ReaderId::new(request.reader_id)])?;
    if let Some(known) = tx.admission_report(&report.provider, &report.report_id)? {
        if known.request_id != request.id || known.decision != report.decision.code() {
            return Err(UseCaseError::State(
                "the report's id was used for another report".to_owned(),
            ));
        }
        let request = tx.admission(request.id)?.ok_or(UseCaseError::NotFound("order"))?;
        return Ok(AdmissionReportOutcome {
            state: request.state,
            applied: known.applied,
            repeated: true,
        });
    }
    let (state, applied) = decide(tx, request.id, report.decision, event)?;
    tx.insert_admission_report(&AdmissionReportRow {
        provider: report.provider.clone(),
        report_id: report.report_id.clone(),
        request_id: request.id,
        decision: report.decision.code().to_owned(),
        reported_at: tx.now().timestamp_millis(),
        applied,
    })?;
    Ok(AdmissionReportOutcome {
        state: state.code().to_owned(),
        applied,
        repeated: false,
    })
}

/// Applies a decision; answers the state, and whether this changed it.
///
/// # Errors
/// `NotFound`; a failure of the store.
pub(super) fn decide(
    tx: &mut WriteTx<'_>,
    request: i64,
    decision: Decision,
    event: i64,
) -> Result<(AdmissionState, bool)> {
    let missing = || UseCaseError::NotFound("order");
    let reader = ReaderId::new(tx.admission(request)?.ok_or_else(missing)?.reader_id);
    tx.lock_readers(&[reader])?;
    let row = tx.admission(request)?.ok_or_else(missing)?;
    let state = row.state()?;
    let Some(to) = state.after(decision) else {
        return Ok((state, false));
    };
    tx.decide_admission(request, to)?;
    if let Some(waiting) = tx.outbox_of(ADMISSION, request)?.filter(|row| row.done_at.is_none()) {
        tx.withdraw_outbox(waiting.id)?;
    }
    let kind = match to {
        AdmissionState::Passed => {
            tx.admit_reader(reader, AdmittedBy::ExternalScore)?;
            EventKind::ReaderAdmitted
        }
        _ => EventKind::AdmissionRefused,
    };
    let network = tx.network()?;
    let newcomer = tx.newcomer(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
    let detail = json!({"request_id": request, "provider": row.provider, "by": AdmittedBy::ExternalScore.code(),
        "decision": decision.code()});
    tell(
        tx,
        (&Caller::system(), &network),
        &newcomer,
        (event, kind),
        (detail, None),
    )?;
    Ok((to, true))
}
