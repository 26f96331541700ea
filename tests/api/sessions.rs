//! Log-in, refresh, log-out.

use chrono::Duration;
use serde_json::json;
use tongjie::auth::{Audience, Claims, Grant, Role};

use crate::app::{PASSWORD, PIN, ROOT_USER, TestApp};

on_both!(
    staff_log_in_at_the_unit_of_their_highest_role,
    a_desk_can_be_chosen_within_the_subtree_of_a_role,
    readers_and_devices_log_in,
    every_wrong_log_in_is_answered_the_same,
    a_log_in_says_which_member_does_not_belong,
    a_refresh_token_is_good_once_and_a_second_use_ends_the_family,
    log_out_ends_the_family_and_may_be_repeated,
    log_out_everywhere_ends_every_family_of_one_person,
    staff_end_the_sessions_of_those_they_manage,
    an_access_token_ends_after_its_minutes,
    other_tokens_are_refused_without_detail,
);

fn claims(app: &TestApp, token: &str) -> Claims {
    let all = [Audience::Staff, Audience::Reader, Audience::Device];
    (*app.app.tokens.verify(token, &all, app.clock.now()).expect("genuine")).clone()
}

fn staff_log_in_at_the_unit_of_their_highest_role(app: &TestApp) {
    let answer = app
        .log_in(&json!({"username": ROOT_USER, "password": PASSWORD}))
        .expect(201);
    assert_eq!(answer.body["expires_in"], 900);
    assert_eq!(
        (&answer.body["audience"], &answer.body["unit_code"]),
        (&json!("staff"), &json!("network"))
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.body["refresh_token"].is_string());
    let grants = claims(app, answer.body["access_token"].as_str().expect("a token")).grants;
    assert_eq!(
        grants.iter().map(|grant| grant.role).collect::<Vec<_>>(),
        [Role::System]
    );
}

fn a_desk_can_be_chosen_within_the_subtree_of_a_role(app: &TestApp) {
    app.small_network();
    let body = json!({"username": "two.roles", "name": "王", "password": PASSWORD,
        "roles": [{"role": "librarian", "unit_code": "M1"}, {"role": "courier", "unit_code": "B2"}]});
    app.post(&app.root_token(), "/api/v1/staff", &body).expect(201);
    let at = |code: &str| app.log_in(&json!({"username": "two.roles", "password": PASSWORD, "unit_code": code}));
    let roles = |code: &str| {
        let token = at(code).expect(201).body["access_token"]
            .as_str()
            .expect("a token")
            .to_owned();
        claims(app, &token)
            .grants
            .into_iter()
            .map(|grant: Grant| grant.role)
            .collect::<Vec<_>>()
    };
    assert_eq!(roles("M1"), [Role::Librarian]);
    assert_eq!(roles("B1"), [Role::Librarian]);
    assert_eq!(roles("B2"), [Role::Courier]);
    for code in ["C1", "M2", "network", "nowhere"] {
        at(code).expect_fields(422, &["unit_code"]);
    }
    // Only who knows the password learns anything about units.
    let wrong = json!({"username": "two.roles", "password": "a wrong password", "unit_code": "nowhere"});
    app.log_in(&wrong).expect_problem(401, "unauthenticated");
}

fn readers_and_devices_log_in(app: &TestApp) {
    app.small_network();
    let (id, card) = app.reader("adult", "B1");
    let answer = app.log_in(&json!({"card_number": card, "pin": PIN})).expect(201);
    assert_eq!(
        (&answer.body["audience"], &answer.body["subject_id"]),
        (&json!("reader"), &json!(id))
    );
    assert!(answer.body["unit_code"].is_null());
    let unit = app.get(&app.root_token(), "/api/v1/units/B1").expect(200).id();
    app.device("kiosk-1", unit, "a random secret");
    let answer = app
        .log_in(&json!({"device_code": "kiosk-1", "secret": "a random secret"}))
        .expect(201);
    assert_eq!(
        (&answer.body["audience"], &answer.body["unit_code"]),
        (&json!("device"), &json!("B1"))
    );
}

