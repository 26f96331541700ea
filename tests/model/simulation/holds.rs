//! Holds: placed, put to sleep, moved, and served from the shelves and at the hold shelf.

use tongjie::domain::ids::{HoldId, ReaderId};
use tongjie::domain::suspend_hold::Sleep;
use tongjie::domain::volume::Volume;
use tongjie::usecase::cancel_hold::{CancelHold, cancel_hold};
use tongjie::usecase::change_pickup::{ChangePickup, change_pickup};
use tongjie::usecase::list_hold_shelf::list_hold_shelf;
use tongjie::usecase::list_shelf_clearings::list_shelf_clearings;
use tongjie::usecase::page::PageRequest;
use tongjie::usecase::place_hold::{PlaceHold, place_hold};
use tongjie::usecase::pulls::{PullRefusal, PullView, RefusePull, list_pulls, refuse_pull};
use tongjie::usecase::record::Consent;
use tongjie::usecase::reorder_hold::{ReorderHold, reorder_hold};
use tongjie::usecase::suspend_hold::{SuspendHold, suspend_hold};

use super::run::Simulation;

pub const FIRST_PAGE: PageRequest = PageRequest { after: None, limit: 20 };
const REFUSALS: [PullRefusal; 5] = [
    PullRefusal::NotFound,
    PullRefusal::Damaged,
    PullRefusal::InUse,
    PullRefusal::CannotSend,
    PullRefusal::Other,
];

impl Simulation {
    /// A few bibs are wanted by many.
    pub fn some_bib(&mut self) -> usize {
        let wanted = if self.random.percent(50) {
            6
        } else {
            self.town.bibs.len()
        };
        self.random.below(wanted)
    }

    /// One of the newest holds.
    fn some_hold(&mut self) -> Option<HoldId> {
        let from = self.open.holds.len().saturating_sub(40);
        self.random.any(&self.open.holds[from..]).map(HoldId::new)
    }

    pub async fn place(&mut self) {
        let (reader, bib, pickup, unit) = (self.some_reader(), self.some_bib(), self.some_unit(), self.some_unit());
        // The locker is what many ask for.
        let at_locker = self.random.percent(40);
        let pickup = if at_locker { self.town.unit("P1") } else { pickup };
        let own = self.random.percent(60);
        let caller = if own {
            self.town.reader(reader)
        } else {
            self.town.desk(unit)
        };
        let item = self.some_item();
        let until = self.random.between(1, 20);
        let volume = Volume::parse(if self.random.percent(50) { "第1卷" } else { "第2卷" });
        let command = PlaceHold {
            card_number: (!own).then(|| self.town.cards[reader].clone()),
            bib: self.town.bibs[bib],
            item: self.random.percent(10).then(|| self.town.items[item]),
            volume: self.random.percent(15).then(|| volume.expect("a designation")),
            pickup_unit_code: self.town.units[pickup].code.clone(),
            not_before: self.random.percent(10).then(|| self.day_in(2)),
            wanted_until: self.random.percent(20).then(|| self.day_in(until)),
            consent: Consent::default(),
        };
        let placed = self
            .insist("place_hold", |store, consent, key| {
                let (caller, command) = (
                    caller.clone(),
                    PlaceHold {
                        consent,
                        ..command.clone()
                    },
                );
                async move { place_hold(&store, &caller, command, key).await }
            })
            .await;
        if let Some((outcome, _)) = placed {
            self.open.holds.push(outcome.hold.id);
        }
    }

    pub async fn cancel(&mut self) {
        let Some(hold) = self.some_hold() else { return };
        let unit = self.some_unit();
        let caller = self.town.desk(unit);
        let cancelled = self
            .insist("cancel_hold", |store, consent, key| {
                let (caller, command) = (caller.clone(), CancelHold { hold, consent });
                async move { cancel_hold(&store, &caller, command, key).await }
            })
            .await;
        if cancelled.is_some() {
            self.ledger.cancelled.insert(hold.get());
            self.open.holds.retain(|one| *one != hold.get());
        }
    }

