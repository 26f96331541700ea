//! Bibs that turn out to be one.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::ids::BibId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesItems};
use crate::http::input::{Text, text};
use crate::http::openapi::{ChangeVersionFailures, IdempotencyHeader};
use crate::http::precondition::{self, IfMatch, IfMatchHeader};
use crate::usecase::merge_bibs::{self, MergeBibs, MergeOutcome};

#[derive(utoipa::OpenApi)]
#[openapi(paths(merge_bibs))]
pub struct Document;

/// Duplicates of a bib.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BibMerge {
    /// Numbers of the bibs that are the same as this one, each once.
    #[schema(min_items = 1, max_items = 20, example = json!([1043, 1044]))]
    duplicates: Vec<i64>,
    /// Why, for those who look later.
    #[schema(value_type = Option<String>, max_length = 500, example = "同一版本重复编目")]
    reason: Option<Text<500>>,
    /// Decide only; change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Merges duplicates into this bib. Their items, open holds and open loans go to it; they stay readable by their number, with
/// `merged_into`, and look-ups by ISBN and control number lead here. `If-Match` names the version of this bib that was seen.
#[utoipa::path(post, path = "/api/v1/bibs/{id}/merges", operation_id = "mergeBibs", tag = "bibs",
    params(("id" = i64, Path), IfMatchHeader, IdempotencyHeader), request_body = BibMerge, security(("bearer" = [])),
    responses(
        (status = 200, description = "What was done, or would be", body = MergeOutcome,
            headers(("ETag" = String, description = "Its version, which a merge does not change"))),
        ChangeVersionFailures))]
pub async fn merge_bibs(
    app: web::Data<App>,
    who: ManagesItems,
    id: web::Path<i64>,
    seen: IfMatch,
    request: Changing<BibMerge>,
) -> Answer {
    let BibMerge {
        duplicates,
        reason,
        dry_run,
    } = request.body;
    let command = MergeBibs {
        survivor: BibId::new(*id),
        seen: seen.0,
        duplicates: duplicates.into_iter().map(BibId::new).collect(),
        reason: text(reason),
        dry_run,
    };
    let merged = merge_bibs::merge_bibs(&app.store, &who.caller, command, request.key).await?;
    precondition::tagged(answer::done(&merged), merged.value.bib.version)
}
