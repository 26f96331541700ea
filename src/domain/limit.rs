//! Limits: every matching row applies, each counted in its own scope; the tightest is told first.
//! Not for: terms, of which one row wins (see `policy`).

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ids::{CategoryId, ItemTypeId, LoanId, LockerSessionId, RuleId, UnitId};
use super::item_type::ItemTypes;
use super::policy::{Column, Resolved, Situation};
use super::reader::{Channel, CreditBand, LoanOfReader};
use super::refusal::Code;
use super::unit::UnitTree;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Open loans, this one included; those for use in the reading room are counted apart.
    Loans,
    /// Open loans for use in the reading room, this one included.
    ReadingRoom,
    /// Open loans overdue now: how many may stand before borrowing stops.
    OverdueLoans,
    /// Debt in fen: how much may stand before borrowing stops.
    DebtFen,
    /// Open holds, this one included.
    Holds,
    /// Open holds on one bib, this one included.
    HoldsPerBib,
    /// Holds placed today, this one included.
    HoldsPerDay,
}

impl LimitKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Loans,
        Self::ReadingRoom,
        Self::OverdueLoans,
        Self::DebtFen,
        Self::Holds,
        Self::HoldsPerBib,
        Self::HoldsPerDay,
    ];

    /// The word used in rules and in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Loans => "loans",
            Self::ReadingRoom => "reading_room",
            Self::OverdueLoans => "overdue_loans",
            Self::DebtFen => "debt_fen",
            Self::Holds => "holds",
            Self::HoldsPerBib => "holds_per_bib",
            Self::HoldsPerDay => "holds_per_day",
        }
    }
}

/// Which loans a limit on loans counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountIn {
    /// All of the reader's.
    #[default]
    Network,
    /// Those whose owner stands in the named owner's subtree; with no owner named, in the item's owner's.
    Owner,
    /// Those made in the named unit's subtree; with no unit named, at the unit of the act.
    Unit,
    /// Those made through the named channel; with none named, through the channel of the act.
    Channel,
    /// Those made in the reader's session at a machine in which the act is done. Only applies there: nothing else has one.
    Session,
}

impl CountIn {
    /// Every scope.
    pub const ALL: [Self; 5] = [Self::Network, Self::Owner, Self::Unit, Self::Channel, Self::Session];

    /// The word used in rules and in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Owner => "owner",
            Self::Unit => "unit",
            Self::Channel => "channel",
            Self::Session => "session",
        }
    }
}

/// When a limit applies; `None` and an empty list are "any". Units match with what is below them, types with children.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct LimitWhen {
    pub unit: Option<UnitId>,
    pub category: Option<CategoryId>,
    /// Only items of these types, together; only they are counted.
    pub item_types: Vec<ItemTypeId>,
    /// Never items of these types, and they are not counted.
    pub except_item_types: Vec<ItemTypeId>,
    pub owner: Option<UnitId>,
    pub channel: Option<Channel>,
    pub band: Option<CreditBand>,
}

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRow {
    pub id: RuleId,
    pub when: LimitWhen,
    pub kind: LimitKind,
    pub count_in: CountIn,
    /// The highest count (or fen) that is still allowed.
    pub max: i64,
    /// Passing it asks staff to confirm instead of to override. Only for `debt_fen`.
    pub confirm: bool,
}

impl LimitRow {
    /// The refusal of a passed limit.
    pub fn code(&self) -> Code {
        match self.kind {
            LimitKind::Loans => self.loans_code(),
            LimitKind::ReadingRoom => Code::ReadingRoomLimit,
            LimitKind::OverdueLoans if self.max == 0 => Code::OverdueItems,
            LimitKind::OverdueLoans => Code::TooManyOverdue,
            LimitKind::DebtFen if self.confirm => Code::HasDebt,
            LimitKind::DebtFen => Code::DebtOverLimit,
            LimitKind::Holds => Code::LimitHolds,
            LimitKind::HoldsPerBib => Code::LimitHoldsPerBib,
            LimitKind::HoldsPerDay => Code::LimitHoldsPerDay,
        }
    }

    /// It is about items of some types only, and counts only those.
    pub const fn names_types(&self) -> bool {
        !self.when.item_types.is_empty() || !self.when.except_item_types.is_empty()
    }

    fn loans_code(&self) -> Code {
        let typed = !self.when.item_types.is_empty();
        match self.count_in {
            // First, for what the others tell a reader to do about it is not what helps.
            CountIn::Session => Code::LimitSession,
            _ if typed && self.max == 0 && self.when.category.is_some() => Code::LimitIsZero,
            _ if self.when.band.is_some() => Code::LimitCreditBand,
            CountIn::Owner => Code::LimitOwner,
            CountIn::Unit => Code::LimitUnit,
            CountIn::Channel => Code::LimitChannel,
            CountIn::Network if typed => Code::LimitItemType,
            CountIn::Network => Code::LimitLoans,
        }
    }
}

