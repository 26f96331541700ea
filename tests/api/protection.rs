//! What stands around every operation: rate limits, headers for browsers, other origins, keys that rotate.

use chrono::Duration;
use serde_json::json;
use tongjie::auth::KeyRing;
use tongjie::config::Config;

use crate::app::{PASSWORD, ROOT_USER, TestApp, run_with};
use crate::client::Answer;
use crate::database::Engine;

fn of_sqlite(change: impl FnOnce(&mut Config), scenario: fn(&TestApp)) {
    run_with(Engine::Sqlite, change, scenario);
}

#[test]
fn a_reader_who_asks_too_often_is_told_to_wait_and_nobody_else_is() {
    let change = |config: &mut Config| (config.rates.reader_per_second, config.rates.reader_burst) = (2, 3);
    of_sqlite(change, |app| {
        app.small_network();
        let (id, card) = app.reader("adult", "B1");
        let (_, other) = app.reader("adult", "B1");
        let (token, other) = (app.reader_token(&card), app.reader_token(&other));
        let path = format!("/api/v1/readers/{id}/loans");
        for _ in 0..3 {
            app.get(&token, &path).expect(200);
        }
        let answer = app.get(&token, &path).expect_problem(429, "too_many_requests");
        assert_eq!(answer.header("retry-after"), Some("1"));
        // Another token of the same reader is the same client.
        app.get(&app.reader_token(&card), &path).expect(429);
        app.get(&other, "/api/v1/units").expect(200);
        let root = app.root_token();
        for _ in 0..50 {
            app.get(&root, "/api/v1/units").expect(200);
        }
        app.clock.set(TestApp::now() + Duration::milliseconds(500));
        app.get(&token, &path).expect(200);
        app.get(&token, &path).expect(429);
    });
}

#[test]
fn who_shows_no_genuine_token_is_counted_by_address() {
    let change = |config: &mut Config| (config.rates.anonymous_per_second, config.rates.anonymous_burst) = (1, 4);
    of_sqlite(change, |app| {
        let root = app.root_token();
        app.request("GET", "/api/v1/units").send().expect(401);
        app.get("no token", "/api/v1/units").expect(401);
        app.request("GET", "/nowhere").send().expect(404);
        for _ in 0..2 {
            let answer = app.request("GET", "/api/v1/openapi.json").send();
            answer.expect_problem(429, "too_many_requests");
            app.get("no token", "/api/v1/units").expect(429);
            // A header that only looks like a token takes nobody out of the count, where no token is needed either.
            app.get("no token", "/api/v1/openapi.json").expect(429);
            let log_in = app.request("POST", "/api/v1/sessions").bearer("no token");
            log_in
                .json(&json!({"username": "x", "password": "y"}))
                .send()
                .expect(429);
        }
        app.get(&root, "/api/v1/units").expect(200);
        app.request("GET", "/health/live").send().expect(200);
    });
}

#[test]
fn every_answer_tells_browsers_to_guess_and_keep_nothing() {
    of_sqlite(
        |_| {},
        |app| {
            let root = app.root_token();
            let answers: Vec<(&str, Answer)> = vec![
                ("200", app.get(&root, "/api/v1/units")),
                ("401", app.request("GET", "/api/v1/units").send()),
                ("404", app.get(&root, "/api/v1/nowhere")),
                ("405", app.request("PUT", "/api/v1/units").bearer(&root).send()),
                ("400", app.post(&root, "/api/v1/units", &json!({}))),
                ("document", app.request("GET", "/api/v1/openapi.json").send()),
                ("page", app.request("GET", "/docs/").send()),
                ("health", app.request("GET", "/health/ready").send()),
                ("problem", app.request("GET", "/problems/refused").send()),
            ];
            for (what, answer) in answers {
                let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
                assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
                assert_eq!(header("referrer-policy"), "no-referrer", "{what}");
                let policy = header("content-security-policy");
                assert!(policy.starts_with("default-src 'none'"), "{what}: {policy}");
                assert_eq!(policy.contains("script-src 'self'"), what == "page", "{what}: {policy}");
                if !["page", "health", "problem"].contains(&what) {
                    assert_eq!(header("cache-control"), "no-store", "{what}");
                }
                assert_eq!(answer.header("strict-transport-security"), None, "{what}");
                assert_eq!(answer.header("access-control-allow-origin"), None, "{what}");
            }
        },
    );
}

#[test]
fn behind_tls_browsers_are_told_to_insist_on_it() {
    of_sqlite(
        |config| config.http.hsts_seconds = 31_536_000,
        |app| {
            let answer = app.request("GET", "/api/v1/units").send().expect(401);
            assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
        },
    );
}

