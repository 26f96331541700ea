//! A courier opens a compartment while nobody knows whether the reader took the book behind it.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::holds::hold;
use crate::locker_scene::{Locker, Waiting, closed, item_status, loan_status, locker, opened, silence, tags};
use crate::notices::later;

on_both!(
    a_book_that_came_out_by_the_hand_of_a_courier_was_not_taken,
    a_book_in_question_that_comes_out_of_a_crate_was_not_taken,
    a_courier_who_has_looked_says_that_it_was_taken,
    a_courier_who_has_looked_says_that_it_was_there,
    a_book_that_the_courier_leaves_inside_was_not_taken,
    a_book_in_question_in_hand_is_loaded_again,
    a_reader_who_brings_it_to_a_machine_had_it,
    a_book_that_is_seen_long_after_the_courier_had_been_taken,
    what_the_machine_says_after_the_void_goes_to_a_person,
);

/// A loan in question behind door 2.
fn in_question(app: &TestApp) -> (Locker, Waiting, i64) {
    let locker = locker(app);
    let (waiting, loan) = opened(app, &locker);
    silence(app);
    locker.expect_door(app, 2, "unsure");
    (locker, waiting, loan)
}

/// A courier opens the door.
fn unload(app: &TestApp, locker: &Locker) -> (String, Value) {
    let courier = app.staff("courier", "B1");
    let path = locker.path("/compartments/2/unload");
    let ordered = app.post(&courier, &path, &json!({})).expect(200).body;
    (courier, ordered)
}

fn check_in(app: &TestApp, unit: &str, barcode: &str) -> Value {
    let desk = app.staff("librarian", unit);
    let scan = json!({"item_barcode": barcode});
    app.post(&desk, "/api/v1/check-ins", &scan).expect(200).body
}

fn say(app: &TestApp, token: &str, loan: i64, taken: bool) -> crate::client::Answer {
    let body = json!({"taken": taken, "reason": "开柜查看"});
    app.post(token, &format!("/api/v1/loans/{loan}/confirmation"), &body)
}

fn a_book_that_came_out_by_the_hand_of_a_courier_was_not_taken(app: &TestApp) {
    let (locker, waiting, loan) = in_question(app);
    let (_, ordered) = unload(app, &locker);
    assert_eq!(ordered["in_question"]["loan_id"], loan);
    assert_eq!(ordered["in_question"]["item_barcode"], waiting.book.barcode);
    locker.says(app, 2, &closed("empty")).expect(200);
    assert_eq!(
        loan_status(app, loan),
        "unconfirmed",
        "the reader or the courier has it"
    );
    app.assert_sound();
    let scanned = check_in(app, "B1", &waiting.book.barcode);
    assert_eq!(scanned["closed_loan"], Value::Null);
    assert_eq!(
        scanned["next_step"]["to_unit_code"], "P1",
        "its reader still waits for it"
    );
    assert_eq!(loan_status(app, loan), "voided");
    assert_ne!(hold(app, waiting.hold)["status"], "filled");
    assert!(!locker.alarms(app).contains(&"loan_unconfirmed".to_owned()));
    app.assert_sound();
}

fn a_book_in_question_that_comes_out_of_a_crate_was_not_taken(app: &TestApp) {
    let (locker, waiting, loan) = in_question(app);
    unload(app, &locker);
    locker.says(app, 2, &closed("empty")).expect(200);
    later(app, 86_400);
    let packing = app.staff("librarian", "B2");
    let made = app.post(&packing, "/api/v1/shipments", &json!({"to_unit_code": "B1"}));
    let id = made.expect(201).body["id"].as_i64().expect("an id");
    let other = app.bib("围城", None);
    let (_, other) = app.item(other, "B1", &json!({}));
    check_in(app, "B2", &other);
    let shipment = |verb: &str, body: &Value| {
        let path = format!("/api/v1/shipments/{id}/{verb}");
        app.post(&packing, &path, body).expect(200).body
    };
    shipment("pack", &json!({"item_barcode": other}));
    shipment("close", &json!({}));
    let body = json!({"item_barcodes": [waiting.book.barcode, other], "finish": true});
    let here = app.staff("librarian", "B1");
    let path = format!("/api/v1/shipments/{id}/receive");
    let received = app.post(&here, &path, &body).expect(200).body;
    assert_eq!(received["items"][0]["result"], "surplus");
    assert_eq!(loan_status(app, loan), "voided");
    app.assert_sound();
}

fn a_courier_who_has_looked_says_that_it_was_taken(app: &TestApp) {
    looked(app, true);
}

fn a_courier_who_has_looked_says_that_it_was_there(app: &TestApp) {
    looked(app, false);
}

