//! Registration by the reader: applying for a card, proving the address, and what a desk does with those who wait; how units admit it.

use actix_web::HttpRequest;
use actix_web::web::{self, ServiceConfig, get, post, put, resource};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::guardians::NewGuardian;
use crate::app::App;
use crate::domain::notice::SendChannel;
use crate::domain::self_registration::SelfRegistration;
use crate::http::answer::{self, Answer};
use crate::http::client_address::client_network;
use crate::http::extract::{Anyone, Changing, ManagesUnits, RegistersReaders};
use crate::http::input::{CodeText, Cursor, Limit, PageBody, Remark, Secret, Text, page, text};
use crate::http::openapi::{
    ChangeOneFailures, ChangeSeenFailures, IdempotencyHeader, ListFailures, LookFailures, OpenLookFailures,
    SessionFailures,
};
use crate::http::precondition::{self, IfMatchGiven, IfMatchGivenHeader};
use crate::http::query::Parameters;
use crate::usecase::apply_for_card::{self, ApplicationMade, ApplyForCard};
use crate::usecase::confirm_application::{self, ApplicationState};
use crate::usecase::content_version::content_version;
use crate::usecase::decide_application::{
    self, ApplicationRefused, ApplicationView, ApproveApplication, RefuseApplication,
};
use crate::usecase::register_reader::RegisteredReader;
use crate::usecase::set_self_registration::{self, SelfRegistrationView, SetSelfRegistration};
use crate::usecase::{Once, UseCaseError};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    apply_for_card,
    confirm_application,
    get_my_application,
    list_applications,
    approve_application,
    refuse_application,
    get_self_registration,
    set_self_registration
))]
pub struct Document;

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    let applications = resource("/applications")
        .route(get().to(list_applications))
        .route(post().to(apply_for_card));
    let admitted = resource("/units/{code}/self-registration")
        .route(get().to(get_self_registration))
        .route(put().to(set_self_registration));
    config
        .service(applications)
        .service(resource("/applications/confirmation").route(post().to(confirm_application)))
        .service(resource("/applications/state").route(post().to(get_my_application)))
        .service(resource("/applications/{id}/approval").route(post().to(approve_application)))
        .service(resource("/applications/{id}/refusal").route(post().to(refuse_application)))
        .service(admitted);
}

/// Somebody who wants to be a reader.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApplication {
    /// The real name, as on the ID card.
    #[schema(value_type = String, max_length = 100, example = "李晓明")]
    name: Remark<100>,
    /// 公民身份号码 (GB 11643): 18 characters, or the 15 digits of before 1999. The day of birth is the one in it.
    #[schema(value_type = String, format = Password, min_length = 15, max_length = 32, example = "11010519491231002X")]
    id_number: Secret,
    /// A mail address: it, or `phone`. The code goes there.
    #[schema(value_type = Option<String>, max_length = 300, example = "li@example.org")]
    mail: Option<Text<300>>,
    /// A telephone number for SMS.
    #[schema(value_type = Option<String>, max_length = 32, example = "13800138000")]
    phone: Option<Text<32>>,
    /// Where the reader will be at home.
    #[schema(value_type = String, max_length = 32, example = "B01")]
    home_unit_code: CodeText,
    /// For log-in: at least 6 characters; neither all the same nor only counting up or down.
    #[schema(value_type = String, format = Password, min_length = 6, max_length = 32, example = "581093")]
    pin: Secret,
}

/// Applies for a card and has a code sent to the address. The answer is the same whether or not the person or the address is known.
#[utoipa::path(post, path = "/api/v1/applications", operation_id = "applyForCard", tag = "readers",
    request_body = NewApplication,
    responses((status = 201, description = "A code is on its way", body = ApplicationMade), SessionFailures))]
