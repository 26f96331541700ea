//! Lockers: their compartments, and what staff and machines say of them.

use actix_web::web::{self, ServiceConfig, get, post, resource};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::barcode::Barcode;
use crate::domain::compartment_report::{Door, Inside};
use crate::domain::ids::{DeviceId, LoanId};
use crate::http::answer::{self, Answer};
use crate::http::extract::{
    Changing, Confirms, ManagesDevices, Operates, ReadsDevices, ReceivesTransits, SettlesMachines, Staff,
};
use crate::http::input::{CodeText, Cursor, Limit, List, Moment, PageBody, Remark, Text, page, text};
use crate::http::openapi::{ChangeOneFailures, ChangeSeenFailures, IdempotencyHeader, ListFailures, LookFailures};
use crate::http::precondition::{self, IfMatchGiven, IfMatchGivenHeader};
use crate::http::query::Parameters;
use crate::usecase::UseCaseError;
use crate::usecase::confirm_loan::{self, ConfirmLoan, LoanSaid};
use crate::usecase::content_version::content_version;
use crate::usecase::list_compartments::{self, CompartmentView, CompartmentsView};
use crate::usecase::open_compartment::{self, DoorOrdered, OpenCompartment, WhyOpen};
use crate::usecase::report_compartment::{self, CompartmentReported, ReportCompartment};
use crate::usecase::set_compartments::{self, CompartmentBuilt, MAX_COMPARTMENTS, SetCompartments};
use crate::usecase::settle_compartment::{self, SettleCompartment};
use crate::usecase::unconfirmed_loans::{self, ListUnconfirmedLoans, UnconfirmedLoanView};

/// Most tags of one report.
const MAX_TAGS: usize = 20;

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    list_compartments,
    set_compartments,
    open_compartment,
    report_compartment,
    settle_compartment,
    confirm_loan,
    list_unconfirmed_loans
))]
pub struct Document;

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    let all = resource("/devices/{id}/compartments")
        .route(get().to(list_compartments))
        .route(web::put().to(set_compartments));
    config
        .service(all)
        .service(resource("/devices/{id}/compartments/{number}/opening").route(post().to(open_compartment)))
        .service(resource("/devices/{id}/compartments/{number}/settlement").route(post().to(settle_compartment)))
        .service(resource("/device/compartments/{number}/reports").route(post().to(report_compartment)))
        .service(resource("/loans/{id}/confirmation").route(post().to(confirm_loan)))
        .service(resource("/unconfirmed-loans").route(get().to(list_unconfirmed_loans)));
}

/// Lists the compartments of a machine, with what is known of each.
#[utoipa::path(get, path = "/api/v1/devices/{id}/compartments", operation_id = "listCompartments", tag = "devices",
    params(("id" = i64, Path, description = "The device's id")), security(("bearer" = [])),
    responses((status = 200, description = "The compartments, by number", body = CompartmentsView), LookFailures))]
pub async fn list_compartments(app: web::Data<App>, who: ReadsDevices, id: web::Path<i64>) -> Answer {
    let all = list_compartments::list_compartments(&app.store, &who.caller, DeviceId::new(*id)).await?;
    precondition::tagged(answer::ok(&all), content_version(&all)?)
}

/// The whole list of a machine.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"compartments": [{"number": 1, "size": "small", "purpose": "pickup"}]}))]
pub struct NewCompartments {
    /// One that is left out is taken away; once it was opened, it is taken out of use instead. It must be empty.
    #[schema(value_type = Vec<CompartmentBuilt>, max_items = 1000)]
    compartments: List<CompartmentBuilt, 0, MAX_COMPARTMENTS>,
}

/// Says which compartments a machine has, all of them. What is in them stays as it is known.
#[utoipa::path(put, path = "/api/v1/devices/{id}/compartments", operation_id = "setCompartments", tag = "devices",
    params(("id" = i64, Path, description = "The device's id"), IdempotencyHeader, IfMatchGivenHeader),
    request_body = NewCompartments, security(("bearer" = [])),
    responses((status = 200, description = "The compartments", body = CompartmentsView), ChangeSeenFailures))]
