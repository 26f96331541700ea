//! What people see of credit: the account, its lines with the reason of each, freezes and appeals.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::get_credit::hide_ended_loans;
use super::{Result, UseCaseError};
use crate::clock::from_millis;
use crate::domain::credit::{Cap, CreditRules};
use crate::domain::credit_words::why;
use crate::domain::ids::ReaderId;
use crate::domain::network::Network;
use crate::store::credit::CreditEntryRow;
use crate::store::credit::freezes::{AppealRow, FreezeRow};
use crate::store::idempotency::Outcome;
use crate::store::tx::ReadTx;

/// A reader's credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreditView {
    /// The reader.
    #[schema(example = 1042)]
    pub reader_id: i64,
    /// The programme in force; absent where the rules have none.
    #[schema(example = "cn-points-100")]
    pub programme: Option<String>,
    /// Points: the sum of the lines.
    #[schema(example = 104)]
    pub balance: i64,
    /// Lines of the ledger; 0: it is opened with the first one.
    #[schema(example = 7)]
    pub entries: i64,
    /// `a`, `b`, `c` or `frozen`.
    #[schema(example = "b")]
    pub credit_band: String,
    /// No balance is below; absent without a programme.
    #[schema(example = 0)]
    pub floor: Option<i64>,
    /// No balance is above, where there is a ceiling.
    #[schema(example = 200)]
    pub ceiling: Option<i64>,
    /// Open freezes: the reader may borrow again when the last one ends.
    pub freezes: Vec<FreezeView>,
    /// What moves credit.
    pub rules: Vec<CreditRuleView>,
}

/// Why a reader is frozen, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FreezeView {
    /// Its number.
    #[schema(example = 1042)]
    pub id: i64,
    /// `floor`, `staff` or `overdue`.
    #[schema(example = "floor")]
    pub cause: String,
    /// Since when (UTC).
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub started_at: DateTime<Utc>,
    /// It ends then by itself; absent: when somebody or something ends it.
    #[schema(example = "2026-04-03T15:59:59Z")]
    pub until: Option<DateTime<Utc>>,
    /// The balance it ends with, if theirs is lower.
    #[schema(example = 30)]
    pub restart: Option<i64>,
    /// Minutes of volunteer work that end it.
    #[schema(example = 120)]
    pub minutes_needed: Option<i32>,
    /// Minutes that were reported since.
    #[schema(example = 60)]
    pub minutes_done: i32,
    /// A quiz ends it.
    #[schema(example = false)]
    pub quiz: bool,
}

/// What some events are worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreditRuleView {
    /// They share the caps.
    #[schema(example = json!(["loan"]))]
    pub events: Vec<String>,
    /// Points for each.
    #[schema(example = 1)]
    pub points: i64,
    /// Most points of a day.
    #[schema(example = 5)]
    pub per_day: Option<i64>,
    /// Most points of a month.
    #[schema(example = 30)]
    pub per_month: Option<i64>,
    /// Most points for one loan.
    #[schema(example = 30)]
    pub per_item: Option<i64>,
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreditEntryView {
    /// Its number.
    #[schema(example = 1042)]
    pub id: i64,
    /// 1, 2, 3 … in the reader's ledger.
    #[schema(example = 7)]
    pub number: i64,
    /// When it was written (UTC).
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub posted_at: DateTime<Utc>,
    /// The day it counts for, in the network's zone.
    #[schema(example = "2026-03-04")]
    pub day: Option<NaiveDate>,
    /// `opening`, `rule`, `staff`, `reversal`, `thaw`, `lapse` or `merge`.
    #[schema(example = "rule")]
    pub kind: String,
    /// What the rule is about: `loan`, `renewal`, `overdue`, `damage`, `serious_damage`, `loss`, `hold_not_collected`, `parcel_refused`,
    /// `volunteer_hour`, `attendance` or `no_show`.
    #[schema(example = "loan")]
    pub event: Option<String>,
    /// What came of it.
    #[schema(example = 1)]
    pub points: i64,
    /// What the rule or staff said.
    #[schema(example = 1)]
    pub asked: i64,
    /// Why less came of it: `per_day`, `per_month`, `per_item`, `floor`, `ceiling`.
    #[schema(example = json!([]))]
    pub limited_by: Vec<String>,
    /// The balance afterwards.
    #[schema(example = 104)]
    pub balance: i64,
    /// The version of the rules that decided.
    #[schema(example = 1)]
    pub rules_version: i64,
    /// `loan`, `event`, `staff`, `hook` or `job`.
    #[schema(example = "loan")]
    pub cause: String,
    /// Why, in Chinese.
    #[schema(example = "借阅")]
    pub why_zh: String,
    /// Why, in English.
    #[schema(example = "A loan")]
    pub why_en: String,
    /// The loan it is about, as long as that is linked to the reader. Staff see it while that is open, and then for a `reason`.
    #[schema(example = 1042)]
    pub loan_id: Option<i64>,
    /// What staff wrote, or the other system said.
    #[schema(example = "封面撕裂")]
    pub note: Option<String>,
    /// The line that this one undoes.
    #[schema(example = 1042)]
    pub undoes_id: Option<i64>,
    /// The line that undid this one.
    #[schema(example = 1043)]
    pub undone_by_id: Option<i64>,
}

