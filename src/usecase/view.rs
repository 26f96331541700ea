//! What use cases answer, in the shape the API shows and an idempotency key stores.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::from_millis;
use crate::domain::act::Passed;
use crate::domain::ids::HoldId;
use crate::domain::network::Network;
use crate::domain::refusal::{Lang, Refusal};
use crate::domain::route::NextStep;
use crate::store::holds::HoldView as HoldRow;
use crate::store::idempotency::Outcome;
use crate::store::loans::LoanView as LoanRow;
use crate::store::tx::WriteTx;

/// One reason to say no, or something to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusalView {
    /// Stable code, as overrides and confirmations name it.
    #[schema(example = "item_not_for_loan")]
    pub code: String,
    /// `blocked`, `override` (staff with the right and a reason), `confirm` (staff), `info` (told only).
    #[schema(example = "override")]
    pub outcome: String,
    /// The parameters of the message, as text.
    pub params: std::collections::BTreeMap<String, String>,
    /// The row of the rules that said so.
    pub rule_id: Option<i64>,
    /// What is wrong, in Chinese.
    pub message_zh: String,
    /// What can be done about it, in Chinese.
    pub remedy_zh: String,
    /// What is wrong, in English.
    pub message_en: String,
    /// What can be done about it, in English.
    pub remedy_en: String,
}

impl From<&Refusal> for RefusalView {
    fn from(refusal: &Refusal) -> Self {
        let (zh, en) = (refusal.text(Lang::Zh), refusal.text(Lang::En));
        Self {
            code: refusal.code.code().to_owned(),
            outcome: refusal.outcome.code().to_owned(),
            params: refusal
                .params
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            rule_id: refusal.rule.map(crate::domain::ids::RuleId::get),
            message_zh: zh.message,
            remedy_zh: zh.remedy,
            message_en: en.message,
            remedy_en: en.remedy,
        }
    }
}

/// A loan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoanView {
    pub id: i64,
    pub item_id: i64,
    pub item_barcode: String,
    pub bib_id: i64,
    pub title: String,
    /// Absent once a closed loan was unlinked from its reader.
    pub reader_id: Option<i64>,
    /// Where it was lent.
    pub unit_code: String,
    /// `desk`, `kiosk`, `locker`, `drop`, `portal` or `mobile`.
    pub channel: String,
    pub loaned_at: DateTime<Utc>,
    /// The last moment it is not overdue: the end of an open day of the lending unit.
    pub due_at: DateTime<Utc>,
    /// How often it was renewed.
    pub renewals: i32,
    /// `open`, `returned`, `voided` or `lost`.
    pub status: String,
    pub closed_at: Option<DateTime<Utc>>,
    /// The row of terms that won, within `rules_version`.
    pub rule_id: i64,
    pub rules_version: i64,
    /// When the reader says that it was given back; the claim is open as long as the item is `claimed_returned`.
    #[serde(default)]
    pub claimed_returned_at: Option<DateTime<Utc>>,
    /// Since when somebody wants it back before its time.
    #[serde(default)]
    pub recalled_at: Option<DateTime<Utc>>,
    /// For use in the reading room: due the same day, not renewed, counted apart.
    #[serde(default)]
    #[schema(example = false)]
    pub reading_room: bool,
    /// How many of its renewals nobody asked for.
    #[serde(default)]
    #[schema(example = 1)]
    pub auto_renewals: i32,
    /// Why it was not renewed by itself before this due date; empty where nothing stood against it or nothing was tried.
    #[serde(default)]
    #[schema(example = json!(["wanted_by_others"]))]
    pub auto_renewal_refusals: Vec<String>,
    /// Who borrowed it for an institution: the holder named on the card that was used.
    #[serde(default)]
    #[schema(example = json!(null))]
    pub borrower: Option<String>,
}

impl LoanView {
    /// A stored loan, with the codes of its network.
    pub fn of(row: LoanRow, network: &Network) -> Self {
        let refusals = row
            .auto_refusals
            .filter(|_| row.auto_refused_due_at == Some(row.due_at));
        Self {
            id: row.id,
            item_id: row.item_id,
            item_barcode: row.barcode,
            bib_id: row.bib_id,
            title: row.title,
            reader_id: row.reader_id,
            unit_code: unit_code(network, row.unit_id),
            channel: row.channel,
            loaned_at: from_millis(row.loaned_at),
            due_at: from_millis(row.due_at),
            renewals: row.renewals,
            status: row.closed_how.unwrap_or_else(|| "open".to_owned()),
            closed_at: row.closed_at.map(from_millis),
            rule_id: row.rule_id,
            rules_version: row.rules_version,
            claimed_returned_at: row.claimed_returned_at.map(from_millis),
            recalled_at: row.recalled_at.map(from_millis),
            reading_room: row.reading_room,
            auto_renewals: row.auto_renewals,
            auto_renewal_refusals: refusals.map(|text| codes_of(&text)).unwrap_or_default(),
            borrower: row.borrower,
        }
    }
}

