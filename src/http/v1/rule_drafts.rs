//! Rules in the making: drafts, what is wrong with them, and publishing them.

use actix_web::web;
use serde::{Deserialize, Deserializer, de};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::rules_layer::MAX_SOURCE_BYTES;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, DraftsRules, Nothing, PublishesRules, Staff};
use crate::http::input::{CodeText, Cursor, Limit, Moment, PageBody, Text, page, text};
use crate::http::openapi::{
    ChangeFailures, ChangeVersionFailures, IdempotencyHeader, ListFailures, LookFailures, LookWithFailures,
};
use crate::http::precondition::{self, IfMatch, IfMatchHeader};
use crate::http::query::Parameters;
use crate::usecase::create_rule_draft::{self, CreateRuleDraft};
use crate::usecase::list_rule_drafts;
use crate::usecase::publish_rule_set::{self, PublishRuleSet};
use crate::usecase::rule_view::{PublishedView, RuleDraftLine, RuleDraftView, RuleValidationView};
use crate::usecase::update_rule_draft::{self, UpdateRuleDraft};
use crate::usecase::validate_rule_draft;

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    create_rule_draft,
    list_rule_drafts,
    get_rule_draft,
    update_rule_draft,
    discard_rule_draft,
    validate_rule_draft,
    publish_rule_set
))]
pub struct Document;

/// A document of rules: bounded, without control characters but tabs and line breaks. It may be empty.
#[derive(Debug)]
struct TomlText(String);

impl<'de> Deserialize<'de> for TomlText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() > MAX_SOURCE_BYTES {
            let reason = format!("has {} bytes, at most {MAX_SOURCE_BYTES} are allowed", text.len());
            return Err(de::Error::custom(reason));
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(de::Error::custom("has a control character"));
        }
        Ok(Self(text))
    }
}

/// A new draft.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRuleDraft {
    /// Whose rules; the network's by default.
    #[schema(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
    /// The version to begin with; by default the one in force. Not with `toml`.
    #[schema(example = 1)]
    from_version: Option<i64>,
    /// The text to begin with.
    #[schema(value_type = Option<String>, max_length = 131_072, example = "[[limit]]\nkind = \"loans\"\nmax = 10\n")]
    toml: Option<TomlText>,
    /// What it is for.
    #[schema(value_type = Option<String>, max_length = 500, example = "期刊借期改为 21 天")]
    note: Option<Text<500>>,
}

/// Begins a draft of rules, from a published version or from a text. It may be wrong while somebody works on it.
#[utoipa::path(post, path = "/api/v1/rule-drafts", operation_id = "createRuleDraft", tag = "rules",
    params(IdempotencyHeader), request_body = NewRuleDraft, security(("bearer" = [])),
    responses((status = 201, description = "The draft", body = RuleDraftView,
        headers(("Location" = String), ("ETag" = String, description = "Its revision, for `If-Match`"))), ChangeFailures))]
pub async fn create_rule_draft(app: web::Data<App>, who: DraftsRules, request: Changing<NewRuleDraft>) -> Answer {
    let NewRuleDraft {
        unit_code,
        from_version,
        toml,
        note,
    } = request.body;
    let command = CreateRuleDraft {
        unit_code: text(unit_code),
        from_version,
        toml: toml.map(|toml| toml.0),
        note: text(note).unwrap_or_default(),
    };
    let draft = create_rule_draft::create_rule_draft(&app.store, &who.caller, command, request.key).await?;
    let location = format!("/api/v1/rule-drafts/{}", draft.value.line.id);
    precondition::tagged(answer::created(&draft, Some(location)), draft.value.line.revision)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DraftsPage {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// The drafts that the caller may work on, in the order of their ids.
#[utoipa::path(get, path = "/api/v1/rule-drafts", operation_id = "listRuleDrafts", tag = "rules", params(DraftsPage),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of drafts", body = PageBody<RuleDraftLine>), ListFailures))]
pub async fn list_rule_drafts(app: web::Data<App>, who: Staff, asked: Parameters<DraftsPage>) -> Answer {
    let page = page(asked.0.cursor, asked.0.limit);
    let drafts = list_rule_drafts::list_rule_drafts(&app.store, &who.caller, page).await?;
    answer::ok(&PageBody::from(drafts))
}

/// One draft with its text.
#[utoipa::path(get, path = "/api/v1/rule-drafts/{id}", operation_id = "getRuleDraft", tag = "rules",
    params(("id" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, description = "The draft", body = RuleDraftView,
        headers(("ETag" = String, description = "Its revision, for `If-Match`"))), LookFailures))]
pub async fn get_rule_draft(app: web::Data<App>, who: Staff, id: web::Path<i64>) -> Answer {
    let draft = list_rule_drafts::get_rule_draft(&app.store, &who.caller, *id).await?;
    precondition::tagged(answer::ok(&draft), draft.line.revision)
}