pub async fn apply_for_card(app: web::Data<App>, from: HttpRequest, request: Changing<NewApplication>) -> Answer {
    let said = request.body;
    let command = ApplyForCard {
        name: said.name.into(),
        id_number: said.id_number.0,
        address: address(said.mail, said.phone)?,
        home_unit_code: said.home_unit_code.into(),
        pin: said.pin.0,
    };
    let tools = app.session_tools();
    let made = apply_for_card::apply_for_card(&app.store, tools, command, client_network(&from)).await?;
    let once = Once {
        value: made,
        replayed: false,
    };
    answer::created(&once, None)
}

fn address(mail: Option<Text<300>>, phone: Option<Text<32>>) -> Result<(SendChannel, String), UseCaseError> {
    match (mail, phone) {
        (Some(mail), None) => Ok((SendChannel::Mail, mail.into())),
        (None, Some(phone)) => Ok((SendChannel::Sms, phone.into())),
        (None, None) => Err(UseCaseError::field("mail", "is needed, or phone")),
        (Some(_), Some(_)) => Err(UseCaseError::field("phone", "only one of mail and phone may be given")),
    }
}

/// An application, and the code that was sent to its address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplicationCode {
    /// As `applyForCard` answered it.
    #[schema(value_type = String, max_length = 64, example = "q2X5cJ0t1mWb7vKpYH3nZsRdEaUgLf9oT6iBx4Ck8Nw")]
    application: Text<64>,
    /// Six digits.
    #[schema(value_type = String, max_length = 32, example = "204518")]
    code: CodeText,
}

/// Proves the address with the code: ten minutes, five attempts. The applicant is a reader with an electronic card at once where the home
/// unit admits that; otherwise a desk looks at the application. The right code sent again answers the same.
#[utoipa::path(post, path = "/api/v1/applications/confirmation", operation_id = "confirmApplication", tag = "readers",
    request_body = ApplicationCode,
    responses((status = 200, description = "How it stands", body = ApplicationState), SessionFailures))]
pub async fn confirm_application(app: web::Data<App>, request: Changing<ApplicationCode>) -> Answer {
    let (application, code) = (request.body.application.into(), request.body.code.into());
    let state = confirm_application::confirm_application(&app.store, app.derived(), application, code).await?;
    answer::ok(&state)
}

/// An application, for whoever made it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MyApplication {
    /// As `applyForCard` answered it.
    #[schema(value_type = String, max_length = 64, example = "q2X5cJ0t1mWb7vKpYH3nZsRdEaUgLf9oT6iBx4Ck8Nw")]
    application: Text<64>,
}

/// How an application stands. What it is known by stands in the body: proxies write addresses down.
#[utoipa::path(post, path = "/api/v1/applications/state", operation_id = "getMyApplication", tag = "readers",
    request_body = MyApplication,
    responses((status = 200, description = "How it stands", body = ApplicationState), OpenLookFailures))]
pub async fn get_my_application(app: web::Data<App>, request: Changing<MyApplication>) -> Answer {
    let application = request.body.application.into();
    answer::ok(&confirm_application::get_my_application(&app.store, application).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ApplicationPage {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Applications that wait for a desk, at the units where the caller registers readers, the oldest first. A page may be short, or empty,
/// though another follows.
#[utoipa::path(get, path = "/api/v1/applications", operation_id = "listApplications", tag = "readers",
    params(ApplicationPage), security(("bearer" = [])),
    responses((status = 200, description = "A page of applications", body = PageBody<ApplicationView>), ListFailures))]
pub async fn list_applications(
    app: web::Data<App>,
    who: RegistersReaders,
    asked: Parameters<ApplicationPage>,
) -> Answer {
    let page = page(asked.0.cursor, asked.0.limit);
    let waiting = decide_application::list_applications(&app.store, &who.caller, page).await?;
    answer::ok(&PageBody::from(waiting))
}

/// What is to be different from what the application says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalOfApplication {
    /// The code of a reader category; absent: that of the applicant's age.
    #[schema(value_type = Option<String>, max_length = 32, example = "child")]
    category: Option<CodeText>,
    /// Who answers for an applicant under 18, with the number and the day of the signed consent.
    guardian: Option<NewGuardian>,
}

