//! A password or PIN of one's own: changed by whoever knows the old one, without any right, and it ends the other sessions.

use serde_json::{Value, json};

use crate::app::{PASSWORD, PIN, TestApp};
use crate::client::Answer;

on_both!(
    everybody_changes_their_own_password_with_the_old_one,
    a_manager_has_no_short_cut_to_the_own_password,
    an_old_password_is_guessed_no_faster_than_at_log_in,
    a_reader_who_changes_the_pin_stays_logged_in_here_only,
    nobody_is_told_more_of_an_account_that_is_not_below_them,
);

const NEW: &str = "another long password";

/// A member of staff with the id, and a session at B1.
fn member(app: &TestApp, role: &str) -> (i64, Value) {
    let username = format!("{role}.{}", app.next());
    let body = json!({"username": username, "name": "李", "password": PASSWORD,
        "roles": [{"role": role, "unit_code": "B1"}]});
    let id = app.post(&app.root_token(), "/api/v1/staff", &body).expect(201).id();
    let mut session = log_in(app, &username, PASSWORD).expect(201).body;
    session["username"] = username.into();
    (id, session)
}

fn log_in(app: &TestApp, username: &str, password: &str) -> Answer {
    app.log_in(&json!({"username": username, "password": password, "unit_code": "B1"}))
}

fn put(app: &TestApp, session: &Value, path: &str, body: &Value) -> Answer {
    let token = session["access_token"].as_str().expect("a token");
    app.request("PUT", path).bearer(token).json(body).send()
}

fn refresh(app: &TestApp, session: &Value) -> Answer {
    let body = json!({"refresh_token": session["refresh_token"]});
    app.request("POST", "/api/v1/sessions/refresh").json(&body).send()
}

fn everybody_changes_their_own_password_with_the_old_one(app: &TestApp) {
    app.small_network();
    let (id, here) = member(app, "courier");
    let username = here["username"].as_str().expect("a name");
    let elsewhere = log_in(app, username, PASSWORD).expect(201).body;
    let path = format!("/api/v1/staff/{id}/password");
    let set = |body: Value| put(app, &here, &path, &body);
    set(json!({"password": NEW})).expect_fields(422, &["old_password"]);
    set(json!({"password": NEW, "old_password": "a wrong password"})).expect_fields(422, &["old_password"]);
    set(json!({"password": "short", "old_password": PASSWORD})).expect_fields(422, &["password"]);
    log_in(app, username, PASSWORD).expect(201);

    let keyed = || {
        let token = here["access_token"].as_str().expect("a token");
        let request = app.request("PUT", &path).bearer(token).key("k");
        request
            .json(&json!({"password": NEW, "old_password": PASSWORD}))
            .send()
            .expect(200)
    };
    assert_eq!(keyed().body["roles"], json!([{"role": "courier", "unit_code": "B1"}]));
    assert_eq!(keyed().header("idempotency-replayed"), Some("true"));
    log_in(app, username, PASSWORD).expect_problem(401, "unauthenticated");
    log_in(app, username, NEW).expect(201);
    refresh(app, &elsewhere).expect_problem(401, "unauthenticated");
    refresh(app, &here).expect(200);
    let (other, _) = member(app, "courier");
    let another = format!("/api/v1/staff/{other}/password");
    put(
        app,
        &here,
        &another,
        &json!({"password": NEW, "old_password": PASSWORD}),
    )
    .expect_problem(403, "forbidden");
}

fn a_manager_has_no_short_cut_to_the_own_password(app: &TestApp) {
    app.small_network();
    let (id, manager) = member(app, "unit_manager");
    let path = format!("/api/v1/staff/{id}/password");
    put(app, &manager, &path, &json!({"password": NEW})).expect_fields(422, &["old_password"]);
    put(
        app,
        &manager,
        &path,
        &json!({"password": NEW, "old_password": PASSWORD}),
    )
    .expect(200);
    // Of somebody below, without: nothing is kept of them.
    let (below, session) = member(app, "courier");
    put(
        app,
        &manager,
        &format!("/api/v1/staff/{below}/password"),
        &json!({"password": NEW}),
    )
    .expect(200);
    refresh(app, &session).expect_problem(401, "unauthenticated");
}

fn an_old_password_is_guessed_no_faster_than_at_log_in(app: &TestApp) {
    app.small_network();
    let (id, session) = member(app, "courier");
    let path = format!("/api/v1/staff/{id}/password");
    let guess = |old: &str| put(app, &session, &path, &json!({"password": NEW, "old_password": old}));
    let slowed = (0..20)
        .map(|_| guess("a wrong password"))
        .find(|answer| answer.status == 429);
    assert!(
        slowed
            .expect("slowed down within 20 guesses")
            .header("retry-after")
            .is_some()
    );
    guess(PASSWORD).expect_problem(429, "too_many_log_ins");
    app.clock.set(TestApp::now() + chrono::TimeDelta::minutes(14));
    guess(PASSWORD).expect(200);
}

fn a_reader_who_changes_the_pin_stays_logged_in_here_only(app: &TestApp) {
    app.small_network();
    let (id, card) = app.reader("adult", "B1");
    let session = || app.log_in(&json!({"card_number": card, "pin": PIN})).expect(201).body;
    let (here, elsewhere) = (session(), session());
    let path = format!("/api/v1/readers/{id}/pin");
    put(app, &here, &path, &json!({"pin": "730915", "old_pin": PIN})).expect(200);
    refresh(app, &elsewhere).expect_problem(401, "unauthenticated");
    let here = refresh(app, &here).expect(200).body;
    // Set by staff, every session of the reader ends.
    let desk = json!({"access_token": app.staff("librarian", "B1")});
    put(app, &desk, &path, &json!({"pin": "481516"})).expect(200);
    refresh(app, &here).expect_problem(401, "unauthenticated");
}

fn nobody_is_told_more_of_an_account_that_is_not_below_them(app: &TestApp) {
    app.small_network();
    let (id, _) = member(app, "courier");
    let manager = json!({"access_token": app.staff("unit_manager", "M2")});
    // The password is no good either, which is none of their business.
    put(
        app,
        &manager,
        &format!("/api/v1/staff/{id}/password"),
        &json!({"password": "short"}),
    )
    .expect_problem(403, "forbidden");
    put(app, &manager, "/api/v1/staff/1/password", &json!({"password": NEW})).expect_problem(404, "not_found");

    // Of a colleague who also works elsewhere, only the roles here are shown.
    let both = json!({"username": "both", "name": "两处", "password": PASSWORD, "roles": [
        {"role": "librarian", "unit_code": "B1"}, {"role": "auditor", "unit_code": "M2"},
        {"role": "unit_manager", "unit_code": "C1"}]});
    app.post(&app.root_token(), "/api/v1/staff", &both).expect(201);
    let roles = |token: &str| {
        let page = app.get(token, "/api/v1/staff").expect(200).body;
        let items = page["items"].as_array().expect("items").clone();
        items.into_iter().find(|one| one["username"] == "both").expect("listed")["roles"].clone()
    };
    assert_eq!(
        roles(&app.staff("unit_manager", "M1")),
        json!([{"role": "librarian", "unit_code": "B1"}])
    );
    assert_eq!(roles(&app.root_token()).as_array().map(Vec::len), Some(3));
}
