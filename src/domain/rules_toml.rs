//! A preset: categories, item types, membership and rules by their codes, as TOML people can edit.
//! Not for: ids. The store seeds categories and item types, then resolves the codes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::credit::CreditRules;
use super::credit_rules::{CreditDocument, GATE_CATEGORY};
use super::delivery::DeliveryTerms;
use super::hold_terms::HoldTerms;
use super::ids::{CategoryId, ItemTypeId, RuleId, UnitId};
use super::lending_terms::LendingTerms;
use super::limit::{CountIn, LimitKind, LimitRow};
use super::membership::{Joined, Membership};
use super::network::Network;
use super::policy::{RenewFrom, RuleSet, Terms, TermsRow};
use super::reader::{Channel, CreditBand};
use super::rules_codes::{Names, Resolve};

/// What Chinese city networks lend by, unless they decide otherwise.
pub const CN_CITY_DEFAULT: &str = include_str!("../../config/presets/cn-city-default.toml");

/// A preset as written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preset {
    #[serde(rename = "category", skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<PresetCategory>,
    #[serde(rename = "item_type", skip_serializing_if = "Vec::is_empty")]
    pub item_types: Vec<PresetItemType>,
    #[serde(rename = "membership", skip_serializing_if = "Vec::is_empty")]
    pub memberships: Vec<PresetMembership>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<PresetTerms>,
    #[serde(rename = "limit", skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<PresetLimit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit: Option<CreditDocument>,
}

/// A reader category by code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresetCategory {
    pub code: String,
    pub name_zh: String,
    pub name_en: String,
    #[serde(default)]
    pub reading_only: bool,
    #[serde(default)]
    pub child: bool,
    #[serde(default)]
    pub institutional: bool,
    #[serde(default)]
    pub min_age_years: Option<u8>,
    #[serde(default)]
    pub max_age_years: Option<u8>,
}

/// An item type by code; a parent stands before its children.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresetItemType {
    pub code: String,
    #[serde(default)]
    pub parent: Option<String>,
    pub name_zh: String,
    pub name_en: String,
}

/// Membership by codes; without a unit it is the root's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresetMembership {
    #[serde(default)]
    pub unit: Option<String>,
    #[serde(default)]
    pub item_type: Option<String>,
    pub joined: Joined,
}

/// The columns of a row of terms by codes; absent is "any".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PresetKey {
    pub unit: Option<String>,
    pub category: Option<String>,
    pub item_type: Option<String>,
    pub owner: Option<String>,
    pub channel: Option<Channel>,
    pub band: Option<CreditBand>,
}

/// A row of terms by codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresetTerms {
    #[serde(default)]
    pub when: PresetKey,
    pub lendable: bool,
    pub loan_days: u16,
    pub renewable: bool,
    pub renewals: u16,
    pub renewal_days: u16,
    #[serde(default)]
    pub renew_from: RenewFrom,
    #[serde(default)]
    pub renew_window_days: u16,
    #[serde(default)]
    pub auto_renew: bool,
    pub holdable: bool,
    pub hold_shelf_days: u16,
    pub hold_locker_days: u16,
    #[serde(default)]
    pub high_demand_holds: u16,
    #[serde(default)]
    pub high_demand_days: u16,
    #[serde(default)]
    pub delivery: DeliveryTerms,
    #[serde(default, skip_serializing_if = "is_default")]
    pub holds: HoldTerms,
    #[serde(default, skip_serializing_if = "is_default")]
    pub lending: LendingTerms,
    #[serde(default)]
    pub auto_renewals: u16,
    #[serde(default)]
    pub recall_holds: u16,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// When a limit applies, by codes; absent is "any".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PresetWhen {
    pub unit: Option<String>,
    pub category: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub item_types: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_item_types: Vec<String>,
    pub owner: Option<String>,
    pub channel: Option<Channel>,
    pub band: Option<CreditBand>,
}

/// A limit by codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresetLimit {
    #[serde(default)]
    pub when: PresetWhen,
    pub kind: LimitKind,
    #[serde(default)]
    pub count_in: CountIn,
    pub max: i64,
    #[serde(default)]
    pub confirm: bool,
}

/// Where codes become ids.
pub struct CodeBook<'a> {
    pub unit: &'a dyn Fn(&str) -> Option<UnitId>,
    pub category: &'a dyn Fn(&str) -> Option<CategoryId>,
    pub item_type: &'a dyn Fn(&str) -> Option<ItemTypeId>,
    /// The network root.
    pub root: UnitId,
}

