//! What a heartbeat says: is it news, is the clock right, which alarms begin and end.
//! Not for: keeping it. A heartbeat is never refused for what it says, and never trusted about the time.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::words::words;

words! {
    /// How far a device's clock is off.
    ClockState:
    Good = "good",
    /// Told to the device, which should set it.
    Drifting = "drifting",
    /// Acts of its journal would be quarantined: a person must know.
    Wrong = "wrong";

    /// What a person must know of a device.
    AlarmKind:
    Silent = "silent",
    ClockWrong = "clock_wrong",
    Fault = "fault",
    StockLow = "stock_low",
    BinFull = "bin_full",
    ConfigurationRefused = "configuration_refused",
    AcknowledgementForged = "acknowledgement_forged",
    DoorJammed = "door_jammed",
    DoorForced = "door_forced",
    DoorOpen = "door_open",
    CompartmentHeld = "compartment_held",
    CompartmentUnsure = "compartment_unsure",
    LoanUnconfirmed = "loan_unconfirmed",
    JournalGap = "journal_gap",
    JournalForged = "journal_forged",
    JournalQuarantined = "journal_quarantined",
    JournalReplaced = "journal_replaced";
}

/// Up to so much a clock is good.
pub const GOOD: TimeDelta = TimeDelta::seconds(2);

/// Up to so much it drifts.
pub const DRIFTING: TimeDelta = TimeDelta::seconds(60);

/// Without a heartbeat for so many of its intervals a device is silent.
pub const SILENT_INTERVALS: i32 = 3;

/// The longest time between two writes of when devices were last heard of, in seconds: a row may be so late.
pub const LATEST_FLUSH_SECONDS: u32 = 60;

/// The state of a clock that is so much ahead (or, negative, behind).
pub fn clock_state(offset: TimeDelta) -> ClockState {
    let off = offset.abs();
    if off <= GOOD {
        ClockState::Good
    } else if off <= DRIFTING {
        ClockState::Drifting
    } else {
        ClockState::Wrong
    }
}

/// What a device says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// By its clock.
    pub at: DateTime<Utc>,
    /// Which start of the device: by its clock.
    pub started_at: DateTime<Utc>,
    /// Counts up from that start on.
    pub beat: u64,
    pub firmware: String,
    /// The configuration it runs.
    pub configuration_version: i64,
    /// Words; `configuration_refused` and `bin_full:3` are among them.
    pub faults: BTreeSet<String>,
    /// What it has left, by its name: rolls of paper, empty compartments.
    pub stock: Vec<(String, i64)>,
}

/// What is known of it from before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub last_seen_at: DateTime<Utc>,
    pub started_at: DateTime<Utc>,
    pub beat: u64,
    pub clock: ClockState,
    pub firmware: String,
    pub configuration_version: i64,
    pub faults: BTreeSet<String>,
    pub stock: Vec<(String, i64)>,
    /// The board said that it is silent.
    pub silent: bool,
}

impl Known {
    /// What is known once a heartbeat was taken.
    pub fn of(beat: &Beat, clock: ClockState, now: DateTime<Utc>) -> Self {
        Self {
            last_seen_at: now,
            started_at: beat.started_at,
            beat: beat.beat,
            clock,
            firmware: beat.firmware.clone(),
            configuration_version: beat.configuration_version,
            faults: beat.faults.clone(),
            stock: beat.stock.clone(),
            silent: false,
        }
    }

    /// Whether both say the same of the device. When that was, by which beat, and whether it was silent are no part of it.
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.started_at == other.started_at
            && self.clock == other.clock
            && self.firmware == other.firmware
            && self.configuration_version == other.configuration_version
            && self.faults == other.faults
            && self.stock == other.stock
    }
}

/// An alarm, and what of the device it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alarm {
    pub kind: AlarmKind,
    /// Empty for the whole device.
    pub subject: String,
}

impl Alarm {
    fn of(kind: AlarmKind, subject: &str) -> Self {
        Self {
            kind,
            subject: subject.to_owned(),
        }
    }
}

/// What a heartbeat comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Late or sent twice: nothing is taken from it but that the device is there.
    pub stale: bool,
    pub clock: ClockState,
    /// Its clock less ours.
    pub offset: TimeDelta,
    /// Its clock is ahead by more than it may.
    pub from_future: bool,
    /// Something but the time is new: it is written at once.
    pub writes: bool,
    pub raises: Vec<Alarm>,
    pub clears: Vec<Alarm>,
}

