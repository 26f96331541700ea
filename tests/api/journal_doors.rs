//! What a machine did with its doors while it was alone, and what it says of its loans afterwards.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::client::Answer;
use crate::holds::put;
use crate::journal_scene::{Alone, Scene, ago, alone, back, book, lent, pass, scene};
use crate::locker_scene::{loan_status, silence};

on_both!(
    a_copy_put_in_alone_lies_there_until_it_is_handed_out_alone,
    a_loan_in_two_phases_is_in_question_until_the_journal_says_it_was_taken,
    a_loan_that_was_not_taken_is_void_and_the_book_lies_there,
    what_was_seen_of_the_door_says_it_too,
    what_is_seen_of_the_next_book_says_nothing_of_the_loan_before,
    silence_puts_the_loan_in_question_and_a_later_upload_settles_it,
    a_loan_reserved_before_the_network_was_gone_is_confirmed_by_the_journal,
    what_contradicts_staff_is_one_question_however_often_it_is_said,
    a_question_of_a_report_is_taken_over_by_the_entry_that_says_the_same,
    a_loan_or_a_door_that_is_not_the_machines_is_looked_into,
    a_turn_that_is_over_says_nothing_new,
    another_book_than_is_known_to_lie_there_is_held,
    a_book_handed_out_from_where_another_was_known_to_lie_makes_it_unsure,
    a_copy_lent_by_another_machine_lies_in_no_compartment_any_more,
    a_return_that_was_asked_for_before_the_network_was_gone_is_told_by_the_journal,
    a_book_that_was_seen_since_does_not_lie_where_the_journal_says,
    the_same_reader_again_answers_what_was_asked,
    a_check_out_that_was_released_is_known_by_its_number,
    what_was_lent_before_the_answer_was_lost_is_one_loan_that_was_taken,
    so_it_is_when_the_machine_asks_in_one_phase_and_comes_back_late,
    what_was_lent_before_the_answer_was_lost_is_void_when_it_was_not_taken,
    so_it_is_when_the_machine_asks_in_one_phase_and_comes_back_soon,
    what_is_seen_of_the_door_whose_turn_was_lost_is_said_of_the_loan,
    so_it_is_of_a_door_that_never_opened,
    a_door_seen_before_the_book_was_handed_out_says_nothing_of_it,
);

/// The scene with doors to its machine: 1 to 3, and 4 for returns.
fn doors(app: &TestApp) -> Scene {
    let scene = scene(app);
    let door = |number: u16, purpose: &str| json!({"number": number, "size": "medium", "purpose": purpose});
    let doors =
        json!({"compartments": [door(1, "browsing"), door(2, "browsing"), door(3, "browsing"), door(4, "return")]});
    let path = format!("/api/v1/devices/{}/compartments", scene.machine.id);
    put(app, &app.root_token(), &path, &doors).expect(200);
    scene
}

/// The same with the book in compartment 3; the next number is 2.
fn with_book(app: &TestApp) -> Scene {
    let scene = doors(app);
    let entry = scene.machine.entry(1, &at_door(&back(ago(app, 900), &scene.tag), 3));
    assert_eq!(scene.machine.tell(app, &[entry]), ["accepted"]);
    scene
}

fn at_door(act: &Value, number: u16) -> Value {
    let mut act = act.clone();
    act["compartment"] = number.into();
    act
}

fn in_two_phases(act: &Value) -> Value {
    let mut act = act.clone();
    act["two_phase"] = true.into();
    act
}

fn said(kind: &str, at: DateTime<Utc>, of: &Value) -> Value {
    let mut entry = of.clone();
    entry["kind"] = kind.into();
    entry["at"] = json!(at);
    entry
}

fn door(app: &TestApp, machine: &Alone, number: u16) -> Value {
    let path = format!("/api/v1/devices/{}/compartments", machine.id);
    let all = app.get(&app.root_token(), &path).expect(200).body;
    let mut all = all["compartments"].as_array().expect("compartments").iter();
    all.find(|door| door["number"] == number).expect("a door").clone()
}

#[track_caller]
fn expect_door(app: &TestApp, machine: &Alone, number: u16, state: &str) {
    assert_eq!(door(app, machine, number)["state"], state, "compartment {number}");
}

