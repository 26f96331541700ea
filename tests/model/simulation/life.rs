//! What befalls copies and records: missing, damaged, repaired, moved, withdrawn, merged, given to another owner.

use chrono::TimeDelta;
use tongjie::domain::ids::{BibId, ItemId, OwnershipTransferId};
use tongjie::domain::item::ReturnPolicy;
use tongjie::domain::item_life::ItemAct;
use tongjie::domain::volume::Volume;
use tongjie::usecase::get_bib::get_bib;
use tongjie::usecase::get_item::get_item;
use tongjie::usecase::merge_bibs::{MergeBibs, merge_bibs};
use tongjie::usecase::move_item::{MoveItem, move_item};
use tongjie::usecase::propose_transfer::{ProposeTransfer, propose_transfer};
use tongjie::usecase::ready_item::{ReadyItem, ready_item};
use tongjie::usecase::report_item::{ReportItem, report_item};
use tongjie::usecase::set_return_policy::{SetReturnPolicy, set_return_policy};
use tongjie::usecase::settle_transfer::{Verdict, settle_transfer};
use tongjie::usecase::update_item::{ItemPatch, update_item};
use tongjie::usecase::withdraw_item::withdraw_item;

use super::run::Simulation;

const REPORTS: [ItemAct; 3] = [ItemAct::ReportMissing, ItemAct::ReportDamaged, ItemAct::StartProcessing];
const REPAIRS: [ItemAct; 2] = [ItemAct::FinishRepair, ItemAct::FinishProcessing];

impl Simulation {
    pub async fn report(&mut self) {
        let item = self.some_item();
        let unit = self.where_is(item).await;
        let (caller, item) = (self.town.desk(unit), self.town.items[item]);
        let command = ReportItem {
            item,
            act: *self.random.pick(&REPORTS),
            note: None,
        };
        self.call("report_item", |store, key| {
            let (caller, command) = (caller.clone(), command.clone());
            async move { report_item(&store, &caller, command, key).await }
        })
        .await;
    }

    /// Whatever is being mended is ready again.
    pub async fn repair(&mut self) {
        let wanted =
            "SELECT id AS a, id AS b, id AS c FROM items WHERE status IN ('damaged', 'in_processing') ORDER BY id";
        let broken = self.db.outside().triples(wanted);
        let Some((item, ..)) = self.random.any(&broken) else {
            return;
        };
        let caller = self.town.system(0);
        let command = ReadyItem {
            item: ItemId::new(item),
            act: *self.random.pick(&REPAIRS),
            note: None,
        };
        self.call("ready_item", |store, key| {
            let (caller, command) = (caller.clone(), command.clone());
            async move { ready_item(&store, &caller, command, key).await }
        })
        .await;
    }

    pub async fn withdraw(&mut self) {
        let item = self.some_item();
        let (caller, item) = (self.town.system(0), self.town.items[item]);
        self.call("withdraw_item", |store, key| {
            let caller = caller.clone();
            async move { withdraw_item(&store, &caller, item, "剔旧".to_owned(), key).await }
        })
        .await;
    }

    pub async fn move_a_copy(&mut self) {
        let (item, home) = (self.some_item(), self.some_unit());
        let caller = self.town.system(0);
        let command = MoveItem {
            item: self.town.items[item],
            home_unit_code: self.town.units[home].code.clone(),
            collection_code: self.random.percent(50).then(|| "general".to_owned()),
            shelf_location: None,
            already_there: self.random.percent(40),
        };
        self.call("move_item", |store, key| {
            let (caller, command) = (caller.clone(), command.clone());
            async move { move_item(&store, &caller, command, key).await }
        })
        .await;
    }

    /// Another volume, or lending is stopped or allowed.
    pub async fn correct_a_copy(&mut self) {
        let item = self.some_item();
        let (caller, item) = (self.town.system(0), self.town.items[item]);
        let volumes = [None, Volume::parse("第1卷").ok(), Volume::parse("第2卷").ok()];
        let patch = match self.random.percent(50) {
            true => ItemPatch {
                volume: Some(*self.random.pick(&volumes)),
                ..ItemPatch::default()
            },
            false => ItemPatch {
                not_for_loan: Some(self.random.percent(30)),
                ..ItemPatch::default()
            },
        };
        self.call("update_item", |store, key| {
            let (caller, patch) = (caller.clone(), patch.clone());
            async move { update_item(&store, &caller, item, patch, key).await }
        })
        .await;
    }

