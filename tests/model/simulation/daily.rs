//! What frames a day: which operation comes next, the staff's round in the morning, the jobs, and the audit in the evening.

use tongjie::usecase::check::check;
use tongjie::usecase::expire_keys::expire_keys;
use tongjie::usecase::get_item::get_item;
use tongjie::usecase::progress::Silent;
use tongjie::usecase::seal_events::seal_events;

use super::run::Simulation;

/// Kinds of operations with how often they come.
const KINDS: [(Kind, usize); 43] = [
    (Kind::Lend, 26),
    (Kind::Return, 16),
    (Kind::Renew, 6),
    (Kind::Void, 2),
    (Kind::Claim, 3),
    (Kind::Recall, 2),
    (Kind::Lose, 2),
    (Kind::Place, 14),
    (Kind::Cancel, 4),
    (Kind::ChangeHold, 6),
    (Kind::FetchPulls, 8),
    (Kind::ServeShelf, 8),
    (Kind::PackCrate, 9),
    (Kind::Drive, 8),
    (Kind::Unpack, 8),
    (Kind::ReceiveOne, 4),
    (Kind::Jobs, 4),
    (Kind::Report, 5),
    (Kind::Repair, 4),
    (Kind::Withdraw, 1),
    (Kind::MoveCopy, 3),
    (Kind::Correct, 3),
    (Kind::Merge, 1),
    (Kind::Policy, 1),
    (Kind::Propose, 1),
    (Kind::Settle, 2),
    (Kind::Deposit, 2),
    (Kind::ChangeDeposit, 2),
    (Kind::Request, 6),
    (Kind::PackParcel, 6),
    (Kind::Dispatch, 5),
    (Kind::Carrier, 6),
    (Kind::Announce, 2),
    (Kind::OpenParcel, 5),
    (Kind::Close, 1),
    (Kind::Undo, 1),
    (Kind::Amnesty, 1),
    (Kind::Hours, 1),
    (Kind::Rules, 1),
    (Kind::MoveUnit, 1),
    (Kind::AtOnce, 12),
    (Kind::Crash, 1),
    (Kind::Clock, 1),
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Lend,
    Return,
    Renew,
    Void,
    Claim,
    Recall,
    Lose,
    Place,
    Cancel,
    ChangeHold,
    FetchPulls,
    ServeShelf,
    PackCrate,
    Drive,
    Unpack,
    ReceiveOne,
    Jobs,
    Report,
    Repair,
    Withdraw,
    MoveCopy,
    Correct,
    Merge,
    Policy,
    Propose,
    Settle,
    Deposit,
    ChangeDeposit,
    Request,
    PackParcel,
    Dispatch,
    Carrier,
    Announce,
    OpenParcel,
    Close,
    Undo,
    Amnesty,
    Hours,
    Rules,
    MoveUnit,
    AtOnce,
    Crash,
    Clock,
}

impl Simulation {
    pub async fn settle_in(&mut self) {
        self.set_routes().await;
        self.set_packing_units().await;
    }

    /// Before the doors open: the night's jobs, then the staff's round.
    pub async fn morning(&mut self) {
        self.run_jobs().await;
        for unit in 0..self.town.units.len() {
            let packs = self.town.units[unit].code == "C1" || self.town.units[unit].code == "M1";
            if packs || self.random.percent(50) {
                self.fetch_pulls(unit).await;
                self.pack_crate(unit).await;
                self.serve_shelf(unit).await;
            }
        }
    }

    pub async fn operate(&mut self) {
        let mut left = self.random.below(KINDS.iter().map(|(_, weight)| weight).sum());
        let drawn = KINDS.iter().find(|(_, weight)| {
            let hit = left < *weight;
            left = left.saturating_sub(*weight);
            hit
        });
        let unit = self.some_unit();
        match drawn.expect("the weights were summed").0 {
            Kind::Lend => self.lend_something().await,
            Kind::Return => self.return_something().await,
            Kind::Renew => self.renew().await,
            Kind::Void => self.void().await,
            Kind::Claim => self.claim().await,
            Kind::Recall => self.recall().await,
            Kind::Lose => self.lose().await,
            Kind::Place => self.place().await,
            Kind::Cancel => self.cancel().await,
            Kind::ChangeHold => self.change_hold().await,
            Kind::FetchPulls => self.fetch_pulls(unit).await,
            Kind::ServeShelf => self.serve_shelf(unit).await,
            Kind::PackCrate => self.pack_crate(unit).await,
            Kind::Drive => self.drive().await,
            Kind::Unpack => self.unpack().await,
            Kind::ReceiveOne => self.receive_one().await,
            Kind::Jobs => self.run_jobs().await,
            Kind::Report => self.report().await,
            Kind::Repair => self.repair().await,
            Kind::Withdraw => self.withdraw().await,
            Kind::MoveCopy => self.move_a_copy().await,
            Kind::Correct => self.correct_a_copy().await,
            Kind::Merge => self.merge().await,
            Kind::Policy => self.change_policy().await,
            Kind::Propose => self.propose().await,
            Kind::Settle => self.settle().await,
            Kind::Deposit => self.push_deposit().await,
            Kind::ChangeDeposit => self.change_deposit().await,
            Kind::Request => self.request().await,
            Kind::PackParcel => self.pack_a_parcel().await,
            Kind::Dispatch => self.dispatch().await,
            Kind::Carrier => self.hear_from_carrier().await,
            Kind::Announce => self.announce().await,
            Kind::OpenParcel => self.open_a_parcel().await,
            Kind::Close => self.close_some().await,
            Kind::Undo => self.undo_a_closing().await,
            Kind::Amnesty => self.change_amnesty().await,
            Kind::Hours => self.change_hours().await,
            Kind::Rules => self.publish_rules().await,
            Kind::MoveUnit => self.move_a_unit().await,
            Kind::AtOnce => self.at_once().await,
            Kind::Crash => self.crash().await,
            Kind::Clock => self.put_the_clock(),
        }
    }

    /// The unit where a copy is now.
    pub async fn where_is(&mut self, item: usize) -> usize {
        let (store, caller, id) = (self.store.clone(), self.town.desk(0), self.town.items[item]);
        let seen = self
            .look("get_item", async move { get_item(&store, &caller, id).await })
            .await;
        seen.map_or(0, |item| self.town.unit(&item.current_unit_code))
    }

    pub async fn evening(&mut self) {
        let sealed = seal_events(&self.store).await;
        self.judge("seal_events", sealed);
        let expired = expire_keys(&self.store, 7).await;
        self.judge("expire_keys", expired);
        self.audit().await;
        self.compare();
    }

    async fn audit(&mut self) {
        let audit = check(&self.store, &Silent).await;
        let Some(findings) = self.judge("check", audit) else {
            return;
        };
        for finding in findings.into_iter().filter(|finding| finding.violations > 0) {
            let (name, examples) = (finding.name, finding.examples.join("; "));
            self.violated(format!(
                "tongjie check: {name}: {} found: {examples}",
                finding.violations
            ));
        }
    }

    /// What was done and refused; with TONGJIE_SIM_REASONS also why.
    pub fn tell_counts(&self) {
        for (verb, count) in &self.counts {
            println!("    {verb:24} {:6} done {:6} refused", count.done, count.refused);
        }
        if std::env::var_os("TONGJIE_SIM_REASONS").is_some() {
            for (reason, times) in &self.reasons {
                println!("    {times:6} {reason}");
            }
        }
    }

    pub fn end(&self) {
        self.store.close();
    }
}
