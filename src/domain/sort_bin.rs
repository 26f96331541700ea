//! Which bin of a sorter a book falls into, by the table of its unit. Whatever the table says, it falls somewhere.
//! Not for: where the book goes (`route`); the sorter takes every book first.

use std::collections::BTreeSet;
use std::fmt;

use super::ids::{CollectionId, RouteId, UnitId};
use super::route::NextStep;

/// Where a line of the table sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Towards {
    Unit(UnitId),
    /// This unit and every unit below it.
    Below(UnitId),
    /// Every stop of the route.
    Route(RouteId),
    /// All the others.
    Anywhere,
}

/// What a bin takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Takes {
    /// For a shelf of this unit: of one collection, or of all others.
    Shelf(Option<CollectionId>),
    /// For the hold shelf.
    Hold,
    Transit(Towards),
    /// What staff must look at; and what nothing else takes.
    Exception,
}

/// One line of a unit's table. Several may name one bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    pub bin: u16,
    pub takes: Takes,
}

/// Why a table cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFault {
    NoException,
    /// Two lines take the same: their places in the table, from 0.
    Twice(usize, usize),
    /// Bins are counted from 1.
    BinZero(usize),
}

impl fmt::Display for TableFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoException => f.write_str("needs a line that takes `exception`"),
            Self::Twice(first, second) => write!(f, "lines {first} and {second} take the same"),
            Self::BinZero(line) => write!(f, "line {line}: bins are counted from 1"),
        }
    }
}

/// Looks a table through before it is stored.
///
/// # Errors
/// The first fault. A table without an exception bin would leave a book nowhere.
pub fn check(table: &[Line]) -> Result<(), TableFault> {
    for (at, line) in table.iter().enumerate() {
        if line.bin == 0 {
            return Err(TableFault::BinZero(at));
        }
        if let Some(before) = table[..at].iter().position(|other| other.takes == line.takes) {
            return Err(TableFault::Twice(before, at));
        }
    }
    if table.iter().any(|line| line.takes == Takes::Exception) {
        Ok(())
    } else {
        Err(TableFault::NoException)
    }
}

/// Everything the choice reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub table: &'a [Line],
    pub step: &'a NextStep,
    /// Of a book for another unit: that unit, its parent, and so on to the root.
    pub line_up: &'a [UnitId],
    /// The routes that stop there.
    pub routes: &'a [RouteId],
    /// Bins that the sorter says are full.
    pub full: &'a BTreeSet<u16>,
}

/// Why this bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    Fits,
    /// No line of the table takes it.
    NoLine,
    /// The bin that takes it is full.
    Full(u16),
}

/// Where the book falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// `None`: the unit has no table. The sorter uses its own exception bin.
    pub bin: Option<u16>,
    pub why: Why,
}

/// Chooses the bin: the closest line wins (a unit before what stands above it, that before a route, that before all); what has
/// no line, or whose bin is full, goes to the exceptions, even when those are full: it must fall somewhere.
///
/// ```
/// use std::collections::BTreeSet;
/// use tongjie::domain::route::NextStep;
/// use tongjie::domain::sort_bin::{Facts, Line, Takes, Why, choose};
/// let table = [Line { bin: 1, takes: Takes::Shelf(None) }, Line { bin: 9, takes: Takes::Exception }];
/// let step = NextStep::ShelfHere { collection: None };
/// let full = BTreeSet::from([1]);
/// let facts = Facts { table: &table, step: &step, line_up: &[], routes: &[], full: &BTreeSet::new() };
/// assert_eq!(choose(&facts).bin, Some(1));
/// let choice = choose(&Facts { full: &full, ..facts });
/// assert_eq!((choice.bin, choice.why), (Some(9), Why::Full(1)));
/// ```
pub fn choose(facts: &Facts<'_>) -> Choice {
    let exception = bin_of(facts.table, Takes::Exception);
    match wanted(facts) {
        Some(bin) if facts.full.contains(&bin) => Choice {
            bin: exception,
            why: if exception == Some(bin) {
                Why::Fits
            } else {
                Why::Full(bin)
            },
        },
        Some(bin) => Choice {
            bin: Some(bin),
            why: Why::Fits,
        },
        None => Choice {
            bin: exception,
            why: Why::NoLine,
        },
    }
}

/// The bins that a sorter's faults say are full: the words of its heartbeat, separated by commas.
///
/// ```
/// use tongjie::domain::sort_bin::full_bins;
/// let full: Vec<u16> = full_bins("printer_jam,bin_full:3,bin_full:x,bin_full:12").into_iter().collect();
/// assert_eq!(full, [3, 12]);
/// ```
pub fn full_bins(faults: &str) -> BTreeSet<u16> {
    let bins = faults.split(',').filter_map(|fault| fault.strip_prefix("bin_full:"));
    bins.filter_map(|bin| bin.parse().ok()).collect()
}

fn wanted(facts: &Facts<'_>) -> Option<u16> {
    let of = |takes| bin_of(facts.table, takes);
    match facts.step {
        NextStep::ShelfHere { collection } => collection
            .and_then(|one| of(Takes::Shelf(Some(one))))
            .or_else(|| of(Takes::Shelf(None))),
        NextStep::HoldShelf { .. } => of(Takes::Hold),
        NextStep::Crate { to, .. } => towards(facts, *to),
        NextStep::CheckIn { .. } | NextStep::Exception { .. } => of(Takes::Exception),
    }
}