#[test]
fn only_configured_origins_may_use_the_api_from_a_page() {
    let change = |config: &mut Config| {
        config.http.cors_origins = "https://opac.example, https://desk.example:8443".into();
    };
    of_sqlite(change, |app| {
        let root = app.root_token();
        let get = |origin: &str| {
            let request = app.request("GET", "/api/v1/units").bearer(&root);
            request.header("Origin", origin).send().expect(200)
        };
        let allowed = "access-control-allow-origin";
        for origin in ["https://opac.example", "https://desk.example:8443"] {
            let answer = get(origin);
            assert_eq!(answer.header(allowed), Some(origin));
            assert_eq!(answer.header("access-control-allow-credentials"), None);
            assert_eq!(answer.header("vary"), Some("Origin"));
        }
        for origin in [
            "https://opac.example.evil",
            "http://opac.example",
            "null",
            "https://desk.example",
        ] {
            assert_eq!(get(origin).header(allowed), None, "{origin}");
        }
        let ask = |origin: &str| {
            let request = app.request("OPTIONS", "/api/v1/check-outs").header("Origin", origin);
            request.header("Access-Control-Request-Method", "POST").send()
        };
        let answer = ask("https://opac.example").expect(204);
        assert_eq!(answer.header(allowed), Some("https://opac.example"));
        for (name, part) in [("methods", "POST"), ("headers", "idempotency-key")] {
            let value = answer.header(&format!("access-control-allow-{name}")).expect("said");
            assert!(value.contains(part), "{value}");
        }
        assert_eq!(ask("https://evil.example").header(allowed), None);
        // A page may read what refused it, too.
        let refused = app
            .request("GET", "/api/v1/units")
            .header("Origin", "https://opac.example");
        assert!(refused.send().expect(401).header(allowed).is_some());
    });
}

#[test]
fn what_is_answered_in_place_of_a_handler_has_the_same_headers() {
    let change = |config: &mut Config| {
        config.http.cors_origins = "https://opac.example".into();
        config.http.hsts_seconds = 60;
        config.http.request_timeout_ms = 300;
        config.limits.header_bytes = 4_096;
    };
    of_sqlite(change, |app| {
        use std::io::{Read, Write};
        let complete = |answer: &str, status: &str| {
            let answer = answer.to_ascii_lowercase();
            assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{answer}");
            for header in [
                "access-control-allow-origin: https://opac.example",
                "access-control-expose-headers: ",
                "vary: origin",
                "strict-transport-security: max-age=60",
                "x-content-type-options: nosniff",
                "content-security-policy: default-src 'none'",
                "cache-control: no-store",
            ] {
                let told = answer.matches(&format!("\r\n{header}")).count();
                assert_eq!(told, 1, "{header} in {answer}");
            }
        };
        let ask = |more: &str| {
            let mut stream = std::net::TcpStream::connect(app.address).expect("connected");
            let head = format!(
                "POST /api/v1/check-outs HTTP/1.1\r\nHost: x\r\nOrigin: https://opac.example\r\n\
                 Authorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n{more}\
                 Connection: close\r\n\r\n{{",
                app.root_token()
            );
            stream.write_all(head.as_bytes()).expect("sent");
            let mut answer = String::new();
            drop(stream.read_to_string(&mut answer));
            answer
        };
        // The rest of the body never comes; and a head that is refused before anything is routed.
        complete(&ask(""), "503");
        complete(&ask(&format!("X-Long: {}\r\n", "x".repeat(5_000))), "431");
    });
}

#[test]
fn keys_rotate_under_a_running_server_and_nobody_is_logged_out() {
    of_sqlite(
        |config| config.auth.signing_key = None,
        |app| {
            let before = app.root_token();
            let keyed = |token: &str| {
                let unit = json!({"code": "C1", "name": "馆", "kind": "central", "parent_code": "network"});
                let request = app.request("POST", "/api/v1/units").bearer(token).key("k");
                request.json(&unit).send().expect(201)
            };
            let made = keyed(&before);
            let session = app
                .log_in(&json!({"username": ROOT_USER, "password": PASSWORD}))
                .expect(201);
            KeyRing::rotate(&app.app.config, app.clock.now()).expect("rotated");
            assert!(app.app.reload_keys().expect("read"), "it was rotated");
            assert!(!app.app.reload_keys().expect("read"), "once");
            let after = app.root_token();
            assert_ne!(
                before.split('.').next(),
                after.split('.').next(),
                "signed with another key"
            );
            for token in [&before, &after] {
                app.get(token, "/api/v1/units").expect(200);
                assert_eq!(keyed(token).body, made.body, "replays are still known");
            }
            let refresh = json!({"refresh_token": session.body["refresh_token"]});
            app.request("POST", "/api/v1/sessions/refresh")
                .json(&refresh)
                .send()
                .expect(200);
            app.clock.set(TestApp::now() + Duration::seconds(900));
            app.get(&before, "/api/v1/units").expect_problem(401, "unauthenticated");
        },
    );
}
