//! Guardians: who answers for whom.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::ids::ReaderId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Nothing, RegistersReaders};
use crate::http::input::{CodeText, Day, Remark};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader};
use crate::usecase::UseCaseError;
use crate::usecase::add_guardian::{self, AddGuardian, GuardianshipView};

#[derive(utoipa::OpenApi)]
#[openapi(paths(add_guardian, end_guardianship))]
pub struct Document;

/// Who answers for the reader.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGuardian {
    /// A reader who is of age, or a school.
    #[schema(example = 1042)]
    guardian_reader_id: i64,
    /// `parent`, `guardian`, `school` or `other`.
    #[schema(value_type = String, max_length = 32, example = "parent")]
    relation: CodeText,
    /// Whether the guardian may borrow, renew and hold for the ward; yes by default.
    #[schema(example = true)]
    may_act: Option<bool>,
    /// The number of the signed form; needed for a ward under 14, or of unknown age.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, example = "2026-0304-17")]
    consent_form: Option<Remark<100>>,
    /// The day on which it was signed; today at the latest.
    #[schema(value_type = Option<chrono::NaiveDate>)]
    consented_on: Option<Day>,
}

impl NewGuardian {
    /// The link to a reader who is not registered yet: the ward is whoever that will be.
    ///
    /// # Errors
    /// As [`Self::link`], below `guardian`.
    pub(super) fn of_new_reader(self) -> Result<AddGuardian, UseCaseError> {
        self.link(ReaderId::new(0)).map_err(|error| error.below("guardian"))
    }

    /// The link to a ward.
    ///
    /// # Errors
    /// `Invalid` for one half of the consent.
    pub(super) fn link(self, ward: ReaderId) -> Result<AddGuardian, UseCaseError> {
        let consent = match (self.consent_form, self.consented_on) {
            (Some(form), Some(on)) => Some((form.into(), on.0)),
            (None, None) => None,
            (Some(_), None) => return Err(UseCaseError::field("consented_on", "is needed with the form")),
            (None, Some(_)) => return Err(UseCaseError::field("consent_form", "is needed with its day")),
        };
        Ok(AddGuardian {
            ward,
            guardian: ReaderId::new(self.guardian_reader_id),
            relation: self.relation.into(),
            may_act: self.may_act.unwrap_or(true),
            consent,
        })
    }
}

/// Links a guardian to a ward, with the consent that was given.
#[utoipa::path(post, path = "/api/v1/readers/{id}/guardians", operation_id = "addGuardian", tag = "readers",
    params(("id" = i64, Path, description = "The ward's id"), IdempotencyHeader),
    request_body = NewGuardian, security(("bearer" = [])),
    responses((status = 201, description = "The link", body = GuardianshipView), ChangeOneFailures))]
pub async fn add_guardian(
    app: web::Data<App>,
    who: RegistersReaders,
    id: web::Path<i64>,
    request: Changing<NewGuardian>,
) -> Answer {
    let command = request.body.link(ReaderId::new(*id))?;
    let made = add_guardian::add_guardian(&app.store, &who.caller, command, request.key).await?;
    answer::created(&made, None)
}

/// Ends a link between a guardian and a ward.
#[utoipa::path(delete, path = "/api/v1/guardianships/{id}", operation_id = "endGuardianship", tag = "readers",
    params(("id" = i64, Path, description = "The link's id"), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The link", body = GuardianshipView), ChangeOneFailures))]
pub async fn end_guardianship(
    app: web::Data<App>,
    who: RegistersReaders,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    answer::done(&add_guardian::end_guardianship(&app.store, &who.caller, *id, request.key).await?)
}
