//! The network's tree of units.

use actix_web::web;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::calendar::OpenSpan;
use crate::domain::item::ReturnPolicy;
use crate::domain::membership::Joined;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Anyone, Changing, ManagesUnits};
use crate::http::input::{CodeText, Cursor, Day, Limit, List, PageBody, Text, page, text};
use crate::http::openapi::{ChangeFailures, IdempotencyHeader, ListFailures, LookFailures};
use crate::http::precondition;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::usecase::UseCaseError;
use crate::usecase::content_version::content_version;
use crate::usecase::create_unit::{self, CreateUnit};
use crate::usecase::get_unit;
use crate::usecase::list_units::{self, ListUnits};
use crate::usecase::unit_view::{OpenSpanView, UnitDetail, UnitView};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_units, get_unit, create_unit))]
pub struct Document;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UnitFilter {
    /// Only those directly below the unit with this code.
    #[param(value_type = Option<String>, max_length = 32)]
    parent: Option<CodeText>,
    /// `network`, `central`, `main`, `branch` or `point`.
    #[param(value_type = Option<String>, max_length = 32)]
    kind: Option<CodeText>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists units in the order of their ids.
#[utoipa::path(get, path = "/api/v1/units", operation_id = "listUnits", tag = "units", params(UnitFilter),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of units", body = PageBody<UnitView>), ListFailures))]
pub async fn list_units(app: web::Data<App>, who: Anyone, filter: Parameters<UnitFilter>) -> Answer {
    let UnitFilter {
        parent,
        kind,
        cursor,
        limit,
    } = filter.0;
    let query = ListUnits {
        parent_code: text(parent),
        kind: text(kind),
        page: page(cursor, limit),
    };
    let units = list_units::list_units(&app.store, &who.caller, query).await?;
    answer::ok(&PageBody::from(units))
}

/// One unit, with its calendar and membership.
#[utoipa::path(get, path = "/api/v1/units/{code}", operation_id = "getUnit", tag = "units",
    params(("code" = String, Path, description = "The unit's code")), security(("bearer" = [])),
    responses((status = 200, description = "The unit", body = UnitDetail), LookFailures))]
pub async fn get_unit(app: web::Data<App>, who: Anyone, code: web::Path<String>) -> Answer {
    let unit = get_unit::get_unit(&app.store, &who.caller, &code).await?;
    precondition::tagged(answer::ok(&unit), content_version(&unit)?)
}

/// A new unit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUnit {
    /// Letters, digits, `-` and `_`.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,32}$", example = "B01")]
    code: CodeText,
    #[schema(value_type = String, max_length = 200, example = "江汉路街道分馆")]
    name: Text<200>,
    /// `central`, `main`, `branch` or `point`.
    #[schema(value_type = String, max_length = 32, example = "branch")]
    kind: CodeText,
    #[schema(value_type = String, max_length = 32)]
    parent_code: CodeText,
    /// Items may be lent here; true by default.
    #[serde(default = "yes")]
    lends: bool,
    /// Holds may be picked up here; true by default.
    #[serde(default = "yes")]
    pickup_point: bool,
    /// Readers with a child's card may not borrow here.
    #[serde(default)]
    adult_only: bool,
    /// A 24-hour machine: it uses its parent's calendar, and its hold shelf is a locker.
    #[serde(default)]
    always_open: bool,
    /// A vehicle: a point that lends at its stops (setStops).
    #[serde(default)]
    mobile: bool,
    /// Degrees, WGS 84; both or none.
    #[schema(minimum = -90, maximum = 90)]
    latitude: Option<f64>,
    #[schema(minimum = -180, maximum = 180)]
    longitude: Option<f64>,
    /// Seven lists, Monday first; absent: those of the nearest unit above that has any.
    #[schema(min_items = 7, max_items = 7)]
    hours: Option<Vec<Vec<OpenSpanView>>>,
    #[serde(default)]
    #[schema(value_type = Vec<NewClosedDays>, max_items = 400)]
    closed_days: List<NewClosedDays, 0, 400>,
    /// Absent: what the units above have joined.
    #[serde(default)]
    #[schema(value_type = Vec<NewMembership>, max_items = 100)]
    membership: List<NewMembership, 0, 100>,
    #[serde(default)]
    #[schema(value_type = Vec<NewCollection>, max_items = 100)]
    collections: List<NewCollection, 0, 100>,
}

const fn yes() -> bool {
    true
}

/// Days on which the unit and everything below it is closed, both ends included.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClosedDays {
    #[schema(value_type = chrono::NaiveDate)]
    first: Day,
    #[schema(value_type = chrono::NaiveDate)]
    last: Day,
    #[schema(value_type = String, max_length = 100, example = "春节")]
    reason: Text<100>,
}

/// What the unit joins, for an item type with its children or (absent) for all.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMembership {
    #[schema(value_type = Option<String>, max_length = 32, example = "book")]
    item_type: Option<CodeText>,
    lend_away: bool,
    return_away: bool,
    readers_away: bool,
}

