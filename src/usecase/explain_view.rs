//! An explanation of the rules as the API shows it.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::unit_code;
use crate::domain::explain::{Candidate, Explanation, Fate, LimitLine};
use crate::domain::ids::{CategoryId, ItemTypeId, UnitId};
use crate::domain::network::Network;
use crate::domain::policy::{Column, RenewFrom, RuleKey, Situation, Terms};

/// Which row of terms wins, why the others lose, and how every limit stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplanationView {
    pub rules_version: i64,
    /// What was looked up, with defaults filled in.
    pub situation: RuleKeyView,
    /// The row that decides: a unit's own where one matches, else the network's.
    pub winner: i64,
    /// The network's winning row; a unit's own stands on it.
    #[schema(example = 3)]
    pub network_winner: i64,
    /// Whose the row is that decides; absent for the network's.
    pub decided_by: Option<String>,
    /// Fields in which the unit's own row stands in the place of the network's.
    pub own_fields: Vec<String>,
    pub terms: TermsView,
    /// Every row of terms: the network's in the order of the document, then units' own.
    pub candidates: Vec<CandidateView>,
    /// Every limit with its count; without a card there is nothing to count.
    pub limits: Vec<LimitView>,
}

/// The columns of a rule; an absent one means "any".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleKeyView {
    pub unit_code: Option<String>,
    pub category: Option<String>,
    pub item_type: Option<String>,
    pub owner_unit_code: Option<String>,
    pub channel: Option<String>,
    pub credit_band: Option<String>,
}

/// The terms of a loan, its renewals and holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TermsView {
    /// May be lent at all.
    pub lendable: bool,
    /// Calendar days of a loan.
    pub loan_days: u16,
    pub renewable: bool,
    /// Renewals of one loan at most.
    pub renewals: u16,
    /// Calendar days a renewal adds.
    pub renewal_days: u16,
    /// A renewal counts from the day it is made, not from the old due date.
    pub renews_from_today: bool,
    /// A renewal is possible in the last so many days; 0 is any time.
    pub renew_window_days: u16,
    pub auto_renew: bool,
    pub holdable: bool,
    /// Open days a captured item waits at a desk.
    pub hold_shelf_days: u16,
    /// Open days it waits in a locker.
    pub hold_locker_days: u16,
    /// From so many waiting holds on, the loan is shortened; 0 is never.
    pub high_demand_holds: u16,
    pub high_demand_days: u16,
    /// Online requests for a desk are allowed.
    #[serde(default)]
    #[schema(example = true)]
    pub delivery_desk: bool,
    /// Parcels are allowed, from units that pack.
    #[serde(default)]
    #[schema(example = true)]
    pub delivery_parcel: bool,
    /// When the days of a loan by parcel begin: `acceptance`, `dispatch` or `pickup`.
    #[serde(default)]
    #[schema(example = "dispatch")]
    pub delivery_clock: String,
    /// Open days of the packing unit within which a packed parcel should be dispatched.
    #[serde(default)]
    #[schema(example = 3)]
    pub delivery_parcel_days: u16,
    /// Loans that begin up to this day are due on it at the latest; absent without a fixed term.
    #[schema(example = "2026-06-30")]
    pub term_end: Option<NaiveDate>,
    /// Copies for the reading room are handed out for use there, due the same day.
    #[schema(example = false)]
    pub reading_room_use: bool,
    /// Copies in circulation for each hundred waiting holds below which a reader who does not wait gets none; 0 is never.
    #[schema(example = 50)]
    pub copies_to_holds_percent: u16,
    /// Holds on any copy are taken.
    #[schema(example = true)]
    pub hold_bib: bool,
    /// Holds on any copy of one volume are taken.
    #[schema(example = true)]
    pub hold_volume: bool,
    /// Holds on one copy are taken.
    #[schema(example = false)]
    pub hold_item: bool,
    /// Only readers of the unit where a copy is at home, or of one below it, may hold it.
    #[schema(example = false)]
    pub hold_home_only: bool,
    /// Calendar days after it was added in which a copy leaves its home unit for no hold; 0 is none.
    #[schema(example = 30)]
    pub new_item_days: u16,
    /// Of the renewals so many at most are made by the nightly job; 0 is no limit of their own.
    #[serde(default)]
    #[schema(example = 0)]
    pub auto_renewals: u16,
    /// From so many waiting holds that no copy serves on, loans are called back; 0 is never.
    #[serde(default)]
    #[schema(example = 0)]
    pub recall_holds: u16,
}

/// One row of terms and its fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CandidateView {
    pub rule_id: i64,
    /// Whose row it is; absent for the network's.
    pub of_unit: Option<String>,
    /// What it asks for.
    pub key: RuleKeyView,
    /// `won`, `no_match` (the column does not fit), `less_specific` (it fits, and the winner of its kind, network's or own,
    /// is nearer in the column) or `farther_up` (a unit farther down says the same).
    #[schema(example = "less_specific")]
    pub fate: String,
    /// `unit`, `category`, `item_type`, `owner`, `channel` or `band`.
    pub column: Option<String>,
}

