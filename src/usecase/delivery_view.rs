//! What the verbs of internet borrowing answer. An address stands in one of them only, which no idempotency key stores.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::book_carrier::CARRIER;
use super::request_delivery::Line;
use super::view::{HoldView, NextStepView, RefusalView, refusal_views, unit_code};
use super::{Result, UseCaseError};
use crate::clock::from_millis;
use crate::domain::delivery::Address;
use crate::domain::ids::ItemId;
use crate::domain::network::Network;
use crate::domain::parcel::ParcelState;
use crate::domain::refusal::Refusals;
use crate::store::idempotency::Outcome;
use crate::store::outbox::OutboxRow;
use crate::store::parcels::{Parcel, ParcelLine};
use crate::store::tx::ReadTx;

/// A request, line by line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryOutcome {
    /// Number of the request.
    pub id: i64,
    pub reader_id: Option<i64>,
    /// `desk` or `parcel`.
    #[schema(example = "parcel")]
    pub delivery: String,
    /// The desk, or the unit that packs.
    #[schema(example = "C1")]
    pub unit_code: String,
    /// What becomes of the lines that are not in the first parcel: `follow` or `cancel`.
    #[schema(example = "follow")]
    pub rest: String,
    /// A fee may fall due; none is charged by this version.
    #[schema(example = false)]
    pub fee_pending: bool,
    /// In the order they were asked for.
    pub lines: Vec<DeliveryLineView>,
}

/// What became of one line: a hold, or the reasons why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryLineView {
    pub bib_id: i64,
    /// Set when only this copy will do.
    pub item_id: Option<i64>,
    /// Absent when the line was refused.
    pub hold: Option<HoldView>,
    /// Every reason; empty when the line was accepted.
    pub refusals: Vec<RefusalView>,
    pub notices: Vec<RefusalView>,
}

impl DeliveryLineView {
    /// A line that was refused.
    pub fn refused(line: Line, refusals: Vec<RefusalView>) -> Self {
        Self {
            bib_id: line.bib.get(),
            item_id: line.item.map(ItemId::get),
            hold: None,
            refusals,
            notices: Vec::new(),
        }
    }
}

/// A parcel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParcelView {
    /// Its number: on the slip, and towards the carrier.
    pub id: i64,
    /// The request it belongs to.
    #[schema(example = 1042)]
    pub request_id: i64,
    pub reader_id: Option<i64>,
    /// Where it was packed, or where it comes to.
    #[schema(example = "C1")]
    pub unit_code: String,
    /// `out` or `back`.
    #[schema(example = "out")]
    pub direction: String,
    /// See docs/PARCELS.md.
    #[schema(example = "packed")]
    pub state: String,
    /// When it was packed or announced (UTC).
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub opened_at: DateTime<Utc>,
    /// The last day on which a packed parcel is not late, in the network's zone.
    #[schema(example = "2026-03-07")]
    pub dispatch_by: Option<NaiveDate>,
    /// When the carrier got it (UTC).
    #[schema(example = "2026-03-04T06:00:00Z")]
    pub posted_at: Option<DateTime<Utc>>,
    /// When it was delivered, refused or lost (UTC).
    #[schema(example = "2026-03-05T06:00:00Z")]
    pub ended_at: Option<DateTime<Utc>>,
    /// The carrier's number.
    #[schema(example = "SF1234567890")]
    pub tracking_number: Option<String>,
    /// Since when nobody has heard of it for too long (UTC); absent after news.
    #[serde(default)]
    #[schema(example = "2026-03-19T04:00:00Z")]
    pub alarmed_at: Option<DateTime<Utc>>,
    /// When staff gave it up as not arrived (UTC); it is `cancelled` then.
    #[serde(default)]
    #[schema(example = "2026-03-20T04:00:00Z")]
    pub given_up_at: Option<DateTime<Utc>>,
    /// Whether the carrier knows of it: `waiting`, `retrying`, `failed` (somebody must look at it) or `done`; absent when nobody
    /// has to tell it.
    #[schema(example = "done")]
    pub booking: Option<String>,
    /// What went wrong at the last attempt.
    #[schema(example = "it answered 503")]
    pub booking_error: Option<String>,
    /// What lies or lay in it.
    pub lines: Vec<ParcelLineView>,
}

/// A copy in a parcel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParcelLineView {
    pub item_id: i64,
    pub item_barcode: String,
    pub bib_id: i64,
    pub title: String,
    pub hold_id: Option<i64>,
    /// Once it is lent.
    pub loan_id: Option<i64>,
    /// `packed`; `withdrawn` (its hold ended: take it out); `lent`; `set_aside` (it did not go with the parcel); `ended`
    /// (delivered, or back).
    #[schema(example = "packed")]
    pub state: String,
    /// Why it was set aside: codes of refusals, or `hold_ended`.
    #[schema(example = json!(["barred"]))]
    pub set_aside: Vec<String>,
}

/// The answer to packing and dispatching.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParcelOutcome {
    /// As it is now.
    pub parcel: ParcelView,
    /// What stood against lending a copy: by barcode.
    pub refused: Vec<RefusedCopy>,
    /// Lines that were cancelled because the reader did not want to wait for them.
    pub cancelled: Vec<CancelledLine>,
    /// Lines of a slip to print and put into the parcel; no reader's name or address.
    pub slip: Vec<String>,
    /// Nothing was changed: the answer says what would happen.
    pub dry_run: bool,
}

