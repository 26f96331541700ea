//! Stops of vehicles as the API shows them.

use chrono::{NaiveDate, NaiveTime, Weekday};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::stops::Stop;

/// One place of a vehicle, and when it is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VehicleStopView {
    #[schema(example = "江汉路步行街南口")]
    pub place: String,
    /// Degrees, WGS 84.
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    /// Every week on this day, 1 is Monday; absent: on `first` only.
    #[schema(example = 3)]
    pub weekday: Option<u8>,
    pub first: NaiveDate,
    /// The last day of a weekly stop; absent: until further notice.
    pub last: Option<NaiveDate>,
    #[schema(value_type = String, example = "09:30:00")]
    pub opens: NaiveTime,
    #[schema(value_type = String, example = "11:00:00")]
    pub closes: NaiveTime,
    /// Days on which it is left out.
    #[schema(example = json!(["2026-05-06"]))]
    pub cancelled: Vec<NaiveDate>,
}

impl VehicleStopView {
    /// A stop of the snapshot.
    pub fn of(stop: &Stop) -> Self {
        Self {
            place: stop.place.clone(),
            latitude: stop.latitude,
            longitude: stop.longitude,
            weekday: stop.weekday.and_then(|day| u8::try_from(day.number_from_monday()).ok()),
            first: stop.first,
            last: stop.last,
            opens: stop.opens,
            closes: stop.closes,
            cancelled: stop.cancelled.clone(),
        }
    }
}

/// The weekday with an ISO number; `None` for no number, or one that is none.
pub fn weekday_of(number: Option<u8>) -> Option<Weekday> {
    Weekday::try_from(number?.checked_sub(1)?).ok()
}

/// Where a vehicle is during one stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StopTimeView {
    /// The vehicle: where its loans are made and its holds are picked up.
    #[schema(example = "M1-CAR")]
    pub unit_code: String,
    #[schema(example = "江城流动文化车")]
    pub unit_name: String,
    #[schema(example = "江汉路步行街南口")]
    pub place: String,
    /// Degrees, WGS 84.
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    /// In the network's zone, as the times.
    pub day: NaiveDate,
    #[schema(value_type = String, example = "09:30:00")]
    pub opens: NaiveTime,
    #[schema(value_type = String, example = "11:00:00")]
    pub closes: NaiveTime,
    /// It stands there at this moment.
    pub now: bool,
    /// Metres as the crow flies from the coordinates that were given.
    #[schema(example = 850)]
    pub distance_m: Option<u32>,
}