fn looked(app: &TestApp, taken: bool) {
    let (locker, waiting, loan) = in_question(app);
    let early = app.staff("courier", "B1");
    say(app, &early, loan, taken).expect_problem(409, "wrong_state");
    let rounds = locker.path("/loading-rounds");
    let round = app.post(&early, &rounds, &json!({"crate_labels": []})).expect(201).body;
    assert_eq!(round["to_look_at"], json!([2]));
    assert_eq!(round["in_question"][0]["loan_id"], loan);
    let (courier, _) = unload(app, &locker);
    let stranger = app.staff("courier", "B2");
    say(app, &stranger, loan, taken).expect_problem(404, "not_found");
    let said = say(app, &courier, loan, taken).expect(200).body;
    assert_eq!(said["phase"], if taken { "confirmed" } else { "voided" });
    app.assert_sound();
    locker.says(app, 2, &closed("empty")).expect(200);
    locker.expect_door(app, 2, "empty");
    app.assert_sound();
    let scanned = check_in(app, "B1", &waiting.book.barcode);
    assert_eq!(scanned["closed_loan"]["id"].as_i64(), taken.then_some(loan));
    assert_eq!(loan_status(app, loan), if taken { "returned" } else { "voided" });
    app.assert_sound();
}

fn a_book_that_the_courier_leaves_inside_was_not_taken(app: &TestApp) {
    let (locker, waiting, loan) = in_question(app);
    unload(app, &locker);
    let said = locker.says(app, 2, &tags(&[&waiting.book])).expect(200).body;
    assert_eq!(
        (&said["loan_id"], &said["loan_outcome"]),
        (&json!(loan), &json!("voided"))
    );
    locker.expect_door(app, 2, "occupied");
    assert_eq!(item_status(app, &waiting.book), "on_hold_shelf");
    app.assert_sound();
    // Its reader fetches it after all.
    let session = locker.session(app, &waiting.card).expect(201).body;
    assert_eq!(session["ready"][0]["hold_id"], waiting.hold);
}

fn a_book_in_question_in_hand_is_loaded_again(app: &TestApp) {
    let (locker, waiting, loan) = in_question(app);
    unload(app, &locker);
    locker.says(app, 2, &closed("empty")).expect(200);
    // At this unit it is fetched behind a door.
    let scan = json!({"item_barcode": waiting.book.barcode});
    app.post(&locker.desk, "/api/v1/check-ins", &scan)
        .expect_problem(409, "load_it");
    assert_eq!(loan_status(app, loan), "unconfirmed");
    locker.load(app, 3, &waiting.book).expect(200);
    assert_eq!(loan_status(app, loan), "voided");
    locker.says(app, 3, &tags(&[&waiting.book])).expect(200);
    locker.expect_door(app, 3, "occupied");
    assert_eq!(item_status(app, &waiting.book), "on_hold_shelf");
    app.assert_sound();
}

fn a_reader_who_brings_it_to_a_machine_had_it(app: &TestApp) {
    let (locker, waiting, loan) = in_question(app);
    unload(app, &locker);
    locker.says(app, 2, &closed("empty")).expect(200);
    later(app, 61);
    let back = locker.bring_back(app);
    let number = u16::try_from(back["compartment"].as_u64().expect("a door")).expect("small");
    locker.says(app, number, &tags(&[&waiting.book])).expect(200);
    assert_eq!(loan_status(app, loan), "returned");
    app.assert_sound();
}

fn a_book_that_is_seen_long_after_the_courier_had_been_taken(app: &TestApp) {
    let (locker, waiting, loan) = in_question(app);
    unload(app, &locker);
    locker.says(app, 2, &closed("empty")).expect(200);
    later(app, 8 * 86_400);
    let scanned = check_in(app, "B1", &waiting.book.barcode);
    assert_eq!(scanned["closed_loan"]["id"], loan);
    assert_eq!(loan_status(app, loan), "returned");
    app.assert_sound();
}

fn what_the_machine_says_after_the_void_goes_to_a_person(app: &TestApp) {
    let (locker, waiting, loan) = in_question(app);
    unload(app, &locker);
    locker.says(app, 2, &closed("empty")).expect(200);
    check_in(app, "B1", &waiting.book.barcode);
    let said = json!({"taken": true});
    let path = format!("/api/v1/loans/{loan}/confirmation");
    let said = app.post(&locker.token, &path, &said).expect(200).body;
    assert_eq!((&said["phase"], &said["conflict"]), (&json!("voided"), &json!(true)));
    let listed = app
        .get(&app.staff("librarian", "M1"), "/api/v1/conflicts")
        .expect(200)
        .body;
    assert_eq!(listed["items"][0]["reason"], "said_otherwise");
    app.assert_sound();
}
