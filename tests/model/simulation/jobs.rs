//! What runs by itself: every job of the list, by two nodes at once, and cut off half way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use tongjie::domain::machine_jobs::{
    COMMAND_EXPIRY, COMPARTMENT_DEADLINES, JOURNAL_DRAINING, OFFLINE_BLOCKS, OFFLINE_COMPARISON,
};
use tongjie::domain::schedule::{
    ADDRESS_ERASURE, CALENDAR_WALKS, CARRIER_OUTBOX, CREDIT_LAPSES, CREDIT_NIGHT, CREDIT_POSTING, DEPOSIT_RETURN,
    HOLD_EXPIRY, HOLD_TARGETING, Job, OVERDUE_MARKING, OWNERSHIP_MOVES, TRANSIT_ALARMS, UNLINKING,
};
use tongjie::usecase::book_carrier::{BookCarrier, Booked, Booking, Carrier};
use tongjie::usecase::calendar_walk::CalendarWalks;
use tongjie::usecase::compartment_deadlines::CompartmentDeadlines;
use tongjie::usecase::deliver_outbox::{DeliverOutbox, Fault};
use tongjie::usecase::drain_journal::DrainJournals;
use tongjie::usecase::erase_addresses::EraseAddresses;
use tongjie::usecase::expire_commands::ExpireCommands;
use tongjie::usecase::expire_holds::ExpireHolds;
use tongjie::usecase::follow_blocks::{CompareBlocks, FollowBlocks};
use tongjie::usecase::follow_credit::FollowCredit;
use tongjie::usecase::give_up_transits::GiveUpTransits;
use tongjie::usecase::mark_overdue::MarkOverdue;
use tongjie::usecase::nightly_credit::{LapseCredit, NightlyCredit};
use tongjie::usecase::recall_deposit::PullBackDeposits;
use tongjie::usecase::run_job::{Pass, Ran, run_job};
use tongjie::usecase::settle_transfer::CarryOnTransfers;
use tongjie::usecase::target_holds::TargetHolds;
use tongjie::usecase::unlink_readers::UnlinkReaders;

use super::run::Simulation;

/// A carrier that books most parcels at once, and some when asked again.
#[derive(Debug, Default)]
struct Courier(AtomicU64);

impl Carrier for Courier {
    async fn book(&self, key: &str, _booking: Booking) -> Result<Booked, Fault> {
        match self.0.fetch_add(1, Ordering::SeqCst) % 4 {
            0 => Err(Fault::Later("no courier is free".to_owned())),
            _ => Ok(Booked {
                tracking_number: format!("SIM-{key}"),
            }),
        }
    }

    fn is_ready(&self) -> bool {
        true
    }
}

impl Simulation {
    /// Every job that is due.
    pub async fn run_jobs(&mut self) {
        // The walk first, as the others ask the calendar.
        self.pass(CALENDAR_WALKS, CalendarWalks).await;
        self.pass(OVERDUE_MARKING, MarkOverdue).await;
        self.pass(HOLD_EXPIRY, ExpireHolds).await;
        self.pass(HOLD_TARGETING, TargetHolds).await;
        self.pass(TRANSIT_ALARMS, GiveUpTransits { days: 3 }).await;
        self.pass(OWNERSHIP_MOVES, CarryOnTransfers).await;
        self.pass(DEPOSIT_RETURN, PullBackDeposits).await;
        self.pass(ADDRESS_ERASURE, EraseAddresses).await;
        self.pass(CREDIT_POSTING, FollowCredit).await;
        self.pass(CREDIT_NIGHT, NightlyCredit).await;
        self.pass(CREDIT_LAPSES, LapseCredit).await;
        // Early, so that a week sees it.
        if self.skew <= TimeDelta::zero() {
            // By a clock that is ahead it would be over what has not ended yet.
            self.pass(UNLINKING, UnlinkReaders { days: 2 }).await;
        }
        self.pass(COMPARTMENT_DEADLINES, CompartmentDeadlines).await;
        self.pass(COMMAND_EXPIRY, ExpireCommands).await;
        self.pass(OFFLINE_BLOCKS, FollowBlocks).await;
        self.pass(OFFLINE_COMPARISON, CompareBlocks).await;
        let cards = self.machines.cards.clone();
        self.pass(JOURNAL_DRAINING, DrainJournals { cards }).await;
        // What waited in a journal may have been judged.
        self.read_all_again();
        self.pass(CARRIER_OUTBOX, DeliverOutbox(BookCarrier(Courier::default())))
            .await;
    }

    async fn pass<P: Pass + 'static>(&mut self, job: Job, pass: P) {
        let pass = Arc::new(pass);
        if self.random.percent(15) {
            self.cut_off(job, &pass).await;
        }
        let (a, b) = (self.store.clone(), self.other.clone());
        let here = run_job(&a, "a", job, &pass, || false);
        if self.random.percent(30) {
            let (here, there) = tokio::join!(here, run_job(&b, "b", job, &pass, || false));
            self.judge_run(job, here);
            self.judge_run(job, there);
        } else {
            let here = here.await;
            self.judge_run(job, here);
        }
    }

    /// The node dies in the middle, or is told to stop; its lease is over a minute later.
    async fn cut_off<P: Pass + 'static>(&mut self, job: Job, pass: &Arc<P>) {
        let steps = AtomicU64::new(1);
        let patience = Duration::from_micros(self.random.next() % 3_000);
        let store = self.store.clone();
        let stop = || steps.fetch_sub(1, Ordering::SeqCst) == 0;
        if let Ok(ran) = tokio::time::timeout(patience, run_job(&store, "dying", job, pass, stop)).await {
            self.judge_run(job, ran);
        }
        self.clock.set(self.now() + TimeDelta::seconds(61));
    }

    fn judge_run(&mut self, job: Job, ran: tongjie::usecase::Result<Ran>) {
        let counted = if matches!(ran, Ok(Ran::NotNow)) {
            "job_not_due"
        } else {
            job.name
        };
        self.judge(counted, ran);
    }
}
