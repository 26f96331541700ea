//! How much a reader borrows in one session at a machine, where a rule counts that.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::client::Answer;
use crate::holds::put;
use crate::journal_scene::{ago, lent, pass, scene};
use crate::locker_scene::{Locker, book, browsing, closed, loan_status, locker, ready, tags, waiting_for};
use crate::locker_sessions::place_in;
use crate::rule_previews::numbers;
use crate::rule_sets::{draft, exported, published};

on_both!(
    of_what_lies_ready_a_session_hands_out_what_its_limit_allows,
    a_browsing_machine_lends_so_many_in_one_session_and_as_many_in_the_next,
    what_was_not_taken_counts_no_more,
    outside_a_session_its_limit_does_not_apply_and_says_so,
    a_preview_tells_which_loans_a_limit_of_sessions_would_have_refused,
    what_a_machine_lent_alone_was_lent_in_no_session,
);

/// The network's rules with a limit of sessions.
fn with_limit(app: &TestApp, max: u8) -> String {
    let row = format!("[[limit]]\nkind = \"loans\"\ncount_in = \"session\"\nmax = {max}\n");
    format!("{}\n{row}", exported(app, 1))
}

fn limited(app: &TestApp, max: u8) {
    published(app, &app.root_token(), None, &with_limit(app, max));
}

/// A browsing machine with books behind doors 2 to 4, where two may be borrowed at a time; a reader's card.
fn three_books(app: &TestApp) -> (Locker, [crate::locker_scene::Book; 3], String) {
    let machine = browsing(app);
    limited(app, 2);
    let books = [2, 3, 4].map(|number| {
        let book = book(app, &json!({"home_unit_code": "P1"}));
        place_in(app, &machine, number, &book);
        book
    });
    let (_, card) = app.reader("adult", "B1");
    (machine, books, card)
}

fn end(app: &TestApp, machine: &Locker, session: i64) {
    let path = format!("/api/v1/device/locker-sessions/{session}/end");
    app.post(&machine.token, &path, &json!({})).expect(200);
}

/// Borrows what lies behind a door and takes it.
#[track_caller]
fn borrowed(app: &TestApp, machine: &Locker, session: i64, number: u16) -> i64 {
    let lent = machine.borrow(app, session, number).expect(200).body;
    let loan = lent["granted"][0]["loan"]["id"].as_i64().expect("a loan");
    machine.says(app, number, &closed("empty")).expect(200);
    loan
}

#[track_caller]
fn expect_refused(answer: Answer, compartment: u16) {
    let body = answer.expect(200).body;
    assert_eq!(body["granted"], json!([]), "{body}");
    expect_limit(&body["refused"], compartment);
}

/// One book is refused, for two were borrowed in this session.
#[track_caller]
fn expect_limit(refused: &Value, compartment: u16) {
    let refused = refused.as_array().expect("refused");
    assert_eq!(refused.len(), 1, "{refused:?}");
    let why = refused[0]["refusals"].as_array().expect("refusals");
    let told: Vec<(&Value, &Value)> = why.iter().map(|one| (&one["code"], &one["params"])).collect();
    let counted = json!({"count": "2", "max": "2"});
    assert_eq!(refused[0]["compartment"], compartment);
    assert_eq!(told, [(&json!("limit_session"), &counted)]);
}

fn of_what_lies_ready_a_session_hands_out_what_its_limit_allows(app: &TestApp) {
    let locker = locker(app);
    limited(app, 2);
    let settings = json!({"settings": {"doors_at_once": 3}});
    put(app, &locker.manager, &locker.path("/configuration"), &settings).expect(200);
    let (first, session) = ready(app, &locker);
    end(app, &locker, session);
    let others = [3, 4].map(|number| {
        let other = waiting_for(app, first.reader, first.card.clone());
        locker.loaded(app, number, &other.book);
        other
    });
    let session = locker.session(app, &first.card).expect(201).id();
    // The doors of the first two are not even open when the third is judged.
    let lent = locker.pick_up(app, session).expect(200).body;
    assert_eq!(lent["granted"].as_array().map(Vec::len), Some(2), "{lent}");
    assert_eq!(lent["waiting"], json!([]));
    expect_limit(&lent["refused"], 4);
    assert_eq!(lent["refused"][0]["hold_id"], others[1].hold);
    for number in [2, 3] {
        locker.says(app, number, &closed("empty")).expect(200);
    }
    expect_refused(locker.pick_up(app, session), 4);
    locker.expect_door(app, 4, "occupied");
    app.assert_sound();
    end(app, &locker, session);
    let next = locker.session(app, &first.card).expect(201).id();
    let lent = locker.pick_up(app, next).expect(200).body;
    assert_eq!(
        (&lent["granted"][0]["compartment"], &lent["refused"]),
        (&json!(4), &json!([]))
    );
    app.assert_sound();
}

