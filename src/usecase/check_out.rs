//! Check-out: an item goes out to a reader at the caller's unit.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::acting_device::require_at_work;
use super::caller::with_link;
use super::card_session::{self, CardShown, spend};
use super::compartment_record;
use super::item_shown::ItemShown;
use super::lend_to::{self, Borrower, Shown, UNKNOWN_CARD};
use super::once::{once, rehearsed};
use super::record::{self, About, Consent, IDS_PER_VERB, Ledger, settle};
use super::view::{CheckOutOutcome, LoanView, refusal_views};
use super::{Caller, FieldError, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::act::Act;
use crate::domain::check_in::overdue_days;
use crate::domain::check_out::{self, Demand, Effect, Facts, OwnHold, Plan};
use crate::domain::event::EventKind;
use crate::domain::hold::CopyFacts;
use crate::domain::ids::{LoanId, LockerSessionId, ReaderId, UnitId};
use crate::domain::item::ItemStatus;
use crate::domain::lending_terms::{copies_like, holds_counted};
use crate::domain::network::Network;
use crate::domain::reader::ReaderFacts;
use crate::domain::refusal::Verb;
use crate::store::holds::HoldEnd;
use crate::store::ids::IdRun;
use crate::store::item_lock::{Candidate, LoadedItem};
use crate::store::job::FromStore;
use crate::store::loans::{LoanEnd, NewLoan};
use crate::store::transits::TransitEnd;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct CheckOut {
    pub item: ItemShown,
    /// Says whose item, where a barcode or a tag means several.
    pub owner_unit_code: Option<String>,
    pub card: CardShown,
    /// The ward the item is for, where a guardian shows the card.
    pub ward: Option<ReaderId>,
    /// A due date given by hand.
    pub due_at: Option<DateTime<Utc>>,
    pub consent: Consent,
    /// Decide only; change nothing.
    pub dry_run: bool,
}

/// Lends an item.
///
/// # Errors
/// `Refused` with every reason; `Invalid` or `Ambiguous` naming the field; `Forbidden`; a failure of the store.
pub async fn check_out(
    store: &Arc<Store>,
    caller: &Caller,
    command: CheckOut,
    key: Option<IdempotencyKey>,
) -> Result<Once<CheckOutOutcome>> {
    caller.require_somewhere(Right::CheckOut)?;
    let unit = caller.working_unit()?;
    let dry_run = command.dry_run;
    let work = move |tx: &mut WriteTx<'_>, who: &Caller, command: &CheckOut, ids| apply(tx, who, unit, command, ids);
    if dry_run {
        return rehearsed(store, caller, IDS_PER_VERB, command, work).await;
    }
    let shown = command.card.clone();
    let lent = once(store, caller, key, IDS_PER_VERB, command, work).await;
    // Whatever was refused, the code was shown here. A failure of the store is tried again with the same one.
    if lent.as_ref().is_err_and(|error| error.store_error().is_none()) {
        spend(store, caller, unit, &shown).await?;
    }
    lent
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    unit: UnitId,
    command: &CheckOut,
    mut ids: IdRun,
) -> Result<CheckOutOutcome> {
    let network = tx.network()?;
    caller.require(Right::CheckOut, unit, &network)?;
    require_at_work(tx, caller)?;
    let card = card_session::card_number(tx, caller, unit, &network, &command.card)?;
    let found = command.item.find(tx, &network, command.owner_unit_code.as_deref());
    let candidate = found.or_else(|error| with_card(tx, &card, error))?;
    let item = tx
        .lock_item(candidate, &network)?
        .ok_or(UseCaseError::NotFound("item"))?;
    let shown = Shown {
        act: &record::act_of(caller, unit, &network, &command.consent, command.due_at),
        network: &network,
        card: &card,
        ward: command.ward,
    };
    let Borrower { reader, link } = lend_to::lock(tx, &shown, &item)?;
    let now = record::now_for(tx, &item.facts);
    let network = tx.as_of(network, now)?;
    let desk = Desk {
        caller,
        unit,
        network: &network,
        consent: &command.consent,
        due_at: command.due_at,
        link,
        session: None,
    };
    let outcome = hand_over(tx, &desk, &item, &reader, &mut ids)?;
    compartment_record::left(tx, item.compartment.filter(|_| outcome.loan.is_some()))?;
    Ok(CheckOutOutcome {
        dry_run: command.dry_run,
        ..outcome
    })
}

/// Who lends where, and what they said to refusals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Desk<'a> {
    pub caller: &'a Caller,
    pub unit: UnitId,
    pub network: &'a Network,
    pub consent: &'a Consent,
    /// A due date given by hand.
    pub due_at: Option<DateTime<Utc>>,
    /// The link by which a guardian collects it for the reader.
    pub link: Option<i64>,
    /// The reader's session, where the desk is a machine that has one.
    pub session: Option<LockerSessionId>,
}