impl From<CreditEntryRow> for CreditEntryView {
    fn from(row: CreditEntryRow) -> Self {
        let limited = row.limited_by.as_deref().unwrap_or_default();
        let caps: Vec<Cap> = limited.split(',').filter_map(Cap::from_code).collect();
        let (why_zh, why_en) = match row.kind() {
            Ok(kind) => why(kind, row.event(), &caps),
            Err(_) => Default::default(),
        };
        Self {
            id: row.id,
            number: row.number,
            posted_at: from_millis(row.posted_at),
            day: row.day.parse().ok(),
            limited_by: caps.iter().map(|cap| cap.code().to_owned()).collect(),
            kind: row.kind,
            event: row.event,
            points: row.points,
            asked: row.asked,
            balance: row.balance,
            rules_version: row.rules_version,
            cause: row.cause,
            why_zh,
            why_en,
            loan_id: row.loan_id,
            note: row.note,
            undoes_id: row.undoes_id,
            undone_by_id: row.undone_by,
        }
    }
}

/// What came of a change of a reader's credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreditOutcome {
    /// The new line; absent where caps, floor or ceiling left nothing of it.
    pub entry: Option<CreditEntryView>,
    /// The reader's credit now.
    pub credit: CreditView,
}

impl Outcome for CreditOutcome {
    fn reader_id(&self) -> Option<i64> {
        Some(self.credit.reader_id)
    }
}

/// A reader's objection to a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreditAppealView {
    /// Its number.
    #[schema(example = 1042)]
    pub id: i64,
    /// The reader.
    #[schema(example = 1042)]
    pub reader_id: i64,
    /// The line it is about.
    #[schema(example = 1042)]
    pub entry_id: i64,
    /// The reader's words.
    #[schema(example = "书已按时投入还书箱")]
    pub reason: Option<String>,
    /// When it was made (UTC).
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub made_at: DateTime<Utc>,
    /// `open`, `upheld` (the line was undone) or `rejected`.
    #[schema(example = "open")]
    pub status: String,
    /// When it was decided (UTC); absent while it waits.
    #[schema(example = "2026-04-03T15:59:59Z")]
    pub decided_at: Option<DateTime<Utc>>,
    /// Staff's words.
    #[schema(example = "核实还书箱录像,予以撤销")]
    pub answer: Option<String>,
}

impl From<AppealRow> for CreditAppealView {
    fn from(row: AppealRow) -> Self {
        Self {
            id: row.id,
            reader_id: row.reader_id,
            entry_id: row.entry_id,
            reason: row.reason,
            made_at: from_millis(row.made_at),
            status: row.status,
            decided_at: row.decided_at.map(from_millis),
            answer: row.answer,
        }
    }
}

impl Outcome for CreditAppealView {
    fn reader_id(&self) -> Option<i64> {
        Some(self.reader_id)
    }
}

impl From<FreezeRow> for FreezeView {
    fn from(row: FreezeRow) -> Self {
        Self {
            id: row.id,
            cause: row.cause,
            started_at: from_millis(row.started_at),
            until: row.until.map(from_millis),
            restart: row.restart,
            minutes_needed: row.minutes_needed,
            minutes_done: row.minutes_done,
            quiz: row.quiz,
        }
    }
}

/// A reader's credit as it stands.
///
/// # Errors
/// `NotFound`; a failure of the store.
pub(super) fn credit_of(tx: &mut ReadTx<'_>, network: &Network, reader: ReaderId) -> Result<CreditView> {
    let account = tx.credit_account(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
    let freezes = tx.open_freezes(reader)?;
    let rules = network.rules().credit.as_ref();
    Ok(CreditView {
        reader_id: reader.get(),
        programme: rules.map(|rules| rules.name.clone()),
        balance: account.balance,
        entries: account.entries,
        credit_band: account.band.code().to_owned(),
        floor: rules.map(|rules| rules.floor),
        ceiling: rules.and_then(|rules| rules.ceiling),
        freezes: freezes.into_iter().map(FreezeView::from).collect(),
        rules: rules.map(rule_views).unwrap_or_default(),
    })
}

fn rule_views(rules: &CreditRules) -> Vec<CreditRuleView> {
    let view = |rule: &crate::domain::credit::CreditRule| CreditRuleView {
        events: rule.events.iter().map(|event| event.code().to_owned()).collect(),
        points: rule.points,
        per_day: rule.per_day,
        per_month: rule.per_month,
        per_item: rule.per_item,
    };
    rules.rules.iter().map(view).collect()
}

/// The outcome of a change.
pub(super) fn outcome_of(
    tx: &mut ReadTx<'_>,
    network: &Network,
    reader: ReaderId,
    entry: Option<i64>,
) -> Result<CreditOutcome> {
    let mut entry = match entry {
        Some(id) => tx.credit_entry(id)?,
        None => None,
    };
    hide_ended_loans(tx, entry.as_mut_slice())?;
    Ok(CreditOutcome {
        entry: entry.map(CreditEntryView::from),
        credit: credit_of(tx, network, reader)?,
    })
}
