//! `tongjie serve`: everything in its order, up and down. Up: telemetry, application, jobs, HTTP. Down, at SIGTERM or
//! SIGINT: not ready, HTTP drained, jobs stopped, and the store closed last.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, close, open};
use crate::app::App;
use crate::config::Config;
use crate::http;
use crate::jobs::Jobs;
use crate::usecase::seed_demo::{DemoState, demo_state};

pub(super) async fn run(config: Config) -> Result<(), CliError> {
    let _claim = App::claim(&config)?;
    let app = open(config).await?;
    let served = match refuse_exposed_demo(&app).await {
        Ok(()) => serve(&app, |address| println!("tongjie serves http://{address}")).await,
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

/// Serves until a signal comes; `ready` is told the address once connections are accepted.
pub(super) async fn serve(app: &Arc<App>, ready: impl FnOnce(SocketAddr)) -> Result<(), CliError> {
    // Before anything is served: a signal that comes early must not find the default action.
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::Runtime)?;
    let bind = app.config.http.bind;
    let in_use = |source| CliError::File {
        path: format!("http.bind: {bind} cannot be listened on"),
        source,
    };
    let listener = TcpListener::bind(bind).map_err(in_use)?;
    let (server, address) = http::serve(Arc::clone(app), listener).map_err(in_use)?;
    let handle = server.handle();
    let jobs = Jobs::start(app);
    let mut serving = tokio::spawn(server);
    tracing::info!(%address, "ready");
    ready(address);
    let ended = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        ended = &mut serving => Some(ended),
    };
    app.begin_stop();
    tracing::info!("stopping");
    if ended.is_none() {
        handle.stop(true).await;
        serving
            .await
            .map_err(|error| CliError::Runtime(error.into()))?
            .map_err(CliError::Runtime)?;
    }
    jobs.stop().await;
    match ended {
        None => Ok(()),
        Some(_) => Err(CliError::Failed("the HTTP server stopped by itself".to_owned())),
    }
}
