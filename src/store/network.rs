//! Loads the configuration snapshot: units, calendars, types, categories, collections, membership and rules.

use std::collections::HashMap;

use chrono::NaiveTime;
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::items::parse_day;
use super::schema::{
    collections, item_types, reader_categories, rule_sets, unit_closed_days, unit_hours, unit_membership, units,
};
use crate::domain::calendar::{ClosedRange, OpenSpan, WeeklyHours};
use crate::domain::ids::{CategoryId, CollectionId, ItemTypeId, UnitId};
use crate::domain::item::ReturnPolicy;
use crate::domain::item_type::ItemType;
use crate::domain::membership::{Joined, Membership};
use crate::domain::network::{Category, Collection, Network, NetworkParts};
use crate::domain::policy::RuleSet;
use crate::domain::rules_toml::{CodeBook, Preset, PresetError};
use crate::domain::unit::{Unit, UnitKind};

#[derive(Debug, Queryable)]
struct UnitRow {
    id: i64,
    code: String,
    name: String,
    kind: String,
    parent: Option<i64>,
    path: String,
    active: bool,
    lends: bool,
    pickup_point: bool,
    adult_only: bool,
    always_open: bool,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

/// Loads what `version` says is current.
pub(super) fn load(conn: &mut AnyConnection, version: i64, zone: chrono_tz::Tz) -> Result<Network, StoreError> {
    let units = load_units(conn, zone)?;
    let item_types = load_item_types(conn)?;
    let categories = load_categories(conn)?;
    let (rules_version, effective_from, source): (i64, i64, String) = rule_sets::table
        .order(rule_sets::version.desc())
        .select((rule_sets::version, rule_sets::effective_from, rule_sets::source))
        .first(conn)?;
    let rules = rules_of(
        &source,
        rules_version,
        effective_from,
        (&units, &item_types, &categories),
    )?;
    let parts = NetworkParts {
        version,
        zone,
        units,
        item_types,
        categories,
        collections: load_collections(conn)?,
        memberships: load_memberships(conn)?,
        rules,
    };
    Network::build(parts).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The published document with ids in place of codes.
fn rules_of(
    source: &str,
    version: i64,
    effective_from: i64,
    (units, item_types, categories): (&[Unit], &[ItemType], &[Category]),
) -> Result<RuleSet, StoreError> {
    let corrupt = |error: PresetError| StoreError::Corrupt(format!("rule set {version}: {error}"));
    let unit_ids: HashMap<&str, UnitId> = units.iter().map(|unit| (unit.code.as_str(), unit.id)).collect();
    let root = units.iter().find(|unit| unit.parent.is_none()).map(|unit| unit.id);
    let book = CodeBook {
        unit: &|code| unit_ids.get(code).copied(),
        category: &|code| categories.iter().find(|one| one.code == code).map(|one| one.id),
        item_type: &|code| item_types.iter().find(|one| one.code == code).map(|one| one.id),
        root: root.ok_or_else(|| StoreError::Corrupt("there is no root unit".into()))?,
    };
    let preset = Preset::parse(source).map_err(corrupt)?;
    preset
        .rule_set(version, crate::clock::from_millis(effective_from), &book)
        .map_err(corrupt)
}

fn load_units(conn: &mut AnyConnection, zone: chrono_tz::Tz) -> Result<Vec<Unit>, StoreError> {
    let rows: Vec<UnitRow> = units::table.order(units::path).load(conn)?;
    let mut hours = load_hours(conn)?;
    let mut closed = load_closed(conn)?;
    let mut dated = super::calendar_rows::load_dated(conn, zone)?;
    rows.into_iter()
        .map(|row| {
            let kind = UnitKind::from_code(&row.kind)
                .ok_or_else(|| StoreError::Corrupt(format!("unit {} has the unknown kind {}", row.code, row.kind)))?;
            let hours = hours.remove(&row.id).map(WeeklyHours::new).transpose();
            Ok(Unit {
                id: UnitId::new(row.id),
                code: row.code,
                name: row.name,
                kind,
                parent: row.parent.map(UnitId::new),
                path: row.path,
                active: row.active,
                lends: row.lends,
                pickup_point: row.pickup_point,
                adult_only: row.adult_only,
                latitude: row.latitude,
                longitude: row.longitude,
                always_open: row.always_open,
                hours: hours.map_err(|error| StoreError::Corrupt(error.to_string()))?,
                closed: closed.remove(&row.id).unwrap_or_default(),
                dated: dated.remove(&row.id).unwrap_or_default(),
            })
        })
        .collect()
}

type WeekRows = HashMap<i64, [Vec<OpenSpan>; 7]>;

fn load_hours(conn: &mut AnyConnection) -> Result<WeekRows, StoreError> {
    let rows: Vec<(i64, i32, i32, i32)> = unit_hours::table
        .order((unit_hours::unit_id, unit_hours::weekday, unit_hours::opens_minute))
        .load(conn)?;
    let mut weeks = WeekRows::new();
    for (unit, weekday, opens, closes) in rows {
        let day = usize::try_from(weekday - 1).ok().filter(|day| *day < 7);
        let day = day.ok_or_else(|| StoreError::Corrupt(format!("unit {unit} has hours on weekday {weekday}")))?;
        weeks.entry(unit).or_default()[day].push(OpenSpan {
            opens: time_of(opens),
            closes: time_of(closes),
        });
    }
    Ok(weeks)
}

/// Minutes after midnight; 1440, the end of the day, is its last second.
pub(super) fn time_of(minute: i32) -> NaiveTime {
    let seconds = u32::try_from(minute).unwrap_or(0) * 60;
    NaiveTime::from_num_seconds_from_midnight_opt(seconds.min(86_399), 0).unwrap_or(NaiveTime::MIN)
}

fn load_closed(conn: &mut AnyConnection) -> Result<HashMap<i64, Vec<ClosedRange>>, StoreError> {
    let rows: Vec<(i64, i64, String, String, String)> = unit_closed_days::table
        .order((unit_closed_days::unit_id, unit_closed_days::first_day))
        .load(conn)?;
    let mut closed: HashMap<i64, Vec<ClosedRange>> = HashMap::new();
    for (_, unit, first, last, reason) in rows {
        let range = ClosedRange {
            first: parse_day(&first)?,
            last: parse_day(&last)?,
            reason,
        };
        closed.entry(unit).or_default().push(range);
    }
    Ok(closed)
}

fn load_item_types(conn: &mut AnyConnection) -> Result<Vec<ItemType>, StoreError> {
    let rows: Vec<(i64, String, Option<i64>, String, String)> = item_types::table.order(item_types::id).load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(id, code, parent, name_zh, name_en)| ItemType {
            id: ItemTypeId::new(id),
            code,
            parent: parent.map(ItemTypeId::new),
            name_zh,
            name_en,
        })
        .collect())
}

