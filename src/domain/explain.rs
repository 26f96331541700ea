//! The answer to "which rule, and why not that one?".
//! Not for: deciding; a decision uses the same functions without building the list.

use super::ids::{RuleId, UnitId};
use super::limit::{CountIn, Counter, LimitKind, NoMatch, Usage};
use super::network::Network;
use super::own_rules::{OwnTerms, TermField};
use super::policy::{Column, Rank, Resolved, RuleKey, RuleSet, Situation, Terms, TermsRow, rank};

/// Every row of terms and every limit, looked at for one situation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    pub rules_version: i64,
    /// The row that decides: a unit's own where one matches, else the network's.
    pub winner: RuleId,
    /// The network's winner, on which a unit's own stands.
    pub network_winner: RuleId,
    /// Fields in which a unit's own row stands in the place of the network's.
    pub own_fields: Vec<TermField>,
    pub terms: Terms,
    /// Every row of terms: the network's in the order of the rule set, then units' own.
    pub candidates: Vec<Candidate>,
    pub limits: Vec<LimitLine>,
}

/// One row of terms and its fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub rule: RuleId,
    /// Whose it is; `None` is the network's.
    pub by: Option<UnitId>,
    pub key: RuleKey,
    pub fate: Fate,
}

/// Why a row of terms won or lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Won,
    /// It does not match: the weightiest column that does not.
    NoMatch(Column),
    /// It matches, but in this column the winner (the network's among its rows, the own one among units' own) is nearer.
    LessSpecific(Column),
    /// It matches exactly as well as the winner, which is of a unit farther down.
    FartherUp,
}

/// One limit and its count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitLine {
    pub rule: RuleId,
    /// Whose it is; `None` is the network's.
    pub by: Option<UnitId>,
    pub kind: LimitKind,
    pub count_in: CountIn,
    /// What stands now, also where the limit does not apply.
    pub count: i64,
    pub max: i64,
    /// What keeps it from applying.
    pub no_match: Option<NoMatch>,
    /// Passed by one more: it would refuse.
    pub passed: bool,
    /// Of its kind the one with the least left.
    pub tightest: bool,
}

/// Explains the terms and limits of a situation. `usage` is what the limits count; use an empty one for terms only.
pub fn explain(network: &Network, situation: Situation, usage: &Usage<'_>) -> Explanation {
    let at = Resolved::new(situation, network.units(), network.item_types());
    let (winner, own) = network.winners(&situation);
    let rules = network.rules();
    let decides = network.winner(&situation);
    Explanation {
        rules_version: rules.version,
        winner: decides.id,
        network_winner: winner.id,
        own_fields: own
            .iter()
            .flat_map(|own| own.values.iter().map(|(field, _)| *field))
            .collect(),
        terms: decides.terms,
        candidates: candidates(rules, &at, winner, own),
        limits: limit_lines(network, at, usage),
    }
}

fn candidates(rules: &RuleSet, at: &Resolved<'_>, winner: &TermsRow, own: Option<&OwnTerms>) -> Vec<Candidate> {
    let never = [u16::MAX; 6];
    let best = rank(&winner.key, at).unwrap_or(never);
    let best_own = own.and_then(|own| rank(&own.key, at).ok()).unwrap_or(never);
    let network = rules
        .terms
        .iter()
        .map(|row| (row.id, None, row.key, row.id == winner.id, &best));
    let units = rules.own.iter().map(|row| {
        let won = own.is_some_and(|own| own.id == row.id);
        (row.id, Some(row.by), row.key, won, &best_own)
    });
    let candidate = |(rule, by, key, won, best): (RuleId, Option<UnitId>, RuleKey, bool, &Rank)| Candidate {
        rule,
        by,
        key,
        fate: if won { Fate::Won } else { fate(&key, at, best) },
    };
    network.chain(units).map(candidate).collect()
}

fn fate(key: &RuleKey, at: &Resolved<'_>, best: &Rank) -> Fate {
    match rank(key, at) {
        Err(column) => Fate::NoMatch(column),
        Ok(rank) => {
            let columns = Column::ALL.into_iter().zip(rank.iter().zip(best));
            let lost_at = columns.into_iter().find(|(_, (mine, best))| mine != best);
            lost_at.map_or(Fate::FartherUp, |(column, _)| Fate::LessSpecific(column))
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
            .filter(|row| counter.applies(row, usage).is_ok())
            .map(|row| counter.state(row, usage))
    };
    let tightest = |kind| {
        applying()
            .filter(|state| state.row.kind == kind)
            .min_by(|a, b| a.tightness(b))
    };
    let line = |row: &super::limit::LimitRow| {
        let no_match = counter.applies(row, usage).err();
        let state = counter.state(row, usage);
        LimitLine {
            rule: row.id,
            by: network.rules().whose.get(&row.id).copied(),
            kind: row.kind,
            count_in: row.count_in,
            count: state.count,
            max: row.max,
            no_match,
            passed: no_match.is_none() && state.is_passed(),
            tightest: tightest(row.kind).is_some_and(|tight| tight.row.id == row.id),
        }
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::{self, BRANCH, MAIN};
    use crate::domain::ids::LockerSessionId;
    use crate::domain::limit::{LimitRow, LimitWhen};
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
            session: None,
            now: world.now,
            debt_fen: 0,
            holds: 0,
            hold_types: &[],
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
            (LimitKind::Loans, 10, 10)
        );
        let banded =
            |line: &&LimitLine| line.no_match == Some(NoMatch::Column(Column::Band)) && line.kind == LimitKind::Loans;
        let banded = explained.limits.iter().find(banded).expect("a limit of another band");
        assert_eq!((banded.count, banded.passed, banded.tightest), (10, false, false));
    }
    #[test]
    fn a_limit_of_a_session_says_that_there_is_none() {
        let mut parts = example::parts();
        let id = RuleId::new(9_000);
        parts.rules.limits.push(LimitRow {
            id,
            when: LimitWhen::default(),
            kind: LimitKind::Loans,
            count_in: CountIn::Session,
            max: 0,
            confirm: false,
        });
        let network = Network::build(parts).unwrap();
        let world = example::world();
        let situation = Situation {
            unit: BRANCH,
            category: world.category("adult"),
            item_type: world.item_type("book"),
            owner: MAIN,
            channel: Channel::Kiosk,
            band: CreditBand::B,
        };
        for (session, no_match) in [(None, Some(NoMatch::Session)), (Some(LockerSessionId::new(7)), None)] {
            let usage = Usage {
                loans: &[],
                except_loan: None,
                session,
                now: world.now,
                debt_fen: 0,
                holds: 0,
                hold_types: &[],
                holds_of_bib: 0,
                holds_today: 0,
            };
            let explained = explain(&network, situation, &usage);
            let line = explained.limits.iter().find(|line| line.rule == id).expect("its line");
            assert_eq!(
                (line.no_match, line.passed, line.tightest),
                (no_match, no_match.is_none(), no_match.is_none())
            );
        }
        assert_eq!(NoMatch::Session.code(), "session");
        assert_eq!(NoMatch::Column(Column::Band).code(), "band");
    }
}