/// A report of the present turn.
fn report(app: &TestApp, machine: &Alone, number: u16, said: &Value) -> Answer {
    let mut body = said.clone();
    body["turn"] = door(app, machine, number)["turn"].clone();
    let path = format!("/api/v1/device/compartments/{number}/reports");
    app.post(&machine.token, &path, &body)
}

fn confirm(app: &TestApp, loan: i64, taken: bool) {
    let body = json!({"taken": taken, "reason": "监控可见"});
    let path = format!("/api/v1/loans/{loan}/confirmation");
    app.post(&app.root_token(), &path, &body).expect(200);
}

/// The book handed out in two phases under number 2: its loan.
fn reserved(app: &TestApp, scene: &Scene) -> i64 {
    let act = in_two_phases(&at_door(&lent(ago(app, 600), &scene.tag, &scene.card), 3));
    assert_eq!(scene.machine.tell(app, &[scene.machine.entry(2, &act)]), ["accepted"]);
    let loan = scene.loans(app)[0]["id"].as_i64().expect("an id");
    assert_eq!(loan_status(app, loan), "reserved");
    loan
}

fn a_copy_put_in_alone_lies_there_until_it_is_handed_out_alone(app: &TestApp) {
    let scene = with_book(app);
    let lies = door(app, &scene.machine, 3);
    assert_eq!(
        (&lies["state"], &lies["item_barcode"]),
        (&json!("occupied"), &json!(scene.barcode))
    );
    assert_eq!(scene.status(app), "on_shelf");
    app.assert_sound();
    let out = at_door(&lent(ago(app, 600), &scene.tag, &scene.card), 3);
    assert_eq!(scene.machine.tell(app, &[scene.machine.entry(2, &out)]), ["accepted"]);
    expect_door(app, &scene.machine, 3, "empty");
    assert_eq!(scene.status(app), "on_loan");
    app.assert_sound();
}

fn a_loan_in_two_phases_is_in_question_until_the_journal_says_it_was_taken(app: &TestApp) {
    let scene = with_book(app);
    let loan = reserved(app, &scene);
    expect_door(app, &scene.machine, 3, "handing_out");
    app.assert_sound();
    let taken = scene
        .machine
        .entry(3, &said("loan_taken", ago(app, 590), &json!({"sequence": 2})));
    assert_eq!(scene.machine.tell(app, std::slice::from_ref(&taken)), ["accepted"]);
    assert_eq!(loan_status(app, loan), "confirmed");
    expect_door(app, &scene.machine, 3, "empty");
    assert_eq!(scene.machine.tell(app, &[taken]), ["duplicate"]);
    app.assert_sound();
}

fn a_loan_that_was_not_taken_is_void_and_the_book_lies_there(app: &TestApp) {
    let scene = with_book(app);
    let act = in_two_phases(&at_door(&lent(ago(app, 600), &scene.tag, &scene.card), 3));
    let entries = [
        scene.machine.entry(2, &act),
        scene
            .machine
            .entry(3, &said("loan_not_taken", ago(app, 590), &json!({"sequence": 2}))),
    ];
    assert_eq!(scene.machine.tell(app, &entries), ["accepted", "accepted"]);
    let loan = app.database.outside().number("SELECT max(id) AS n FROM loans");
    assert_eq!(loan_status(app, loan), "voided");
    expect_door(app, &scene.machine, 3, "occupied");
    assert_eq!(scene.status(app), "on_shelf");
    app.assert_sound();
}

fn what_was_seen_of_the_door_says_it_too(app: &TestApp) {
    let scene = with_book(app);
    let loan = reserved(app, &scene);
    let turn = door(app, &scene.machine, 3)["turn"].clone();
    let seen = json!({"number": 3, "turn": turn, "door": "closed", "inside": "empty"});
    let seen = scene.machine.entry(3, &said("compartment", ago(app, 590), &seen));
    assert_eq!(scene.machine.tell(app, &[seen]), ["accepted"]);
    assert_eq!(loan_status(app, loan), "confirmed");
    expect_door(app, &scene.machine, 3, "empty");
    app.assert_sound();
}

