//! Around everything: the request's id, its span and its line in the log, its time in the histogram of its operation, and the
//! two limits that need no routing, header size and connections. A few atomics per request, no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use actix_web::body::BoxBody;
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};
use tracing::{Instrument, Span};

use super::operations::Operations;
use super::problem::{Code, Problem};
use super::request_id::{HEADER, RequestId, RequestIds};
use super::security_headers;
use crate::app::App;
use crate::config::LimitsConfig;
use crate::telemetry::histogram::Histogram;
use crate::telemetry::traces::{RequestTrace, TRACEPARENT};

/// Status classes, from 1xx to 5xx.
pub const CLASSES: usize = 5;
/// Why a log-in or a refresh did not succeed.
pub const LOG_IN_FAILURES: [&str; 3] = ["unauthenticated", "limited", "busy"];

/// What this node's HTTP server counts.
#[derive(Debug)]
pub struct HttpFigures {
    pub operations: Operations,
    /// By operation, then by status class.
    pub durations: Vec<[Histogram; CLASSES]>,
    pub connections: Arc<AtomicI64>,
    pub in_flight: AtomicI64,
    /// In the order of `LOG_IN_FAILURES`.
    pub log_in_failures: [AtomicU64; LOG_IN_FAILURES.len()],
    log_ins: Vec<usize>,
    ids: RequestIds,
    header_bytes: usize,
    connection_limit: i64,
}

impl HttpFigures {
    /// Nothing counted yet.
    pub fn new(operations: Operations, limits: &LimitsConfig) -> Self {
        let durations = operations
            .names()
            .iter()
            .map(|_| std::array::from_fn(|_| Histogram::of_durations()));
        let log_ins = operations.names().iter().enumerate();
        let log_ins = log_ins.filter(|(_, name)| matches!(name.as_str(), "logIn" | "refreshToken"));
        Self {
            durations: durations.collect(),
            connections: Arc::default(),
            in_flight: AtomicI64::new(0),
            log_in_failures: Default::default(),
            log_ins: log_ins.map(|(index, _)| index).collect(),
            ids: RequestIds::new(),
            header_bytes: limits.header_bytes,
            connection_limit: i64::try_from(limits.connections).unwrap_or(i64::MAX),
            operations,
        }
    }

    /// Counts a connection for as long as it lives; called when it is accepted.
    pub fn connected(&self, connection: &mut Extensions) {
        let before = self.connections.fetch_add(1, Ordering::Relaxed);
        connection.insert(Connected {
            over: before >= self.connection_limit,
            open: Arc::clone(&self.connections),
        });
    }

    fn count(&self, operation: usize, status: StatusCode, began: Instant) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES) - 1;
        if let Some(durations) = self.durations.get(operation) {
            durations[class].observe(began.elapsed());
        }
        let failure = match status.as_u16() {
            401 => 0,
            429 => 1,
            503 => 2,
            _ => return,
        };
        if self.log_ins.contains(&operation) {
            self.log_in_failures[failure].fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// An open connection, and whether it is one too many.
struct Connected {
    over: bool,
    open: Arc<AtomicI64>,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request under way, also if its client goes away.
struct InFlight<'a>(&'a AtomicI64);

impl<'a> InFlight<'a> {
    fn begin(count: &'a AtomicI64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The middleware; the outermost.
///
/// # Errors
/// What the inner ones answered.
pub async fn measure(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(figures) = request.app_data::<web::Data<HttpFigures>>().cloned() else {
        return next.call(request).await;
    };
    let began = Instant::now();
    let _in_flight = InFlight::begin(&figures.in_flight);
    let id = figures.ids.of(request.headers());
    let operation = figures.operations.find(request.method(), request.path());
    let span = span(&figures.operations.names()[operation], &id);
    let trace = trace(&request, &figures.operations.names()[operation], &id);
    request.extensions_mut().insert(id.clone());
    let work = async {
        match refusal(&request, &figures) {
            Some(problem) => Ok(refused(request, &problem)),
            None => next.call(request).await,
        }
    };
    let work = async {
        match &trace {
            Some(trace) => trace.scope(work).await,
            None => work.await,
        }
    };
    let mut outcome = if span.is_disabled() {
        work.await
    } else {
        work.instrument(span.clone()).await
    };
    let status = match &outcome {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    figures.count(operation, status, began);
    if let Some(trace) = &trace {
        trace.answered(status.as_u16());
    }
    span.in_scope(|| {
        tracing::debug!(target: "tongjie::requests", status = status.as_u16(), micros = began.elapsed().as_micros() as u64, "answered");
    });
    if let (Ok(response), Some(id)) = (&mut outcome, id.header_value()) {
        response.headers_mut().insert(HEADER, id);
    }
    outcome
}

/// The span of a request: operation and id. No path, query or body: they can name a reader. At the default level of the
/// log it does not exist and costs nothing: this is the hot path.
fn span(operation: &str, id: &RequestId) -> Span {
    if !tracing::enabled!(target: "tongjie::requests", tracing::Level::DEBUG) {
        return Span::none();
    }
    tracing::debug_span!(target: "tongjie::requests", "request", operation, request_id = %id)
}

/// The same for a collector, if there is one: see `telemetry::traces`.
fn trace(request: &ServiceRequest, operation: &str, id: &RequestId) -> Option<RequestTrace> {
    let traces = request.app_data::<web::Data<App>>()?.traces.as_ref()?;
    let traceparent = request.headers().get(TRACEPARENT);
    let traceparent = traceparent.and_then(|value| value.to_str().ok());
    Some(traces.request(operation, method_name(request.method()), id, traceparent))
}

/// Of a method that HTTP defines; anybody can make up another.
fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN
        .into_iter()
        .find(|known| method.as_str() == *known)
        .unwrap_or("_OTHER")
}

fn refusal(request: &ServiceRequest, figures: &HttpFigures) -> Option<Problem> {
    if request
        .conn_data::<Connected>()
        .is_some_and(|connection| connection.over)
    {
        return Some(Problem::of(Code::Busy).detail("too many connections are open; this one is closed"));
    }
    let limit = figures.header_bytes;
    (head_bytes(request) > limit).then(|| {
        Problem::of(Code::HeadersTooLarge).detail(format!("the request line and headers may have {limit} bytes"))
    })
}

/// The request line and the headers, with their separators.
fn head_bytes(request: &ServiceRequest) -> usize {
    let uri = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    let headers = request.headers().iter();
    uri + headers
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum::<usize>()
}

/// The connection is closed, too: it is one too many, or its client does not know when to stop.
fn refused(request: ServiceRequest, problem: &Problem) -> ServiceResponse<BoxBody> {
    let mut response = problem.error_response();
    security_headers::of_request(&request, response.headers_mut());
    response.head_mut().set_connection_type(ConnectionType::Close);
    request.into_response(response)
}
