//! Automatic renewal: loans whose terms ask for it are renewed shortly before they are due, as a reader at home would renew them.
//! What is refused stays as it is and is remembered once for each due date. Run by a job.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::record::{self, Consent, IDS_PER_VERB, Ledger};
use super::renew_loan::{append, demand, find};
use super::run_job::{Look, Pass};
use super::{Caller, Result, UseCaseError};
use crate::domain::act::Act;
use crate::domain::auto_renew::{Verdict, decide, due_until};
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::LoanId;
use crate::domain::own_rules::TermField;
use crate::domain::reader::Channel;
use crate::domain::refusal::Code;
use crate::domain::renew::Facts;
use crate::store::Store;
use crate::store::ids::IdRun;
use crate::store::loans::LoadedLoan;
use crate::store::tx::{ReadTx, WriteTx};

/// Open loans looked at in one read. Should all of them be due, their renewals end well within a lease.
const LOANS_PER_LOOK: i64 = 1_000;

/// The walk over all open loans, as long as any terms ask for it.
#[derive(Debug, Clone, Copy)]
pub struct AutoRenew {
    /// From so many calendar days before the due date on.
    pub days: u16,
}

impl Pass for AutoRenew {
    type Work = LoanId;

    fn expected(&self, tx: &mut ReadTx<'_>) -> Result<Option<i64>> {
        let asked_for = tx.network()?.rules().mentions(TermField::AutoRenew);
        Ok(Some(if asked_for { tx.count_open_loans()? } else { 0 }))
    }

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<LoanId>> + Send + 'static {
        let days = self.days;
        move |tx| {
            let network = tx.network()?;
            if !network.rules().mentions(TermField::AutoRenew) {
                return Ok(Look {
                    work: Vec::new(),
                    looked_at: 0,
                    after: None,
                });
            }
            let walked = tx.walk_soon_due(after, (now, due_until(&network, days, now)), LOANS_PER_LOOK)?;
            let due = tx.situations_of_loans(&walked.found)?;
            let asked_for = due.iter().filter(|(_, at)| network.winner(at).terms.auto_renew);
            Ok(Look {
                work: asked_for.map(|(loan, _)| *loan).collect(),
                looked_at: walked.loans,
                after: walked.last_item,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<LoanId>) -> Result<i64> {
        let (mut renewed, days) = (0, self.days);
        for loan in work {
            let ids = store.take_ids::<UseCaseError>(IDS_PER_VERB).await?;
            let done = store.write(move |tx| renew(tx, loan, days, ids.clone())).await?;
            renewed += i64::from(done);
        }
        Ok(renewed)
    }
}

/// Looks at one loan under its locks; true when it was renewed.
fn renew(tx: &mut WriteTx<'_>, loan: LoanId, days: u16, mut ids: IdRun) -> Result<bool> {
    let (network, caller) = (tx.network()?, Caller::system());
    // A loan unlinked from its reader has ended.
    let (item, Some(loaded), reader) = (match find(tx, &caller, loan, &network) {
        Err(UseCaseError::NotFound(_)) => return Ok(false),
        found => found?,
    }) else {
        return Ok(false);
    };
    let Some(reader) = tx.lock_reader(reader, &network)? else {
        return Ok(false);
    };
    let now = record::now_for(tx, &item.facts);
    let network = tx.as_of(network, now)?;
    let act = Act::at(loaded.loan.unit, Channel::Portal);
    let facts = Facts {
        act: &act,
        network: &network,
        reader: &reader,
        item: &item.facts,
        loan: Some(&loaded.loan),
        demand: demand(tx, &network, &item, &reader, now)?,
    };
    let verdict = decide(&facts, tx.auto_renewed_before(loan)?, days, now);
    let mut ledger = Ledger {
        tx,
        caller: &caller,
        act: &act,
        item: &item.facts,
        now,
        ids: &mut ids,
    };
    match verdict {
        Verdict::Leave => Ok(false),
        Verdict::Refused(codes) => refuse(&mut ledger, &loaded, &codes).map(|()| false),
        Verdict::Renew(plan) => {
            ledger.tx.renew_loan(plan.loan, plan.due_at, plan.due_by_hand)?;
            ledger.tx.count_auto_renewal(plan.loan)?;
            append(&mut ledger, &plan, &reader, &network, &Consent::default())?;
            Ok(true)
        }
    }
}

/// Remembers why a loan was not renewed, for whoever tells its reader.
fn refuse(ledger: &mut Ledger<'_, '_>, loaded: &LoadedLoan, codes: &[Code]) -> Result<()> {
    let loan = &loaded.loan;
    ledger.tx.refuse_auto_renewal(loan.id, loan.due_at, codes)?;
    let band = AgeBand::from_code(&loaded.age_band).unwrap_or(AgeBand::Unknown);
    let codes: Vec<&str> = codes.iter().map(|code| code.code()).collect();
    let event = ledger
        .event(EventKind::LoanNotRenewed)
        .of_reader(loan.reader, loan.category, band)
        .detail(json!({"loan_id": loan.id, "due_at": loan.due_at.timestamp_millis(), "refusals": codes}));
    ledger.append_event(&event)
}
