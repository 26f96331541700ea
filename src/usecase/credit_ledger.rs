//! Posting to a reader's ledger, for every verb and job that does: the account under its lock, the first line, the line itself, the band,
//! freezes and their end.
//! Not for: deciding what a posting comes to (see `domain::post_credit`).

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use serde_json::json;

use super::issue_card::open_reader;
use super::{Caller, Result, UseCaseError};
use crate::domain::calendar::end_of_day;
use crate::domain::credit::{Cap, CreditEvent, CreditRule, CreditRules, EntryCause, EntryKind, Programme};
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{ReaderId, UnitId};
use crate::domain::network::Network;
use crate::domain::post_credit::{self, Account, Posting, Used};
use crate::domain::reader::CreditBand;
use crate::store::credit::freezes::{FreezeCause, FreezeEnd, FreezeRow};
use crate::store::credit::{CreditAccount, CreditEntryRow, CreditReason, NewCreditEntry};
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::readers::day_text;
use crate::store::tx::WriteTx;

/// Ids a posting may use up: the first line, the line, a freeze and its event; the end of one and its line.
pub(super) const IDS_PER_POSTING: i64 = 6;

/// Who posts, by which rules, when.
pub(super) struct Books<'a, 'tx> {
    pub tx: &'a mut WriteTx<'tx>,
    /// With the rules of the time of what is posted.
    pub network: &'a Network,
    pub rules: &'a CreditRules,
    pub caller: &'a Caller,
    pub now: DateTime<Utc>,
    pub ids: &'a mut IdRun,
}

/// What a line says beside its points.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub kind: EntryKind,
    pub event: Option<CreditEvent>,
    pub cause: EntryCause,
    /// The day it counts for.
    pub day: NaiveDate,
    pub reason: CreditReason,
}

impl Line {
    /// A line by a rule.
    pub(super) fn by_rule(event: CreditEvent, cause: EntryCause, day: NaiveDate, reason: CreditReason) -> Self {
        Self {
            kind: EntryKind::Rule,
            event: Some(event),
            cause,
            day,
            reason,
        }
    }
}

/// The programme in force.
///
/// # Errors
/// `State` where there is none.
pub(super) fn programme(network: &Network) -> Result<&CreditRules> {
    let rules = network.rules().credit.as_ref();
    rules.ok_or_else(|| UseCaseError::State("the rules have no credit programme".to_owned()))
}

impl Books<'_, '_> {
    /// Locks a reader's account; the first line is written if there is none.
    pub(super) fn open(&mut self, reader: ReaderId) -> Result<CreditAccount> {
        let Some(mut account) = self.tx.lock_credit(reader)? else {
            // Who was merged has no account, and the answer names who has.
            open_reader(self.tx, reader)?;
            return Err(UseCaseError::NotFound("reader"));
        };
        if account.entries == 0 {
            let points = post_credit::opening(self.rules, account.band);
            let posting = Posting {
                asked: points,
                points,
                limited_by: Vec::new(),
                balance: points,
                band: match account.band {
                    CreditBand::Frozen => CreditBand::Frozen,
                    _ => self.rules.band(points),
                },
                freezes: None,
            };
            let line = Line {
                kind: EntryKind::Opening,
                event: None,
                cause: EntryCause::Job,
                day: self.network.local_day(self.now),
                reason: CreditReason::default(),
            };
            self.write(&mut account, &posting, line, None)?;
        }
        Ok(account)
    }

    /// Posts by the rule of an event, `quantity` times. `None`: no rule, or nothing came of it.
    pub(super) fn by_rule(&mut self, account: &mut CreditAccount, quantity: u32, line: Line) -> Result<Option<i64>> {
        let rules = self.rules;
        let Some(rule) = line.event.and_then(|event| rules.rule(event)) else {
            return Ok(None);
        };
        let used = self.used(account.reader, rule, line.day, line.reason.loan_id)?;
        let posting = post_credit::by_rule(self.rules, rule, quantity, standing(account), used);
        if posting.points == 0 {
            return Ok(None);
        }
        self.write(account, &posting, line, None).map(Some)
    }

    /// Posts so many points. `None`: floor or ceiling left nothing of them.
    pub(super) fn by_hand(&mut self, account: &mut CreditAccount, points: i64, line: Line) -> Result<Option<i64>> {
        let posting = post_credit::by_hand(self.rules, points, standing(account));
        if posting.points == 0 {
            return Ok(None);
        }
        self.write(account, &posting, line, None).map(Some)
    }

    /// Posts the opposite of a line, which is then undone, and ends the freeze it had led to.
    pub(super) fn undo(
        &mut self,
        account: &mut CreditAccount,
        entry: &CreditEntryRow,
        (kind, cause): (EntryKind, EntryCause),
        reason: CreditReason,
    ) -> Result<i64> {
        let posting = post_credit::by_hand(self.rules, -entry.points, standing(account));
        let line = Line {
            kind,
            event: entry.event(),
            cause,
            // That day's caps have room again.
            day: entry.day.parse().unwrap_or_else(|_| self.network.local_day(self.now)),
            reason,
        };
        let id = self.write(account, &posting, line, Some(entry.id))?;
        let freezes = self.tx.open_freezes(account.reader)?;
        for freeze in freezes.iter().filter(|freeze| freeze.entry_id == Some(entry.id)) {
            self.lift(account, freeze, FreezeEnd::Reversal, None)?;
        }
        Ok(id)
    }

