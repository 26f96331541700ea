//! Readers at machines: one per screen, several books, browsing, and what does not belong to anybody there.

use std::thread;

use serde_json::json;

use crate::app::TestApp;
use crate::client::Request;
use crate::locker_scene::{
    Book, Locker, book, browsing, closed, loan_status, locker, ready, silence, tags, waiting_for,
};
use crate::notices::later;

on_both!(
    a_second_reader_waits_until_the_first_is_gone,
    two_readers_at_two_screens_get_one_book_once,
    several_books_open_one_door_after_the_other,
    another_units_machine_is_not_there,
    a_session_ends_by_itself_but_not_before_its_door,
    the_last_session_of_a_screen_ends_too,
    a_wrong_pin_opens_no_session_and_slows_the_next,
    a_reader_borrows_what_stands_in_a_browsing_machine,
    what_the_rules_refuse_stays_in_the_compartment,
    a_pull_list_names_the_compartment_of_a_browsing_machine,
);

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
    place_in(app, &locker, 3, &book);
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
            request.json(&json!({"compartment": 3})).send()
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
    // Whatever is behind the door that it points at.
    locker
        .borrow(app, session, 1)
        .expect_problem(409, "locker_session_ended");
    locker.session(app, &other).expect(201);
    app.assert_sound();
}

fn the_last_session_of_a_screen_ends_too(app: &TestApp) {
    let locker = locker(app);
    let (_, session) = ready(app, &locker);
    let ended = |how: &str| {
        let sql = format!("SELECT count(*) AS n FROM locker_sessions WHERE id = {session} AND {how}");
        app.database.outside().number(&sql)
    };
    assert_eq!(ended("ended_at IS NULL"), 1);
    silence(app);
    assert_eq!(ended("ended_how = 'idle'"), 1);
    locker.pick_up(app, session).expect_problem(409, "locker_session_ended");
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
    place_in(app, &locker, 3, &book);
    let (_, card) = app.reader("adult", "B1");
    let session = locker.session(app, &card).expect(201).body;
    assert_eq!(session["to_borrow"][0]["compartment"], 3);
    let session = session["id"].as_i64().expect("an id");
    locker.borrow(app, session, 2).expect_problem(409, "compartment_state");
    locker.borrow(app, session, 99).expect_fields(422, &["compartment"]);
    let lent = locker.borrow(app, session, 3).expect(200).body;
    let loan = lent["granted"][0]["loan"]["id"].as_i64().expect("an id");
    assert_eq!(lent["granted"][0]["loan"]["channel"], "kiosk");
    locker.says(app, 3, &closed("empty")).expect(200);
    assert_eq!(loan_status(app, loan), "confirmed");
    app.assert_sound();
}

fn what_the_rules_refuse_stays_in_the_compartment(app: &TestApp) {
    let locker = browsing(app);
    let book = book(app, &json!({"home_unit_code": "P1", "min_age_years": 18}));
    place_in(app, &locker, 3, &book);
    let (_, card) = app.reader("child", "B1");
    let session = locker.session(app, &card).expect(201).id();
    let lent = locker.borrow(app, session, 3).expect(200).body;
    assert_eq!(lent["granted"], json!([]));
    assert!(!lent["refused"][0]["refusals"].as_array().expect("reasons").is_empty());
    locker.expect_door(app, 3, "occupied");
    app.assert_sound();
}

fn a_pull_list_names_the_compartment_of_a_browsing_machine(app: &TestApp) {
    let locker = browsing(app);
    let book = book(app, &json!({"home_unit_code": "P1"}));
    place_in(app, &locker, 3, &book);
    let (_, card) = app.reader("adult", "B1");
    let body = json!({"card_number": card, "bib_id": book.bib, "pickup_unit_code": "B1"});
    app.post(&app.staff("librarian", "B1"), "/api/v1/holds", &body)
        .expect(201);
    let pulls = app.get(&locker.desk, "/api/v1/units/P1/pulls").expect(200).body;
    assert_eq!(
        (&pulls["items"][0]["item_barcode"], &pulls["items"][0]["compartment"]),
        (&json!(book.barcode), &json!(3))
    );
}

/// Puts a book of the machine's own stock into it.
pub fn place_in(app: &TestApp, locker: &Locker, number: u16, book: &Book) {
    let desk = app.staff("librarian", "B1");
    app.post(&desk, "/api/v1/check-ins", &json!({"item_barcode": book.barcode}))
        .expect(200);
    locker.loaded(app, number, book);
}
