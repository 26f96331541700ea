//! Published rules and drafts as the API shows them.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::explain_view::{RuleKeyView, TermsView};
use super::view::unit_code;
use crate::clock::from_millis;
use crate::domain::network::Network;
use crate::domain::rules_fault::Fault;
use crate::domain::rules_layers::Judged;
use crate::store::idempotency::Outcome;
use crate::store::rule_drafts::RuleDraftRow;
use crate::store::rule_sets::{RuleSetRow, Timeline};

/// A published change of the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleSetLine {
    /// Number of the change; the set in force since it took effect has the same.
    #[schema(example = 7)]
    pub version: i64,
    /// Whose rules were changed; absent for the network's.
    pub of_unit: Option<String>,
    /// When it takes effect, or did (UTC).
    #[schema(example = "2026-04-01T00:00:00Z")]
    pub effective_from: DateTime<Utc>,
    pub published_at: DateTime<Utc>,
    /// Why, in the words of whoever published it; empty for the rules a network begins with.
    pub rules_note: String,
    /// `in_force`, `upcoming`, `replaced` by a later change of the same layer, or `withdrawn` before it took effect.
    #[schema(example = "in_force")]
    pub standing: String,
}

/// The rules in force from a change on, until the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleSetView {
    #[serde(flatten)]
    pub line: RuleSetLine,
    /// The changes it is made up of: the network's, then the latest of each unit that decides something itself.
    pub parts: Vec<RulePartView>,
    /// The network's rows of terms.
    pub terms: Vec<TermsRowView>,
    /// Units' own rows: what they name stands in the place of the network's.
    pub own_terms: Vec<OwnTermsView>,
    /// The rows of limits.
    pub limits: Vec<LimitRowView>,
    /// What the network leaves open, and to whom.
    pub delegations: Vec<DelegationView>,
    /// Units' own rows that do not fit what is open: they apply to nothing.
    pub set_aside: Vec<SetAsideView>,
}

/// One layer of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RulePartView {
    /// Absent for the network's.
    pub of_unit: Option<String>,
    /// The change that decided it.
    #[schema(example = 3)]
    pub version: i64,
}

/// A row of the network's terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TermsRowView {
    pub rule_id: i64,
    /// When it matches.
    pub key: RuleKeyView,
    pub terms: TermsView,
}

/// A unit's own row of terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnTermsView {
    pub rule_id: i64,
    /// Whose it is.
    pub of_unit: String,
    /// When it matches.
    pub key: RuleKeyView,
    /// The fields it says, each with its value.
    pub values: Vec<FieldValueView>,
}

/// A field of the terms that a unit decides itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldValueView {
    /// As in `terms`, or `renew_from`.
    #[schema(example = "loan_days")]
    pub field: String,
    /// Days or pieces; flags are 0 and 1; `renew_from` is 0 for the due date and 1 for the day of the renewal; of `term_end` see `day`.
    #[schema(example = 21)]
    pub value: u16,
    /// The day of `term_end`; absent for none, and for every other field.
    #[schema(example = "2026-06-30")]
    pub day: Option<NaiveDate>,
}

/// A row of limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitRowView {
    pub rule_id: i64,
    /// Whose it is; absent for the network's.
    pub of_unit: Option<String>,
    /// When it applies; item types stand beside it.
    pub key: RuleKeyView,
    /// Only items of these types; none is any.
    pub item_types: Vec<String>,
    /// Never items of these types.
    pub except_item_types: Vec<String>,
    pub kind: String,
    pub count_in: String,
    pub max: i64,
    /// Passing it asks staff to confirm instead of to override.
    #[schema(example = false)]
    pub confirmable: bool,
}

/// What is left open to one unit or one kind of units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DelegationView {
    /// A kind of units; absent where one unit is named.
    #[schema(example = "main")]
    pub unit_kind: Option<String>,
    /// One unit; absent where a kind is named.
    pub of_unit: Option<String>,
    /// Fields of the terms.
    pub open_terms: Vec<OpenView>,
    /// Kinds of limits.
    pub open_limits: Vec<OpenView>,
}

/// One thing that is open, and how far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenView {
    #[schema(example = "loan_days")]
    pub field: String,
    /// The lowest value; absent: no bound.
    #[schema(example = 14)]
    pub min: Option<i64>,
    /// The highest value; absent: no bound.
    #[schema(example = 60)]
    pub most: Option<i64>,
}