fn towards(facts: &Facts<'_>, to: UnitId) -> Option<u16> {
    let of = |towards| bin_of(facts.table, Takes::Transit(towards));
    of(Towards::Unit(to))
        .or_else(|| facts.line_up.iter().find_map(|unit| of(Towards::Below(*unit))))
        .or_else(|| facts.routes.iter().find_map(|route| of(Towards::Route(*route))))
        .or_else(|| of(Towards::Anywhere))
}

fn bin_of(table: &[Line], takes: Takes) -> Option<u16> {
    table.iter().find(|line| line.takes == takes).map(|line| line.bin)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::*;
    use crate::domain::ids::HoldId;
    use crate::domain::item::TransitReason;
    use crate::domain::refusal::Code;

    const MAIN: UnitId = UnitId::new(5);
    const BRANCH: UnitId = UnitId::new(20);
    const OTHER: UnitId = UnitId::new(60);
    const ROOT: UnitId = UnitId::new(1);
    const NOVELS: CollectionId = CollectionId::new(7);
    const ROUTE: RouteId = RouteId::new(3);

    fn lines() -> Vec<Line> {
        [
            (1, Takes::Shelf(None)),
            (2, Takes::Shelf(Some(NOVELS))),
            (3, Takes::Hold),
            (4, Takes::Transit(Towards::Unit(BRANCH))),
            (5, Takes::Transit(Towards::Below(MAIN))),
            (6, Takes::Transit(Towards::Route(ROUTE))),
            (7, Takes::Transit(Towards::Anywhere)),
            (9, Takes::Exception),
        ]
        .map(|(bin, takes)| Line { bin, takes })
        .to_vec()
    }

    fn crate_for(to: UnitId) -> NextStep {
        NextStep::Crate {
            to,
            reason: TransitReason::ReturnHome,
            hold: None,
        }
    }

    fn bin(table: &[Line], step: &NextStep, line_up: &[UnitId], routes: &[RouteId]) -> Choice {
        choose(&Facts {
            table,
            step,
            line_up,
            routes,
            full: &BTreeSet::new(),
        })
    }

    #[test]
    fn the_closest_line_wins() {
        let shelf = |collection| NextStep::ShelfHere { collection };
        let hold = NextStep::HoldShelf {
            hold: HoldId::new(1),
            number: 4,
            expires_on: chrono::NaiveDate::MIN,
        };
        let odd = NextStep::Exception {
            reason: Code::ItemDamaged,
        };
        let second = UnitId::new(21);
        for (step, line_up, routes, expected) in [
            (shelf(None), vec![], vec![], 1),
            (shelf(Some(CollectionId::new(8))), vec![], vec![], 1),
            (shelf(Some(NOVELS)), vec![], vec![], 2),
            (hold, vec![], vec![], 3),
            (crate_for(BRANCH), vec![BRANCH, MAIN, ROOT], vec![ROUTE], 4),
            (crate_for(second), vec![second, MAIN, ROOT], vec![ROUTE], 5),
            (crate_for(OTHER), vec![OTHER, ROOT], vec![ROUTE], 6),
            (crate_for(OTHER), vec![OTHER, ROOT], vec![], 7),
            (odd, vec![], vec![], 9),
        ] {
            let choice = bin(&lines(), &step, &line_up, &routes);
            assert_eq!((choice.bin, choice.why), (Some(expected), Why::Fits), "{step:?}");
        }
    }

    #[test]
    fn of_two_units_above_the_nearer_one_wins() {
        let table = [
            (1, Takes::Transit(Towards::Below(ROOT))),
            (2, Takes::Transit(Towards::Below(MAIN))),
            (9, Takes::Exception),
        ]
        .map(|(bin, takes)| Line { bin, takes });
        let to = crate_for(BRANCH);
        assert_eq!(bin(&table, &to, &[BRANCH, MAIN, ROOT], &[]).bin, Some(2));
        assert_eq!(bin(&table, &crate_for(OTHER), &[OTHER, ROOT], &[]).bin, Some(1));
    }

    #[test]
    fn without_a_line_or_a_table_it_still_falls_somewhere() {
        let only = [Line {
            bin: 9,
            takes: Takes::Exception,
        }];
        let choice = bin(&only, &crate_for(BRANCH), &[BRANCH], &[]);
        assert_eq!((choice.bin, choice.why), (Some(9), Why::NoLine));
        assert_eq!(bin(&[], &crate_for(BRANCH), &[BRANCH], &[]).bin, None);
    }

    #[test]
    fn a_table_is_looked_through_before_it_counts() {
        assert_eq!(check(&lines()), Ok(()));
        assert_eq!(check(&lines()[..7]), Err(TableFault::NoException));
        let mut twice = lines();
        twice.push(twice[2]);
        assert_eq!(check(&twice), Err(TableFault::Twice(2, 8)));
        let mut zero = lines();
        zero[1].bin = 0;
        assert_eq!(check(&zero).unwrap_err().to_string(), "line 1: bins are counted from 1");
    }

    proptest! {
        #[test]
        fn with_a_good_table_every_book_has_a_bin_of_the_table(
            table in subsequence(lines(), 0..=8), full in proptest::collection::btree_set(0_u16..10, 0..10),
            step in select(vec![crate_for(BRANCH), crate_for(OTHER), NextStep::ShelfHere { collection: Some(NOVELS) }]),
        ) {
            let choice = choose(&Facts { table: &table, step: &step, line_up: &[BRANCH, MAIN, ROOT], routes: &[ROUTE], full: &full });
            if check(&table).is_ok() {
                let bin = choice.bin.expect("a bin");
                prop_assert!(table.iter().any(|line| line.bin == bin));
                // A full bin is used only where nothing else is left.
                prop_assert!(!full.contains(&bin) || bin_of(&table, Takes::Exception) == Some(bin));
            }
        }
    }
}