/// Judges a heartbeat that arrives now. `low`: for each thing in stock the number below which staff are told.
pub fn judge(beat: &Beat, known: Option<&Known>, low: &[(String, i64)], now: DateTime<Utc>) -> Judged {
    let offset = beat.at.signed_duration_since(now);
    let clock = clock_state(offset);
    let stale = known.is_some_and(|known| known.started_at == beat.started_at && beat.beat <= known.beat);
    if stale {
        return Judged {
            stale,
            clock: known.map_or(clock, |known| known.clock),
            offset,
            from_future: false,
            writes: false,
            raises: Vec::new(),
            clears: Vec::new(),
        };
    }
    let mut had = known.map(|known| standing(known, low)).unwrap_or_default();
    let has = alarms(clock, &beat.faults, &beat.stock, low);
    let raises: Vec<Alarm> = has.difference(&had).cloned().collect();
    if known.is_some_and(|known| known.silent) {
        had.insert(Alarm::of(AlarmKind::Silent, ""));
    }
    let clears: Vec<Alarm> = had.difference(&has).cloned().collect();
    let news = known.is_none_or(|known| !known.agrees_with(&Known::of(beat, clock, now)));
    Judged {
        stale,
        clock,
        offset,
        from_future: offset > DRIFTING,
        writes: news || !raises.is_empty() || !clears.is_empty(),
        raises,
        clears,
    }
}

/// The alarms that stand by what was said last.
fn standing(known: &Known, low: &[(String, i64)]) -> BTreeSet<Alarm> {
    alarms(known.clock, &known.faults, &known.stock, low)
}

fn alarms(
    clock: ClockState,
    faults: &BTreeSet<String>,
    stock: &[(String, i64)],
    low: &[(String, i64)],
) -> BTreeSet<Alarm> {
    let mut found: BTreeSet<Alarm> = faults.iter().map(|fault| alarm_of(fault)).collect();
    if clock == ClockState::Wrong {
        found.insert(Alarm::of(AlarmKind::ClockWrong, ""));
    }
    found.extend(low_of(stock, low));
    found
}

fn low_of(stock: &[(String, i64)], low: &[(String, i64)]) -> BTreeSet<Alarm> {
    let is_low = |(name, left): &&(String, i64)| low.iter().any(|(what, least)| what == name && left < least);
    stock
        .iter()
        .filter(is_low)
        .map(|(name, _)| Alarm::of(AlarmKind::StockLow, name))
        .collect()
}

/// What begins and what ends when staff want to be told below other numbers than before, by the stock that was told last.
pub fn thresholds_moved(
    stock: &[(String, i64)],
    before: &[(String, i64)],
    after: &[(String, i64)],
) -> (Vec<Alarm>, Vec<Alarm>) {
    let (had, has) = (low_of(stock, before), low_of(stock, after));
    let only = |these: &BTreeSet<Alarm>, others| these.difference(others).cloned().collect();
    (only(&has, &had), only(&had, &has))
}

fn alarm_of(fault: &str) -> Alarm {
    match fault.split_once(':') {
        Some(("bin_full", bin)) => Alarm::of(AlarmKind::BinFull, bin),
        _ if fault == AlarmKind::ConfigurationRefused.code() => Alarm::of(AlarmKind::ConfigurationRefused, ""),
        _ => Alarm::of(AlarmKind::Fault, fault),
    }
}