fn every_wrong_log_in_is_answered_the_same(app: &TestApp) {
    app.small_network();
    let (_, card) = app.reader("adult", "B1");
    let wrong = [
        json!({"username": ROOT_USER, "password": "a wrong password"}),
        json!({"username": ROOT_USER, "password": ""}),
        json!({"username": "nobody", "password": PASSWORD}),
        json!({"card_number": card, "pin": "000001"}),
        json!({"card_number": "JC999999", "pin": PIN}),
        json!({"device_code": "nothing", "secret": "a random secret"}),
    ];
    let bodies: Vec<Vec<u8>> = wrong
        .iter()
        .map(|body| app.log_in(body).expect_problem(401, "unauthenticated").bytes)
        .collect();
    assert!(
        bodies.iter().all(|body| *body == bodies[0]),
        "no answer tells more than another"
    );
}

fn a_log_in_says_which_member_does_not_belong(app: &TestApp) {
    app.log_in(&json!({})).expect_fields(400, &["username"]);
    app.log_in(&json!({"username": "a"})).expect_fields(400, &["password"]);
    app.log_in(&json!({"card_number": "a"})).expect_fields(400, &["pin"]);
    app.log_in(&json!({"card_number": "a", "pin": PIN, "unit_code": "B1"}))
        .expect_fields(400, &["unit_code"]);
    app.log_in(&json!({"username": "a", "card_number": "a", "pin": PIN}))
        .expect_fields(400, &["username"]);
    app.log_in(&json!({"username": "a", "password": 1}))
        .expect_fields(400, &["password"]);
    app.log_in(&json!({"username": "a\u{0}", "password": PASSWORD}))
        .expect_fields(400, &["username"]);
    app.log_in(&json!({"username": "a", "password": "x".repeat(1025)}))
        .expect_fields(400, &["password"]);
}

fn refresh(app: &TestApp, token: &str) -> crate::client::Answer {
    app.request("POST", "/api/v1/sessions/refresh")
        .json(&json!({"refresh_token": token}))
        .send()
}

fn refresh_token(answer: &crate::client::Answer) -> String {
    answer.body["refresh_token"].as_str().expect("a token").to_owned()
}

fn a_refresh_token_is_good_once_and_a_second_use_ends_the_family(app: &TestApp) {
    let body = json!({"username": ROOT_USER, "password": PASSWORD});
    let first = refresh_token(&app.log_in(&body).expect(201));
    let other = refresh_token(&app.log_in(&body).expect(201));
    let turned = refresh(app, &first).expect(200);
    assert_eq!(turned.body["unit_code"], "network");
    app.get(turned.body["access_token"].as_str().expect("a token"), "/api/v1/units")
        .expect(200);
    let second = refresh_token(&turned);
    refresh(app, &first).expect_problem(401, "unauthenticated");
    refresh(app, &second).expect_problem(401, "unauthenticated");
    refresh(app, "no token at all").expect_problem(401, "unauthenticated");
    // Another session of the same person goes on.
    let other = refresh_token(&refresh(app, &other).expect(200));
    app.clock.set(TestApp::now() + Duration::days(30));
    refresh(app, &other).expect_problem(401, "unauthenticated");
}

fn log_out_ends_the_family_and_may_be_repeated(app: &TestApp) {
    let session = app
        .log_in(&json!({"username": ROOT_USER, "password": PASSWORD}))
        .expect(201);
    let token = session.body["access_token"].as_str().expect("a token");
    for _ in 0..2 {
        let answer = app
            .request("DELETE", "/api/v1/sessions/current")
            .bearer(token)
            .send()
            .expect(204);
        assert!(answer.bytes.is_empty());
    }
    refresh(app, &refresh_token(&session)).expect_problem(401, "unauthenticated");
}

fn log_out_everywhere_ends_every_family_of_one_person(app: &TestApp) {
    app.small_network();
    let (_, card) = app.reader("adult", "B1");
    let body = json!({"card_number": card, "pin": PIN});
    let sessions: Vec<_> = (0..3).map(|_| app.log_in(&body).expect(201)).collect();
    let other = refresh_token(
        &app.log_in(&json!({"username": ROOT_USER, "password": PASSWORD}))
            .expect(201),
    );
    let tokens: Vec<String> = sessions.iter().map(refresh_token).collect();
    let used = tokens[0].clone();
    let turned = refresh_token(&refresh(app, &used).expect(200));
    let access = sessions[2].body["access_token"].as_str().expect("a token");
    let end = || {
        app.request("DELETE", "/api/v1/sessions")
            .bearer(access)
            .send()
            .expect(200)
    };
    assert_eq!(end().body, json!({"sessions": 3}));
    assert_eq!(end().body, json!({"sessions": 0}));
    for token in tokens.iter().chain([&turned]) {
        refresh(app, token).expect_problem(401, "unauthenticated");
    }
    refresh(app, &other).expect(200);
    app.log_in(&body).expect(201);
}

