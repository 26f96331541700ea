//! What the reader who asks waits for.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{MyBorrowingFilter, WardParameter};
use crate::app::App;
use crate::domain::ids::{BibId, HoldId, ItemId};
use crate::domain::volume::Volume;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Nothing, Readers};
use crate::http::input::{CodeText, Day, PageBody};
use crate::http::openapi::{ChangeFailures, ChangeOneFailures, IdempotencyHeader, ListFailures};
use crate::http::query::Parameters;
use crate::usecase::cancel_hold::{self, CancelHold};
use crate::usecase::list_reader_holds::list_reader_holds;
use crate::usecase::place_hold::{self, PlaceHold};
use crate::usecase::record::Consent;
use crate::usecase::view::{HoldOutcome, HoldView};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_my_holds, place_my_hold, cancel_my_hold))]
pub struct Document;

/// The holds of the reader who asks, or the open ones of a ward, the newest first, with their places in the queue.
#[utoipa::path(get, path = "/api/v1/me/holds", operation_id = "listMyHolds", tag = "me", params(MyBorrowingFilter),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of holds", body = PageBody<HoldView>), ListFailures))]
pub async fn list_my_holds(app: web::Data<App>, who: Readers, filter: Parameters<MyBorrowingFilter>) -> Answer {
    let (ward, which, page) = filter.0.asked();
    let caller = who.caller.acting_for(ward)?;
    let id = caller.itself()?;
    answer::ok(&PageBody::from(
        list_reader_holds(&app.store, &caller, id, which, page).await?,
    ))
}

/// What the reader who asks wants to wait for: any copy of a bib, of one volume of it, or one copy.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MyNewHold {
    bib_id: i64,
    /// This copy only.
    item_id: Option<i64>,
    /// Any copy of this volume or issue only; not together with `item_id`. At most 63 bytes.
    #[schema(value_type = Option<String>, max_length = 63, example = "第2卷")]
    volume: Option<Volume>,
    #[schema(value_type = String, max_length = 32, example = "B01")]
    pickup_unit_code: CodeText,
    /// It sleeps until this day of the network's zone.
    #[schema(value_type = Option<chrono::NaiveDate>)]
    not_before: Option<Day>,
    /// The last day it is wanted.
    #[schema(value_type = Option<chrono::NaiveDate>)]
    wanted_until: Option<Day>,
}

/// Places a hold for the reader who asks, or for a ward.
#[utoipa::path(post, path = "/api/v1/me/holds", operation_id = "placeMyHold", tag = "me",
    params(WardParameter, IdempotencyHeader),
    request_body = MyNewHold, security(("bearer" = [])),
    responses((status = 201, description = "The hold", body = HoldOutcome), ChangeFailures))]
pub async fn place_my_hold(
    app: web::Data<App>,
    who: Readers,
    whose: Parameters<WardParameter>,
    request: Changing<MyNewHold>,
) -> Answer {
    let hold = request.body;
    let command = PlaceHold {
        card_number: None,
        bib: BibId::new(hold.bib_id),
        item: hold.item_id.map(ItemId::new),
        volume: hold.volume,
        pickup_unit_code: hold.pickup_unit_code.into(),
        not_before: hold.not_before.map(|day| day.0),
        wanted_until: hold.wanted_until.map(|day| day.0),
        consent: Consent::default(),
    };
    let caller = who.caller.acting_for(whose.0.named())?;
    let placed = place_hold::place_hold(&app.store, &caller, command, request.key).await?;
    answer::created(&placed, None)
}

/// Cancels a hold of the reader who asks, or of a ward.
#[utoipa::path(delete, path = "/api/v1/me/holds/{id}", operation_id = "cancelMyHold", tag = "me",
    params(("id" = i64, Path), WardParameter, IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The hold", body = HoldOutcome), ChangeOneFailures))]
pub async fn cancel_my_hold(
    app: web::Data<App>,
    who: Readers,
    id: web::Path<i64>,
    whose: Parameters<WardParameter>,
    request: Changing<Nothing>,
) -> Answer {
    let command = CancelHold {
        hold: HoldId::new(*id),
        consent: Consent::default(),
    };
    let caller = who.caller.acting_for(whose.0.named())?;
    answer::done(&cancel_hold::cancel_hold(&app.store, &caller, command, request.key).await?)
}
