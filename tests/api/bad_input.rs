//! What no client should send.

use serde_json::json;

use crate::app::{TestApp, run_with};
use crate::database::Engine;

on_both!(
    bodies_that_are_no_json_are_refused,
    wrong_encodings_name_the_field,
    other_content_types_are_refused,
    bodies_over_the_limit_are_refused,
    idempotency_keys_are_checked,
    unknown_addresses_and_methods_are_problems,
    a_caller_is_asked_for_before_the_body,
);

const PATH: &str = "/api/v1/check-outs";

fn bodies_that_are_no_json_are_refused(app: &TestApp) {
    let token = app.root_token();
    let send = |body: &[u8]| {
        let request = app
            .request("POST", PATH)
            .bearer(&token)
            .header("Content-Type", "application/json");
        request.bytes(body).send()
    };
    send(b"{").expect_fields(400, &["body"]);
    send(b"[]").expect_fields(400, &["body"]);
    send(b"null").expect_fields(400, &["body"]);
    send(b"{}").expect_fields(422, &["item_barcode"]);
    send(b"").expect_fields(422, &["item_barcode"]);
    send(br#"{"item_barcode": "1", "card_number": "2"} x"#).expect_problem(400, "malformed_request");
    send(br#"{"item_barcode": "1", "card_number": "2",}"#).expect_problem(400, "malformed_request");
    send(br#"{"item_barcode": "1", "item_barcode": "1", "card_number": "2"}"#).expect_fields(400, &["item_barcode"]);
    send(br#"{"item_barcode": "1", "card_numbr": "2"}"#).expect_fields(400, &["card_numbr"]);
    send(br#"{"item_barcode": 1, "card_number": "2"}"#).expect_fields(400, &["item_barcode"]);
    send(br#"{"item_barcode": null, "card_number": "2"}"#).expect_fields(422, &["item_barcode"]);
    let deep = format!(r#"{{"confirm": {}1{}}}"#, "[".repeat(500), "]".repeat(500));
    send(deep.as_bytes()).expect_problem(400, "malformed_request");
    let long = format!(r#"{{"item_barcode": "{}", "card_number": "2"}}"#, "1".repeat(65));
    send(long.as_bytes()).expect_fields(400, &["item_barcode"]);
}

fn wrong_encodings_name_the_field(app: &TestApp) {
    let token = app.root_token();
    let send = |path: &str, body: &[u8]| {
        let request = app
            .request("POST", path)
            .bearer(&token)
            .header("Content-Type", "application/json; charset=UTF-8");
        request.bytes(body).send()
    };
    // GB18030 for 汉.
    send("/api/v1/units", b"{\"code\": \"B1\", \"name\": \"\xba\xba\"}").expect_fields(400, &["name"]);
    send(PATH, b"{\"item_barcode\": \"\xff\", \"card_number\": \"2\"}").expect_fields(400, &["item_barcode"]);
    send(PATH, br#"{"item_barcode": "1\u0000", "card_number": "2"}"#).expect_fields(400, &["item_barcode"]);
    send(PATH, br#"{"item_barcode": "\ud800", "card_number": "2"}"#).expect_fields(400, &["item_barcode"]);
    send("/api/v1/units", br#"{"code": "B1", "name": "a\u0000b"}"#).expect_fields(400, &["name"]);
    app.get(&token, "/api/v1/units/%00").expect_problem(404, "not_found");
    app.get(&token, "/api/v1/units/%BA%BA").expect_problem(404, "not_found");
}

fn other_content_types_are_refused(app: &TestApp) {
    let token = app.root_token();
    let body = json!({"item_barcode": "1", "card_number": "2"}).to_string();
    let send = |name: &str, value: &str| {
        app.request("POST", PATH)
            .bearer(&token)
            .header(name, value)
            .bytes(body.as_bytes())
            .send()
    };
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "",
        "application/json; charset=gbk",
    ] {
        send("Content-Type", kind).expect_problem(415, "unsupported_media_type");
    }
    app.request("POST", PATH)
        .bearer(&token)
        .bytes(body.as_bytes())
        .send()
        .expect_problem(415, "unsupported_media_type");
    send("Content-Type", "Application/JSON").expect_fields(422, &["item_barcode", "card_number"]);
}

fn bodies_over_the_limit_are_refused(app: &TestApp) {
    let token = app.root_token();
    let limit = app.app.config.http.max_body_bytes;
    let body = |size: usize| {
        let rest = size - r#"{"item_barcode":""}"#.len();
        format!(r#"{{"item_barcode":"{}"}}"#, "1".repeat(rest))
    };
    app.request("POST", PATH)
        .bearer(&token)
        .header("Content-Type", "application/json")
        .bytes(body(limit).as_bytes())
        .send()
        .expect_fields(400, &["item_barcode"]);
    let refused = app
        .request("POST", PATH)
        .bearer(&token)
        .header("Content-Type", "application/json")
        .bytes(body(limit + 1).as_bytes())
        .send()
        .expect_problem(413, "body_too_large");
    assert_eq!(refused.body["errors"][0]["field"], "body");
}

fn idempotency_keys_are_checked(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    let body = json!({"name": "李", "category": "adult", "home_unit_code": "B1", "card_number": "JC1"});
    let send = |key: &str, body: &serde_json::Value| {
        app.request("POST", "/api/v1/readers")
            .bearer(&token)
            .key(key)
            .json(body)
            .send()
    };
    for key in ["", "a b", "é", &"k".repeat(256)] {
        send(key, &body).expect_fields(400, &["Idempotency-Key"]);
    }
    let first = send(&"k".repeat(255), &body).expect(201);
    let again = send(&"k".repeat(255), &body).expect(201);
    assert_eq!(
        (first.body, again.header("idempotency-replayed")),
        (again.body.clone(), Some("true"))
    );
    let mut other = body.clone();
    other["name"] = "王".into();
    send(&"k".repeat(255), &other).expect_problem(422, "idempotency_key_reused");
    // The same key for another operation is another request, too.
    let elsewhere = app
        .request("POST", "/api/v1/units")
        .bearer(&token)
        .key(&"k".repeat(255));
    let unit = json!({"code": "B7", "name": "x", "kind": "branch", "parent_code": "M1"});
    elsewhere
        .json(&unit)
        .send()
        .expect_problem(422, "idempotency_key_reused");
    // And of another client it is another key.
    let librarian = app.staff("librarian", "B1");
    other["card_number"] = "JC2".into();
    let request = app
        .request("POST", "/api/v1/readers")
        .bearer(&librarian)
        .key(&"k".repeat(255));
    assert_eq!(
        request.json(&other).send().expect(201).header("idempotency-replayed"),
        None
    );
}

fn unknown_addresses_and_methods_are_problems(app: &TestApp) {
    app.request("GET", "/").send().expect_problem(404, "no_such_route");
    app.request("GET", "/api/v1/nothing")
        .send()
        .expect_problem(404, "no_such_route");
    app.request("GET", "/api/v1/check-outs/")
        .send()
        .expect_problem(404, "no_such_route");
    let answer = app
        .request("PUT", "/api/v1/units")
        .send()
        .expect_problem(405, "method_not_allowed");
    let allow = answer.header("allow").expect("names the methods");
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    app.request("GET", PATH)
        .send()
        .expect_problem(405, "method_not_allowed");
    let told = app.request("GET", "/problems/refused").send().expect(200).body;
    assert_eq!(
        (&told["status"], &told["title_zh"]),
        (&json!(409), &json!("按规则不能办理"))
    );
    app.request("GET", "/problems/nothing")
        .send()
        .expect_problem(404, "not_found");
}

fn a_caller_is_asked_for_before_the_body(app: &TestApp) {
    app.request("POST", PATH)
        .bytes(b"{")
        .send()
        .expect_problem(401, "unauthenticated");
}

#[test]
fn a_request_that_takes_too_long_is_given_up() {
    let short = |config: &mut tongjie::config::Config| config.http.request_timeout_ms = 300;
    run_with(Engine::Sqlite, short, |app| {
        use std::io::{Read, Write};
        let token = app.root_token();
        let mut stream = std::net::TcpStream::connect(app.address).expect("connected");
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
            Content-Type: application/json\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).expect("sent");
        let mut answer = String::new();
        drop(stream.read_to_string(&mut answer));
        assert!(
            answer.starts_with("HTTP/1.1 503 ") && answer.contains("timed_out"),
            "{answer}"
        );
        app.get(&token, "/api/v1/units").expect(200);
    });
}
