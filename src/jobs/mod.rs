//! Work that nobody asks for. Small things (the sealer, the expiry of keys, the look for rotated ones) are done by every node:
//! each run is idempotent. The jobs of the list (`domain::schedule`) are run by one node at a time, and listed by the API.
//! Not here: what a run does. A job only decides when to call its use case.

mod devices;
mod notices;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::auth::KeyRingError;
use crate::delivery::http_carrier::{HttpCarrier, SharedCarrier};
use crate::delivery::http_provider::HttpProvider;
use crate::domain::schedule::{
    ADDRESS_ERASURE, ADMISSION_OUTBOX, AUTOMATIC_RENEWAL, CALENDAR_WALKS, CARD_EXPIRY, CARRIER_OUTBOX,
    CATEGORY_CHANGES, CREDIT_LAPSES, CREDIT_NIGHT, CREDIT_POSTING, DEPOSIT_RETURN, HOLD_EXPIRY, HOLD_RECALLS,
    HOLD_TARGETING, Job, OVERDUE_MARKING, OWNERSHIP_MOVES, PARCEL_ALARMS, RESEAL_IDENTITIES, TRANSIT_ALARMS, UNLINKING,
};
use crate::usecase::UseCaseError;
use crate::usecase::alarm_parcels::AlarmParcels;
use crate::usecase::ask_provider::AskProvider;
use crate::usecase::auto_renew::AutoRenew;
use crate::usecase::book_carrier::BookCarrier;
use crate::usecase::calendar_walk::CalendarWalks;
use crate::usecase::change_categories::ChangeCategories;
use crate::usecase::deliver_outbox::DeliverOutbox;
use crate::usecase::erase_addresses::EraseAddresses;
use crate::usecase::expire_cards::ExpireCards;
use crate::usecase::expire_holds::ExpireHolds;
use crate::usecase::expire_keys::expire_keys;
use crate::usecase::follow_credit::FollowCredit;
use crate::usecase::give_up_transits::GiveUpTransits;
use crate::usecase::mark_overdue::MarkOverdue;
use crate::usecase::nightly_credit::{LapseCredit, NightlyCredit};
use crate::usecase::recall_deposit::PullBackDeposits;
use crate::usecase::recall_for_holds::RecallForHolds;
use crate::usecase::reseal_identities::ResealIdentities;
use crate::usecase::run_job::{Pass, Ran, run_job};
use crate::usecase::seal_events::seal_events;
use crate::usecase::settle_transfer::CarryOnTransfers;
use crate::usecase::target_holds::TargetHolds;
use crate::usecase::unlink_readers::UnlinkReaders;

/// How often keys are expired: the visit keys of yesterday must not see much of today.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// How soon a rotated signing key is taken over.
const KEYS_INTERVAL: Duration = Duration::from_secs(5);

/// How often a node looks whether a job is due.
const DUE_INTERVAL: Duration = Duration::from_secs(5);

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
        let keys = every("keys", KEYS_INTERVAL, reload_stopped.clone(), move || {
            let app = Arc::clone(&reloading);
            async move { reload_keys(&app) }
        });
        let mut tasks = vec![sealer, expiry, keys];
        tasks.extend(devices::own(app, &reload_stopped));
        tasks.extend(passes(app, &reload_stopped));
        Self { stop, tasks }
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

