//! What a device did while nobody answered: uploaded entry by entry; and what of it is not believed.

use actix_web::web::{self, ServiceConfig, get, post, resource};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::ids::DeviceId;
use crate::domain::journal::Settlement;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Operates, SettlesMachines};
use crate::http::input::{CodeText, Cursor, Limit, List, Moment, PageBody, Remark, Text, page, text};
use crate::http::openapi::{ChangeFailures, ChangeOneFailures, IdempotencyHeader, ListFailures, LookFailures};
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::usecase::UseCaseError;
use crate::usecase::journal_cursor::{self, JournalsStand};
use crate::usecase::list_quarantine::{self, ListQuarantine, QuarantineView};
use crate::usecase::settle_quarantine::{self, SettleQuarantine};
use crate::usecase::upload_journal::{self, JournalUploaded, MAX_ENTRIES, SentEntry, UploadJournal};

/// The largest number of an entry.
const MAX_SEQUENCE: u64 = (1 << 53) - 1;

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    upload_journal,
    get_journal_cursor,
    upload_device_journal,
    get_device_journal,
    list_quarantine,
    settle_quarantine
))]
pub struct Document;

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            resource("/device/journal")
                .route(get().to(get_journal_cursor))
                .route(post().to(upload_journal)),
        )
        .service(
            resource("/devices/{id}/journal")
                .route(get().to(get_device_journal))
                .route(post().to(upload_device_journal)),
        )
        .service(resource("/journal-quarantine").route(get().to(list_quarantine)))
        .service(resource("/journal-quarantine/{id}/settlement").route(post().to(settle_quarantine)));
}

/// One entry of a journal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JournalEntry {
    /// Its number, without gaps.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64, example = 4711)]
    sequence: u64,
    /// The key it is signed with.
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "_oEsEvOr")]
    key_id: Text<64>,
    /// What was done, as text: it is signed as it stands. docs/OFFLINE.md says what it holds.
    #[schema(
        example = "{\"kind\":\"check_in\",\"at\":\"2026-03-04T04:00:00Z\",\"item\":{\"tag\":\"E0040150000004A1\"}}"
    )]
    body: String,
    /// Ed25519 in base64url, of `tongjie-journal-1`, device code, journal, sequence and body, each on a line.
    #[schema(value_type = String, min_length = 1, max_length = 128, example = "iMeFBvKM4LVZn6aeZmAz…")]
    signature: Text<128>,
}

/// What a device did, in the order in which it did it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JournalUpload {
    /// Which; another one after the memory was replaced.
    #[schema(minimum = 1, maximum = 4_294_967_295_u32, example = 1)]
    journal: u32,
    /// The device's clock at this moment (RFC 3339).
    #[schema(value_type = chrono::DateTime<chrono::Utc>, example = "2026-03-04T08:15:00Z")]
    sent_at: Moment,
    /// Up to 200; none to ask where it stands.
    #[schema(value_type = Vec<JournalEntry>, max_items = 200)]
    entries: List<JournalEntry, 0, MAX_ENTRIES>,
}

impl JournalUpload {
    fn parsed(self) -> Result<UploadJournal, Problem> {
        if self.journal == 0 {
            return Err(UseCaseError::field("journal", "must be 1 or more").into());
        }
        let entries = self.entries.0.into_iter().enumerate().map(|(place, entry)| {
            if !(1..=MAX_SEQUENCE).contains(&entry.sequence) {
                let field = format!("entries[{place}].sequence");
                return Err(UseCaseError::field(field, "must be 1 or more, and less than 2^53"));
            }
            Ok(SentEntry {
                sequence: entry.sequence.cast_signed(),
                key_id: entry.key_id.into(),
                body: entry.body,
                signature: entry.signature.into(),
            })
        });
        Ok(UploadJournal {
            journal: i64::from(self.journal),
            sent_at: self.sent_at.0,
            entries: entries.collect::<Result<_, _>>()?,
        })
    }
}

/// Tells what the device did without the network. Never refused for what it says: each entry gets a verdict. Takes no idempotency
/// key: an entry is known by its number, and one that is sent again is answered as before.
#[utoipa::path(post, path = "/api/v1/device/journal", operation_id = "uploadJournal", tag = "devices",
    request_body = JournalUpload, security(("bearer" = [])),
    responses((status = 200, description = "What became of each entry", body = JournalUploaded), ChangeFailures))]
pub async fn upload_journal(app: web::Data<App>, who: Operates, request: Changing<JournalUpload>) -> Answer {
    let upload = request.body.parsed()?;
    answer::ok(&upload_journal::upload_journal(&app.store, &app.cards, &who.caller, upload).await?)
}

