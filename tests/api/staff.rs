//! Members of staff: who may give which role where.

use serde_json::{Value, json};

use crate::app::{PASSWORD, TestApp};

on_both!(
    nobody_gives_more_than_they_have,
    every_wrong_field_of_a_new_member_is_named_at_once,
    a_replay_keeps_the_first_password,
);

fn member(username: &str, role: &str, unit: &str) -> Value {
    json!({"username": username, "name": "王老师", "password": PASSWORD, "roles": [{"role": role, "unit_code": unit}]})
}

fn nobody_gives_more_than_they_have(app: &TestApp) {
    app.small_network();
    let manager = app.staff("unit_manager", "M1");
    let give = |token: &str, username: &str, role: &str, unit: &str| {
        app.post(token, "/api/v1/staff", &member(username, role, unit))
    };
    let made = give(&manager, "a", "librarian", "B1").expect(201);
    assert_eq!(made.body["roles"], json!([{"role": "librarian", "unit_code": "B1"}]));
    give(&manager, "b", "unit_manager", "M1").expect(201);
    give(&manager, "c", "system", "M1").expect_problem(403, "forbidden");
    give(&manager, "c", "librarian", "M2").expect_problem(403, "forbidden");
    give(&manager, "c", "librarian", "C1").expect_problem(403, "forbidden");
    give(&app.staff("librarian", "M1"), "c", "librarian", "M1").expect_problem(403, "forbidden");
    give(&app.root_token(), "c", "system", "network").expect(201);
}

fn every_wrong_field_of_a_new_member_is_named_at_once(app: &TestApp) {
    let token = app.root_token();
    let post = |body: Value| app.post(&token, "/api/v1/staff", &body);
    let wrong =
        json!({"username": "王", "name": "x", "password": "short", "roles": [{"role": "king", "unit_code": "x"}]});
    post(wrong).expect_fields(422, &["username", "password", "roles", "roles"]);
    post(json!({"username": "a", "name": "x", "password": PASSWORD, "roles": []})).expect_fields(422, &["roles"]);
    post(member("root", "auditor", "network")).expect_fields(422, &["username"]);
    let extra = json!({"username": "a", "name": "x", "password": PASSWORD, "roles": [{"role": "auditor", "unit_code": "network", "x": 1}]});
    post(extra).expect_fields(400, &["roles[0].x"]);
}

fn a_replay_keeps_the_first_password(app: &TestApp) {
    let token = app.root_token();
    let send = || {
        let request = app.request("POST", "/api/v1/staff").bearer(&token).key("k");
        request.json(&member("a", "auditor", "network")).send().expect(201)
    };
    assert_eq!(send().body, send().body);
    app.staff_token("a", None);
}
