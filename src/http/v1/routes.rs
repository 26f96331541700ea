//! Rounds with their timetables, and what a courier does on them.

use actix_web::web;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::consent::{ConsentText, consent};
use crate::app::App;
use crate::domain::ids::StaffId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, DrivesRoutes, ManagesRoutes, Staff};
use crate::http::input::{CodeText, Day, Moment, Text, text};
use crate::http::openapi::{ChangeFailures, ChangeVersionFailures, IdempotencyHeader, ListFailures};
use crate::http::precondition::{self, IfMatchGiven, IfMatchGivenHeader};
use crate::http::problem::{Code, Problem};
use crate::http::query::Parameters;
use crate::usecase::crate_view::CrateView;
use crate::usecase::drive_route::{self, AtStop, MAX_CRATES, Scanned, StopAct};
use crate::usecase::get_my_day::{self, CourierDay};
use crate::usecase::set_route::{self, RouteView, SetRoute, StopView};
use crate::usecase::{Caller, IdempotencyKey, Once, UseCaseError};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_routes, set_route, get_my_day, load_crates, hand_over_crates))]
pub struct Document;

/// Every route.
#[derive(Debug, Serialize, ToSchema)]
pub struct RouteList {
    items: Vec<RouteView>,
}

/// Lists the routes by code.
#[utoipa::path(get, path = "/api/v1/routes", operation_id = "listRoutes", tag = "routes", security(("bearer" = [])),
    responses((status = 200, description = "The routes", body = RouteList), ListFailures))]
pub async fn list_routes(app: web::Data<App>, who: Staff) -> Answer {
    let items = set_route::list_routes(&app.store, &who.caller).await?;
    answer::ok(&RouteList { items })
}

/// A route as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSettings {
    #[schema(value_type = String, max_length = 100, example = "东线")]
    name: Text<100>,
    /// Who runs it: its managers may change it.
    #[schema(value_type = String, max_length = 32, example = "C1")]
    unit_code: CodeText,
    /// Days it is driven: 1 is Monday, 7 is Sunday.
    #[schema(min_items = 1, max_items = 7, example = json!([1, 2, 3, 4, 5]))]
    weekdays: Vec<u8>,
    /// In the order of their times.
    #[schema(min_items = 2, max_items = 60,
        example = json!([{"unit_code": "C1", "time": "08:30:00"}, {"unit_code": "M1", "time": "09:15:00"}]))]
    stops: Vec<StopView>,
    /// Number of the member of staff who drives it; must have the role `courier`.
    courier_staff_id: Option<i64>,
    /// What is driven: a plate, a name.
    #[schema(value_type = Option<String>, max_length = 100, example = "鄂A·12345")]
    vehicle: Option<Text<100>>,
    /// It is driven; false gives it up.
    #[serde(default = "yes")]
    active: bool,
}

const fn yes() -> bool {
    true
}

/// Creates a route, or replaces it as a whole: then `If-Match` must name the `version` that is replaced.
#[utoipa::path(put, path = "/api/v1/routes/{code}", operation_id = "setRoute", tag = "routes",
    params(("code" = String, Path, description = "The route's code: letters, digits, `-` and `_`"), IdempotencyHeader,
        IfMatchGivenHeader),
    request_body = RouteSettings, security(("bearer" = [])),
    responses((status = 200, description = "The route", body = RouteView), ChangeVersionFailures))]
pub async fn set_route(
    app: web::Data<App>,
    who: ManagesRoutes,
    code: web::Path<String>,
    seen: IfMatchGiven,
    request: Changing<RouteSettings>,
) -> Answer {
    let asked = request.body;
    let route = RouteView {
        code: code.into_inner(),
        name: asked.name.into(),
        unit_code: asked.unit_code.into(),
        weekdays: asked.weekdays,
        stops: asked.stops,
        courier_staff_id: asked.courier_staff_id,
        vehicle: text(asked.vehicle),
        active: asked.active,
        version: 0,
    };
    let command = SetRoute { route, seen: seen.0 };
    let set = set_route::set_route(&app.store, &who.caller, command, request.key).await?;
    precondition::tagged(answer::done(&set), set.value.version)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DayParameter {
    /// In the network's zone; today by default.
    #[param(value_type = Option<chrono::NaiveDate>, example = "2026-03-04")]
    day: Option<Day>,
}

/// The caller's stops of a day in order: what to load at each, and what to hand over.
#[utoipa::path(get, path = "/api/v1/courier/day", operation_id = "listMyStops", tag = "routes", params(DayParameter),
    security(("bearer" = [])),
    responses((status = 200, description = "The stops", body = CourierDay), ListFailures))]
pub async fn get_my_day(app: web::Data<App>, who: Staff, asked: Parameters<DayParameter>) -> Answer {
    let day = asked.0.day.map(|day| day.0);
    answer::ok(&get_my_day::get_my_day(&app.store, &who.caller, day).await?)
}

/// A crate that was scanned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScannedCrate {
    /// What its barcode says.
    #[schema(value_type = String, max_length = 32, example = "X000000104276")]
    label: CodeText,
    /// When it was scanned, if the device had no network then; now if absent.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    scanned_at: Option<Moment>,
    /// `consent_token` of the answer that told that this crate goes elsewhere; with `confirm`.
    #[schema(value_type = Option<String>, max_length = 4000)]
    consent_token: Option<ConsentText>,
}

