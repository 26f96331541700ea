//! What may change of a hold while it is open, and the queue it stands in.

use actix_web::web;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::consent::{ConsentText, OverridesRequest, consent};
use crate::app::App;
use crate::domain::ids::{BibId, HoldId};
use crate::domain::suspend_hold::Sleep;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesHolds, Nothing, People, PlacesHolds, Staff};
use crate::http::input::{CodeText, Cursor, Day, Limit, PageBody, Remark, page};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, LookFailures};
use crate::http::query::Parameters;
use crate::usecase::change_pickup::{self, ChangePickup};
use crate::usecase::get_hold;
use crate::usecase::record::Consent;
use crate::usecase::reorder_hold::{self, ReorderHold};
use crate::usecase::suspend_hold::{self, SuspendHold};
use crate::usecase::view::{HoldOutcome, HoldView};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    get_hold,
    list_bib_holds,
    suspend_hold,
    resume_hold,
    change_hold_pickup,
    reorder_hold
))]
pub struct Document;

/// One hold, with its place in the queue while it waits. Readers see their own.
#[utoipa::path(get, path = "/api/v1/holds/{id}", operation_id = "getHold", tag = "holds", params(("id" = i64, Path)),
    security(("bearer" = [])), responses((status = 200, description = "The hold", body = HoldView), LookFailures))]
pub async fn get_hold(app: web::Data<App>, who: People, id: web::Path<i64>) -> Answer {
    answer::ok(&get_hold::get_hold(&app.store, &who.caller, HoldId::new(*id)).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QueuePage {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// The open holds of a bib in the order of the queue. Those a copy is set aside for stand where they stood.
#[utoipa::path(get, path = "/api/v1/bibs/{id}/holds", operation_id = "listBibHolds", tag = "holds",
    params(("id" = i64, Path), QueuePage), security(("bearer" = [])),
    responses((status = 200, description = "A page of holds", body = PageBody<HoldView>), LookFailures))]
pub async fn list_bib_holds(
    app: web::Data<App>,
    who: Staff,
    id: web::Path<i64>,
    asked: Parameters<QueuePage>,
) -> Answer {
    let page = page(asked.0.cursor, asked.0.limit);
    let holds = get_hold::list_bib_holds(&app.store, &who.caller, BibId::new(*id), page).await?;
    answer::ok(&PageBody::from(holds))
}

/// How long a hold is to sleep.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Suspension {
    /// It is awake again on this day of the network's zone; absent: when it is resumed.
    #[schema(value_type = Option<chrono::NaiveDate>)]
    until: Option<Day>,
}

/// Lets a waiting hold sleep: it keeps its place and is passed over. Readers suspend their own.
#[utoipa::path(put, path = "/api/v1/holds/{id}/suspension", operation_id = "suspendHold", tag = "holds",
    params(("id" = i64, Path), IdempotencyHeader), request_body = Suspension, security(("bearer" = [])),
    responses((status = 200, description = "The hold", body = HoldOutcome), ChangeOneFailures))]
pub async fn suspend_hold(
    app: web::Data<App>,
    who: PlacesHolds,
    id: web::Path<i64>,
    request: Changing<Suspension>,
) -> Answer {
    let until = request.body.until.map(|day| day.0);
    let command = SuspendHold {
        hold: HoldId::new(*id),
        sleep: until.map_or(Sleep::UntilResumed, Sleep::Until),
        consent: Consent::default(),
    };
    answer::done(&suspend_hold::suspend_hold(&app.store, &who.caller, command, request.key).await?)
}

/// Wakes a suspended hold, whatever day it was to sleep until. Readers resume their own.
#[utoipa::path(delete, path = "/api/v1/holds/{id}/suspension", operation_id = "resumeHold", tag = "holds",
    params(("id" = i64, Path), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The hold", body = HoldOutcome), ChangeOneFailures))]
pub async fn resume_hold(
    app: web::Data<App>,
    who: PlacesHolds,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    let command = SuspendHold {
        hold: HoldId::new(*id),
        sleep: Sleep::NotAtAll,
        consent: Consent::default(),
    };
    answer::done(&suspend_hold::suspend_hold(&app.store, &who.caller, command, request.key).await?)
}

/// Where a hold is to be picked up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPickup {
    #[schema(value_type = String, max_length = 32, example = "B01")]
    pickup_unit_code: CodeText,
    overrides: Option<OverridesRequest>,
    /// Codes of refusals with the outcome `confirm`.
    confirm: Option<Vec<String>>,
    /// `consent_token` of the answer that told the refusals.
    #[schema(value_type = Option<String>, max_length = 4000)]
    consent_token: Option<ConsentText>,
}

/// Changes where a hold is picked up. A copy on the hold shelf or in a crate that was not sent is redirected (`next_step`); one on the
/// road goes on from where it arrives. Readers change their own.
#[utoipa::path(put, path = "/api/v1/holds/{id}/pickup", operation_id = "moveHold", tag = "holds",
    params(("id" = i64, Path), IdempotencyHeader), request_body = NewPickup, security(("bearer" = [])),
    responses((status = 200, description = "The hold", body = HoldOutcome), ChangeOneFailures))]
pub async fn change_hold_pickup(
    app: web::Data<App>,
    who: PlacesHolds,
    id: web::Path<i64>,
    request: Changing<NewPickup>,
) -> Answer {
    let NewPickup {
        pickup_unit_code,
        overrides,
        confirm,
        consent_token,
    } = request.body;
    let command = ChangePickup {
        hold: HoldId::new(*id),
        pickup_unit_code: pickup_unit_code.into(),
        consent: consent(&app, overrides, confirm, consent_token)?,
    };
    answer::done(&change_pickup::change_pickup(&app.store, &who.caller, command, request.key).await?)
}

/// Another place in the queue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueuePlace {
    /// From 1, among the waiting holds of the bib.
    #[schema(minimum = 1, example = 1)]
    place: u32,
    /// Kept with the event.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "课程指定参考书")]
    reason: Remark<500>,
}

/// Gives a waiting hold another place in the queue, with the reason.
#[utoipa::path(put, path = "/api/v1/holds/{id}/place", operation_id = "reorderHold", tag = "holds",
    params(("id" = i64, Path), IdempotencyHeader), request_body = QueuePlace, security(("bearer" = [])),
    responses((status = 200, description = "The hold", body = HoldOutcome), ChangeOneFailures))]
pub async fn reorder_hold(
    app: web::Data<App>,
    who: ManagesHolds,
    id: web::Path<i64>,
    request: Changing<QueuePlace>,
) -> Answer {
    let command = ReorderHold {
        hold: HoldId::new(*id),
        place: request.body.place,
        reason: request.body.reason.into(),
    };
    answer::done(&reorder_hold::reorder_hold(&app.store, &who.caller, command, request.key).await?)
}
