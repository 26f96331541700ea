//! Crates: packed, sent by whoever or driven along a route, handed over, unpacked, and sometimes at the wrong place or twice.

use chrono::NaiveTime;
use tongjie::domain::barcode::Barcode;
use tongjie::domain::ids::{CrateId, TransitId};
use tongjie::usecase::close_crate::{cancel_crate, close_crate};
use tongjie::usecase::crate_view::CrateView;
use tongjie::usecase::drive_route::{AtStop, Scanned, StopAct, at_stop};
use tongjie::usecase::list_crates::{ListCrates, list_crates};
use tongjie::usecase::list_transits::{ListTransits, TransitView, list_transits};
use tongjie::usecase::open_crate::{OpenCrate, open_crate};
use tongjie::usecase::pack_item::{PackItem, pack_item};
use tongjie::usecase::page::PageRequest;
use tongjie::usecase::receive_crate::{CrateReceipt, ReceiveCrate, receive_crate};
use tongjie::usecase::receive_transit::{ReceiveTransit, receive_transit};
use tongjie::usecase::record::Consent;
use tongjie::usecase::send_crate::send_crate;
use tongjie::usecase::set_route::{RouteView, SetRoute, StopView, set_route};
use tongjie::usecase::unpack_item::{UnpackItem, unpack_item};

use super::run::Simulation;

const ROUTES: [(&str, &[&str]); 2] = [
    ("R0", &["C1", "M1", "B11", "P1", "B12", "B13", "B14", "M2"]),
    ("R1", &["M2", "B21", "B22", "B23", "V1", "C1", "B24", "M1"]),
];

impl Simulation {
    pub async fn set_routes(&mut self) {
        for (number, (code, stops)) in ROUTES.iter().enumerate() {
            let minute =
                |at: usize| NaiveTime::from_hms_opt(8 + u32::try_from(at).expect("few"), 30, 0).expect("a time");
            let stop = |(at, unit): (usize, &&str)| StopView {
                unit_code: (*unit).to_owned(),
                time: minute(at),
            };
            let route = RouteView {
                code: (*code).to_owned(),
                name: (*code).to_owned(),
                unit_code: "C1".to_owned(),
                weekdays: (1..=7).collect(),
                stops: stops.iter().enumerate().map(stop).collect(),
                courier_staff_id: Some(self.town.couriers[number].get()),
                vehicle: None,
                active: true,
                version: 0,
            };
            let route = SetRoute { route, seen: None };
            let caller = self.town.system(0);
            self.call("set_route", |store, key| {
                let (caller, route) = (caller.clone(), route.clone());
                async move { set_route(&store, &caller, route, key).await }
            })
            .await;
        }
    }

    async fn transits(&mut self, unit: usize, arriving: bool) -> Vec<TransitView> {
        let (store, caller) = (self.store.clone(), self.town.system(unit));
        let code = Some(self.town.units[unit].code.clone());
        let query = ListTransits {
            from_unit_code: code.clone().filter(|_| !arriving),
            to_unit_code: code.filter(|_| arriving),
            page: PageRequest { after: None, limit: 50 },
        };
        let list = async move { list_transits(&store, &caller, query).await };
        self.look("list_transits", list)
            .await
            .map_or(Vec::new(), |page| page.items)
    }

    /// Packs what waits at a unit for one destination, and lets the crate go.
    pub async fn pack_crate(&mut self, unit: usize) {
        let waiting = self.transits(unit, false).await;
        let waiting: Vec<_> = waiting
            .into_iter()
            .filter(|one| one.status == "awaiting_dispatch")
            .collect();
        let Some(to) = self.random.any(&waiting).map(|one| one.to_unit_code) else {
            return;
        };
        let caller = self.town.desk(unit);
        let command = OpenCrate {
            from_unit_code: None,
            to_unit_code: Some(to.clone()),
            route_code: None,
            stop: None,
        };
        let opened = self
            .call("open_crate", |store, key| {
                let (caller, command) = (caller.clone(), command.clone());
                async move { open_crate(&store, &caller, command, key).await }
            })
            .await;
        let Some(opened) = opened else { return };
        for transit in waiting.iter().filter(|one| one.to_unit_code == to) {
            let wrong = self.some_item();
            let right = self.item_of(&transit.item_barcode);
            let item = if self.random.percent(8) { wrong } else { right };
            self.pack(&opened, item, unit).await;
        }
        if self.random.percent(85) {
            self.end_packing(&opened, unit).await;
        }
    }

    async fn pack(&mut self, into: &CrateView, item: usize, unit: usize) {
        let (caller, item_barcode) = (self.town.desk(unit), self.town.barcodes[item].clone());
        let crate_id = CrateId::new(into.id);
        let packed = self
            .call("pack_item", |store, key| {
                let command = PackItem {
                    crate_id,
                    item_barcode: item_barcode.clone(),
                    owner_unit_code: None,
                };
                let caller = caller.clone();
                async move { pack_item(&store, &caller, command, key).await }
            })
            .await;
        if packed.is_some() && self.random.percent(8) {
            self.call("unpack_item", |store, key| {
                let command = UnpackItem {
                    crate_id,
                    item_barcode: item_barcode.clone(),
                    owner_unit_code: None,
                };
                let caller = caller.clone();
                async move { unpack_item(&store, &caller, command, key).await }
            })
            .await;
        }
    }