/// Codes kept as a JSON list.
fn codes_of(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_default()
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HoldView {
    pub id: i64,
    pub bib_id: i64,
    pub title: String,
    /// Set when only this copy will do.
    pub item_id: Option<i64>,
    pub reader_id: Option<i64>,
    pub pickup_unit_code: String,
    /// Set when only a copy of this volume or issue will do.
    pub volume: Option<String>,
    /// `waiting`, `captured`, `filled`, `cancelled` or `expired`.
    pub status: String,
    /// Place among the waiting holds of the bib, from 1; only while waiting.
    pub position: Option<i64>,
    pub placed_at: DateTime<Utc>,
    /// It sleeps until it is resumed.
    pub suspended: bool,
    /// It sleeps until this day of the network's zone.
    pub not_before: Option<NaiveDate>,
    /// The last day it is wanted.
    pub wanted_until: Option<NaiveDate>,
    /// The place on the hold shelf, once it is there.
    pub shelf_number: Option<i32>,
    /// The last day it waits there, in the network's zone.
    pub shelf_until: Option<NaiveDate>,
    /// It was cancelled because the reader had this other hold on what is one bib since a merge.
    #[schema(example = 1042)]
    pub replaced_by: Option<i64>,
}

impl HoldView {
    /// A stored hold, with the codes of its network.
    pub fn of(row: HoldRow, position: Option<i64>, network: &Network) -> Self {
        let status = row.status().to_owned();
        Self {
            id: row.id,
            bib_id: row.bib_id,
            title: row.title,
            item_id: row.item_id,
            reader_id: row.reader_id,
            pickup_unit_code: unit_code(network, row.pickup_unit_id),
            volume: row.volume,
            status,
            position,
            placed_at: from_millis(row.placed_at),
            suspended: row.suspended,
            not_before: row.not_before.and_then(|day| day.parse().ok()),
            wanted_until: row.wanted_until.and_then(|day| day.parse().ok()),
            shelf_number: row.shelf_number,
            shelf_until: row.shelf_until.and_then(|day| day.parse().ok()),
            replaced_by: row.replaced_by,
        }
    }
}

/// The answer to a check-out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckOutOutcome {
    /// Absent when the reader's category is for reading in the unit only.
    pub loan: Option<LoanView>,
    /// Counted as used in the unit; no loan was made.
    pub local_use: bool,
    /// What staff should know.
    pub notices: Vec<RefusalView>,
    /// Codes that staff overrode.
    pub overridden: Vec<String>,
    /// Nothing was changed: the answer says what would happen.
    pub dry_run: bool,
    /// The link by which the guardian who showed the card acted: the loan is the ward's.
    #[serde(default)]
    #[schema(example = json!(null))]
    pub guardianship_id: Option<i64>,
}

/// The one thing to do with a returned item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NextStepView {
    /// `shelf_here`, `hold_shelf`, `crate` or `exception`; without a scan also `check_in`: take it from where it lies and check
    /// it in, the next reader picks it up here.
    #[schema(example = "crate")]
    pub kind: String,
    /// `crate`: the unit it travels to.
    pub to_unit_code: Option<String>,
    /// `crate`: why it travels: `return_home`, `hold`, `redirect`, or what was ordered.
    #[schema(example = "hold")]
    pub reason: Option<String>,
    /// The hold it is for.
    pub hold_id: Option<i64>,
    /// `hold_shelf`: the numbered place.
    pub shelf_number: Option<u32>,
    /// `hold_shelf`: the last day it waits.
    pub shelf_until: Option<NaiveDate>,
    /// `shelf_here`: the collection's code.
    pub collection_code: Option<String>,
    /// `exception`: the code of what staff must look at.
    pub exception: Option<String>,
}

