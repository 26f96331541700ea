//! Records of the catalogue as cataloguers make them, in MARC-in-JSON, and their versions.

use actix_web::web;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::catalogue::marc::Format;
use crate::domain::ids::BibId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesItems, Staff};
use crate::http::input::{Cursor, Limit, PageBody, page};
use crate::http::openapi::{ChangeFailures, ChangeVersionFailures, IdempotencyHeader, LookFailures};
use crate::http::precondition::{self, IfMatch, IfMatchHeader};
use crate::http::query::Parameters;
use crate::usecase::bib_version::{self, BibOutcome, BibRecord, BibVersionRecord, BibVersionView};
use crate::usecase::create_bib;
use crate::usecase::list_bib_versions;
use crate::usecase::update_bib::{self, UpdateBib};

#[derive(utoipa::OpenApi)]
#[openapi(paths(create_bib, update_bib, list_bib_versions, get_bib_version))]
pub struct Document;

/// The format of a record.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MarcFormat {
    Marc21,
    Cnmarc,
}

/// A record in MARC-in-JSON. Faults are named by their place: `fields[3].245.ind1`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarcRecord {
    format: MarcFormat,
    /// 24 characters; lengths and the base address are filled in.
    #[schema(min_length = 24, max_length = 24, example = "00000nam a2200000   4500")]
    leader: String,
    /// Each an object with the tag as its one member: a string for 001 to 009, else `ind1`, `ind2` and `subfields`.
    #[schema(value_type = Vec<Object>, min_items = 1, example = json!([
        {"001": "1"},
        {"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": "Kind of blue"}]}}
    ]))]
    fields: Vec<Value>,
}

impl From<MarcRecord> for BibRecord {
    fn from(record: MarcRecord) -> Self {
        Self {
            format: match record.format {
                MarcFormat::Marc21 => Format::Marc21,
                MarcFormat::Cnmarc => Format::Cnmarc,
            },
            leader: record.leader,
            fields: record.fields,
        }
    }
}

/// Adds a bib from a record.
#[utoipa::path(post, path = "/api/v1/bibs", operation_id = "createBib", tag = "bibs", params(IdempotencyHeader),
    request_body = MarcRecord, security(("bearer" = [])),
    responses(
        (status = 201, description = "The bib, and what is unusual in the record", body = BibOutcome,
            headers(("Location" = String, description = "Where it is"), ("ETag" = String, description = "Its version, for `If-Match`"))),
        ChangeFailures))]
pub async fn create_bib(app: web::Data<App>, who: ManagesItems, request: Changing<MarcRecord>) -> Answer {
    let made = create_bib::create_bib(&app.store, &who.caller, request.body.into(), request.key).await?;
    let location = format!("/api/v1/bibs/{}", made.value.bib.id);
    precondition::tagged(answer::created(&made, Some(location)), made.value.bib.version)
}

/// Replaces a bib's record, made from the version named in `If-Match`. The replaced version is kept.
#[utoipa::path(put, path = "/api/v1/bibs/{id}", operation_id = "updateBib", tag = "bibs",
    params(("id" = i64, Path), IfMatchHeader, IdempotencyHeader),
    request_body = MarcRecord, security(("bearer" = [])),
    responses(
        (status = 200, description = "The bib, and what is unusual in the record", body = BibOutcome,
            headers(("ETag" = String, description = "Its version now, for `If-Match`"))),
        ChangeVersionFailures))]
pub async fn update_bib(
    app: web::Data<App>,
    who: ManagesItems,
    id: web::Path<i64>,
    seen: IfMatch,
    request: Changing<MarcRecord>,
) -> Answer {
    let command = UpdateBib {
        bib: BibId::new(*id),
        seen: seen.0,
        record: request.body.into(),
    };
    let changed = update_bib::update_bib(&app.store, &who.caller, command, request.key).await?;
    precondition::tagged(answer::done(&changed), changed.value.bib.version)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VersionsPage {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// The versions of a bib's record, the newest first.
#[utoipa::path(get, path = "/api/v1/bibs/{id}/versions", operation_id = "listBibVersions", tag = "bibs",
    params(("id" = i64, Path), VersionsPage), security(("bearer" = [])),
    responses((status = 200, description = "A page of versions", body = PageBody<BibVersionView>), LookFailures))]
pub async fn list_bib_versions(
    app: web::Data<App>,
    who: Staff,
    id: web::Path<i64>,
    asked: Parameters<VersionsPage>,
) -> Answer {
    let page = page(asked.0.cursor, asked.0.limit);
    let versions = list_bib_versions::list_bib_versions(&app.store, &who.caller, BibId::new(*id), page).await?;
    answer::ok(&PageBody::from(versions))
}

/// One version with its record.
#[utoipa::path(get, path = "/api/v1/bibs/{id}/versions/{version}", operation_id = "getBibVersion", tag = "bibs",
    params(("id" = i64, Path), ("version" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, description = "The version", body = BibVersionRecord), LookFailures))]
pub async fn get_bib_version(app: web::Data<App>, who: Staff, path: web::Path<(i64, i64)>) -> Answer {
    let (id, version) = path.into_inner();
    answer::ok(&bib_version::get_bib_version(&app.store, &who.caller, BibId::new(id), version).await?)
}