    /// Closed and left for the courier, sent at once, or given up.
    async fn end_packing(&mut self, packed: &CrateView, unit: usize) {
        let (caller, id) = (self.town.desk(unit), CrateId::new(packed.id));
        if self.random.percent(8) {
            self.call("cancel_crate", |store, key| {
                let caller = caller.clone();
                async move { cancel_crate(&store, &caller, id, key).await }
            })
            .await;
            return;
        }
        self.call("close_crate", |store, key| {
            let caller = caller.clone();
            async move { close_crate(&store, &caller, id, key).await }
        })
        .await;
        if self.random.percent(50) {
            self.call("send_crate", |store, key| {
                let caller = caller.clone();
                async move { send_crate(&store, &caller, id, key).await }
            })
            .await;
        }
    }

    /// A crate, mostly one in this state.
    async fn some_crate(&mut self, status: &str) -> Option<CrateView> {
        let (store, caller) = (self.store.clone(), self.town.system(0));
        let query = ListCrates {
            label: None,
            from_unit_code: None,
            to_unit_code: None,
            at_unit_code: None,
            status: self.random.percent(90).then(|| status.to_owned()),
            page: PageRequest { after: None, limit: 60 },
        };
        let list = async move { list_crates(&store, &caller, query).await };
        let crates = self
            .look("list_crates", list)
            .await
            .map_or(Vec::new(), |page| page.items);
        self.random.any(&crates)
    }

    /// A courier loads or hands over a crate where it is, or should be.
    pub async fn drive(&mut self) {
        let load = self.random.percent(50);
        let Some(one) = self.some_crate(if load { "closed" } else { "sent" }).await else {
            return;
        };
        let courier = self.random.below(super::town::COURIERS);
        let caller = self.town.courier(courier);
        let unit_code = if load {
            one.at_unit_code.clone()
        } else {
            one.to_unit_code.clone()
        };
        let signed_by = self.town.units[self.town.unit(&unit_code)].staff;
        let act = match load {
            true => StopAct::Load { route_code: None },
            false => StopAct::HandOver {
                signed_by,
                consent: Consent::default(),
            },
        };
        let crates = vec![Scanned {
            label: one.label.clone(),
            at: None,
            consent_token: None,
        }];
        let command = AtStop { unit_code, crates, act };
        let key = self.random.percent(60).then(|| self.key());
        let answer = at_stop(&self.store.clone(), &caller, command.clone(), key.clone()).await;
        for one in self.judge("at_stop", answer).unwrap_or_default() {
            self.judge(if load { "load_crate" } else { "hand_over_crate" }, one);
        }
        if key.is_some() && self.random.percent(30) {
            let again = at_stop(&self.store.clone(), &caller, command, key).await;
            self.judge("at_stop", again);
        }
    }

    /// Unpacks a crate, all at once or by scanning; mostly where it should be, and mostly only once.
    pub async fn unpack(&mut self) {
        let status = if self.random.percent(50) { "sent" } else { "delivered" };
        let Some(one) = self.some_crate(status).await else {
            return;
        };
        let elsewhere = self.some_unit();
        let unit = if self.random.percent(12) {
            elsewhere
        } else {
            self.town.unit(&one.to_unit_code)
        };
        let all = self.random.percent(50);
        let scanned = self.scans(unit, all).await;
        let items: Vec<i64> = scanned
            .iter()
            .map(|one| self.town.items[self.item_of(one.as_str())].get())
            .collect();
        let caller = self.town.desk(unit);
        let command = ReceiveCrate {
            crate_id: CrateId::new(one.id),
            all,
            item_barcodes: scanned,
            finish: self.random.percent(50),
            consent: Consent::default(),
        };
        let received = self
            .insist("receive_crate", |store, consent, key| {
                let (caller, command) = (
                    caller.clone(),
                    ReceiveCrate {
                        consent,
                        ..command.clone()
                    },
                );
                async move { receive_crate(&store, &caller, command, key).await }
            })
            .await;
        match received {
            Some((receipt, _)) => self.note_receipt(&receipt),
            // What was taken in before the crate was refused stays taken in.
            None => self.read_again(&items),
        }
    }

    /// What is scanned out of a crate: mostly what is on its way here, sometimes something that should not be in it.
    async fn scans(&mut self, unit: usize, all: bool) -> Vec<Barcode> {
        let surplus = self.some_item();
        let mut scanned = Vec::new();
        if self.random.percent(20) {
            scanned.push(self.town.barcodes[surplus].clone());
        }
        if !all {
            let mut arriving = self.transits(unit, true).await;
            arriving.retain(|_| self.random.percent(70));
            let here = arriving
                .iter()
                .take(10)
                .map(|transit| self.item_of(&transit.item_barcode));
            scanned.extend(here.map(|item| self.town.barcodes[item].clone()));
        }
        scanned
    }

    fn note_receipt(&mut self, receipt: &CrateReceipt) {
        for outcome in receipt.items.iter().filter_map(|item| item.check_in.as_ref()) {
            self.note_return("receive_crate", outcome);
        }
    }

    /// One item that lies there without its crate.
    pub async fn receive_one(&mut self) {
        let unit = self.some_unit();
        let arriving = self.transits(unit, true).await;
        let Some(transit) = self.random.any(&arriving).map(|one| TransitId::new(one.id)) else {
            return;
        };
        let caller = self.town.desk(unit);
        let received = self
            .insist("receive_transit", |store, consent, key| {
                let (caller, command) = (caller.clone(), ReceiveTransit { transit, consent });
                async move { receive_transit(&store, &caller, command, key).await }
            })
            .await;
        if let Some((outcome, _)) = received {
            self.note_return("receive_transit", &outcome);
        }
    }
}
