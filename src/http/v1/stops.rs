//! Stops of vehicles: where they stand when.

use actix_web::web;
use chrono::{NaiveTime, Timelike};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::stops::Stop;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Anyone, Changing, ManagesUnits};
use crate::http::input::{CodeText, Day, Limit, List, Text, page, text};
use crate::http::openapi::{ChangeVersionFailures, IdempotencyHeader, ListFailures, LookFailures};
use crate::http::precondition::{self, IfMatch, IfMatchHeader};
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::usecase::UseCaseError;
use crate::usecase::list_stops::{self, NextStops};
use crate::usecase::set_stops::{self, SetStops, StopsSet};
use crate::usecase::stop_view::{StopTimeView, VehicleStopView, weekday_of};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_stops, set_stops, next_stops))]
pub struct Document;

/// The stops of a vehicle.
#[derive(Debug, Serialize, ToSchema)]
pub struct VehicleStopList {
    items: Vec<VehicleStopView>,
}

/// Lists the stops of a vehicle, in the order in which they were set; none for a unit that is no vehicle.
#[utoipa::path(get, path = "/api/v1/units/{code}/stops", operation_id = "listStops", tag = "units",
    params(("code" = String, Path, description = "The unit's code")), security(("bearer" = [])),
    responses((status = 200, description = "The stops", body = VehicleStopList), LookFailures))]
pub async fn list_stops(app: web::Data<App>, who: Anyone, code: web::Path<String>) -> Answer {
    let (items, version) = list_stops::list_stops(&app.store, &who.caller, code.into_inner()).await?;
    precondition::tagged(answer::ok(&VehicleStopList { items }), version)
}

/// One place of a vehicle, and when it is there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVehicleStop {
    #[schema(value_type = String, max_length = 200, example = "江汉路步行街南口")]
    place: Text<200>,
    /// Degrees, WGS 84; both or none.
    #[schema(minimum = -90, maximum = 90)]
    latitude: Option<f64>,
    #[schema(minimum = -180, maximum = 180)]
    longitude: Option<f64>,
    /// Every week on this day, 1 is Monday; absent: on `first` only.
    #[schema(minimum = 1, maximum = 7, example = 3)]
    weekday: Option<u8>,
    /// The first day of a weekly stop, or the day of a single one.
    #[schema(value_type = chrono::NaiveDate)]
    first: Day,
    /// The last day of a weekly stop; absent: until further notice.
    #[schema(value_type = Option<chrono::NaiveDate>)]
    last: Option<Day>,
    /// Whole minutes.
    #[schema(value_type = String, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]:00$", example = "09:30:00")]
    opens: NaiveTime,
    /// After `opens`; `23:59:59` is the end of the day.
    #[schema(value_type = String, pattern = "^(([01][0-9]|2[0-3]):[0-5][0-9]:00|23:59:59)$", example = "11:00:00")]
    closes: NaiveTime,
    /// Days on which it is left out.
    #[serde(default)]
    #[schema(value_type = Vec<chrono::NaiveDate>, max_items = 366, example = json!([]))]
    cancelled: List<Day, 0, 366>,
}

/// Every stop of a vehicle; what is not in it any more is gone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStops {
    #[schema(value_type = Vec<NewVehicleStop>, max_items = 100)]
    stops: List<NewVehicleStop, 0, 100>,
}

/// Whole minutes, or the last second of the day.
fn whole(time: NaiveTime) -> bool {
    time.nanosecond() == 0 && (time.second() == 0 || time.num_seconds_from_midnight() == 86_399)
}

