//! What frames a day: which operation comes next, the staff's round in the morning, the jobs, and the audit in the evening.

use std::future::Future;
use std::pin::Pin;

use tongjie::usecase::check::check;
use tongjie::usecase::expire_keys::expire_keys;
use tongjie::usecase::get_item::get_item;
use tongjie::usecase::progress::Silent;
use tongjie::usecase::seal_events::seal_events;

use super::run::Simulation;

type Step = for<'a> fn(&'a mut Simulation) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What may happen, with how often it comes.
const KINDS: [(usize, Step); 53] = [
    (26, |it| Box::pin(it.lend_something())),
    (16, |it| Box::pin(it.return_something())),
    (6, |it| Box::pin(it.renew())),
    (2, |it| Box::pin(it.void())),
    (3, |it| Box::pin(it.claim())),
    (2, |it| Box::pin(it.recall())),
    (2, |it| Box::pin(it.lose())),
    (14, |it| Box::pin(it.place())),
    (4, |it| Box::pin(it.cancel())),
    (6, |it| Box::pin(it.change_hold())),
    (8, |it| {
        let unit = it.some_unit();
        Box::pin(it.fetch_pulls(unit))
    }),
    (8, |it| {
        let unit = it.some_unit();
        Box::pin(it.serve_shelf(unit))
    }),
    (9, |it| {
        let unit = it.some_unit();
        Box::pin(it.pack_crate(unit))
    }),
    (8, |it| Box::pin(it.drive())),
    (8, |it| Box::pin(it.unpack())),
    (4, |it| Box::pin(it.receive_one())),
    (4, |it| Box::pin(it.run_jobs())),
    (5, |it| Box::pin(it.report())),
    (4, |it| Box::pin(it.repair())),
    (1, |it| Box::pin(it.withdraw())),
    (3, |it| Box::pin(it.move_a_copy())),
    (3, |it| Box::pin(it.correct_a_copy())),
    (1, |it| Box::pin(it.merge())),
    (1, |it| Box::pin(it.change_policy())),
    (1, |it| Box::pin(it.propose())),
    (2, |it| Box::pin(it.settle())),
    (2, |it| Box::pin(it.push_deposit())),
    (2, |it| Box::pin(it.change_deposit())),
    (6, |it| Box::pin(it.request())),
    (6, |it| Box::pin(it.pack_a_parcel())),
    (5, |it| Box::pin(it.dispatch())),
    (6, |it| Box::pin(it.hear_from_carrier())),
    (2, |it| Box::pin(it.announce())),
    (5, |it| Box::pin(it.open_a_parcel())),
    (1, |it| Box::pin(it.close_some())),
    (1, |it| Box::pin(it.undo_a_closing())),
    (1, |it| Box::pin(it.change_amnesty())),
    (1, |it| Box::pin(it.change_hours())),
    (1, |it| Box::pin(it.publish_rules())),
    (1, |it| Box::pin(it.move_a_unit())),
    (8, |it| Box::pin(it.load_a_door())),
    (2, |it| Box::pin(it.open_a_door())),
    (10, |it| Box::pin(it.visit_a_machine())),
    (8, |it| Box::pin(it.bring_to_a_machine())),
    (3, |it| Box::pin(it.late_report())),
    (4, |it| Box::pin(it.settle_a_door())),
    (3, |it| Box::pin(it.settle_a_loan())),
    (8, |it| Box::pin(it.act_alone())),
    (5, |it| Box::pin(it.send_journal())),
    (4, |it| Box::pin(it.answer_a_conflict())),
    (12, |it| Box::pin(it.at_once())),
    (1, |it| Box::pin(it.crash())),
    (1, |it| Box::pin(async move { it.put_the_clock() })),
];

impl Simulation {
    pub async fn settle_in(&mut self) {
        self.set_routes().await;
        self.set_packing_units().await;
        self.set_doors().await;
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
        let mut left = self.random.below(KINDS.iter().map(|(weight, _)| weight).sum());
        for (weight, step) in KINDS {
            if left < weight {
                return step(self).await;
            }
            left -= weight;
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
