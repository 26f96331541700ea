//! Readers' credit, for staff: the ledger, what is posted by hand, freezes.

use actix_web::web;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::credit::CreditEvent;
use crate::domain::ids::ReaderId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesCredit, Staff};
use crate::http::input::{Cursor, Day, Limit, PageBody, Remark, Text, page, text};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, LookFailures};
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::usecase::credit_view::{CreditEntryView, CreditOutcome, CreditView};
use crate::usecase::freeze_reader::{self, FreezeReader, ThawBecause, ThawReader};
use crate::usecase::get_credit;
use crate::usecase::post_credit_entry::{self, Amount, PostCreditEntry};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    get_reader_credit,
    list_reader_credit_entries,
    post_credit_entry,
    freeze_reader,
    thaw_reader
))]
pub struct Document;

/// A reader's balance, band, freezes, and what moves them.
#[utoipa::path(get, path = "/api/v1/readers/{id}/credit", operation_id = "getReaderCredit", tag = "credit",
    params(("id" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, description = "The credit", body = CreditView), LookFailures))]
pub async fn get_reader_credit(app: web::Data<App>, who: Staff, id: web::Path<i64>) -> Answer {
    answer::ok(&get_credit::get_credit(&app.store, &who.caller, ReaderId::new(*id)).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LedgerFilter {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
    /// Why `loan_id` is needed of loans that have ended, too: for who has the right to the history, and shown to the reader
    /// (`listMyAccesses`). Without it these are left out.
    #[param(value_type = Option<String>, min_length = 1, max_length = 200, example = "读者咨询扣分")]
    reason: Option<Text<200>>,
}

/// The lines of a reader's ledger, the newest first.
#[utoipa::path(get, path = "/api/v1/readers/{id}/credit-entries", operation_id = "listReaderCreditEntries", tag = "credit",
    params(("id" = i64, Path), LedgerFilter), security(("bearer" = [])),
    responses((status = 200, description = "A page of lines", body = PageBody<CreditEntryView>), LookFailures))]
pub async fn list_reader_credit_entries(
    app: web::Data<App>,
    who: Staff,
    id: web::Path<i64>,
    filter: Parameters<LedgerFilter>,
) -> Answer {
    let (page, reason) = (page(filter.0.cursor, filter.0.limit), text(filter.0.reason));
    let id = ReaderId::new(*id);
    let lines = get_credit::list_credit_entries(&app.store, &who.caller, id, page, reason).await?;
    answer::ok(&PageBody::from(lines))
}

/// A posting by hand: `event` for what its rule says, or `points`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"event": "damage", "loan_id": 1042, "reason": "封面撕裂"}))]
pub struct CreditPosting {
    /// What the programme has a rule for: `damage`, `serious_damage`, `loss`, `volunteer_hour` …
    #[schema(value_type = Option<String>, example = "damage")]
    event: Option<CreditEvent>,
    /// How often, or how many hours; 1 by default.
    #[schema(minimum = 1, maximum = 100, example = 1)]
    quantity: Option<u32>,
    /// So many, whatever the rules say; below zero to take them.
    #[schema(minimum = -1000, maximum = 1000, example = -5)]
    points: Option<i64>,
    /// The loan it is about, open or ended.
    #[schema(example = 1042)]
    loan_id: Option<i64>,
    /// The reader reads it.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "封面撕裂")]
    reason: Remark<500>,
}

impl CreditPosting {
    fn amount(&self) -> Result<Amount, Problem> {
        let quantity = self.quantity.unwrap_or(1);
        match (self.event, self.points) {
            (Some(_), None) if !(1..=100).contains(&quantity) => {
                Err(Problem::malformed("quantity", "must be 1 to 100"))
            }
            (Some(event), None) => Ok(Amount::ByRule { event, quantity }),
            (None, Some(_)) if self.quantity.is_some() => Err(Problem::malformed("quantity", "goes with event")),
            (None, Some(points)) => Ok(Amount::Points(points)),
            (Some(_), Some(_)) => Err(Problem::malformed("points", "does not go with event: send one of them")),
            (None, None) => Err(Problem::malformed("event", "is needed, or points")),
        }
    }
}