fn what_is_seen_of_the_next_book_says_nothing_of_the_loan_before(app: &TestApp) {
    let scene = with_book(app);
    let loan = reserved(app, &scene);
    let (_, _, tag) = book(app, "B1");
    pass(app, 600);
    let entries = [
        scene
            .machine
            .entry(3, &said("loan_taken", ago(app, 500), &json!({"sequence": 2}))),
        scene.machine.entry(4, &at_door(&back(ago(app, 300), &tag), 3)),
    ];
    assert_eq!(scene.machine.tell(app, &entries), ["accepted", "accepted"]);
    report(
        app,
        &scene.machine,
        3,
        &json!({"door": "closed", "inside": "tags", "tags": [tag]}),
    )
    .expect(200);
    expect_door(app, &scene.machine, 3, "occupied");
    assert_eq!(loan_status(app, loan), "confirmed");
    assert_eq!(scene.conflicts(app, "").len(), 0);
    app.assert_sound();
}

fn silence_puts_the_loan_in_question_and_a_later_upload_settles_it(app: &TestApp) {
    let scene = with_book(app);
    let loan = reserved(app, &scene);
    silence(app);
    assert_eq!(loan_status(app, loan), "unconfirmed");
    expect_door(app, &scene.machine, 3, "unsure");
    app.assert_sound();
    let taken = said("loan_taken", ago(app, 700), &json!({"loan_id": loan}));
    assert_eq!(scene.machine.tell(app, &[scene.machine.entry(3, &taken)]), ["accepted"]);
    assert_eq!(loan_status(app, loan), "confirmed");
    expect_door(app, &scene.machine, 3, "empty");
    assert_eq!(scene.alarms(app), []);
    app.assert_sound();
}

fn a_loan_reserved_before_the_network_was_gone_is_confirmed_by_the_journal(app: &TestApp) {
    let scene = with_book(app);
    let who = json!({"card_number": scene.card, "pin": crate::app::PIN});
    let session = app
        .post(&scene.machine.token, "/api/v1/device/locker-sessions", &who)
        .expect(201)
        .id();
    let path = format!("/api/v1/device/locker-sessions/{session}/loans");
    let granted = app
        .post(&scene.machine.token, &path, &json!({"compartment": 3}))
        .expect(200)
        .body;
    let loan = granted["granted"][0]["loan"]["id"].as_i64().expect("an id");
    let seen = json!({"number": 3, "turn": granted["granted"][0]["turn"], "door": "closed", "inside": "empty"});
    pass(app, 10);
    let seen = scene.machine.entry(2, &said("compartment", ago(app, 5), &seen));
    silence(app);
    assert_eq!(loan_status(app, loan), "unconfirmed");
    assert_eq!(scene.machine.tell(app, &[seen]), ["accepted"]);
    assert_eq!(loan_status(app, loan), "confirmed");
    expect_door(app, &scene.machine, 3, "empty");
    app.assert_sound();
}

fn what_contradicts_staff_is_one_question_however_often_it_is_said(app: &TestApp) {
    let scene = with_book(app);
    let loan = reserved(app, &scene);
    silence(app);
    confirm(app, loan, false);
    let turn = door(app, &scene.machine, 3)["turn"].clone();
    let seen = json!({"number": 3, "turn": turn, "door": "closed", "inside": "empty"});
    let entries = [
        scene
            .machine
            .entry(3, &said("loan_taken", ago(app, 740), &json!({"sequence": 2}))),
        scene.machine.entry(4, &said("compartment", ago(app, 739), &seen)),
    ];
    assert_eq!(scene.machine.tell(app, &entries), ["conflict", "accepted"]);
    assert_eq!(loan_status(app, loan), "voided", "what was said first stands");
    expect_door(app, &scene.machine, 3, "occupied");
    let asked = scene.conflicts(app, "");
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (
            &asked[0]["reason"],
            &asked[0]["loan"]["id"],
            &asked[0]["item_id"],
            &asked[0]["act"]["kind"]
        ),
        (
            &json!("said_otherwise"),
            &json!(loan),
            &json!(scene.item),
            &json!("loan_taken")
        )
    );
    app.assert_sound();
    let answer = json!({"resolution": "record_stands", "reason": "书在柜中"});
    scene.resolve(app, &asked[0], &answer).expect(200);
    app.assert_sound();
}

