//! Units as the API shows and takes them.

use chrono::{NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::due_moves::DueMoves;
use super::view::unit_code;
use crate::domain::calendar::OpenSpan;
use crate::domain::network::Network;
use crate::domain::unit::Unit;

/// A node of the network tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UnitView {
    pub id: i64,
    #[schema(example = "B01")]
    pub code: String,
    pub name: String,
    /// `network`, `central`, `main`, `branch` or `point`.
    #[schema(example = "branch")]
    pub kind: String,
    /// Absent for the root.
    pub parent_code: Option<String>,
    pub active: bool,
    /// Items may be lent here.
    pub lends: bool,
    /// Holds may be picked up here.
    pub pickup_point: bool,
    /// Readers with a child's card may not borrow here.
    pub adult_only: bool,
    /// A 24-hour machine: it uses its parent's calendar for due dates.
    pub always_open: bool,
    /// A vehicle: open where it stops, see listStops.
    #[serde(default)]
    pub mobile: bool,
    /// Degrees, WGS 84.
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
}

/// A unit with its calendar and what it has joined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UnitDetail {
    #[serde(flatten)]
    pub unit: UnitView,
    /// Seven lists, Monday first; absent when it uses its parent's hours.
    pub hours: Option<Vec<Vec<OpenSpanView>>>,
    /// Its own closed days; those of the units above apply too.
    pub closed_days: Vec<ClosedDaysView>,
    /// Its own exceptional openings.
    #[serde(default)]
    pub openings: Vec<OpeningView>,
    /// What it has joined for each item type, inherited settings included.
    pub membership: Vec<MembershipView>,
    /// What happens to its copies that come back elsewhere, where their collection does not say it: `home`, `float`,
    /// `float_with_cap` or `restricted`.
    #[serde(default)]
    #[schema(example = "home")]
    pub return_policy: String,
    /// With `float_with_cap`: how many items may float at one unit.
    #[serde(default)]
    pub float_cap: Option<u32>,
    /// The unit that says it: this one, or the nearest above; absent where nobody does.
    #[serde(default)]
    #[schema(example = "M1")]
    pub return_policy_from_unit_code: Option<String>,
}

/// One stretch of opening, local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenSpanView {
    #[schema(value_type = String, pattern = "^(([01][0-9]|2[0-3]):[0-5][0-9]:00|23:59:59)$", example = "09:00:00")]
    pub opens: NaiveTime,
    /// After `opens`; `23:59:59` is the end of the day.
    #[schema(value_type = String, pattern = "^(([01][0-9]|2[0-3]):[0-5][0-9]:00|23:59:59)$", example = "20:30:00")]
    pub closes: NaiveTime,
}

/// Days on which a unit and everything below it is closed, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClosedDaysView {
    pub first: NaiveDate,
    pub last: NaiveDate,
    #[schema(example = "春节")]
    pub reason: String,
}

/// Days on which the unit and everything below it is open at hours of its own, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpeningView {
    /// The first day.
    pub first: NaiveDate,
    /// The last day.
    pub last: NaiveDate,
    /// The hours of each of these days.
    pub hours: Vec<OpenSpanView>,
    #[schema(example = "国庆展览")]
    pub reason: String,
}

/// A unit without the opening.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpeningRemoved {
    /// The unit as it is now.
    pub unit: UnitDetail,
    /// How far the moving of what was due then is, which goes on by itself.
    pub moves: DueMoves,
}

/// What a unit has joined for an item type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MembershipView {
    #[schema(example = "book")]
    pub item_type: String,
    /// Its items may be lent at other units, and others' items here.
    pub lend_away: bool,
    /// Its items may be returned at other units, and others' items here.
    pub return_away: bool,
    /// Its readers may borrow items of other owners.
    pub readers_away: bool,
}

impl UnitView {
    /// A unit of the snapshot.
    pub fn of(unit: &Unit, network: &Network) -> Self {
        Self {
            id: unit.id.get(),
            code: unit.code.clone(),
            name: unit.name.clone(),
            kind: unit.kind.code().to_owned(),
            parent_code: unit.parent.map(|parent| unit_code(network, parent.get())),
            active: unit.active,
            lends: unit.lends,
            pickup_point: unit.pickup_point,
            adult_only: unit.adult_only,
            always_open: unit.always_open,
            mobile: unit.mobile,
            latitude: unit.latitude,
            longitude: unit.longitude,
        }
    }
}

impl UnitDetail {
    /// A unit of the snapshot, whole.
    pub fn of(unit: &Unit, network: &Network) -> Self {
        let span = |span: &OpenSpan| OpenSpanView {
            opens: span.opens,
            closes: span.closes,
        };
        let week = |days: &[Vec<OpenSpan>; 7]| days.iter().map(|spans| spans.iter().map(span).collect()).collect();
        let membership = network.item_types().iter().map(|item_type| {
            let joined = network.joined(unit.id, item_type.id);
            MembershipView {
                item_type: item_type.code.clone(),
                lend_away: joined.lend_away,
                return_away: joined.return_away,
                readers_away: joined.readers_away,
            }
        });
        let closed = unit.closed.iter().map(|range| ClosedDaysView {
            first: range.first,
            last: range.last,
            reason: range.reason.clone(),
        });
        let (from, policy) = network.unit_return_policy(unit.id);
        let (return_policy, float_cap) = policy.code();
        let openings = unit.dated.openings.iter().map(|opening| OpeningView {
            first: opening.first,
            last: opening.last,
            hours: opening.spans.iter().map(span).collect(),
            reason: opening.reason.clone(),
        });
        Self {
            unit: UnitView::of(unit, network),
            return_policy: return_policy.to_owned(),
            float_cap,
            return_policy_from_unit_code: from.map(|unit| unit_code(network, unit.get())),
            hours: unit.hours.as_ref().map(|hours| week(hours.days())),
            closed_days: closed.collect(),
            openings: openings.collect(),
            membership: membership.collect(),
        }
    }
}
