//! The hold shelf: what is left behind on it, who gets it next, and how staff find it.

use serde_json::{Value, json};
use tongjie::usecase::expire_holds::expire_holds;

use crate::app::TestApp;
use crate::holds::{check_in, desk, hold, place, put, queue};

on_both!(
    what_was_not_collected_goes_to_the_next_reader_at_once,
    a_number_is_free_again_when_the_book_was_taken_off,
    what_nobody_waits_for_is_cleared_to_the_shelf_or_sent_home,
    a_hold_nobody_served_ends_with_its_last_wanted_day,
    a_redirected_copy_leaves_the_hold_shelf_for_its_new_pickup,
    a_copy_redirected_on_the_road_goes_on_from_where_it_arrives,
    a_hold_is_ready_when_its_copy_was_scanned_at_the_pickup_unit,
    a_hold_that_cannot_be_read_keeps_none_behind_it_open
);

fn clearings(app: &TestApp, unit: &str) -> Vec<Value> {
    let token = app.staff("librarian", unit);
    let path = format!("/api/v1/units/{unit}/shelf-clearings");
    let listed = app.get(&token, &path).expect(200).body;
    listed["items"].as_array().expect("items").clone()
}

/// How many events of a kind there are.
fn told(app: &TestApp, kind: &str) -> i64 {
    let sql = format!("SELECT count(*) AS n FROM events WHERE kind = '{kind}'");
    app.database.outside().number(&sql)
}

fn expire(app: &TestApp, at: &str) -> u64 {
    app.clock.set(at.parse().expect("a moment"));
    app.block_on(expire_holds(&app.app.store)).expect("runs")
}

/// Long after seven open days.
const LATER: &str = "2026-04-01T04:00:00Z";

fn what_was_not_collected_goes_to_the_next_reader_at_once(app: &TestApp) {
    let queue = queue(app, 2);
    let ids: Vec<i64> = queue.holds.iter().map(|hold| hold.1).collect();
    let shelved = check_in(app, "B1", &queue.barcode);
    let until = shelved["next_step"]["shelf_until"].as_str().expect("a day").to_owned();
    // On its last day it is still there.
    assert_eq!(expire(app, &format!("{until}T12:00:00Z")), 0);
    assert_eq!(expire(app, LATER), 1);
    assert_eq!(expire(app, LATER), 0, "a second run finds nothing");
    assert_eq!(hold(app, ids[0])["status"], "expired");
    let next = hold(app, ids[1]);
    assert_eq!(
        (&next["status"], &next["shelf_number"]),
        (&json!("captured"), &json!(null))
    );
    let listed = clearings(app, "B1");
    assert_eq!(
        listed
            .iter()
            .map(|row| [&row["shelf_number"], &row["next_step"], &row["hold_id"]])
            .collect::<Vec<_>>(),
        [[&json!(1), &json!("check_in"), &json!(ids[1])]]
    );
    assert_eq!((told(app, "hold_ready"), told(app, "hold_expired")), (1, 1));
    let scanned = check_in(app, "B1", &queue.barcode);
    assert_eq!(
        (&scanned["next_step"]["kind"], &scanned["next_step"]["hold_id"]),
        (&json!("hold_shelf"), &json!(ids[1]))
    );
    // Its days begin now, not when the other's were over.
    assert!(scanned["next_step"]["shelf_until"].as_str() > Some("2026-04-01"));
    assert_eq!((clearings(app, "B1").len(), told(app, "hold_ready")), (0, 2));
    check(app);
}

fn a_number_is_free_again_when_the_book_was_taken_off(app: &TestApp) {
    let queue = queue(app, 2);
    check_in(app, "B1", &queue.barcode);
    expire(app, LATER);
    // Number 1 is not empty before somebody took the book off, and the next reader gets a number of its own.
    assert_eq!(arrives(app), 2);
    assert_eq!(check_in(app, "B1", &queue.barcode)["next_step"]["shelf_number"], 3);
    assert_eq!(arrives(app), 1);
    check(app);
}

/// Another book arrives for a reader; answers its number on the hold shelf.
fn arrives(app: &TestApp) -> Value {
    let bib = app.bib("水浒传", None);
    let (_, other) = app.item(bib, "B1", &json!({}));
    let (_, lent_to) = app.reader("adult", "B1");
    let out = json!({"item_barcode": other, "card_number": lent_to});
    app.post(&desk(app), "/api/v1/check-outs", &out).expect(201);
    let (_, card) = app.reader("adult", "B1");
    place(app, &card, &json!({"bib_id": bib, "pickup_unit_code": "B1"})).expect(201);
    check_in(app, "B1", &other)["next_step"]["shelf_number"].clone()
}

fn what_nobody_waits_for_is_cleared_to_the_shelf_or_sent_home(app: &TestApp) {
    let queue = queue(app, 1);
    let (_, id) = queue.holds[0];
    let path = format!("/api/v1/holds/{id}/pickup");
    put(app, &desk(app), &path, &json!({"pickup_unit_code": "M2"})).expect(200);
    check_in(app, "B1", &queue.barcode);
    check_in(app, "M2", &queue.barcode);
    assert_eq!(expire(app, LATER), 1);
    let row = &clearings(app, "M2")[0];
    assert_eq!(
        (&row["next_step"], &row["to_unit_code"]),
        (&json!("crate"), &json!("B1"))
    );
    let scanned = check_in(app, "M2", &queue.barcode);
    assert_eq!(
        (&scanned["next_step"]["kind"], clearings(app, "M2").len()),
        (&json!("crate"), 0)
    );
    assert_eq!(scanned["local_use"], false);
    check(app);
    assert_eq!(check_in(app, "B1", &queue.barcode)["next_step"]["kind"], "shelf_here");
}