/// A row of a unit's own that does not fit any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetAsideView {
    /// Whose it is.
    pub of_unit: String,
    /// Why it is set aside.
    pub fault: FaultView,
}

/// Something wrong in a document of rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaultView {
    /// `terms`, `limit`, `delegate` or `document`.
    #[schema(example = "terms")]
    pub table: String,
    /// The first row of a table is 1; 0 is the whole document.
    #[schema(example = 3)]
    pub row: usize,
    /// Empty for the whole row.
    #[schema(example = "loan_days")]
    pub field: String,
    /// Why it is wrong.
    #[schema(example = "is 9999")]
    pub reason: String,
    /// What would be right.
    #[schema(example = "0 to 1830")]
    pub expected: String,
}

/// Everything that is wrong with a draft, at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleValidationView {
    /// It may be published.
    #[schema(example = true)]
    pub valid: bool,
    /// Revision of the draft that was looked at.
    #[schema(example = 2)]
    pub revision: i64,
    /// What stops it from being published.
    pub faults: Vec<FaultView>,
    /// What looks wrong and may be meant: rows that never win, limits that are never reached, odd values.
    pub rule_warnings: Vec<FaultView>,
}

/// Rules in the making.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleDraftLine {
    pub id: i64,
    /// Whose rules; absent for the network's.
    pub of_unit: Option<String>,
    /// The newest change its editor knew of: a later one of the same layer stops it from being published.
    #[schema(example = 7)]
    pub base_version: i64,
    /// Raised by every change: the `ETag`.
    #[schema(example = 2)]
    pub revision: i64,
    /// What it is for.
    pub rules_note: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A draft with its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleDraftView {
    #[serde(flatten)]
    pub line: RuleDraftLine,
    /// TOML, as it was written.
    #[schema(example = "[[rule]]\nid = 7\nlendable = true\nloan_days = 21\n")]
    pub toml: String,
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublishedView {
    /// The version that was published.
    pub rule_set: RuleSetLine,
    /// What looks wrong and may be meant.
    pub rule_warnings: Vec<FaultView>,
}

impl Outcome for RuleDraftView {}
impl Outcome for PublishedView {}
impl Outcome for RuleSetLine {}

impl From<&Fault> for FaultView {
    fn from(fault: &Fault) -> Self {
        let Fault {
            table,
            row,
            field,
            reason,
            expected,
        } = fault.clone();
        Self {
            table,
            row,
            field,
            reason,
            expected,
        }
    }
}

/// Faults as the API shows them.
pub fn fault_views(faults: &[Fault]) -> Vec<FaultView> {
    faults.iter().map(FaultView::from).collect()
}

impl RuleValidationView {
    /// A judgement on a revision of a draft.
    pub fn of(judged: &Judged, revision: i64) -> Self {
        Self {
            valid: judged.faults.is_empty(),
            revision,
            faults: fault_views(&judged.faults),
            rule_warnings: fault_views(&judged.warnings),
        }
    }
}

impl RuleSetLine {
    /// A change, as it stands in the timeline now.
    pub fn of(row: &RuleSetRow, timeline: &Timeline, network: &Network, now: DateTime<Utc>) -> Self {
        let standing = if row.withdrawn_at.is_some() {
            "withdrawn"
        } else if from_millis(row.effective_from) > now && timeline.place(row.version) != timeline.at(now) {
            "upcoming"
        } else {
            let parts = timeline.at(now).map(|place| timeline.parts(place)).unwrap_or_default();
            let stands = parts.iter().any(|part| part.version == row.version);
            if stands { "in_force" } else { "replaced" }
        };
        Self {
            version: row.version,
            of_unit: row.unit_id.map(|unit| unit_code(network, unit)),
            effective_from: from_millis(row.effective_from),
            published_at: from_millis(row.published_at),
            rules_note: row.note.clone(),
            standing: standing.to_owned(),
        }
    }
}

impl RuleDraftView {
    /// A draft.
    pub fn of(row: &RuleDraftRow, network: &Network) -> Self {
        Self {
            line: RuleDraftLine::of(row, network),
            toml: row.source.clone(),
        }
    }
}

impl RuleDraftLine {
    /// A draft without its text.
    pub fn of(row: &RuleDraftRow, network: &Network) -> Self {
        Self {
            id: row.id,
            of_unit: row.unit_id.map(|unit| unit_code(network, unit)),
            base_version: row.base_version,
            revision: row.revision,
            rules_note: row.note.clone(),
            created_at: from_millis(row.created_at),
            updated_at: from_millis(row.updated_at),
        }
    }
}
