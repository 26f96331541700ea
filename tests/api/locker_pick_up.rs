//! Picking up at a locker and borrowing from a machine: each line of the table of what fails, to the state a person can finish.

use serde_json::json;

use crate::app::TestApp;
use crate::holds::hold;
use crate::locker_scene::{
    Locker, book, closed, item_status, loan_status, locker, opened, ready, run_deadlines, silence, tags,
};
use crate::notices::later;

on_both!(
    a_reader_picks_up_what_lies_ready,
    a_door_that_does_not_open_voids_the_loan_and_the_hold_stands,
    an_order_acknowledged_as_failed_is_a_door_that_did_not_open,
    an_order_of_which_the_machine_does_not_know_the_end_is_no_jammed_door,
    a_forged_or_late_acknowledgement_moves_no_compartment,
    a_book_that_is_still_there_was_not_taken,
    another_book_instead_of_the_right_one_is_held_and_the_loan_stands,
    the_right_book_and_another_are_held_and_the_loan_is_void,
    an_unread_tag_leaves_the_loan_in_question,
    a_door_that_stays_open_puts_the_loan_in_question_until_it_closes,
    power_lost_before_the_door_opened_is_found_out_by_the_inventory,
    power_lost_after_the_book_was_taken_is_settled_by_staff,
    a_loan_in_question_is_told_of_again_each_day,
    staff_confirm_a_loan_and_its_compartment,
    a_report_that_says_otherwise_than_staff_is_a_conflict,
    a_loan_in_question_is_neither_renewed_nor_lent_on,
    a_book_in_question_that_is_checked_in_had_been_taken,
    a_retry_opens_no_second_door,
);

fn a_reader_picks_up_what_lies_ready(app: &TestApp) {
    let locker = locker(app);
    let (waiting, loan) = opened(app, &locker);
    assert_eq!(loan_status(app, loan), "reserved");
    app.assert_sound();
    let orders = locker.orders(app);
    assert_eq!(
        (orders[0]["kind"].as_str(), &orders[0]["body"]["number"]),
        (Some("open_compartment"), &json!(2))
    );
    locker.says(app, 2, &json!({"door": "open"})).expect(200);
    locker.expect_door(app, 2, "handing_out");
    let said = locker.says(app, 2, &closed("empty")).expect(200).body;
    assert_eq!(
        (&said["loan_id"], &said["loan_outcome"]),
        (&json!(loan), &json!("confirmed"))
    );
    assert_eq!(loan_status(app, loan), "confirmed");
    locker.expect_door(app, 2, "empty");
    assert_eq!(hold(app, waiting.hold)["status"], "filled");
    let again = locker.says(app, 2, &closed("empty")).expect(200).body;
    assert_eq!(again["loan_outcome"], "");
    app.assert_sound();
}

fn a_door_that_does_not_open_voids_the_loan_and_the_hold_stands(app: &TestApp) {
    let locker = locker(app);
    let (waiting, loan) = opened(app, &locker);
    locker.says(app, 2, &json!({"door": "jammed"})).expect(200);
    locker.expect_door(app, 2, "out_of_order");
    assert_eq!(loan_status(app, loan), "voided");
    assert_eq!(hold(app, waiting.hold)["status"], "captured");
    assert_eq!(locker.alarms(app), ["door_jammed"]);
    app.assert_sound();
    // Staff open it with the key, mend it, and say that the book lies there: it is fetched as if nothing had happened.
    locker.settle(app, 2, Some(&waiting.book)).expect(200);
    assert_eq!(locker.alarms(app), Vec::<String>::new());
    let session = locker.session(app, &waiting.card).expect(201).id();
    locker.pick_up(app, session).expect(200);
    locker.says(app, 2, &closed("empty")).expect(200);
    app.assert_sound();
}

fn an_order_acknowledged_as_failed_is_a_door_that_did_not_open(app: &TestApp) {
    let locker = locker(app);
    let (_, loan) = opened(app, &locker);
    let order = locker.orders(app).pop().expect("an order");
    let path = format!("/api/v1/device/commands/{}/acknowledgement", order["id"]);
    let failed = json!({"receipt": order["receipt"], "done": false, "result": {"jam": true}});
    app.post(&locker.token, &path, &failed).expect(200);
    assert_eq!(loan_status(app, loan), "voided");
    locker.expect_door(app, 2, "out_of_order");
    // Said again, it is answered as before.
    app.post(&locker.token, &path, &failed).expect(200);
    locker.expect_door(app, 2, "out_of_order");
    app.assert_sound();
}