    /// Sleeps, wakes, moves to another pickup unit, or gets another place in the queue.
    pub async fn change_hold(&mut self) {
        let Some(hold) = self.some_hold() else { return };
        let (unit, to) = (self.some_unit(), self.some_unit());
        let caller = self.town.system(unit);
        match self.random.below(4) {
            0 => self.reorder(hold).await,
            1 => {
                let pickup_unit_code = self.town.units[to].code.clone();
                let command = ChangePickup {
                    hold,
                    pickup_unit_code,
                    consent: Consent::default(),
                };
                self.insist("change_pickup", |store, consent, key| {
                    let (caller, command) = (
                        caller.clone(),
                        ChangePickup {
                            consent,
                            ..command.clone()
                        },
                    );
                    async move { change_pickup(&store, &caller, command, key).await }
                })
                .await;
            }
            _ => {
                let days = self.random.between(1, 9);
                let sleeps = [Sleep::Until(self.day_in(days)), Sleep::UntilResumed, Sleep::NotAtAll];
                let sleep = *self.random.pick(&sleeps);
                self.insist("suspend_hold", |store, consent, key| {
                    let (caller, command) = (caller.clone(), SuspendHold { hold, sleep, consent });
                    async move { suspend_hold(&store, &caller, command, key).await }
                })
                .await;
            }
        }
    }

    async fn reorder(&mut self, hold: HoldId) {
        let place = u32::try_from(self.random.between(1, 5)).expect("small");
        let unit = self.some_unit();
        let caller = self.town.system(unit);
        self.call("reorder_hold", |store, key| {
            let (caller, command) = (
                caller.clone(),
                ReorderHold {
                    hold,
                    place,
                    reason: "课程需要".to_owned(),
                },
            );
            async move { reorder_hold(&store, &caller, command, key).await }
        })
        .await;
    }

    /// A unit goes along its shelves with the list of what others wait for.
    pub async fn fetch_pulls(&mut self, unit: usize) {
        let (store, caller, code) = (
            self.store.clone(),
            self.town.desk(unit),
            self.town.units[unit].code.clone(),
        );
        let list = async move { list_pulls(&store, &caller, code, FIRST_PAGE).await };
        let Some(list) = self.look("list_pulls", list).await else {
            return;
        };
        for pull in list.items {
            if self.random.percent(20) {
                self.refuse(&pull, unit).await;
            } else if self.random.percent(80) {
                let item = self.item_of(&pull.item_barcode);
                self.take_back(item, unit).await;
            }
        }
    }

    async fn refuse(&mut self, pull: &PullView, unit: usize) {
        let caller = self.town.desk(unit);
        let command = RefusePull {
            pull: pull.id,
            reason: *self.random.pick(&REFUSALS),
            note: None,
        };
        self.call("refuse_pull", |store, key| {
            let (caller, command) = (caller.clone(), command.clone());
            async move { refuse_pull(&store, &caller, command, key).await }
        })
        .await;
    }

    /// Readers collect what lies on the hold shelf; staff clear away what nobody waits for.
    pub async fn serve_shelf(&mut self, unit: usize) {
        let (store, caller, code) = (
            self.store.clone(),
            self.town.desk(unit),
            self.town.units[unit].code.clone(),
        );
        let list = async move { list_hold_shelf(&store, &caller, code, FIRST_PAGE).await };
        let shelf = self
            .look("list_hold_shelf", list)
            .await
            .map_or(Vec::new(), |page| page.items);
        for copy in shelf {
            let item = self.item_of(&copy.item_barcode);
            let waiting = copy.reader_id.map(ReaderId::new);
            let reader = waiting.and_then(|id| self.town.readers.iter().position(|one| *one == id));
            if let Some(reader) = reader.filter(|_| self.random.percent(35)) {
                self.lend(item, reader, unit).await;
            }
        }
        let (store, caller, code) = (
            self.store.clone(),
            self.town.desk(unit),
            self.town.units[unit].code.clone(),
        );
        let list = async move { list_shelf_clearings(&store, &caller, code, FIRST_PAGE).await };
        let clearings = self
            .look("list_shelf_clearings", list)
            .await
            .map_or(Vec::new(), |page| page.items);
        for copy in clearings {
            if self.random.percent(70) {
                let item = self.item_of(&copy.item_barcode);
                self.take_back(item, unit).await;
            }
        }
    }

    pub fn item_of(&self, barcode: &str) -> usize {
        let found = self.town.barcodes.iter().position(|one| one.as_str() == barcode);
        found.expect("a barcode of the town")
    }
}
