//! Units' own words for notices.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::notice::{Language, NoticeKind};
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesUnits, Nothing};
use crate::http::input::Text;
use crate::http::openapi::{ChangeOneFailures, ChangeSeenFailures, IdempotencyHeader, LookFailures};
use crate::http::precondition::{self, IfMatchGiven, IfMatchGivenHeader};
use crate::letter::{SOURCE_BYTES, Template};
use crate::usecase::UseCaseError;
use crate::usecase::content_version::content_version;
use crate::usecase::set_notice_template::{self, LetterView, NoticeTemplateView, SetNoticeTemplate, TemplatePlace};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    get_notice_template,
    set_notice_template,
    reset_notice_template,
    preview_notice_template
))]
pub struct Document;

type Place = web::Path<(String, String, String)>;

fn place(path: Place) -> Result<TemplatePlace, UseCaseError> {
    let (unit_code, kind, language) = path.into_inner();
    Ok(TemplatePlace {
        unit_code,
        kind: NoticeKind::from_code(&kind).ok_or(UseCaseError::NotFound("kind of notice"))?,
        language: Language::from_code(&language).ok_or(UseCaseError::NotFound("language of notices"))?,
    })
}

/// A template in the language of Jinja, with loops and conditions only (see docs/NOTICES.md for the members).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateSource {
    /// One line.
    #[schema(value_type = String, max_length = 500, example = "您有{{ count }}册图书即将到期")]
    subject: Text<500>,
    /// Plain text.
    #[schema(value_type = String, max_length = 16384, example = "{{ reader.name }}，您好")]
    text: Text<SOURCE_BYTES>,
    /// HTML; what is put in is escaped.
    #[schema(value_type = String, max_length = 16384, example = "<p>{{ reader.name }}，您好</p>")]
    html: Text<SOURCE_BYTES>,
}

impl From<TemplateSource> for Template {
    fn from(source: TemplateSource) -> Self {
        Self {
            subject: source.subject.into(),
            text: source.text.into(),
            html: source.html.into(),
        }
    }
}

/// The template that counts for a unit.
#[utoipa::path(get, path = "/api/v1/units/{code}/notice-templates/{kind}/{language}", operation_id = "getNoticeTemplate",
    tag = "units",
    params(("code" = String, Path, description = "The unit's code"), ("kind" = String, Path, description = "The kind of notice"),
        ("language" = String, Path, description = "`zh-CN` or `en`")),
    security(("bearer" = [])),
    responses((status = 200, description = "The template", body = NoticeTemplateView), LookFailures))]
pub async fn get_notice_template(app: web::Data<App>, who: ManagesUnits, path: Place) -> Answer {
    let view = set_notice_template::get_notice_template(&app.store, &who.caller, place(path)?).await?;
    precondition::tagged(answer::ok(&view), content_version(&view)?)
}

/// Gives a unit, and what is below it, a template of its own. One that does not render is refused, and the one before stays.
#[utoipa::path(put, path = "/api/v1/units/{code}/notice-templates/{kind}/{language}", operation_id = "setNoticeTemplate",
    tag = "units",
    params(("code" = String, Path, description = "The unit's code"), ("kind" = String, Path, description = "The kind of notice"),
        ("language" = String, Path, description = "`zh-CN` or `en`"), IdempotencyHeader, IfMatchGivenHeader),
    request_body = TemplateSource, security(("bearer" = [])),
    responses((status = 200, description = "The template", body = NoticeTemplateView), ChangeSeenFailures))]
pub async fn set_notice_template(
    app: web::Data<App>,
    who: ManagesUnits,
    path: Place,
    seen: IfMatchGiven,
    request: Changing<TemplateSource>,
) -> Answer {
    let command = SetNoticeTemplate {
        place: place(path)?,
        template: Some(request.body.into()),
        seen: seen.0,
    };
    let set = set_notice_template::set_notice_template(&app.store, &who.caller, command, request.key).await?;
    precondition::tagged(answer::done(&set), content_version(&set.value)?)
}

/// Takes a unit's own template back: what counts above it counts again.
#[utoipa::path(delete, path = "/api/v1/units/{code}/notice-templates/{kind}/{language}", operation_id = "resetNoticeTemplate",
    tag = "units",
    params(("code" = String, Path, description = "The unit's code"), ("kind" = String, Path, description = "The kind of notice"),
        ("language" = String, Path, description = "`zh-CN` or `en`"), IdempotencyHeader, IfMatchGivenHeader),
    security(("bearer" = [])),
    responses((status = 200, description = "The template that counts now", body = NoticeTemplateView), ChangeSeenFailures))]
pub async fn reset_notice_template(
    app: web::Data<App>,
    who: ManagesUnits,
    path: Place,
    seen: IfMatchGiven,
    request: Changing<Nothing>,
) -> Answer {
    let command = SetNoticeTemplate {
        place: place(path)?,
        template: None,
        seen: seen.0,
    };
    let set = set_notice_template::set_notice_template(&app.store, &who.caller, command, request.key).await?;
    precondition::tagged(answer::done(&set), content_version(&set.value)?)
}

/// What is to be tried.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateTrial {
    /// A template that is not saved; absent: the one that counts.
    template: Option<TemplateSource>,
}

/// Shows what an example becomes of a template, without saving it.
#[utoipa::path(post, path = "/api/v1/units/{code}/notice-templates/{kind}/{language}/preview",
    operation_id = "previewNoticeTemplate", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), ("kind" = String, Path, description = "The kind of notice"),
        ("language" = String, Path, description = "`zh-CN` or `en`")),
    request_body = TemplateTrial, security(("bearer" = [])),
    responses((status = 200, description = "The letter", body = LetterView), ChangeOneFailures))]
pub async fn preview_notice_template(
    app: web::Data<App>,
    who: ManagesUnits,
    path: Place,
    request: Changing<TemplateTrial>,
) -> Answer {
    let template = request.body.template.map(Template::from);
    let place = place(path)?;
    answer::ok(&set_notice_template::preview_notice_template(&app.store, &who.caller, place, template).await?)
}