/// Crates that go onto the vehicle at a stop.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Loading {
    /// The stop.
    #[schema(value_type = String, max_length = 32, example = "M1")]
    unit_code: CodeText,
    /// The route that is driven; by default the caller's own that stops here.
    #[schema(value_type = Option<String>, max_length = 32, example = "R1")]
    route_code: Option<CodeText>,
    /// What was scanned.
    #[schema(min_items = 1, max_items = 100)]
    crates: Vec<ScannedCrate>,
}

/// Crates that are handed over at a stop.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandingOver {
    /// The stop.
    #[schema(value_type = String, max_length = 32, example = "M2")]
    unit_code: CodeText,
    /// Number of the member of staff of the unit who signs for them.
    #[schema(example = 1042)]
    signed_by_staff_id: i64,
    /// What was scanned.
    #[schema(min_items = 1, max_items = 100)]
    crates: Vec<ScannedCrate>,
    /// `crate_for_elsewhere`, to leave crates here that go elsewhere.
    #[schema(example = json!(["crate_for_elsewhere"]))]
    confirm: Option<Vec<String>>,
}

/// What became of one crate.
#[derive(Debug, Serialize, ToSchema)]
pub struct CrateRowResult {
    /// As it was sent.
    #[schema(example = "X000000104276")]
    label: String,
    /// The HTTP status that one crate alone would have answered.
    #[schema(example = 200)]
    status: u16,
    /// It was done by an earlier call with the same key.
    replayed: bool,
    /// The crate, when it was done.
    #[serde(rename = "crate")]
    done: Option<CrateView>,
    /// Why not, when it was not.
    #[schema(value_type = Option<Object>)]
    problem: Option<Value>,
}

/// What became of the crates.
#[derive(Debug, Serialize, ToSchema)]
pub struct StopOutcome {
    /// Crates done, now or by an earlier call with the same key.
    #[schema(example = 3)]
    done: usize,
    /// Crates not done; each says why.
    #[schema(example = 0)]
    failed: usize,
    /// In the order they were sent.
    rows: Vec<CrateRowResult>,
}

/// Loads closed crates at a stop, each on its own. Sent again with the same key, what was done is answered again and the
/// others are tried again.
#[utoipa::path(post, path = "/api/v1/courier/loads", operation_id = "loadShipments", tag = "routes",
    params(IdempotencyHeader), request_body = Loading, security(("bearer" = [])),
    responses((status = 200, description = "A result per crate", body = StopOutcome), ChangeFailures))]
pub async fn load_crates(app: web::Data<App>, who: DrivesRoutes, request: Changing<Loading>) -> Answer {
    let asked = request.body;
    let act = StopAct::Load {
        route_code: text(asked.route_code),
    };
    at_stop(&app, &who.caller, (asked.unit_code, asked.crates, act), request.key).await
}

/// Hands crates over to somebody of the unit who signs for them, each on its own. Sent again with the same key, what was done
/// is answered again and the others are tried again.
#[utoipa::path(post, path = "/api/v1/courier/hand-overs", operation_id = "handOverShipments", tag = "routes",
    params(IdempotencyHeader), request_body = HandingOver, security(("bearer" = [])),
    responses((status = 200, description = "A result per crate", body = StopOutcome), ChangeFailures))]
pub async fn hand_over_crates(app: web::Data<App>, who: DrivesRoutes, request: Changing<HandingOver>) -> Answer {
    let asked = request.body;
    let act = StopAct::HandOver {
        signed_by: StaffId::new(asked.signed_by_staff_id),
        consent: consent(&app, None, asked.confirm, None)?,
    };
    at_stop(&app, &who.caller, (asked.unit_code, asked.crates, act), request.key).await
}

type Asked = (CodeText, Vec<ScannedCrate>, StopAct);

async fn at_stop(app: &App, caller: &Caller, (unit_code, scans, act): Asked, key: Option<IdempotencyKey>) -> Answer {
    if !(1..=MAX_CRATES).contains(&scans.len()) {
        return Err(UseCaseError::field("crates", format!("must be 1 to {MAX_CRATES}")).into());
    }
    let crates: Vec<Scanned> = scans.into_iter().map(scanned).collect();
    let labels: Vec<String> = crates.iter().map(|one| one.label.clone()).collect();
    let command = AtStop {
        unit_code: unit_code.into(),
        crates,
        act,
    };
    let answers = drive_route::at_stop(&app.store, caller, command, key).await?;
    let rows: Result<Vec<CrateRowResult>, Problem> = labels.into_iter().zip(answers).map(row).collect();
    let rows = rows?;
    let done = rows.iter().filter(|row| row.done.is_some()).count();
    let failed = rows.len() - done;
    answer::ok(&StopOutcome { done, failed, rows })
}

fn scanned(one: ScannedCrate) -> Scanned {
    Scanned {
        label: one.label.into(),
        at: one.scanned_at.map(|at| at.0),
        consent_token: text(one.consent_token),
    }
}

/// The key was used with another request: that is said of the whole call, not of its crates.
fn row((label, answer): (String, Result<Once<CrateView>, UseCaseError>)) -> Result<CrateRowResult, Problem> {
    let error = match answer {
        Ok(once) => {
            return Ok(CrateRowResult {
                label,
                status: 200,
                replayed: once.replayed,
                done: Some(once.value),
                problem: None,
            });
        }
        Err(error) => error,
    };
    let problem = Problem::from(error);
    if problem.code() == Code::IdempotencyKeyReused {
        return Err(problem);
    }
    Ok(CrateRowResult {
        label,
        status: problem.code().status(),
        replayed: false,
        done: None,
        problem: serde_json::to_value(problem.body()).ok(),
    })
}