impl NextStepView {
    /// A decided step, with the codes of its network.
    pub fn of(step: &NextStep, network: &Network) -> Self {
        let mut view = Self {
            kind: String::new(),
            to_unit_code: None,
            reason: None,
            hold_id: None,
            shelf_number: None,
            shelf_until: None,
            collection_code: None,
            exception: None,
        };
        match step {
            NextStep::ShelfHere { collection } => {
                view.kind = "shelf_here".to_owned();
                view.collection_code = collection
                    .and_then(|id| network.collection(id))
                    .map(|collection| collection.code.clone());
            }
            NextStep::HoldShelf {
                hold,
                number,
                expires_on,
            } => {
                view.kind = "hold_shelf".to_owned();
                view.hold_id = Some(hold.get());
                view.shelf_number = Some(*number);
                view.shelf_until = Some(*expires_on);
            }
            NextStep::Crate { to, reason, hold } => {
                view.kind = "crate".to_owned();
                view.to_unit_code = Some(unit_code(network, to.get()));
                view.reason = Some(reason.code().to_owned());
                view.hold_id = hold.map(crate::domain::ids::HoldId::get);
            }
            NextStep::CheckIn { hold } => {
                view.kind = "check_in".to_owned();
                view.hold_id = Some(hold.get());
            }
            NextStep::Exception { reason } => {
                view.kind = "exception".to_owned();
                view.exception = Some(reason.code().to_owned());
            }
        }
        view
    }
}

/// The loan a check-in closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClosedLoan {
    pub id: i64,
    pub returned_at: DateTime<Utc>,
    /// Open days of the lending unit after the due date.
    pub overdue_days: u32,
}

/// The answer to a check-in, and to receiving a transit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckInOutcome {
    pub item_id: i64,
    pub item_barcode: String,
    pub bib_id: i64,
    pub title: String,
    pub next_step: NextStepView,
    /// To a sorter whose unit has a table of bins: the bin it falls into.
    #[serde(default)]
    #[schema(example = 3)]
    pub bin: Option<u16>,
    /// Absent when it was not on loan.
    pub closed_loan: Option<ClosedLoan>,
    /// Counted as used in the unit.
    pub local_use: bool,
    /// The transit opened for the crate.
    pub transit_id: Option<i64>,
    /// The same scan twice within a short time: nothing was changed by the second.
    pub repeated: bool,
    pub notices: Vec<RefusalView>,
    /// Lines of a slip to print and put into the item; no reader's name or number.
    pub slip: Vec<String>,
}

/// The answer to a renewal and to a void.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoanOutcome {
    pub loan: LoanView,
    pub notices: Vec<RefusalView>,
    /// Codes that staff overrode.
    pub overridden: Vec<String>,
}

/// The answer to placing and cancelling a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HoldOutcome {
    pub hold: HoldView,
    pub notices: Vec<RefusalView>,
    /// Codes that staff overrode.
    pub overridden: Vec<String>,
    /// Where the copy goes that was set aside, when the hold was cancelled or redirected.
    pub next_step: Option<NextStepView>,
}

impl HoldOutcome {
    /// A hold as it is stored now.
    pub(super) fn of(
        tx: &mut WriteTx<'_>,
        id: HoldId,
        passed: &Passed,
        next_step: Option<NextStepView>,
        network: &Network,
    ) -> super::Result<Self> {
        let row = tx.hold_view(id)?.ok_or(super::UseCaseError::NotFound("hold"))?;
        Ok(Self {
            hold: super::get_hold::view(tx, row, network)?,
            notices: refusal_views(&passed.notices),
            overridden: super::record::overridden_codes(passed),
            next_step,
        })
    }
}

/// The code of a unit; its number for one that is not in this snapshot.
pub fn unit_code(network: &Network, id: i64) -> String {
    network
        .unit(crate::domain::ids::UnitId::new(id))
        .map_or_else(|| id.to_string(), |unit| unit.code.clone())
}

/// The refusals as the API shows them.
pub fn refusal_views(refusals: &[Refusal]) -> Vec<RefusalView> {
    refusals.iter().map(RefusalView::from).collect()
}

impl Outcome for CheckOutOutcome {
    fn reader_id(&self) -> Option<i64> {
        self.loan.as_ref().and_then(|loan| loan.reader_id)
    }
}

impl Outcome for CheckInOutcome {}

impl Outcome for LoanOutcome {
    fn reader_id(&self) -> Option<i64> {
        self.loan.reader_id
    }
}

impl Outcome for HoldOutcome {
    fn reader_id(&self) -> Option<i64> {
        self.hold.reader_id
    }
}