/// A copy that could not be lent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedCopy {
    pub item_barcode: String,
    /// Every reason.
    pub refusals: Vec<RefusalView>,
    /// For `consent_tokens` of the dispatch, where the caller may pass every refusal.
    #[schema(example = "eyJ2IjoxfQ.c2lnbmF0dXJl")]
    pub consent_token: Option<String>,
}

impl RefusedCopy {
    /// A copy that could not be lent; any other failure comes back.
    pub fn of(item_barcode: &str, error: UseCaseError) -> Result<(Self, Refusals)> {
        let consent_token = match &error {
            UseCaseError::Passable { offer, .. } => Some(offer.token.clone()),
            _ => None,
        };
        let (refusals, _) = error.into_refusals()?;
        let copy = Self {
            item_barcode: item_barcode.to_owned(),
            refusals: refusal_views(&refusals.0),
            consent_token,
        };
        Ok((copy, refusals))
    }
}

/// A line that was cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CancelledLine {
    pub hold_id: i64,
    /// Where the copy goes that had been set aside for it.
    pub next_step: Option<NextStepView>,
}

/// Where a parcel goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AddressView {
    /// Of whoever takes the parcel.
    #[schema(example = "李读者")]
    pub name: String,
    /// In one form: `+`, country, number.
    #[schema(example = "+8613800138000")]
    pub phone: String,
    /// Province, city, district.
    #[schema(example = "湖北省江城市江汉区")]
    pub region: String,
    /// Street, house, door.
    #[schema(example = "江汉路 1 号 2 栋 301")]
    pub street: String,
}

impl From<Address> for AddressView {
    fn from(address: Address) -> Self {
        Self {
            phone: address.phone.as_str().to_owned(),
            name: address.name,
            region: address.region,
            street: address.street,
        }
    }
}

impl Outcome for DeliveryOutcome {
    fn reader_id(&self) -> Option<i64> {
        self.reader_id
    }
}

impl Outcome for ParcelOutcome {
    fn reader_id(&self) -> Option<i64> {
        self.parcel.reader_id
    }
}

impl Outcome for ParcelView {
    fn reader_id(&self) -> Option<i64> {
        self.reader_id
    }
}

/// A parcel as it is stored now.
pub(super) fn parcel_view(tx: &mut ReadTx<'_>, parcel: Parcel, network: &Network) -> Result<ParcelView> {
    let lines = tx.parcel_lines(parcel.id)?;
    let booking = tx.outbox_of(CARRIER, parcel.id)?;
    let lines = lines.into_iter().map(|line| line_view(line, parcel.state));
    Ok(ParcelView {
        id: parcel.id,
        request_id: parcel.request,
        reader_id: parcel.reader,
        unit_code: unit_code(network, parcel.unit.get()),
        direction: parcel.direction.code().to_owned(),
        state: parcel.state.code().to_owned(),
        opened_at: from_millis(parcel.opened_at),
        dispatch_by: parcel.dispatch_by.and_then(|day| day.parse().ok()),
        posted_at: parcel.posted_at.map(from_millis),
        ended_at: parcel.ended_at.map(from_millis),
        tracking_number: parcel.tracking_number,
        alarmed_at: parcel.alarmed_at.map(from_millis),
        given_up_at: parcel.given_up_at.map(from_millis),
        booking: booking.as_ref().map(|row| OutboxRow::status(row).to_owned()),
        booking_error: booking.and_then(|row| row.error),
        lines: lines.collect(),
    })
}

fn line_view(line: ParcelLine, parcel: ParcelState) -> ParcelLineView {
    let state = match (&line.set_aside, line.is_open()) {
        (Some(_), _) => "set_aside",
        (None, false) => "ended",
        (None, true) if line.is_lent() => "lent",
        (None, true) if parcel == ParcelState::Packed && !line.is_kept() => "withdrawn",
        (None, true) if line.is_back() => "ended",
        (None, true) => "packed",
    };
    let set_aside = line.set_aside.as_deref().unwrap_or_default();
    ParcelLineView {
        item_id: line.item_id,
        bib_id: line.bib_id,
        hold_id: line.hold_id,
        loan_id: line.loan_id,
        state: state.to_owned(),
        set_aside: set_aside
            .split(',')
            .filter(|code| !code.is_empty())
            .map(str::to_owned)
            .collect(),
        item_barcode: line.barcode,
        title: line.title,
    }
}

/// What a printer puts on the slip: the parcel's number and what is in it, nothing about the reader.
pub(super) fn slip(parcel: &ParcelView, network: &Network) -> Vec<String> {
    let unit = network.units().by_code(&parcel.unit_code);
    let mut lines = vec![
        format!("包裹 / Parcel: {}", parcel.id),
        format!("发件馆 / From: {}", unit.map_or("", |unit| unit.name.as_str())),
    ];
    let inside = parcel
        .lines
        .iter()
        .filter(|line| matches!(line.state.as_str(), "packed" | "lent"));
    lines.extend(inside.map(|line| format!("{}  {}", line.item_barcode, line.title)));
    lines
}
