//! Who I am, and for whom I answer.

use actix_web::web;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::domain::ids::ReaderId;
use crate::http::answer::{self, Answer};
use crate::http::extract::Readers;
use crate::http::input::{Cursor, Limit, PageBody, page};
use crate::http::openapi::{ListFailures, LookFailures};
use crate::http::query::Parameters;
use crate::usecase::UseCaseError;
use crate::usecase::get_reader::{self, ReaderView};
use crate::usecase::list_my_guardian_acts::{self, GuardianActView};
use crate::usecase::list_my_wards::{self, WardView};

#[derive(utoipa::OpenApi)]
#[openapi(paths(get_me, list_my_wards, list_my_guardian_acts))]
pub struct Document;

/// The reader who asks, with the cards.
#[utoipa::path(get, path = "/api/v1/me", operation_id = "getMe", tag = "me", security(("bearer" = [])),
    responses((status = 200, description = "The reader", body = ReaderView), LookFailures))]
pub async fn get_me(app: web::Data<App>, who: Readers) -> Answer {
    let id = who.caller.reader().ok_or(UseCaseError::Forbidden)?;
    answer::ok(&get_reader::get_reader(&app.store, &who.caller, id).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WardFilter {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// The readers for whom the reader who asks answers, with what they have borrowed.
#[utoipa::path(get, path = "/api/v1/me/wards", operation_id = "listMyWards", tag = "me", params(WardFilter),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of wards", body = PageBody<WardView>), ListFailures))]
pub async fn list_my_wards(app: web::Data<App>, who: Readers, filter: Parameters<WardFilter>) -> Answer {
    let asked = page(filter.0.cursor, filter.0.limit);
    let wards = list_my_wards::list_my_wards(&app.store, &who.caller, asked).await?;
    answer::ok(&PageBody::from(wards))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GuardianActFilter {
    /// The number of a ward for whom the reader who asks may act (`listMyWards`); without it what was done for the reader itself.
    #[param(example = 1051)]
    ward: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// What guardians did for the reader who asks, or for a ward, the latest first; some seconds after it was done.
#[utoipa::path(get, path = "/api/v1/me/guardian-acts", operation_id = "listMyGuardianActs", tag = "me",
    params(GuardianActFilter), security(("bearer" = [])),
    responses((status = 200, description = "A page of acts", body = PageBody<GuardianActView>), ListFailures))]
pub async fn list_my_guardian_acts(app: web::Data<App>, who: Readers, filter: Parameters<GuardianActFilter>) -> Answer {
    let asked = page(filter.0.cursor, filter.0.limit);
    let caller = who.caller.acting_for(filter.0.ward.map(ReaderId::new))?;
    let acts = list_my_guardian_acts::list_my_guardian_acts(&app.store, &caller, asked).await?;
    answer::ok(&PageBody::from(acts))
}
