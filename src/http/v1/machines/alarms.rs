//! What people must know of devices.

use actix_web::web::{self, ServiceConfig, get, post, resource};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::ids::DeviceId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ReadsDevices, SettlesMachines};
use crate::http::input::{CodeText, Cursor, Limit, PageBody, Remark, page, text};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, LookWithFailures};
use crate::http::query::Parameters;
use crate::usecase::list_device_alarms::{self, DeviceAlarmView, ListDeviceAlarms};
use crate::usecase::settle_device_alarm::{self, SettleDeviceAlarm};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_device_alarms, settle_device_alarm))]
pub struct Document;

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/device-alarms").route(get().to(list_device_alarms)))
        .service(resource("/device-alarms/{id}/settlement").route(post().to(settle_device_alarm)));
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeviceAlarmFilter {
    /// At this unit and below; where you may look if absent.
    #[param(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
    /// Of one device.
    #[param(example = 42)]
    device_id: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists the alarms that stand, the newest first. A device sees its own.
#[utoipa::path(get, path = "/api/v1/device-alarms", operation_id = "listDeviceAlarms", tag = "devices",
    params(DeviceAlarmFilter), security(("bearer" = [])),
    responses((status = 200, description = "A page of alarms", body = PageBody<DeviceAlarmView>), LookWithFailures))]
pub async fn list_device_alarms(
    app: web::Data<App>,
    who: ReadsDevices,
    asked: Parameters<DeviceAlarmFilter>,
) -> Answer {
    let query = ListDeviceAlarms {
        unit_code: text(asked.0.unit_code),
        device: asked.0.device_id.map(DeviceId::new),
        page: page(asked.0.cursor, asked.0.limit),
    };
    let found = list_device_alarms::list_device_alarms(&app.store, &who.caller, query).await?;
    answer::ok(&PageBody::from(found))
}

/// What was done about it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlarmSettlement {
    /// About the machine, and about nobody.
    #[schema(value_type = Option<String>, max_length = 200, example = "已补纸")]
    note: Option<Remark<200>>,
}

/// Settles an alarm: a person dealt with it.
#[utoipa::path(post, path = "/api/v1/device-alarms/{id}/settlement", operation_id = "settleDeviceAlarm", tag = "devices",
    params(("id" = i64, Path, description = "The alarm's id"), IdempotencyHeader), request_body = AlarmSettlement,
    security(("bearer" = [])),
    responses((status = 200, description = "The alarm", body = DeviceAlarmView), ChangeOneFailures))]
pub async fn settle_device_alarm(
    app: web::Data<App>,
    who: SettlesMachines,
    id: web::Path<i64>,
    request: Changing<AlarmSettlement>,
) -> Answer {
    let command = SettleDeviceAlarm {
        alarm: *id,
        note: text(request.body.note),
    };
    answer::done(&settle_device_alarm::settle_device_alarm(&app.store, &who.caller, command, request.key).await?)
}