impl NewVehicleStop {
    fn parsed(self, index: usize) -> Result<Stop, Problem> {
        let wrong = |member: &str, reason: &str| UseCaseError::field(format!("stops[{index}].{member}"), reason);
        let weekday = weekday_of(self.weekday);
        if weekday.is_none() && self.weekday.is_some() {
            return Err(wrong("weekday", "must be 1 (Monday) to 7").into());
        }
        if !whole(self.opens) || !whole(self.closes) {
            return Err(wrong(
                "opens",
                "must be whole minutes, as `closes` (or 23:59:59, the end of the day)",
            )
            .into());
        }
        let mut cancelled: Vec<_> = self.cancelled.0.into_iter().map(|day| day.0).collect();
        cancelled.sort_unstable();
        cancelled.dedup();
        Ok(Stop {
            place: self.place.into(),
            latitude: self.latitude,
            longitude: self.longitude,
            weekday,
            first: self.first.0,
            last: self.last.map(|day| day.0),
            opens: self.opens,
            closes: self.closes,
            cancelled,
        })
    }
}

/// Sets the stops of a vehicle, all at once. They are its opening days; loans that were due, by rule, on a day without a stop move to
/// the next one.
#[utoipa::path(put, path = "/api/v1/units/{code}/stops", operation_id = "setStops", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), IdempotencyHeader, IfMatchHeader),
    request_body = NewStops, security(("bearer" = [])),
    responses((status = 200, description = "The stops", body = StopsSet), ChangeVersionFailures))]
pub async fn set_stops(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    seen: IfMatch,
    request: Changing<NewStops>,
) -> Answer {
    let stops = request.body.stops.0.into_iter().enumerate();
    let stops: Result<Vec<Stop>, Problem> = stops.map(|(index, stop)| stop.parsed(index)).collect();
    let command = SetStops {
        code: code.into_inner(),
        seen: seen.0,
        stops: stops?,
    };
    let set = set_stops::set_stops(&app.store, &who.caller, command, request.key).await?;
    precondition::tagged(answer::done(&set), set.value.version)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StopTimesQuery {
    /// Vehicles at or below this unit; all by default.
    #[param(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
    /// The first day, in the network's zone; today by default. What is over is left out.
    #[param(value_type = Option<chrono::NaiveDate>)]
    from: Option<Day>,
    /// The last day, within 92 days; two weeks later by default.
    #[param(value_type = Option<chrono::NaiveDate>)]
    to: Option<Day>,
    /// Degrees, WGS 84; with `longitude`: the nearest stops come first.
    #[param(minimum = -90, maximum = 90)]
    latitude: Option<f64>,
    #[param(minimum = -180, maximum = 180)]
    longitude: Option<f64>,
    /// Rows; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// When vehicles stand where.
#[derive(Debug, Serialize, ToSchema)]
pub struct StopTimes {
    items: Vec<StopTimeView>,
}

/// Where vehicles are now and next: by unit, by days, nearest to coordinates.
#[utoipa::path(get, path = "/api/v1/stop-times", operation_id = "nextStops", tag = "units", params(StopTimesQuery),
    security(("bearer" = [])),
    responses((status = 200, description = "The next stops", body = StopTimes), ListFailures))]
pub async fn next_stops(app: web::Data<App>, who: Anyone, asked: Parameters<StopTimesQuery>) -> Answer {
    let asked = asked.0;
    let near = match (asked.latitude, asked.longitude) {
        (None, None) => None,
        (Some(latitude), Some(longitude)) if latitude.abs() <= 90.0 && longitude.abs() <= 180.0 => {
            Some((latitude, longitude))
        }
        (Some(_), Some(_)) => {
            return Err(UseCaseError::field("latitude", "must be within 90 degrees, `longitude` within 180").into());
        }
        (None, Some(_)) => return Err(UseCaseError::field("latitude", "is needed with longitude").into()),
        (Some(_), None) => return Err(UseCaseError::field("longitude", "is needed with latitude").into()),
    };
    let query = NextStops {
        unit_code: text(asked.unit_code),
        from: asked.from.map(|day| day.0),
        to: asked.to.map(|day| day.0),
        near,
        limit: page(None, asked.limit).limit,
    };
    let items = list_stops::next_stops(&app.store, &who.caller, query).await?;
    answer::ok(&StopTimes { items })
}
