//! What has happened in the demo network so far: loans open and ended (holds and crates are in `demand`). Planned in
//! memory against the same rules and calendars that a check-out uses, and written in the order of time.

use chrono::{DateTime, Days, TimeDelta, TimeZone, Utc};

use super::network::Place;
use super::random::Random;
use super::readers::{HISTORY_READER, Reader};
use super::stock::Item;
use crate::domain::calendar;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{HoldId, ItemId, TransitId, UnitId};
use crate::domain::item::ItemStatus;
use crate::domain::network::Network;
use crate::domain::policy::Situation;
use crate::domain::reader::Channel;
use crate::domain::route::Capture;
use crate::store::bulk::LoanWithEnd;
use crate::store::holds::NewHold;
use crate::store::ids::IdRun;
use crate::store::loans::NewLoan;

use super::catalogue::Bib;

/// A person's open loans at most: below every limit of the preset.
const LOANS_EACH: usize = 4;

/// How much of everything, before the scale.
#[derive(Debug, Clone, Copy)]
pub(super) struct Volume {
    pub open_loans: usize,
    pub past_loans: usize,
    pub waiting_holds: usize,
    pub captured_holds: usize,
    pub journeys: usize,
    pub history_past: usize,
    pub history_open: usize,
}

impl Volume {
    /// Ids that loans, holds and journeys use up at most.
    pub(super) fn ids(self) -> i64 {
        let loans = self.open_loans + self.past_loans + self.history_past + self.history_open;
        i64::try_from(loans + self.waiting_holds + 2 * self.captured_holds + self.journeys).unwrap_or(i64::MAX)
    }
}

/// One thing that happened, for the event. `item` and `reader` are indices.
#[derive(Debug, Clone, Copy)]
pub(super) struct Happening {
    pub at: DateTime<Utc>,
    pub kind: EventKind,
    pub unit: UnitId,
    pub channel: Channel,
    pub item: usize,
    pub reader: Option<usize>,
    /// Of the loan, hold or transit.
    pub subject: i64,
}

pub(super) struct PlannedHold {
    pub row: NewHold,
    pub captured: Option<(ItemId, Capture, DateTime<Utc>)>,
}

pub(super) struct PlannedTransit {
    pub id: TransitId,
    pub item: ItemId,
    pub from: UnitId,
    pub to: UnitId,
    pub hold: Option<HoldId>,
    pub sent: bool,
    pub at: DateTime<Utc>,
}

/// The whole plan; items and readers are changed by it.
pub(super) struct Circulation<'a> {
    pub network: &'a Network,
    pub places: &'a [Place],
    pub bibs: &'a [Bib],
    pub items: &'a mut [Item],
    pub readers: &'a mut [Reader],
    pub now: DateTime<Utc>,
    pub random: Random,
    pub ids: IdRun,
    /// Free books by place, for grown-ups and for children; what is taken is gone.
    pub(super) shelves: [Vec<Vec<usize>>; 2],
    /// Readers who borrow at all.
    pub(super) active: Vec<usize>,
    pub loans: Vec<LoanWithEnd>,
    pub holds: Vec<PlannedHold>,
    pub transits: Vec<PlannedTransit>,
    pub happenings: Vec<Happening>,
    /// Open loans as (item, reader).
    pub on_loan: Vec<(usize, usize)>,
    /// Bibs that somebody waits for or the bench readers have.
    pub spoken_for: Vec<bool>,
    pub(super) shelf_numbers: Vec<u32>,
}

/// What the plan is made from.
pub(super) struct Setting<'a> {
    pub network: &'a Network,
    pub places: &'a [Place],
    pub bibs: &'a [Bib],
    pub now: DateTime<Utc>,
    pub ids: IdRun,
    /// Readers who are to have no loan.
    pub without_loans: &'a [usize],
}