/// Why a preset was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PresetError {
    /// With the line and the field, as the parser says it.
    #[error("not readable: {0}")]
    Syntax(String),
    #[error("{table} {row}: field {field} names the unknown {code}")]
    UnknownCode {
        table: &'static str,
        row: usize,
        field: &'static str,
        code: String,
    },
    #[error("cannot be written: {0}")]
    Write(String),
}

impl Preset {
    /// Reads TOML.
    ///
    /// # Errors
    /// A syntax error, an unknown key, a missing or mistyped field; the text names the line.
    pub fn parse(text: &str) -> Result<Self, PresetError> {
        toml::from_str(text).map_err(|error| PresetError::Syntax(error.to_string()))
    }

    /// Writes TOML that [`parse`](Self::parse) reads back equal.
    ///
    /// # Errors
    /// A value TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, PresetError> {
        toml::to_string(self).map_err(|error| PresetError::Write(error.to_string()))
    }

    /// The rules with ids in place of codes. Rows get the rule ids 1, 2, … : terms first, then limits.
    ///
    /// # Errors
    /// The first code that the book does not know. The result is not validated; see [`RuleSet::validate`].
    pub fn rule_set(
        &self,
        version: i64,
        effective_from: DateTime<Utc>,
        book: &CodeBook<'_>,
    ) -> Result<RuleSet, PresetError> {
        let credit = self.credit.as_ref().map(|credit| programme(credit, book)).transpose()?;
        let mut ids = (1..).map(RuleId::new);
        let mut next_id = || ids.next().unwrap_or(RuleId::new(i64::MAX));
        let mut set = RuleSet {
            version,
            effective_from,
            terms: Vec::new(),
            limits: Vec::new(),
            own: Vec::new(),
            whose: BTreeMap::new(),
            delegations: Vec::new(),
            set_aside: Vec::new(),
            credit,
        };
        for (row, number) in self.terms.iter().zip(1..) {
            let resolve = Resolve {
                book,
                table: "terms",
                row: number,
            };
            set.terms.push(TermsRow {
                id: next_id(),
                key: resolve.key(&row.when)?,
                terms: row.terms(),
            });
        }
        for (row, number) in self.limits.iter().zip(1..) {
            let resolve = Resolve {
                book,
                table: "limit",
                row: number,
            };
            set.limits.push(LimitRow {
                id: next_id(),
                when: resolve.when(&row.when)?,
                kind: row.kind,
                count_in: row.count_in,
                max: row.max,
                confirm: row.confirm,
            });
        }
        Ok(set)
    }

    /// The memberships with ids in place of codes.
    ///
    /// # Errors
    /// The first code that the book does not know.
    pub fn memberships(&self, book: &CodeBook<'_>) -> Result<Vec<Membership>, PresetError> {
        let rows = self.memberships.iter().zip(1..).map(|(row, number)| {
            let resolve = Resolve {
                book,
                table: "membership",
                row: number,
            };
            Ok(Membership {
                unit: resolve.unit("unit", row.unit.as_ref())?.unwrap_or(book.root),
                item_type: resolve.item_type("item_type", row.item_type.as_ref())?,
                joined: row.joined,
            })
        });
        rows.collect()
    }

    /// A rule set by codes again (terms and limits only), for export. What the network does not know becomes its id.
    pub fn of_rules(network: &Network, rules: &RuleSet) -> Self {
        let names = Names { network };
        Self {
            terms: rules.terms.iter().map(|row| names.terms(row)).collect(),
            limits: rules.limits.iter().map(|row| names.limit(row)).collect(),
            ..Self::default()
        }
    }
}

/// A credit programme with ids in place of codes.
fn programme(credit: &CreditDocument, book: &CodeBook<'_>) -> Result<CreditRules, PresetError> {
    let mut unknown = None;
    let rules = credit.resolve(|(table, row, field), code| {
        let id = match field {
            GATE_CATEGORY => (book.category)(code).map(CategoryId::get),
            _ => (book.unit)(code).map(UnitId::get),
        };
        id.unwrap_or_else(|| {
            let code = code.clone();
            unknown.get_or_insert(PresetError::UnknownCode {
                table,
                row,
                field,
                code,
            });
            0
        })
    });
    unknown.map_or(Ok(rules), Err)
}

