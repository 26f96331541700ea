//! A preset: categories, item types, membership and rules by their codes, as TOML people can edit.
//! Not for: ids. The store seeds categories and item types, then resolves the codes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ids::{CategoryId, ItemTypeId, RuleId, UnitId};
use super::limit::{CountIn, LimitKind, LimitRow, LimitWhen};
use super::membership::{Joined, Membership};
use super::network::Network;
use super::policy::{RenewFrom, RuleKey, RuleSet, Terms, TermsRow};
use super::reader::{Channel, CreditBand};

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
        let mut ids = (1..).map(RuleId::new);
        let mut next_id = || ids.next().unwrap_or(RuleId::new(i64::MAX));
        let mut set = RuleSet {
            version,
            effective_from,
            terms: Vec::new(),
            limits: Vec::new(),
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
        }
    }
}

/// Codes to ids, for one row.
struct Resolve<'a> {
    book: &'a CodeBook<'a>,
    table: &'static str,
    row: usize,
}

impl Resolve<'_> {
    fn code<T>(
        &self,
        field: &'static str,
        code: Option<&String>,
        known: &dyn Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, PresetError> {
        let Some(code) = code else { return Ok(None) };
        let unknown = || PresetError::UnknownCode {
            table: self.table,
            row: self.row,
            field,
            code: code.clone(),
        };
        known(code).map(Some).ok_or_else(unknown)
    }

    fn unit(&self, field: &'static str, code: Option<&String>) -> Result<Option<UnitId>, PresetError> {
        self.code(field, code, self.book.unit)
    }

    fn item_type(
        &self,
        field: &'static str,
        code: Option<&String>,
    ) -> Result<Option<ItemTypeId>, PresetError> {
        self.code(field, code, self.book.item_type)
    }

    fn item_types(&self, field: &'static str, codes: &[String]) -> Result<Vec<ItemTypeId>, PresetError> {
        let ids = codes.iter().map(|code| self.item_type(field, Some(code)));
        ids.filter_map(Result::transpose).collect()
    }

    fn key(&self, key: &PresetKey) -> Result<RuleKey, PresetError> {
        Ok(RuleKey {
            unit: self.unit("unit", key.unit.as_ref())?,
            category: self.code("category", key.category.as_ref(), self.book.category)?,
            item_type: self.item_type("item_type", key.item_type.as_ref())?,
            owner: self.unit("owner", key.owner.as_ref())?,
            channel: key.channel,
            band: key.band,
        })
    }

    fn when(&self, when: &PresetWhen) -> Result<LimitWhen, PresetError> {
        Ok(LimitWhen {
            unit: self.unit("unit", when.unit.as_ref())?,
            category: self.code("category", when.category.as_ref(), self.book.category)?,
            item_types: self.item_types("item_types", &when.item_types)?,
            except_item_types: self.item_types("except_item_types", &when.except_item_types)?,
            owner: self.unit("owner", when.owner.as_ref())?,
            channel: when.channel,
            band: when.band,
        })
    }
}

/// Ids to codes.
struct Names<'a> {
    network: &'a Network,
}

impl Names<'_> {
    fn unit(&self, id: UnitId) -> String {
        self.network
            .unit(id)
            .map_or_else(|| id.to_string(), |unit| unit.code.clone())
    }

    fn category(&self, id: CategoryId) -> String {
        self.network
            .category(id)
            .map_or_else(|| id.to_string(), |category| category.code.clone())
    }

    fn item_type(&self, id: ItemTypeId) -> String {
        self.network
            .item_types()
            .get(id)
            .map_or_else(|| id.to_string(), |known| known.code.clone())
    }

    fn terms(&self, row: &TermsRow) -> PresetTerms {
        let (key, terms) = (&row.key, &row.terms);
        PresetTerms {
            when: PresetKey {
                unit: key.unit.map(|id| self.unit(id)),
                category: key.category.map(|id| self.category(id)),
                item_type: key.item_type.map(|id| self.item_type(id)),
                owner: key.owner.map(|id| self.unit(id)),
                channel: key.channel,
                band: key.band,
            },
            lendable: terms.lendable,
            loan_days: terms.loan_days,
            renewable: terms.renewable,
            renewals: terms.renewals,
            renewal_days: terms.renewal_days,
            renew_from: terms.renew_from,
            renew_window_days: terms.renew_window_days,
            auto_renew: terms.auto_renew,
            holdable: terms.holdable,
            hold_shelf_days: terms.hold_shelf_days,
            hold_locker_days: terms.hold_locker_days,
            high_demand_holds: terms.high_demand_holds,
            high_demand_days: terms.high_demand_days,
        }
    }

    fn limit(&self, row: &LimitRow) -> PresetLimit {
        let when = &row.when;
        let types = |ids: &[ItemTypeId]| ids.iter().map(|id| self.item_type(*id)).collect();
        PresetLimit {
            when: PresetWhen {
                unit: when.unit.map(|id| self.unit(id)),
                category: when.category.map(|id| self.category(id)),
                item_types: types(&when.item_types),
                except_item_types: types(&when.except_item_types),
                owner: when.owner.map(|id| self.unit(id)),
                channel: when.channel,
                band: when.band,
            },
            kind: row.kind,
            count_in: row.count_in,
            max: row.max,
            confirm: row.confirm,
        }
    }
}
