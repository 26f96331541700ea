//! Units: the tree, its lists, and what a new unit may be.

use serde_json::{Value, json};

use crate::app::{ROOT, TestApp};

on_both!(
    a_unit_is_created_below_its_parent_and_found_again,
    every_wrong_field_of_a_new_unit_is_named_at_once,
    hours_closed_days_and_membership_are_checked,
    units_are_listed_page_by_page_and_filtered,
    a_manager_creates_units_in_its_own_subtree_only,
    the_same_key_creates_one_unit,
);

fn a_unit_is_created_below_its_parent_and_found_again(app: &TestApp) {
    app.unit("C1", "central", ROOT, &json!({}));
    let open = json!([{"opens": "09:00:00", "closes": "20:30:00"}]);
    let body = json!({
        "code": "M-1", "name": "江汉区图书馆", "kind": "main", "parent_code": "C1", "latitude": 30.6, "longitude": 114.27,
        "hours": [[], open, open, open, open, open, [{"opens": "09:00:00", "closes": "23:59:59"}]],
        "closed_days": [{"first": "2026-02-16", "last": "2026-02-20", "reason": "春节"}],
        "membership": [{"lend_away": false, "return_away": true, "readers_away": false},
            {"item_type": "book", "lend_away": true, "return_away": true, "readers_away": true}],
        "collections": [{"code": "float", "name": "漂流", "return_policy": "float_with_cap", "float_cap": 3}],
    });
    let made = app.post(&app.root_token(), "/api/v1/units", &body).expect(201);
    assert_eq!(made.header("location"), Some("/api/v1/units/M-1"));
    let unit = app.get(&app.root_token(), "/api/v1/units/M-1").expect(200).body;
    assert_eq!(unit["id"], made.body["id"]);
    assert_eq!(
        (&unit["parent_code"], &unit["lends"], &unit["latitude"]),
        (&json!("C1"), &json!(true), &json!(30.6))
    );
    assert_eq!(unit["hours"], body["hours"]);
    assert_eq!(unit["closed_days"], body["closed_days"]);
    let joined = |code: &str| -> Value {
        let rows = unit["membership"].as_array().expect("rows");
        rows.iter()
            .find(|row| row["item_type"] == code)
            .expect("every type is listed")
            .clone()
    };
    assert_eq!(joined("book")["lend_away"], true);
    assert_eq!(joined("periodical")["lend_away"], false);
    app.get(&app.root_token(), "/api/v1/units/M-2")
        .expect_problem(404, "not_found");
}

fn every_wrong_field_of_a_new_unit_is_named_at_once(app: &TestApp) {
    let token = app.root_token();
    let post = |body: Value| app.post(&token, "/api/v1/units", &body);
    let wrong =
        json!({"code": "a b", "name": "x", "kind": "network", "parent_code": "nowhere", "latitude": 91, "hours": []});
    post(wrong).expect_fields(422, &["code", "latitude", "longitude", "kind", "parent_code", "hours"]);
    post(json!({"code": "B1", "name": "x", "kind": "branch", "parent_code": ROOT}))
        .expect_fields(422, &["parent_code"]);
    post(json!({"code": ROOT, "name": "x", "kind": "main", "parent_code": ROOT})).expect_fields(422, &["code"]);
    post(json!({"code": "馆", "name": "x", "kind": "main", "parent_code": ROOT})).expect_fields(422, &["code"]);
    post(json!({"name": "x", "kind": "main", "parent_code": ROOT})).expect_fields(400, &["code"]);
    let long = "x".repeat(33);
    post(json!({"code": long, "name": "x", "kind": "main", "parent_code": ROOT})).expect_fields(400, &["code"]);
}