/// Registers the applicant, with an electronic card. Somebody whose ID number is a reader's is refused: that reader gets another card.
#[utoipa::path(post, path = "/api/v1/applications/{id}/approval", operation_id = "approveApplication", tag = "readers",
    params(("id" = i64, Path, description = "The application's id"), IdempotencyHeader),
    request_body = ApprovalOfApplication, security(("bearer" = [])),
    responses((status = 201, description = "The reader", body = RegisteredReader, headers(("Location" = String))),
        ChangeOneFailures))]
pub async fn approve_application(
    app: web::Data<App>,
    who: RegistersReaders,
    id: web::Path<i64>,
    request: Changing<ApprovalOfApplication>,
) -> Answer {
    let command = ApproveApplication {
        id: *id,
        category: text(request.body.category),
        guardian: request.body.guardian.map(NewGuardian::of_new_reader).transpose()?,
    };
    let made = decide_application::approve_application(&app.store, &who.caller, command, request.key).await?;
    let location = format!("/api/v1/readers/{}", made.value.id);
    answer::created(&made, Some(location))
}

/// Why somebody is not registered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusalOfApplication {
    /// The applicant is shown it.
    #[schema(value_type = String, max_length = 200, example = "姓名与证件不符")]
    reason: Remark<200>,
}

/// Refuses an application. Nothing personal is kept of it.
#[utoipa::path(post, path = "/api/v1/applications/{id}/refusal", operation_id = "refuseApplication", tag = "readers",
    params(("id" = i64, Path, description = "The application's id"), IdempotencyHeader),
    request_body = RefusalOfApplication, security(("bearer" = [])),
    responses((status = 200, description = "It is refused", body = ApplicationRefused), ChangeOneFailures))]
pub async fn refuse_application(
    app: web::Data<App>,
    who: RegistersReaders,
    id: web::Path<i64>,
    request: Changing<RefusalOfApplication>,
) -> Answer {
    let command = RefuseApplication {
        id: *id,
        reason: request.body.reason.into(),
    };
    answer::done(&decide_application::refuse_application(&app.store, &who.caller, command, request.key).await?)
}

/// How a unit takes in readers who register by themselves.
#[utoipa::path(get, path = "/api/v1/units/{code}/self-registration", operation_id = "getSelfRegistration", tag = "units",
    params(("code" = String, Path, description = "The unit's code")), security(("bearer" = [])),
    responses((status = 200, description = "What holds", body = SelfRegistrationView), LookFailures))]
pub async fn get_self_registration(app: web::Data<App>, who: Anyone, code: web::Path<String>) -> Answer {
    let view = set_self_registration::get_self_registration(&app.store, &who.caller, code.into_inner()).await?;
    precondition::tagged(answer::ok(&view), content_version(&view)?)
}

/// How a unit, and everything below that says nothing itself, takes readers in. An empty object: what is said above.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakesReadersIn {
    /// `at_once`: whoever proves an address is a reader, if nothing is doubtful; `desk`: a desk looks at each; `closed`: at the desk only.
    #[schema(value_type = Option<String>, max_length = 32, example = "at_once")]
    how: Option<SelfRegistration>,
}

/// Says how a unit takes in readers who register by themselves.
#[utoipa::path(put, path = "/api/v1/units/{code}/self-registration", operation_id = "setSelfRegistration", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), IdempotencyHeader, IfMatchGivenHeader),
    request_body = TakesReadersIn, security(("bearer" = [])),
    responses((status = 200, description = "What holds", body = SelfRegistrationView), ChangeSeenFailures))]
pub async fn set_self_registration(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    seen: IfMatchGiven,
    request: Changing<TakesReadersIn>,
) -> Answer {
    let command = SetSelfRegistration {
        code: code.into_inner(),
        how: request.body.how,
        seen: seen.0,
    };
    let set = set_self_registration::set_self_registration(&app.store, &who.caller, command, request.key).await?;
    precondition::tagged(answer::done(&set), content_version(&set.value)?)
}
