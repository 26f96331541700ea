//! A preset: categories, item types, membership and rules by their codes, as TOML people can edit.
//! Not for: ids. The store seeds categories and item types, then resolves the codes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ids::{CategoryId, ItemTypeId, RuleId, UnitId};
use super::limit::{CountIn, LimitKind};
use super::membership::{Joined, Membership};
use super::network::Network;
use super::policy::{RenewFrom, RuleSet};
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
        let _ = (version, effective_from, book, RuleId::new(1));
        todo!()
    }

    /// The memberships with ids in place of codes.
    ///
    /// # Errors
    /// The first code that the book does not know.
    pub fn memberships(&self, book: &CodeBook<'_>) -> Result<Vec<Membership>, PresetError> {
        let _ = book;
        todo!()
    }

    /// A rule set by codes again (terms and limits only), for export.
    pub fn of_rules(network: &Network, rules: &RuleSet) -> Self {
        let _ = (network, rules);
        todo!()
    }
}
