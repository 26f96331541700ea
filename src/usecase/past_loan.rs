//! What an act without the network leaves in the records: loans, returns and renewals as of their time. Whatever follows from them
//! now (a hold that is filled, a journey that ends) carries the time of now.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::check_in::{Arrival, Told, append_return, take_back};
use super::check_out::{self, clear_the_way};
use super::confirm_loan::seen_elsewhere;
use super::judge_past::Scene;
use super::record::{self, Consent, Ledger};
use super::renew_loan;
use super::view::CheckInOutcome;
use super::{Result, UseCaseError};
use crate::domain::act::Act;
use crate::domain::check_in::overdue_days;
use crate::domain::check_out::{Demand, Effect, Facts, Plan};
use crate::domain::event::EventKind;
use crate::domain::ids::{CompartmentId, DeviceId, HoldId, LoanId, UnitId};
use crate::domain::item::{ItemFacts, ItemStatus};
use crate::domain::journal_conflict::ConflictReason;
use crate::domain::loan::OpenLoan;
use crate::domain::network::Network;
use crate::domain::reader::ReaderFacts;
use crate::domain::refusal::Code;
use crate::domain::{check_out_past, renew, renew_past};
use crate::store::ids::IdRun;
use crate::store::item_lock::{Candidate, LoadedItem};
use crate::store::loans::{LoanEnd, NewLoan};
use crate::store::transits::TransitEnd;
use crate::store::tx::WriteTx;

/// An act of the past, with its item under the lock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Past<'a> {
    pub scene: &'a Scene<'a>,
    pub act: &'a Act,
    /// Under the rules of then.
    pub network: &'a Network,
    pub item: &'a LoadedItem,
}

impl Past<'_> {
    /// Never before what the item has seen since.
    fn placed_at(&self) -> DateTime<Utc> {
        self.scene.then.max(self.item.facts.last_event_at)
    }
}

/// How the item is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PastLoan {
    /// As it is.
    Now,
    /// As it must have been: nobody had it, and it lay there.
    Free,
}

/// Who borrows, what comes of it, and what would have refused it.
type Lent<'a> = (&'a ReaderFacts, &'a Plan, &'a [Code]);

/// What comes of a check-out at that time, and what would have refused it.
pub(super) fn past_plan(
    tx: &mut WriteTx<'_>,
    past: &Past<'_>,
    reader: &ReaderFacts,
    seen: PastLoan,
) -> Result<(Plan, Vec<Code>)> {
    let free = ItemFacts {
        status: ItemStatus::OnShelf,
        current: past.act.unit,
        open_loan: None,
        captured_for: None,
        transit: None,
        ..past.item.facts.clone()
    };
    // The loan in the way had ended: it counts towards no limit.
    let ended = past.item.facts.open_loan.as_ref().map(|open| open.id);
    let alone = ReaderFacts {
        loans: reader
            .loans
            .iter()
            .filter(|loan| Some(loan.id) != ended)
            .cloned()
            .collect(),
        ..reader.clone()
    };
    let as_it_is = seen == PastLoan::Now;
    let mut facts = Facts {
        act: past.act,
        network: past.network,
        reader: if as_it_is { reader } else { &alone },
        item: if as_it_is { &past.item.facts } else { &free },
        demand: Demand::default(),
    };
    if as_it_is {
        facts.demand = check_out::demand(tx, &facts, past.item, past.scene.then)?;
    }
    Ok(check_out_past::decide(&facts, past.scene.then))
}

/// Records a loan as of then; the one that stands in its way ends as of then. `None`: used in the unit only.
pub(super) fn lend(
    tx: &mut WriteTx<'_>,
    past: &Past<'_>,
    (reader, plan, codes): Lent<'_>,
    free: bool,
    ids: &mut IdRun,
) -> Result<Option<i64>> {
    let now = record::now_for(tx, &past.item.facts);
    let mut ledger = ledger(tx, past, now, ids);
    if free {
        end_open_loan(&mut ledger, past)?;
    } else {
        clear_the_way(&mut ledger, plan, past.item, reader, past.network)?;
    }
    let Some(loan) = insert(&mut ledger, past, (reader, plan, codes), None)? else {
        if free && past.item.loan.is_some() {
            // Nobody has it any more, and it was used where it lay.
            lies_there(&mut ledger, past)?;
        }
        return Ok(None);
    };
    let (facts, at) = (&past.item.facts, past.placed_at());
    let mut from = facts.status;
    if from == ItemStatus::Withdrawn {
        record::place(ledger.tx, facts.id, (from, ItemStatus::InProcessing), past.act.unit, at)?;
        from = ItemStatus::InProcessing;
    }
    record::place(ledger.tx, facts.id, (from, ItemStatus::OnLoan), past.act.unit, at)?;
    Ok(Some(loan.get()))
}

fn lies_there(ledger: &mut Ledger<'_, '_>, past: &Past<'_>) -> Result<()> {
    if matches!(
        past.item.facts.status,
        ItemStatus::NeedsAttention | ItemStatus::Withdrawn
    ) {
        return Ok(());
    }
    needs_attention(ledger, past, ConflictReason::OnLoanToOther, past.act.unit)
}

