//! What is changed of readers as persons: the ID number, and two rows that are one.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::ids::ReaderId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, MergesReaders, RegistersReaders};
use crate::http::input::{Remark, Secret, text};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader};
use crate::usecase::merge_readers::{self, MergeReaders, MergedReaders};
use crate::usecase::record_id_number::{self, IdNumberRecorded, RecordIdNumber};

#[derive(utoipa::OpenApi)]
#[openapi(paths(record_id_number, merge_readers))]
pub struct Document;

/// What identifies a reader.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdNumber {
    /// 公民身份号码 (GB 11643): 18 characters, or the 15 digits of before 1999. Kept as a keyed hash and a sealed text only.
    #[schema(value_type = String, format = Password, min_length = 15, max_length = 32, example = "11010519491231002X")]
    id_number: Secret,
    /// Where another number is recorded: why that one is wrong. Kept with the event.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500, example = "录入时读错一位")]
    correction: Option<Remark<500>>,
}

/// Records the ID number of a reader who was registered without one, or, with a `correction`, the right one in the place of one that was
/// read wrongly: then the day of birth follows it, and credentials made of the number before are cancelled.
#[utoipa::path(put, path = "/api/v1/readers/{id}/id-number", operation_id = "recordIdNumber", tag = "readers",
    params(("id" = i64, Path, description = "The reader's id"), IdempotencyHeader),
    request_body = IdNumber, security(("bearer" = [])),
    responses((status = 200, description = "It is recorded", body = IdNumberRecorded), ChangeOneFailures))]
pub async fn record_id_number(
    app: web::Data<App>,
    who: RegistersReaders,
    id: web::Path<i64>,
    request: Changing<IdNumber>,
) -> Answer {
    let command = RecordIdNumber {
        reader: ReaderId::new(*id),
        id_number: request.body.id_number.0,
        correction: text(request.body.correction),
    };
    answer::done(&record_id_number::record_id_number(&app.store, &who.caller, command, request.key).await?)
}

/// Who is the same person, and how that is known.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReaderMerge {
    /// The reader whose loans, holds, cards and history go to the one in the address.
    #[schema(example = 1042)]
    duplicate_id: i64,
    /// Kept with the document.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "同一读者在两馆分别办证,身份证核对一致")]
    reason: Remark<500>,
}

/// Makes one reader of two that are the same person; the one in the address stays. The other keeps its number and says who stands
/// for it. Nothing is lost: loans, holds, cards and history are the other's from now on.
#[utoipa::path(post, path = "/api/v1/readers/{id}/merges", operation_id = "mergeReaders", tag = "readers",
    params(("id" = i64, Path, description = "The id of the reader who stays"), IdempotencyHeader),
    request_body = ReaderMerge, security(("bearer" = [])),
    responses((status = 200, description = "What was moved", body = MergedReaders), ChangeOneFailures))]
pub async fn merge_readers(
    app: web::Data<App>,
    who: MergesReaders,
    id: web::Path<i64>,
    request: Changing<ReaderMerge>,
) -> Answer {
    let command = MergeReaders {
        survivor: ReaderId::new(*id),
        duplicate: ReaderId::new(request.body.duplicate_id),
        reason: request.body.reason.into(),
    };
    answer::done(&merge_readers::merge_readers(&app.store, &who.caller, command, request.key).await?)
}