fn hours_closed_days_and_membership_are_checked(app: &TestApp) {
    let token = app.root_token();
    let with = |extra: Value| {
        let mut body = json!({"code": "C1", "name": "x", "kind": "central", "parent_code": ROOT});
        for (name, value) in extra.as_object().expect("an object") {
            body[name] = value.clone();
        }
        app.post(&token, "/api/v1/units", &body)
    };
    let day = |opens: &str, closes: &str| json!([[{"opens": opens, "closes": closes}], [], [], [], [], [], []]);
    with(json!({"hours": day("20:00:00", "09:00:00")})).expect_fields(422, &["hours"]);
    with(json!({"hours": day("09:00:30", "20:00:00")})).expect_fields(422, &["hours"]);
    with(json!({"hours": day("09:00:00", "24:00:00")})).expect_fields(400, &["hours[0][0].closes"]);
    with(json!({"closed_days": [{"first": "2026-02-20", "last": "2026-02-16", "reason": "x"}]}))
        .expect_fields(422, &["closed_days"]);
    with(json!({"closed_days": [{"first": "2026-02-30", "last": "2026-03-01", "reason": "x"}]}))
        .expect_fields(400, &["closed_days[0].first"]);
    let joined = json!({"lend_away": true, "return_away": true, "readers_away": true});
    with(json!({"membership": [joined, joined]})).expect_fields(422, &["membership"]);
    with(
        json!({"membership": [{"item_type": "scroll", "lend_away": true, "return_away": true, "readers_away": true}]}),
    )
    .expect_fields(422, &["membership"]);
    with(json!({"collections": [{"code": "a", "name": "a", "return_policy": "float_with_cap"}]}))
        .expect_fields(422, &["collections.float_cap"]);
    let many: Vec<_> = (0..101)
        .map(|n| json!({"code": format!("c{n}"), "name": "c", "return_policy": "home"}))
        .collect();
    with(json!({"collections": many})).expect_fields(400, &["collections[100]"]);
    with(json!({})).expect(201);
}

fn units_are_listed_page_by_page_and_filtered(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    let codes = |query: &str| -> Vec<String> {
        let answer = app.get(&token, &format!("/api/v1/units{query}")).expect(200);
        let items = answer.body["items"].as_array().expect("items").clone();
        items
            .iter()
            .map(|unit| unit["code"].as_str().expect("a code").to_owned())
            .collect()
    };
    assert_eq!(codes(""), [ROOT, "C1", "M1", "B1", "M2", "B2"]);
    assert_eq!(codes("?kind=branch"), ["B1", "B2"]);
    assert_eq!(codes("?parent=C1"), ["M1", "M2"]);
    assert_eq!(codes("?parent=C1&kind=branch"), [""; 0]);
    let mut seen = Vec::new();
    let mut query = "?limit=4".to_owned();
    loop {
        let page = app.get(&token, &format!("/api/v1/units{query}")).expect(200).body;
        seen.push(page["items"].as_array().expect("items").len());
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        query = format!("?limit=4&cursor={next}");
    }
    assert_eq!(seen, [4, 2]);
    app.get(&token, "/api/v1/units?parent=nowhere")
        .expect_fields(422, &["parent"]);
    app.get(&token, "/api/v1/units?kind=palace")
        .expect_fields(422, &["kind"]);
    app.get(&token, "/api/v1/units?limit=0").expect_fields(400, &["limit"]);
    app.get(&token, "/api/v1/units?cursor=1")
        .expect_fields(400, &["cursor"]);
}

fn a_manager_creates_units_in_its_own_subtree_only(app: &TestApp) {
    app.small_network();
    let manager = app.staff("unit_manager", "M1");
    let body = |code: &str, parent: &str| json!({"code": code, "name": "x", "kind": "branch", "parent_code": parent});
    app.post(&manager, "/api/v1/units", &body("B3", "M1")).expect(201);
    app.post(&manager, "/api/v1/units", &body("B4", "M2"))
        .expect_problem(403, "forbidden");
    app.post(&app.staff("librarian", "M1"), "/api/v1/units", &body("B5", "M1"))
        .expect_problem(403, "forbidden");
    app.get(&manager, "/api/v1/units/B4").expect_problem(404, "not_found");
}

fn the_same_key_creates_one_unit(app: &TestApp) {
    let token = app.root_token();
    let body = json!({"code": "C1", "name": "x", "kind": "central", "parent_code": ROOT});
    let send = |key: &str, body: &Value| {
        app.request("POST", "/api/v1/units")
            .bearer(&token)
            .key(key)
            .json(body)
            .send()
    };
    let first = send("k1", &body).expect(201);
    let again = send("k1", &body).expect(201);
    assert_eq!(
        (
            first.header("idempotency-replayed"),
            again.header("idempotency-replayed")
        ),
        (None, Some("true"))
    );
    assert_eq!(first.body, again.body);
    assert_eq!(again.header("location"), Some("/api/v1/units/C1"));
    send("k2", &body).expect_fields(422, &["code"]);
    let other = json!({"code": "C2", "name": "x", "kind": "central", "parent_code": ROOT});
    send("k1", &other).expect_problem(422, "idempotency_key_reused");
    // What was refused released its key.
    send("k2", &other).expect(201);
}
