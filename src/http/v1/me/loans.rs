//! What the reader who asks has borrowed.

use actix_web::web;

use crate::app::App;
use crate::domain::ids::LoanId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Nothing, Readers};
use crate::http::input::PageBody;
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, ListFailures};
use crate::http::query::Parameters;
use crate::http::v1::readers::BorrowingFilter;
use crate::usecase::list_reader_loans::list_reader_loans;
use crate::usecase::record::Consent;
use crate::usecase::renew_loan::{self, RenewLoan};
use crate::usecase::view::{LoanOutcome, LoanView};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_my_loans, renew_my_loan))]
pub struct Document;

/// The loans of the reader who asks, the newest first.
#[utoipa::path(get, path = "/api/v1/me/loans", operation_id = "listMyLoans", tag = "me", params(BorrowingFilter),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of loans", body = PageBody<LoanView>), ListFailures))]
pub async fn list_my_loans(app: web::Data<App>, who: Readers, filter: Parameters<BorrowingFilter>) -> Answer {
    let (which, page) = filter.0.asked();
    let id = who.caller.itself()?;
    answer::ok(&PageBody::from(
        list_reader_loans(&app.store, &who.caller, id, which, page).await?,
    ))
}

/// Gives a loan of the reader who asks a later due date, where the rules allow it to readers themselves.
#[utoipa::path(post, path = "/api/v1/me/loans/{id}/renewals", operation_id = "renewMyLoan", tag = "me",
    params(("id" = i64, Path), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The loan", body = LoanOutcome), ChangeOneFailures))]
pub async fn renew_my_loan(
    app: web::Data<App>,
    who: Readers,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    let command = RenewLoan {
        loan: LoanId::new(*id),
        due_at: None,
        consent: Consent::default(),
    };
    answer::done(&renew_loan::renew_loan(&app.store, &who.caller, command, request.key).await?)
}
