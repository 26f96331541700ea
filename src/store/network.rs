//! Loads the configuration snapshot: units, calendars, types, categories, collections, membership and rules.

use std::collections::HashMap;

use chrono::{DateTime, NaiveTime, Utc};
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::items::parse_day;
use super::rule_sets::{self, Change, Timeline};
use super::schema::{collections, item_types, reader_categories, unit_closed_days, unit_hours, unit_membership, units};
use crate::domain::calendar::{ClosedRange, OpenSpan, WeeklyHours};
use crate::domain::ids::{CategoryId, CollectionId, ItemTypeId, UnitId};
use crate::domain::item::ReturnPolicy;
use crate::domain::item_type::ItemType;
use crate::domain::membership::{Joined, Membership};
use crate::domain::network::{Category, Collection, Network, NetworkParts};
use crate::domain::policy::RuleSet;
use crate::domain::rules_layer::Layer;
use crate::domain::rules_toml::CodeBook;
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
    return_policy: Option<String>,
    float_cap: Option<i32>,
    mobile: bool,
    _stops_version: i64,
}

/// Loads what `version` says is current, with the rules in force at a moment.
pub(super) fn load(
    conn: &mut AnyConnection,
    version: i64,
    zone: chrono_tz::Tz,
    at: DateTime<Utc>,
) -> Result<Network, StoreError> {
    let units = load_units(conn, zone)?;
    let item_types = load_item_types(conn)?;
    let categories = load_categories(conn)?;
    let timeline = Timeline::load(conn)?;
    let place = timeline
        .at(at)
        .ok_or_else(|| StoreError::Corrupt("there are no rules".into()))?;
    let mut layers = rule_sets::layers(conn, &timeline.parts(place))?;
    let rules = rules_of(&layers.network, timeline.0[place], (&units, &item_types, &categories))?;
    let code = |id: &UnitId| units.iter().find(|unit| unit.id == *id).map(|unit| unit.code.clone());
    layers.own.sort_by_key(|(unit, _)| code(unit));
    let parts = NetworkParts {
        version,
        zone,
        units,
        item_types,
        categories,
        collections: load_collections(conn)?,
        memberships: load_memberships(conn)?,
        rules,
        rules_first: place == 0,
        rules_until: timeline.next(place),
        sending: super::sending::load(conn)?,
        self_registrations: super::applications::load_self_registrations(conn)?,
    };
    let network = Network::build(parts).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(network.with_own(&layers))
}

/// The network's document with ids in place of codes.
fn rules_of(
    layer: &Layer,
    change: Change,
    (units, item_types, categories): (&[Unit], &[ItemType], &[Category]),
) -> Result<RuleSet, StoreError> {
    let unit_ids: HashMap<&str, UnitId> = units.iter().map(|unit| (unit.code.as_str(), unit.id)).collect();
    let root = units.iter().find(|unit| unit.parent.is_none()).map(|unit| unit.id);
    let book = CodeBook {
        unit: &|code| unit_ids.get(code).copied(),
        category: &|code| categories.iter().find(|one| one.code == code).map(|one| one.id),
        item_type: &|code| item_types.iter().find(|one| one.code == code).map(|one| one.id),
        root: root.ok_or_else(|| StoreError::Corrupt("there is no root unit".into()))?,
    };
    let from = crate::clock::from_millis(change.effective_from);
    let (rules, faults) = layer.rule_set(change.version, from, &book);
    match faults.first() {
        None => Ok(rules),
        Some(fault) => Err(StoreError::Corrupt(format!("rule set {}: {fault}", change.version))),
    }
}

fn load_units(conn: &mut AnyConnection, zone: chrono_tz::Tz) -> Result<Vec<Unit>, StoreError> {
    let rows: Vec<UnitRow> = units::table.order(units::path).load(conn)?;
    let mut hours = load_hours(conn)?;
    let mut closed = load_closed(conn)?;
    let mut stops = super::stops::load(conn)?;
    let mut dated = super::calendar_rows::load_dated(conn, zone)?;
    rows.into_iter()
        .map(|row| {
            let kind = UnitKind::from_code(&row.kind)
                .ok_or_else(|| StoreError::Corrupt(format!("unit {} has the unknown kind {}", row.code, row.kind)))?;
            let hours = hours.remove(&row.id).map(WeeklyHours::new).transpose();
            let return_policy = row
                .return_policy
                .map(|policy| read_policy(&policy, row.float_cap))
                .transpose()?;
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
                return_policy,
                mobile: row.mobile,
                stops: stops.remove(&row.id).unwrap_or_default(),
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
    let rows = collections::table
        .order(collections::id)
        .load::<(i64, i64, String, String, String, Option<i32>, bool)>(conn)?;
    rows.into_iter()
        .map(|(id, unit, code, name, policy, cap, as_unit)| {
            let own = read_policy(&policy, cap)?;
            let return_policy = (!as_unit).then_some(own);
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

fn read_policy(code: &str, cap: Option<i32>) -> Result<ReturnPolicy, StoreError> {
    let cap = cap.and_then(|cap| u32::try_from(cap).ok());
    ReturnPolicy::from_code(code, cap).ok_or_else(|| StoreError::Corrupt(format!("the unknown return policy {code}")))
}

/// A policy as columns; a cap is a number of the database's integers.
pub(super) fn policy_columns(policy: ReturnPolicy) -> (&'static str, Option<i32>) {
    let (code, cap) = policy.code();
    (code, cap.map(|cap| i32::try_from(cap).unwrap_or(i32::MAX)))
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