fn a_question_of_a_report_is_taken_over_by_the_entry_that_says_the_same(app: &TestApp) {
    let scene = with_book(app);
    let loan = reserved(app, &scene);
    silence(app);
    confirm(app, loan, false);
    report(app, &scene.machine, 3, &json!({"door": "closed", "inside": "empty"})).expect(200);
    let asked = scene.conflicts(app, "");
    assert_eq!((asked.len(), &asked[0]["act"]), (1, &Value::Null));
    let raised = "SELECT count(*) AS n FROM events WHERE kind = 'conflict_raised'";
    assert_eq!(app.database.outside().number(raised), 1);
    let taken = said("loan_taken", ago(app, 740), &json!({"loan_id": loan}));
    assert_eq!(scene.machine.tell(app, &[scene.machine.entry(3, &taken)]), ["conflict"]);
    let again = scene.conflicts(app, "");
    assert_eq!((again.len(), &again[0]["id"]), (1, &asked[0]["id"]));
    assert_eq!(again[0]["act"]["kind"], "loan_taken");
    assert_eq!(app.database.outside().number(raised), 1, "nothing was raised anew");
    app.assert_sound();
}

fn a_loan_or_a_door_that_is_not_the_machines_is_looked_into(app: &TestApp) {
    let scene = with_book(app);
    let loan = reserved(app, &scene);
    let other = alone(app, "B1");
    let entries = [
        other.entry(1, &said("loan_not_taken", ago(app, 500), &json!({"loan_id": loan}))),
        // A check-out that became no loan, and one that was none.
        other.entry(2, &lent(ago(app, 400), &scene.tag, "NOBODY")),
        other.entry(3, &said("loan_taken", ago(app, 390), &json!({"sequence": 2}))),
        other.entry(4, &said("loan_taken", ago(app, 380), &json!({"sequence": 1}))),
        other.entry(
            5,
            &said(
                "compartment",
                ago(app, 370),
                &json!({"number": 9, "turn": 0, "door": "closed"}),
            ),
        ),
    ];
    assert_eq!(other.tell(app, &entries), ["conflict"; 5]);
    assert_eq!(loan_status(app, loan), "reserved");
    let ahead = json!({"number": 3, "turn": 99, "door": "closed", "inside": "empty"});
    let entry = scene.machine.entry(3, &said("compartment", ago(app, 360), &ahead));
    assert_eq!(scene.machine.tell(app, &[entry]), ["conflict"]);
    expect_door(app, &scene.machine, 3, "handing_out");
    let asked = scene.conflicts(app, "");
    assert_eq!(asked.len(), 6);
    let shown = asked.iter().filter(|one| one["reason"] == "said_otherwise");
    assert!(
        shown.clone().all(|one| one["loan"] == Value::Null),
        "of a loan of another machine nothing is shown"
    );
    for one in shown {
        let answer = json!({"resolution": "record_stands", "reason": "已核实"});
        scene.resolve(app, one, &answer).expect(200);
    }
    app.assert_sound();
}

fn a_turn_that_is_over_says_nothing_new(app: &TestApp) {
    let scene = with_book(app);
    let path = format!("/api/v1/devices/{}/compartments/3/unload", scene.machine.id);
    app.post(&app.root_token(), &path, &json!({})).expect(200);
    let seen = json!({"number": 3, "turn": 0, "door": "closed", "inside": "empty"});
    pass(app, 10);
    let entry = scene.machine.entry(2, &said("compartment", ago(app, 5), &seen));
    assert_eq!(scene.machine.tell(app, &[entry]), ["accepted"]);
    expect_door(app, &scene.machine, 3, "unloading");
    app.assert_sound();
}

fn another_book_than_is_known_to_lie_there_is_held(app: &TestApp) {
    let scene = with_book(app);
    let (item, _, tag) = book(app, "B1");
    pass(app, 600);
    let act = at_door(&back(ago(app, 300), &tag), 3);
    assert_eq!(scene.machine.tell(app, &[scene.machine.entry(2, &act)]), ["accepted"]);
    expect_door(app, &scene.machine, 3, "held");
    assert_eq!(scene.alarms(app), [("compartment_held".to_owned(), "3".to_owned())]);
    let shown = app
        .get(&app.root_token(), &format!("/api/v1/items/{item}"))
        .expect(200)
        .body;
    assert_eq!(shown["status"], "on_shelf");
    app.assert_sound();
}