/// Whether a device that was last heard of then is silent now.
pub fn is_silent(last_seen_at: DateTime<Utc>, interval: TimeDelta, now: DateTime<Utc>) -> bool {
    now.signed_duration_since(last_seen_at) > interval * SILENT_INTERVALS
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::<Utc>::UNIX_EPOCH;

    fn beat(number: u64) -> Beat {
        Beat {
            at: NOW,
            started_at: NOW - TimeDelta::hours(1),
            beat: number,
            firmware: "1.4".to_owned(),
            configuration_version: 3,
            faults: BTreeSet::new(),
            stock: vec![("paper".to_owned(), 40)],
        }
    }

    fn known(beat: &Beat) -> Known {
        Known::of(beat, ClockState::Good, NOW - TimeDelta::seconds(60))
    }

    #[test]
    fn a_heartbeat_that_says_nothing_new_is_not_written() {
        let judged = judge(&beat(8), Some(&known(&beat(7))), &[], NOW);
        assert!(!judged.writes && !judged.stale);
        assert!(judge(&beat(1), None, &[], NOW).writes, "the first");
    }

    #[test]
    fn one_that_comes_late_or_twice_says_nothing() {
        for number in [7, 6, 0] {
            let mut late = beat(number);
            late.faults.insert("printer_jam".to_owned());
            late.at = NOW + TimeDelta::days(400);
            let judged = judge(&late, Some(&known(&beat(7))), &[], NOW);
            assert!(judged.stale && judged.raises.is_empty() && !judged.writes, "{number}");
        }
        let mut restarted = beat(1);
        restarted.started_at = NOW;
        assert!(!judge(&restarted, Some(&known(&beat(7))), &[], NOW).stale);
    }

    #[test]
    fn clocks_are_good_drifting_or_wrong_on_both_sides() {
        for (offset_ms, state, from_future) in [
            (0, ClockState::Good, false),
            (2_000, ClockState::Good, false),
            (2_001, ClockState::Drifting, false),
            (-60_000, ClockState::Drifting, false),
            (-60_001, ClockState::Wrong, false),
            (60_001, ClockState::Wrong, true),
            (40_000_000_000, ClockState::Wrong, true),
        ] {
            let mut said = beat(8);
            said.at = NOW + TimeDelta::milliseconds(offset_ms);
            let judged = judge(&said, Some(&known(&beat(7))), &[], NOW);
            assert_eq!((judged.clock, judged.from_future), (state, from_future), "{offset_ms}");
            let alarmed = judged.raises == [Alarm::of(AlarmKind::ClockWrong, "")];
            assert_eq!(alarmed, state == ClockState::Wrong, "{offset_ms}");
        }
    }

    #[test]
    fn alarms_begin_once_and_end_by_themselves() {
        let low = [("paper".to_owned(), 10)];
        let mut bad = beat(8);
        bad.stock = vec![("paper".to_owned(), 9)];
        bad.faults = ["bin_full:3", "configuration_refused", "printer_jam"]
            .map(str::to_owned)
            .into();
        let first = judge(&bad, Some(&known(&beat(7))), &low, NOW);
        let raised: Vec<(AlarmKind, &str)> = first
            .raises
            .iter()
            .map(|alarm| (alarm.kind, alarm.subject.as_str()))
            .collect();
        assert_eq!(
            raised,
            [
                (AlarmKind::Fault, "printer_jam"),
                (AlarmKind::StockLow, "paper"),
                (AlarmKind::BinFull, "3"),
                (AlarmKind::ConfigurationRefused, ""),
            ]
        );
        let mut again = bad.clone();
        again.beat = 9;
        let second = judge(&again, Some(&known(&bad)), &low, NOW);
        assert!(second.raises.is_empty() && second.clears.is_empty() && !second.writes);
        let third = judge(&beat(10), Some(&known(&again)), &low, NOW);
        assert_eq!(third.clears, first.raises);
    }

    #[test]
    fn another_threshold_begins_and_ends_what_crosses_it_and_nothing_else() {
        let named = |name: &str, count: i64| (name.to_owned(), count);
        let stock = [named("paper", 40), named("ink", 3), named("bags", 9)];
        let before = [named("ink", 5), named("bags", 10)];
        let after = [named("paper", 41), named("ink", 4), named("bags", 9)];
        let low = |name: &str| Alarm::of(AlarmKind::StockLow, name);
        let moved = thresholds_moved(&stock, &before, &after);
        assert_eq!(moved, (vec![low("paper")], vec![low("bags")]));
    }

    #[test]
    fn silence_ends_with_the_next_heartbeat() {
        let interval = TimeDelta::seconds(60);
        assert!(!is_silent(NOW, interval, NOW + interval * 3));
        assert!(is_silent(
            NOW,
            interval,
            NOW + interval * 3 + TimeDelta::milliseconds(1)
        ));
        let mut before = known(&beat(7));
        before.silent = true;
        let judged = judge(&beat(8), Some(&before), &[], NOW);
        assert_eq!(judged.clears, [Alarm::of(AlarmKind::Silent, "")]);
        assert!(judged.writes);
    }
}