/// The jobs of the list: of several nodes, one runs each.
fn passes(app: &Arc<App>, stopped: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let node: Arc<str> = node_name().into();
    let days = app.config.jobs.transit_missing_days;
    let silent = app.config.delivery.silent_days;
    let unlink_days = app.config.privacy.unlink_days;
    let renewals = AutoRenew {
        days: app.config.circulation.auto_renewal_days,
    };
    let recalls = RecallForHolds {
        guarantee: app.config.circulation.guarantee(),
    };
    let mut tasks = vec![
        pass(app, &node, OVERDUE_MARKING, MarkOverdue, stopped),
        pass(app, &node, AUTOMATIC_RENEWAL, renewals, stopped),
        pass(app, &node, CALENDAR_WALKS, CalendarWalks, stopped),
        pass(app, &node, HOLD_EXPIRY, ExpireHolds, stopped),
        pass(app, &node, HOLD_TARGETING, TargetHolds, stopped),
        pass(app, &node, HOLD_RECALLS, recalls, stopped),
        pass(app, &node, TRANSIT_ALARMS, GiveUpTransits { days }, stopped),
        pass(app, &node, PARCEL_ALARMS, AlarmParcels { days: silent }, stopped),
        pass(app, &node, OWNERSHIP_MOVES, CarryOnTransfers, stopped),
        pass(app, &node, DEPOSIT_RETURN, PullBackDeposits, stopped),
        pass(app, &node, ADDRESS_ERASURE, EraseAddresses, stopped),
        pass(app, &node, CARD_EXPIRY, ExpireCards, stopped),
        pass(app, &node, CATEGORY_CHANGES, ChangeCategories, stopped),
        pass(app, &node, RESEAL_IDENTITIES, ResealIdentities, stopped),
        pass(app, &node, CREDIT_POSTING, FollowCredit, stopped),
        pass(app, &node, CREDIT_NIGHT, NightlyCredit, stopped),
        pass(app, &node, CREDIT_LAPSES, LapseCredit, stopped),
        pass(app, &node, UNLINKING, UnlinkReaders { days: unlink_days }, stopped),
    ];
    // Without a carrier nothing is written for one.
    if let Some(carrier) = HttpCarrier::of(&app.config.delivery) {
        let told = DeliverOutbox(BookCarrier(SharedCarrier(carrier)));
        tasks.push(pass(app, &node, CARRIER_OUTBOX, told, stopped));
    }
    // What is asked while no provider is set up waits.
    if let Some(provider) = HttpProvider::of(&app.config.admission, app.store.clock()) {
        let store = Arc::clone(&app.store);
        let asked = DeliverOutbox(AskProvider { provider, store });
        tasks.push(pass(app, &node, ADMISSION_OUTBOX, asked, stopped));
    }
    tasks.extend(notices::passes(app, &node, stopped));
    tasks.extend(devices::passes(app, &node, stopped));
    tasks
}

fn pass<P: Pass + 'static>(
    app: &Arc<App>,
    node: &Arc<str>,
    job: Job,
    pass: P,
    stopped: &watch::Receiver<bool>,
) -> JoinHandle<()> {
    let (app, node, pass, stop) = (Arc::clone(app), Arc::clone(node), Arc::new(pass), stopped.clone());
    every(job.name, DUE_INTERVAL, stopped.clone(), move || {
        let (app, node, pass, stop) = (Arc::clone(&app), Arc::clone(&node), Arc::clone(&pass), stop.clone());
        async move {
            let ran = run_job(&app.store, &node, job, &pass, || *stop.borrow()).await?;
            if let Ran::Finished { looked_at, changed } = ran
                && looked_at > 0
            {
                tracing::info!(job = job.name, looked_at, changed, "a job has run");
            }
            Ok(())
        }
    })
}

/// Names this process among the nodes: host and process, and a random part, for hosts and processes come again.
fn node_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut salt = [0_u8; 2];
    // Without randomness the name is less unique, which the number of each run makes up for.
    let _ = getrandom::fill(&mut salt);
    let host = Some(host.trim()).filter(|host| !host.is_empty()).unwrap_or("node");
    format!("{host}-{}-{:04x}", std::process::id(), u16::from_be_bytes(salt))
}

fn reload_keys(app: &App) -> Result<(), UseCaseError> {
    let failed = |error: KeyRingError| UseCaseError::Internal(error.to_string());
    if app.reload_keys().map_err(failed)? {
        tracing::info!("a signing key was rotated");
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
