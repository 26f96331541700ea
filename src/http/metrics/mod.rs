//! `GET /metrics`: what Prometheus reads. On `http.bind` for the addresses of `metrics.allow` and never through a proxy, or on
//! an address of its own (`metrics.bind`). It names operations and parts of this node, never a person or a thing lent.

mod sheet;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix_web::dev::Server;
use actix_web::http::header;
use actix_web::{App as Router, HttpRequest, HttpResponse, HttpServer, web};

use self::sheet::{Labels, Sheet};
use super::measure::{CLASSES, HttpFigures, LOG_IN_FAILURES};
use super::problem::{Code, Problem};
use crate::app::App;
use crate::telemetry::process::{ProcessFigures, free_disk_bytes};
use crate::usecase::figures::{PoolState, StoreFigures, figures};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Headers a proxy adds: the neighbour is then not the client.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];

/// `GET /metrics` on the address of the API. To everybody else it is not there.
pub async fn on_main(
    request: HttpRequest,
    app: web::Data<App>,
    http: web::Data<HttpFigures>,
) -> Result<HttpResponse, Problem> {
    let settings = &app.config.metrics;
    let forwarded = FORWARDED.iter().any(|name| request.headers().contains_key(*name));
    let allowed = request.peer_addr().is_some_and(|peer| settings.allowed(peer.ip()));
    if settings.bind.is_some() || forwarded || !allowed {
        return Err(Problem::of(Code::NoSuchRoute));
    }
    answer(&app, &http).await
}

async fn on_its_own(app: web::Data<App>, http: web::Data<HttpFigures>) -> Result<HttpResponse, Problem> {
    answer(&app, &http).await
}

/// A server for `metrics.bind`, if that is set.
///
/// # Errors
/// When the address cannot be listened on.
pub fn serve(app: &Arc<App>, http: &web::Data<HttpFigures>) -> io::Result<Option<(Server, SocketAddr)>> {
    let Some(bind) = app.config.metrics.bind else {
        return Ok(None);
    };
    let listener = TcpListener::bind(bind)?;
    let address = listener.local_addr()?;
    let (app, http) = (web::Data::from(Arc::clone(app)), http.clone());
    let router = move || {
        Router::new()
            .app_data(app.clone())
            .app_data(http.clone())
            .service(web::resource("/metrics").route(web::get().to(on_its_own)))
    };
    let server = HttpServer::new(router)
        .workers(1)
        .disable_signals()
        .listen(listener)?
        .run();
    Ok(Some((server, address)))
}

async fn answer(app: &App, http: &HttpFigures) -> Result<HttpResponse, Problem> {
    let mut sheet = Sheet::default();
    of_http(&mut sheet, http);
    of_store(&mut sheet, figures(&app.store).await);
    of_process(&mut sheet, app);
    of_traces(&mut sheet, app);
    let text = sheet
        .into_text()
        .map_err(|error| Problem::of(Code::Internal).cause(error.to_string()))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, CONTENT_TYPE))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(text))
}

fn none<V>(value: V) -> Vec<(Labels, V)> {
    vec![(Labels::new(), value)]
}

fn labelled(name: &'static str, value: impl Into<String>) -> Labels {
    vec![(name, value.into())]
}

fn of_http(sheet: &mut Sheet, http: &HttpFigures) {
    let mut durations = Vec::new();
    for (name, classes) in http.operations.names().iter().zip(&http.durations) {
        for (class, histogram) in (1..=CLASSES).zip(classes) {
            let seen = histogram.snapshot();
            if seen.count > 0 {
                let labels = vec![("operation", name.clone()), ("status", format!("{class}xx"))];
                durations.push((labels, seen));
            }
        }
    }
    sheet.histogram(
        "tongjie_http_request_duration_seconds",
        "From the head of a request to its answer, by operation and status class",
        durations,
    );
    let gauge = |value: &std::sync::atomic::AtomicI64| none(value.load(Ordering::Relaxed) as f64);
    sheet.gauge(
        "tongjie_http_requests_in_flight",
        "Requests that are being answered",
        gauge(&http.in_flight),
    );
    sheet.gauge("tongjie_http_connections", "Open connections", gauge(&http.connections));
    let failures = LOG_IN_FAILURES.iter().zip(&http.log_in_failures);
    let failures = failures.map(|(reason, n)| (labelled("reason", *reason), n.load(Ordering::Relaxed) as f64));
    sheet.counter(
        "tongjie_log_in_failures",
        "Log-ins and refreshes that were not granted",
        failures.collect(),
    );
}

