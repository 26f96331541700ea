//! Terms of lending that most libraries leave out: a fixed term (学期借期), use in the reading room (馆内阅览), and how many copies
//! must be left for those who wait. Not for: looking them up (see `policy`).

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::act::Findings;
use super::check_out::Demand;
use super::hold::{CopyFacts, QUEUE_COUNTED};
use super::item::{ItemFacts, Lending};
use super::network::Network;
use super::policy::TermsRow;
use super::refusal::Code;

/// The highest ratio of copies to holds: ten copies for each.
pub const MAX_COPIES_TO_HOLDS_PERCENT: u16 = 1_000;

/// What a row of terms says of a fixed term, of the reading room, and of copies left for holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LendingTerms {
    /// Loans that begin up to this day are due on it at the latest; `None`: no fixed term.
    pub term_end: Option<NaiveDate>,
    /// Copies for the reading room are handed out for use there: due the same day, not renewed, counted apart.
    pub reading_room_use: bool,
    /// Copies in circulation for each hundred waiting holds that must be there before a reader who does not wait may have
    /// one; 0 asks for none.
    pub copies_to_holds_percent: u16,
}

impl LendingTerms {
    /// The end of the term in which a loan began; `None` for one that began after it.
    pub fn term_of(&self, began: NaiveDate) -> Option<NaiveDate> {
        self.term_end.filter(|end| began <= *end)
    }

    /// So many days from a day, but not past the end of the term in which the loan began.
    ///
    /// ```
    /// use chrono::NaiveDate;
    /// use tongjie::domain::lending_terms::LendingTerms;
    /// let day = |month, day| NaiveDate::from_ymd_opt(2026, month, day).unwrap_or_default();
    /// let terms = LendingTerms { term_end: Some(day(6, 30)), ..LendingTerms::default() };
    /// assert_eq!(terms.days(30, day(5, 1), day(5, 1)), 30);
    /// assert_eq!(terms.days(30, day(6, 20), day(6, 20)), 10);
    /// // It began after the term: that one does not concern it.
    /// assert_eq!(terms.days(30, day(7, 1), day(7, 1)), 30);
    /// ```
    pub fn days(&self, days: u16, from: NaiveDate, began: NaiveDate) -> u16 {
        let left = self.term_of(began).map(|end| (end - from).num_days().max(0));
        left.and_then(|left| u16::try_from(left).ok())
            .map_or(days, |left| days.min(left))
    }

    /// Whether this loan is for use in the reading room.
    pub fn is_reading_room_use(&self, item: &ItemFacts) -> bool {
        self.reading_room_use && item.lending == Lending::ReadingRoom
    }
}

/// A day as a number that rules keep beside their other numbers: days since the end of 1999; 0 is none.
pub(super) fn number_of_day(day: Option<NaiveDate>) -> u16 {
    let since = |day: NaiveDate| u16::try_from((day - before_all_days()).num_days()).ok();
    day.and_then(since).unwrap_or(0)
}

/// The day of a number.
pub(super) fn day_of_number(number: u16) -> Option<NaiveDate> {
    let day = before_all_days().checked_add_days(Days::new(u64::from(number)));
    day.filter(|_| number > 0)
}

fn before_all_days() -> NaiveDate {
    NaiveDate::from_ymd_opt(1999, 12, 31).unwrap_or_default()
}

/// Copies in circulation that could do as well as this one, itself included: those of the same volume.
pub fn copies_like(copy: &CopyFacts, copies: &[CopyFacts]) -> u32 {
    let alike = copies.iter().filter(|other| other.volume == copy.volume);
    let circulating = alike.filter(|other| other.circulates() && !other.not_for_loan);
    u32::try_from(circulating.count()).unwrap_or(u32::MAX)
}

/// How many waiting holds are counted: as many as the ratio is about, and as many as anything else asks for.
pub fn holds_counted(copies: u32, percent: u16) -> u32 {
    const MOST: u32 = 1_000;
    let asked = copies.saturating_mul(100).checked_div(percent.into()).unwrap_or(0);
    asked.saturating_add(1).clamp(u32::from(QUEUE_COUNTED), MOST)
}

/// Whether copies are left for those who wait. A reader whose own hold is filled is one of them.
pub(super) fn judge_copies_to_holds(found: &mut Findings, row: &TermsRow, demand: &Demand, fills_own_hold: bool) {
    let percent = u64::from(row.terms.lending.copies_to_holds_percent);
    let (copies, waiting) = (demand.copies, demand.waiting_for_bib);
    if fills_own_hold || u64::from(copies) * 100 >= percent * u64::from(waiting) {
        return;
    }
    found
        .add(Code::CopiesToHolds)
        .by(row.id)
        .with("copies", copies)
        .with("count", waiting);
}

/// Nothing is left of the term in which a loan began.
pub(super) fn is_outside_term(
    network: &Network,
    terms: &LendingTerms,
    (loaned_at, due_at): (DateTime<Utc>, DateTime<Utc>),
    now: DateTime<Utc>,
) -> bool {
    let end = terms.term_of(network.local_day(loaned_at));
    end.is_some_and(|end| network.local_day(due_at) >= end || network.local_day(now) > end)
}

/// Whether a renewal is refused because nothing is left of the term.
pub(super) fn judge_fixed_term(
    found: &mut Findings,
    network: &Network,
    row: &TermsRow,
    (loaned_at, due_at): (DateTime<Utc>, DateTime<Utc>),
    now: DateTime<Utc>,
) -> bool {
    if !is_outside_term(network, &row.terms.lending, (loaned_at, due_at), now) {
        return false;
    }
    let end = row.terms.lending.term_end.unwrap_or_default();
    found.add(Code::OutsideFixedTerm).by(row.id).with("until", end);
    true
}
