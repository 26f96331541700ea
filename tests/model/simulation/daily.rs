//! What frames a day: which operation comes next, the staff's round in the morning, the jobs, and the audit in the evening.

use tongjie::usecase::check::check;
use tongjie::usecase::expire_keys::expire_keys;
use tongjie::usecase::get_item::get_item;
use tongjie::usecase::progress::Silent;
use tongjie::usecase::seal_events::seal_events;

use super::run::Simulation;

/// Kinds of operations with how often they come.
const KINDS: [(Kind, usize); 8] = [
    (Kind::Lend, 30),
    (Kind::Return, 22),
    (Kind::Renew, 8),
    (Kind::Void, 2),
    (Kind::Claim, 3),
    (Kind::Recall, 2),
    (Kind::Lose, 2),
    (Kind::Look, 2),
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
    Look,
}

impl Simulation {
    pub async fn settle_in(&mut self) {}

    pub async fn morning(&mut self) {}

    pub async fn operate(&mut self) {
        let mut left = self.random.below(KINDS.iter().map(|(_, weight)| weight).sum());
        let drawn = KINDS.iter().find(|(_, weight)| {
            let hit = left < *weight;
            left = left.saturating_sub(*weight);
            hit
        });
        match drawn.expect("the weights were summed").0 {
            Kind::Lend => self.lend_something().await,
            Kind::Return => self.return_something().await,
            Kind::Renew => self.renew().await,
            Kind::Void => self.void().await,
            Kind::Claim => self.claim().await,
            Kind::Recall => self.recall().await,
            Kind::Lose => self.lose().await,
            Kind::Look => drop(self.where_is(0).await),
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

    pub fn tell_counts(&self) {
        for (verb, count) in &self.counts {
            println!("    {verb:24} {:6} done {:6} refused", count.done, count.refused);
        }
    }

    pub fn end(&self) {
        self.store.close();
    }
}
