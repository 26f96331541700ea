//! Work that nobody asks for: the sealer, the expiry of keys, the look for rotated ones, journeys that do not arrive. Every run is idempotent, so several
//! nodes may run the same jobs at once, and a run that was cut short is made up by the next one.
//! Not here: what a run does. A job only decides when to call its use case.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::auth::KeyRingError;
use crate::usecase::UseCaseError;
use crate::usecase::expire_keys::expire_keys;
use crate::usecase::give_up_transits::give_up_transits;
use crate::usecase::seal_events::seal_events;
use crate::usecase::settle_transfer::carry_on_transfers;

/// How often keys are expired: the visit keys of yesterday must not see much of today.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// How often journeys that do not arrive are given up: their days are counted from when they left.
const DISTRIBUTION_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// How soon a rotated signing key is taken over.
const KEYS_INTERVAL: Duration = Duration::from_secs(5);

/// The running jobs.
#[derive(Debug)]
pub struct Jobs {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Jobs {
    /// Starts all jobs on the current runtime. Their first run is now.
    #[must_use]
    pub fn start(app: &Arc<App>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let between_seals = Duration::from_millis(app.config.jobs.seal_interval_ms);
        let sealing = Arc::clone(app);
        let sealer = every("sealer", between_seals, stopped.clone(), move || {
            let app = Arc::clone(&sealing);
            async move { seal_events(&app.store).await.map(|_| ()) }
        });
        let reload_stopped = stopped.clone();
        let missing = Arc::clone(app);
        let distribution = every("distribution", DISTRIBUTION_INTERVAL, stopped.clone(), move || {
            let app = Arc::clone(&missing);
            async move {
                carry_on_transfers(&app.store).await?;
                give_up_transits(&app.store, app.config.jobs.transit_missing_days)
                    .await
                    .map(|_| ())
            }
        });
        let expiring = Arc::clone(app);
        let expiry = every("expiry", EXPIRY_INTERVAL, stopped, move || {
            let app = Arc::clone(&expiring);
            async move {
                expire_keys(&app.store, app.config.jobs.idempotency_days)
                    .await
                    .map(|_| ())
            }
        });
        let reloading = Arc::clone(app);
        let keys = every("keys", KEYS_INTERVAL, reload_stopped, move || {
            let app = Arc::clone(&reloading);
            async move { reload_keys(&app) }
        });
        Self {
            stop,
            tasks: vec![sealer, expiry, keys, distribution],
        }
    }

    /// Starts no new run and waits for those under way.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            if task.await.is_err() {
                tracing::error!("a job ended by a panic");
            }
        }
    }
}

fn reload_keys(app: &App) -> Result<(), UseCaseError> {
    let failed = |error: KeyRingError| UseCaseError::Internal(error.to_string());
    if app.reload_keys().map_err(failed)? {
        tracing::info!("the signing key was rotated");
    }
    Ok(())
}

/// Runs `work`, waits, runs it again, until told to stop. A failed run is logged and not the last one.
fn every<F, W>(name: &'static str, pause: Duration, mut stopped: watch::Receiver<bool>, mut work: F) -> JoinHandle<()>
where
    F: FnMut() -> W + Send + 'static,
    W: Future<Output = Result<(), UseCaseError>> + Send,
{
    tokio::spawn(async move {
        while !*stopped.borrow() {
            if let Err(error) = work().await {
                tracing::warn!(job = name, %error, "a job failed and will be run again");
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stopped.changed() => {}
            }
        }
    })
}
