//! Credit (信用): what a programme says, once codes are ids. Which event moves how many points, within which caps; which band a
//! balance falls into; what happens at the floor; which regime overdue items follow; who is let in.
//! Not for: the programme as written (see `credit_rules`), or what a posting comes to (see `post_credit`).

use serde::{Deserialize, Serialize};

use super::entry_gate::GateRow;
use super::ids::UnitId;
use super::reader::CreditBand;
use super::unit::UnitTree;
use super::words::words;

words! {
    /// What moves credit by the rules.
    CreditEvent:
    Loan = "loan",
    Renewal = "renewal",
    /// One item on one open day.
    Overdue = "overdue",
    Damage = "damage",
    SeriousDamage = "serious_damage",
    Loss = "loss",
    HoldNotCollected = "hold_not_collected",
    ParcelRefused = "parcel_refused",
    VolunteerHour = "volunteer_hour",
    Attendance = "attendance",
    NoShow = "no_show";
}

impl CreditEvent {
    /// The program counts these by itself, each time: nobody else posts them.
    pub const fn posts_by_itself(self) -> bool {
        matches!(self, Self::Loan | Self::Renewal | Self::Overdue)
    }
}

words! {
    /// What a line of the ledger is.
    EntryKind:
    /// The first line.
    Opening = "opening",
    Rule = "rule",
    Staff = "staff",
    /// Undoes another line.
    Reversal = "reversal",
    /// A freeze ended, and the reader begins again.
    Thaw = "thaw",
    /// A deduction has ended by age.
    Lapse = "lapse",
    /// What another record of the same reader had.
    Merge = "merge";
}

words! {
    /// Who or what made a line.
    EntryCause:
    Loan = "loan",
    /// An event of circulation other than a loan.
    Event = "event",
    Staff = "staff",
    /// Another system.
    Hook = "hook",
    Job = "job";
}

words! {
    /// Why less came of a line than the rule says.
    Cap:
    PerDay = "per_day",
    PerMonth = "per_month",
    PerItem = "per_item",
    Floor = "floor",
    Ceiling = "ceiling";
}

words! {
    /// What overdue days cost.
    RegimeKind:
    Points = "points",
    /// Points first, then money.
    Hybrid = "hybrid",
    /// Nothing, but no loans until the item is back.
    Lock = "lock";
}

/// The programme in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditRules {
    pub name: String,
    /// Points of the first entry.
    pub start: i64,
    pub floor: i64,
    pub ceiling: Option<i64>,
    /// A deduction ends after so many years.
    pub lapse_years: u16,
    pub rules: Vec<CreditRule>,
    /// The highest first; the last one has every balance above the floor.
    pub bands: Vec<BandFrom>,
    pub freeze: Option<Programme>,
    pub regimes: Vec<Regime>,
    /// Who is let in.
    pub gates: Vec<GateRow>,
}

/// What one kind of event, or several that share their caps, is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditRule {
    pub events: Vec<CreditEvent>,
    /// For each, or for each hour, item and day. Below zero: a deduction.
    pub points: i64,
    /// Points, whatever their sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_month: Option<i64>,
    /// Of one loan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_item: Option<i64>,
}

/// The lowest balance of a band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BandFrom {
    pub band: CreditBand,
    pub from: i64,
}

/// What happens at the floor, and what ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Programme {
    /// After so many days.
    pub days: u16,
    /// The balance the reader begins with again, if theirs is lower.
    pub restart: i64,
    /// Hours of volunteer work end it earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<u16>,
    /// A quiz ends it earlier.
    #[serde(default)]
    pub quiz: bool,
}

/// What overdue days of an owner's items cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regime {
    /// `None`: the network's.
    pub owner: Option<UnitId>,
    pub kind: RegimeKind,
    /// Of `lock`: so many days more after the return.
    pub lock_days: u16,
}

impl CreditRules {
    /// The rule of an event; `None` where it moves nothing.
    pub fn rule(&self, event: CreditEvent) -> Option<&CreditRule> {
        self.rules.iter().find(|rule| rule.events.contains(&event))
    }

    /// The band of a balance of a reader who is not frozen.
    pub fn band(&self, balance: i64) -> CreditBand {
        let reached = self.bands.iter().find(|row| balance >= row.from);
        reached.or(self.bands.last()).map_or(CreditBand::B, |row| row.band)
    }

    /// The regime of an owner's items: that of the nearest unit that has one.
    pub fn regime(&self, units: &UnitTree, owner: UnitId) -> Regime {
        let depth = |row: &Regime| row.owner.map(|unit| units.ancestors(unit).len() + 1);
        let fits = |row: &&Regime| row.owner.is_none_or(|unit| units.is_within(owner, unit));
        let nearest = self.regimes.iter().filter(fits).max_by_key(|row| depth(row));
        nearest.copied().unwrap_or(Regime {
            owner: None,
            kind: RegimeKind::Points,
            lock_days: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credit_rules::preset;
    use crate::domain::example;

    #[test]
    fn every_balance_has_a_band() {
        let rules = preset("cn-points-100");
        let bands = [
            (0, "c"),
            (1, "c"),
            (59, "c"),
            (60, "b"),
            (119, "b"),
            (120, "a"),
            (200, "a"),
        ];
        for (balance, band) in bands {
            assert_eq!(rules.band(balance).code(), band, "{balance}");
        }
        assert_eq!(rules.band(i64::MIN).code(), "c", "below the floor of older rules");
    }

    #[test]
    fn the_nearest_owner_chooses_the_regime() {
        let network = example::world().network;
        let root = network.units().root().expect("a root").id;
        let leaf = network
            .units()
            .iter()
            .max_by_key(|unit| unit.path.len())
            .expect("a unit")
            .id;
        let mut rules = preset("gz-900");
        assert_eq!(rules.regime(network.units(), leaf).kind, RegimeKind::Hybrid);
        let lock = |owner| Regime {
            owner: Some(owner),
            kind: RegimeKind::Lock,
            lock_days: 7,
        };
        rules.regimes.push(lock(leaf));
        rules.regimes.push(Regime {
            kind: RegimeKind::Points,
            ..lock(root)
        });
        assert_eq!(rules.regime(network.units(), leaf).kind, RegimeKind::Lock);
        assert_eq!(rules.regime(network.units(), root).kind, RegimeKind::Points);
    }
}
