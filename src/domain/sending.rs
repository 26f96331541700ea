//! What units send to each other, and what it costs to bring a copy from one to another.
//! Not for: which copy serves which hold (see `target_hold`).

use std::collections::HashMap;

use super::ids::UnitId;
use super::unit::UnitTree;

/// The cost of one step in the unit tree, where no row says otherwise: there is room for cheaper and dearer pairs.
pub const COST_PER_STEP: u32 = 10;

/// What a unit sends, and how soon it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitSending {
    /// It fetches copies from its shelves for readers elsewhere.
    pub sends: bool,
    /// Copies it may be asked for on one local day; `None`: any number.
    pub daily_cap: Option<u32>,
    /// Open days after the day of asking in which it answers.
    pub answer_days: u16,
}

impl UnitSending {
    /// Where nothing was said.
    pub const USUAL: Self = Self {
        sends: true,
        daily_cap: None,
        answer_days: 1,
    };
}

/// What was said of units and pairs of units.
#[derive(Debug, Clone, Default)]
pub struct Sending {
    pub units: HashMap<UnitId, UnitSending>,
    /// From, to.
    pub costs: HashMap<(UnitId, UnitId), u32>,
}

impl Sending {
    /// What holds for a unit: its own word, or that of the nearest unit above it that has one.
    pub fn of(&self, units: &UnitTree, unit: UnitId) -> UnitSending {
        let mut line = units.ancestors(unit).iter();
        let said = line.find_map(|one| self.units.get(one));
        said.copied().unwrap_or(UnitSending::USUAL)
    }

    /// What it costs to bring a copy from one unit to another; `None` if one is unknown. A row counts for both units and
    /// everything below them; the one with the fewest steps up wins, at a tie the one nearer to the sender.
    pub fn cost(&self, units: &UnitTree, from: UnitId, to: UnitId) -> Option<u32> {
        let (line_from, line_to) = (units.ancestors(from), units.ancestors(to));
        if from != to && !self.costs.is_empty() {
            let pairs = line_from.iter().enumerate().flat_map(|(up, one)| {
                let others = line_to.iter().enumerate();
                others.map(move |(far, other)| ((up + far, up), (*one, *other)))
            });
            let said = pairs.filter_map(|(steps, pair)| Some((steps, *self.costs.get(&pair)?)));
            if let Some((_, cost)) = said.min_by_key(|(steps, _)| *steps) {
                return Some(cost);
            }
        }
        let steps = units.distance(from, to)?;
        u32::try_from(steps).ok().map(|steps| steps * COST_PER_STEP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::{self, BRANCH, BRANCH_2, CENTRAL, LOCKER, MAIN, OTHER_BRANCH, OTHER_MAIN};

    fn tree() -> UnitTree {
        UnitTree::build(example::parts().units).unwrap()
    }

    #[test]
    fn the_tree_is_the_cost_where_nothing_was_said() {
        let (tree, sending) = (tree(), Sending::default());
        for (from, to, cost) in [
            (BRANCH, BRANCH, Some(0)),
            (BRANCH, LOCKER, Some(10)),
            (MAIN, BRANCH, Some(10)),
            (BRANCH_2, BRANCH, Some(20)),
            (OTHER_BRANCH, BRANCH, Some(50)),
            (BRANCH, UnitId::new(999), None),
        ] {
            assert_eq!(sending.cost(&tree, from, to), cost, "{from} to {to}");
        }
    }

    #[test]
    fn the_row_nearest_to_both_ends_wins() {
        let tree = tree();
        let costs = [
            ((OTHER_MAIN, CENTRAL), 7),
            ((OTHER_BRANCH, MAIN), 8),
            ((OTHER_MAIN, BRANCH), 9),
            ((OTHER_BRANCH, BRANCH), 3),
        ];
        let sending = Sending {
            costs: costs.into(),
            ..Sending::default()
        };
        for (from, to, cost) in [
            (OTHER_BRANCH, BRANCH, 3),
            (OTHER_BRANCH, BRANCH_2, 8),
            // One step up to the locker's branch for one, two for the other.
            (OTHER_BRANCH, LOCKER, 3),
            (OTHER_MAIN, BRANCH, 9),
            (OTHER_MAIN, BRANCH_2, 7),
            // Not the way back.
            (BRANCH, OTHER_BRANCH, 50),
        ] {
            assert_eq!(sending.cost(&tree, from, to), Some(cost), "{from} to {to}");
        }
        // At a tie of steps the sender's own word counts: (OTHER_BRANCH, MAIN) before (OTHER_MAIN, BRANCH).
        let tie = Sending {
            costs: [((OTHER_BRANCH, MAIN), 8), ((OTHER_MAIN, BRANCH), 9)].into(),
            ..Sending::default()
        };
        assert_eq!(tie.cost(&tree, OTHER_BRANCH, BRANCH), Some(8));
    }

    #[test]
    fn what_a_unit_says_holds_below_it() {
        let tree = tree();
        let silent = UnitSending {
            sends: false,
            ..UnitSending::USUAL
        };
        let few = UnitSending {
            daily_cap: Some(3),
            ..UnitSending::USUAL
        };
        let sending = Sending {
            units: [(MAIN, silent), (BRANCH, few)].into(),
            ..Sending::default()
        };
        assert_eq!(sending.of(&tree, BRANCH_2), silent);
        assert_eq!(sending.of(&tree, LOCKER), few);
        assert_eq!(sending.of(&tree, CENTRAL), UnitSending::USUAL);
    }
}
