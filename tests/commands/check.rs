//! `tongjie check`: sound after a seed, and every kind of damage is found.

use crate::database::Engine;
use crate::process::Tongjie;

/// The number of the invariant, what somebody did in the database, and words of the line that tells it.
const DAMAGE: &[(&str, &str, &str)] = &[
    (
        "invariant 1",
        "UPDATE items SET status = 'on_shelf' WHERE id = (SELECT min(item_id) FROM loans WHERE closed_at IS NULL)",
        "status on_shelf, loan open",
    ),
    (
        "invariant 1",
        "UPDATE items SET current_unit_id = (SELECT min(id) FROM units) \
         WHERE id = (SELECT min(item_id) FROM loans WHERE closed_at IS NULL)",
        "not at the unit that lent it",
    ),
    (
        "invariant 3",
        "UPDATE bibs SET open_holds = open_holds + 1 WHERE id = (SELECT min(id) FROM bibs)",
        "open_holds is not the number",
    ),
    (
        "invariant 3",
        "UPDATE readers SET open_holds = 7 WHERE id = (SELECT max(id) FROM readers)",
        "open_holds is not the number",
    ),
    (
        "invariant 6",
        "UPDATE loans SET due_at = loaned_at - 86400000 WHERE id = (SELECT min(id) FROM loans WHERE closed_at IS NULL)",
        "is due before it was made",
    ),
    (
        "invariant 1",
        "UPDATE loans SET auto_renewals = renewals + 1 WHERE id = (SELECT min(id) FROM loans WHERE closed_at IS NULL)",
        "more renewals by itself than renewals",
    ),
    (
        "invariant 1",
        "INSERT INTO sorter_bins (id, unit_id, bin, takes, and_below) SELECT 1, min(id), 1, 'hold', FALSE FROM units",
        "has bins and none for exceptions",
    ),
    (
        "invariant 7",
        "INSERT INTO idempotency_keys (digest, request_hash, outcome, created_at) \
         SELECT hash, hash, 'half an out', 5 FROM event_seals WHERE position = 1",
        "an outcome that is not whole",
    ),
    (
        "invariant 8",
        "UPDATE daily_counts SET n = n + 1 WHERE kind = 'loan_made'",
        "for loan_made are off by 1",
    ),
    (
        "invariant 8",
        "UPDATE events SET channel = 'moon' WHERE seq = (SELECT min(seq) FROM events WHERE kind = 'loan_made')",
        "does not fit its",
    ),
    (
        "invariant 8",
        "DELETE FROM events WHERE seq = (SELECT min(seq) FROM events)",
        "events, ",
    ),
    (
        "invariant 8",
        "DELETE FROM event_seals WHERE position = 1",
        "seal 1 is missing",
    ),
    (
        "invariant 8",
        "UPDATE event_personal SET reader_id = reader_id + 1 WHERE seq = (SELECT min(seq) FROM event_personal)",
        "does not match its personal row",
    ),
    (
        "invariant 9",
        "UPDATE readers SET merged_into = (SELECT min(id) FROM readers) WHERE id = (SELECT max(id) FROM readers)",
        "merged, and yet with a card",
    ),
    (
        "invariant 9",
        "UPDATE loans SET reader_id = NULL WHERE id = (SELECT min(id) FROM loans WHERE closed_at IS NOT NULL AND card_id IS NOT NULL)",
        "names no reader, but a card",
    ),
    (
        "invariant 9",
        "UPDATE readers SET erased_at = 1 WHERE id = (SELECT min(id) FROM readers WHERE open_holds = 0)",
        "something personal is left",
    ),
];

#[test]
fn every_kind_of_damage_is_found() {
    for engine in Engine::all() {
        for (invariant, sql, words) in DAMAGE {
            let tongjie = Tongjie::with_demo(engine);
            assert!(tongjie.succeeds(&["check"]).contains("check: sound"));
            assert!(tongjie.sql(sql) > 0, "{sql}");
            let told = tongjie.fails(&["check"], 1);
            assert!(
                told.contains(&format!("FAIL {invariant}")) && told.contains(words),
                "{sql}\n{told}"
            );
            assert_eq!(told.matches("FAIL").count(), 1, "only that one: {told}");
        }
    }
}

#[test]
fn erasing_the_personal_side_breaks_nothing() {
    for engine in Engine::all() {
        let tongjie = Tongjie::with_demo(engine);
        assert!(tongjie.sql("DELETE FROM event_personal") > 0);
        assert!(tongjie.succeeds(&["check"]).contains("check: sound"));
    }
}
