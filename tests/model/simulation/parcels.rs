//! Borrowing from home: requests for a desk or an address, parcels with whatever the carrier makes of them, returns by parcel.

use std::collections::BTreeMap;

use tongjie::domain::delivery::{Address, Delivery, Phone, Rest};
use tongjie::domain::ids::{BibId, ItemId, LoanId};
use tongjie::domain::parcel::{Direction, Step};
use tongjie::usecase::announce_return::{AnnounceReturn, announce_return};
use tongjie::usecase::delivery_view::ParcelView;
use tongjie::usecase::dispatch_parcel::{DispatchParcel, dispatch_parcel};
use tongjie::usecase::list_packing::list_packing;
use tongjie::usecase::pack_parcel::{PackParcel, pack_parcel};
use tongjie::usecase::receive_parcel::{ReceiveParcel, receive_parcel};
use tongjie::usecase::record::Consent;
use tongjie::usecase::report_parcel::{ReportParcel, report_parcel};
use tongjie::usecase::request_delivery::{Line, RequestDelivery, request_delivery};
use tongjie::usecase::set_packing::{SetPacking, set_packing};

use super::holds::FIRST_PAGE;
use super::run::Simulation;

/// The units that pack parcels.
const PACKING: [&str; 2] = ["C1", "M1"];

impl Simulation {
    pub async fn set_packing_units(&mut self) {
        for unit_code in PACKING {
            let (caller, unit_code) = (self.town.system(0), unit_code.to_owned());
            self.call("set_packing", |store, key| {
                let (caller, command) = (
                    caller.clone(),
                    SetPacking {
                        unit_code: unit_code.clone(),
                        packs: true,
                    },
                );
                async move { set_packing(&store, &caller, command, key).await }
            })
            .await;
        }
    }

    fn address() -> Address {
        Address {
            name: "李读者".to_owned(),
            phone: Phone::parse("13800138000").expect("a number"),
            region: "江城市".to_owned(),
            street: "江汉路 1 号".to_owned(),
        }
    }

    /// Two bibs, mostly such as have a copy there.
    fn bibs_at(&mut self, code: &str) -> Vec<BibId> {
        let unit = self.town.units[self.town.unit(code)].id;
        let there = format!(
            "SELECT bib_id AS a, id AS b, id AS c FROM items WHERE status = 'on_shelf' AND current_unit_id = {unit} ORDER BY id"
        );
        let there = self.db.outside().triples(&there);
        let (some, other) = (self.some_bib(), self.some_bib());
        let bib = |found: Option<(i64, i64, i64)>, else_: usize| {
            found.map_or(self.town.bibs[else_], |(bib, ..)| BibId::new(bib))
        };
        vec![bib(self.random.any(&there), some), bib(self.random.any(&there), other)]
    }

    pub async fn request(&mut self) {
        let (reader, elsewhere) = (self.some_reader(), self.some_unit());
        let parcel = self.random.percent(75);
        let packing = (*self.random.pick(&PACKING)).to_owned();
        let bibs = self.bibs_at(&packing);
        let mut lines: Vec<_> = bibs.into_iter().map(|bib| Line { bib, item: None }).collect();
        lines.dedup_by_key(|line| line.bib);
        let command = RequestDelivery {
            card_number: None,
            lines,
            delivery: if parcel { Delivery::Parcel } else { Delivery::Desk },
            unit_code: if parcel {
                packing
            } else {
                self.town.units[elsewhere].code.clone()
            },
            address: parcel.then(Self::address),
            all_or_nothing: self.random.percent(20),
            rest: if self.random.percent(50) {
                Rest::Follow
            } else {
                Rest::Cancel
            },
            consent: Consent::default(),
        };
        let caller = self.town.reader(reader);
        let asked = self
            .insist("request_delivery", |store, consent, key| {
                let (caller, command) = (
                    caller.clone(),
                    RequestDelivery {
                        consent,
                        ..command.clone()
                    },
                );
                async move { request_delivery(&store, &caller, command, key).await }
            })
            .await;
        if let Some((outcome, _)) = asked {
            let holds = outcome.lines.iter().filter_map(|line| line.hold.as_ref());
            self.open.holds.extend(holds.map(|hold| hold.id));
        }
    }

    /// What lies ready for one request goes into a parcel.
    pub async fn pack_a_parcel(&mut self) {
        let packer = self.random.pick(&PACKING);
        let unit = self.town.unit(packer);
        let (store, caller) = (self.store.clone(), self.town.system(unit));
        let worker = caller.clone();
        let list = async move { list_packing(&store, &worker, None, FIRST_PAGE).await };
        let ready = self
            .look("list_packing", list)
            .await
            .map_or(Vec::new(), |page| page.items);
        let ready: Vec<_> = ready.into_iter().filter(|one| !one.ready.is_empty()).collect();
        let Some(request) = self.random.any(&ready) else { return };
        let mut barcodes: Vec<_> = request
            .ready
            .iter()
            .map(|line| self.item_of(&line.item_barcode))
            .collect();
        if self.random.percent(10) {
            barcodes.push(self.some_item());
        }
        let command = PackParcel {
            request: request.request_id,
            item_barcodes: barcodes
                .into_iter()
                .map(|item| self.town.barcodes[item].clone())
                .collect(),
            consent: Consent::default(),
        };
        let packed = self
            .insist("pack_parcel", |store, consent, key| {
                let (caller, command) = (
                    caller.clone(),
                    PackParcel {
                        consent,
                        ..command.clone()
                    },
                );
                async move { pack_parcel(&store, &caller, command, key).await }
            })
            .await;
        if let Some((outcome, _)) = packed {
            self.open.parcels.push(outcome.parcel.id);
            self.note_parcel(&outcome.parcel);
        }
    }