fn a_browsing_machine_lends_so_many_in_one_session_and_as_many_in_the_next(app: &TestApp) {
    let (machine, _, card) = three_books(app);
    let session = machine.session(app, &card).expect(201).id();
    borrowed(app, &machine, session, 2);
    let again = machine.session(app, &card).expect(201).id();
    assert_eq!(
        again, session,
        "the same card goes on with its session, and with its count"
    );
    borrowed(app, &machine, session, 3);
    expect_refused(machine.borrow(app, session, 4), 4);
    app.assert_sound();
    end(app, &machine, session);
    let next = machine.session(app, &card).expect(201).id();
    let loan = borrowed(app, &machine, next, 4);
    assert_eq!(loan_status(app, loan), "confirmed");
    app.assert_sound();
}

fn what_was_not_taken_counts_no_more(app: &TestApp) {
    let (machine, books, card) = three_books(app);
    let session = machine.session(app, &card).expect(201).id();
    let lent = machine.borrow(app, session, 2).expect(200).body;
    machine.says(app, 2, &tags(&[&books[0]])).expect(200);
    let loan = lent["granted"][0]["loan"]["id"].as_i64().expect("a loan");
    assert_eq!(loan_status(app, loan), "voided");
    borrowed(app, &machine, session, 3);
    borrowed(app, &machine, session, 4);
    expect_refused(machine.borrow(app, session, 2), 2);
    app.assert_sound();
}

fn outside_a_session_its_limit_does_not_apply_and_says_so(app: &TestApp) {
    let (machine, _, card) = three_books(app);
    let session = machine.session(app, &card).expect(201).id();
    borrowed(app, &machine, session, 2);
    borrowed(app, &machine, session, 3);
    let at_desk = book(app, &json!({}));
    let desk = app.staff("librarian", "B1");
    let path = format!(
        "/api/v1/rules/explain?card_number={card}&item_barcode={}&channel=kiosk",
        at_desk.barcode
    );
    let told = app.get(&desk, &path).expect(200).body;
    let mut limits = told["limits"].as_array().expect("limits").iter();
    let row = limits.find(|row| row["count_in"] == "session").expect("its row");
    assert_eq!(
        (&row["no_match"], &row["count"], &row["max"], &row["passed"]),
        (&json!("session"), &json!(0), &json!(2), &json!(false))
    );
    let out = json!({"item_barcode": at_desk.barcode, "card_number": card});
    app.post(&desk, "/api/v1/check-outs", &out).expect(201);
    // Nor does it count there what a desk has lent.
    expect_refused(machine.borrow(app, session, 4), 4);
    app.assert_sound();
}

fn a_preview_tells_which_loans_a_limit_of_sessions_would_have_refused(app: &TestApp) {
    let (machine, _, card) = three_books(app);
    let session = machine.session(app, &card).expect(201).id();
    let here = [2, 3].map(|number| borrowed(app, &machine, session, number));
    end(app, &machine, session);
    let next = machine.session(app, &card).expect(201).id();
    borrowed(app, &machine, next, 4);
    let root = app.root_token();
    let (id, _) = draft(app, &root, None, &with_limit(app, 1));
    let path = format!("/api/v1/rule-drafts/{id}/loan-preview?card_number={card}");
    let seen = app.get(&root, &path).expect(200).body;
    assert_eq!(numbers(&seen).len(), 3);
    for row in seen["items"].as_array().expect("loans") {
        let refused = here.iter().any(|loan| row["loan_id"] == *loan);
        let codes = if refused { json!(["limit_session"]) } else { json!([]) };
        assert_eq!(row["before"]["lending_refusals"], json!([]), "{row}");
        assert_eq!(row["after"]["lending_refusals"], codes, "{row}");
    }
}

fn what_a_machine_lent_alone_was_lent_in_no_session(app: &TestApp) {
    let scene = scene(app);
    limited(app, 0);
    pass(app, 1_200);
    let machine = scene.machine.copied().again(app);
    let act = machine.entry(1, &lent(ago(app, 600), &scene.tag, &scene.card));
    assert_eq!(machine.tell(app, &[act]), ["accepted"]);
    app.assert_sound();
}