fn an_order_of_which_the_machine_does_not_know_the_end_is_no_jammed_door(app: &TestApp) {
    let locker = locker(app);
    let (_, loan) = opened(app, &locker);
    let order = locker.orders(app).pop().expect("an order");
    let path = format!("/api/v1/device/commands/{}/acknowledgement", order["id"]);
    let unknown = json!({"receipt": order["receipt"], "done": false, "result": {"outcome": "unknown"}});
    let said = app.post(&locker.token, &path, &unknown).expect(200).body;
    assert_eq!(said["status"], "done");
    assert_eq!(app.post(&locker.token, &path, &unknown).expect(200).body, said);
    locker.expect_door(app, 2, "handing_out");
    assert_eq!(loan_status(app, loan), "reserved", "a report may still come");
    silence(app);
    locker.expect_door(app, 2, "unsure");
    assert_eq!(loan_status(app, loan), "unconfirmed");
    app.assert_sound();
}

fn a_forged_or_late_acknowledgement_moves_no_compartment(app: &TestApp) {
    let locker = locker(app);
    let (_, loan) = opened(app, &locker);
    let order = locker.orders(app).pop().expect("an order");
    let path = format!("/api/v1/device/commands/{}/acknowledgement", order["id"]);
    let forged = json!({"receipt": "AAAAAAAAAAAAAAAAAAAAAA", "done": false});
    app.post(&locker.token, &path, &forged)
        .expect_problem(409, "acknowledgement_forged");
    locker.expect_door(app, 2, "handing_out");
    assert_eq!(locker.alarms(app), ["acknowledgement_forged"]);
    later(app, 30);
    let late = json!({"receipt": order["receipt"], "done": false});
    app.post(&locker.token, &path, &late).expect(200);
    locker.expect_door(app, 2, "handing_out");
    assert_eq!(loan_status(app, loan), "reserved");
    app.assert_sound();
}

fn a_book_that_is_still_there_was_not_taken(app: &TestApp) {
    let locker = locker(app);
    let (waiting, loan) = opened(app, &locker);
    let said = locker.says(app, 2, &tags(&[&waiting.book])).expect(200).body;
    assert_eq!(
        (said["loan_outcome"].as_str(), said["state"].as_str()),
        (Some("voided"), Some("occupied"))
    );
    assert_eq!(loan_status(app, loan), "voided");
    assert_eq!(item_status(app, &waiting.book), "on_hold_shelf");
    assert_eq!(hold(app, waiting.hold)["status"], "captured");
    app.assert_sound();
}

fn another_book_instead_of_the_right_one_is_held_and_the_loan_stands(app: &TestApp) {
    let locker = locker(app);
    let (_, loan) = opened(app, &locker);
    let other = book(app, &json!({}));
    locker.says(app, 2, &tags(&[&other])).expect(200);
    locker.expect_door(app, 2, "held");
    assert_eq!(loan_status(app, loan), "confirmed");
    assert_eq!(locker.alarms(app), ["compartment_held"]);
    app.assert_sound();
    locker.settle(app, 2, Some(&other)).expect(200);
    locker.expect_door(app, 2, "occupied");
    app.assert_sound();
}

fn the_right_book_and_another_are_held_and_the_loan_is_void(app: &TestApp) {
    let locker = locker(app);
    let (waiting, loan) = opened(app, &locker);
    let other = book(app, &json!({}));
    locker.says(app, 2, &tags(&[&waiting.book, &other])).expect(200);
    locker.expect_door(app, 2, "held");
    assert_eq!(loan_status(app, loan), "voided");
    app.assert_sound();
    // A person takes the other one out.
    locker.settle(app, 2, Some(&waiting.book)).expect(200);
    locker.expect_door(app, 2, "occupied");
    app.assert_sound();
}

fn an_unread_tag_leaves_the_loan_in_question(app: &TestApp) {
    let locker = locker(app);
    let (waiting, loan) = opened(app, &locker);
    locker.says(app, 2, &closed("unread")).expect(200);
    locker.expect_door(app, 2, "held");
    assert_eq!(loan_status(app, loan), "reserved");
    silence(app);
    assert_eq!(loan_status(app, loan), "unconfirmed");
    app.assert_sound();
    locker.settle(app, 2, Some(&waiting.book)).expect(200);
    assert_eq!(loan_status(app, loan), "voided");
    app.assert_sound();
}

