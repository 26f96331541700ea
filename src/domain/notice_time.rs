//! When readers are told: quiet hours, the moment a notice goes, and which reminder a due date calls for on a day.
//! Not for: open days. A reminder may come on any day.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::notice::NoticeKind;

/// Minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;

/// A reminder that should have been sent so many days ago is not sent any more: a network that begins to send notices does not
/// begin with those of years.
pub const LATE_DAYS: u64 = 7;

/// What happened longer ago is announced to nobody: it is no longer so.
pub const STALE_DAYS: i64 = 3;

/// How long lines may join a notice before it goes.
pub const GATHER_SECONDS: i64 = 60;

/// From when to when a reader is not to be disturbed, in minutes of the network's day. Both the same: never quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    pub from: u16,
    pub until: u16,
}

impl Quiet {
    /// 21:00 to 08:00.
    pub const USUAL: Self = Self {
        from: 21 * 60,
        until: 8 * 60,
    };
    /// At no time.
    pub const NEVER: Self = Self { from: 0, until: 0 };

    /// Whether a minute of the day is quiet. The first minute is, the last is not.
    pub const fn covers(self, minute: u16) -> bool {
        if self.from <= self.until {
            self.from <= minute && minute < self.until
        } else {
            minute >= self.from || minute < self.until
        }
    }

    /// The first moment from `at` on that is not quiet.
    ///
    /// ```
    /// use chrono::{TimeZone, Utc};
    /// use tongjie::domain::notice_time::Quiet;
    /// let zone = chrono_tz::Asia::Shanghai;
    /// let at = |day, hour| zone.with_ymd_and_hms(2026, 3, day, hour, 30, 0).single().unwrap().with_timezone(&Utc);
    /// let eight = |day| zone.with_ymd_and_hms(2026, 3, day, 8, 0, 0).single().unwrap().with_timezone(&Utc);
    /// assert_eq!(Quiet::USUAL.ends_after(at(4, 22), zone), eight(5));
    /// assert_eq!(Quiet::USUAL.ends_after(at(5, 3), zone), eight(5));
    /// assert_eq!(Quiet::USUAL.ends_after(at(5, 12), zone), at(5, 12));
    /// ```
    pub fn ends_after(self, at: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        let local = at.with_timezone(&zone);
        let minute = minute_of(local.time());
        if !self.covers(minute) {
            return at;
        }
        let today = local.date_naive();
        let day = if minute < self.until {
            today
        } else {
            today.checked_add_days(Days::new(1)).unwrap_or(today)
        };
        moment(day, self.until, zone).max(at)
    }
}

fn minute_of(time: NaiveTime) -> u16 {
    let minutes = time.signed_duration_since(NaiveTime::MIN).num_minutes();
    u16::try_from(minutes).unwrap_or(0)
}

/// A minute of a local day. One that the clocks skip is an hour later, one that comes twice the first.
fn moment(day: NaiveDate, minute: u16, zone: Tz) -> DateTime<Utc> {
    let local = day.and_time(NaiveTime::MIN) + TimeDelta::minutes(i64::from(minute.min(DAY_MINUTES - 1)));
    let found = zone
        .from_local_datetime(&local)
        .earliest()
        .or_else(|| zone.from_local_datetime(&(local + TimeDelta::hours(1))).earliest());
    found.map_or_else(|| local.and_utc(), |at| at.with_timezone(&Utc))
}

/// When a notice goes that is made now.
pub fn send_at(kind: NoticeKind, gathers: bool, quiet: Quiet, now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    if kind.is_urgent() {
        return now;
    }
    let rest = if gathers { GATHER_SECONDS } else { 0 };
    quiet.ends_after(now + TimeDelta::seconds(rest), zone)
}

/// How many days before or after a date readers are reminded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reminders {
    /// Days before the due date; 0: no reminder.
    pub due_soon_days: u16,
    /// Days after it, ascending; 0: that one is not sent.
    pub overdue_days: [u16; 3],
    /// Days before the last day on the hold shelf; 0: no reminder.
    pub hold_expiring_days: u16,
    /// Days before the card's last day; 0: no reminder.
    pub card_expiring_days: u16,
}

impl Reminders {
    /// The reminder that a due date calls for on a day, if any. One that was made is not made again, whatever day it is asked on:
    /// the due date is its occasion.
    ///
    /// ```
    /// use chrono::NaiveDate;
    /// use tongjie::domain::notice::NoticeKind;
    /// use tongjie::domain::notice_time::Reminders;
    /// let reminders =
    ///     Reminders { due_soon_days: 3, overdue_days: [1, 7, 30], hold_expiring_days: 1, card_expiring_days: 30 };
    /// let day = |day| NaiveDate::from_ymd_opt(2026, 3, day).unwrap();
    /// assert_eq!(reminders.of_due(day(20), day(16)), None);
    /// assert_eq!(reminders.of_due(day(20), day(18)), Some(NoticeKind::DueSoon));
    /// assert_eq!(reminders.of_due(day(20), day(21)), Some(NoticeKind::Overdue1));
    /// ```
    pub fn of_due(&self, due: NaiveDate, today: NaiveDate) -> Option<NoticeKind> {
        let days = today.signed_duration_since(due).num_days();
        if days <= 0 {
            let soon = days > -i64::from(self.due_soon_days) - 1 && self.due_soon_days > 0;
            return soon.then_some(NoticeKind::DueSoon);
        }
        let stages = [NoticeKind::Overdue1, NoticeKind::Overdue2, NoticeKind::Overdue3];
        let late = i64::try_from(LATE_DAYS).unwrap_or(i64::MAX);
        let mut reached = self.overdue_days.into_iter().zip(stages);
        reached
            .rfind(|(after, _)| *after > 0 && i64::from(*after) <= days)
            .and_then(|(after, kind)| {
                // The last one that was reached, and only soon after.
                (days - i64::from(after) < late).then_some(kind)
            })
    }