/// What the limits count against.
#[derive(Debug, Clone, Copy)]
pub struct Usage<'a> {
    pub loans: &'a [LoanOfReader],
    /// A loan not to count: the one being renewed, or returned first.
    pub except_loan: Option<LoanId>,
    /// The session at a machine in which the act is done, if it is: without one no limit of a session applies.
    pub session: Option<LockerSessionId>,
    /// Now: which loans are overdue.
    pub now: DateTime<Utc>,
    pub debt_fen: i64,
    pub holds: u32,
    /// Of each open hold the types of the copies it may wait for; only read where a limit on holds names types.
    pub hold_types: &'a [Vec<ItemTypeId>],
    pub holds_of_bib: u32,
    pub holds_today: u32,
}

/// One limit that applies to a situation, with its count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitState<'a> {
    pub row: &'a LimitRow,
    /// What stands now, the act not included.
    pub count: i64,
    /// What would be left after the act; negative: refused.
    pub left: i64,
}

impl LimitState<'_> {
    /// The act would pass it.
    pub const fn is_passed(&self) -> bool {
        self.left < 0
    }

    /// The tightest first; between equals the smaller rule id.
    pub fn tightness(&self, other: &Self) -> Ordering {
        self.left.cmp(&other.left).then(self.row.id.cmp(&other.row.id))
    }
}

/// Why a limit does not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMatch {
    /// This column does not fit.
    Column(Column),
    /// It counts what is borrowed in one session at a machine, and the act is in none.
    Session,
}

impl NoMatch {
    /// The word used in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Column(column) => column.code(),
            Self::Session => CountIn::Session.code(),
        }
    }
}

/// Resolves and counts limits against one network's trees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counter<'a> {
    pub(super) units: &'a UnitTree,
    pub(super) item_types: &'a ItemTypes,
    pub(super) at: Resolved<'a>,
}

impl Counter<'_> {
    /// Whether a limit applies; `Err` names the first column that does not match, or else the session that is missing.
    pub(super) fn applies(&self, row: &LimitRow, usage: &Usage<'_>) -> Result<(), NoMatch> {
        let (when, situation) = (&row.when, &self.at.situation);
        let unit = when.unit.is_none_or(|unit| self.at.units.contains(&unit));
        let category = when.category.is_none_or(|category| category == situation.category);
        let typed = when.item_types.is_empty() || any_of(&when.item_types, self.at.item_types);
        let owner = when.owner.is_none_or(|owner| self.at.owners.contains(&owner));
        let channel = when.channel.is_none_or(|channel| channel == situation.channel);
        let band = when.band.is_none_or(|band| band == situation.band);
        let checks = [
            (unit, Column::Unit),
            (category, Column::Category),
            (
                typed && !any_of(&when.except_item_types, self.at.item_types),
                Column::ItemType,
            ),
            (owner, Column::Owner),
            (channel, Column::Channel),
            (band, Column::Band),
        ];
        checks
            .into_iter()
            .find(|(matches, _)| !matches)
            .map_or(Ok(()), |(_, column)| Err(NoMatch::Column(column)))?;
        if row.count_in == CountIn::Session && usage.session.is_none() {
            return Err(NoMatch::Session);
        }
        Ok(())
    }

    /// Counts one limit that applies.
    pub(super) fn state<'r>(&self, row: &'r LimitRow, usage: &Usage<'_>) -> LimitState<'r> {
        let others = || usage.loans.iter().filter(|loan| usage.except_loan != Some(loan.id));
        let counted = || others().filter(|loan| self.is_counted(row, loan, usage.session));
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let (count, adds) = match row.kind {
            LimitKind::Loans => (whole(counted().filter(|loan| !loan.reading_room).count()), 1),
            LimitKind::ReadingRoom => (whole(counted().filter(|loan| loan.reading_room).count()), 1),
            LimitKind::OverdueLoans => (
                whole(
                    counted()
                        .filter(|loan| loan.due_at < usage.now && !loan.given_back)
                        .count(),
                ),
                0,
            ),
            LimitKind::DebtFen => (usage.debt_fen, 0),
            LimitKind::Holds if row.names_types() => (whole(self.holds_of_types(row, usage)), 1),
            LimitKind::Holds => (i64::from(usage.holds), 1),
            LimitKind::HoldsPerBib => (i64::from(usage.holds_of_bib), 1),
            LimitKind::HoldsPerDay => (i64::from(usage.holds_today), 1),
        };
        LimitState {
            row,
            count,
            left: row.max.saturating_sub(count).saturating_sub(adds),
        }
    }

    fn holds_of_types(&self, row: &LimitRow, usage: &Usage<'_>) -> usize {
        let counted = |types: &&Vec<ItemTypeId>| types.iter().any(|one| self.is_counted_type(row, *one));
        usage.hold_types.iter().filter(counted).count()
    }

    fn is_counted(&self, row: &LimitRow, loan: &LoanOfReader, session: Option<LockerSessionId>) -> bool {
        self.is_counted_type(row, loan.item_type) && self.is_in_scope(row, loan, session)
    }

    fn is_counted_type(&self, row: &LimitRow, item_type: ItemTypeId) -> bool {
        if !row.names_types() {
            return true;
        }
        let when = &row.when;
        let line = self.item_types.ancestors(item_type);
        let named = when.item_types.is_empty() || any_of(&when.item_types, line);
        named && !any_of(&when.except_item_types, line)
    }

    fn is_in_scope(&self, row: &LimitRow, loan: &LoanOfReader, session: Option<LockerSessionId>) -> bool {
        let (when, situation): (&LimitWhen, &Situation) = (&row.when, &self.at.situation);
        match row.count_in {
            CountIn::Network => true,
            CountIn::Owner => self.units.is_within(loan.owner, when.owner.unwrap_or(situation.owner)),
            CountIn::Unit => self.units.is_within(loan.unit, when.unit.unwrap_or(situation.unit)),
            CountIn::Channel => loan.channel == when.channel.unwrap_or(situation.channel),
            CountIn::Session => session.is_some() && loan.session == session,
        }
    }
}

