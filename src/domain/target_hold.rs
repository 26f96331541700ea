//! Which copy on which shelf is to be fetched for which waiting hold.
//! Not for: capturing it (a scan does, see `check_in`), or holds that a returned copy serves.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;

use super::hold::{CopyFacts, Wish, may_fill};
use super::ids::{HoldId, ItemId, ReaderId, UnitId};
use super::network::Network;
use super::sending::UnitSending;

/// Open days of a unit for which it is not asked again for a hold that it refused to serve, or for which it did not answer.
pub const REST_OPEN_DAYS: u16 = 3;

/// Whether a unit is still left in peace about a hold: it refused, or did not answer, and a pass closed that on the day `since`.
///
/// Other units are asked meanwhile. Afterwards it is asked again: where nobody else has a copy, the reader would wait in vain.
pub fn rests(network: &Network, unit: UnitId, since: NaiveDate, today: NaiveDate) -> bool {
    today <= network.calendar(unit).nth_open_day_after(since, REST_OPEN_DAYS)
}

/// A waiting hold that nothing is being fetched for, in the order of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub hold: HoldId,
    pub reader: ReaderId,
    pub wish: Wish,
    /// Units that refused or did not answer, and [rest](rests).
    pub refused_by: Vec<UnitId>,
    /// The last local day on which it is wanted.
    pub wanted_until: Option<NaiveDate>,
}

/// One copy to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pull {
    pub hold: HoldId,
    pub item: ItemId,
    pub unit: UnitId,
    /// The last local day on which the unit may answer.
    pub answer_by: NaiveDate,
}

/// How busy units are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Load {
    /// Pulls they have not answered.
    pub open: HashMap<UnitId, u32>,
    /// Pulls they were asked for today; read for units with a daily cap.
    pub today: HashMap<UnitId, u32>,
}

impl Load {
    fn open_at(&self, unit: UnitId) -> u32 {
        self.open.get(&unit).copied().unwrap_or(0)
    }

    fn count(&mut self, unit: UnitId) {
        *self.open.entry(unit).or_default() += 1;
        *self.today.entry(unit).or_default() += 1;
    }
}

/// Chooses copies for the waiting holds of one bib, at most `room` of them, and counts them in `load`.
///
/// In the order of the queue each hold gets, of the copies that stand free on a shelf and may fill it, the one with the lowest
/// transport cost; at equal cost that of the unit with the fewest open pulls; then the one with the lowest number. Units that refused
/// it, that send nothing, or that have reached their daily cap are passed over, except that nothing needs sending from the
/// pickup unit itself. A hold that no copy serves is passed over.
pub fn choose(
    network: &Network,
    waiting: &[Waiting],
    copies: &[CopyFacts],
    load: &mut Load,
    today: NaiveDate,
    room: usize,
) -> Vec<Pull> {
    let mut taken: HashSet<ItemId> = HashSet::new();
    let mut pulls = Vec::new();
    for hold in waiting {
        let left = pulls.len() < room && taken.len() < copies.len();
        if !left {
            break;
        }
        let free = copies.iter().filter(|copy| !taken.contains(&copy.item));
        let offers = free.filter_map(|copy| Some((rank(network, hold, copy, load, today)?, copy)));
        let Some((_, best)) = offers.min_by_key(|(rank, _)| *rank) else {
            continue;
        };
        taken.insert(best.item);
        load.count(best.current);
        pulls.push(Pull {
            hold: hold.hold,
            item: best.item,
            unit: best.current,
            answer_by: answer_by(network, best.current, today),
        });
    }
    pulls
}

/// What a unit that fetches copies from its shelves for a hold does on a day; `None` when it never does.
pub(super) fn sends(network: &Network, unit: UnitId, hold: &Waiting) -> Option<UnitSending> {
    let sending = network.sending().of(network.units(), unit);
    let works = network.unit(unit).is_some_and(|unit| unit.active);
    let ever = (sending.sends && sending.daily_cap != Some(0)) || unit == hold.wish.pickup;
    (works && ever && !hold.refused_by.contains(&unit)).then_some(sending)
}

/// The last local day on which a unit may answer what it was asked on a day, by its calendar as it is now.
pub fn answer_by(network: &Network, unit: UnitId, asked_on: NaiveDate) -> NaiveDate {
    let days = network.sending().of(network.units(), unit).answer_days;
    network.calendar(unit).nth_open_day_after(asked_on, days)
}

/// How well a copy serves a hold, the lowest best; `None`: not at all.
fn rank(
    network: &Network,
    hold: &Waiting,
    copy: &CopyFacts,
    load: &Load,
    today: NaiveDate,
) -> Option<(u32, u32, ItemId)> {
    let (unit, pickup) = (copy.current, hold.wish.pickup);
    let sending = sends(network, unit, hold)?;
    let asked_today = load.today.get(&unit).copied().unwrap_or(0);
    let at_cap = sending.daily_cap.is_some_and(|cap| asked_today >= cap);
    if !copy.is_on_shelf() || (at_cap && unit != pickup) {
        return None;
    }
    may_fill(network, copy, &hold.wish, today).ok()?;
    let cost = network.sending().cost(network.units(), unit, pickup)?;
    Some((cost, load.open_at(unit), copy.item))
}