    fn some_parcel(&mut self) -> Option<i64> {
        let from = self.open.parcels.len().saturating_sub(12);
        self.random.any(&self.open.parcels[from..])
    }

    pub async fn dispatch(&mut self) {
        let Some(parcel) = self.some_parcel() else { return };
        let caller = self.town.system(0);
        let command = DispatchParcel {
            parcel,
            tracking_number: self.random.percent(40).then(|| format!("SF{parcel}")),
            has_carrier: true,
            consent: Consent::default(),
            consent_tokens: BTreeMap::new(),
            dry_run: self.random.percent(10),
        };
        self.rehearsing = command.dry_run;
        let sent = self
            .insist("dispatch_parcel", |store, consent, key| {
                let (caller, command) = (
                    caller.clone(),
                    DispatchParcel {
                        consent,
                        ..command.clone()
                    },
                );
                async move { dispatch_parcel(&store, &caller, command, key).await }
            })
            .await;
        if let Some((outcome, _)) = sent.filter(|(outcome, _)| !outcome.dry_run) {
            self.note_parcel(&outcome.parcel);
        }
    }

    /// The loans of a parcel, those that were not known yet. What is sent back was lent at a desk, and may be in the house again.
    fn note_parcel(&mut self, parcel: &ParcelView) {
        if parcel.direction == Direction::Back.code() {
            return;
        }
        for line in &parcel.lines {
            let Some(loan) = line.loan_id.filter(|loan| self.ledger.seen.insert(*loan)) else {
                continue;
            };
            let now = (loan, parcel.reader_id.unwrap_or_default());
            if let Some(before) = self.ledger.out.insert(line.item_id, now) {
                self.violated(format!(
                    "item {} was posted as {now:?} while lent as {before:?}",
                    line.item_id
                ));
            }
        }
    }

    /// The carrier reports, in any order, and sometimes again.
    pub async fn hear_from_carrier(&mut self) {
        let Some(parcel) = self.some_parcel() else { return };
        let hours = self.random.between(0, 5);
        let steps: Vec<_> = Step::ALL.iter().copied().filter(|step| step.is_reported()).collect();
        let step = if self.random.percent(50) {
            Step::Deliver
        } else {
            *self.random.pick(&steps)
        };
        let report = ReportParcel {
            report_id: format!("{}-{}", self.day, self.operation),
            parcel,
            step,
            occurred_at: self.now() - chrono::TimeDelta::hours(hours),
        };
        let answer = report_parcel(&self.store, report.clone()).await;
        let first = self.judge("report_parcel", answer);
        if first.is_some() && self.random.percent(30) {
            match report_parcel(&self.store, report).await {
                Ok(again) if again.repeated => {}
                other => self.violated(format!("a report sent again met {other:?}")),
            }
        }
    }

    pub async fn announce(&mut self) {
        let Some((_, loan, reader)) = self.some_loan() else {
            return;
        };
        let Some(reader) = self.town.readers.iter().position(|one| one.get() == reader) else {
            return;
        };
        let caller = self.town.reader(reader);
        let command = AnnounceReturn {
            card_number: None,
            loans: vec![LoanId::new(loan)],
            unit_code: (*self.random.pick(&PACKING)).to_owned(),
            address: self.random.percent(50).then(Self::address),
            has_carrier: true,
        };
        let announced = self
            .call("announce_return", |store, key| {
                let (caller, command) = (caller.clone(), command.clone());
                async move { announce_return(&store, &caller, command, key).await }
            })
            .await;
        self.open.parcels.extend(announced.map(|parcel| parcel.id));
    }

    /// A parcel is opened at the unit: what lies in it, sometimes something else.
    pub async fn open_a_parcel(&mut self) {
        let Some(parcel) = self.some_parcel() else { return };
        let inside =
            format!("SELECT item_id AS a, id AS b, id AS c FROM parcel_lines WHERE parcel_id = {parcel} ORDER BY id");
        let inside = self.db.outside().triples(&inside);
        let found = self
            .random
            .any(&inside)
            .and_then(|(item, ..)| self.town.item(ItemId::new(item)));
        let other = self.some_item();
        let item = found.filter(|_| !self.random.percent(10)).unwrap_or(other);
        let packer = self.random.pick(&PACKING);
        let unit = self.town.unit(packer);
        let (caller, item_barcode) = (self.town.system(unit), self.town.barcodes[item].clone());
        let received = self
            .insist("receive_parcel", |store, consent, key| {
                let (caller, item_barcode) = (caller.clone(), item_barcode.clone());
                async move {
                    receive_parcel(
                        &store,
                        &caller,
                        ReceiveParcel {
                            parcel,
                            item_barcode,
                            consent,
                        },
                        key,
                    )
                    .await
                }
            })
            .await;
        if let Some((outcome, _)) = received {
            self.note_return("receive_parcel", &outcome);
        }
    }
}
