//! The HTTP API: routes, problems, documents. Parses and renders; everything in between is a use case.
//!
//! ```text
//! measure (id, span, figures, header and connection limits) ─> boundary (time limit, panics, one log line per failure)
//!     ─> v1::<resource> ─> usecase::<verb>
//! ```

pub mod answer;
pub mod boundary;
pub mod bounds;
pub mod client_address;
pub mod conditions;
pub mod described;
pub mod extract;
pub mod glossary;
pub mod health;
pub mod input;
pub mod json_fault;
pub mod jwks;
pub mod limits;
pub mod measure;
pub mod metrics;
pub mod my_data_page;
pub mod openapi;
pub mod operations;
pub mod precondition;
pub mod problem;
mod problem_codes;
pub mod problem_help;
pub mod qr_code;
pub mod query;
pub mod rate_limit;
pub mod reference;
pub mod request_id;
pub mod security_headers;
pub mod signed;
pub mod slip_pdf;
pub mod store_problem;
pub mod tls;
pub mod v1;
pub mod whole_numbers;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::{App as Router, HttpResponse, HttpServer, web};
use utoipa_swagger_ui::{Config as PageConfig, SwaggerUi};

pub use self::conditions::conditions;
pub use self::described::document;
use self::measure::HttpFigures;
pub use self::openapi::openapi;
use self::operations::Operations;
use self::problem::{Code, Problem};
pub use self::reference::reference;
use crate::app::App;

/// Serves the API on a bound listener. The future ends after `ServerHandle::stop`; signals are the caller's business.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(app: Arc<App>, listener: TcpListener) -> io::Result<(Server, SocketAddr)> {
    let figures = figures(&app);
    serve_counting(app, listener, None, figures)
}

/// What the servers of an application count.
pub fn figures(app: &App) -> web::Data<HttpFigures> {
    web::Data::new(HttpFigures::new(Operations::of(&openapi()), &app.config.limits))
}

/// As `serve`, by TLS if there are certificates, counting where another server can show it.
///
/// # Errors
/// When the listener cannot be used, or the certificates cannot.
pub fn serve_counting(
    app: Arc<App>,
    listener: TcpListener,
    certificates: Option<&tls::Certificates>,
    figures: web::Data<HttpFigures>,
) -> io::Result<(Server, SocketAddr)> {
    let address = listener.local_addr()?;
    let (workers, limit) = (
        app.config.http.workers,
        Duration::from_millis(app.config.http.request_timeout_ms),
    );
    let document = web::Data::new(openapi::Document::render());
    let limits = app.config.limits.clone();
    let counting = figures.clone();
    let app = web::Data::from(app);
    let factory = move || {
        Router::new()
            .app_data(app.clone())
            .app_data(document.clone())
            .app_data(figures.clone())
            .app_data(extract::path_config())
            .wrap(from_fn(rate_limit::limit))
            .wrap(from_fn(boundary::boundary))
            .wrap(from_fn(security_headers::add))
            .wrap(from_fn(measure::measure))
            .configure(routes)
            .default_service(web::to(|| async {
                Err::<HttpResponse, _>(Problem::of(Code::NoSuchRoute))
            }))
    };
    let server = HttpServer::new(factory)
        .workers(workers)
        .on_connect(move |_, connection| counting.connected(connection))
        .keep_alive(Duration::from_millis(limits.keep_alive_ms))
        .tcp_nodelay(true)
        .client_request_timeout(Duration::from_millis(limits.head_timeout_ms))
        .client_disconnect_timeout(Duration::from_millis(limits.disconnect_timeout_ms))
        // An eighth more than the limit are accepted, to be told that they are too many.
        .max_connections((limits.connections + limits.connections / 8 + 1).div_ceil(workers))
        .shutdown_timeout(limit.as_secs() + 1)
        .disable_signals();
    let server = match certificates {
        None => server.listen(listener)?,
        Some(certificates) => {
            let config = certificates.server_config().map_err(io::Error::other)?;
            server.listen_rustls_0_23(listener, config)?
        }
    };
    Ok((server.run(), address))
}

/// Every route. The busiest come first: the router tries them in order.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::scope("/api/v1").configure(v1::routes))
        .service(web::resource("/.well-known/jwks.json").route(web::get().to(jwks::get_card_keys)))
        .service(web::resource("/health/live").route(web::get().to(health::live)))
        .service(web::resource("/health/ready").route(web::get().to(health::ready)))
        .service(web::resource("/metrics").route(web::get().to(metrics::on_main)))
        .service(web::resource("/problems/{code}").route(web::get().to(problem::explain)))
        .service(web::resource("/docs").route(web::get().to(to_docs)))
        .service(SwaggerUi::new("/docs/{_:.*}").config(page_config()));
}

/// The page asks nobody outside: no validator, and the document comes from here.
fn page_config() -> PageConfig<'static> {
    PageConfig::from("/api/v1/openapi.json")
        .validator_url("none")
        .display_operation_id(true)
        .filter(true)
}

async fn to_docs() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((header::LOCATION, "/docs/"))
        .finish()
}