/// One limit and its count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitView {
    pub rule_id: i64,
    /// Whose limit it is; absent for the network's.
    pub of_unit: Option<String>,
    /// `loans`, `reading_room`, `overdue_loans`, `debt_fen`, `holds`, `holds_per_bib` or `holds_per_day`.
    pub kind: String,
    /// `network`, `owner`, `unit`, `channel` or `session`.
    pub count_in: String,
    /// The highest count that is still allowed.
    pub max: i64,
    /// What stands now, also where the limit does not apply.
    pub count: i64,
    /// The column that keeps it from applying; `session` of a limit on what one session at a machine lends, for here there is none.
    pub no_match: Option<String>,
    /// One more would pass it.
    pub passed: bool,
    /// Of its kind the one with the least left.
    pub tightest: bool,
}

impl ExplanationView {
    /// An explanation with the codes of its network.
    pub fn of(explanation: &Explanation, situation: &Situation, network: &Network) -> Self {
        let key = RuleKey {
            unit: Some(situation.unit),
            category: Some(situation.category),
            item_type: Some(situation.item_type),
            owner: Some(situation.owner),
            channel: Some(situation.channel),
            band: Some(situation.band),
        };
        let decides = explanation.candidates.iter().find(|one| one.rule == explanation.winner);
        Self {
            rules_version: explanation.rules_version,
            situation: key_view(&key, network),
            winner: explanation.winner.get(),
            network_winner: explanation.network_winner.get(),
            decided_by: decides.and_then(|one| one.by).map(|by| unit_code(network, by.get())),
            own_fields: explanation
                .own_fields
                .iter()
                .map(|field| field.code().to_owned())
                .collect(),
            terms: terms_view(&explanation.terms),
            candidates: explanation
                .candidates
                .iter()
                .map(|one| candidate_view(one, network))
                .collect(),
            limits: explanation
                .limits
                .iter()
                .map(|line| limit_view(line, network))
                .collect(),
        }
    }
}

pub(super) fn key_view(key: &RuleKey, network: &Network) -> RuleKeyView {
    let unit = |id: UnitId| unit_code(network, id.get());
    let category = |id: CategoryId| network.category(id).map(|category| category.code.clone());
    let item_type = |id: ItemTypeId| network.item_types().get(id).map(|item_type| item_type.code.clone());
    RuleKeyView {
        unit_code: key.unit.map(unit),
        category: key.category.and_then(category),
        item_type: key.item_type.and_then(item_type),
        owner_unit_code: key.owner.map(unit),
        channel: key.channel.map(|channel| channel.code().to_owned()),
        credit_band: key.band.map(|band| band.code().to_owned()),
    }
}

pub(super) fn terms_view(terms: &Terms) -> TermsView {
    TermsView {
        lendable: terms.lendable,
        loan_days: terms.loan_days,
        renewable: terms.renewable,
        renewals: terms.renewals,
        renewal_days: terms.renewal_days,
        renews_from_today: terms.renew_from == RenewFrom::Today,
        renew_window_days: terms.renew_window_days,
        auto_renew: terms.auto_renew,
        holdable: terms.holdable,
        hold_shelf_days: terms.hold_shelf_days,
        hold_locker_days: terms.hold_locker_days,
        high_demand_holds: terms.high_demand_holds,
        high_demand_days: terms.high_demand_days,
        delivery_desk: terms.delivery.desk,
        delivery_parcel: terms.delivery.parcel,
        delivery_clock: terms.delivery.clock.code().to_owned(),
        delivery_parcel_days: terms.delivery.parcel_days,
        term_end: terms.lending.term_end,
        reading_room_use: terms.lending.reading_room_use,
        copies_to_holds_percent: terms.lending.copies_to_holds_percent,
        hold_bib: terms.holds.bib,
        hold_volume: terms.holds.volume,
        hold_item: terms.holds.item,
        hold_home_only: terms.holds.home_only,
        new_item_days: terms.holds.new_item_days,
        auto_renewals: terms.auto_renewals,
        recall_holds: terms.recall_holds,
    }
}

fn candidate_view(candidate: &Candidate, network: &Network) -> CandidateView {
    let (fate, column) = match candidate.fate {
        Fate::Won => ("won", None),
        Fate::NoMatch(column) => ("no_match", Some(column)),
        Fate::LessSpecific(column) => ("less_specific", Some(column)),
        Fate::FartherUp => ("farther_up", None),
    };
    CandidateView {
        rule_id: candidate.rule.get(),
        of_unit: candidate.by.map(|by| unit_code(network, by.get())),
        key: key_view(&candidate.key, network),
        fate: fate.to_owned(),
        column: column.map(column_code),
    }
}

fn limit_view(line: &LimitLine, network: &Network) -> LimitView {
    LimitView {
        rule_id: line.rule.get(),
        of_unit: line.by.map(|by| unit_code(network, by.get())),
        kind: line.kind.code().to_owned(),
        count_in: line.count_in.code().to_owned(),
        max: line.max,
        count: line.count,
        no_match: line.no_match.map(|why| why.code().to_owned()),
        passed: line.passed,
        tightest: line.tightest,
    }
}

fn column_code(column: Column) -> String {
    column.code().to_owned()
}