    fn used(&mut self, reader: ReaderId, rule: &CreditRule, day: NaiveDate, loan: Option<i64>) -> Result<Used> {
        let mut used = Used::default();
        if rule.per_day.is_some() || rule.per_month.is_some() {
            let span = month_of(day);
            for (on, points) in self.tx.credit_used(reader, &rule.events, span)? {
                used.month += points;
                used.day += if on == day { points } else { 0 };
            }
        }
        if let Some(loan) = loan.filter(|_| rule.per_item.is_some()) {
            used.item = self.tx.credit_used_by_loan(loan, &rule.events)?;
        }
        Ok(used)
    }

    /// Appends a line that was decided; the account follows, and the freeze if it led to the floor.
    pub(super) fn write(
        &mut self,
        account: &mut CreditAccount,
        posting: &Posting,
        line: Line,
        undoes: Option<i64>,
    ) -> Result<i64> {
        let id = self.ids.next();
        let limited: Vec<&str> = posting.limited_by.iter().map(|cap: &Cap| cap.code()).collect();
        let entry = NewCreditEntry {
            id,
            reader_id: account.reader.get(),
            number: account.entries + 1,
            posted_at: self.now.timestamp_millis(),
            day: day_text(line.day),
            kind: line.kind.code(),
            event: line.event.map(CreditEvent::code),
            points: posting.points,
            asked: posting.asked,
            limited_by: (!limited.is_empty()).then(|| limited.join(",")),
            balance: posting.balance,
            rules_version: self.network.rules().version,
            cause: line.cause.code(),
            undoes_id: undoes,
        };
        self.tx.append_credit(&entry, &line.reason, posting.band)?;
        account.entries += 1;
        account.balance = posting.balance;
        account.band = posting.band;
        if let Some(programme) = posting.freezes {
            self.freeze_at_floor(account, programme, id)?;
        }
        Ok(id)
    }

    fn freeze_at_floor(&mut self, account: &mut CreditAccount, programme: Programme, entry: i64) -> Result<()> {
        let mut freeze = FreezeRow::new(self.ids.next(), account.reader, FreezeCause::Floor, self.now);
        freeze.entry_id = Some(entry);
        freeze.until = Some(self.end_in(programme.days.into()).timestamp_millis());
        freeze.restart = Some(programme.restart);
        freeze.minutes_needed = programme.hours.map(|hours| i32::from(hours) * 60);
        freeze.quiz = programme.quiz;
        self.freeze(account, &freeze)
    }

    /// The end of the local day so many days from now.
    pub(super) fn end_in(&self, days: u64) -> DateTime<Utc> {
        let today = self.network.local_day(self.now);
        end_of_day(
            self.network.zone(),
            today.checked_add_days(Days::new(days)).unwrap_or(today),
        )
    }

    /// Freezes a reader.
    pub(super) fn freeze(&mut self, account: &mut CreditAccount, freeze: &FreezeRow) -> Result<()> {
        self.tx.insert_freeze(freeze)?;
        if account.band != CreditBand::Frozen {
            account.band = CreditBand::Frozen;
            self.tx.set_credit_band(account.reader, CreditBand::Frozen)?;
        }
        let detail = json!({"freeze_id": freeze.id, "cause": freeze.cause, "until": freeze.until});
        let note = freeze.note.clone();
        self.tell(account, EventKind::ReaderFrozen, detail, note)
    }

    /// Ends a freeze; the reader may borrow again if no other is open.
    pub(super) fn lift(
        &mut self,
        account: &mut CreditAccount,
        freeze: &FreezeRow,
        how: FreezeEnd,
        note: Option<String>,
    ) -> Result<()> {
        self.tx.end_freeze(freeze.id, how, self.now)?;
        let frozen = !self.tx.open_freezes(account.reader)?.is_empty();
        let restart = freeze.restart.filter(|_| how != FreezeEnd::Reversal);
        let mut posting = post_credit::thaw(self.rules, restart, account.balance);
        if frozen {
            posting.band = CreditBand::Frozen;
        }
        if posting.points == 0 {
            account.band = posting.band;
            self.tx.set_credit_band(account.reader, posting.band)?;
        } else {
            let line = Line {
                kind: EntryKind::Thaw,
                event: None,
                cause: if self.caller.staff().is_some() {
                    EntryCause::Staff
                } else {
                    EntryCause::Job
                },
                day: self.network.local_day(self.now),
                reason: CreditReason::default(),
            };
            self.write(account, &posting, line, None)?;
        }
        let detail = json!({"freeze_id": freeze.id, "cause": freeze.cause, "how": how.code(), "still_frozen": frozen});
        self.tell(account, EventKind::ReaderThawed, detail, note)
    }

    /// The event of what was done to a reader's credit; words of people go to its erasable side.
    pub(super) fn tell(
        &mut self,
        account: &CreditAccount,
        kind: EventKind,
        detail: serde_json::Value,
        note: Option<String>,
    ) -> Result<()> {
        let at: UnitId = self.caller.unit.unwrap_or(account.home);
        let band = AgeBand::on(account.birth_date, self.network.local_day(self.now));
        let event = Event::new(kind, self.now, at, self.caller.own_channel())
            .of_reader(account.reader, account.category, band)
            .by(self.caller.staff(), self.caller.device())
            .detail(detail);
        let event = match note {
            Some(note) => event.personal(json!({"note": note})),
            None => event,
        };
        let id = self.ids.next();
        Ok(self.tx.append_event(id, &event)?)
    }
}

/// The account as decisions see it.
pub(super) fn standing(account: &CreditAccount) -> Account {
    Account {
        balance: account.balance,
        frozen: account.band == CreditBand::Frozen,
    }
}

/// The first and the last day of a day's month.
pub(super) fn month_of(day: NaiveDate) -> (NaiveDate, NaiveDate) {
    let first = day.with_day(1).unwrap_or(day);
    let next = first.checked_add_months(chrono::Months::new(1)).unwrap_or(first);
    (first, next.pred_opt().unwrap_or(day))
}