fn staff_end_the_sessions_of_those_they_manage(app: &TestApp) {
    app.small_network();
    let member = |username: &str, role: &str, unit: &str| {
        let body = json!({"username": username, "name": "王", "password": PASSWORD,
            "roles": [{"role": role, "unit_code": unit}]});
        app.post(&app.root_token(), "/api/v1/staff", &body).expect(201).id()
    };
    let (below, above) = (member("below", "librarian", "B1"), member("above", "system", "M1"));
    let manager = app.staff("unit_manager", "M1");
    let session = refresh_token(
        &app.log_in(&json!({"username": "below", "password": PASSWORD}))
            .expect(201),
    );
    let end = |query: &str| {
        let path = format!("/api/v1/sessions{query}");
        app.request("DELETE", &path).bearer(&manager).send()
    };
    end(&format!("?staff_id={above}")).expect_problem(403, "forbidden");
    refresh(app, &session).expect(200);
    assert_eq!(
        end(&format!("?staff_id={below}")).expect(200).body,
        json!({"sessions": 1})
    );
    refresh(app, &session).expect_problem(401, "unauthenticated");
    let (reader, card) = app.reader("adult", "B2");
    app.log_in(&json!({"card_number": card, "pin": PIN})).expect(201);
    assert_eq!(
        end(&format!("?reader_id={reader}")).expect(200).body,
        json!({"sessions": 1})
    );
    end("?staff_id=1").expect_problem(404, "not_found");
    end("?reader_id=1").expect_problem(404, "not_found");
    end(&format!("?reader_id={reader}&staff_id={below}")).expect_fields(422, &["reader_id"]);
}

fn an_access_token_ends_after_its_minutes(app: &TestApp) {
    let token = app.root_token();
    app.clock.set(TestApp::now() + Duration::seconds(899));
    app.get(&token, "/api/v1/units").expect(200);
    app.clock.set(TestApp::now() + Duration::seconds(900));
    let answer = app.get(&token, "/api/v1/units").expect_problem(401, "unauthenticated");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    assert!(answer.body["detail"].is_null());
}

fn other_tokens_are_refused_without_detail(app: &TestApp) {
    let genuine = app.root_token();
    let parts: Vec<&str> = genuine.split('.').collect();
    // {"alg":"none","typ":"JWT"}
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1]);
    let other_key = tongjie::auth::TokenService::new(
        &tongjie::auth::SigningKey::from_bytes(b"another key of at least thirty-two bytes"),
        std::time::Duration::from_secs(900),
    );
    let identity = tongjie::auth::Identity {
        device_kind: None,
        sub: 1,
        aud: Audience::Staff,
        sid: 1,
        unit: None,
        grants: vec![],
    };
    let forged = other_key.issue(identity, app.clock.now()).expect("signed");
    for (audience, unit) in [(Audience::Reader, None), (Audience::Device, Some(1))] {
        let other_kind = app.issue(audience, unit, vec![]);
        app.get(&other_kind, "/api/v1/transits")
            .expect_problem(403, "forbidden");
    }
    let bad = [
        none,
        forged,
        format!("{genuine}x"),
        parts[..2].join("."),
        "x".to_owned(),
        "x".repeat(9000),
    ];
    let mut bodies = Vec::new();
    for token in &bad {
        bodies.push(
            app.get(token, "/api/v1/transits")
                .expect_problem(401, "unauthenticated")
                .bytes,
        );
    }
    for header in [
        genuine.clone(),
        format!("Basic {genuine}"),
        "Bearer".to_owned(),
        format!("Bearer  {genuine} {genuine}"),
    ] {
        let answer = app
            .request("GET", "/api/v1/transits")
            .header("Authorization", &header)
            .send();
        bodies.push(answer.expect_problem(401, "unauthenticated").bytes);
    }
    bodies.push(
        app.request("GET", "/api/v1/transits")
            .send()
            .expect_problem(401, "unauthenticated")
            .bytes,
    );
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    app.get(&genuine, "/api/v1/transits").expect(200);
}
