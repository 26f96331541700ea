//! What may change of a unit, and its place in the tree.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use super::units::{PolicyName, policy_of};
use crate::app::App;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesUnits};
use crate::http::input::{CodeText, Text, text};
use crate::http::openapi::{ChangeOneFailures, ChangeSeenFailures, IdempotencyHeader};
use crate::http::precondition::{self, IfMatchGiven, IfMatchGivenHeader};
use crate::usecase::UseCaseError;
use crate::usecase::content_version::content_version;
use crate::usecase::move_unit::{self, MoveUnit, UnitMoved};
use crate::usecase::set_return_policy::{self, SetReturnPolicy};
use crate::usecase::unit_view::UnitDetail;
use crate::usecase::unit_view::UnitView;
use crate::usecase::update_unit::{self, UpdateUnit};

#[derive(utoipa::OpenApi)]
#[openapi(paths(update_unit, move_unit, set_return_policy))]
pub struct Document;

/// What is to change of a unit; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnitChange {
    #[schema(value_type = Option<String>, max_length = 200, example = "江汉路街道分馆")]
    name: Option<Text<200>>,
    /// It works at all. The root always does.
    active: Option<bool>,
    /// Items may be lent here.
    lends: Option<bool>,
    /// Holds may be picked up here.
    pickup_point: Option<bool>,
    /// Readers with a child's card may not borrow here.
    adult_only: Option<bool>,
    /// A 24-hour machine: it uses its parent's calendar, and its hold shelf is a locker.
    always_open: Option<bool>,
    /// A vehicle: a point that lends at its stops (setStops).
    mobile: Option<bool>,
    /// Degrees, WGS 84; both or none.
    #[schema(minimum = -90, maximum = 90)]
    latitude: Option<f64>,
    /// Degrees, WGS 84; both or none.
    #[schema(minimum = -180, maximum = 180)]
    longitude: Option<f64>,
}

/// Changes a unit in the caller's subtree. Its code stays; `moveUnit` gives it another place in the tree.
#[utoipa::path(patch, path = "/api/v1/units/{code}", operation_id = "updateUnit", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), IdempotencyHeader),
    request_body = UnitChange, security(("bearer" = [])),
    responses((status = 200, description = "The unit", body = UnitView), ChangeOneFailures))]
pub async fn update_unit(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    request: Changing<UnitChange>,
) -> Answer {
    let change = request.body;
    let command = UpdateUnit {
        code: code.into_inner(),
        name: text(change.name),
        active: change.active,
        lends: change.lends,
        pickup_point: change.pickup_point,
        adult_only: change.adult_only,
        always_open: change.always_open,
        mobile: change.mobile,
        latitude: change.latitude,
        longitude: change.longitude,
    };
    answer::done(&update_unit::update_unit(&app.store, &who.caller, command, request.key).await?)
}

/// Where a unit goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlace {
    /// Code of the unit it will stand under: a `main` under the network or a `central`, a `branch` under a `central` or a `main`, a
    /// `point` under any of these but the network.
    #[schema(value_type = String, max_length = 32, example = "M02")]
    parent_code: CodeText,
}

/// Puts a unit, with everything below it, under another parent. From then on it inherits from there: rules, hours, closed days, what
/// is joined, and the staff who have a role above. Open loans that were due by rule on a day closed by now move to the next
/// open day. Needs the right at the old parent and at the new one.
#[utoipa::path(post, path = "/api/v1/units/{code}/moves", operation_id = "moveUnit", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), IdempotencyHeader),
    request_body = NewPlace, security(("bearer" = [])),
    responses((status = 200, description = "The unit at its place", body = UnitMoved), ChangeOneFailures))]
pub async fn move_unit(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    request: Changing<NewPlace>,
) -> Answer {
    let command = MoveUnit {
        code: code.into_inner(),
        parent_code: request.body.parent_code.into(),
    };
    answer::done(&move_unit::move_unit(&app.store, &who.caller, command, request.key).await?)
}

/// What happens to a unit's copies that come back elsewhere, where their collection does not say it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnitReturnPolicy {
    /// Absent: as the unit above; where nobody says anything, they travel home.
    return_policy: Option<PolicyName>,
    /// With `float_with_cap`: how many may float at one unit.
    #[schema(maximum = 2_147_483_647)]
    float_cap: Option<u32>,
}

/// Sets the return policy of a unit's copies without a policy of their own. Units below without one follow it.
#[utoipa::path(put, path = "/api/v1/units/{code}/return-policy", operation_id = "setReturnPolicy", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), IdempotencyHeader, IfMatchGivenHeader),
    request_body = UnitReturnPolicy,
    security(("bearer" = [])),
    responses((status = 200, description = "The unit", body = UnitDetail), ChangeSeenFailures))]
pub async fn set_return_policy(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    seen: IfMatchGiven,
    request: Changing<UnitReturnPolicy>,
) -> Answer {
    let UnitReturnPolicy {
        return_policy,
        float_cap,
    } = request.body;
    let return_policy = match return_policy {
        Some(name) => Some(policy_of(name, float_cap, "float_cap")?),
        None if float_cap.is_some() => {
            return Err(UseCaseError::field("float_cap", "goes with float_with_cap only").into());
        }
        None => None,
    };
    let command = SetReturnPolicy {
        code: code.into_inner(),
        return_policy,
        seen: seen.0,
    };
    let set = set_return_policy::set_return_policy(&app.store, &who.caller, command, request.key).await?;
    precondition::tagged(answer::done(&set), content_version(&set.value)?)
}
