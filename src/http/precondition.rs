//! Against lost updates: an answer carries the version it shows as `ETag`, a change says in `If-Match` which one it saw.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, HttpRequest};
use utoipa::IntoParams;

use super::answer::Answer;
use super::extract::right_first;
use super::problem::{Code, Problem};
use crate::usecase::UseCaseError;

/// The version a change was made from.
pub struct IfMatch(pub i64);

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(right_first(request).and_then(|()| seen(request.headers().get(header::IF_MATCH))))
    }
}

/// The same where a change may say it and need not: what is small, or may be new.
pub struct IfMatchGiven(pub Option<i64>);

impl FromRequest for IfMatchGiven {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let value = request.headers().get(header::IF_MATCH);
        let given = || value.map(given).transpose();
        ready(right_first(request).and_then(|()| given()).map(Self))
    }
}

/// What may be left out is there with nothing in it: a client that lost its tag, or meant to leave it out. Nobody can know.
fn given(value: &HeaderValue) -> Result<i64, Problem> {
    if value.is_empty() {
        let wrong = "is empty: give the ETag that came with what you saw, or leave the header out";
        return Err(UseCaseError::field("If-Match", wrong).into());
    }
    seen(Some(value)).map(|seen| seen.0)
}

fn seen(value: Option<&HeaderValue>) -> Result<IfMatch, Problem> {
    let value = value.ok_or_else(|| {
        Problem::of(Code::PreconditionRequired).detail("If-Match must be the ETag that came with what you saw")
    })?;
    let text = value.to_str().map(str::trim).unwrap_or_default();
    if text != "*" && !text.ends_with('"') {
        return Err(Problem::malformed(
            "If-Match",
            "must be the ETag that came with what you saw, in its quotes",
        ));
    }
    // `*`, weak tags and lists would let through what the caller never saw; no such tag was given out, so it matches nothing.
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let version = quoted.and_then(|text| text.parse().ok());
    version
        .map(IfMatch)
        .ok_or_else(|| Problem::of(Code::PreconditionFailed).detail("If-Match is no ETag of this resource"))
}

/// The answer with the version it shows.
///
/// # Errors
/// Those of the answer.
pub fn tagged(answer: Answer, version: i64) -> Answer {
    let mut response = answer?;
    if let Ok(value) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, value);
    }
    Ok(response)
}

/// The header of changes to what has versions.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only describes; `IfMatch` reads it")]
pub struct IfMatchHeader {
    /// The `ETag` of the version the change was made from.
    #[param(rename = "If-Match", example = "\"1\"", pattern = r#"^"[1-9][0-9]{0,17}"$"#)]
    if_match: String,
}

/// The header of changes that may say which version they saw.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only describes; `IfMatchGiven` reads it")]
pub struct IfMatchGivenHeader {
    /// The `ETag` of what the change was made from: changed meanwhile, it is refused.
    #[param(rename = "If-Match", example = "\"1\"", pattern = r#"^"[1-9][0-9]{0,17}"$"#)]
    if_match: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tag_that_was_given_out_is_a_version() {
        let read = |text: &str| seen(Some(&HeaderValue::from_str(text).expect("a value"))).map(|seen| seen.0);
        assert_eq!(read("\"3\"").expect("a version"), 3);
        for other in ["*", "W/\"3\"", "\"3\", \"4\"", "\"\"", "\"x\""] {
            let refused = read(other).expect_err("none");
            assert_eq!(refused.code(), Code::PreconditionFailed, "{other}");
        }
        for no_tag in ["3", "", "\"3"] {
            let refused = read(no_tag).expect_err("no tag at all");
            assert_eq!(refused.code(), Code::MalformedRequest, "{no_tag}");
        }
        let empty = given(&HeaderValue::from_static("")).expect_err("none");
        assert_eq!(empty.code(), Code::InvalidFields);
        assert_eq!(seen(None).err().expect("missing").code(), Code::PreconditionRequired);
    }
}