fn a_book_handed_out_from_where_another_was_known_to_lie_makes_it_unsure(app: &TestApp) {
    let scene = with_book(app);
    let (_, _, tag) = book(app, "B1");
    pass(app, 600);
    let act = in_two_phases(&at_door(&lent(ago(app, 300), &tag, &scene.card), 3));
    let entries = [
        scene.machine.entry(2, &act),
        scene
            .machine
            .entry(3, &said("loan_taken", ago(app, 290), &json!({"sequence": 2}))),
    ];
    assert_eq!(scene.machine.tell(app, &entries), ["accepted", "accepted"]);
    assert_eq!(
        loan_status(app, scene.loans(app)[0]["id"].as_i64().expect("an id")),
        "confirmed"
    );
    expect_door(app, &scene.machine, 3, "unsure");
    assert_eq!(scene.alarms(app), [("compartment_unsure".to_owned(), "3".to_owned())]);
    app.assert_sound();
}

fn a_copy_lent_by_another_machine_lies_in_no_compartment_any_more(app: &TestApp) {
    let scene = with_book(app);
    let other = alone(app, "B1");
    let act = at_door(&lent(ago(app, 600), &scene.tag, &scene.card), 7);
    assert_eq!(other.tell(app, &[other.entry(1, &act)]), ["accepted"]);
    assert_eq!(scene.status(app), "on_loan");
    expect_door(app, &scene.machine, 3, "unsure");
    app.assert_sound();
}

fn asked_to_return(app: &TestApp, scene: &Scene) -> Value {
    let asked = app.post(
        &scene.machine.token,
        "/api/v1/device/returns",
        &json!({"size": "medium"}),
    );
    asked.expect(201).body
}

fn a_return_that_was_asked_for_before_the_network_was_gone_is_told_by_the_journal(app: &TestApp) {
    let scene = doors(app);
    scene.lend(app, &scene.card);
    pass(app, 120);
    let asked = asked_to_return(app, &scene);
    pass(app, 10);
    let told = json!({"number": asked["compartment"], "turn": asked["turn"], "door": "closed", "inside": "tags", "tags": [scene.tag]});
    let at = ago(app, 5);
    silence(app);
    let entry = scene.machine.entry(1, &said("compartment", at, &told));
    assert_eq!(scene.machine.tell(app, &[entry]), ["accepted"]);
    let loan = scene.loans(app)[0].clone();
    assert_eq!((&loan["status"], &loan["closed_at"]), (&json!("returned"), &json!(at)));
    assert_eq!(door(app, &scene.machine, 4)["item_barcode"], scene.barcode);
    expect_door(app, &scene.machine, 4, "occupied");
    app.assert_sound();
}

fn a_book_that_was_seen_since_does_not_lie_where_the_journal_says(app: &TestApp) {
    let scene = doors(app);
    scene.lend(app, &scene.card);
    pass(app, 120);
    let asked = asked_to_return(app, &scene);
    pass(app, 10);
    let at = ago(app, 5);
    silence(app);
    // Somebody took it out with a key and scanned it at the desk.
    app.post(&scene.desk, "/api/v1/check-ins", &json!({"item_tag": scene.tag}))
        .expect(200);
    let told = json!({"number": asked["compartment"], "turn": asked["turn"], "door": "closed", "inside": "tags", "tags": [scene.tag]});
    let entry = scene.machine.entry(1, &said("compartment", at, &told));
    assert_eq!(scene.machine.tell(app, &[entry]), ["accepted"]);
    expect_door(app, &scene.machine, 4, "unsure");
    assert_eq!(door(app, &scene.machine, 4)["item_barcode"], Value::Null);
    app.assert_sound();
}

fn the_same_reader_again_answers_what_was_asked(app: &TestApp) {
    let scene = with_book(app);
    let loan = reserved(app, &scene);
    let again = lent(ago(app, 300), &scene.tag, &scene.card);
    assert_eq!(scene.machine.tell(app, &[scene.machine.entry(3, &again)]), ["accepted"]);
    assert_eq!(loan_status(app, loan), "returned");
    assert_eq!(scene.loans(app).len(), 2);
    app.assert_sound();
}