impl<'a> Circulation<'a> {
    pub(super) fn new(
        setting: Setting<'a>,
        mut random: Random,
        items: &'a mut [Item],
        readers: &'a mut [Reader],
    ) -> Self {
        let Setting {
            network,
            places,
            bibs,
            now,
            ids,
            without_loans,
        } = setting;
        let mut shelves = [vec![Vec::new(); places.len()], vec![Vec::new(); places.len()]];
        for (index, item) in items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.is_free() && !item.shares_barcode())
        {
            match bibs[item.bib].item_type {
                "book" => shelves[0][item.place].push(index),
                "book_children" => shelves[1][item.place].push(index),
                _ => {}
            }
        }
        shelves.iter_mut().flatten().for_each(|shelf| random.shuffle(shelf));
        let today = network.local_day(now);
        let mut active: Vec<usize> = (0..readers.len())
            .filter(|index| readers[*index].borrows(today))
            .collect();
        active.retain(|index| !without_loans.contains(index));
        random.shuffle(&mut active);
        active.truncate((readers.len() * 15 / 100).max(10));
        Self {
            network,
            places,
            bibs,
            items,
            readers,
            now,
            random,
            ids,
            shelves,
            active,
            loans: Vec::new(),
            holds: Vec::new(),
            transits: Vec::new(),
            happenings: Vec::new(),
            on_loan: Vec::new(),
            spoken_for: vec![false; bibs.len()],
            shelf_numbers: vec![0; places.len()],
        }
    }

    /// Plans everything; stops early where the shelves of a small network run empty.
    pub(super) fn plan(&mut self, volume: Volume) {
        self.plan_history(volume);
        self.plan_visits(volume.past_loans, false);
        self.plan_visits(volume.open_loans, true);
        self.plan_waiting(volume.waiting_holds);
        for number in 0..volume.captured_holds {
            self.plan_captured(number % 5 < 3);
        }
        for number in 0..volume.journeys {
            self.plan_journey(number % 2 == 0);
        }
        self.happenings.sort_by_key(|happening| happening.at);
    }

    /// The institution with many past loans, all from the general central.
    fn plan_history(&mut self, volume: Volume) {
        for number in 0..volume.history_past + volume.history_open {
            let Some(item) = self.shelves[0][0].pop() else {
                return;
            };
            let open = number >= volume.history_past;
            let days_ago = if open {
                self.random.between(1, 60)
            } else {
                self.random.between(5, 165)
            };
            let at = self.moment(0, days_ago);
            self.lend(item, HISTORY_READER, 0, at, open);
            self.spoken_for[self.items[item].bib] = true;
        }
    }

    /// Visits with a basket each, until so many loans are made.
    fn plan_visits(&mut self, loans: usize, open: bool) {
        let (mut made, mut empty_handed) = (0, 0);
        while made < loans && empty_handed < 10_000 {
            let reader = *self.random.pick(&self.active);
            let place = if self.random.per_mille(700) {
                self.readers[reader].home
            } else {
                self.random.below(self.places.len())
            };
            let overdue = open && self.random.per_mille(80);
            let days_ago = match (open, overdue) {
                (true, true) => self.random.between(35, 75),
                (true, false) => self.random.between(1, 28),
                (false, _) => self.random.between(3, 165),
            };
            let at = self.moment(place, days_ago);
            let basket = 1 + self.random.below(4);
            let before = made;
            for _ in 0..basket.min(loans - made) {
                made += usize::from(self.visit_one(reader, place, at, open));
            }
            empty_handed += usize::from(made == before);
        }
    }

    fn visit_one(&mut self, reader: usize, place: usize, at: DateTime<Utc>, open: bool) -> bool {
        if open && self.readers[reader].loans >= LOANS_EACH {
            return false;
        }
        let kind = usize::from(self.readers[reader].is_child());
        let elsewhere = open && self.random.per_mille(150);
        let from = if elsewhere {
            self.random.below(self.places.len())
        } else {
            place
        };
        let Some(item) = self.shelves[kind][from].pop() else {
            return false;
        };
        let here = &self.items[item];
        let (owner, home) = (self.places[here.place].owner, self.places[here.place].id);
        let reader_home = self.places[self.readers[reader].home].id;
        let allowed = self
            .network
            .may_lend_at(owner, home, here.item_type, self.places[place].id)
            && self.network.may_borrow_from(reader_home, owner, here.item_type);
        if allowed {
            self.lend(item, reader, place, at, open);
        }
        allowed
    }

    /// One loan by the rules in force; ended within its time unless it is to stay open.
    fn lend(&mut self, item: usize, reader: usize, place: usize, at: DateTime<Utc>, open: bool) {
        let id = self.ids.next();
        let channel = self.channel(place);
        let unit = self.places[place].id;
        let row = self.loan_row(id, item, reader, place, at, channel);
        let happened = |at, kind| Happening {
            at,
            kind,
            unit,
            channel,
            item,
            reader: Some(reader),
            subject: id,
        };
        self.happenings.push(happened(at, EventKind::LoanMade));
        if open {
            self.items[item].status = ItemStatus::OnLoan;
            self.items[item].current = place;
            self.items[item].last_event_at = at.timestamp_millis();
            self.readers[reader].loans += 1;
            self.on_loan.push((item, reader));
            self.loans.push(LoanWithEnd {
                loan: row,
                closed_at: None,
                closed_how: None,
                return_unit_id: None,
            });
            return;
        }
        let days_out = (self.now - at).num_days();
        let kept = self.random.between(1, 29).min(days_out - 1).max(0);
        let back = self.moment(place, days_out - kept).max(at + TimeDelta::minutes(20));
        self.items[item].last_event_at = back.timestamp_millis();
        self.happenings.push(happened(back, EventKind::LoanReturned));
        self.loans.push(LoanWithEnd {
            loan: row,
            closed_at: Some(back.timestamp_millis()),
            closed_how: Some("returned".to_owned()),
            return_unit_id: Some(unit.get()),
        });
    }

    fn loan_row(
        &self,
        id: i64,
        item: usize,
        reader: usize,
        place: usize,
        at: DateTime<Utc>,
        channel: Channel,
    ) -> NewLoan {
        let (copy, who, unit) = (&self.items[item], &self.readers[reader], self.places[place].id);
        let owner = self.places[copy.place].owner;
        let situation = Situation {
            unit,
            category: who.category,
            item_type: copy.item_type,
            owner,
            channel,
            band: who.band,
        };
        let winner = self.network.winner(&situation);
        let calendar = self.network.calendar(unit);
        let due = calendar::due(
            &calendar,
            self.network.zone(),
            at,
            winner.terms.loan_days,
            who.card_end,
            at,
        );
        NewLoan {
            id,
            item_id: copy.id,
            bib_id: self.bibs[copy.bib].id,
            reader_id: Some(who.id),
            card_id: Some(who.card),
            unit_id: unit.get(),
            owner_unit_id: owner.get(),
            item_type_id: copy.item_type.get(),
            category_id: who.category.get(),
            age_band: AgeBand::on(who.birth_date, self.network.local_day(at))
                .code()
                .to_owned(),
            channel: channel.code().to_owned(),
            device_id: None,
            rule_id: winner.id.get(),
            rules_version: self.network.rules().version,
            filled_hold_id: None,
            loaned_at: at.timestamp_millis(),
            due_at: due.at.timestamp_millis(),
            due_by_hand: false,
            renewals: 0,
            reading_room: false,
        }
    }

    /// Grown-ups' books still free at a place, the ones nobody waits for, one per bib.
    pub(super) fn left_on_shelf(&mut self, place: usize, count: usize) -> Vec<usize> {
        let mut left = Vec::new();
        while left.len() < count
            && let Some(item) = self.shelves[0][place].pop()
        {
            if !std::mem::replace(&mut self.spoken_for[self.items[item].bib], true) {
                left.push(item);
            }
        }
        left
    }

    fn channel(&mut self, place: usize) -> Channel {
        match (self.places[place].always_open, self.random.per_mille(350)) {
            (true, _) => Channel::Locker,
            (false, true) => Channel::Kiosk,
            (false, false) => Channel::Desk,
        }
    }

    /// Some minute of the last day, so many days ago or before, on which a place was open.
    pub(super) fn moment(&mut self, place: usize, days_ago: i64) -> DateTime<Utc> {
        let calendar = self.network.calendar(self.places[place].id);
        let day = self.network.local_day(self.now) - Days::new(u64::try_from(days_ago.max(1)).unwrap_or(1));
        let day = (0..30)
            .map(|back| day - Days::new(back))
            .find(|day| calendar.is_open(*day))
            .unwrap_or(day);
        let seconds = self.random.between(9 * 3_600 + 300, 17 * 3_600 + 2_400);
        let time = chrono::NaiveTime::from_num_seconds_from_midnight_opt(u32::try_from(seconds).unwrap_or(0), 0);
        let local = day.and_time(time.unwrap_or_default());
        self.network
            .zone()
            .from_local_datetime(&local)
            .earliest()
            .map_or(self.now, |at| at.with_timezone(&Utc))
    }
}
