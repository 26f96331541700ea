//! Where readers are reached, and what came back from there.

use actix_web::web;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::config::Config;
use crate::domain::ids::ReaderId;
use crate::domain::notice::SendChannel;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, SetsPins};
use crate::http::input::Text;
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, LookFailures};
use crate::http::signed::{Signed, SignedBody};
use crate::usecase::UseCaseError;
use crate::usecase::reader_contacts::{self, ContactView, SetContact};
use crate::usecase::report_bounce::{self, ReportBounce};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_reader_contacts, set_reader_contact, report_bounce))]
pub struct Document;

/// Where a reader is reached, by channel.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactList {
    items: Vec<ContactView>,
}

/// The channel that a path names.
pub(super) fn send_channel(code: &str) -> Result<SendChannel, UseCaseError> {
    SendChannel::from_code(code).ok_or(UseCaseError::NotFound("channel"))
}

/// Where a reader is reached; addresses are shown in part.
#[utoipa::path(get, path = "/api/v1/readers/{id}/contacts", operation_id = "listReaderContacts", tag = "readers",
    params(("id" = i64, Path, description = "The reader's id")), security(("bearer" = [])),
    responses((status = 200, description = "The addresses", body = ContactList), LookFailures))]
pub async fn list_reader_contacts(app: web::Data<App>, who: SetsPins, id: web::Path<i64>) -> Answer {
    let items = reader_contacts::list_reader_contacts(&app.store, &who.caller, ReaderId::new(*id)).await?;
    answer::ok(&ContactList { items })
}

/// An address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactAddress {
    /// A mail address, a telephone number, or the number of the reader at WeChat. Absent: it is taken away.
    #[schema(value_type = Option<String>, max_length = 300, example = "li@example.org")]
    address: Option<Text<300>>,
}

/// Says where a reader is reached by a channel. What a reader enters is proved by a code that is sent there (`confirmMyContact`).
#[utoipa::path(put, path = "/api/v1/readers/{id}/contacts/{channel}", operation_id = "setReaderContact", tag = "readers",
    params(("id" = i64, Path, description = "The reader's id"),
        ("channel" = String, Path, description = "`mail`, `sms` or `wechat`"), IdempotencyHeader),
    request_body = ContactAddress, security(("bearer" = [])),
    responses((status = 200, description = "The address", body = ContactView), ChangeOneFailures))]
pub async fn set_reader_contact(
    app: web::Data<App>,
    who: SetsPins,
    path: web::Path<(i64, String)>,
    request: Changing<ContactAddress>,
) -> Answer {
    let (id, channel) = path.into_inner();
    let command = SetContact {
        reader: ReaderId::new(id),
        channel: send_channel(&channel)?,
        address: request.body.address.map(String::from),
    };
    answer::done(&reader_contacts::set_reader_contact(&app.store, &who.caller, command, request.key).await?)
}

/// A mail that came back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BounceReport {
    /// The address it came to.
    #[schema(value_type = String, max_length = 300, example = "bounce+4711-0011223344556677@bounces.example.org")]
    address: Text<300>,
    /// The status of RFC 3463: 4.x.x for a while, 5.x.x for good.
    #[schema(value_type = String, max_length = 20, example = "5.1.1")]
    status: Text<20>,
}

impl SignedBody for BounceReport {
    fn secret(config: &Config) -> Option<&SecretString> {
        config.delivery.report_secret.as_ref()
    }
}

/// What became of the report.
#[derive(Debug, Serialize, ToSchema)]
pub struct BounceOutcome {
    /// False: it was known already.
    #[schema(example = true)]
    first: bool,
}

/// Takes in that a mail came back: by the mail system, which signs it as a carrier signs its reports.
#[utoipa::path(post, path = "/api/v1/mail-bounces", operation_id = "reportBounce", tag = "readers",
    request_body = BounceReport, security(("signature" = [])),
    responses((status = 200, description = "What became of it", body = BounceOutcome), ChangeOneFailures))]
pub async fn report_bounce(app: web::Data<App>, request: Signed<BounceReport>) -> Answer {
    let report = ReportBounce {
        address: request.0.address.into(),
        status: request.0.status.into(),
    };
    let first = report_bounce::report_bounce(&app.store, &app.derived(), report).await?;
    answer::ok(&BounceOutcome { first })
}