/// Another text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleDraftChange {
    /// The whole text.
    #[schema(value_type = String, max_length = 131_072, example = "[[limit]]\nkind = \"loans\"\nmax = 12\n")]
    toml: TomlText,
    /// What it is for; left out it stays.
    #[schema(value_type = Option<String>, max_length = 500, example = "期刊借期改为 21 天")]
    note: Option<Text<500>>,
    /// The newest version of the rules its editor has looked at; left out it stays.
    #[schema(example = 7)]
    base_version: Option<i64>,
}

/// Replaces the text of a draft, made from the revision named in `If-Match`.
#[utoipa::path(put, path = "/api/v1/rule-drafts/{id}", operation_id = "updateRuleDraft", tag = "rules",
    params(("id" = i64, Path), IfMatchHeader, IdempotencyHeader), request_body = RuleDraftChange,
    security(("bearer" = [])),
    responses((status = 200, description = "The draft", body = RuleDraftView,
        headers(("ETag" = String, description = "Its revision now, for `If-Match`"))), ChangeVersionFailures))]
pub async fn update_rule_draft(
    app: web::Data<App>,
    who: DraftsRules,
    id: web::Path<i64>,
    seen: IfMatch,
    request: Changing<RuleDraftChange>,
) -> Answer {
    let command = UpdateRuleDraft {
        draft: *id,
        seen: seen.0,
        toml: request.body.toml.0,
        note: text(request.body.note),
        base_version: request.body.base_version,
    };
    let draft = update_rule_draft::update_rule_draft(&app.store, &who.caller, command, request.key).await?;
    precondition::tagged(answer::done(&draft), draft.value.line.revision)
}

/// Throws a draft away, at the revision named in `If-Match`.
#[utoipa::path(delete, path = "/api/v1/rule-drafts/{id}", operation_id = "discardRuleDraft", tag = "rules",
    params(("id" = i64, Path), IfMatchHeader, IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The draft, as it was", body = RuleDraftView), ChangeVersionFailures))]
pub async fn discard_rule_draft(
    app: web::Data<App>,
    who: DraftsRules,
    id: web::Path<i64>,
    seen: IfMatch,
    request: Changing<Nothing>,
) -> Answer {
    let gone = update_rule_draft::discard_rule_draft(&app.store, &who.caller, (*id, seen.0), request.key).await?;
    answer::done(&gone)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FromWhen {
    /// As if it took effect then; now by default.
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>, example = "2026-04-01T00:00:00Z")]
    effective_from: Option<Moment>,
}

/// Every fault of a draft at once, and what looks wrong and may be meant. Changes nothing.
#[utoipa::path(get, path = "/api/v1/rule-drafts/{id}/validation", operation_id = "validateRuleDraft", tag = "rules",
    params(("id" = i64, Path), FromWhen), security(("bearer" = [])),
    responses((status = 200, description = "The judgement", body = RuleValidationView), LookWithFailures))]
pub async fn validate_rule_draft(
    app: web::Data<App>,
    who: Staff,
    id: web::Path<i64>,
    asked: Parameters<FromWhen>,
) -> Answer {
    let from = asked.0.effective_from.map(|moment| moment.0);
    answer::ok(&validate_rule_draft::validate_rule_draft(&app.store, &who.caller, *id, from).await?)
}

/// From when on, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// When it takes effect, never in the past; at once by default (UTC).
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>, example = "2026-04-01T00:00:00Z")]
    effective_from: Option<Moment>,
    /// Why; by default what the draft says.
    #[schema(value_type = Option<String>, max_length = 500, example = "馆长办公会 2026 年第 3 次会议")]
    note: Option<Text<500>>,
}

/// Publishes a draft at the revision named in `If-Match`: from a moment on it decides. Loans that exist stay as they are.
#[utoipa::path(post, path = "/api/v1/rule-drafts/{id}/publication", operation_id = "publishRules", tag = "rules",
    params(("id" = i64, Path), IfMatchHeader, IdempotencyHeader), request_body = Publication,
    security(("bearer" = [])),
    responses((status = 201, description = "The new version, and what looks wrong in it", body = PublishedView,
        headers(("Location" = String))), ChangeVersionFailures))]
pub async fn publish_rule_set(
    app: web::Data<App>,
    who: PublishesRules,
    id: web::Path<i64>,
    seen: IfMatch,
    request: Changing<Publication>,
) -> Answer {
    let command = PublishRuleSet {
        draft: *id,
        seen: seen.0,
        effective_from: request.body.effective_from.map(|moment| moment.0),
        note: text(request.body.note),
    };
    let set = publish_rule_set::publish_rule_set(&app.store, &who.caller, command, request.key).await?;
    let location = format!("/api/v1/rule-sets/{}", set.value.rule_set.version);
    answer::created(&set, Some(location))
}
