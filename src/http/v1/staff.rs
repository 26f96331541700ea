//! Members of staff.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesStaff};
use crate::http::input::{CodeText, Secret, Text};
use crate::http::openapi::{ChangeFailures, IdempotencyHeader};
use crate::usecase::create_staff::{self, CreateStaff, StaffView};

#[derive(utoipa::OpenApi)]
#[openapi(paths(create_staff))]
pub struct Document;

/// A new member of staff.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStaff {
    #[schema(value_type = String, max_length = 64, example = "b01.desk")]
    username: Text<64>,
    /// As colleagues know it.
    #[schema(value_type = String, max_length = 100, example = "王老师")]
    name: Text<100>,
    /// At least 10 characters; neither all the same nor only counting up or down.
    #[schema(value_type = String, format = Password, min_length = 10, max_length = 128)]
    password: Secret,
    #[schema(min_items = 1)]
    roles: Vec<NewRole>,
}

/// A role, valid at a unit and everything below it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// `system`, `unit_manager`, `librarian`, `cataloguer`, `courier`, `cashier`, `auditor` or `read_only`.
    #[schema(value_type = String, max_length = 32, example = "librarian")]
    role: CodeText,
    #[schema(value_type = String, max_length = 32, example = "B01")]
    unit_code: CodeText,
}

impl NewRole {
    pub(super) fn parsed(self) -> (String, String) {
        (self.role.into(), self.unit_code.into())
    }
}

/// Creates a member of staff, with no role above the caller's own and none outside its subtree.
#[utoipa::path(post, path = "/api/v1/staff", operation_id = "createStaff", tag = "staff", params(IdempotencyHeader),
    request_body = NewStaff, security(("bearer" = [])),
    responses((status = 201, description = "The member of staff", body = StaffView), ChangeFailures))]
pub async fn create_staff(app: web::Data<App>, who: ManagesStaff, request: Changing<NewStaff>) -> Answer {
    let NewStaff {
        username,
        name,
        password,
        roles,
    } = request.body;
    let command = CreateStaff {
        username: username.into(),
        name: name.into(),
        password: password.0,
        roles: roles.into_iter().map(NewRole::parsed).collect(),
    };
    let made = create_staff::create_staff(&app.store, &app.passwords, &who.caller, command, request.key).await?;
    answer::created(&made, None)
}
