//! Renewal: the same loan, a later due date.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::acting_device::require_at_work;
use super::once::once;
use super::record::{self, About, Consent, IDS_PER_VERB, Ledger, settle};
use super::view::{LoanOutcome, LoanView, refusal_views};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::hold::{CopyFacts, QUEUE_COUNTED};
use crate::domain::ids::{BibId, ItemId, LoanId, ReaderId};
use crate::domain::network::Network;
use crate::domain::reader::ReaderFacts;
use crate::domain::refusal::Verb;
use crate::domain::renew::{self, Demand, Facts, Plan};
use crate::store::ids::IdRun;
use crate::store::item_lock::{Candidate, LoadedItem};
use crate::store::loans::LoadedLoan;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RenewLoan {
    pub loan: LoanId,
    /// A due date given by hand.
    pub due_at: Option<DateTime<Utc>>,
    pub consent: Consent,
}

/// Renews a loan; a reader only its own.
///
/// # Errors
/// `NotFound` for an unknown loan or another reader's; `Refused` with every reason; a failure of the store.
pub async fn renew_loan(
    store: &Arc<Store>,
    caller: &Caller,
    command: RenewLoan,
    key: Option<IdempotencyKey>,
) -> Result<Once<LoanOutcome>> {
    caller.require_somewhere(Right::Renew)?;
    once(store, caller, key, IDS_PER_VERB, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &RenewLoan, mut ids: IdRun) -> Result<LoanOutcome> {
    require_at_work(tx, caller)?;
    let network = tx.network()?;
    let (item, loaded, reader_id) = find(tx, caller, command.loan, &network)?;
    let reader = tx
        .lock_reader(reader_id, &network)?
        .ok_or(UseCaseError::NotFound("reader"))?;
    // A reader at home renews as at the unit of the loan: the place of the loan decides the terms.
    let unit = caller
        .unit
        .unwrap_or_else(|| loaded.as_ref().map_or(item.facts.current, |loaded| loaded.loan.unit));
    caller.require(Right::Renew, unit, &network)?;
    let now = record::now_for(tx, &item.facts);
    let network = tx.as_of(network, now)?;
    let demand = demand(tx, &network, &item, &reader, now)?;
    let act = record::act_of(caller, unit, &network, &command.consent, command.due_at);
    let facts = Facts {
        act: &act,
        network: &network,
        reader: &reader,
        item: &item.facts,
        loan: loaded.as_ref().map(|loaded| &loaded.loan),
        demand,
    };
    let about = About::item(caller, Verb::Renew, Some(reader.id), &item.facts);
    let plan = settle(&command.consent, &about, &act, now, |act| {
        renew::decide(&Facts { act, ..facts }, now)
    })?;
    tx.renew_loan(plan.loan, plan.due_at, plan.due_by_hand)?;
    let mut ledger = Ledger {
        tx,
        caller,
        act: &act,
        item: &item.facts,
        now,
        ids: &mut ids,
    };
    append(&mut ledger, &plan, &reader, &network, &command.consent)?;
    let row = tx.loan_view(plan.loan)?.ok_or(UseCaseError::NotFound("loan"))?;
    Ok(LoanOutcome {
        loan: LoanView::of(row, &network),
        notices: refusal_views(&plan.passed.notices),
        overridden: record::overridden_codes(&plan.passed),
    })
}

type Found = (LoadedItem, Option<LoadedLoan>, ReaderId);

/// Locks the item of a loan and reads the loan. Another reader's loan is not there for a reader.
pub(super) fn find(tx: &mut WriteTx<'_>, caller: &Caller, loan: LoanId, network: &Network) -> Result<Found> {
    let unknown = || UseCaseError::NotFound("loan");
    let (item, bib, reader): (ItemId, BibId, Option<ReaderId>) = tx.item_of_loan(loan)?.ok_or_else(unknown)?;
    let reader = reader.ok_or_else(unknown)?;
    if caller.reader().is_some_and(|own| own != reader) {
        return Err(unknown());
    }
    let item = tx
        .lock_item(Candidate::known(item, bib), network)?
        .ok_or_else(unknown)?;
    let loaded = item.loan.clone().filter(|open| open.loan.id == loan);
    Ok((item, loaded, reader))
}

/// Who waits, and which other copies could serve them; no statement when nobody does.
pub(super) fn demand(
    tx: &mut WriteTx<'_>,
    network: &Network,
    item: &LoadedItem,
    reader: &ReaderFacts,
    now: DateTime<Utc>,
) -> Result<Demand> {
    if item.open_holds_of_bib == 0 {
        return Ok(Demand::default());
    }
    let today = network.local_day(now);
    let waiting = tx.count_fillable(
        network,
        &CopyFacts::of(&item.facts),
        today,
        reader.id,
        QUEUE_COUNTED.into(),
    )?;
    if waiting == 0 {
        return Ok(Demand::default());
    }
    let mut other_copies = 0;
    for copy in tx.copies_of_bib(item.facts.bib_id)? {
        if other_copies == waiting {
            break;
        }
        let is_other = copy.item != item.facts.id && copy.is_on_shelf();
        if is_other && tx.count_fillable(network, &copy, today, reader.id, 1)? > 0 {
            other_copies += 1;
        }
    }
    Ok(Demand { waiting, other_copies })
}

pub(super) fn append(
    ledger: &mut Ledger<'_, '_>,
    plan: &Plan,
    reader: &ReaderFacts,
    network: &Network,
    consent: &Consent,
) -> Result<()> {
    let band: AgeBand = record::age_band(reader, network, ledger.now);
    let event = ledger
        .event(EventKind::LoanRenewed)
        .of_reader(reader.id, reader.category, band)
        .detail(
            json!({"loan_id": plan.loan, "due_at": plan.due_at.timestamp_millis(), "renewals": plan.renewals,
            "rule_id": plan.rule, "rules_version": plan.rules_version,
            "consent": record::consent_detail(&plan.passed)}),
        )
        .personal(ledger.caller.says(record::consent_reason(&plan.passed, consent)));
    ledger.append_event(&event)
}
