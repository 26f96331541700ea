//! What the reader who asks has borrowed.

use actix_web::web;

use super::{MyBorrowingFilter, WardParameter};
use crate::app::App;
use crate::domain::ids::LoanId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Nothing, Readers};
use crate::http::input::PageBody;
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, ListFailures};
use crate::http::query::Parameters;
use crate::usecase::list_reader_loans::list_reader_loans;
use crate::usecase::record::Consent;
use crate::usecase::renew_loan::{self, RenewLoan};
use crate::usecase::view::{LoanOutcome, LoanView};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_my_loans, renew_my_loan))]
pub struct Document;

/// The loans of the reader who asks, or the open ones of a ward, the newest first.
#[utoipa::path(get, path = "/api/v1/me/loans", operation_id = "listMyLoans", tag = "me", params(MyBorrowingFilter),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of loans", body = PageBody<LoanView>), ListFailures))]
pub async fn list_my_loans(app: web::Data<App>, who: Readers, filter: Parameters<MyBorrowingFilter>) -> Answer {
    let (ward, which, page) = filter.0.asked();
    let caller = who.caller.acting_for(ward)?;
    let id = caller.itself()?;
    answer::ok(&PageBody::from(
        list_reader_loans(&app.store, &caller, id, which, page).await?,
    ))
}

/// Gives a loan of the reader who asks, or of a ward, a later due date, where the rules allow it to readers themselves.
#[utoipa::path(post, path = "/api/v1/me/loans/{id}/renewals", operation_id = "renewMyLoan", tag = "me",
    params(("id" = i64, Path), WardParameter, IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The loan", body = LoanOutcome), ChangeOneFailures))]
pub async fn renew_my_loan(
    app: web::Data<App>,
    who: Readers,
    id: web::Path<i64>,
    whose: Parameters<WardParameter>,
    request: Changing<Nothing>,
) -> Answer {
    let command = RenewLoan {
        loan: LoanId::new(*id),
        due_at: None,
        consent: Consent::default(),
    };
    let caller = who.caller.acting_for(whose.0.named())?;
    answer::done(&renew_loan::renew_loan(&app.store, &caller, command, request.key).await?)
}
