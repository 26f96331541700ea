//! What every answer tells a browser: guess no types, keep nothing, run nothing but the page of the documentation; and, for
//! configured origins only, that their pages may read it (CORS).
//!
//! Tokens travel in `Authorization`, never in cookies, so no origin is ever allowed credentials.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};

use super::problem::Problem;
use crate::app::App;
use crate::config::HttpConfig;

/// Nothing of an answer of the API is ever shown as a page.
const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
/// The page brings its own scripts and asks this server only. Its styles are partly set by script, its pictures partly inline.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// What a page of an allowed origin may send.
const ALLOWED_METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
const ALLOWED_HEADERS: &str = "authorization, content-type, idempotency-key, if-match";
/// What it may read beside the body.
const EXPOSED_HEADERS: &str = "location, retry-after, idempotency-replayed, etag, www-authenticate";
/// How long a browser may remember the answer to a preflight, in seconds.
const PREFLIGHT_S: &str = "600";

/// The middleware, outside the boundary. What breaks there (a panic, the time limit) is an error whose answer is made only
/// later, by the server: its problem is given the same headers to take along.
///
/// # Errors
/// As the service behind it.
pub async fn add(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let app = request.app_data::<web::Data<App>>().cloned();
    let (is_api, is_docs) = (request.path().starts_with("/api/"), request.path().starts_with("/docs"));
    let origin = app
        .as_ref()
        .and_then(|app| allowed_origin(&app.config.http, request.headers()));
    let answered = if origin.is_some() && is_preflight(&request) {
        Ok(request.into_response(preflight()))
    } else {
        next.call(request).await
    };
    let mut response = match (answered, &app) {
        (Err(error), Some(app)) => return Err(broken(error, &app.config.http, origin)),
        (answered, _) => answered?,
    };
    let headers = response.headers_mut();
    of_every_answer(headers);
    if is_docs {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOCS_POLICY));
    }
    if is_api && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(app) = &app {
        of_node(&app.config.http, origin, headers);
    }
    Ok(response)
}

/// A problem with what the configuration of this node adds; `Problem::error_response` adds the rest.
fn broken(error: Error, config: &HttpConfig, origin: Option<HeaderValue>) -> Error {
    let mut headers = HeaderMap::new();
    of_node(config, origin, &mut headers);
    match error.as_error::<Problem>() {
        Some(problem) => problem.clone().headers(headers).into(),
        None => error,
    }
}

/// What an answer from outside this middleware lacks.
pub fn of_request(request: &ServiceRequest, headers: &mut HeaderMap) {
    if let Some(app) = request.app_data::<web::Data<App>>() {
        let http = &app.config.http;
        of_node(http, allowed_origin(http, request.headers()), headers);
    }
}

/// What no answer goes without.
pub fn of_every_answer(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(API_POLICY));
}

/// What the configuration of this node adds.
fn of_node(config: &HttpConfig, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
    if config.hsts_seconds > 0
        && let Ok(value) = HeaderValue::try_from(format!("max-age={}", config.hsts_seconds))
    {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    if !config.cors_origins.is_empty() {
        // Also without an origin: a cache must not hand one origin's answer to another.
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(EXPOSED_HEADERS),
        );
    }
}

/// The origin of the page that asks, if it is one of those allowed; compared to the byte, as browsers send it.
fn allowed_origin(config: &HttpConfig, headers: &HeaderMap) -> Option<HeaderValue> {
    if config.cors_origins.is_empty() {
        return None;
    }
    let origin = headers.get(header::ORIGIN)?;
    let allowed = config
        .cors_origins
        .split(',')
        .any(|one| one.trim().as_bytes() == origin.as_bytes());
    allowed.then(|| origin.clone())
}

/// A browser asks beforehand whether a page may send such a request.
fn is_preflight(request: &ServiceRequest) -> bool {
    let asks = [header::ORIGIN, header::ACCESS_CONTROL_REQUEST_METHOD];
    request.method() == Method::OPTIONS && asks.iter().all(|name| request.headers().contains_key(name))
}

fn preflight() -> HttpResponse {
    HttpResponse::build(StatusCode::NO_CONTENT)
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_S))
        .finish()
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::test;

    use super::*;
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::http::boundary::boundary;

    fn panicking() -> HttpResponse {
        panic!("on purpose")
    }

    #[actix_web::test]
    async fn an_answer_after_a_panic_has_them_too() {
        let dir = std::env::temp_dir().join(format!("tongjie_headers_{}", std::process::id()));
        let mut config = Config::for_tests(&dir, &format!("sqlite:{}", dir.join("t.db").display()));
        config.http.cors_origins = "https://opac.example".into();
        config.http.hsts_seconds = 60;
        let app = App::build(config, Clock::System).await.expect("built");
        let service = test::init_service(
            actix_web::App::new()
                .app_data(web::Data::from(app))
                .wrap(from_fn(boundary))
                .wrap(from_fn(add))
                .route("/panic", web::get().to(|| async { panicking() })),
        )
        .await;
        let request = test::TestRequest::get().uri("/panic");
        let request = request.insert_header((header::ORIGIN, "https://opac.example"));
        let error = test::try_call_service(&service, request.to_request()).await;
        let response = error.expect_err("a problem").error_response();
        let header = |name: header::HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(response.status(), 500);
        assert_eq!(
            header(header::ACCESS_CONTROL_ALLOW_ORIGIN),
            Some("https://opac.example")
        );
        assert_eq!(header(header::STRICT_TRANSPORT_SECURITY), Some("max-age=60"));
        assert_eq!(header(header::X_CONTENT_TYPE_OPTIONS), Some("nosniff"));
        drop(std::fs::remove_dir_all(&dir));
    }
}
