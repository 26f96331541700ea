//! Readers: registration, and who sees whom.

use serde_json::{Value, json};
use tongjie::usecase::change_categories::ChangeCategories;
use tongjie::usecase::run_job::Pass;

use crate::app::{PIN, TestApp};

on_both!(
    a_reader_is_registered_and_found_again,
    every_wrong_field_of_a_new_reader_is_named_at_once,
    an_id_number_gets_in_by_no_other_door,
    readers_grow_into_the_next_category_on_their_birthday,
    the_age_must_fit_the_category,
    a_card_number_is_taken_once,
    a_registration_is_answered_again_when_it_would_be_wrong_today,
    readers_see_themselves_only,
    what_a_person_borrows_is_for_few_roles,
);

fn new_reader(extra: &Value) -> Value {
    let mut body = json!({"name": "李读者", "category": "adult", "home_unit_code": "B1", "card_number": "JC1"});
    for (name, value) in extra.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

fn a_reader_is_registered_and_found_again(app: &TestApp) {
    app.small_network();
    let librarian = app.staff("librarian", "B1");
    let body = new_reader(
        &json!({"pin": PIN, "birth_date": "1990-02-28", "card_expires_on": "2030-01-01",
        "card_kind": "e_card", "note": "只收短信"}),
    );
    let made = app.post(&librarian, "/api/v1/readers", &body).expect(201);
    assert_eq!(
        made.header("location"),
        Some(format!("/api/v1/readers/{}", made.id()).as_str())
    );
    assert_eq!(
        made.body,
        json!({"id": made.id(), "category": "adult", "home_unit_code": "B1"})
    );
    let reader = app
        .get(&librarian, &format!("/api/v1/readers/{}", made.id()))
        .expect(200)
        .body;
    assert_eq!(
        (&reader["name"], &reader["note"], &reader["status"]),
        (&json!("李读者"), &json!("只收短信"), &json!("active"))
    );
    assert_eq!(
        (&reader["birth_date"], &reader["credit_band"]),
        (&json!("1990-02-28"), &json!("b"))
    );
    let card = &reader["cards"][0];
    assert_eq!(
        (&card["number"], &card["kind"], &card["expires_on"]),
        (&json!("JC1"), &json!("e_card"), &json!("2030-01-01"))
    );
    assert!(!reader.to_string().contains(PIN));
    app.get(&librarian, "/api/v1/readers/1")
        .expect_problem(404, "not_found");
    app.get(&librarian, "/api/v1/readers/x").expect_fields(400, &["id"]);
}

fn every_wrong_field_of_a_new_reader_is_named_at_once(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    let post = |extra: Value| app.post(&token, "/api/v1/readers", &new_reader(&extra));
    let wrong = json!({"category": "king", "home_unit_code": "x", "card_kind": "papyrus", "card_expires_on": "2026-03-03",
        "pin": "123456", "birth_date": "2026-03-05"});
    let all = [
        "category",
        "home_unit_code",
        "card_kind",
        "card_expires_on",
        "pin",
        "birth_date",
    ];
    post(wrong).expect_fields(422, &all);
    post(json!({"card_number": "a b"})).expect_fields(400, &["card_number"]);
    post(json!({"card_number": "x".repeat(65)})).expect_fields(400, &["card_number"]);
    post(json!({"birth_date": "28.2.1990"})).expect_fields(400, &["birth_date"]);
    post(json!({"name": ""})).expect_fields(400, &["name"]);
    post(json!({"id_number": "110105194912310021"})).expect_fields(422, &["id_number"]);
}

fn readers_grow_into_the_next_category_on_their_birthday(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    let consent = app.consent();
    let post = |category: &str, born: &str, card: &str| {
        let guardian = if category == "child" { &consent } else { &Value::Null };
        let extra = json!({"category": category, "birth_date": born, "card_number": card, "guardian": guardian});
        app.post(&token, "/api/v1/readers", &new_reader(&extra))
            .expect(201)
            .id()
    };
    let readers = [
        (post("child", "2012-03-05", "A1"), "adult"),
        (post("child", "2012-03-06", "A2"), "child"),
        (post("adult", "1966-03-05", "A3"), "senior"),
        (post("adult", "1966-03-06", "A4"), "adult"),
        (post("senior", "1940-01-01", "A5"), "senior"),
        (post("disabled", "1966-03-05", "A6"), "disabled"),
    ];
    let run = || {
        let store = &app.app.store;
        app.block_on(async {
            let look = store
                .read(ChangeCategories.look(0, app.clock.now()))
                .await
                .expect("reads");
            ChangeCategories.act(store, look.work).await.expect("changes")
        })
    };
    app.clock.set(TestApp::now() + chrono::TimeDelta::days(1));
    assert_eq!(run(), 2);
    let token = app.root_token();
    for (reader, category) in readers {
        let shown = app.get(&token, &format!("/api/v1/readers/{reader}")).expect(200).body;
        assert_eq!(shown["category"], json!(category), "{shown}");
    }
    let told = "SELECT count(*) AS n FROM events WHERE kind = 'reader_changed' AND detail LIKE '%was_category_id%'";
    assert_eq!(app.database.outside().number(told), 2);
    assert_eq!(run(), 0, "once");
    app.assert_sound();
}

fn an_id_number_gets_in_by_no_other_door(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    let post = |extra: Value| app.post(&token, "/api/v1/readers", &new_reader(&extra));
    for number in ["11010519491231002X", "110105491231002", "JC11010519491231002X"] {
        post(json!({"card_number": number})).expect_fields(422, &["card_number"]);
    }
    // A person's own card has no number that could be typed, and neither note nor name has the number in it.
    for kind in ["id_card", "social_security"] {
        post(json!({"card_kind": kind})).expect_fields(422, &["card_kind"]);
    }
    for text in [
        "身份证 11010519491231002X",
        "110105 19491231 002x",
        "旧号110105491231002",
    ] {
        for member in ["note", "name"] {
            let refused = post(json!({member: text})).expect_fields(400, &[member]);
            assert!(
                !refused.body.to_string().contains("1231002"),
                "it is not repeated: {}",
                refused.body
            );
        }
    }
    let explain = app.get(
        &token,
        "/api/v1/rules/explain?card_number=11010519491231002X&unit_code=B1",
    );
    explain.expect_fields(400, &["card_number"]);
}

fn the_age_must_fit_the_category(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    let consent = app.consent();
    let post = |category: &str, born: &str, card: &str| {
        let guardian = if category == "senior" { &Value::Null } else { &consent };
        let extra = json!({"category": category, "birth_date": born, "card_number": card, "guardian": guardian});
        app.post(&token, "/api/v1/readers", &new_reader(&extra))
    };
    // Today is 4 March 2026.
    post("adult", "2012-03-05", "A1").expect_fields(422, &["birth_date"]);
    post("adult", "2012-03-04", "A1").expect(201);
    post("child", "2012-03-04", "A2").expect_fields(422, &["birth_date"]);
    post("child", "2012-03-05", "A2").expect(201);
    post("senior", "1966-03-05", "A3").expect_fields(422, &["birth_date"]);
    post("senior", "1800-01-01", "A3").expect_fields(422, &["birth_date"]);
}

fn a_card_number_is_taken_once(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    app.post(&token, "/api/v1/readers", &new_reader(&json!({}))).expect(201);
    app.post(&token, "/api/v1/readers", &new_reader(&json!({})))
        .expect_fields(422, &["card_number"]);
}

fn readers_see_themselves_only(app: &TestApp) {
    app.small_network();
    let (id, card) = app.reader("adult", "B1");
    let (other, _) = app.reader("adult", "B1");
    let token = app.reader_token(&card);
    let own = app.get(&token, &format!("/api/v1/readers/{id}")).expect(200);
    assert!(own.body["note"].is_null());
    for path in ["", "/loans", "/holds"] {
        app.get(&token, &format!("/api/v1/readers/{id}{path}")).expect(200);
        app.get(&token, &format!("/api/v1/readers/{other}{path}"))
            .expect_problem(404, "not_found");
    }
    app.post(&token, "/api/v1/readers", &new_reader(&json!({})))
        .expect_problem(403, "forbidden");
    app.post(&token, "/api/v1/check-outs", &json!({}))
        .expect_problem(403, "forbidden");
}

fn what_a_person_borrows_is_for_few_roles(app: &TestApp) {
    app.small_network();
    let (id, _) = app.reader("adult", "B1");
    let (profile, loans) = (format!("/api/v1/readers/{id}"), format!("/api/v1/readers/{id}/loans"));
    let cashier = app.staff("cashier", "M1");
    app.get(&cashier, &profile).expect(200);
    app.get(&cashier, &loans).expect_problem(403, "forbidden");
    app.get(&app.staff("auditor", "C1"), &profile)
        .expect_problem(403, "forbidden");
    app.get(&app.staff("librarian", "B2"), &loans).expect(200);
    app.get(&app.root_token(), "/api/v1/readers/1/loans")
        .expect_problem(404, "not_found");
    app.get(&app.root_token(), &format!("{loans}?status=closed"))
        .expect_fields(400, &["status"]);
}

fn a_registration_is_answered_again_when_it_would_be_wrong_today(app: &TestApp) {
    app.small_network();
    let today = TestApp::now().format("%Y-%m-%d").to_string();
    let body = new_reader(&json!({"card_expires_on": today}));
    let send = |key: &str| {
        app.request("POST", "/api/v1/readers")
            .bearer(&app.root_token())
            .key(key)
            .json(&body)
            .send()
    };
    let made = send("k").expect(201);
    app.clock.set(TestApp::now() + chrono::TimeDelta::days(3));
    let again = send("k").expect(201);
    assert_eq!(
        (again.header("idempotency-replayed"), &again.body),
        (Some("true"), &made.body)
    );
    send("another").expect_fields(422, &["card_expires_on"]);
}
