//! `tongjie serve`: everything in its order, up and down. Up: telemetry, application, jobs, HTTP. Down, at SIGTERM or
//! SIGINT: not ready, HTTP drained, jobs stopped, and the store closed last. At SIGHUP the certificate is read again.

use std::net::TcpListener;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, close, notify, open};
use crate::app::App;
use crate::config::Config;
use crate::http;
use crate::http::tls::Certificates;
use crate::jobs::Jobs;
use crate::telemetry::process::raise_file_limit;
use crate::usecase::seed_demo::{DemoState, demo_state};

pub(super) async fn run(config: Config) -> Result<(), CliError> {
    let _claim = App::claim(&config)?;
    let app = open(config).await?;
    let served = match refuse_exposed_demo(&app).await {
        Ok(()) => serve(&app, |url| println!("tongjie serves {url}")).await,
        Err(error) => Err(error),
    };
    close(&app).await;
    served
}

/// Demo log-ins stand in a file: they are good for nothing but this machine.
pub(super) async fn refuse_exposed_demo(app: &App) -> Result<(), CliError> {
    let address = app.config.http.bind;
    if address.ip().is_loopback() || demo_state(&app.store).await? != DemoState::Ready {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "http.bind: {address} is not a loopback address, and this database has demo log-ins; use 127.0.0.1 or another database"
    )))
}

/// Serves until a signal comes; `ready` is told the API's URL once connections are accepted.
pub(super) async fn serve(app: &Arc<App>, ready: impl FnOnce(String)) -> Result<(), CliError> {
    // Before anything is served: a signal that comes early must not find the default action.
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::Runtime)?;
    let hangup = signal(SignalKind::hangup()).map_err(CliError::Runtime)?;
    let certificates = Certificates::load(&app.config.http.tls)?.map(Arc::new);
    let bind = app.config.http.bind;
    let in_use = |source| CliError::File {
        path: format!("http.bind: {bind} cannot be listened on"),
        source,
    };
    raise_file_limit(app.config.limits.connections);
    let figures = http::figures(app);
    let metrics = http::metrics::serve(app, &figures).map_err(|source| CliError::File {
        path: "metrics.bind cannot be listened on".to_owned(),
        source,
    })?;
    let listener = TcpListener::bind(bind).map_err(in_use)?;
    let (server, address) =
        http::serve_counting(Arc::clone(app), listener, certificates.as_deref(), figures).map_err(in_use)?;
    let metrics = metrics.map(|(server, address)| {
        tracing::info!(%address, "metrics");
        let handle = server.handle();
        tokio::spawn(server);
        handle
    });
    let handle = server.handle();
    let jobs = Jobs::start(app);
    let mut serving = tokio::spawn(server);
    let reloading = tokio::spawn(reload(hangup, certificates));
    tracing::info!(%address, "ready");
    ready(format!("{}://{address}", app.config.http.scheme()));
    notify::ready();
    let ended = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        ended = &mut serving => Some(ended),
    };
    app.begin_stop();
    notify::stopping();
    reloading.abort();
    tracing::info!("stopping");
    if ended.is_none() {
        handle.stop(true).await;
        serving
            .await
            .map_err(|error| CliError::Runtime(error.into()))?
            .map_err(CliError::Runtime)?;
    }
    jobs.stop().await;
    if let Some(metrics) = metrics {
        metrics.stop(false).await;
    }
    match ended {
        None => Ok(()),
        Some(_) => Err(CliError::Failed("the HTTP server stopped by itself".to_owned())),
    }
}

/// At every SIGHUP: a renewed certificate is taken up.
async fn reload(mut hangup: Signal, certificates: Option<Arc<Certificates>>) {
    while hangup.recv().await.is_some() {
        let Some(certificates) = &certificates else {
            continue;
        };
        match certificates.reload() {
            Ok(()) => tracing::info!("the certificate was read again"),
            Err(error) => tracing::error!(%error, "the certificate could not be read again; the old one stays in use"),
        }
    }
}