/// Says where the device's journals stand.
#[utoipa::path(get, path = "/api/v1/device/journal", operation_id = "getJournalCursor", tag = "devices",
    security(("bearer" = [])),
    responses((status = 200, description = "Every journal, the newest last", body = JournalsStand), ListFailures))]
pub async fn get_journal_cursor(app: web::Data<App>, who: Operates) -> Answer {
    answer::ok(&journal_cursor::get_journal_cursor(&app.store, &who.caller).await?)
}

/// Tells what a device did, as staff have read it out of its memory. The same judgement as uploadJournal; what a retired device did
/// is quarantined.
#[utoipa::path(post, path = "/api/v1/devices/{id}/journal", operation_id = "uploadDeviceJournal", tag = "devices",
    params(("id" = i64, Path)), request_body = JournalUpload, security(("bearer" = [])),
    responses((status = 200, description = "What became of each entry", body = JournalUploaded), ChangeOneFailures))]
pub async fn upload_device_journal(
    app: web::Data<App>,
    who: SettlesMachines,
    id: web::Path<i64>,
    request: Changing<JournalUpload>,
) -> Answer {
    let upload = request.body.parsed()?;
    let device = DeviceId::new(*id);
    answer::ok(&upload_journal::upload_device_journal(&app.store, &app.cards, &who.caller, device, upload).await?)
}

/// Says where a device's journals stand.
#[utoipa::path(get, path = "/api/v1/devices/{id}/journal", operation_id = "getDeviceJournal", tag = "devices",
    params(("id" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, description = "Every journal, the newest last", body = JournalsStand), LookFailures))]
pub async fn get_device_journal(app: web::Data<App>, who: SettlesMachines, id: web::Path<i64>) -> Answer {
    answer::ok(&journal_cursor::get_device_journal(&app.store, &who.caller, DeviceId::new(*id)).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QuarantineFilter {
    /// Devices at or below this unit; the caller's own by default.
    #[param(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
    /// True: lines that are settled, instead of those that are not.
    #[serde(default)]
    #[param(example = false)]
    settled: bool,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists what journals say and is not believed, and what they never said, the newest first.
#[utoipa::path(get, path = "/api/v1/journal-quarantine", operation_id = "listQuarantine", tag = "devices",
    params(QuarantineFilter), security(("bearer" = [])),
    responses((status = 200, description = "A page of lines", body = PageBody<QuarantineView>), ListFailures))]
pub async fn list_quarantine(
    app: web::Data<App>,
    who: SettlesMachines,
    filter: Parameters<QuarantineFilter>,
) -> Answer {
    let QuarantineFilter {
        unit_code,
        settled,
        cursor,
        limit,
    } = filter.0;
    let query = ListQuarantine {
        unit_code: text(unit_code),
        settled,
        page: page(cursor, limit),
    };
    let lines = list_quarantine::list_quarantine(&app.store, &who.caller, query).await?;
    answer::ok(&PageBody::from(lines))
}

/// What becomes of a line of the quarantine.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuarantineSettlement {
    /// `released`: it is judged as if it had just come; `discarded`; `noted`, of a gap.
    #[schema(value_type = String, pattern = "^(released|discarded|noted)$", example = "released")]
    settlement: Settlement,
    /// Of what is released: when it really happened (RFC 3339); by default the time it has by our clock.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>, example = "2026-03-04T04:00:00Z")]
    at: Option<Moment>,
    /// Why; needed with `discarded`.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500, example = "时钟电池已更换")]
    reason: Option<Remark<500>>,
}

/// Settles a line of the quarantine, once.
#[utoipa::path(post, path = "/api/v1/journal-quarantine/{id}/settlement", operation_id = "settleQuarantine",
    tag = "devices", params(("id" = i64, Path), IdempotencyHeader), request_body = QuarantineSettlement,
    security(("bearer" = [])),
    responses((status = 200, description = "The line", body = QuarantineView), ChangeOneFailures))]
pub async fn settle_quarantine(
    app: web::Data<App>,
    who: SettlesMachines,
    id: web::Path<i64>,
    request: Changing<QuarantineSettlement>,
) -> Answer {
    let command = SettleQuarantine {
        line: *id,
        settlement: request.body.settlement,
        at: request.body.at.map(|at| at.0),
        reason: text(request.body.reason),
    };
    let (store, cards) = (&app.store, &app.cards);
    answer::done(&settle_quarantine::settle_quarantine(store, cards, &who.caller, command, request.key).await?)
}
