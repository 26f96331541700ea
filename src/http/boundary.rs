//! Around every handler: the time limit, panics, the one log line of a failure, and problems for what the router refused.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::task::Poll;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};

use super::problem::{Code, Problem};
use super::request_id::RequestId;
use crate::app::App;

const DEFAULT_LIMIT: Duration = Duration::from_secs(15);

/// The middleware.
///
/// # Errors
/// A problem, where no response can be made of it here: after a panic or the time limit.
pub async fn boundary(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = request.extensions().get::<RequestId>().cloned();
    let limit = request.app_data::<web::Data<App>>().map_or(DEFAULT_LIMIT, |app| {
        Duration::from_millis(app.config.http.request_timeout_ms)
    });
    match tokio::time::timeout(limit, caught(next.call(request))).await {
        Ok(Some(Ok(response))) => Ok(finish(response, id)),
        Ok(Some(Err(error))) => Err(problem_of(&error, id).into()),
        Ok(None) => Err(logged(Problem::of(Code::Internal).cause("the handler panicked"), id).into()),
        Err(_) => Err(logged(Problem::of(Code::TimedOut).cause("the time limit passed"), id).into()),
    }
}

/// `None`: it panicked. Only its own request is lost.
async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(move |context| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match polled {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

fn finish(response: ServiceResponse<BoxBody>, id: Option<RequestId>) -> ServiceResponse<BoxBody> {
    if let Some(error) = response.response().error() {
        let shown = problem_of(error, id).error_response();
        return response.into_response(shown);
    }
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let allow = response
            .headers()
            .get(header::ALLOW)
            .and_then(|methods| methods.to_str().ok());
        let problem = Problem::of(Code::MethodNotAllowed).allow(allow.unwrap_or_default().to_owned());
        return response.into_response(problem.error_response());
    }
    response
}

/// The problem behind an error of the framework; ours is taken as it is, another is known by its status only.
fn problem_of(error: &Error, id: Option<RequestId>) -> Problem {
    if let Some(problem) = error.as_error::<Problem>() {
        return logged(problem.clone(), id);
    }
    match error.as_response_error().status_code() {
        StatusCode::NOT_FOUND => Problem::of(Code::NoSuchRoute),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::of(Code::BodyTooLarge),
        status if status.is_client_error() => Problem::of(Code::MalformedRequest).detail(error.to_string()),
        _ => logged(Problem::of(Code::Internal).cause(error.to_string()), id),
    }
}

/// Logs what broke, once, under the id the client is told.
fn logged(problem: Problem, id: Option<RequestId>) -> Problem {
    if problem.code().status() < 500 {
        return problem;
    }
    let id = id.map(|id| id.to_string()).unwrap_or_default();
    if let Some(cause) = problem.logged_cause() {
        tracing::error!(request_id = %id, code = problem.code().code(), cause, "a request failed");
    }
    problem.request_id(id)
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::{HttpResponse, test};

    use super::*;

    #[actix_web::test]
    async fn a_panic_becomes_an_opaque_problem_and_the_next_request_is_served() {
        let app = test::init_service(
            actix_web::App::new()
                .wrap(from_fn(boundary))
                .route("/panic", web::get().to(|| async { panicking() }))
                .route("/fine", web::get().to(HttpResponse::Ok)),
        )
        .await;
        let request = test::TestRequest::get().uri("/panic").to_request();
        let error = test::try_call_service(&app, request).await.expect_err("a problem");
        let response = error.error_response();
        assert_eq!(response.status(), 500);
        assert_eq!(
            response.headers().get(header::CONTENT_TYPE).expect("set"),
            super::super::problem::CONTENT_TYPE
        );
        let request = test::TestRequest::get().uri("/fine").to_request();
        assert_eq!(test::call_service(&app, request).await.status(), 200);
    }

    fn panicking() -> HttpResponse {
        panic!("on purpose")
    }
}