fn a_check_out_that_was_released_is_known_by_its_number(app: &TestApp) {
    let scene = with_book(app);
    let (_, _, tag) = book(app, "B1");
    pass(app, 600);
    let machine = scene.machine.copied().again(app);
    let act = in_two_phases(&at_door(&lent(ago(app, 400), &scene.tag, &scene.card), 3));
    let entries = [machine.entry(2, &back(ago(app, 300), &tag)), machine.entry(3, &act)];
    assert_eq!(machine.tell(app, &entries), ["accepted", "quarantined"]);
    let line = scene.quarantine(app, "")[0].clone();
    assert_eq!(line["reason"], "clock_backwards");
    let answer = json!({"settlement": "released", "reason": "时钟已核对"});
    scene.settle(app, &line, &answer).expect(200);
    let loan = scene.loans(app)[0]["id"].as_i64().expect("an id");
    assert_eq!(loan_status(app, loan), "reserved");
    let taken = said("loan_taken", ago(app, 290), &json!({"sequence": 3}));
    assert_eq!(machine.tell(app, &[machine.entry(4, &taken)]), ["accepted"]);
    assert_eq!(loan_status(app, loan), "confirmed");
    app.assert_sound();
}

/// The book in compartment 3 was lent and its door ordered open, but the answer never came: the loan, and the turn that is known there.
fn answer_lost(app: &TestApp, scene: &Scene) -> (i64, i64) {
    let known = door(app, &scene.machine, 3)["turn"].as_i64().expect("a turn");
    let who = json!({"card_number": scene.card, "pin": crate::app::PIN});
    let session = app
        .post(&scene.machine.token, "/api/v1/device/locker-sessions", &who)
        .expect(201)
        .id();
    let path = format!("/api/v1/device/locker-sessions/{session}/loans");
    app.post(&scene.machine.token, &path, &json!({"compartment": 3}))
        .expect(200);
    let loan = app.database.outside().number("SELECT max(id) AS n FROM loans");
    assert_eq!(loan_status(app, loan), "reserved");
    assert_eq!(door(app, &scene.machine, 3)["turn"], known + 1);
    (loan, known)
}

/// The same act as the machine wrote it down when nobody had answered.
fn written_alone(app: &TestApp, scene: &Scene, two_phase: bool) -> Value {
    let act = at_door(&lent(app.clock.now(), &scene.tag, &scene.card), 3);
    if two_phase { in_two_phases(&act) } else { act }
}

/// One act of lending, whoever tells of the item.
#[track_caller]
fn expect_lent_once(app: &TestApp, scene: &Scene, loan: i64) {
    let sql = format!("SELECT count(*) AS n FROM loans WHERE item_id = {}", scene.item);
    assert_eq!(app.database.outside().number(&sql), 1);
    let made = format!(
        "SELECT count(*) AS n FROM events WHERE kind = 'loan_made' AND item_id = {}",
        scene.item
    );
    assert_eq!(app.database.outside().number(&made), 1);
    let told = format!("SELECT count(*) AS n FROM journal_entries WHERE kind = 'check_out' AND loan_id = {loan}");
    assert_eq!(
        app.database.outside().number(&told),
        1,
        "the entry is known by that loan"
    );
    assert_eq!(scene.conflicts(app, "").len(), 0);
    assert_eq!(scene.alarms(app), []);
    app.assert_sound();
}

/// The answer is lost, the machine goes on alone for ten seconds, and tells of it: the act, and what follows.
fn told_afterwards(app: &TestApp, two_phase: bool, heard: bool, follows: fn(i64) -> Value) -> (Scene, i64) {
    let scene = with_book(app);
    let (loan, known) = answer_lost(app, &scene);
    pass(app, 2);
    let act = scene.machine.entry(2, &written_alone(app, &scene, two_phase));
    pass(app, 8);
    let mut next = follows(known);
    next["at"] = json!(app.clock.now());
    let next = scene.machine.entry(3, &next);
    if !heard {
        silence(app);
        assert_eq!(loan_status(app, loan), "unconfirmed");
    }
    let status = loan_status(app, loan);
    assert_eq!(scene.machine.tell(app, std::slice::from_ref(&act)), ["accepted"]);
    assert_eq!(
        loan_status(app, loan),
        status,
        "that it was lent is known, not whether it was taken"
    );
    app.assert_sound();
    assert_eq!(scene.machine.tell(app, &[act, next]), ["duplicate", "accepted"]);
    (scene, loan)
}