/// Posts to a reader's ledger. Caps, floor and ceiling hold; what they take away is told.
#[utoipa::path(post, path = "/api/v1/readers/{id}/credit-entries", operation_id = "postCreditEntry", tag = "credit",
    params(("id" = i64, Path), IdempotencyHeader), request_body = CreditPosting, security(("bearer" = [])),
    responses((status = 201, description = "The line and the credit", body = CreditOutcome), ChangeOneFailures))]
pub async fn post_credit_entry(
    app: web::Data<App>,
    who: ManagesCredit,
    id: web::Path<i64>,
    request: Changing<CreditPosting>,
) -> Answer {
    let command = PostCreditEntry {
        reader: ReaderId::new(*id),
        amount: request.body.amount()?,
        loan: request.body.loan_id,
        reason: request.body.reason.into(),
    };
    answer::created(
        &post_credit_entry::post_credit_entry(&app.store, &who.caller, command, request.key).await?,
        None,
    )
}

/// Why a reader is frozen, and until when.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FreezeRequest {
    /// The last frozen day; left out: until it is lifted.
    #[schema(value_type = Option<chrono::NaiveDate>, example = "2026-03-31")]
    until: Option<Day>,
    /// Kept with the event.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "多次占座")]
    reason: Remark<500>,
}

/// Freezes a reader: no loans, renewals and holds but with a reason of staff. Open loans stay as they are.
#[utoipa::path(post, path = "/api/v1/readers/{id}/credit-freezes", operation_id = "freezeReader", tag = "credit",
    params(("id" = i64, Path), IdempotencyHeader), request_body = FreezeRequest, security(("bearer" = [])),
    responses((status = 201, description = "The credit", body = CreditOutcome), ChangeOneFailures))]
pub async fn freeze_reader(
    app: web::Data<App>,
    who: ManagesCredit,
    id: web::Path<i64>,
    request: Changing<FreezeRequest>,
) -> Answer {
    let command = FreezeReader {
        reader: ReaderId::new(*id),
        until: request.body.until.map(|day| day.0),
        reason: request.body.reason.into(),
    };
    answer::created(
        &freeze_reader::freeze_reader(&app.store, &who.caller, command, request.key).await?,
        None,
    )
}

/// What ends a freeze.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThawKind {
    /// Staff decide so; whatever there is ends.
    #[default]
    Decision,
    /// A quiz was passed: ends what the programme lets it end.
    Quiz,
    /// The hours were worked: ends what the programme lets them end.
    Work,
}

/// Why a reader is thawed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ThawRequest {
    /// `decision` by default.
    #[serde(default)]
    because: ThawKind,
    /// Kept with the event.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "已完成信用知识问答")]
    reason: Remark<500>,
}

/// Lifts freezes of a reader. One at the floor ends with the balance the programme begins again with.
#[utoipa::path(post, path = "/api/v1/readers/{id}/credit-thaw", operation_id = "thawReader", tag = "credit",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ThawRequest, security(("bearer" = [])),
    responses((status = 200, description = "The credit", body = CreditOutcome), ChangeOneFailures))]
pub async fn thaw_reader(
    app: web::Data<App>,
    who: ManagesCredit,
    id: web::Path<i64>,
    request: Changing<ThawRequest>,
) -> Answer {
    let command = ThawReader {
        reader: ReaderId::new(*id),
        because: match request.body.because {
            ThawKind::Decision => ThawBecause::Decision,
            ThawKind::Quiz => ThawBecause::Quiz,
            ThawKind::Work => ThawBecause::Work,
        },
        reason: request.body.reason.into(),
    };
    answer::done(&freeze_reader::thaw_reader(&app.store, &who.caller, command, request.key).await?)
}