fn a_door_that_stays_open_puts_the_loan_in_question_until_it_closes(app: &TestApp) {
    let locker = locker(app);
    let (_, loan) = opened(app, &locker);
    locker.says(app, 2, &json!({"door": "open"})).expect(200);
    silence(app);
    locker.expect_door(app, 2, "unsure");
    assert_eq!(loan_status(app, loan), "unconfirmed");
    let mut alarms = locker.alarms(app);
    alarms.sort();
    assert_eq!(alarms, ["compartment_unsure", "loan_unconfirmed"]);
    let listed = app.get(&locker.desk, "/api/v1/unconfirmed-loans").expect(200).body;
    assert_eq!(
        (&listed["items"][0]["loan_id"], &listed["items"][0]["compartment"]),
        (&json!(loan), &json!(2))
    );
    app.assert_sound();
    locker.says(app, 2, &closed("empty")).expect(200);
    assert_eq!(loan_status(app, loan), "confirmed");
    assert_eq!(locker.alarms(app), Vec::<String>::new());
    app.assert_sound();
}

fn power_lost_before_the_door_opened_is_found_out_by_the_inventory(app: &TestApp) {
    let locker = locker(app);
    let (waiting, loan) = opened(app, &locker);
    silence(app);
    assert_eq!(locker.orders(app).len(), 0, "an order of before opens nothing now");
    locker.says(app, 2, &tags(&[&waiting.book])).expect(200);
    assert_eq!(loan_status(app, loan), "voided");
    locker.expect_door(app, 2, "occupied");
    app.assert_sound();
}

fn power_lost_after_the_book_was_taken_is_settled_by_staff(app: &TestApp) {
    let locker = locker(app);
    let (_, loan) = opened(app, &locker);
    silence(app);
    locker.settle(app, 2, None).expect(200);
    assert_eq!(loan_status(app, loan), "confirmed");
    locker.expect_door(app, 2, "empty");
    app.assert_sound();
}

/// The one alarm of a loan in question: how often it was told of.
fn told(app: &TestApp, locker: &Locker) -> Option<i64> {
    let path = format!("/api/v1/device-alarms?device_id={}", locker.id);
    let listed = app.get(&locker.manager, &path).expect(200).body;
    let alarms = listed["items"].as_array().expect("alarms").iter();
    let alarm = alarms.clone().find(|alarm| alarm["kind"] == "loan_unconfirmed")?;
    alarm["times"].as_i64()
}

fn a_loan_in_question_is_told_of_again_each_day(app: &TestApp) {
    let locker = locker(app);
    let (_, loan) = opened(app, &locker);
    silence(app);
    assert_eq!(told(app, &locker), Some(1));
    let wait = |hours: i64| {
        later(app, hours * 3_600);
        run_deadlines(app);
        run_deadlines(app);
        Locker {
            manager: app.staff("unit_manager", "P1"),
            desk: app.staff("librarian", "P1"),
            id: locker.id,
            token: locker.token.clone(),
        }
    };
    assert_eq!(told(app, &wait(23)), Some(1));
    assert_eq!(told(app, &wait(1)), Some(2));
    let later_on = wait(24);
    assert_eq!(told(app, &later_on), Some(3));
    // Somebody settles the alarm, and not the loan.
    let path = format!("/api/v1/device-alarms?device_id={}", locker.id);
    let listed = app.get(&later_on.manager, &path).expect(200).body;
    let listed = listed["items"].as_array().expect("alarms").clone();
    let alarm = listed.iter().find(|alarm| alarm["kind"] == "loan_unconfirmed");
    let path = format!("/api/v1/device-alarms/{}/settlement", alarm.expect("it stands")["id"]);
    app.post(&later_on.manager, &path, &json!({"note": "已查看"}))
        .expect(200);
    assert_eq!(told(app, &later_on), None);
    let later_on = wait(24);
    assert_eq!(told(app, &later_on), Some(1), "another alarm");
    app.assert_sound();
    confirm(app, &later_on.desk, loan, true).expect(200);
    assert_eq!(told(app, &wait(25)), None, "decided");
    app.assert_sound();
}