/// The whole of a check-out once item and reader are locked; a parcel is lent here, too. A refusal changes nothing.
pub(super) fn hand_over(
    tx: &mut WriteTx<'_>,
    desk: &Desk<'_>,
    item: &LoadedItem,
    reader: &ReaderFacts,
    ids: &mut IdRun,
) -> Result<CheckOutOutcome> {
    let (caller, network) = (desk.caller, desk.network);
    let now = record::now_for(tx, &item.facts);
    let act = Act {
        session: desk.session,
        ..record::act_of(caller, desk.unit, network, desk.consent, desk.due_at)
    };
    let mut facts = Facts {
        act: &act,
        network,
        reader,
        item: &item.facts,
        demand: Demand::default(),
    };
    facts.demand = demand(tx, &facts, item, now)?;
    let about = About::item(caller, Verb::CheckOut, Some(reader.id), &item.facts);
    let plan = settle(desk.consent, &about, &act, now, |act| {
        check_out::decide(&Facts { act, ..facts }, now)
    })?;
    let loan = LoanId::new(ids.next());
    let mut ledger = Ledger {
        tx,
        caller,
        act: &act,
        item: &item.facts,
        now,
        ids,
    };
    clear_the_way(&mut ledger, &plan, item, reader, network)?;
    let view = match plan.effect {
        Effect::Loan {
            due_at,
            due_by_hand,
            reading_room,
        } => {
            let lending = Lending {
                loan,
                due_at,
                due_by_hand,
                reading_room,
                reader,
                network,
                plan: &plan,
                link: desk.link,
            };
            lend(&mut ledger, &lending, desk.consent)?;
            Some(view(&lending, item, &act, now))
        }
        Effect::LocalUse { .. } => {
            let event = ledger.event(EventKind::LocalUse);
            let event = event.of_reader(reader.id, reader.category, record::age_band(reader, network, now));
            ledger.append_event(&event)?;
            None
        }
    };
    Ok(CheckOutOutcome {
        local_use: view.is_none(),
        loan: view,
        notices: refusal_views(&plan.passed.notices),
        overridden: record::overridden_codes(&plan.passed),
        dry_run: false,
        guardianship_id: desk.link,
    })
}

/// An unknown barcode does not hide an unknown card: both are named at once.
fn with_card(tx: &mut WriteTx<'_>, card: &str, error: UseCaseError) -> Result<Candidate> {
    match error {
        UseCaseError::Invalid(mut fields) => {
            if tx.reader_of_card(card)?.is_none() {
                fields.push(FieldError::new("card_number", UNKNOWN_CARD));
            }
            Err(UseCaseError::Invalid(fields))
        }
        other => Err(other),
    }
}

/// Who else waits for the bib, and the reader's own hold; no statement when nobody waits.
pub(super) fn demand(tx: &mut WriteTx<'_>, facts: &Facts<'_>, item: &LoadedItem, now: DateTime<Utc>) -> Result<Demand> {
    let (network, reader) = (facts.network, facts.reader);
    if item.open_holds_of_bib == 0 {
        return Ok(Demand::default());
    }
    let own = tx.open_holds_on_bib(reader.id, item.facts.bib_id)?;
    let own = own
        .into_iter()
        .filter(|hold| hold.item.is_none_or(|target| target == item.facts.id))
        .filter(|hold| hold.volume.is_none() || hold.volume == item.facts.volume);
    // The one this copy is set aside for comes first, then one that has no copy yet.
    let own = own.min_by_key(|hold| match hold.captured_item {
        Some(captured) if captured == item.facts.id => 0,
        None => 1,
        Some(_) => 2,
    });
    let today = network.local_day(now);
    let copy = CopyFacts::of(&item.facts);
    let percent = network
        .winner(&check_out::situation(facts))
        .terms
        .lending
        .copies_to_holds_percent;
    let copies = match percent {
        0 => 0,
        _ => copies_like(&copy, &tx.copies_of_bib(copy.bib)?),
    };
    let count_to = holds_counted(copies, percent);
    Ok(Demand {
        waiting_for_bib: tx.count_fillable(network, &copy, today, reader.id, count_to)?,
        copies,
        own_hold: own.map(|hold| OwnHold {
            id: hold.id,
            captured_item: hold.captured_item,
        }),
    })
}

