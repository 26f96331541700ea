//! The jobs about machines; and what each node does for its own memory of devices.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{every, pass};
use crate::app::App;
use crate::device::runner;
use crate::domain::machine_jobs::{
    COMMAND_EXPIRY, COMPARTMENT_DEADLINES, JOURNAL_DRAINING, MACHINE_ERASURE, OFFLINE_BLOCKS, OFFLINE_COMPARISON,
    SILENCE_ALARMS,
};
use crate::usecase::alarm_silence::AlarmSilence;
use crate::usecase::compartment_deadlines::CompartmentDeadlines;
use crate::usecase::drain_journal::DrainJournals;
use crate::usecase::erase_machine_records::EraseMachineRecords;
use crate::usecase::expire_commands::ExpireCommands;
use crate::usecase::flush_heartbeats::{flush_heartbeats, watch_commands};
use crate::usecase::follow_blocks::{CompareBlocks, FollowBlocks};

/// How soon a command that another node queued ends the long poll here.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// The jobs of the list.
pub(super) fn passes(app: &Arc<App>, node: &Arc<str>, stopped: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let silence = AlarmSilence {
        flush_seconds: app.config.devices.flush_seconds,
    };
    let journals = DrainJournals {
        cards: Arc::clone(&app.cards),
    };
    let erasure = EraseMachineRecords {
        days: app.config.devices.keep_days,
    };
    vec![
        pass(app, node, JOURNAL_DRAINING, journals, stopped),
        pass(app, node, SILENCE_ALARMS, silence, stopped),
        pass(app, node, COMMAND_EXPIRY, ExpireCommands, stopped),
        pass(app, node, COMPARTMENT_DEADLINES, CompartmentDeadlines, stopped),
        pass(app, node, OFFLINE_BLOCKS, FollowBlocks, stopped),
        pass(app, node, OFFLINE_COMPARISON, CompareBlocks, stopped),
        pass(app, node, MACHINE_ERASURE, erasure, stopped),
    ]
}

/// What every node does.
pub(super) fn own(app: &Arc<App>, stopped: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let (flushing, watching) = (Arc::clone(app), Arc::clone(app));
    let pause = Duration::from_secs(u64::from(app.config.devices.flush_seconds));
    let flush = every("heartbeats", pause, stopped.clone(), move || {
        let app = Arc::clone(&flushing);
        async move { flush_heartbeats(&app.store, &app.board).await.map(|_| ()) }
    });
    let watch = every("commands", WATCH_INTERVAL, stopped.clone(), move || {
        let app = Arc::clone(&watching);
        async move { watch_commands(&app.store, &app.board).await }
    });
    let mut tasks = vec![flush, watch];
    if app.config.devices.drivers {
        tasks.push(runner::start(app, stopped));
    }
    tasks
}
