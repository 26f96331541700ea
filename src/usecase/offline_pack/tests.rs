//! Which cursors go on, and which begin anew.

use super::*;

fn numbers(first: i64, last: i64) -> BlockNumbers {
    BlockNumbers {
        last,
        first,
        salt: None,
    }
}

fn cursor(block: i64, base: i64) -> Known {
    let known = Known {
        block,
        revocation: 0,
        rules: "a".to_owned(),
        stock: "b".to_owned(),
        base,
    };
    Known::read(&known.text()).expect("a cursor")
}

#[test]
fn a_snapshot_of_several_parts_ends_although_something_was_forgotten_before_it() {
    let numbers = numbers(9_000, 12_000);
    let base = Known::base(None, &numbers, true);
    let first = cursor(5_000, base);
    assert!(first.fits(&numbers, 0), "its lines are older than what was forgotten");
    let second = cursor(8_000, Known::base(Some(&first), &numbers, true));
    assert!(second.fits(&numbers, 0));
    let last = cursor(12_000, Known::base(Some(&second), &numbers, false));
    assert!(last.fits(&numbers, 0) && last.base == 0);
}

#[test]
fn a_snapshot_begins_anew_if_something_was_forgotten_that_changed_within_it() {
    let first = cursor(5_000, Known::base(None, &numbers(0, 12_000), true));
    assert!(!first.fits(&numbers(12_001, 12_010), 0));
}

#[test]
fn a_cursor_that_is_too_old_or_of_the_future_does_not_count() {
    for (block, base) in [(8_999, 0), (12_001, 0), (5_000, 12_001), (-1, 9_500), (5_000, -1)] {
        assert!(!cursor(block, base).fits(&numbers(9_000, 12_000), 0), "{block} {base}");
    }
    assert!(Known::read("12000.0.a.b").is_none());
}
