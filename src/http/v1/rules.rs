//! Which rule, and why.

use actix_web::web;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::domain::barcode::Barcode;
use crate::http::answer::{self, Answer};
use crate::http::extract::People;
use crate::http::input::{CardInAddress, CodeText, text};
use crate::http::openapi::ListFailures;
use crate::http::query::Parameters;
use crate::usecase::explain_rule::{self, ExplainRule};
use crate::usecase::explain_view::ExplanationView;

#[derive(utoipa::OpenApi)]
#[openapi(paths(explain_rule))]
pub struct Document;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SituationQuery {
    /// The reader; or `category` and `credit_band`. A reader who asks leaves all three out.
    #[param(value_type = Option<String>, max_length = 64)]
    card_number: Option<CardInAddress>,
    #[param(value_type = Option<String>, max_length = 32, example = "adult")]
    category: Option<CodeText>,
    /// `a`, `b` (by default), `c` or `frozen`.
    #[param(value_type = Option<String>, max_length = 32)]
    credit_band: Option<CodeText>,
    /// The item; or `item_type` and `owner_unit_code`.
    #[param(value_type = Option<String>, max_length = 64)]
    item_barcode: Option<Barcode>,
    #[param(value_type = Option<String>, max_length = 32, example = "book")]
    item_type: Option<CodeText>,
    /// The owner; with a barcode only where several owners have it.
    #[param(value_type = Option<String>, max_length = 32)]
    owner_unit_code: Option<CodeText>,
    /// The place of the act; by default the unit where the caller works.
    #[param(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
    /// `desk` (by default), `kiosk`, `locker`, `drop`, `portal` or `mobile`.
    #[param(value_type = Option<String>, max_length = 32)]
    channel: Option<CodeText>,
}

/// Which row of terms wins for a situation, why the others lose, and how every limit stands. Readers ask about themselves.
#[utoipa::path(get, path = "/api/v1/rules/explain", operation_id = "explainRule", tag = "rules",
    params(SituationQuery), security(("bearer" = [])),
    responses((status = 200, description = "The explanation", body = ExplanationView), ListFailures))]
pub async fn explain_rule(app: web::Data<App>, who: People, query: Parameters<SituationQuery>) -> Answer {
    let SituationQuery {
        card_number,
        category,
        credit_band,
        item_barcode,
        item_type,
        owner_unit_code,
        unit_code,
        channel,
    } = query.0;
    let query = ExplainRule {
        card_number: card_number.map(|card| card.0),
        category: text(category),
        credit_band: text(credit_band),
        item_barcode,
        item_type: text(item_type),
        owner_unit_code: text(owner_unit_code),
        unit_code: text(unit_code),
        channel: text(channel),
    };
    answer::ok(&explain_rule::explain_rule(&app.store, &who.caller, query).await?)
}
