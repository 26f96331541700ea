//! Problems (RFC 9457): how use case errors become them, and how they are rendered.
//! Not for: the codes (see `problem_codes`), or the texts of refusals, which are the domain's.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

pub use super::problem_codes::Code;
use super::problem_help::help;
use super::security_headers::of_every_answer;
use crate::domain::compartment_choice::Size;
use crate::usecase::UseCaseError;
use crate::usecase::consent::Offer;
use crate::usecase::error::{FieldError, OwnerChoice};
use crate::usecase::view::{RefusalView, refusal_views};

/// Errors listed; more would make an answer many times as long as the request.
const ERRORS_SHOWN: usize = 1_000;

/// The media type of every problem.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// One wrong field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// As the request names it; a path such as `overrides.codes` inside objects.
    #[schema(example = "card_number")]
    pub field: String,
    /// What is wrong, and what would be right.
    #[schema(example = "no reader holds this card")]
    pub reason: String,
}

/// One owner of an item that a scanned barcode may mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnerView {
    pub item_id: i64,
    /// Ask again with this as `owner_unit_code`.
    pub owner_unit_code: String,
    pub owner_unit_name: String,
}

/// A problem (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// `/problems/` and the code.
    #[serde(rename = "type")]
    #[schema(example = "/problems/refused")]
    pub type_url: String,
    /// The kind of problem, in English.
    #[schema(example = "The rules say no")]
    pub title: &'a str,
    pub title_zh: &'a str,
    /// The HTTP status again.
    #[schema(example = 409)]
    pub status: u16,
    /// The kind of problem, as docs/API.md lists it.
    #[schema(example = "refused")]
    pub code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a str>,
    /// Names the failure in the server's log; with status 5xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<&'a str>,
    /// Every wrong field, the first 1,000 if there are more; with status 400 and 422.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub errors: &'a [FieldProblem],
    /// Every reason to say no, at once; with `refused`.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub refusals: &'a [RefusalView],
    /// With `refused` and the `consent_…` problems, where the caller may pass every refusal: sent back with `overrides` and
    /// `confirm`, it makes them count for this very case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_token: Option<&'a str>,
    /// Until when the token is good (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_expires_at: Option<DateTime<Utc>>,
    /// With `ambiguous_barcode`.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub owners: &'a [OwnerView],
    /// The bib that stands for it; with `bib_merged`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1042)]
    pub merged_into: Option<i64>,
    /// The reader who is there; with `duplicate_reader`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1042)]
    pub existing_reader_id: Option<i64>,
}

/// A problem on its way to the client.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    detail: Option<Cow<'static, str>>,
    errors: Vec<FieldProblem>,
    refusals: Vec<RefusalView>,
    owners: Vec<OwnerView>,
    merged_into: Option<i64>,
    existing_reader: Option<i64>,
    offer: Option<Offer>,
    request_id: Option<String>,
    allow: Option<String>,
    retry_after_s: Option<u32>,
    /// For the log, never for the client.
    cause: Option<String>,
    /// Of the answer, beside those of every problem.
    headers: header::HeaderMap,
}

impl Problem {
    /// A problem without more to say than its code.
    pub fn of(code: Code) -> Self {
        Self(Box::new(Inner {
            code,
            detail: None,
            errors: Vec::new(),
            refusals: Vec::new(),
            owners: Vec::new(),
            merged_into: None,
            existing_reader: None,
            offer: None,
            request_id: None,
            allow: None,
            retry_after_s: None,
            cause: None,
            headers: header::HeaderMap::new(),
        }))
    }

