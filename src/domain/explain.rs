//! The answer to "which rule, and why not that one?".
//! Not for: deciding; a decision uses the same functions without building the list.

use super::ids::RuleId;
use super::limit::{CountIn, Counter, LimitKind, Usage};
use super::network::Network;
use super::policy::{Column, Rank, Resolved, RuleKey, Situation, Terms, rank};

/// Every row of terms and every limit, looked at for one situation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    pub rules_version: i64,
    pub winner: RuleId,
    pub terms: Terms,
    /// Every row of terms in the order of the rule set, the winner included.
    pub candidates: Vec<Candidate>,
    pub limits: Vec<LimitLine>,
}

/// One row of terms and its fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub rule: RuleId,
    pub key: RuleKey,
    pub fate: Fate,
}

/// Why a row of terms won or lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Won,
    /// It does not match: the weightiest column that does not.
    NoMatch(Column),
    /// It matches, but in this column the winner is nearer.
    LessSpecific(Column),
}

/// One limit and its count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitLine {
    pub rule: RuleId,
    pub kind: LimitKind,
    pub count_in: CountIn,
    /// What stands now; `None` where the limit does not apply.
    pub count: Option<i64>,
    pub max: i64,
    /// The column that keeps it from applying.
    pub no_match: Option<Column>,
    /// Passed by one more: it would refuse.
    pub passed: bool,
    /// Of its kind the one with the least left.
    pub tightest: bool,
}

/// Explains the terms and limits of a situation. `usage` is what the limits count; use an empty one for terms only.
pub fn explain(network: &Network, situation: Situation, usage: &Usage<'_>) -> Explanation {
    let at = Resolved::new(situation, network.units(), network.item_types());
    let winner = network.winner(&situation);
    let best = rank(&winner.key, &at).unwrap_or([u16::MAX; 6]);
    let rules = network.rules();
    let candidates = rules.terms.iter().map(|row| Candidate {
        rule: row.id,
        key: row.key,
        fate: if row.id == winner.id {
            Fate::Won
        } else {
            fate(&row.key, &at, &best)
        },
    });
    Explanation {
        rules_version: rules.version,
        winner: winner.id,
        terms: winner.terms,
        candidates: candidates.collect(),
        limits: limit_lines(network, at, usage),
    }
}

fn fate(key: &RuleKey, at: &Resolved<'_>, best: &Rank) -> Fate {
    match rank(key, at) {
        Err(column) => Fate::NoMatch(column),
        Ok(rank) => {
            let columns = Column::ALL.into_iter().zip(rank.iter().zip(best));
            let lost_at = columns.into_iter().find(|(_, (mine, best))| mine != best);
            Fate::LessSpecific(lost_at.map_or(Column::Band, |(column, _)| column))
        }
    }
}

fn limit_lines(network: &Network, at: Resolved<'_>, usage: &Usage<'_>) -> Vec<LimitLine> {
    let counter = Counter {
        units: network.units(),
        item_types: network.item_types(),
        at,
    };
    let rows = &network.rules().limits;
    let applying = || {
        rows.iter()
            .filter(|row| counter.applies(row).is_ok())
            .map(|row| counter.state(row, usage))
    };
    let tightest = |kind| {
        applying()
            .filter(|state| state.row.kind == kind)
            .min_by(|a, b| a.tightness(b))
    };
    let line = |row: &super::limit::LimitRow| {
        let no_match = counter.applies(row).err();
        let state = no_match.is_none().then(|| counter.state(row, usage));
        LimitLine {
            rule: row.id,
            kind: row.kind,
            count_in: row.count_in,
            count: state.map(|state| state.count),
            max: row.max,
            no_match,
            passed: state.is_some_and(|state| state.is_passed()),
            tightest: tightest(row.kind).is_some_and(|tight| tight.row.id == row.id),
        }
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::{self, BRANCH, MAIN};
    use crate::domain::reader::{Channel, CreditBand};

    #[test]
    fn the_winner_and_every_loser_are_explained() {
        let world = example::world();
        let reader = world.reader_with_loans(10);
        let situation = Situation {
            unit: BRANCH,
            category: world.category("senior"),
            item_type: world.item_type("av_disc"),
            owner: MAIN,
            channel: Channel::Desk,
            band: CreditBand::B,
        };
        let usage = Usage {
            loans: &reader.loans,
            except_loan: None,
            now: world.now,
            debt_fen: 0,
            holds: 0,
            holds_of_bib: 0,
            holds_today: 0,
        };
        let explained = explain(&world.network, situation, &usage);
        assert_eq!(explained.winner, world.network.winner(&situation).id);
        assert_eq!(explained.candidates.len(), world.network.rules().terms.len());
        let fate = |id| {
            explained
                .candidates
                .iter()
                .find(|one| one.rule == RuleId::new(id))
                .map(|one| one.fate)
        };
        assert_eq!(fate(1), Some(Fate::LessSpecific(Column::Category)));
        assert_eq!(fate(2), Some(Fate::NoMatch(Column::ItemType)));
        assert_eq!(fate(4), Some(Fate::LessSpecific(Column::ItemType)));
        assert_eq!(fate(6), Some(Fate::Won));
        assert_eq!(fate(7), Some(Fate::NoMatch(Column::Category)));
        let tight: Vec<_> = explained
            .limits
            .iter()
            .filter(|line| line.tightest && line.passed)
            .collect();
        assert_eq!(tight.len(), 1);
        assert_eq!(
            (tight[0].kind, tight[0].count, tight[0].max),
            (LimitKind::Loans, Some(10), 10)
        );
        let banded = explained.limits.iter().find(|line| line.no_match == Some(Column::Band));
        assert_eq!(banded.and_then(|line| line.count), None);
    }
}
