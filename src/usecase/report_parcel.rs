//! What a carrier reports of a parcel: once each, in any order. A report that cannot follow is kept and changes nothing.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{Result, UseCaseError};
use crate::clock::from_millis;
use crate::domain::calendar::due;
use crate::domain::event::EventKind;
use crate::domain::ids::LoanId;
use crate::domain::item::ItemFacts;
use crate::domain::loan::OpenLoan;
use crate::domain::network::Network;
use crate::domain::parcel::{Direction, ParcelState, Step, next};
use crate::domain::policy::Situation;
use crate::domain::reader::CreditBand;
use crate::store::Store;
use crate::store::events::Event;
use crate::store::item_lock::Candidate;
use crate::store::parcel_reports::ReportRow;
use crate::store::parcels::{Parcel, ParcelLine};
use crate::store::tx::WriteTx;

/// How far a carrier's clock may be ahead.
const CLOCK_MINUTES: i64 = 5;

/// How long before a parcel was packed a report may say it happened: their clock, or their day.
const BEFORE_HOURS: i64 = 24;

/// What a carrier says.
#[derive(Debug, Clone)]
pub struct ReportParcel {
    /// Theirs: the same one counts once.
    pub report_id: String,
    pub parcel: i64,
    pub step: Step,
    pub occurred_at: DateTime<Utc>,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportOutcome {
    /// Our number of the parcel.
    #[schema(example = 1042)]
    pub parcel_id: i64,
    /// Where the parcel is in its life now.
    #[schema(example = "delivered")]
    pub state: String,
    /// False: it cannot follow what was reported before, and changed nothing.
    #[schema(example = true)]
    pub applied: bool,
    /// It came before.
    #[schema(example = false)]
    pub repeated: bool,
}

/// Takes a report. The caller has shown that it is the carrier.
///
/// # Errors
/// `NotFound` for a parcel that no carrier has; `Invalid` for a moment that cannot be; `State` when the report's id was used
/// for another report; a failure of the store.
pub async fn report_parcel(store: &Arc<Store>, report: ReportParcel) -> Result<ReportOutcome> {
    let ids = store.take_ids::<UseCaseError>(1).await?;
    store.write(move |tx| apply(tx, &report, ids.clone().next())).await
}

fn apply(tx: &mut WriteTx<'_>, report: &ReportParcel, event_id: i64) -> Result<ReportOutcome> {
    let (parcel, lines) = tx.lock_parcel(report.parcel)?.ok_or(UseCaseError::NotFound("parcel"))?;
    if let Some(known) = tx.parcel_report(&report.report_id)? {
        let same = known.parcel_id == parcel.id
            && known.step == report.step.code()
            && known.occurred_at == report.occurred_at.timestamp_millis();
        return if same {
            Ok(outcome(&parcel, parcel.state, known.applied, true))
        } else {
            Err(UseCaseError::State(
                "the report's id was used for another report".into(),
            ))
        };
    }
    let now = tx.now();
    check_moment(&parcel, report, now)?;
    let at = report.occurred_at.clamp(from_millis(parcel.opened_at).min(now), now);
    let to = next(parcel.direction, parcel.state, report.step).filter(|_| follows(&parcel, &lines, report.step));
    tx.insert_parcel_report(&ReportRow {
        report_id: report.report_id.clone(),
        parcel_id: parcel.id,
        step: report.step.code().to_owned(),
        occurred_at: report.occurred_at.timestamp_millis(),
        reported_at: now.timestamp_millis(),
        applied: to.is_some(),
    })?;
    note_posting(tx, &parcel, report.step, at)?;
    let Some(to) = to else {
        return Ok(outcome(&parcel, parcel.state, false, false));
    };
    tx.move_parcel(&parcel, to, at)?;
    if parcel.direction == Direction::Out && to == ParcelState::Delivered {
        let network = tx.network()?;
        hand_to_reader(tx, &network, &parcel, &lines, at)?;
    }
    let event = Event::new(EventKind::ParcelReported, now, parcel.unit, "portal")
        .detail(json!({"parcel_id": parcel.id,
        "step": report.step.code(), "state": to.code(), "occurred_at": at.timestamp_millis()}));
    tx.append_event(event_id, &event)?;
    Ok(outcome(&parcel, to, true, false))
}

/// A parcel of which staff have received something was not delivered, whatever the carrier says late.
fn follows(parcel: &Parcel, lines: &[ParcelLine], step: Step) -> bool {
    let mut received = lines
        .iter()
        .filter(|line| !line.is_open() && line.set_aside.is_none() && line.is_back());
    parcel.direction == Direction::Back || step != Step::Deliver || received.next().is_none()
}

fn outcome(parcel: &Parcel, state: ParcelState, applied: bool, repeated: bool) -> ReportOutcome {
    ReportOutcome {
        parcel_id: parcel.id,
        state: state.code().to_owned(),
        applied,
        repeated,
    }
}

fn check_moment(parcel: &Parcel, report: &ReportParcel, now: DateTime<Utc>) -> Result<()> {
    let wrong = |reason| Err(UseCaseError::field("occurred_at", reason));
    if report.occurred_at > now + TimeDelta::minutes(CLOCK_MINUTES) {
        return wrong("lies in the future");
    }
    if report.occurred_at < from_millis(parcel.opened_at) - TimeDelta::hours(BEFORE_HOURS) {
        return wrong("lies long before the parcel was packed or announced");
    }
    Ok(())
}

/// When a reader gave a parcel to the carrier is when its copies were returned: the earliest that is reported, even late.
fn note_posting(tx: &mut WriteTx<'_>, parcel: &Parcel, step: Step, at: DateTime<Utc>) -> Result<()> {
    let on_its_way = matches!(step, Step::PickedUp | Step::OnTheWay | Step::Deliver);
    let earlier = parcel.posted_at.is_none_or(|known| at.timestamp_millis() < known);
    let open = parcel.closed_at.is_none();
    if parcel.direction == Direction::Back && on_its_way && earlier && open {
        tx.set_parcel_moment(parcel.id, Step::PickedUp, at)?;
    }
    Ok(())
}

/// The copies are with the reader: the parcel has no more to do with them. Where the rules say so, their days begin now.
fn hand_to_reader(
    tx: &mut WriteTx<'_>,
    network: &Network,
    parcel: &Parcel,
    lines: &[ParcelLine],
    at: DateTime<Utc>,
) -> Result<()> {
    for line in lines.iter().filter(|line| line.is_open()) {
        tx.close_parcel_line(line.id, None, at)?;
        let Some(loan) = line.loan_id.filter(|_| line.from_delivery) else {
            continue;
        };
        // The lock of the copy, so that a renewal or a return does not come between.
        let item = tx.lock_item(Candidate::known(line.item(), line.bib()), network)?;
        let open = item.and_then(|item| item.loan.map(|loaded| (item.facts, loaded.loan)));
        let Some((item, open)) = open.filter(|(_, open)| open.id.get() == loan) else {
            continue;
        };
        let Some((band, card_end)) = tx.loan_to_postpone(loan)? else {
            continue;
        };
        let card_end = card_end.and_then(|day| day.parse().ok());
        let band = CreditBand::from_code(&band).unwrap_or(CreditBand::C);
        let days = days_given(network, &item, &open, (band, card_end), network.local_day(at));
        let later = due(&network.calendar(parcel.unit), network.zone(), at, days, card_end, at);
        if later.at > open.due_at {
            tx.postpone_due(LoanId::new(loan), later.at)?;
        }
    }
    Ok(())
}

/// The days that the rules gave a loan: those of its row if they explain its due date. Otherwise the rules or the calendar have
/// changed since, and the days between are what is known. A fixed term caps them anew.
fn days_given(
    network: &Network,
    item: &ItemFacts,
    loan: &OpenLoan,
    (band, card_end): (CreditBand, Option<NaiveDate>),
    from: NaiveDate,
) -> u16 {
    let situation = Situation {
        unit: loan.unit,
        category: loan.category,
        item_type: item.item_type,
        owner: item.owner,
        channel: loan.channel,
        band,
    };
    let terms = &network.winner(&situation).terms;
    let (calendar, zone) = (network.calendar(loan.unit), network.zone());
    let began = network.local_day(loan.loaned_at);
    let explains = |days: &u16| {
        let days = terms.lending.days(*days, began, began);
        due(&calendar, zone, loan.loaned_at, days, card_end, loan.loaned_at).at == loan.due_at
    };
    let between = (network.local_day(loan.due_at) - began).num_days();
    let of_rules = [terms.loan_days, terms.high_demand_days].into_iter().find(explains);
    let days = of_rules.unwrap_or_else(|| u16::try_from(between).unwrap_or(0));
    terms.lending.days(days, from, began)
}
