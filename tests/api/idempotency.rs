//! One key, many callers at once: one effect, one answer.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::client::Answer;

on_both!(
    a_reader_registered_sixteen_times_at_once_is_one,
    a_unit_created_sixteen_times_at_once_is_one,
    keys_of_two_calls_that_want_the_same_do_not_share_an_answer,
);

const AT_ONCE: usize = 16;

/// The same call so many times at once.
fn at_once(app: &TestApp, token: &str, path: &str, calls: &[(String, Value)]) -> Vec<Answer> {
    let gate = std::sync::Barrier::new(calls.len());
    std::thread::scope(|scope| {
        let running: Vec<_> = calls
            .iter()
            .map(|(key, body)| {
                let request = app.request("POST", path).bearer(token).key(key).json(body);
                let gate = &gate;
                scope.spawn(move || {
                    gate.wait();
                    request.send()
                })
            })
            .collect();
        running.into_iter().map(|one| one.join().expect("no panic")).collect()
    })
}

#[track_caller]
fn acts_once(app: &TestApp, path: &str, body: &Value, table: &str, extra: i64) {
    let token = app.root_token();
    let mut outside = app.database.outside();
    let count = format!("SELECT count(*) AS n FROM {table}");
    let before = (
        outside.number(&count),
        outside.number("SELECT count(*) AS n FROM events"),
    );
    let calls = vec![("the-same".to_owned(), body.clone()); AT_ONCE];
    let answers = at_once(app, &token, path, &calls);
    let first = answers
        .iter()
        .find(|answer| answer.header("idempotency-replayed").is_none())
        .expect("one of them did it");
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (201, &first.body));
    }
    let replayed = answers
        .iter()
        .filter(|answer| answer.header("idempotency-replayed") == Some("true"));
    assert_eq!(replayed.count(), AT_ONCE - 1);
    let after = (
        outside.number(&count),
        outside.number("SELECT count(*) AS n FROM events"),
    );
    assert_eq!(after, (before.0 + extra, before.1 + 1), "one effect, one event");
}

fn a_reader_registered_sixteen_times_at_once_is_one(app: &TestApp) {
    app.small_network();
    let body = json!({"name": "李", "category": "adult", "home_unit_code": "B1", "card_number": "TWIN"});
    acts_once(app, "/api/v1/readers", &body, "readers", 1);
}

fn a_unit_created_sixteen_times_at_once_is_one(app: &TestApp) {
    app.small_network();
    let body = json!({"code": "B9", "name": "九馆", "kind": "branch", "parent_code": "M1"});
    acts_once(app, "/api/v1/units", &body, "units", 1);
}

fn keys_of_two_calls_that_want_the_same_do_not_share_an_answer(app: &TestApp) {
    app.small_network();
    let body = json!({"name": "李", "category": "adult", "home_unit_code": "B1", "card_number": "TWIN"});
    let calls: Vec<_> = (0..AT_ONCE).map(|n| (format!("key-{n}"), body.clone())).collect();
    let answers = at_once(app, &app.root_token(), "/api/v1/readers", &calls);
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let late = answers
        .iter()
        .filter(|answer| [409, 422].contains(&answer.status) && answer.header("idempotency-replayed").is_none())
        .count();
    assert_eq!((made, late), (1, AT_ONCE - 1));
}
