//! Bringing back to a machine: each line of the table of what fails, to the state a person can finish.

use serde_json::json;

use crate::app::TestApp;
use crate::locker_scene::{Book, Locker, book, closed, item_status, locker, silence, tags};
use crate::notices::later;

on_both!(
    a_return_is_checked_in_when_its_tag_is_read,
    what_cannot_be_read_is_held_with_a_receipt_and_settled_with_its_time,
    what_was_held_and_taken_out_is_settled_with_its_compartment,
    two_tags_and_foreign_tags_are_held,
    a_return_closed_empty_is_none,
    a_jammed_return_door_sends_the_reader_to_another,
    a_reader_who_walks_away_from_a_return_leaves_it_unsure,
    a_full_machine_says_which_sizes_are_empty,
);

fn a_return_is_checked_in_when_its_tag_is_read(app: &TestApp) {
    let locker = locker(app);
    let book = lent(app);
    let back = locker.bring_back(app);
    assert_eq!((&back["compartment"], &back["turn"]), (&json!(5), &json!(1)));
    app.assert_sound();
    let said = locker.says(app, 5, &tags(&[&book])).expect(200).body;
    assert_eq!(
        (&said["return_id"], &said["return_state"], &said["title"]),
        (&back["return_id"], &json!("checked_in"), &json!("活着"))
    );
    locker.expect_door(app, 5, "occupied");
    assert_eq!(item_status(app, &book), "awaiting_dispatch");
    app.assert_sound();
    let again = locker.says(app, 5, &tags(&[&book])).expect(200).body;
    assert_eq!(again["return_state"], "checked_in");
    app.assert_sound();
}

fn what_cannot_be_read_is_held_with_a_receipt_and_settled_with_its_time(app: &TestApp) {
    let locker = locker(app);
    let book = lent(app);
    let back = locker.bring_back(app);
    let said = locker.says(app, 5, &closed("unread")).expect(200).body;
    assert_eq!(
        (&said["return_id"], &said["return_state"]),
        (&back["return_id"], &json!("held"))
    );
    let receipt = said["returned_at"].as_str().expect("a time").to_owned();
    app.assert_sound();
    // Days later somebody looks; nobody is late by that.
    later(app, 7_200);
    let locker = Locker {
        desk: app.staff("librarian", "P1"),
        ..locker
    };
    locker.settle(app, 5, Some(&book)).expect(200);
    let at = chrono::DateTime::parse_from_rfc3339(&receipt)
        .expect("a time")
        .timestamp_millis();
    let closed_at = format!("SELECT closed_at AS n FROM loans WHERE item_id = {}", book.item);
    assert_eq!(app.database.outside().number(&closed_at), at);
    locker.expect_door(app, 5, "occupied");
    app.assert_sound();
}

fn what_was_held_and_taken_out_is_settled_with_its_compartment(app: &TestApp) {
    let locker = locker(app);
    let back = locker.bring_back(app);
    locker.says(app, 5, &closed("unread")).expect(200);
    locker.expect_door(app, 5, "held");
    let waiting = "SELECT count(*) AS n FROM locker_returns WHERE state = 'held' AND settled_at IS NULL";
    assert_eq!(app.database.outside().number(waiting), 1);
    let opening = locker.path("/compartments/5/opening");
    app.post(&locker.desk, &opening, &json!({"reason": "读者来电"}))
        .expect(200);
    locker.says(app, 5, &closed("empty")).expect(200);
    locker.expect_door(app, 5, "empty");
    assert_eq!(app.database.outside().number(waiting), 0);
    // The event keeps the number of the receipt.
    let told = format!(
        "SELECT count(*) AS n FROM events WHERE kind = 'compartment_unloaded' AND detail LIKE '%\"return_id\":{}%'",
        back["return_id"]
    );
    assert_eq!(app.database.outside().number(&told), 1);
    app.assert_sound();
}

fn two_tags_and_foreign_tags_are_held(app: &TestApp) {
    let locker = locker(app);
    let (one, other) = (lent(app), lent(app));
    locker.bring_back(app);
    let said = locker.says(app, 5, &tags(&[&one, &other])).expect(200).body;
    assert_eq!(said["return_state"], "held");
    locker.bring_back(app);
    let foreign = json!({"door": "closed", "inside": "tags", "tags": ["E00401FFFFFFFFFF"]});
    let said = locker.says(app, 6, &foreign).expect(200).body;
    assert_eq!(said["return_state"], "held");
    assert_eq!(item_status(app, &one), "on_loan");
    assert_eq!(locker.alarms(app), ["compartment_held", "compartment_held"]);
    app.assert_sound();
    locker.settle(app, 6, None).expect(200);
    locker.settle(app, 5, Some(&one)).expect(200);
    assert_ne!(item_status(app, &one), "on_loan");
    app.assert_sound();
}

fn a_return_closed_empty_is_none(app: &TestApp) {
    let locker = locker(app);
    locker.bring_back(app);
    let said = locker.says(app, 5, &closed("empty")).expect(200).body;
    assert_eq!(
        (&said["return_state"], &said["state"]),
        (&json!("nothing"), &json!("empty"))
    );
    app.assert_sound();
}

fn a_jammed_return_door_sends_the_reader_to_another(app: &TestApp) {
    let locker = locker(app);
    locker.bring_back(app);
    let said = locker.says(app, 5, &json!({"door": "jammed"})).expect(200).body;
    assert_eq!(
        (&said["return_state"], &said["state"]),
        (&json!("nothing"), &json!("out_of_order"))
    );
    assert_eq!(locker.bring_back(app)["compartment"], 6);
    app.assert_sound();
}

fn a_reader_who_walks_away_from_a_return_leaves_it_unsure(app: &TestApp) {
    let locker = locker(app);
    let book = lent(app);
    locker.bring_back(app);
    silence(app);
    locker.expect_door(app, 5, "unsure");
    app.assert_sound();
    let said = locker.says(app, 5, &tags(&[&book])).expect(200).body;
    assert_eq!(said["return_state"], "checked_in");
    app.assert_sound();
}

fn a_full_machine_says_which_sizes_are_empty(app: &TestApp) {
    let locker = locker(app);
    for _ in 0..3 {
        locker.bring_back(app);
    }
    let body = json!({"size": "medium"});
    app.post(&locker.token, "/api/v1/device/returns", &body)
        .expect_problem(409, "no_compartment_fits");
    app.assert_sound();
}

/// A book of B1 that somebody has on loan since yesterday.
fn lent(app: &TestApp) -> Book {
    let book = book(app, &json!({}));
    let (_, card) = app.reader("adult", "B1");
    let out = json!({"item_barcode": book.barcode, "card_number": card});
    app.post(&app.staff("librarian", "B1"), "/api/v1/check-outs", &out)
        .expect(201);
    later(app, 120);
    book
}
