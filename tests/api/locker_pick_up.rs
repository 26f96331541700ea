//! Picking up at a locker and borrowing from a machine: each line of the table of what fails, to the state a person can finish.

use std::thread;

use serde_json::json;

use crate::app::TestApp;
use crate::client::Request;
use crate::holds::hold;
use crate::locker_scene::{
    Locker, book, browsing, closed, item_status, loan_status, locker, opened, ready, silence, tags, waiting_for,
};
use crate::notices::later;

on_both!(
    a_reader_picks_up_what_lies_ready,
    a_door_that_does_not_open_voids_the_loan_and_the_hold_stands,
    an_order_acknowledged_as_failed_is_a_door_that_did_not_open,
    a_forged_or_late_acknowledgement_moves_no_compartment,
    a_book_that_is_still_there_was_not_taken,
    another_book_instead_of_the_right_one_is_held_and_the_loan_stands,
    the_right_book_and_another_are_held_and_the_loan_is_void,
    an_unread_tag_leaves_the_loan_in_question,
    a_door_that_stays_open_puts_the_loan_in_question_until_it_closes,
    power_lost_before_the_door_opened_is_found_out_by_the_inventory,
    power_lost_after_the_book_was_taken_is_settled_by_staff,
    staff_confirm_a_loan_and_its_compartment,
    a_report_that_says_otherwise_than_staff_is_a_conflict,
    a_loan_in_question_is_neither_renewed_nor_lent_on,
    a_book_in_question_that_is_checked_in_had_been_taken,
    a_retry_opens_no_second_door,
    a_second_reader_waits_until_the_first_is_gone,
    two_readers_at_two_screens_get_one_book_once,
    several_books_open_one_door_after_the_other,
    another_units_machine_is_not_there,
    a_session_ends_by_itself_but_not_before_its_door,
    a_wrong_pin_opens_no_session_and_slows_the_next,
    a_reader_borrows_what_stands_in_a_browsing_machine,
    what_the_rules_refuse_stays_in_the_compartment,
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

fn a_second_reader_waits_until_the_first_is_gone(app: &TestApp) {
    let locker = locker(app);
    let (waiting, session) = ready(app, &locker);
    let (_, other) = app.reader("adult", "B1");
    let told = locker.session(app, &other).expect_problem(409, "locker_in_use");
    assert_eq!(told.header("retry-after"), Some("60"));
    // The same card goes on with its session.
    assert_eq!(locker.session(app, &waiting.card).expect(201).id(), session);
    let end = format!("/api/v1/device/locker-sessions/{session}/end");
    app.post(&locker.token, &end, &json!({})).expect(200);
    locker.session(app, &other).expect(201);
    locker.pick_up(app, session).expect_problem(409, "locker_session_ended");
    app.assert_sound();
}

fn two_readers_at_two_screens_get_one_book_once(app: &TestApp) {
    let locker = browsing(app);
    let settings = json!({"settings": {"screens": 2}});
    crate::holds::put(app, &locker.manager, &locker.path("/configuration"), &settings).expect(200);
    let book = book(app, &json!({"home_unit_code": "P1"}));
    place_in(app, &locker, 1, &book);
    let sessions: Vec<i64> = [1, 2]
        .map(|screen| {
            let (_, card) = app.reader("adult", "B1");
            let body = json!({"card_number": card, "pin": crate::app::PIN, "screen": screen});
            app.post(&locker.token, "/api/v1/device/locker-sessions", &body)
                .expect(201)
                .id()
        })
        .to_vec();
    let (address, token) = (app.address, locker.token.clone());
    let asked = sessions.into_iter().map(|session| {
        let token = token.clone();
        thread::spawn(move || {
            let path = format!("/api/v1/device/locker-sessions/{session}/loans");
            let request = Request::new(address, "POST", &path).bearer(&token);
            request.json(&json!({"compartment": 1})).send()
        })
    });
    let asked: Vec<_> = asked.collect();
    let answers: Vec<_> = asked.into_iter().map(|one| one.join().expect("sent")).collect();
    let granted = |answer: &crate::client::Answer| answer.body["granted"].as_array().is_some_and(|all| all.len() == 1);
    assert_eq!(answers.iter().filter(|answer| granted(answer)).count(), 1);
    let open = "SELECT count(*) AS n FROM loans WHERE closed_at IS NULL";
    assert_eq!(app.database.outside().number(open), 1);
    app.assert_sound();
}

/// Puts a book of the machine's own stock into it.
fn place_in(app: &TestApp, locker: &Locker, number: u16, book: &crate::locker_scene::Book) {
    let desk = app.staff("librarian", "B1");
    app.post(&desk, "/api/v1/check-ins", &json!({"item_barcode": book.barcode}))
        .expect(200);
    locker.loaded(app, number, book);
}

fn several_books_open_one_door_after_the_other(app: &TestApp) {
    let locker = locker(app);
    let (waiting, session) = ready(app, &locker);
    let second = waiting_for(app, waiting.reader, waiting.card.clone());
    locker.load(app, 3, &second.book).expect(200);
    locker.says(app, 3, &tags(&[&second.book])).expect(200);
    let lent = locker.pick_up(app, session).expect(200).body;
    assert_eq!(lent["granted"].as_array().map(Vec::len), Some(1));
    assert_eq!(lent["waiting"], json!([second.hold]));
    let held_up = locker.pick_up(app, session).expect(200).body;
    assert_eq!(
        (&held_up["granted"], &held_up["waiting"]),
        (&json!([]), &json!([second.hold]))
    );
    locker.says(app, 2, &closed("empty")).expect(200);
    let next = locker.pick_up(app, session).expect(200).body;
    assert_eq!(next["granted"][0]["compartment"], 3);
    app.assert_sound();
}

fn another_units_machine_is_not_there(app: &TestApp) {
    let locker = locker(app);
    app.unit("P2", "point", "B2", &json!({"always_open": true}));
    let other = Locker::at(app, "P2", "locker");
    let (waiting, session) = ready(app, &locker);
    other.pick_up(app, session).expect_problem(404, "not_found");
    for path in ["/compartments/2/opening", "/compartments/2/settlement"] {
        let body = json!({"reason": "看看"});
        app.post(&other.desk, &locker.path(path), &body)
            .expect_problem(404, "not_found");
    }
    app.get(&other.desk, &locker.path("/compartments"))
        .expect_problem(404, "not_found");
    let load = json!({"item_barcode": waiting.book.barcode});
    app.post(&other.token, &locker.path("/compartments/3/load"), &load)
        .expect_problem(404, "not_found");
    other
        .says_of(app, 99, 0, &closed("empty"))
        .expect_problem(404, "not_found");
    app.assert_sound();
}

fn a_session_ends_by_itself_but_not_before_its_door(app: &TestApp) {
    let locker = locker(app);
    let (_, session) = ready(app, &locker);
    locker.pick_up(app, session).expect(200);
    later(app, 90);
    let (_, other) = app.reader("adult", "B1");
    locker.session(app, &other).expect_problem(409, "locker_in_use");
    locker.says(app, 2, &closed("empty")).expect(200);
    locker.pick_up(app, session).expect_problem(409, "locker_session_ended");
    locker.session(app, &other).expect(201);
    app.assert_sound();
}

fn a_wrong_pin_opens_no_session_and_slows_the_next(app: &TestApp) {
    let locker = locker(app);
    let (_, card) = app.reader("adult", "B1");
    let start = |body: serde_json::Value| app.post(&locker.token, "/api/v1/device/locker-sessions", &body);
    let mut last = 0;
    for _ in 0..12 {
        last = start(json!({"card_number": card, "pin": "999999"})).status;
        if last == 429 {
            break;
        }
        assert_eq!(last, 422);
    }
    assert_eq!(last, 429);
    start(json!({"card_number": card})).expect_fields(422, &["pin"]);
    start(json!({})).expect_fields(422, &["card_token"]);
    start(json!({"card_number": card, "pin": "1", "card_token": "x"})).expect_fields(422, &["card_token"]);
    start(json!({"card_token": "no token"})).expect_problem(409, "refused");
    let (_, other) = app.reader("adult", "B1");
    let body = json!({"card_number": other, "pin": crate::app::PIN, "screen": 9});
    start(body).expect_fields(422, &["screen"]);
    locker.session(app, &other).expect(201);
}

fn a_reader_borrows_what_stands_in_a_browsing_machine(app: &TestApp) {
    let locker = browsing(app);
    let book = book(app, &json!({"home_unit_code": "P1"}));
    place_in(app, &locker, 1, &book);
    let (_, card) = app.reader("adult", "B1");
    let session = locker.session(app, &card).expect(201).body;
    assert_eq!(session["to_borrow"][0]["compartment"], 1);
    let session = session["id"].as_i64().expect("an id");
    locker.borrow(app, session, 2).expect_problem(409, "compartment_state");
    locker.borrow(app, session, 99).expect_fields(422, &["compartment"]);
    let lent = locker.borrow(app, session, 1).expect(200).body;
    let loan = lent["granted"][0]["loan"]["id"].as_i64().expect("an id");
    assert_eq!(lent["granted"][0]["loan"]["channel"], "kiosk");
    locker.says(app, 1, &closed("empty")).expect(200);
    assert_eq!(loan_status(app, loan), "confirmed");
    app.assert_sound();
}

fn what_the_rules_refuse_stays_in_the_compartment(app: &TestApp) {
    let locker = browsing(app);
    let book = book(app, &json!({"home_unit_code": "P1", "min_age_years": 18}));
    place_in(app, &locker, 1, &book);
    let (_, card) = app.reader("child", "B1");
    let session = locker.session(app, &card).expect(201).id();
    let lent = locker.borrow(app, session, 1).expect(200).body;
    assert_eq!(lent["granted"], json!([]));
    assert!(!lent["refused"][0]["refusals"].as_array().expect("reasons").is_empty());
    locker.expect_door(app, 1, "occupied");
    app.assert_sound();
}