/// Nobody may take it to be on the shelf.
fn needs_attention(ledger: &mut Ledger<'_, '_>, past: &Past<'_>, reason: ConflictReason, at: UnitId) -> Result<()> {
    ledger.append(EventKind::ItemNeedsAttention, json!({"reason": reason}))?;
    ledger.now = past.placed_at();
    ledger.place(ItemStatus::NeedsAttention, at)
}

/// Records a loan that is over.
pub(super) fn lend_and_close(
    tx: &mut WriteTx<'_>,
    past: &Past<'_>,
    lent: Lent<'_>,
    ended: (DateTime<Utc>, UnitId),
    ids: &mut IdRun,
) -> Result<Option<i64>> {
    let now = record::now_for(tx, &past.item.facts);
    let mut ledger = ledger(tx, past, now, ids);
    Ok(insert(&mut ledger, past, lent, Some(ended))?.map(LoanId::get))
}

fn ledger<'a, 'tx>(
    tx: &'a mut WriteTx<'tx>,
    past: &'a Past<'_>,
    now: DateTime<Utc>,
    ids: &'a mut IdRun,
) -> Ledger<'a, 'tx> {
    Ledger {
        tx,
        caller: past.scene.caller,
        act: past.act,
        item: &past.item.facts,
        now,
        ids,
    }
}

/// The loan that stands in the way ends as of then, and with it what the item was set aside or under way for.
fn end_open_loan(ledger: &mut Ledger<'_, '_>, past: &Past<'_>) -> Result<()> {
    let Some(loaded) = &past.item.loan else {
        return end_places(ledger, past);
    };
    let ended_at = past.scene.then.max(loaded.loan.loaned_at);
    ledger
        .tx
        .close_loan(loaded.loan.id, LoanEnd::Returned, ended_at, past.act.unit)?;
    let overdue = overdue_days(past.network, &loaded.loan, ended_at);
    ledger.now = ended_at;
    append_return(ledger, loaded, overdue, None)?;
    // Whether it was taken is no question any more.
    seen_elsewhere(ledger, loaded)
}

/// The item is not where a journey or a hold has it.
fn end_places(ledger: &mut Ledger<'_, '_>, past: &Past<'_>) -> Result<()> {
    if let Some(transit) = &past.item.facts.transit {
        ledger.end_transit(transit.id, TransitEnd::Cancelled)?;
    }
    if let Some(hold) = &past.item.facts.captured_for {
        ledger.tx.release_hold(hold.id)?;
        ledger.append(EventKind::HoldReleased, json!({"hold_id": hold.id}))?;
    }
    Ok(())
}

fn insert(
    ledger: &mut Ledger<'_, '_>,
    past: &Past<'_>,
    (reader, plan, codes): Lent<'_>,
    ended: Option<(DateTime<Utc>, UnitId)>,
) -> Result<Option<LoanId>> {
    let then = past.scene.then;
    let told_at = ledger.tx.now();
    let band = record::age_band(reader, past.network, then);
    ledger.now = then;
    let Effect::Loan {
        due_at, reading_room, ..
    } = plan.effect
    else {
        let event = ledger.event(EventKind::LocalUse).detail(told(told_at, codes));
        ledger.append_event(&event.of_reader(reader.id, reader.category, band))?;
        return Ok(None);
    };
    let loan = LoanId::new(ledger.ids.next());
    let row = row(loan, past, (reader, plan));
    match ended {
        None => ledger.tx.insert_loan(&row)?,
        Some((at, unit)) => ledger.tx.insert_past_loan(&row, at, unit)?,
    }
    let mut detail = told(told_at, codes);
    detail["loan_id"] = json!(loan);
    detail["due_at"] = json!(due_at.timestamp_millis());
    detail["rule_id"] = json!(plan.rule);
    detail["rules_version"] = json!(plan.rules_version);
    if reading_room {
        detail["reading_room"] = json!(true);
    }
    let event = ledger
        .event(EventKind::LoanMade)
        .of_reader(reader.id, reader.category, band)
        .detail(detail)
        .personal(json!({"card_id": reader.card.id}));
    ledger.append_event(&event)?;
    if let Some((at, _)) = ended {
        let late = overdue_days(past.network, &made(loan, past, (reader, plan)), at);
        ledger.now = at;
        let event = ledger
            .event(EventKind::LoanReturned)
            .of_reader(reader.id, reader.category, band)
            .detail(
                json!({"loan_id": loan, "overdue_days": late, "lent_at_unit_id": past.act.unit,
                "told_at": told_at.timestamp_millis()}),
            );
        ledger.append_event(&event)?;
    }
    Ok(Some(loan))
}

