//! Deposits of stock: pushed to a unit for some days, called back early, or on their day by the job.

use tongjie::domain::ids::DepositId;
use tongjie::usecase::create_deposit::{Copies, CreateDeposit, create_deposit};
use tongjie::usecase::list_deposits::get_deposit;
use tongjie::usecase::recall_deposit::{UpdateDeposit, recall_deposit, update_deposit};

use super::run::Simulation;

impl Simulation {
    pub async fn push_deposit(&mut self) {
        let (from, to) = (self.some_unit(), self.some_unit());
        let there = format!(
            "SELECT id AS a, id AS b, id AS c FROM items WHERE current_unit_id = {} ORDER BY id",
            self.town.units[from].id
        );
        let there = self.db.outside().triples(&there);
        let mut items: Vec<_> = (0..5)
            .filter_map(|_| self.random.any(&there))
            .map(|(id, ..)| id)
            .collect();
        items.sort_unstable();
        items.dedup();
        let days = self.random.between(2, 8);
        let command = CreateDeposit {
            from_unit_code: self.town.units[from].code.clone(),
            to_unit_code: self.town.units[to].code.clone(),
            until: self.day_in(days),
            reason: "轮换".to_owned(),
            copies: Copies::Items(items.into_iter().map(tongjie::domain::ids::ItemId::new).collect()),
        };
        let caller = self.town.system(from);
        let made = self
            .call("create_deposit", |store, key| {
                let (caller, command) = (caller.clone(), command.clone());
                async move { create_deposit(&store, &caller, command, key).await }
            })
            .await;
        self.open.deposits.extend(made.map(|made| made.id));
    }

    /// Another last day, or back at once.
    pub async fn change_deposit(&mut self) {
        let Some(deposit) = self.random.any(&self.open.deposits).map(DepositId::new) else {
            return;
        };
        let caller = self.town.system(0);
        if self.random.percent(50) {
            self.call("recall_deposit", |store, key| {
                let caller = caller.clone();
                async move { recall_deposit(&store, &caller, deposit, "提前结束".to_owned(), key).await }
            })
            .await;
            return;
        }
        let (store, reader) = (self.store.clone(), caller.clone());
        let seen = self
            .look(
                "get_deposit",
                async move { get_deposit(&store, &reader, deposit).await },
            )
            .await;
        let Some(seen) = seen.map(|detail| detail.deposit.version) else {
            return;
        };
        let days = self.random.between(1, 5);
        let command = UpdateDeposit {
            deposit,
            seen,
            until: Some(self.day_in(days)),
            reason: None,
        };
        self.call("update_deposit", |store, key| {
            let (caller, command) = (caller.clone(), command.clone());
            async move { update_deposit(&store, &caller, command, key).await }
        })
        .await;
    }
}