type CategoryRow = (i64, String, String, String, bool, bool, bool, Option<i32>, Option<i32>);

fn load_categories(conn: &mut AnyConnection) -> Result<Vec<Category>, StoreError> {
    let rows: Vec<CategoryRow> = reader_categories::table.order(reader_categories::id).load(conn)?;
    let years = |years: Option<i32>| years.and_then(|years| u8::try_from(years).ok());
    Ok(rows
        .into_iter()
        .map(
            |(id, code, name_zh, name_en, reading_only, child, institutional, min, max)| Category {
                id: CategoryId::new(id),
                code,
                name_zh,
                name_en,
                reading_only,
                child,
                institutional,
                min_age_years: years(min),
                max_age_years: years(max),
            },
        )
        .collect())
}

fn load_collections(conn: &mut AnyConnection) -> Result<Vec<Collection>, StoreError> {
    let rows: Vec<(i64, i64, String, String, String, Option<i32>)> =
        collections::table.order(collections::id).load(conn)?;
    rows.into_iter()
        .map(|(id, unit, code, name, policy, cap)| {
            let cap = cap.and_then(|cap| u32::try_from(cap).ok()).unwrap_or(0);
            let return_policy = policy_of(&policy, cap)
                .ok_or_else(|| StoreError::Corrupt(format!("collection {code} has the unknown policy {policy}")))?;
            Ok(Collection {
                id: CollectionId::new(id),
                unit: UnitId::new(unit),
                code,
                name,
                return_policy,
            })
        })
        .collect()
}

fn policy_of(code: &str, cap: u32) -> Option<ReturnPolicy> {
    match code {
        "home" => Some(ReturnPolicy::Home),
        "float" => Some(ReturnPolicy::Float),
        "float_with_cap" => Some(ReturnPolicy::FloatWithCap { cap }),
        "restricted" => Some(ReturnPolicy::Restricted),
        _ => None,
    }
}

fn load_memberships(conn: &mut AnyConnection) -> Result<Vec<Membership>, StoreError> {
    let rows: Vec<(i64, i64, Option<i64>, bool, bool, bool)> =
        unit_membership::table.order(unit_membership::id).load(conn)?;
    Ok(rows
        .into_iter()
        .map(
            |(_, unit, item_type, lend_away, return_away, readers_away)| Membership {
                unit: UnitId::new(unit),
                item_type: item_type.map(ItemTypeId::new),
                joined: Joined {
                    lend_away,
                    return_away,
                    readers_away,
                },
            },
        )
        .collect())
}
