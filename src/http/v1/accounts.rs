//! Changing accounts: members of staff, their passwords, readers' PINs.

use actix_web::{HttpRequest, web};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::staff::NewRole;
use crate::app::App;
use crate::domain::ids::{ReaderId, StaffId};
use crate::http::answer::{self, Answer};
use crate::http::client_address::client_network;
use crate::http::extract::{Changing, ManagesStaff, SetsPasswords, SetsPins, Staff};
use crate::http::input::{Cursor, Limit, PageBody, Secret, Text, page, text};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, ListFailures};
use crate::http::query::Parameters;
use crate::usecase::set_pin::{self, PinSet, SetPin};
use crate::usecase::set_staff_contact::{self, SetStaffContact};
use crate::usecase::set_staff_password::{self, SetStaffPassword};
use crate::usecase::update_staff::{self, StaffMember, UpdateStaff};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_staff, update_staff, set_staff_password, set_staff_contact, set_pin))]
pub struct Document;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StaffFilter {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists members of staff with a role in the caller's subtree, each with those roles only, in the order of their ids. A page
/// may be short, or empty, though another follows.
#[utoipa::path(get, path = "/api/v1/staff", operation_id = "listStaff", tag = "staff", params(StaffFilter),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of members of staff", body = PageBody<StaffMember>), ListFailures))]
pub async fn list_staff(app: web::Data<App>, who: Staff, filter: Parameters<StaffFilter>) -> Answer {
    let asked = page(filter.0.cursor, filter.0.limit);
    let members = update_staff::list_staff(&app.store, &who.caller, asked).await?;
    answer::ok(&PageBody::from(members))
}

/// What is to change of a member of staff; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StaffChange {
    #[schema(value_type = Option<String>, max_length = 100)]
    name: Option<Text<100>>,
    /// Whether they may log in.
    active: Option<bool>,
    /// All roles anew.
    #[schema(min_items = 1)]
    roles: Option<Vec<NewRole>>,
}

/// Changes a member of staff whose roles all lie within the caller's. Other roles, or none any more, log them out everywhere.
#[utoipa::path(patch, path = "/api/v1/staff/{id}", operation_id = "updateStaff", tag = "staff",
    params(("id" = i64, Path, description = "The member's id"), IdempotencyHeader),
    request_body = StaffChange, security(("bearer" = [])),
    responses((status = 200, description = "The member of staff", body = StaffMember), ChangeOneFailures))]
pub async fn update_staff(
    app: web::Data<App>,
    who: ManagesStaff,
    id: web::Path<i64>,
    request: Changing<StaffChange>,
) -> Answer {
    let StaffChange { name, active, roles } = request.body;
    let command = UpdateStaff {
        id: StaffId::new(*id),
        name: text(name),
        active,
        roles: roles.map(|roles| roles.into_iter().map(NewRole::parsed).collect()),
    };
    answer::done(&update_staff::update_staff(&app.store, &who.caller, command, request.key).await?)
}

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// At least 10 characters; neither all the same nor only counting up or down.
    #[schema(value_type = String, min_length = 10, max_length = 128)]
    password: Secret,
    /// Needed for the caller's own password; for anybody else's it is left out.
    #[schema(value_type = Option<String>, max_length = 128)]
    old_password: Option<Secret>,
}

/// Sets a password: the caller's own, which takes the old one and no right, or that of a member of staff whose roles all lie
/// within the caller's. That member's other sessions end.
#[utoipa::path(put, path = "/api/v1/staff/{id}/password", operation_id = "setStaffPassword", tag = "staff",
    params(("id" = i64, Path, description = "The member's id"), IdempotencyHeader),
    request_body = NewPassword, security(("bearer" = [])),
    responses((status = 200, description = "The member of staff", body = StaffMember), ChangeOneFailures))]
pub async fn set_staff_password(
    app: web::Data<App>,
    from: HttpRequest,
    who: SetsPasswords,
    id: web::Path<i64>,
    request: Changing<NewPassword>,
) -> Answer {
    let command = SetStaffPassword {
        id: StaffId::new(*id),
        password: request.body.password.0,
        old_password: request.body.old_password.map(|old| old.0),
    };
    let (tools, address, key) = (app.session_tools(), client_network(&from), request.key);
    let set = set_staff_password::set_staff_password(&app.store, tools, &who.caller, command, key, address).await?;
    answer::done(&set)
}

/// Where codes go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StaffContact {
    /// A mail address. Absent: there is none any more.
    #[schema(value_type = Option<String>, max_length = 300, example = "wang@example.org")]
    mail: Option<Text<300>>,
    /// The caller's password: needed for the caller's own address; for anybody else's it is left out.
    #[schema(value_type = Option<String>, format = Password, max_length = 128, example = "correct horse battery")]
    password: Option<Secret>,
}

/// Says where a code goes when a member of staff has forgotten the password (`requestReset`): the caller's own address, which takes the
/// password and no right, or that of a member whose roles all lie within the caller's. Codes sent before count no longer.
#[utoipa::path(put, path = "/api/v1/staff/{id}/contact", operation_id = "setStaffContact", tag = "staff",
    params(("id" = i64, Path, description = "The member's id"), IdempotencyHeader),
    request_body = StaffContact, security(("bearer" = [])),
    responses((status = 200, description = "The member of staff", body = StaffMember), ChangeOneFailures))]
pub async fn set_staff_contact(
    app: web::Data<App>,
    from: HttpRequest,
    who: SetsPasswords,
    id: web::Path<i64>,
    request: Changing<StaffContact>,
) -> Answer {
    let command = SetStaffContact {
        id: StaffId::new(*id),
        mail: text(request.body.mail),
        password: request.body.password.map(|given| given.0),
    };
    let (tools, address, key) = (app.session_tools(), client_network(&from), request.key);
    answer::done(&set_staff_contact::set_staff_contact(&app.store, tools, &who.caller, command, key, address).await?)
}

/// Another PIN.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPin {
    /// At least 6 characters; neither all the same nor only counting up or down.
    #[schema(value_type = String, min_length = 6, max_length = 32)]
    pin: Secret,
    /// Needed from the reader; staff leave it out.
    #[schema(value_type = Option<String>, max_length = 32)]
    old_pin: Option<Secret>,
}

/// Sets a reader's PIN: by the reader with the old one, or by staff. The reader's other sessions end.
#[utoipa::path(put, path = "/api/v1/readers/{id}/pin", operation_id = "setPin", tag = "readers",
    params(("id" = i64, Path, description = "The reader's id"), IdempotencyHeader),
    request_body = NewPin, security(("bearer" = [])),
    responses((status = 200, description = "It is set", body = PinSet), ChangeOneFailures))]
pub async fn set_pin(
    app: web::Data<App>,
    from: HttpRequest,
    who: SetsPins,
    id: web::Path<i64>,
    request: Changing<NewPin>,
) -> Answer {
    let command = SetPin {
        reader: ReaderId::new(*id),
        pin: request.body.pin.0,
        old_pin: request.body.old_pin.map(|old| old.0),
    };
    let (tools, address) = (app.session_tools(), client_network(&from));
    answer::done(&set_pin::set_pin(&app.store, tools, &who.caller, command, request.key, address).await?)
}