    /// A request that cannot be read because of this field (a header, parameter or member of the body).
    pub fn malformed(field: impl Into<String>, reason: impl Into<String>) -> Self {
        let mut problem = Self::of(Code::MalformedRequest);
        problem.0.errors.push(FieldProblem {
            field: field.into(),
            reason: reason.into(),
        });
        problem
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// The same under another code.
    #[must_use]
    pub fn with_code(mut self, code: Code) -> Self {
        self.0.code = code;
        self
    }

    /// What broke, for the log.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    #[must_use]
    pub fn request_id(mut self, id: String) -> Self {
        self.0.request_id = Some(id);
        self
    }

    #[must_use]
    pub fn allow(mut self, methods: String) -> Self {
        self.0.allow = Some(methods);
        self
    }

    /// When another try makes sense, in seconds from now; told as `Retry-After` instead of the code's own.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// More headers for the answer.
    #[must_use]
    pub fn headers(mut self, headers: header::HeaderMap) -> Self {
        self.0.headers = headers;
        self
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What the log should say; only of what broke.
    pub fn logged_cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    fn of_fields(code: Code, errors: Vec<FieldError>) -> Self {
        let mut problem = Self::of(code);
        let shown = |error: FieldError| FieldProblem {
            field: error.field.into_owned(),
            reason: error.reason,
        };
        let more = errors.len().saturating_sub(ERRORS_SHOWN);
        if more > 0 {
            problem = problem.detail(format!("{more} more errors are not listed"));
        }
        problem.0.errors = errors.into_iter().take(ERRORS_SHOWN).map(shown).collect();
        problem
    }

    fn of_owners(field: &str, choices: Vec<OwnerChoice>) -> Self {
        let mut problem = Self::of(Code::AmbiguousBarcode);
        let reason = "belongs to several owners; say which with owner_unit_code".to_owned();
        problem.0.errors.push(FieldProblem {
            field: field.to_owned(),
            reason,
        });
        let shown = |choice: OwnerChoice| OwnerView {
            item_id: choice.item_id,
            owner_unit_code: choice.owner_unit_code,
            owner_unit_name: choice.owner_unit_name,
        };
        problem.0.owners = choices.into_iter().map(shown).collect();
        problem
    }

    /// As JSON shows it.
    pub fn body(&self) -> ProblemBody<'_> {
        let Inner {
            code,
            detail,
            errors,
            refusals,
            owners,
            offer,
            request_id,
            ..
        } = &*self.0;
        ProblemBody {
            type_url: format!("/problems/{}", code.code()),
            title: code.title(),
            title_zh: code.title_zh(),
            status: code.status(),
            code: code.code(),
            detail: detail.as_deref(),
            request_id: request_id.as_deref(),
            errors,
            refusals,
            owners,
            merged_into: self.0.merged_into,
            existing_reader_id: self.0.existing_reader,
            consent_token: offer.as_ref().map(|offer| offer.token.as_str()),
            consent_expires_at: offer.as_ref().map(|offer| offer.expires_at),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code.code())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response
            .insert_header((header::CONTENT_TYPE, CONTENT_TYPE))
            .insert_header((header::CACHE_CONTROL, "no-store"));
        if self.0.code == Code::Unauthenticated {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(seconds) = self.0.retry_after_s {
            response.insert_header((header::RETRY_AFTER, seconds));
        } else if let Some(seconds) = self.0.code.retry_after() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Some(id) = &self.0.request_id {
            response.insert_header((super::request_id::HEADER, id.as_str()));
        }
        if let Some(methods) = &self.0.allow {
            response.insert_header((header::ALLOW, methods.as_str()));
        }
        let mut response = response.body(serde_json::to_string(&self.body()).unwrap_or_default());
        of_every_answer(response.headers_mut());
        for (name, value) in &self.0.headers {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response
    }
}

impl From<UseCaseError> for Problem {
    fn from(error: UseCaseError) -> Self {
        match error {
            UseCaseError::Refused(refusals) => {
                let mut problem = Self::of(Code::Refused);
                problem.0.refusals = refusal_views(&refusals.0);
                problem
            }
            UseCaseError::Passable { fault, refusals, offer } => {
                let mut problem = Self::of(fault.map_or(Code::Refused, Code::of_fault));
                problem.0.refusals = refusal_views(&refusals.0);
                problem.0.offer = Some(offer);
                problem
            }
            UseCaseError::Invalid(errors) => Self::of_fields(Code::InvalidFields, errors),
            UseCaseError::NotFound(what) => Self::of(Code::NotFound).detail(format!("there is no such {what}")),
            UseCaseError::Ambiguous { field, choices } => Self::of_owners(field, choices),
            UseCaseError::Forbidden => Self::of(Code::Forbidden),
            UseCaseError::Unauthenticated => Self::of(Code::Unauthenticated),
            UseCaseError::SecondFactorNeeded => Self::of(Code::SecondFactorNeeded),
            UseCaseError::DeviceNotApproved => Self::of(Code::DeviceNotApproved),
            UseCaseError::DeviceSuspended => Self::of(Code::DeviceSuspended),
            UseCaseError::AcknowledgementForged => Self::of(Code::AcknowledgementForged),
            UseCaseError::SaidOtherwise(first) => Self::of(Code::Conflict).detail(first),
            UseCaseError::LockerInUse { wait_s } => Self::of(Code::LockerInUse).retry_after(wait_s),
            UseCaseError::LockerSessionEnded(how) => Self::of(Code::LockerSessionEnded).detail(how.code()),
            UseCaseError::NoCompartmentFits { free } => Self::of(Code::NoCompartmentFits).detail(free_sizes(&free)),
            UseCaseError::CompartmentState(obstacle) => Self::of(Code::CompartmentState).detail(obstacle.to_string()),
            UseCaseError::CompartmentTurn { present } => {
                Self::of(Code::CompartmentTurn).detail(format!("the compartment is at turn {present}"))
            }
            UseCaseError::LoadIt => Self::of(Code::LoadIt),
            UseCaseError::TooManyLogIns { wait_s } => Self::of(Code::TooManyLogIns).retry_after(wait_s),
            UseCaseError::State(state) => Self::of(Code::WrongState).detail(state),
            UseCaseError::Merged { into, .. } => {
                let mut problem = Self::of(Code::BibMerged).detail(error.to_string());
                problem.0.merged_into = Some(into);
                problem
            }
            UseCaseError::DuplicateReader { reader } => {
                let mut problem = Self::of(Code::DuplicateReader).detail(error.to_string());
                problem.0.existing_reader = Some(reader);
                problem
            }
            UseCaseError::Stale(version) => Self::of(Code::PreconditionFailed)
                .detail(format!("it is at version {version} now: look again, then change it")),
            UseCaseError::Unseen => Self::of(Code::PreconditionRequired)
                .detail("it is there already: If-Match must be the ETag of what you saw of it"),
            UseCaseError::Busy => Self::of(Code::Busy),
            UseCaseError::Store(error) => error.into(),
            UseCaseError::Internal(cause) => Self::of(Code::Internal).cause(cause),
        }
    }
}

fn free_sizes(free: &[Size]) -> String {
    let sizes: Vec<&str> = free.iter().map(|size| size.code()).collect();
    match sizes.as_slice() {
        [] => "no compartment is empty".to_owned(),
        _ => format!("empty ones are {}", sizes.join(", ")),
    }
}

/// `GET /problems/{code}`: what a problem's type URL leads to.
pub async fn explain(code: web::Path<String>) -> Result<HttpResponse, Problem> {
    let found = Code::ALL.iter().find(|known| known.code() == code.as_str());
    let code = found.ok_or_else(|| Problem::of(Code::NotFound).detail("there is no such problem code"))?;
    let (meaning, remedy) = help(*code);
    Ok(HttpResponse::Ok().json(serde_json::json!({
        "code": code.code(), "status": code.status(), "title": code.title(), "title_zh": code.title_zh(),
        "meaning": meaning, "remedy": remedy,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usecase::StoreError;

    #[test]
    fn codes_are_unique_and_have_both_titles() {
        let mut seen = std::collections::HashSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.code()), "{} is listed twice", code.code());
            assert!((400..600).contains(&code.status()));
            assert!(code.title().is_ascii() && !code.title_zh().is_ascii());
        }
    }

    #[test]
    fn what_broke_is_for_the_log_only() {
        let error = UseCaseError::Internal("the disk said geheim".to_owned());
        let problem = Problem::from(error).request_id("r-1".to_owned());
        let shown = serde_json::to_string(&problem.body()).expect("serialises");
        assert!(
            shown.contains("\"request_id\":\"r-1\"") && !shown.contains("geheim"),
            "{shown}"
        );
        assert_eq!(problem.logged_cause(), Some("the disk said geheim"));
        assert_eq!(problem.status_code(), 500);
    }

    #[test]
    fn every_store_failure_has_its_status() {
        let unavailable = StoreError::Unavailable {
            reason: "full",
            source: None,
        };
        let cases = [
            (unavailable, 503),
            (StoreError::Busy, 503),
            (StoreError::KeyReused, 422),
            (StoreError::Panicked, 500),
        ];
        for (error, status) in cases {
            assert_eq!(Problem::from(error).status_code(), status);
        }
        let response = Problem::of(Code::Busy).error_response();
        assert!(response.headers().contains_key(header::RETRY_AFTER));
    }
}