fn of_store(sheet: &mut Sheet, store: StoreFigures) {
    sheet.gauge(
        "tongjie_store_queue_depth",
        "Changes waiting to be written",
        none(store.queue_depth as f64),
    );
    sheet.gauge(
        "tongjie_store_queue_limit",
        "Changes that may wait; one more is answered 503",
        none(store.queue_limit as f64),
    );
    sheet.counter("tongjie_store_jobs", "Changes committed", none(store.jobs as f64));
    sheet.counter("tongjie_store_commits", "Commits", none(store.commits as f64));
    sheet.counter(
        "tongjie_store_broken_groups",
        "SQLite: commit groups that failed and were run one by one",
        none(store.broken_groups as f64),
    );
    sheet.histogram(
        "tongjie_store_group_jobs",
        "Changes that shared a commit",
        none(store.group_jobs),
    );
    sheet.histogram(
        "tongjie_store_commit_duration_seconds",
        "How long a commit took",
        none(store.commit),
    );
    let waits = store
        .waits
        .into_iter()
        .map(|(pool, seen)| (labelled("pool", pool), seen));
    sheet.histogram(
        "tongjie_store_pool_wait_seconds",
        "How long a transaction waited for a connection",
        waits.collect(),
    );
    of_pools(sheet, &store.pools);
    let slow = store
        .slow
        .into_iter()
        .map(|(kind, n)| (labelled("kind", kind), n as f64));
    sheet.counter(
        "tongjie_store_slow_statements",
        "Statements over log.slow_statement_ms, by verb",
        slow.collect(),
    );
    if let Some(unsealed) = store.unsealed {
        sheet.gauge(
            "tongjie_seal_lag_events",
            "Events that no seal covers yet",
            none(unsealed.events as f64),
        );
        sheet.gauge(
            "tongjie_seal_lag_seconds",
            "Age of the oldest event that no seal covers yet",
            none(store.seal_lag.as_secs_f64()),
        );
    }
}

fn of_pools(sheet: &mut Sheet, pools: &[PoolState]) {
    let sizes = pools
        .iter()
        .map(|pool| (labelled("pool", pool.name), f64::from(pool.size)));
    sheet.gauge(
        "tongjie_store_pool_size",
        "Connections a pool may have",
        sizes.collect(),
    );
    let states = pools.iter().flat_map(|pool| {
        [("in_use", pool.in_use), ("idle", pool.idle)].map(|(state, n)| {
            let labels = vec![("pool", pool.name.to_owned()), ("state", state.to_owned())];
            (labels, f64::from(n))
        })
    });
    sheet.gauge(
        "tongjie_store_pool_connections",
        "Connections of a pool",
        states.collect(),
    );
}

fn of_process(sheet: &mut Sheet, app: &App) {
    let process = ProcessFigures::read();
    for (name, help, value) in [
        ("process_resident_memory_bytes", "Memory in use", process.resident_bytes),
        ("process_open_fds", "Open files and sockets", process.open_files),
        (
            "process_max_fds",
            "Files and sockets that may be open",
            process.max_files,
        ),
        ("process_threads", "Threads", process.threads),
        (
            "tongjie_data_free_bytes",
            "Space left for the data directory",
            free_disk_bytes(&app.config.data.dir),
        ),
    ] {
        if let Some(value) = value {
            sheet.gauge(name, help, none(value as f64));
        }
    }
    let version = labelled("version", env!("CARGO_PKG_VERSION"));
    sheet.gauge("tongjie_build_info", "Always one", vec![(version, 1.0)]);
}

fn of_traces(sheet: &mut Sheet, app: &App) {
    let Some(traces) = &app.traces else { return };
    let outcomes = [
        ("sent", &traces.figures.sent),
        ("queue_full", &traces.figures.queue_full),
        ("not_taken", &traces.figures.not_taken),
    ];
    let spans = outcomes.map(|(outcome, n)| (labelled("outcome", outcome), n.load(Ordering::Relaxed) as f64));
    sheet.counter(
        "tongjie_trace_spans",
        "Spans that ended, by what became of them",
        spans.to_vec(),
    );
}