impl PresetTerms {
    /// The terms without their columns.
    pub const fn terms(&self) -> Terms {
        Terms {
            lendable: self.lendable,
            loan_days: self.loan_days,
            renewable: self.renewable,
            renewals: self.renewals,
            renewal_days: self.renewal_days,
            renew_from: self.renew_from,
            renew_window_days: self.renew_window_days,
            auto_renew: self.auto_renew,
            holdable: self.holdable,
            hold_shelf_days: self.hold_shelf_days,
            hold_locker_days: self.hold_locker_days,
            high_demand_holds: self.high_demand_holds,
            high_demand_days: self.high_demand_days,
            delivery: self.delivery,
            holds: self.holds,
            lending: self.lending,
            auto_renewals: self.auto_renewals,
            recall_holds: self.recall_holds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::{self, BRANCH, MAIN};
    use crate::domain::policy::Situation;

    /// The table of days and renewals by category and type, as the rules answer it.
    #[test]
    fn the_preset_lends_as_published() {
        let world = example::world();
        for (category, item_type, days, renewals, renewal_days) in [
            ("adult", "book", 30, 1, 30),
            ("adult", "book_foreign", 30, 1, 30),
            ("adult", "periodical", 15, 0, 0),
            ("adult", "av_disc", 15, 0, 0),
            ("child", "book_children", 30, 1, 30),
            ("child", "av", 15, 0, 0),
            ("senior", "book", 30, 2, 30),
            ("senior", "periodical", 15, 0, 0),
            ("disabled", "book", 60, 2, 60),
            ("disabled", "book_braille", 90, 2, 60),
            ("disabled", "av_disc", 15, 0, 0),
            ("disabled", "av_audio", 60, 2, 60),
            ("institution_600", "book", 180, 1, 180),
        ] {
            let terms = terms(&world, category, item_type);
            let found = (terms.loan_days, terms.renewals, terms.renewal_days);
            assert_eq!(found, (days, renewals, renewal_days), "{category}, {item_type}");
            assert!(
                terms.lendable && terms.renewable == (renewals > 0),
                "{category}, {item_type}"
            );
            assert_eq!((terms.hold_shelf_days, terms.hold_locker_days), (7, 3));
        }
        assert!(!terms(&world, "reading_only", "book").lendable);
    }

    fn terms(world: &example::World, category: &str, item_type: &str) -> Terms {
        let situation = Situation {
            unit: BRANCH,
            category: world.category(category),
            item_type: world.item_type(item_type),
            owner: MAIN,
            channel: Channel::Desk,
            band: CreditBand::B,
        };
        world.network.winner(&situation).terms
    }

    #[test]
    fn a_preset_survives_writing_and_reading() {
        let preset = Preset::parse(CN_CITY_DEFAULT).unwrap();
        assert_eq!(Preset::parse(&preset.to_toml().unwrap()), Ok(preset));
    }

    #[test]
    fn a_rule_set_survives_codes_and_back() {
        let network = example::world().network;
        let exported = Preset::of_rules(&network, network.rules()).to_toml().unwrap();
        let book = CodeBook {
            unit: &|code| network.units().by_code(code).map(|unit| unit.id),
            category: &|code| network.category_by_code(code).map(|category| category.id),
            item_type: &|code| network.item_types().by_code(code).map(|one| one.id),
            root: example::ROOT,
        };
        let read = Preset::parse(&exported).unwrap();
        let set = read.rule_set(1, network.rules().effective_from, &book).unwrap();
        // A programme of credit is written as it was read, see `CreditDocument::table`.
        let written = RuleSet {
            credit: None,
            ..network.rules().clone()
        };
        assert_eq!(set, written);
    }

    #[test]
    fn faults_are_named() {
        let unreadable = Preset::parse("[[limit]]\nkind = \"loans\"\nmaximum = 3\n")
            .unwrap_err()
            .to_string();
        assert!(unreadable.contains("maximum"), "{unreadable}");
        let preset = Preset::parse("[[limit]]\nwhen = { category = \"giant\" }\nkind = \"loans\"\nmax = 3\n").unwrap();
        let nothing = CodeBook {
            unit: &|_| None,
            category: &|_| None,
            item_type: &|_| None,
            root: MAIN,
        };
        let error = preset.rule_set(1, DateTime::UNIX_EPOCH, &nothing).unwrap_err();
        assert_eq!(error.to_string(), "limit 1: field category names the unknown giant");
    }
}
