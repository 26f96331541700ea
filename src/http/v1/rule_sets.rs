//! Published rules: their versions, their text, and going back.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Nothing, PublishesRules, Staff};
use crate::http::input::{CodeText, Cursor, Limit, PageBody, Text, page, text};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, ListFailures, LookFailures};
use crate::http::query::Parameters;
use crate::usecase::list_rule_sets;
use crate::usecase::roll_back_rules::{self, RollBackRules};
use crate::usecase::rule_view::{PublishedView, RuleSetLine, RuleSetView};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_rule_sets, get_rule_set, export_rule_set, roll_back_rules, withdraw_rule_set))]
pub struct Document;

/// The media type of a document of rules.
pub const TOML: &str = "application/toml";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RuleSetFilter {
    /// Only changes of this unit's own rules; the root's code: of the network's.
    #[param(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// The published changes of the rules, the newest first.
#[utoipa::path(get, path = "/api/v1/rule-sets", operation_id = "listRuleSets", tag = "rules", params(RuleSetFilter),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of versions", body = PageBody<RuleSetLine>), ListFailures))]
pub async fn list_rule_sets(app: web::Data<App>, who: Staff, filter: Parameters<RuleSetFilter>) -> Answer {
    let RuleSetFilter {
        unit_code,
        cursor,
        limit,
    } = filter.0;
    let page = page(cursor, limit);
    let sets = list_rule_sets::list_rule_sets(&app.store, &who.caller, text(unit_code), page).await?;
    answer::ok(&PageBody::from(sets))
}

/// The whole set in force from a version on: the network's rows, and those units added.
#[utoipa::path(get, path = "/api/v1/rule-sets/{version}", operation_id = "getRuleSet", tag = "rules",
    params(("version" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, description = "The set", body = RuleSetView),
        (status = 409, description = "It was withdrawn before it took effect", body = crate::http::problem::ProblemBody,
            content_type = "application/problem+json"),
        LookFailures))]
pub async fn get_rule_set(app: web::Data<App>, who: Staff, version: web::Path<i64>) -> Answer {
    answer::ok(&list_rule_sets::get_rule_set(&app.store, &who.caller, *version).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhoseRules {
    /// Whose rules; the network's by default.
    #[param(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
}

/// The document of the network's rules, or of a unit's own, in a set: TOML as it was written. Empty where a unit had none.
#[utoipa::path(get, path = "/api/v1/rule-sets/{version}/toml", operation_id = "exportRuleSet", tag = "rules",
    params(("version" = i64, Path), WhoseRules), security(("bearer" = [])),
    responses((status = 200, description = "The document", body = String, content_type = "application/toml"),
        (status = 422, description = "No unit has this code", body = crate::http::problem::ProblemBody,
            content_type = "application/problem+json"),
        LookFailures))]
pub async fn export_rule_set(
    app: web::Data<App>,
    who: Staff,
    version: web::Path<i64>,
    whose: Parameters<WhoseRules>,
) -> Answer {
    let unit = text(whose.0.unit_code);
    let toml = list_rule_sets::export_rule_set(&app.store, &who.caller, Some(*version), unit).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type(TOML)
        .body(toml))
}

/// Back to a version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollBack {
    /// Whose rules; the network's by default.
    #[schema(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
    /// Why.
    #[schema(value_type = String, max_length = 500, example = "21 天太短，读者意见大")]
    note: Text<500>,
}

/// Publishes what the rules said in a version anew, at once. Loans that exist stay as they are.
#[utoipa::path(post, path = "/api/v1/rule-sets/{version}/roll-back", operation_id = "rollBackRules", tag = "rules",
    params(("version" = i64, Path), IdempotencyHeader), request_body = RollBack, security(("bearer" = [])),
    responses((status = 201, description = "The new version", body = PublishedView, headers(("Location" = String))),
        ChangeOneFailures))]
pub async fn roll_back_rules(
    app: web::Data<App>,
    who: PublishesRules,
    version: web::Path<i64>,
    request: Changing<RollBack>,
) -> Answer {
    let command = RollBackRules {
        to_version: *version,
        unit_code: text(request.body.unit_code),
        note: request.body.note.into(),
    };
    let set = roll_back_rules::roll_back_rules(&app.store, &who.caller, command, request.key).await?;
    let location = format!("/api/v1/rule-sets/{}", set.value.rule_set.version);
    answer::created(&set, Some(location))
}

/// Takes a version back that is not in force yet.
#[utoipa::path(delete, path = "/api/v1/rule-sets/{version}", operation_id = "withdrawRuleSet", tag = "rules",
    params(("version" = i64, Path), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The version, withdrawn", body = PublishedView), ChangeOneFailures))]
pub async fn withdraw_rule_set(
    app: web::Data<App>,
    who: PublishesRules,
    version: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    let gone = roll_back_rules::withdraw_rule_set(&app.store, &who.caller, *version, request.key).await?;
    answer::done(&gone)
}