    /// One bib turns out to be another.
    pub async fn merge(&mut self) {
        let (survivor, duplicate) = (self.some_bib(), self.some_bib());
        let (survivor, duplicate) = (self.town.bibs[survivor], self.town.bibs[duplicate]);
        let (store, caller) = (self.store.clone(), self.town.system(0));
        let reader = caller.clone();
        let seen = self
            .look("get_bib", async move { get_bib(&store, &reader, survivor).await })
            .await;
        let Some(seen) = seen.map(|bib| bib.version) else {
            return;
        };
        let seen = if self.random.percent(10) { seen + 1 } else { seen };
        let command = MergeBibs {
            survivor,
            seen,
            duplicates: vec![duplicate],
            reason: None,
            dry_run: self.random.percent(15),
        };
        self.rehearsing = command.dry_run;
        let merged = self
            .call("merge_bibs", |store, key| {
                let (caller, command) = (caller.clone(), command.clone());
                async move { merge_bibs(&store, &caller, command, key).await }
            })
            .await;
        if let Some(outcome) = merged.filter(|outcome| !outcome.dry_run) {
            self.ledger
                .cancelled
                .extend(outcome.holds_cancelled.iter().map(|hold| hold.hold_id));
            self.another_bib(duplicate).await;
        }
    }

    /// In the place of a merged bib stands one that is there, so that the town does not run out of them.
    async fn another_bib(&mut self, gone: BibId) {
        let some = self.some_item();
        let (store, caller, item) = (self.store.clone(), self.town.system(0), self.town.items[some]);
        let seen = self
            .look("get_item", async move { get_item(&store, &caller, item).await })
            .await;
        if let (Some(item), Some(place)) = (seen, self.town.bibs.iter().position(|bib| *bib == gone)) {
            self.town.bibs[place] = BibId::new(item.bib_id);
        }
    }

    pub async fn change_policy(&mut self) {
        let policies = [
            None,
            Some(ReturnPolicy::Home),
            Some(ReturnPolicy::Float),
            Some(ReturnPolicy::FloatWithCap { cap: 1 }),
            Some(ReturnPolicy::Restricted),
        ];
        let (unit, return_policy) = (self.some_unit(), *self.random.pick(&policies));
        let caller = self.town.system(0);
        let command = SetReturnPolicy {
            code: self.town.units[unit].code.clone(),
            return_policy,
            seen: None,
        };
        self.call("set_return_policy", |store, key| {
            let (caller, command) = (caller.clone(), command.clone());
            async move { set_return_policy(&store, &caller, command, key).await }
        })
        .await;
    }

    /// Some copies of one owner are to be another's.
    pub async fn propose(&mut self) {
        let owners = ["C1", "M1", "M2"];
        let (from, to) = (*self.random.pick(&owners), *self.random.pick(&owners));
        let of_owner = format!(
            "SELECT id AS a, id AS b, id AS c FROM items WHERE owner_unit_id = {} ORDER BY id",
            self.town.units[self.town.unit(from)].id
        );
        let owned = self.db.outside().triples(&of_owner);
        let mut item_ids: Vec<i64> = (0..4)
            .filter_map(|_| self.random.any(&owned))
            .map(|(id, ..)| id)
            .collect();
        item_ids.sort_unstable();
        item_ids.dedup();
        let command = ProposeTransfer {
            document_number: format!("产〔{}〕{}号", self.day, self.operation),
            document_day: self.today() - TimeDelta::days(1),
            reason: "调拨".to_owned(),
            from_owner_unit_code: from.to_owned(),
            to_owner_unit_code: to.to_owned(),
            item_ids,
        };
        let caller = self.town.system(0);
        let proposed = self
            .call("propose_transfer", |store, key| {
                let (caller, command) = (caller.clone(), command.clone());
                async move { propose_transfer(&store, &caller, command, key).await }
            })
            .await;
        self.open.transfers.extend(proposed.map(|transfer| transfer.id));
    }

    pub async fn settle(&mut self) {
        let Some(id) = self.random.any(&self.open.transfers).map(OwnershipTransferId::new) else {
            return;
        };
        let verdicts = [
            Verdict::Accept,
            Verdict::Accept,
            Verdict::Decline("缺页".to_owned()),
            Verdict::Withdraw("误".to_owned()),
        ];
        let (caller, verdict) = (self.town.system(0), self.random.pick(&verdicts).clone());
        self.call("settle_transfer", |store, key| {
            let (caller, verdict) = (caller.clone(), verdict.clone());
            async move { settle_transfer(&store, &caller, id, verdict, key).await }
        })
        .await;
    }
}
