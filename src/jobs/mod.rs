//! Work that nobody asks for: the sealer, the expiry of keys and holds, targeting, the look for rotated keys. Every run is idempotent, so several
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
use crate::usecase::expire_holds::expire_holds;
use crate::usecase::expire_keys::expire_keys;
use crate::usecase::seal_events::seal_events;
use crate::usecase::target_holds::target_holds;

/// How often keys are expired: the visit keys of yesterday must not see much of today.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// How often holds whose time is over are ended: a day changes at midnight, and a node may have been down then.
const HOLD_EXPIRY_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// How soon a copy is asked for elsewhere when it was lent over the counter or a unit did not answer.
const TARGETING_INTERVAL: Duration = Duration::from_secs(60);

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
        let (ended, targeted) = (hold_expiry(app, stopped.clone()), targeting(app, stopped.clone()));
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
            tasks: vec![sealer, expiry, keys, ended, targeted],
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

fn hold_expiry(app: &Arc<App>, stopped: watch::Receiver<bool>) -> JoinHandle<()> {
    let app = Arc::clone(app);
    every("hold expiry", HOLD_EXPIRY_INTERVAL, stopped, move || {
        let app = Arc::clone(&app);
        async move { expire_holds(&app.store).await.map(|_| ()) }
    })
}

fn targeting(app: &Arc<App>, stopped: watch::Receiver<bool>) -> JoinHandle<()> {
    let app = Arc::clone(app);
    every("targeting", TARGETING_INTERVAL, stopped, move || {
        let app = Arc::clone(&app);
        async move { target_holds(&app.store).await.map(|_| ()) }
    })
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