    /// Whether a copy's last day on the hold shelf is near.
    pub fn is_expiring(&self, last: NaiveDate, today: NaiveDate) -> bool {
        is_near(last, today, self.hold_expiring_days)
    }

    /// Whether a card's last day is near.
    pub fn is_card_expiring(&self, last: NaiveDate, today: NaiveDate) -> bool {
        is_near(last, today, self.card_expiring_days)
    }
}

fn is_near(last: NaiveDate, today: NaiveDate, days: u16) -> bool {
    let left = last.signed_duration_since(today).num_days();
    days > 0 && (0..=i64::from(days)).contains(&left)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: Tz = chrono_tz::Asia::Shanghai;

    fn at(day: u32, hour: u32, minute: u32) -> DateTime<Utc> {
        let local = ZONE.with_ymd_and_hms(2026, 3, day, hour, minute, 0);
        local.single().expect("a moment").with_timezone(&Utc)
    }

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, day).expect("a day")
    }

    const USUAL: Reminders = Reminders {
        due_soon_days: 3,
        overdue_days: [1, 7, 30],
        hold_expiring_days: 1,
        card_expiring_days: 30,
    };

    #[test]
    fn what_is_made_at_night_goes_in_the_morning() {
        for (made, goes) in [
            (at(4, 20, 58), at(4, 20, 59)),
            (at(4, 20, 59), at(5, 8, 0)),
            (at(4, 23, 59), at(5, 8, 0)),
            (at(5, 0, 0), at(5, 8, 0)),
            (at(5, 7, 58), at(5, 8, 0)),
            (at(5, 7, 59), at(5, 8, 0)),
            (at(5, 8, 0), at(5, 8, 1)),
        ] {
            assert_eq!(
                send_at(NoticeKind::HoldReady, true, Quiet::USUAL, made, ZONE),
                goes,
                "{made}"
            );
        }
        let urgent = send_at(NoticeKind::VerificationCode, true, Quiet::USUAL, at(4, 23, 0), ZONE);
        assert_eq!(urgent, at(4, 23, 0));
        let alone = send_at(NoticeKind::HoldReady, false, Quiet::NEVER, at(4, 23, 0), ZONE);
        assert_eq!(alone, at(4, 23, 0));
    }

    #[test]
    fn quiet_hours_may_lie_within_a_day() {
        let noon = Quiet { from: 720, until: 840 };
        assert_eq!(noon.ends_after(at(4, 11, 59), ZONE), at(4, 11, 59));
        assert_eq!(noon.ends_after(at(4, 12, 0), ZONE), at(4, 14, 0));
        assert_eq!(noon.ends_after(at(4, 14, 0), ZONE), at(4, 14, 0));
        assert!((0..DAY_MINUTES).all(|minute| !Quiet::NEVER.covers(minute)));
    }

    #[test]
    fn an_end_that_the_clocks_skip_comes_an_hour_later() {
        let zone = chrono_tz::Europe::Berlin;
        let quiet = Quiet { from: 0, until: 150 };
        let night = zone.with_ymd_and_hms(2026, 3, 29, 1, 0, 0).single().expect("a moment");
        let ends = quiet.ends_after(night.with_timezone(&Utc), zone);
        assert_eq!(ends.with_timezone(&zone).format("%R").to_string(), "03:30");
    }

    #[test]
    fn each_day_around_a_due_date_calls_for_one_reminder_at_most() {
        use NoticeKind::{DueSoon, Overdue1, Overdue2, Overdue3};
        let due = day(1);
        let on = |days: i64| USUAL.of_due(due, due + TimeDelta::days(days));
        for (days, expected) in [
            (-4, None),
            (-3, Some(DueSoon)),
            (0, Some(DueSoon)),
            (1, Some(Overdue1)),
            (6, Some(Overdue1)),
            (7, Some(Overdue2)),
            (13, Some(Overdue2)),
            (14, None),
            (29, None),
            (30, Some(Overdue3)),
            (36, Some(Overdue3)),
            (37, None),
            (4_000, None),
        ] {
            assert_eq!(on(days), expected, "{days} days after");
        }
    }

    #[test]
    fn a_zero_sends_nothing() {
        let none = Reminders {
            due_soon_days: 0,
            overdue_days: [0, 7, 0],
            hold_expiring_days: 0,
            card_expiring_days: 0,
        };
        assert_eq!(none.of_due(day(10), day(10)), None);
        assert_eq!(none.of_due(day(10), day(11)), None);
        assert_eq!(none.of_due(day(10), day(17)), Some(NoticeKind::Overdue2));
        assert!(!none.is_expiring(day(10), day(10)) && !none.is_card_expiring(day(10), day(10)));
        assert!(USUAL.is_expiring(day(10), day(9)) && USUAL.is_expiring(day(10), day(10)));
        assert!(!USUAL.is_expiring(day(10), day(8)) && !USUAL.is_expiring(day(10), day(11)));
    }
}