/// A named part of the unit's stock.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCollection {
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,32}$", example = "general")]
    code: CodeText,
    #[schema(value_type = String, max_length = 200, example = "普通图书")]
    name: Text<200>,
    /// Where its items go when they come back elsewhere.
    return_policy: CollectionPolicyName,
    /// With `float_with_cap`: how many may float at one unit.
    #[schema(maximum = 2_147_483_647)]
    float_cap: Option<u32>,
}

/// What happens to an item that comes back at a unit which is not its home.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyName {
    Home,
    Float,
    FloatWithCap,
    Restricted,
}

/// The same for a collection, which may leave it to its unit.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CollectionPolicyName {
    Home,
    Float,
    FloatWithCap,
    Restricted,
    AsUnit,
}

/// A collection's policy with its cap; `None`: as its unit.
pub(super) fn collection_policy(
    name: CollectionPolicyName,
    cap: Option<u32>,
    field: &'static str,
) -> Result<Option<ReturnPolicy>, Problem> {
    let name = match name {
        CollectionPolicyName::Home => PolicyName::Home,
        CollectionPolicyName::Float => PolicyName::Float,
        CollectionPolicyName::FloatWithCap => PolicyName::FloatWithCap,
        CollectionPolicyName::Restricted => PolicyName::Restricted,
        CollectionPolicyName::AsUnit if cap.is_none() => return Ok(None),
        CollectionPolicyName::AsUnit => {
            return Err(UseCaseError::field(field, "goes with float_with_cap only").into());
        }
    };
    policy_of(name, cap, field).map(Some)
}

impl NewCollection {
    fn parsed(self) -> Result<(String, String, Option<ReturnPolicy>), Problem> {
        let policy = collection_policy(self.return_policy, self.float_cap, "collections.float_cap")?;
        Ok((self.code.into(), self.name.into(), policy))
    }
}

/// A policy with its cap, which goes with one of them only.
pub(super) fn policy_of(name: PolicyName, cap: Option<u32>, field: &'static str) -> Result<ReturnPolicy, Problem> {
    match (name, cap) {
        (PolicyName::Home, None) => Ok(ReturnPolicy::Home),
        (PolicyName::Float, None) => Ok(ReturnPolicy::Float),
        (PolicyName::Restricted, None) => Ok(ReturnPolicy::Restricted),
        (PolicyName::FloatWithCap, Some(cap)) if i32::try_from(cap).is_ok() => Ok(ReturnPolicy::FloatWithCap { cap }),
        (PolicyName::FloatWithCap, _) => Err(UseCaseError::field(field, "is needed with float_with_cap").into()),
        (_, Some(_)) => Err(UseCaseError::field(field, "goes with float_with_cap only").into()),
    }
}

impl NewClosedDays {
    pub(super) fn parsed(self) -> (chrono::NaiveDate, chrono::NaiveDate, String) {
        (self.first.0, self.last.0, self.reason.into())
    }
}

impl NewMembership {
    fn parsed(self) -> (Option<String>, Joined) {
        let Self {
            item_type,
            lend_away,
            return_away,
            readers_away,
        } = self;
        (
            text(item_type),
            Joined {
                lend_away,
                return_away,
                readers_away,
            },
        )
    }
}

pub(super) fn week(days: Vec<Vec<OpenSpanView>>) -> Vec<Vec<OpenSpan>> {
    let span = |span: OpenSpanView| OpenSpan {
        opens: span.opens,
        closes: span.closes,
    };
    days.into_iter()
        .map(|day| day.into_iter().map(span).collect())
        .collect()
}

impl TryFrom<NewUnit> for CreateUnit {
    type Error = Problem;

    fn try_from(unit: NewUnit) -> Result<Self, Problem> {
        let collections: Result<_, _> = unit.collections.0.into_iter().map(NewCollection::parsed).collect();
        Ok(Self {
            code: unit.code.into(),
            name: unit.name.into(),
            kind: unit.kind.into(),
            parent_code: unit.parent_code.into(),
            lends: unit.lends,
            pickup_point: unit.pickup_point,
            adult_only: unit.adult_only,
            always_open: unit.always_open,
            mobile: unit.mobile,
            latitude: unit.latitude,
            longitude: unit.longitude,
            hours: unit.hours.map(week),
            closed_days: unit.closed_days.0.into_iter().map(NewClosedDays::parsed).collect(),
            membership: unit.membership.0.into_iter().map(NewMembership::parsed).collect(),
            collections: collections?,
        })
    }
}

/// Creates a unit in the caller's subtree.
#[utoipa::path(post, path = "/api/v1/units", operation_id = "createUnit", tag = "units", params(IdempotencyHeader),
    request_body = NewUnit, security(("bearer" = [])),
    responses(
        (status = 201, description = "The unit", body = UnitView, headers(("Location" = String))),
        ChangeFailures))]
pub async fn create_unit(app: web::Data<App>, who: ManagesUnits, request: Changing<NewUnit>) -> Answer {
    let command = CreateUnit::try_from(request.body)?;
    let unit = create_unit::create_unit(&app.store, &who.caller, command, request.key).await?;
    let location = format!("/api/v1/units/{}", unit.value.code);
    answer::created(&unit, Some(location))
}
