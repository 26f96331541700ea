//! Readers, their loans and holds.

use actix_web::web;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::guardians::NewGuardian;
use crate::app::App;
use crate::domain::barcode::CardNumber;
use crate::domain::ids::ReaderId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, People, RegistersReaders};
use crate::http::input::{CodeText, Cursor, Day, Limit, PageBody, Remark, Secret, Text, page, text};
use crate::http::openapi::{ChangeFailures, IdempotencyHeader, LookFailures};
use crate::http::query::Parameters;
use crate::usecase::get_reader::{self, ReaderView};
use crate::usecase::look_at_reader::Which;
use crate::usecase::page::PageRequest;
use crate::usecase::register_reader::{self, RegisterReader, RegisteredReader};
use crate::usecase::view::{HoldView, LoanView};
use crate::usecase::{list_reader_holds, list_reader_loans};

#[derive(utoipa::OpenApi)]
#[openapi(paths(register_reader, get_reader, list_reader_loans, list_reader_holds))]
pub struct Document;

/// A new reader with a first card.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReader {
    /// As in the register of persons.
    #[schema(value_type = String, max_length = 100, example = "李晓明")]
    name: Remark<100>,
    /// The code of a reader category.
    #[schema(value_type = String, max_length = 32, example = "adult")]
    category: CodeText,
    #[schema(value_type = String, max_length = 32, example = "B01")]
    home_unit_code: CodeText,
    #[schema(value_type = String, max_length = 64, example = "JC00012345")]
    card_number: CardNumber,
    /// `physical` (by default) or `e_card`; `issueCard` makes a credential of an ID card.
    #[schema(value_type = Option<String>, max_length = 32, example = "physical")]
    card_kind: Option<CodeText>,
    /// The last day the card is good for.
    #[schema(value_type = Option<chrono::NaiveDate>)]
    card_expires_on: Option<Day>,
    /// 公民身份号码 (GB 11643): 18 characters, or the 15 digits of before 1999. Kept as a keyed hash and a sealed text only, and
    /// shown by its last four characters. The same person is registered once.
    #[schema(value_type = Option<String>, format = Password, min_length = 15, max_length = 32, example = "11010519491231002X")]
    id_number: Option<Secret>,
    /// Left out where the ID number says it.
    #[schema(value_type = Option<chrono::NaiveDate>)]
    birth_date: Option<Day>,
    /// For log-in: at least 6 characters; neither all the same nor only counting up or down.
    #[schema(value_type = Option<String>, format = Password, min_length = 6, max_length = 32)]
    pin: Option<Secret>,
    /// Shown to staff.
    #[schema(value_type = Option<String>, max_length = 500)]
    note: Option<Remark<500>>,
    /// Who answers for the reader, with the signed consent; needed for a reader under 18 and for a child of unknown age.
    guardian: Option<NewGuardian>,
}

/// Registers a reader. The answer holds nothing personal: it is kept for a while under the idempotency key.
#[utoipa::path(post, path = "/api/v1/readers", operation_id = "registerReader", tag = "readers",
    params(IdempotencyHeader), request_body = NewReader, security(("bearer" = [])),
    responses(
        (status = 201, description = "The reader", body = RegisteredReader, headers(("Location" = String))),
        ChangeFailures))]
pub async fn register_reader(app: web::Data<App>, who: RegistersReaders, request: Changing<NewReader>) -> Answer {
    let reader = request.body;
    let guardian = reader.guardian.map(NewGuardian::of_new_reader).transpose()?;
    let command = RegisterReader {
        name: reader.name.into(),
        category: reader.category.into(),
        home_unit_code: reader.home_unit_code.into(),
        card_number: reader.card_number,
        card_kind: text(reader.card_kind).unwrap_or_else(|| "physical".to_owned()),
        card_expires_on: reader.card_expires_on.map(|day| day.0),
        id_number: reader.id_number.map(|number| number.0),
        birth_date: reader.birth_date.map(|day| day.0),
        pin: reader.pin.map(|pin| pin.0),
        note: text(reader.note),
        guardian,
    };
    let made = register_reader::register_reader(&app.store, &app.passwords, &who.caller, command, request.key).await?;
    let location = format!("/api/v1/readers/{}", made.value.id);
    answer::created(&made, Some(location))
}

/// One reader with the cards. Readers see themselves only.
#[utoipa::path(get, path = "/api/v1/readers/{id}", operation_id = "getReader", tag = "readers",
    params(("id" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, description = "The reader", body = ReaderView), LookFailures))]
pub async fn get_reader(app: web::Data<App>, who: People, id: web::Path<i64>) -> Answer {
    answer::ok(&get_reader::get_reader(&app.store, &who.caller, ReaderId::new(*id)).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BorrowingFilter {
    /// `open` (by default) or `all` that are still linked to the reader: staff see those for a `reason` only.
    #[serde(default)]
    #[param(inline)]
    status: Shown,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
    /// Why staff ask for `all`: needed then, and shown to the reader (`listMyAccesses`). Readers leave it out.
    #[param(value_type = Option<String>, min_length = 1, max_length = 200, example = "读者咨询逾期记录")]
    reason: Option<Text<200>>,
}

impl BorrowingFilter {
    /// Which ones, and which page.
    pub(super) fn asked(self) -> (Which, PageRequest) {
        let which = Which {
            open_only: self.status == Shown::Open,
            reason: text(self.reason),
        };
        (which, page(self.cursor, self.limit))
    }
}

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    #[default]
    Open,
    All,
}

/// A reader's loans, the newest first. Readers see their own only.
#[utoipa::path(get, path = "/api/v1/readers/{id}/loans", operation_id = "listReaderLoans", tag = "readers",
    params(("id" = i64, Path), BorrowingFilter), security(("bearer" = [])),
    responses((status = 200, description = "A page of loans", body = PageBody<LoanView>), LookFailures))]
pub async fn list_reader_loans(
    app: web::Data<App>,
    who: People,
    id: web::Path<i64>,
    filter: Parameters<BorrowingFilter>,
) -> Answer {
    let (which, page) = filter.0.asked();
    let id = ReaderId::new(*id);
    let loans = list_reader_loans::list_reader_loans(&app.store, &who.caller, id, which, page).await?;
    answer::ok(&PageBody::from(loans))
}

/// A reader's holds, the newest first, with their places in the queue. Readers see their own only.
#[utoipa::path(get, path = "/api/v1/readers/{id}/holds", operation_id = "listReaderHolds", tag = "readers",
    params(("id" = i64, Path), BorrowingFilter), security(("bearer" = [])),
    responses((status = 200, description = "A page of holds", body = PageBody<HoldView>), LookFailures))]
pub async fn list_reader_holds(
    app: web::Data<App>,
    who: People,
    id: web::Path<i64>,
    filter: Parameters<BorrowingFilter>,
) -> Answer {
    let (which, page) = filter.0.asked();
    let id = ReaderId::new(*id);
    let holds = list_reader_holds::list_reader_holds(&app.store, &who.caller, id, which, page).await?;
    answer::ok(&PageBody::from(holds))
}