fn confirm(app: &TestApp, token: &str, loan: i64, taken: bool) -> crate::client::Answer {
    let body = json!({"taken": taken, "reason": "监控可见"});
    app.post(token, &format!("/api/v1/loans/{loan}/confirmation"), &body)
}

fn staff_confirm_a_loan_and_its_compartment(app: &TestApp) {
    let locker = locker(app);
    let (waiting, loan) = opened(app, &locker);
    silence(app);
    let path = format!("/api/v1/loans/{loan}/confirmation");
    app.post(&locker.desk, &path, &json!({"taken": true}))
        .expect_fields(422, &["reason"]);
    let stranger = app.staff("librarian", "B2");
    confirm(app, &stranger, loan, true).expect_problem(404, "not_found");
    let said = confirm(app, &locker.desk, loan, false).expect(200).body;
    assert_eq!(
        (said["phase"].as_str(), said["conflict"].as_bool()),
        (Some("voided"), Some(false))
    );
    locker.expect_door(app, 2, "occupied");
    assert_eq!(item_status(app, &waiting.book), "on_hold_shelf");
    app.assert_sound();
}

fn a_report_that_says_otherwise_than_staff_is_a_conflict(app: &TestApp) {
    let locker = locker(app);
    let (_, loan) = opened(app, &locker);
    silence(app);
    confirm(app, &locker.desk, loan, false).expect(200);
    let said = locker.says(app, 2, &closed("empty")).expect(200).body;
    assert_eq!(said["loan_outcome"], "conflict");
    assert_eq!(loan_status(app, loan), "voided", "what was said first stands");
    locker.expect_door(app, 2, "unsure");
    let asked = "SELECT count(*) AS n FROM journal_conflicts WHERE reason = 'said_otherwise' AND resolved_at IS NULL";
    assert_eq!(app.database.outside().number(asked), 1);
    locker.says(app, 2, &closed("empty")).expect(200);
    assert_eq!(app.database.outside().number(asked), 1, "asked once");
    app.assert_sound();
}

fn a_loan_in_question_is_neither_renewed_nor_lent_on(app: &TestApp) {
    let locker = locker(app);
    let (waiting, loan) = opened(app, &locker);
    later(app, 1);
    let refused = |answer: crate::client::Answer| {
        let answer = answer.expect_problem(409, "refused").body;
        let codes = answer["refusals"].as_array().expect("refusals").clone();
        assert!(
            codes.iter().any(|refusal| refusal["code"] == "loan_unconfirmed"),
            "{codes:?}"
        );
    };
    refused(app.post(&locker.desk, &format!("/api/v1/loans/{loan}/renewals"), &json!({})));
    let (_, other) = app.reader("adult", "B1");
    let out = json!({"item_barcode": waiting.book.barcode, "card_number": other});
    refused(app.post(&app.staff("librarian", "B1"), "/api/v1/check-outs", &out));
    app.assert_sound();
}

fn a_book_in_question_that_is_checked_in_had_been_taken(app: &TestApp) {
    let locker = locker(app);
    let (waiting, loan) = opened(app, &locker);
    silence(app);
    let desk = app.staff("librarian", "B1");
    app.post(
        &desk,
        "/api/v1/check-ins",
        &json!({"item_barcode": waiting.book.barcode}),
    )
    .expect(200);
    assert_eq!(loan_status(app, loan), "returned");
    assert!(!locker.alarms(app).contains(&"loan_unconfirmed".to_owned()));
    app.assert_sound();
    locker.says(app, 2, &closed("empty")).expect(200);
    locker.expect_door(app, 2, "empty");
    app.assert_sound();
}

fn a_retry_opens_no_second_door(app: &TestApp) {
    let locker = locker(app);
    let (_, session) = ready(app, &locker);
    let path = format!("/api/v1/device/locker-sessions/{session}/pick-ups");
    let ask = || {
        let request = app.request("POST", &path).bearer(&locker.token).key("pick-up-1");
        request.json(&json!({})).send().expect(200).body
    };
    let first = ask();
    assert_eq!(ask(), first);
    assert_eq!(locker.orders(app).len(), 1);
    assert_eq!(locker.door(app, 2)["turn"], first["granted"][0]["turn"]);
    app.assert_sound();
}