fn what_was_lent_before_the_answer_was_lost_is_one_loan_that_was_taken(app: &TestApp) {
    let taken = |_| json!({"kind": "loan_taken", "sequence": 2});
    let (scene, loan) = told_afterwards(app, true, true, taken);
    assert_eq!(loan_status(app, loan), "confirmed");
    expect_door(app, &scene.machine, 3, "empty");
    assert_eq!(scene.status(app), "on_loan");
    expect_lent_once(app, &scene, loan);
}

fn so_it_is_when_the_machine_asks_in_one_phase_and_comes_back_late(app: &TestApp) {
    let taken = |_| json!({"kind": "loan_taken", "sequence": 2});
    let (scene, loan) = told_afterwards(app, false, false, taken);
    assert_eq!(loan_status(app, loan), "confirmed");
    expect_door(app, &scene.machine, 3, "empty");
    expect_lent_once(app, &scene, loan);
}

fn what_was_lent_before_the_answer_was_lost_is_void_when_it_was_not_taken(app: &TestApp) {
    let not_taken = |_| json!({"kind": "loan_not_taken", "sequence": 2});
    let (scene, loan) = told_afterwards(app, true, false, not_taken);
    assert_eq!(loan_status(app, loan), "voided");
    expect_door(app, &scene.machine, 3, "occupied");
    assert_eq!(scene.status(app), "on_shelf");
    expect_lent_once(app, &scene, loan);
}

fn so_it_is_when_the_machine_asks_in_one_phase_and_comes_back_soon(app: &TestApp) {
    let not_taken = |_| json!({"kind": "loan_not_taken", "sequence": 2});
    let (scene, loan) = told_afterwards(app, false, true, not_taken);
    assert_eq!(loan_status(app, loan), "voided");
    expect_door(app, &scene.machine, 3, "occupied");
    expect_lent_once(app, &scene, loan);
    // It lies there for the next one.
    let who = json!({"card_number": scene.card, "pin": crate::app::PIN});
    pass(app, 61);
    let session = app.post(&scene.machine.token, "/api/v1/device/locker-sessions", &who);
    let path = format!("/api/v1/device/locker-sessions/{}/loans", session.expect(201).id());
    let lent = app.post(&scene.machine.token, &path, &json!({"compartment": 3}));
    assert_eq!(lent.expect(200).body["granted"][0]["compartment"], 3);
    app.assert_sound();
}

fn what_is_seen_of_the_door_whose_turn_was_lost_is_said_of_the_loan(app: &TestApp) {
    // The machine knows the turn before.
    let empty =
        |turn: i64| json!({"kind": "compartment", "number": 3, "turn": turn, "door": "closed", "inside": "empty"});
    let (scene, loan) = told_afterwards(app, true, true, empty);
    assert_eq!(loan_status(app, loan), "confirmed");
    expect_door(app, &scene.machine, 3, "empty");
    expect_lent_once(app, &scene, loan);
}

fn so_it_is_of_a_door_that_never_opened(app: &TestApp) {
    let jammed = |turn: i64| json!({"kind": "compartment", "number": 3, "turn": turn, "door": "jammed"});
    let (scene, loan) = told_afterwards(app, false, false, jammed);
    assert_eq!(loan_status(app, loan), "voided");
    expect_door(app, &scene.machine, 3, "out_of_order");
    assert_eq!(scene.status(app), "on_shelf");
    app.assert_sound();
}

fn a_door_seen_before_the_book_was_handed_out_says_nothing_of_it(app: &TestApp) {
    let scene = with_book(app);
    let (loan, known) = answer_lost(app, &scene);
    let seen = json!({"number": 3, "turn": known, "door": "closed", "inside": "empty"});
    pass(app, 2);
    let seen = scene.machine.entry(2, &said("compartment", app.clock.now(), &seen));
    let act = scene.machine.entry(3, &written_alone(app, &scene, true));
    assert_eq!(scene.machine.tell(app, &[seen, act]), ["accepted", "accepted"]);
    assert_eq!(loan_status(app, loan), "reserved");
    expect_door(app, &scene.machine, 3, "handing_out");
    expect_lent_once(app, &scene, loan);
}