fn a_hold_nobody_served_ends_with_its_last_wanted_day(app: &TestApp) {
    let queue = queue(app, 1);
    let (_, card) = app.reader("adult", "B1");
    let body = json!({"bib_id": queue.bib, "pickup_unit_code": "B1", "wanted_until": "2026-03-06"});
    let id = place(app, &card, &body).expect(201).body["hold"]["id"]
        .as_i64()
        .expect("an id");
    assert_eq!(expire(app, "2026-03-06T15:59:00Z"), 0, "the evening of the last day");
    assert_eq!(
        expire(app, "2026-03-06T16:01:00Z"),
        1,
        "the day after, in the network's zone"
    );
    assert_eq!(hold(app, id)["status"], "expired");
    assert_eq!(hold(app, queue.holds[0].1)["status"], "waiting");
    check(app);
}

fn a_redirected_copy_leaves_the_hold_shelf_for_its_new_pickup(app: &TestApp) {
    let queue = queue(app, 1);
    let (card, id) = &queue.holds[0];
    check_in(app, "B1", &queue.barcode);
    let path = format!("/api/v1/holds/{id}/pickup");
    let changed = put(app, &app.reader_token(card), &path, &json!({"pickup_unit_code": "B2"}))
        .expect(200)
        .body;
    assert_eq!(
        (&changed["next_step"]["kind"], &changed["next_step"]["to_unit_code"]),
        (&json!("crate"), &json!("B2"))
    );
    assert_eq!(changed["hold"]["shelf_number"], json!(null));
    assert_eq!(clearings(app, "B1")[0]["shelf_number"], 1);
    check(app);
    // And back again before anybody saw to it: it is to be checked in where it stands.
    let back = put(app, &desk(app), &path, &json!({"pickup_unit_code": "B1"}))
        .expect(200)
        .body;
    assert_eq!(back["next_step"]["kind"], "check_in");
    assert_eq!(clearings(app, "B1")[0]["shelf_number"], 1);
    check(app);
    let scanned = check_in(app, "B1", &queue.barcode);
    assert_eq!(scanned["next_step"]["kind"], "hold_shelf");
    assert!(clearings(app, "B1").is_empty());
    check(app);
}

fn a_copy_redirected_on_the_road_goes_on_from_where_it_arrives(app: &TestApp) {
    let queue = queue(app, 1);
    let (_, id) = queue.holds[0];
    let path = format!("/api/v1/holds/{id}/pickup");
    put(app, &desk(app), &path, &json!({"pickup_unit_code": "M2"})).expect(200);
    check_in(app, "B1", &queue.barcode);
    let transit = app
        .database
        .outside()
        .number("SELECT id AS n FROM transits WHERE closed_at IS NULL");
    let mut outside = app.database.outside();
    outside.run("UPDATE transits SET status = 'sent', sent_at = 1772597100000");
    outside.run("UPDATE items SET status = 'in_transit' WHERE status = 'awaiting_dispatch'");
    let changed = put(app, &desk(app), &path, &json!({"pickup_unit_code": "B2"}))
        .expect(200)
        .body;
    assert_eq!(changed["next_step"], json!(null));
    check(app);
    let token = app.staff("librarian", "M2");
    let received = app
        .request("POST", &format!("/api/v1/transits/{transit}/receive"))
        .bearer(&token)
        .send();
    let received = received.expect(200).body;
    assert_eq!(
        (&received["next_step"]["kind"], &received["next_step"]["to_unit_code"]),
        (&json!("crate"), &json!("B2"))
    );
    assert_eq!(check_in(app, "B2", &queue.barcode)["next_step"]["kind"], "hold_shelf");
    check(app);
}

fn a_hold_is_ready_when_its_copy_was_scanned_at_the_pickup_unit(app: &TestApp) {
    let queue = queue(app, 1);
    let path = format!("/api/v1/holds/{}/pickup", queue.holds[0].1);
    put(app, &desk(app), &path, &json!({"pickup_unit_code": "B2"})).expect(200);
    check_in(app, "M1", &queue.barcode);
    assert_eq!(
        (told(app, "hold_captured"), told(app, "hold_ready")),
        (1, 0),
        "it is in a crate"
    );
    check_in(app, "B2", &queue.barcode);
    assert_eq!((told(app, "hold_captured"), told(app, "hold_ready")), (1, 1));
    // Scanned again, it stands where it stood.
    app.clock.set("2026-03-04T06:00:00Z".parse().expect("a moment"));
    check_in(app, "B2", &queue.barcode);
    assert_eq!((told(app, "hold_captured"), told(app, "hold_ready")), (1, 1));
}

fn a_hold_that_cannot_be_read_keeps_none_behind_it_open(app: &TestApp) {
    let queue = queue(app, 3);
    let ids: Vec<i64> = queue.holds.iter().map(|hold| hold.1).collect();
    let mut outside = app.database.outside();
    outside.run("UPDATE holds SET wanted_until = '2026-03-10'");
    let broken = format!("UPDATE holds SET wanted_until = '2026-03-?' WHERE id = {}", ids[0]);
    outside.run(&broken);
    assert_eq!(expire(app, LATER), 2);
    assert_eq!(hold(app, ids[2])["status"], "expired");
    assert_eq!(expire(app, LATER), 0);
}

/// Nothing contradicts itself.
pub fn check(app: &TestApp) {
    let findings = app
        .block_on(tongjie::usecase::check::check(
            &app.app.store,
            &tongjie::usecase::progress::Silent,
        ))
        .expect("runs");
    let faults: Vec<_> = findings.iter().filter(|finding| finding.violations > 0).collect();
    assert!(faults.is_empty(), "{faults:?}");
}
