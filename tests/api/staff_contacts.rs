//! A forgotten password of the staff: where its code goes, and who says so.

use serde_json::{Value, json};

use crate::app::{PASSWORD, TestApp};
use crate::client::Answer;
use crate::notices::{Letters, later, sent};

on_both!(
    a_forgotten_password_is_set_by_the_code_that_was_mailed,
    an_account_without_an_address_is_sent_nothing,
    the_own_address_takes_the_password_and_that_of_others_a_right,
    a_code_counts_five_attempts_and_not_after_another_address,
);

const NEW: &str = "quite another one";

/// A member of staff at B1: id and user name.
fn member(app: &TestApp) -> (i64, String) {
    let username = format!("desk.{}", app.next());
    let body = json!({"username": username, "name": "王老师", "password": PASSWORD,
        "roles": [{"role": "librarian", "unit_code": "B1"}]});
    (
        app.post(&app.root_token(), "/api/v1/staff", &body).expect(201).id(),
        username,
    )
}

fn set(app: &TestApp, token: &str, id: i64, body: &Value) -> Answer {
    let path = format!("/api/v1/staff/{id}/contact");
    app.request("PUT", &path).bearer(token).json(body).send()
}

fn ask(app: &TestApp, username: &str) -> Answer {
    app.request("POST", "/api/v1/sessions/resets")
        .json(&json!({"username": username}))
        .send()
}

fn redeem(app: &TestApp, username: &str, code: &str) -> Answer {
    app.request("POST", "/api/v1/sessions/resets/redemption")
        .json(&json!({"username": username, "code": code, "new_password": NEW}))
        .send()
}

/// The code that was made last.
fn code(app: &TestApp) -> String {
    let last = app
        .database
        .outside()
        .number("SELECT id AS n FROM reset_codes ORDER BY made_at DESC LIMIT 1");
    app.app.derived().code(last)
}

fn log_in(app: &TestApp, username: &str, password: &str) -> Answer {
    app.log_in(&json!({"username": username, "password": password}))
}

fn a_forgotten_password_is_set_by_the_code_that_was_mailed(app: &TestApp) {
    app.small_network();
    let (id, username) = member(app);
    let address = json!({"mail": "wang@example.org"});
    let told = set(app, &app.staff("unit_manager", "M1"), id, &address)
        .expect(200)
        .body;
    assert_eq!(told["mail"], "w***@example.org");
    let before = log_in(app, &username, PASSWORD).expect(201);
    ask(app, &username).expect(204);
    let mails = sent(app, Letters::default());
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to.as_str(), "wang@example.org");
    assert!(mails[0].letter.text.contains(&code(app)));
    redeem(app, &username, &code(app)).expect(204);
    redeem(app, &username, &code(app)).expect_fields(422, &["code"]);
    log_in(app, &username, PASSWORD).expect_problem(401, "unauthenticated");
    log_in(app, &username, NEW).expect(201);
    let refresh = json!({"refresh_token": before.body["refresh_token"]});
    let ended = app.request("POST", "/api/v1/sessions/refresh").json(&refresh).send();
    ended.expect_problem(401, "unauthenticated");
    // Nothing of the address stands in clear in what was kept.
    let kept = "SELECT count(*) AS n FROM events e LEFT JOIN event_personal p ON p.seq = e.seq \
        WHERE e.detail LIKE '%example%' OR p.data LIKE '%example%'";
    assert_eq!(app.database.outside().number(kept), 0);
    app.assert_sound();
}

fn an_account_without_an_address_is_sent_nothing(app: &TestApp) {
    app.small_network();
    let (id, username) = member(app);
    let root = app.root_token();
    set(app, &root, id, &json!({"mail": "wang@example.org"})).expect(200);
    assert!(set(app, &root, id, &json!({})).expect(200).body["mail"].is_null());
    let answers = [ask(app, &username), ask(app, "nobody.here")];
    assert_eq!(answers[0].status, 204);
    assert_eq!(answers[0].bytes, answers[1].bytes);
    assert_eq!(answers[1].status, 204);
    assert_eq!(
        app.database.outside().number("SELECT count(*) AS n FROM reset_codes"),
        0
    );
    assert_eq!(app.database.outside().number("SELECT count(*) AS n FROM outbox"), 0);
    redeem(app, &username, "000000").expect_fields(422, &["code"]);
}

fn the_own_address_takes_the_password_and_that_of_others_a_right(app: &TestApp) {
    app.small_network();
    let (id, username) = member(app);
    let own = app.staff_token(&username, Some("B1"));
    set(app, &own, id, &json!({"mail": "wang@example.org"})).expect_fields(422, &["password"]);
    let wrong = json!({"mail": "wang@example.org", "password": "a wrong password"});
    set(app, &own, id, &wrong).expect_fields(422, &["password"]);
    let right = json!({"mail": "wang@example.org", "password": PASSWORD});
    set(app, &own, id, &right).expect(200);
    let (other, _) = member(app);
    set(app, &own, other, &json!({"mail": "wang@example.org"})).expect_problem(403, "forbidden");
    let manager = app.staff("unit_manager", "M1");
    set(app, &manager, other, &right).expect_fields(422, &["password"]);
    set(
        app,
        &manager,
        other,
        &json!({"mail": "wang@example.org\r\nBcc: a@example.org"}),
    )
    .expect_fields(400, &["mail"]);
    set(app, &manager, other, &json!({"mail": "nobody"})).expect_fields(422, &["mail"]);
    set(
        app,
        &app.staff("unit_manager", "M2"),
        other,
        &json!({"mail": "a@example.org"}),
    )
    .expect_problem(403, "forbidden");
    // Of the system user the manager sets nothing.
    let root = app
        .database
        .outside()
        .number("SELECT id AS n FROM staff WHERE username = 'root'");
    set(app, &manager, root, &json!({"mail": "a@example.org"})).expect_problem(403, "forbidden");
    let listed = app.get(&manager, "/api/v1/staff").expect(200).body;
    let members = listed["items"].as_array().expect("items");
    let of = |id: i64| members.iter().find(|one| one["id"] == id).expect("listed")["mail"].clone();
    assert_eq!((of(id), of(other)), (json!("w***@example.org"), Value::Null));
}

fn a_code_counts_five_attempts_and_not_after_another_address(app: &TestApp) {
    app.small_network();
    let (id, username) = member(app);
    let root = app.root_token();
    set(app, &root, id, &json!({"mail": "wang@example.org"})).expect(200);
    ask(app, &username).expect(204);
    set(app, &root, id, &json!({"mail": "li@example.org"})).expect(200);
    assert_eq!(
        sent(app, Letters::default()),
        [],
        "it would go to another address than it was made for"
    );
    redeem(app, &username, &code(app)).expect_fields(422, &["code"]);
    ask(app, &username).expect(204);
    let right = code(app);
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        later(app, 60);
        redeem(app, &username, wrong).expect_fields(422, &["code"]);
    }
    later(app, 60);
    redeem(app, &username, &right).expect_fields(422, &["code"]);
    later(app, 3600);
    ask(app, &username).expect(204);
    later(app, 600);
    redeem(app, &username, &code(app)).expect_fields(422, &["code"]);
    log_in(app, &username, PASSWORD).expect(201);
}
