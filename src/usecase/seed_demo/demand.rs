//! What people wait for in the demo, and the crates on their way.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::circulation::{Circulation, Happening, PlannedHold, PlannedTransit};
use super::network::Place;
use crate::domain::event::EventKind;
use crate::domain::ids::{HoldId, ItemId, TransitId};
use crate::domain::item::ItemStatus;
use crate::domain::reader::Channel;
use crate::domain::route::Capture;
use crate::store::holds::NewHold;

impl Circulation<'_> {
    /// Readers wait for books that are out.
    pub(super) fn plan_waiting(&mut self, count: usize) {
        let mut wanted: Vec<usize> = self.on_loan.iter().map(|(item, _)| *item).collect();
        wanted.retain(|item| self.bibs[self.items[*item].bib].item_type == "book");
        self.random.shuffle(&mut wanted);
        let mut made = 0;
        for item in wanted {
            if made >= count {
                return;
            }
            let bib = self.items[item].bib;
            if std::mem::replace(&mut self.spoken_for[bib], true) {
                continue;
            }
            for _ in 0..=self.random.below(3).min(count - made) {
                let placed = self.now - TimeDelta::minutes(self.random.between(60, 30_000));
                made += usize::from(self.hold(item, None, placed).is_some());
            }
        }
    }

    /// A hold by a grown-up who waits for nothing else yet, picked up at home.
    fn hold(&mut self, item: usize, pickup: Option<usize>, placed: DateTime<Utc>) -> Option<(HoldId, usize)> {
        let position = self.active.iter().position(|reader| {
            let reader = &self.readers[*reader];
            matches!(reader.category_code, "adult" | "senior") && self.places[reader.home].pickup_point
        })?;
        // Out of the pool: nobody gets two holds on one bib.
        let reader = self.active.swap_remove(position);
        let pickup = pickup.unwrap_or(self.readers[reader].home);
        let id = HoldId::new(self.ids.next());
        let unit = self.places[pickup].id;
        self.holds.push(PlannedHold {
            row: NewHold {
                id: id.get(),
                bib_id: self.bibs[self.items[item].bib].id,
                item_id: None,
                reader_id: Some(self.readers[reader].id),
                pickup_unit_id: unit.get(),
                priority: 0,
                placed_at: placed.timestamp_millis(),
                not_before: None,
                wanted_until: None,
                volume: None,
                queue_rank: placed.timestamp_micros(),
                waives_home_only: false,
                waives_new_item: false,
            },
            captured: None,
        });
        let (kind, subject) = (EventKind::HoldPlaced, id.get());
        let channel = Channel::Portal;
        self.happenings.push(Happening {
            at: placed,
            kind,
            unit,
            channel,
            item,
            reader: Some(reader),
            subject,
        });
        Some((id, pickup))
    }

    /// A hold with a copy set aside: at its place on the hold shelf, or in a crate on the way there.
    pub(super) fn plan_captured(&mut self, on_shelf: bool) {
        let desk = |place: &Place| place.pickup_point && !place.always_open && !place.for_children;
        let weights = self
            .places
            .iter()
            .map(|place| if desk(place) { place.weight } else { 0 });
        let from = self.random.weighted(weights);
        let Some(item) = self.shelves[0][from].pop() else {
            return;
        };
        let bib = self.items[item].bib;
        if std::mem::replace(&mut self.spoken_for[bib], true) {
            return;
        }
        let at = self.moment(from, 1);
        let here = &self.items[item];
        let (owner, home, item_type) = (
            self.places[here.place].owner,
            self.places[here.place].id,
            here.item_type,
        );
        let to = if on_shelf { from } else { self.another_pickup(from) };
        if !self.network.may_lend_at(owner, home, item_type, self.places[to].id) {
            return;
        }
        let Some((hold, pickup)) = self.hold(item, Some(to), at - TimeDelta::days(2)) else {
            return;
        };
        let place = on_shelf.then(|| self.shelf_place(to, at));
        let capture = Capture {
            hold,
            pickup: self.places[pickup].id,
            shelf_number: place.map(|(number, _)| number),
            expires_on: place.map(|(_, until)| until),
        };
        let id = ItemId::new(self.items[item].id);
        if let Some(planned) = self.holds.last_mut() {
            planned.captured = Some((id, capture, at));
        }
        self.items[item].last_event_at = at.timestamp_millis();
        let (unit, channel) = (self.places[from].id, Channel::Desk);
        let (kind, subject) = (EventKind::HoldCaptured, hold.get());
        self.happenings.push(Happening {
            at,
            kind,
            unit,
            channel,
            item,
            reader: None,
            subject,
        });
        if on_shelf {
            self.items[item].status = ItemStatus::OnHoldShelf;
        } else {
            let sent = self.random.per_mille(500);
            self.send(item, (from, to), Some(hold), sent, at);
        }
    }

    fn another_pickup(&mut self, from: usize) -> usize {
        self.random
            .weighted(self.places.iter().enumerate().map(|(index, place)| {
                if index != from && place.pickup_point && !place.for_children {
                    place.weight
                } else {
                    0
                }
            }))
    }

    /// The next number on a hold shelf and the last day there.
    fn shelf_place(&mut self, place: usize, at: DateTime<Utc>) -> (u32, NaiveDate) {
        self.shelf_numbers[place] += 1;
        let until = self
            .network
            .calendar(self.places[place].id)
            .nth_open_day_after(self.network.local_day(at), 7);
        (self.shelf_numbers[place], until)
    }

    /// A book that came back elsewhere and travels home.
    pub(super) fn plan_journey(&mut self, sent: bool) {
        let home = self.random.below(self.places.len());
        let from = self.random.below(self.places.len());
        let Some(item) = self.shelves[0][home].pop().filter(|_| home != from) else {
            return;
        };
        let at = self.moment(from, 2);
        self.send(item, (from, home), None, sent, at);
    }

    fn send(&mut self, item: usize, (from, to): (usize, usize), hold: Option<HoldId>, sent: bool, at: DateTime<Utc>) {
        let id = TransitId::new(self.ids.next());
        self.items[item].status = if sent {
            ItemStatus::InTransit
        } else {
            ItemStatus::AwaitingDispatch
        };
        self.items[item].current = from;
        self.items[item].last_event_at = at.timestamp_millis();
        let (from, to) = (self.places[from].id, self.places[to].id);
        self.transits.push(PlannedTransit {
            id,
            item: ItemId::new(self.items[item].id),
            from,
            to,
            hold,
            sent,
            at,
        });
        let (kind, channel, subject) = (EventKind::TransitOpened, Channel::Desk, id.get());
        self.happenings.push(Happening {
            at,
            kind,
            unit: from,
            channel,
            item,
            reader: None,
            subject,
        });
    }
}
