//! Terms of holds: which kinds are taken, and copies that are kept for a unit's own readers or, while new, at their unit.
//! Not for: whether a copy may fill a hold (see `hold`), which asks these.

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use super::act::Findings;
use super::hold::{CopyFacts, Target, Wish, wish_situation};
use super::judge_reader::unit_name;
use super::network::Network;
use super::refusal::{Code, Refusal};

/// The longest time a copy is new.
pub const MAX_NEW_ITEM_DAYS: u16 = 366;

/// What a row of terms says of holds besides whether there may be any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HoldTerms {
    /// Holds on any copy are taken.
    pub bib: bool,
    /// Holds on any copy of one volume are taken.
    pub volume: bool,
    /// Holds on one copy are taken.
    pub item: bool,
    /// Only readers of the unit where the copy is at home, or of one below it, may hold it.
    pub home_only: bool,
    /// So many calendar days after it was added a copy leaves its home unit for no hold; 0: it may at once.
    pub new_item_days: u16,
}

impl Default for HoldTerms {
    fn default() -> Self {
        Self {
            bib: true,
            volume: true,
            item: true,
            home_only: false,
            new_item_days: 0,
        }
    }
}

impl HoldTerms {
    /// Whether holds of this kind are taken.
    pub const fn take(&self, target: Target) -> bool {
        match target {
            Target::Bib(_) => self.bib,
            Target::Volume(..) => self.volume,
            Target::Item(_) => self.item,
        }
    }
}

/// What staff passed over when a hold was placed: it is served in spite of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waived {
    pub home_only: bool,
    pub new_item: bool,
}

impl Waived {
    pub(super) const ALL: Self = Self {
        home_only: true,
        new_item: true,
    };

    /// With what was passed over now.
    #[must_use]
    pub fn and(self, overridden: &[Refusal]) -> Self {
        let passed = |code| overridden.iter().any(|refusal| refusal.code == code);
        Self {
            home_only: self.home_only || passed(Code::HomeOnly),
            new_item: self.new_item || passed(Code::NewItemProtected),
        }
    }
}

/// The copy is for readers of its home unit, and this is not one of them.
pub(super) fn is_for_others(network: &Network, terms: &HoldTerms, copy: &CopyFacts, wish: &Wish) -> bool {
    terms.home_only && !wish.waived.home_only && !network.units().is_within(wish.reader_home, copy.home)
}

/// The day from which a copy that is new may leave its home unit for this hold; `None`: it may now, or need not leave.
pub(super) fn new_until(
    network: &Network,
    terms: &HoldTerms,
    copy: &CopyFacts,
    wish: &Wish,
    day: NaiveDate,
) -> Option<NaiveDate> {
    let stays = !wish.waived.new_item && !network.units().is_within(wish.pickup, copy.home);
    let until = network
        .local_day(copy.added_at)
        .checked_add_days(Days::new(u64::from(terms.new_item_days)));
    until.filter(|until| stays && day < *until)
}

/// Says what keeps a copy from a hold that staff may pass over; nothing, if more than that does.
pub(super) fn judge_kept(found: &mut Findings, network: &Network, copy: &CopyFacts, wish: &Wish, day: NaiveDate) {
    let row = network.winner(&wish_situation(network, copy, wish));
    let terms = &row.terms.holds;
    if is_for_others(network, terms, copy, wish) {
        found
            .add(Code::HomeOnly)
            .by(row.id)
            .with("home", unit_name(network, copy.home));
    }
    if let Some(until) = new_until(network, terms, copy, wish, day) {
        found.add(Code::NewItemProtected).by(row.id).with("until", until);
    }
}
