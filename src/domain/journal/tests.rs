//! What may be wrong with an entry, one line each, and what holds whatever comes.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Long after the epoch, so that there are times before.
fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn keys() -> Vec<Key> {
    let key = |id: &str, first_sequence, revoked| Key {
        id: id.to_owned(),
        first_sequence,
        revoked,
    };
    vec![key("k1", 1, false), key("k2", 100, false), key("k3", 200, true)]
}

fn facts(keys: &[Key]) -> Facts<'_> {
    Facts {
        sequence: 50,
        known: Known::Nothing,
        keys,
        named_key: "k1",
        genuine: true,
        at: Some(now() - TimeDelta::hours(1)),
        clock: UploadClock::Believed,
        last_at: Some(now() - TimeDelta::hours(2)),
        approved_at: now() - TimeDelta::days(100),
        retired: false,
    }
}

fn reason(facts: &Facts<'_>) -> Option<Quarantine> {
    match take(facts, now()) {
        Taken::Quarantined { reason, .. } => Some(reason),
        Taken::Believed { .. } | Taken::Duplicate => None,
    }
}

/// One thing that is otherwise than it should be.
type Change = fn(&mut Facts<'_>);

fn back(seconds: i64) -> Option<DateTime<Utc>> {
    Some(now() - TimeDelta::seconds(seconds))
}

#[test]
fn each_doubt_has_its_reason() {
    let keys = keys();
    let doubts: [(Change, Quarantine); 13] = [
        (|entry| entry.genuine = false, Quarantine::Forged),
        (|entry| entry.named_key = "k9", Quarantine::UnknownKey),
        (|entry| entry.named_key = "k2", Quarantine::UnknownKey),
        (|entry| entry.sequence = 100, Quarantine::OldKey),
        (|entry| entry.named_key = "k3", Quarantine::RevokedKey),
        (|entry| entry.known = Known::OtherContent, Quarantine::SequenceReused),
        (|entry| entry.retired = true, Quarantine::DeviceRetired),
        (|entry| entry.at = None, Quarantine::Unreadable),
        (
            |entry| entry.clock = UploadClock::Wrong(TimeDelta::hours(8)),
            Quarantine::ClockWrong,
        ),
        (|entry| entry.at = back(-6), Quarantine::FromFuture),
        (|entry| entry.at = back(46 * 86_400), Quarantine::TooOld),
        (|entry| entry.approved_at = now(), Quarantine::TooOld),
        (|entry| entry.at = back(3 * 3_600), Quarantine::ClockBackwards),
    ];
    for (change, expected) in doubts {
        let mut entry = facts(&keys);
        change(&mut entry);
        assert_eq!(reason(&entry), Some(expected), "{entry:?}");
    }
}

#[test]
fn what_is_just_good_enough_is_believed() {
    let keys = keys();
    let changes: [Change; 4] = [
        |_| (),
        |entry| (entry.sequence, entry.named_key) = (100, "k2"),
        |entry| entry.at = back(-5),
        |entry| entry.at = back(7_204),
    ];
    for change in changes {
        let mut entry = facts(&keys);
        change(&mut entry);
        assert_eq!(reason(&entry), None, "{entry:?}");
    }
}

#[test]
fn what_is_known_is_answered_as_before_whatever_happened_since() {
    let keys = keys();
    let known = Facts {
        known: Known::SameContent,
        genuine: false,
        named_key: "k9",
        retired: true,
        at: None,
        ..facts(&keys)
    };
    assert_eq!(take(&known, now()), Taken::Duplicate);
}

#[test]
fn a_clock_is_believed_put_right_or_left_to_a_person() {
    for (seconds, clock) in [
        (5, UploadClock::Believed),
        (-5, UploadClock::Believed),
        (6, UploadClock::Shifted(TimeDelta::seconds(6))),
        (-600, UploadClock::Shifted(TimeDelta::seconds(-600))),
        (601, UploadClock::Wrong(TimeDelta::seconds(601))),
    ] {
        let sent_at = now() + TimeDelta::seconds(seconds);
        assert_eq!(UploadClock::of(sent_at, now()), clock, "{seconds}");
        if clock != UploadClock::Believed {
            assert_eq!(clock.ours(sent_at), now());
        }
    }
    let ahead = UploadClock::Wrong(TimeDelta::MAX);
    assert_eq!(
        ahead.ours(DateTime::<Utc>::MIN_UTC),
        DateTime::<Utc>::MIN_UTC,
        "no panic"
    );
}

#[test]
fn what_is_wrong_with_the_clock_comes_with_the_time_it_would_have() {
    let keys = keys();
    let wrong = Facts {
        at: Some(now() + TimeDelta::hours(7)),
        clock: UploadClock::Wrong(TimeDelta::hours(8)),
        ..facts(&keys)
    };
    let expected = Taken::Quarantined {
        reason: Quarantine::ClockWrong,
        shifted_at: Some(now() - TimeDelta::hours(1)),
    };
    assert_eq!(take(&wrong, now()), expected);
}

#[test]
fn gaps_are_named_from_and_to() {
    for (next, came, stands, missing) in [
        (1, vec![], 1, vec![]),
        (1, vec![1, 2, 3], 4, vec![]),
        (1, vec![2, 3, 7], 1, vec![(1, 1), (4, 6)]),
        (5, vec![1, 2, 5], 6, vec![]),
        (u64::MAX, vec![u64::MAX], u64::MAX, vec![]),
    ] {
        let expected = Standing { next: stands, missing };
        assert_eq!(
            standing(next, &came.iter().copied().collect()),
            expected,
            "{next} {came:?}"
        );
    }
}

#[test]
fn what_follows_a_gap_waits_and_then_goes_on() {
    let until = now() + GAP_WAIT;
    assert_eq!(after_gap(now(), now()), AfterGap::Waits { until });
    assert_eq!(after_gap(now(), until), AfterGap::GoesOn);
    assert_eq!(after_gap(now() + TimeDelta::days(1), now()), AfterGap::GoesOn);
}

#[test]
fn everything_in_quarantine_can_be_settled() {
    for reason in Quarantine::ALL {
        let person = [Settlement::Released, Settlement::Discarded, Settlement::Noted];
        assert!(person.iter().any(|how| reason.may(*how)), "{reason}");
        assert!(!(reason.may(Settlement::Released) && reason.may(Settlement::Noted)));
    }
    assert!(!Quarantine::Forged.may(Settlement::Released));
}

#[test]
fn the_documentation_lists_every_reason_with_its_alarm() {
    let page = include_str!("../../../docs/OFFLINE.md");
    for reason in Quarantine::ALL {
        let line = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{reason}` |")))
            .unwrap_or_else(|| panic!("docs/OFFLINE.md has no line on {reason}"));
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(cells[3] == "yes", reason.alarms(), "{reason}");
        assert_eq!(
            cells[4].contains("release"),
            reason.may(Settlement::Released),
            "{reason}"
        );
        assert_eq!(
            cells[4].contains("discard"),
            reason.may(Settlement::Discarded),
            "{reason}"
        );
    }
}

proptest! {
    #[test]
    fn nothing_is_believed_from_the_future_or_without_its_key(
        offset in -2_000_i64..2_000, upload in -1_000_i64..1_000, genuine in any::<bool>(), sequence in 1_u64..300,
        named in select(vec!["k1", "k2", "k3", "k9"]),
    ) {
        let keys = keys();
        let clock = UploadClock::of(now() + TimeDelta::seconds(upload), now());
        let at = Some(now() + TimeDelta::seconds(offset));
        let facts = Facts { at, clock, genuine, sequence, named_key: named, last_at: None, ..facts(&keys) };
        if let Taken::Believed { happened_at } = take(&facts, now()) {
            prop_assert!(genuine && happened_at <= now());
            prop_assert!(matches!((named, sequence), ("k1", 1..=99) | ("k2", 100..=199)));
            prop_assert!(upload.abs() <= 600);
        }
    }

    #[test]
    fn a_journal_never_goes_back_and_misses_exactly_what_is_missing(
        next in 1_u64..20, came in proptest::collection::btree_set(1_u64..40, 0..30),
    ) {
        let standing = standing(next, &came);
        prop_assert!(standing.next >= next);
        let last = came.range(next..).next_back().copied().unwrap_or(0);
        for sequence in next..=last.max(next) {
            let is_missing = standing.missing.iter().any(|(from, to)| (*from..=*to).contains(&sequence));
            prop_assert_eq!(is_missing, sequence < last && !came.contains(&sequence));
            prop_assert!(sequence >= standing.next || came.contains(&sequence));
        }
    }
}
