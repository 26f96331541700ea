//! How success is rendered: JSON that no cache keeps, 201 with a Location for what can be looked at, and the mark of a replay.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use super::problem::Problem;
use crate::usecase::Once;

/// What a handler answers.
pub type Answer = Result<HttpResponse, Problem>;

/// 200.
pub fn ok<T: Serialize>(value: &T) -> Answer {
    render(&mut HttpResponse::Ok(), value)
}

/// 200, or the stored answer.
pub fn done<T: Serialize>(once: &Once<T>) -> Answer {
    render(&mut builder(StatusCode::OK, once.replayed), &once.value)
}

/// 201, or the stored answer; `location` leads to what was made, if there is an address for it.
pub fn created<T: Serialize>(once: &Once<T>, location: Option<String>) -> Answer {
    let mut response = builder(StatusCode::CREATED, once.replayed);
    if let Some(location) = location {
        response.insert_header((header::LOCATION, location));
    }
    render(&mut response, &once.value)
}

fn builder(status: StatusCode, replayed: bool) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    if replayed {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    response
}

/// Answers may hold what a reader borrows: nothing between us and the client keeps them.
fn render<T: Serialize>(response: &mut HttpResponseBuilder, value: &T) -> Answer {
    Ok(response.insert_header((header::CACHE_CONTROL, "no-store")).json(value))
}
