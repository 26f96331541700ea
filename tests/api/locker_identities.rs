//! Who a reader is at a machine: the code of an electronic card on a phone, or an ID card and the PIN.

use serde_json::{Value, json};

use crate::app::{PIN, TestApp};
use crate::client::Answer;
use crate::id_numbers::id_number;
use crate::locker_scene::{Locker, Waiting, locker, waiting};
use crate::notices::later;

on_both!(
    the_code_of_a_phone_opens_a_session_and_lends_what_lies_ready,
    a_code_opens_sessions_at_one_machine,
    a_code_that_is_over_forged_or_revoked_opens_none,
    an_id_card_and_its_pin_open_a_session,
    guesses_at_an_id_cards_pin_slow_down_every_card_of_the_reader,
);

const SESSIONS: &str = "/api/v1/device/locker-sessions";

/// What the phone shows.
fn code(app: &TestApp, phone: &str) -> String {
    let shown = app.get(phone, "/api/v1/me/card").expect(200).body;
    shown["token"].as_str().expect("a token").to_owned()
}

fn shows(app: &TestApp, locker: &Locker, code: &str) -> Answer {
    app.post(&locker.token, SESSIONS, &json!({"card_token": code}))
}

#[track_caller]
fn expect_refusal(answer: Answer, code: &str) {
    let told = answer.expect_problem(409, "refused").body;
    let codes: Vec<&Value> = told["refusals"].as_array().expect("refusals").iter().collect();
    assert_eq!((codes.len(), &codes[0]["code"]), (1, &json!(code)), "{told}");
}

fn the_code_of_a_phone_opens_a_session_and_lends_what_lies_ready(app: &TestApp) {
    let locker = locker(app);
    let waiting = waiting(app);
    locker.loaded(app, 2, &waiting.book);
    let code = code(app, &app.reader_token(&waiting.card));
    let session = shows(app, &locker, &code).expect(201).body;
    assert_eq!(session["ready"][0]["hold_id"], waiting.hold);
    // Shown once more at the same screen it goes on with the same session, also when its minute is over.
    later(app, 50);
    assert_eq!(shows(app, &locker, &code).expect(201).body["id"], session["id"]);
    let lent = locker
        .pick_up(app, session["id"].as_i64().expect("an id"))
        .expect(200)
        .body;
    assert_eq!(lent["granted"][0]["loan"]["reader_id"], waiting.reader);
    app.assert_sound();
}

fn a_code_opens_sessions_at_one_machine(app: &TestApp) {
    let locker = locker(app);
    let other = Locker::at(app, "P1", "locker");
    let Waiting { card, .. } = waiting(app);
    let code = code(app, &app.reader_token(&card));
    shows(app, &locker, &code).expect(201);
    expect_refusal(shows(app, &other, &code), "card_token_used");
    // Nor at a desk.
    let lent = app.post(&locker.desk, "/api/v1/card-sessions", &json!({"card_token": code}));
    expect_refusal(lent, "card_token_used");
    app.assert_sound();
}

fn a_code_that_is_over_forged_or_revoked_opens_none(app: &TestApp) {
    let locker = locker(app);
    let Waiting { reader, card, .. } = waiting(app);
    let phone = app.reader_token(&card);
    let old = code(app, &phone);
    later(app, 66);
    expect_refusal(shows(app, &locker, &old), "card_token_expired");
    let shown = code(app, &phone);
    let forged = format!("{}A{}", &shown[..shown.len() - 5], &shown[shown.len() - 4..]);
    assert_ne!(forged, shown);
    expect_refusal(shows(app, &locker, &forged), "card_token_invalid");
    let path = format!("/api/v1/readers/{reader}/card-token-revocations");
    app.post(&app.staff("librarian", "B1"), &path, &json!({})).expect(200);
    expect_refusal(shows(app, &locker, &shown), "card_token_revoked");
    // Spent or not, nobody has a session by it.
    assert_eq!(
        app.database
            .outside()
            .number("SELECT count(*) AS n FROM locker_sessions"),
        0
    );
    app.assert_sound();
}

/// A reader whose ID card is a card: reader, card, and the number.
fn with_id_card(app: &TestApp) -> (i64, String, String) {
    let desk = app.staff("librarian", "B1");
    let (reader, card) = app.reader("adult", "B1");
    let number = id_number(app.next());
    let reader_path = format!("/api/v1/readers/{reader}");
    let request = app.request("PUT", &format!("{reader_path}/id-number")).bearer(&desk);
    request.json(&json!({"id_number": number})).send().expect(200);
    app.post(&desk, &format!("{reader_path}/cards"), &json!({"kind": "id_card"}))
        .expect(201);
    (reader, card, number)
}

fn with_number(app: &TestApp, locker: &Locker, number: &str, pin: &str) -> Answer {
    app.post(&locker.token, SESSIONS, &json!({"id_number": number, "pin": pin}))
}

fn an_id_card_and_its_pin_open_a_session(app: &TestApp) {
    let locker = locker(app);
    let (reader, card, number) = with_id_card(app);
    let ask = || {
        let request = app.request("POST", SESSIONS).bearer(&locker.token).key("here-i-am");
        request
            .json(&json!({"id_number": number, "pin": PIN}))
            .send()
            .expect(201)
    };
    let (first, again) = (ask(), ask());
    assert_eq!(again.body["id"], first.body["id"], "answered again under its key");
    let of_reader = format!("SELECT count(*) AS n FROM locker_sessions WHERE reader_id = {reader}");
    assert_eq!(app.database.outside().number(&of_reader), 1);
    assert_eq!(
        locker.session(app, &card).expect(201).id(),
        first.id(),
        "the same reader"
    );
    assert!(!first.body.to_string().contains(&number), "{}", first.body);
    // Nobody's number and a wrong PIN are told in the same words; neither opens anything.
    let nobody = with_number(app, &locker, &id_number(900), PIN)
        .expect_fields(422, &["pin"])
        .body;
    let wrong = with_number(app, &locker, &number, "999999")
        .expect_fields(422, &["pin"])
        .body;
    assert_eq!(nobody["errors"], wrong["errors"]);
    let both = json!({"id_number": number, "card_number": card, "pin": PIN});
    app.post(&locker.token, SESSIONS, &both)
        .expect_fields(422, &["id_number"]);
    app.post(&locker.token, SESSIONS, &json!({"id_number": number}))
        .expect_fields(422, &["pin"]);
    // `tongjie check` finds no number in any column.
    app.assert_sound();
}

fn guesses_at_an_id_cards_pin_slow_down_every_card_of_the_reader(app: &TestApp) {
    let locker = locker(app);
    let (_, card, number) = with_id_card(app);
    let slowed = (0..12).any(|_| with_number(app, &locker, &number, "999999").status == 429);
    assert!(slowed);
    let told = with_number(app, &locker, &number, PIN).expect_problem(429, "too_many_log_ins");
    assert!(told.header("retry-after").is_some());
    locker.session(app, &card).expect_problem(429, "too_many_log_ins");
    app.assert_sound();
}