pub async fn set_compartments(
    app: web::Data<App>,
    who: ManagesDevices,
    id: web::Path<i64>,
    seen: IfMatchGiven,
    request: Changing<NewCompartments>,
) -> Answer {
    let command = SetCompartments {
        device: DeviceId::new(*id),
        seen: seen.0,
        compartments: request.body.compartments.0,
    };
    let set = set_compartments::set_compartments(&app.store, &who.caller, command, request.key).await?;
    precondition::tagged(answer::done(&set), content_version(&set.value)?)
}

/// Why a compartment is opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompartmentOpening {
    /// Kept in the erasable part of the event.
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "读者来电:书忘在柜中")]
    reason: Remark<200>,
}

/// Opens a compartment for staff: to take out what is in it, to look, to mend.
#[utoipa::path(post, path = "/api/v1/devices/{id}/compartments/{number}/opening", operation_id = "openCompartment",
    tag = "devices",
    params(("id" = i64, Path, description = "The device's id"),
        ("number" = u16, Path, description = "The number on the door"), IdempotencyHeader),
    request_body = CompartmentOpening, security(("bearer" = [])),
    responses((status = 200, description = "The door is ordered open", body = DoorOrdered), ChangeOneFailures))]
pub async fn open_compartment(
    app: web::Data<App>,
    who: ReceivesTransits,
    path: web::Path<(i64, u16)>,
    request: Changing<CompartmentOpening>,
) -> Answer {
    let command = OpenCompartment {
        device: DeviceId::new(path.0),
        number: path.1,
        why: WhyOpen::Reason(request.body.reason.into()),
    };
    let ordered = open_compartment::open_compartment(&app.store, &app.board, &who.caller, command, request.key);
    answer::done(&ordered.await?)
}

/// What a machine found.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompartmentReport {
    /// The turn of the order, or the present one for an inventory.
    #[schema(minimum = 0, maximum = 9007199254740991i64, example = 18)]
    turn: i64,
    /// `open`, `closed`, `jammed` (it did not open) or `forced` (it opened and nobody had ordered it).
    #[schema(value_type = String, pattern = "^(open|closed|jammed|forced)$", example = "closed")]
    door: Text<16>,
    /// Behind a closed door: `empty`, `tags` (those that were read), `unread` (something without a readable tag), `something` (the machine
    /// reads no tags) or `no_sensor` (the default).
    #[schema(value_type = Option<String>, pattern = "^(empty|tags|unread|something|no_sensor)$", example = "empty")]
    inside: Option<Text<16>>,
    /// With `tags`: what was read, each once.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 20, example = json!([]))]
    tags: List<Text<64>, 0, MAX_TAGS>,
    /// When it was seen (UTC); now if absent.
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-03-04T08:15:00Z")]
    at: Option<Moment>,
}

/// Says what a door did and what is behind it. Decides about the loan or the return for which it was opened. A report without an order is
/// an inventory.
#[utoipa::path(post, path = "/api/v1/device/compartments/{number}/reports", operation_id = "reportCompartment",
    tag = "devices",
    params(("number" = u16, Path, description = "The number on the door"), IdempotencyHeader),
    request_body = CompartmentReport, security(("bearer" = [])),
    responses((status = 200, description = "What is known now", body = CompartmentReported), ChangeOneFailures))]
pub async fn report_compartment(
    app: web::Data<App>,
    who: Operates,
    number: web::Path<u16>,
    request: Changing<CompartmentReport>,
) -> Answer {
    let command = report_of(*number, request.body)?;
    answer::done(&report_compartment::report_compartment(&app.store, &who.caller, command, request.key).await?)
}

fn report_of(number: u16, body: CompartmentReport) -> Result<ReportCompartment, UseCaseError> {
    let door = Door::from_code(&String::from(body.door));
    let door = door.ok_or_else(|| UseCaseError::field("door", "must be open, closed, jammed or forced"))?;
    let mut tags: Vec<String> = body.tags.0.into_iter().map(Into::into).collect();
    tags.sort();
    tags.dedup();
    let inside = text(body.inside);
    let named = inside.as_deref().unwrap_or("no_sensor");
    if named != "tags" && !tags.is_empty() {
        return Err(UseCaseError::field("tags", "belong to inside: tags"));
    }
    let reason = "must be empty, tags, unread, something or no_sensor";
    let inside = Inside::of(named, tags).ok_or_else(|| UseCaseError::field("inside", reason))?;
    Ok(ReportCompartment {
        number,
        turn: body.turn,
        door,
        inside,
        at: body.at.map(|at| at.0),
    })
}