/// Everything that has to end before the loan begins.
pub(super) fn clear_the_way(
    ledger: &mut Ledger<'_, '_>,
    plan: &Plan,
    item: &LoadedItem,
    reader: &ReaderFacts,
    network: &Network,
) -> Result<()> {
    if let Some(first) = plan.returns_first
        && let Some(loaded) = &item.loan
    {
        // What its reader says was given back, and stood on the shelf, was given back then.
        let returned_at = loaded.loan.claimed_returned_at.unwrap_or(ledger.now);
        ledger
            .tx
            .close_loan(first, LoanEnd::Returned, returned_at, ledger.act.unit)?;
        let overdue = overdue_days(network, &loaded.loan, returned_at);
        super::check_in::append_return(ledger, loaded, overdue, None)?;
    }
    if let Some(transit) = plan.completes_transit {
        ledger.end_transit(transit, TransitEnd::Received)?;
    }
    if let Some(hold) = plan.releases_hold {
        ledger.tx.release_hold(hold)?;
        ledger.append(EventKind::HoldReleased, json!({"hold_id": hold}))?;
    }
    if let Some(hold) = plan.fills_hold {
        ledger
            .tx
            .close_hold(hold, ledger.item.bib_id, reader.id, HoldEnd::Filled, ledger.now)?;
        ledger.append(EventKind::HoldFilled, json!({"hold_id": hold}))?;
    }
    Ok(())
}

struct Lending<'a> {
    loan: LoanId,
    due_at: DateTime<Utc>,
    due_by_hand: bool,
    reading_room: bool,
    reader: &'a ReaderFacts,
    network: &'a Network,
    plan: &'a Plan,
    link: Option<i64>,
}

fn lend(ledger: &mut Ledger<'_, '_>, lending: &Lending<'_>, consent: &Consent) -> Result<()> {
    let (reader, plan, item) = (lending.reader, lending.plan, ledger.item);
    let band = record::age_band(reader, lending.network, ledger.now);
    ledger.tx.insert_loan(&NewLoan {
        id: lending.loan.get(),
        item_id: item.id.get(),
        bib_id: item.bib_id.get(),
        reader_id: Some(reader.id.get()),
        card_id: Some(reader.card.id.get()),
        unit_id: ledger.act.unit.get(),
        owner_unit_id: item.owner.get(),
        item_type_id: item.item_type.get(),
        category_id: reader.category.get(),
        age_band: band.code().to_owned(),
        channel: ledger.act.channel.code().to_owned(),
        device_id: ledger.act.device.map(crate::domain::ids::DeviceId::get),
        rule_id: plan.rule.get(),
        rules_version: plan.rules_version,
        filled_hold_id: plan.fills_hold.map(crate::domain::ids::HoldId::get),
        loaned_at: ledger.now.timestamp_millis(),
        due_at: lending.due_at.timestamp_millis(),
        due_by_hand: lending.due_by_hand,
        renewals: 0,
        reading_room: lending.reading_room,
    })?;
    ledger.place(ItemStatus::OnLoan, ledger.act.unit)?;
    let mut detail = json!({"loan_id": lending.loan, "due_at": lending.due_at.timestamp_millis(), "rule_id": plan.rule,
        "rules_version": plan.rules_version});
    if lending.reading_room {
        detail["reading_room"] = json!(true);
    }
    if !plan.passed.overridden.is_empty() || !plan.passed.confirmed.is_empty() {
        detail["consent"] = record::consent_detail(&plan.passed);
    }
    let reason = (!plan.passed.overridden.is_empty()).then_some(consent.overrides.reason.as_str());
    let personal = match reason {
        Some(reason) => json!({"card_id": reader.card.id, "override_reason": reason}),
        None => json!({"card_id": reader.card.id}),
    };
    let event = ledger
        .event(EventKind::LoanMade)
        .of_reader(reader.id, reader.category, band);
    let event = event.detail(detail).personal(with_link(personal, lending.link));
    ledger.append_event(&event)
}

fn view(lending: &Lending<'_>, item: &LoadedItem, act: &Act, now: DateTime<Utc>) -> LoanView {
    LoanView {
        id: lending.loan.get(),
        item_id: item.facts.id.get(),
        item_barcode: item.facts.barcode.clone(),
        bib_id: item.facts.bib_id.get(),
        title: item.title.clone(),
        reader_id: Some(lending.reader.id.get()),
        unit_code: super::view::unit_code(lending.network, act.unit.get()),
        channel: act.channel.code().to_owned(),
        loaned_at: now,
        due_at: lending.due_at,
        renewals: 0,
        status: "open".to_owned(),
        closed_at: None,
        rule_id: lending.plan.rule.get(),
        rules_version: lending.plan.rules_version,
        claimed_returned_at: None,
        recalled_at: None,
        reading_room: lending.reading_room,
        auto_renewals: 0,
        auto_renewal_refusals: Vec::new(),
        borrower: lending.reader.card.holder_name.clone(),
    }
}