fn row(loan: LoanId, past: &Past<'_>, (reader, plan): (&ReaderFacts, &Plan)) -> NewLoan {
    let item = &past.item.facts;
    let made = made(loan, past, (reader, plan));
    let band = record::age_band(reader, past.network, past.scene.then);
    NewLoan {
        id: loan.get(),
        item_id: item.id.get(),
        bib_id: item.bib_id.get(),
        reader_id: Some(reader.id.get()),
        card_id: Some(reader.card.id.get()),
        unit_id: made.unit.get(),
        owner_unit_id: item.owner.get(),
        item_type_id: item.item_type.get(),
        category_id: reader.category.get(),
        age_band: band.code().to_owned(),
        channel: made.channel.code().to_owned(),
        device_id: past.act.device.map(DeviceId::get),
        rule_id: plan.rule.get(),
        rules_version: plan.rules_version,
        filled_hold_id: plan.fills_hold.map(HoldId::get),
        loaned_at: made.loaned_at.timestamp_millis(),
        due_at: made.due_at.timestamp_millis(),
        due_by_hand: false,
        renewals: 0,
        reading_room: made.reading_room,
    }
}

fn made(loan: LoanId, past: &Past<'_>, (reader, plan): (&ReaderFacts, &Plan)) -> OpenLoan {
    let then = past.scene.then;
    let (due_at, reading_room) = match plan.effect {
        Effect::Loan {
            due_at, reading_room, ..
        } => (due_at, reading_room),
        Effect::LocalUse { .. } => (then, false),
    };
    OpenLoan {
        id: loan,
        item: past.item.facts.id,
        reader: reader.id,
        reader_status: reader.status,
        category: reader.category,
        unit: past.act.unit,
        channel: past.act.channel,
        loaned_at: then,
        due_at,
        renewals: 0,
        claimed_returned_at: None,
        recalled_at: None,
        reading_room,
        unconfirmed: false,
    }
}

/// When it was told of, and what would have refused it.
fn told(told_at: DateTime<Utc>, codes: &[Code]) -> Value {
    let mut detail = json!({"told_at": told_at.timestamp_millis()});
    if !codes.is_empty() {
        detail["accepted_despite"] = json!(codes);
    }
    detail
}

/// Records a renewal as of then; answers what would have refused it.
pub(super) fn renew(
    tx: &mut WriteTx<'_>,
    past: &Past<'_>,
    reader: &ReaderFacts,
    shown_by: &[Code],
    ids: &mut IdRun,
) -> Result<Vec<Code>> {
    let Some(loaded) = &past.item.loan else {
        return Err(UseCaseError::Internal("no loan to renew".to_owned()));
    };
    let (then, told_at) = (past.scene.then, tx.now());
    let demand = renew_loan::demand(tx, past.network, past.item, reader, then)?;
    let facts = renew::Facts {
        act: past.act,
        network: past.network,
        reader,
        item: &past.item.facts,
        loan: Some(&loaded.loan),
        demand,
    };
    let (plan, refused) = renew_past::decide(&facts, &loaded.loan, then);
    tx.renew_loan(plan.loan, plan.due_at, plan.due_by_hand)?;
    let codes: Vec<Code> = shown_by.iter().chain(&refused).copied().collect();
    let mut detail = told(told_at, &codes);
    detail["loan_id"] = json!(plan.loan);
    detail["due_at"] = json!(plan.due_at.timestamp_millis());
    detail["renewals"] = json!(plan.renewals);
    detail["rule_id"] = json!(plan.rule);
    detail["rules_version"] = json!(plan.rules_version);
    let band = record::age_band(reader, past.network, then);
    let mut ledger = ledger(tx, past, then, ids);
    let event = ledger
        .event(EventKind::LoanRenewed)
        .of_reader(reader.id, reader.category, band)
        .detail(detail);
    ledger.append_event(&event)?;
    Ok(refused)
}

/// Takes an item back as of then; it is routed from where it lies, now. `into`: the compartment it was put into.
pub(super) fn take_back_then(
    tx: &mut WriteTx<'_>,
    past: &Past<'_>,
    candidate: Candidate,
    into: Option<CompartmentId>,
    ids: &mut IdRun,
) -> Result<CheckInOutcome> {
    let arrival = Arrival {
        caller: past.scene.caller,
        act: past.act,
        network: past.network,
        consent: &Consent::default(),
        returned_at: Some(past.scene.then),
        parcel: None,
        into,
        told: Told::Then(past.scene.then),
    };
    take_back(tx, &arrival, candidate, ids.part(record::IDS_PER_VERB))
}

/// Nobody knows where the item is: it must not count as on the shelf. One that was withdrawn does not, or is looked for already.
pub(super) fn set_aside(tx: &mut WriteTx<'_>, past: &Past<'_>, reason: ConflictReason, ids: &mut IdRun) -> Result<()> {
    use ItemStatus::{ClaimedReturned, NeedsAttention, Withdrawn};
    let facts = &past.item.facts;
    if matches!(facts.status, NeedsAttention | Withdrawn | ClaimedReturned) {
        return Ok(());
    }
    let now = record::now_for(tx, facts);
    let mut ledger = ledger(tx, past, now, ids);
    end_places(&mut ledger, past)?;
    needs_attention(&mut ledger, past, reason, facts.current)
}