fn any_of(named: &[ItemTypeId], line: &[ItemTypeId]) -> bool {
    named.iter().any(|one| line.contains(one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::{self, BRANCH, BRANCH_2, MAIN, OTHER_MAIN, World};
    use crate::domain::ids::BibId;
    use crate::domain::network::Network;

    fn row(kind: LimitKind, count_in: CountIn, max: i64) -> LimitRow {
        LimitRow {
            id: RuleId::new(1_000),
            when: LimitWhen::default(),
            kind,
            count_in,
            max,
            confirm: false,
        }
    }

    fn situation(world: &World) -> Situation {
        Situation {
            unit: BRANCH,
            category: world.category("adult"),
            item_type: world.item_type("av_disc"),
            owner: MAIN,
            channel: Channel::Desk,
            band: CreditBand::B,
        }
    }

    const HERE: Option<LockerSessionId> = Some(LockerSessionId::new(7));
    const BEFORE: Option<LockerSessionId> = Some(LockerSessionId::new(6));

    /// (type, owner, unit, channel, days until due, session) of each loan.
    fn loans(world: &World) -> Vec<LoanOfReader> {
        let rows = [
            ("book", MAIN, BRANCH, Channel::Desk, 5, None),
            ("book", OTHER_MAIN, MAIN, Channel::Kiosk, -5, HERE),
            ("av_disc", MAIN, BRANCH_2, Channel::Desk, -1, BEFORE),
            ("av_audio", MAIN, MAIN, Channel::Kiosk, 5, HERE),
        ];
        let loan = |((code, owner, unit, channel, days, session), id): ((&str, _, _, _, i64, _), i64)| LoanOfReader {
            id: LoanId::new(id),
            bib_id: BibId::new(id),
            item_type: world.item_type(code),
            owner,
            unit,
            channel,
            due_at: world.now + chrono::TimeDelta::days(days),
            reading_room: false,
            given_back: false,
            session,
        };
        rows.into_iter().zip(1..).map(loan).collect()
    }

    /// What stands against one row in the session that goes on, `None` where it does not apply.
    fn count(world: &World, row: LimitRow, loans: &[LoanOfReader]) -> Option<i64> {
        count_in_session(world, row, loans, HERE)
    }

    fn count_in_session(
        world: &World,
        row: LimitRow,
        loans: &[LoanOfReader],
        session: Option<LockerSessionId>,
    ) -> Option<i64> {
        let mut parts = example::parts();
        parts.rules.limits = vec![row];
        let network = Network::build(parts).unwrap();
        let now = world.now;
        let (debt_fen, holds, holds_of_bib, holds_today) = (70, 1, 2, 3);
        let usage = Usage {
            loans,
            except_loan: None,
            session,
            now,
            debt_fen,
            holds,
            hold_types: &[
                vec![world.item_type("book"), world.item_type("av_disc")],
                vec![world.item_type("book")],
            ],
            holds_of_bib,
            holds_today,
        };
        let states = network.limits(&situation(world), &LimitKind::ALL, &usage);
        states.first().map(|state| state.count)
    }

    #[test]
    fn each_limit_counts_in_its_own_scope() {
        let world = example::world();
        let loans = loans(&world);
        let types = |codes: &[&str]| codes.iter().map(|code| world.item_type(code)).collect::<Vec<_>>();
        let any = LimitWhen::default();
        let of = |codes: &[&str]| LimitWhen {
            item_types: types(codes),
            ..any.clone()
        };
        for (when, count_in, expected) in [
            (any.clone(), CountIn::Network, 4),
            (any.clone(), CountIn::Owner, 3),
            (
                LimitWhen {
                    owner: Some(example::CENTRAL),
                    ..any.clone()
                },
                CountIn::Owner,
                3,
            ),
            (any.clone(), CountIn::Unit, 1),
            (
                LimitWhen {
                    unit: Some(MAIN),
                    ..any.clone()
                },
                CountIn::Unit,
                4,
            ),
            (any.clone(), CountIn::Channel, 2),
            (any.clone(), CountIn::Session, 2),
            (of(&["av"]), CountIn::Session, 1),
            (of(&["av"]), CountIn::Network, 2),
            (of(&["periodical", "av"]), CountIn::Unit, 0),
            (
                LimitWhen {
                    except_item_types: types(&["av_audio"]),
                    ..any.clone()
                },
                CountIn::Network,
                3,
            ),
        ] {
            let row = LimitRow {
                when,
                ..row(LimitKind::Loans, count_in, 9)
            };
            assert_eq!(count(&world, row.clone(), &loans), Some(expected), "{row:?}");
        }
        let mut in_room = loans.clone();
        in_room[3].reading_room = true;
        for (kind, expected) in [
            (LimitKind::Loans, 3),
            (LimitKind::ReadingRoom, 1),
            (LimitKind::OverdueLoans, 2),
        ] {
            let row = row(kind, CountIn::Network, 9);
            assert_eq!(
                count(&world, row, &in_room),
                Some(expected),
                "{kind:?}, one of them in the reading room"
            );
        }
        let typed = LimitRow {
            when: of(&["av"]),
            ..row(LimitKind::Holds, CountIn::Network, 9)
        };
        assert_eq!(count(&world, typed, &loans), Some(1), "holds on discs");
        for (kind, expected) in [
            (LimitKind::OverdueLoans, 2),
            (LimitKind::DebtFen, 70),
            (LimitKind::Holds, 1),
            (LimitKind::HoldsPerBib, 2),
            (LimitKind::HoldsPerDay, 3),
        ] {
            assert_eq!(
                count(&world, row(kind, CountIn::Network, 9), &loans),
                Some(expected),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_session_counts_what_was_lent_in_it_and_applies_to_nothing_outside() {
        let world = example::world();
        let loans = loans(&world);
        let two = row(LimitKind::Loans, CountIn::Session, 2);
        for (session, expected) in [
            (HERE, Some(2)),
            (BEFORE, Some(1)),
            (Some(LockerSessionId::new(8)), Some(0)),
            // Most loans have no session either, and count nowhere for that.
            (None, None),
        ] {
            assert_eq!(count_in_session(&world, two.clone(), &loans, session), expected);
        }
        assert_eq!(two.code(), Code::LimitSession);
        let banded = LimitRow {
            when: LimitWhen {
                band: Some(CreditBand::B),
                ..LimitWhen::default()
            },
            ..two
        };
        assert_eq!(banded.code(), Code::LimitSession, "credit would not help");
    }

    #[test]
    fn a_limit_applies_only_where_every_column_matches() {
        let world = example::world();
        let any = LimitWhen::default();
        for when in [
            LimitWhen {
                unit: Some(OTHER_MAIN),
                ..any.clone()
            },
            LimitWhen {
                category: Some(world.category("child")),
                ..any.clone()
            },
            LimitWhen {
                item_types: vec![world.item_type("book")],
                ..any.clone()
            },
            LimitWhen {
                except_item_types: vec![world.item_type("av")],
                ..any.clone()
            },
            LimitWhen {
                owner: Some(OTHER_MAIN),
                ..any.clone()
            },
            LimitWhen {
                channel: Some(Channel::Portal),
                ..any.clone()
            },
            LimitWhen {
                band: Some(CreditBand::A),
                ..any.clone()
            },
        ] {
            let row = LimitRow {
                when,
                ..row(LimitKind::Loans, CountIn::Network, 0)
            };
            assert_eq!(count(&world, row.clone(), &[]), None, "{row:?}");
        }
    }
}