/// What a person has seen in a compartment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompartmentSettlement {
    /// The book that lies there; absent: nothing does.
    #[schema(value_type = Option<String>)]
    item_barcode: Option<Barcode>,
    /// Says whose item, where the barcode means several.
    #[schema(value_type = Option<String>, max_length = 32)]
    owner_unit_code: Option<CodeText>,
    /// Who has looked, and what was seen. Kept in the erasable part of the event.
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "开柜查看,为空")]
    reason: Remark<200>,
}

/// Settles what is in a compartment of which nobody knows. What is said of it is said of the loan in question there, too.
#[utoipa::path(post, path = "/api/v1/devices/{id}/compartments/{number}/settlement", operation_id = "settleCompartment",
    tag = "devices",
    params(("id" = i64, Path, description = "The device's id"),
        ("number" = u16, Path, description = "The number on the door"), IdempotencyHeader),
    request_body = CompartmentSettlement, security(("bearer" = [])),
    responses((status = 200, description = "The compartment", body = CompartmentView), ChangeOneFailures))]
pub async fn settle_compartment(
    app: web::Data<App>,
    who: SettlesMachines,
    path: web::Path<(i64, u16)>,
    request: Changing<CompartmentSettlement>,
) -> Answer {
    let command = SettleCompartment {
        device: DeviceId::new(path.0),
        number: path.1,
        found: request.body.item_barcode,
        owner_unit_code: text(request.body.owner_unit_code),
        reason: request.body.reason.into(),
    };
    answer::done(&settle_compartment::settle_compartment(&app.store, &who.caller, command, request.key).await?)
}

/// What is said of a loan at a machine.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoanConfirmation {
    /// Whether the book was taken.
    #[schema(example = true)]
    taken: bool,
    /// Of staff: how it is known. Kept in the erasable part of the event.
    #[schema(value_type = Option<String>, max_length = 200, example = "监控可见读者取走")]
    reason: Option<Remark<200>>,
}

/// Says whether the book of a loan at a machine was taken. The first that knows decides; who says otherwise later raises a conflict.
/// Couriers say it of a loan that was in question when a door was opened for them.
#[utoipa::path(post, path = "/api/v1/loans/{id}/confirmation", operation_id = "confirmLoan", tag = "loans",
    params(("id" = i64, Path, description = "The loan's id"), IdempotencyHeader),
    request_body = LoanConfirmation, security(("bearer" = [])),
    responses((status = 200, description = "What became of the loan", body = LoanSaid), ChangeOneFailures))]
pub async fn confirm_loan(
    app: web::Data<App>,
    who: Confirms,
    id: web::Path<i64>,
    request: Changing<LoanConfirmation>,
) -> Answer {
    let command = ConfirmLoan {
        loan: LoanId::new(*id),
        taken: request.body.taken,
        reason: text(request.body.reason),
    };
    answer::done(&confirm_loan::confirm_loan(&app.store, &who.caller, command, request.key).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UnconfirmedPage {
    /// At machines of this unit and below it; the caller's by default.
    #[param(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists loans at machines of which nobody has said whether the book was taken, the newest first.
#[utoipa::path(get, path = "/api/v1/unconfirmed-loans", operation_id = "listUnconfirmedLoans", tag = "loans",
    params(UnconfirmedPage), security(("bearer" = [])),
    responses((status = 200, description = "A page of loans", body = PageBody<UnconfirmedLoanView>), ListFailures))]
pub async fn list_unconfirmed_loans(app: web::Data<App>, who: Staff, asked: Parameters<UnconfirmedPage>) -> Answer {
    let query = ListUnconfirmedLoans {
        unit_code: text(asked.0.unit_code),
        page: page(asked.0.cursor, asked.0.limit),
    };
    let found = unconfirmed_loans::list_unconfirmed_loans(&app.store, &who.caller, query).await?;
    answer::ok(&PageBody::from(found))
}
