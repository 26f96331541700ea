//! Every limit is told, answered as it says, and leaves the server working.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use tongjie::config::Config;

use crate::app::{PASSWORD, TestApp, run, run_with};
use crate::database::Engine;

const MARK: &str = "<!-- printed by tests/api/limits.rs -->\n";

#[test]
fn the_table_of_limits_is_the_one_in_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/LIMITS.md");
    let text = std::fs::read_to_string(path).expect("is there");
    let table = tongjie::http::limits::table(&Config::from_layers(None, []).expect("the defaults"));
    let told = text.split(MARK).nth(1);
    assert_eq!(
        told,
        Some(table.as_str()),
        "docs/LIMITS.md should end, after its mark, with:\n{table}"
    );
}

/// Sends bytes as they are and reads until the server closes.
fn raw(app: &TestApp, bytes: &[u8]) -> String {
    let mut stream = connect(app);
    // The server may answer and close before it has read all of it.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn connect(app: &TestApp) -> TcpStream {
    let stream = TcpStream::connect(app.address).expect("the server listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    stream
}

#[test]
fn a_head_over_the_limit_is_refused_and_the_connection_closed() {
    run(Engine::Sqlite, |app| {
        let limit = app.app.config.limits.header_bytes;
        let head = |bytes: usize| {
            format!(
                "GET /health/live HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n",
                "x".repeat(bytes)
            )
        };
        let within = raw(
            app,
            format!("{}Connection: close\r\n\r\n", head(limit - 200)).as_bytes(),
        );
        assert!(within.starts_with("HTTP/1.1 200 "), "{within}");
        // Without `Connection: close` in the request: reading to the end shows that the server closed.
        let over = raw(app, format!("{}\r\n", head(limit)).as_bytes());
        assert!(
            over.starts_with("HTTP/1.1 431 ") && over.contains("headers_too_large"),
            "{over}"
        );
        assert!(over.contains("x-request-id"), "{over}");
        let many = raw(
            app,
            format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(97)).as_bytes(),
        );
        assert!(many.starts_with("HTTP/1.1 431 "), "{many}");
        let long = format!("/health/live?{}", "x".repeat(limit));
        app.request("GET", &long)
            .send()
            .expect_problem(431, "headers_too_large");
    });
}

#[test]
fn a_client_that_never_ends_its_head_is_told_so() {
    run_with(
        Engine::Sqlite,
        |config| config.limits.head_timeout_ms = 1_000,
        |app| {
            for begun in ["GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ", ""] {
                let answer = raw(app, begun.as_bytes());
                assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
            }
            app.request("GET", "/health/live").send().expect(200);
        },
    );
}

#[test]
fn an_idle_connection_is_closed() {
    run_with(
        Engine::Sqlite,
        |config| config.limits.keep_alive_ms = 1_000,
        |app| {
            let answer = raw(app, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        },
    );
}

#[test]
fn one_connection_too_many_is_told_when_to_come_again() {
    run_with(
        Engine::Sqlite,
        |config| config.limits.connections = 2,
        |app| {
            let mut kept: Vec<TcpStream> = (0..2).map(|_| connect(app)).collect();
            for stream in &mut kept {
                stream
                    .write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
                    .expect("sent");
                let mut first = [0; 12];
                stream.read_exact(&mut first).expect("answered");
                assert_eq!(&first, b"HTTP/1.1 200");
            }
            let refused = raw(app, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
            assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
            assert!(
                refused.contains("retry-after: 1") && refused.contains("connection: close"),
                "{refused}"
            );
            drop(kept);
            // The server learns of it in its own time.
            let served = (0..10_000).any(|_| app.request("GET", "/health/live").send().status == 200);
            assert!(served, "the places were never free again");
        },
    );
}

#[test]
fn a_request_out_of_time_is_known_by_its_id() {
    run_with(
        Engine::Sqlite,
        |config| config.http.request_timeout_ms = 300,
        |app| {
            let token = app.root_token();
            let head = format!(
                "POST /api/v1/check-outs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nX-Request-Id: slow-1\r\n\
            Content-Type: application/json\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{{"
            );
            let answer = raw(app, head.as_bytes());
            assert!(
                answer.starts_with("HTTP/1.1 503 ") && answer.contains("x-request-id: slow-1"),
                "{answer}"
            );
            let metrics = app.request("GET", "/metrics").send().expect(200);
            let counted = "{operation=\"checkOut\",status=\"5xx\"} 1";
            assert!(String::from_utf8_lossy(&metrics.bytes).contains(counted));
        },
    );
}

/// Keys that hold back nobody: addresses, paths, secrets, sizes of pools and threads, lives of tokens, jobs.
const NO_LIMITS: &[&str] = &[
    "data.dir",
    "database.url",
    "database.pool_size",
    "database.write_workers",
    "database.read_pool_size",
    "database.gate_connections",
    "database.group_limit",
    "http.bind",
    "http.workers",
    "http.cors_origins",
    "http.hsts_seconds",
    "http.trusted_proxies",
    "http.forwarded_header",
    "http.tls.certificate",
    "http.tls.key",
    "metrics.bind",
    "metrics.allow",
    "sip2.bind",
    "auth.access_minutes",
    "auth.refresh_days",
    "auth.signing_key",
    "auth.old_signing_keys",
    "auth.digest_key",
    "auth.argon2_memory_kib",
    "auth.argon2_iterations",
    "auth.argon2_parallelism",
    "auth.hash_threads",
    "log.format",
    "log.filter",
    "log.slow_statement_ms",
    "telemetry.otlp_endpoint",
    "telemetry.service_name",
    "telemetry.sample_ratio",
    "network.zone",
    "webhooks.allow_private",
    "circulation.consent_minutes",
    "circulation.auto_renewal_days",
    "circulation.recall_notice_days",
    "circulation.recall_guaranteed_days",
    "jobs.transit_missing_days",
    "jobs.seal_interval_ms",
    "jobs.idempotency_days",
    "delivery.carrier_url",
    "delivery.carrier_token",
    "delivery.report_secret",
    "delivery.timeout_ms",
    "delivery.silent_days",
    "credit.report_secret",
    "admission.provider",
    "admission.provider_url",
    "admission.secret",
    "admission.report_secret",
    "admission.timeout_ms",
    "auth.identity_key",
    "auth.lost_identity_keys",
    "auth.old_identity_keys",
    "auth.card_keys",
    "notices.due_soon_days",
    "notices.overdue_1_days",
    "notices.overdue_2_days",
    "notices.overdue_3_days",
    "notices.hold_expiring_days",
    "notices.card_expiring_days",
    "notices.keep_days",
    "notices.portal_url",
    "mail.host",
    "mail.port",
    "mail.security",
    "mail.username",
    "mail.password",
    "mail.ca_certificate",
    "mail.from",
    "mail.from_name",
    "mail.bounce_domain",
    "mail.connections",
    "mail.timeout_ms",
    "messages.sms_url",
    "messages.wechat_url",
    "messages.secret",
    "messages.timeout_ms",
    "devices.flush_seconds",
    "devices.keep_days",
    "devices.drivers",
    "devices.lines",
    "privacy.unlink_days",
    "privacy.application_days",
];

/// Every key of the configuration with its default.
fn keys(prefix: &str, table: &toml::Table, into: &mut Vec<(String, String)>) {
    for (name, value) in table {
        match value {
            toml::Value::Table(inner) => keys(&format!("{prefix}{name}."), inner, into),
            value => into.push((format!("{prefix}{name}"), value.to_string())),
        }
    }
}

#[test]
fn every_key_of_the_configuration_is_a_limit_of_the_table_or_none() {
    let defaults = include_str!("../../config/default.toml").parse().expect("TOML");
    let mut known = Vec::new();
    keys("", &defaults, &mut known);
    let table = tongjie::http::limits::table(&Config::from_layers(None, []).expect("the defaults"));
    for (key, default) in &known {
        let row = table.lines().find(|line| line.contains(&format!("| `{key}` |")));
        assert_ne!(
            row.is_some(),
            NO_LIMITS.contains(&key.as_str()),
            "{key}: a row of src/http/limits.rs, or listed here as no limit"
        );
        if let Some(row) = row {
            assert!(
                row.contains(&format!("| `{key}` | {default} |")),
                "{row}: the default is {default}"
            );
        }
    }
    let named = table
        .lines()
        .filter_map(|line| line.split('`').nth(1))
        .filter(|key| key.contains('.'));
    for key in named {
        assert!(
            known.iter().any(|(known, _)| known == key),
            "{key} is no key of the configuration"
        );
    }
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_read() {
    run_with(
        Engine::Sqlite,
        |config| config.http.max_body_bytes = 2_048,
        |app| {
            let token = app.root_token();
            let unit = |name: &str| json!({"code": "C1", "name": name, "kind": "central", "parent_code": "network"});
            let refused = app.post(&token, "/api/v1/units", &unit(&"x".repeat(2_048)));
            refused.expect_problem(413, "body_too_large");
            let head = format!(
                "POST /api/v1/units HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            );
            // Nothing of the body is sent: the length that is announced is enough.
            let announced = raw(
                app,
                format!("{head}Content-Length: 2049\r\nConnection: close\r\n\r\n").as_bytes(),
            );
            assert!(announced.starts_with("HTTP/1.1 413 "), "{announced}");
            let chunk = format!("{:x}\r\n{}\r\n", 4_096, "x".repeat(4_096));
            let chunked = raw(
                app,
                format!("{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunk}0\r\n\r\n").as_bytes(),
            );
            assert!(chunked.starts_with("HTTP/1.1 413 "), "{chunked}");
            app.post(&token, "/api/v1/units", &unit("馆")).expect(201);
        },
    );
}

#[test]
fn one_change_too_many_in_the_queue_is_told_when_to_come_again() {
    run_with(
        Engine::Sqlite,
        |config| (config.database.queue_limit, config.database.busy_timeout_ms) = (1, 5_000),
        |app| {
            app.small_network();
            let token = app.root_token();
            let mut outside = app.database.outside();
            // The writer waits for the file, one change waits for the writer, and there is no place for more.
            outside.run("BEGIN IMMEDIATE");
            let unit = |n: usize| json!({"code": format!("Q{n}"), "name": "馆", "kind": "main", "parent_code": "C1"});
            std::thread::scope(|scope| {
                let calls: Vec<_> = (0..8)
                    .map(|n| {
                        let request = app.request("POST", "/api/v1/units").bearer(&token).json(&unit(n));
                        scope.spawn(|| request.send())
                    })
                    .collect();
                let mut told = 0;
                for call in calls {
                    let answer = call.join().expect("no panic");
                    if answer.status == 503 && answer.body["code"] == "busy" {
                        assert_eq!(answer.header("retry-after"), Some("1"));
                        told += 1;
                    }
                }
                assert!(told >= 5, "only {told} of 8 were told to come again");
            });
            outside.run("ROLLBACK");
            app.post(&token, "/api/v1/units", &unit(9)).expect(201);
        },
    );
}

#[test]
fn one_log_in_too_many_is_told_when_to_come_again() {
    let change = |config: &mut Config| {
        // A hash that takes a while, and one place to wait for it.
        (config.auth.argon2_memory_kib, config.auth.argon2_iterations) = (16_384, 8);
        (config.auth.hash_threads, config.auth.hash_queue) = (1, 1);
    };
    run_with(Engine::Sqlite, change, |app| {
        std::thread::scope(|scope| {
            let calls: Vec<_> = (0..16)
                .map(|n| {
                    scope.spawn(move || app.log_in(&json!({"username": format!("nobody{n}"), "password": PASSWORD})))
                })
                .collect();
            let answers: Vec<_> = calls.into_iter().map(|call| call.join().expect("no panic")).collect();
            let told = answers.iter().filter(|answer| answer.status == 503);
            for answer in told.clone() {
                assert_eq!(
                    (&answer.body["code"], answer.header("retry-after")),
                    (&json!("busy"), Some("1"))
                );
            }
            assert!(
                told.count() > 0,
                "{:?}",
                answers.iter().map(|answer| answer.status).collect::<Vec<_>>()
            );
        });
        app.root_token();
    });
}

#[test]
fn pages_parameters_keys_and_ids_have_limits_that_never_change() {
    run(Engine::Sqlite, |app| {
        let token = app.root_token();
        app.get(&token, "/api/v1/units?limit=200").expect(200);
        app.get(&token, "/api/v1/units?limit=201")
            .expect_fields(400, &["limit"]);
        let many: String = (0..21).map(|n| format!("x{n}=1&")).collect();
        app.get(&token, &format!("/api/v1/units?{many}"))
            .expect_problem(400, "malformed_request");
        let unit = json!({"code": "C1", "name": "馆", "kind": "central", "parent_code": "network"});
        let keyed = |length: usize| {
            let request = app
                .request("POST", "/api/v1/units")
                .bearer(&token)
                .key(&"k".repeat(length));
            request.json(&unit).send()
        };
        keyed(256).expect_fields(400, &["Idempotency-Key"]);
        keyed(255).expect(201);
        let named = |id: &str| {
            let answer = app.request("GET", "/health/live").header("X-Request-Id", id).send();
            answer.header("x-request-id").map(str::to_owned)
        };
        assert_eq!(named(&"i".repeat(64)), Some("i".repeat(64)));
        assert_ne!(named(&"i".repeat(65)), Some("i".repeat(65)));
    });
}

/// Bibs enough for many steps of a search, straight into the table.
const MANY_BIBS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) \
    INSERT INTO bibs (id, format, container, encoding, marc, title, authors, search_text, open_holds, created_at, updated_at) \
    SELECT 1000000 + i, 'cnmarc', 'iso2709', 'utf-8', x'1d', '史记', '司马迁', 'shi ji si ma qian', 0, 0, 0 FROM n";

#[test]
fn a_search_that_takes_too_long_gives_its_connection_back() {
    run_with(
        Engine::Sqlite,
        |config| (config.database.read_timeout_ms, config.database.read_pool_size) = (1, 1),
        |app| {
            let bib = app.bib("三国演义", None);
            app.database.outside().run(MANY_BIBS);
            let token = app.root_token();
            for _ in 0..3 {
                let answer = app
                    .get(&token, "/api/v1/bibs?q=nowhere")
                    .expect_problem(503, "unavailable");
                assert_eq!(answer.header("retry-after"), Some("2"));
                app.get(&token, &format!("/api/v1/bibs/{bib}")).expect(200);
            }
        },
    );
}

#[test]
fn a_search_in_steps_finds_what_one_pass_finds() {
    run(Engine::Sqlite, |app| {
        app.bib("三国演义", None);
        app.database.outside().run(MANY_BIBS);
        let token = app.root_token();
        app.database
            .outside()
            .run("UPDATE bibs SET search_text = 'wanted' WHERE id % 20000 = 0");
        let ids = |query: &str| -> (Vec<i64>, Option<String>) {
            let page = app.get(&token, query).expect(200).body;
            let items = page["items"].as_array().expect("a list").iter();
            (
                items.filter_map(|bib| bib["id"].as_i64()).collect(),
                page["next_cursor"].as_str().map(str::to_owned),
            )
        };
        assert_eq!(
            ids("/api/v1/bibs?q=wanted"),
            (vec![1_020_000, 1_040_000, 1_060_000], None)
        );
        let (first, next) = ids("/api/v1/bibs?q=wanted&limit=2");
        assert_eq!(first, [1_020_000, 1_040_000]);
        let next = next.expect("another page");
        assert_eq!(
            ids(&format!("/api/v1/bibs?q=wanted&limit=2&cursor={next}")),
            (vec![1_060_000], None)
        );
        assert_eq!(ids("/api/v1/bibs?q=nowhere"), (vec![], None));
    });
}

#[test]
fn a_read_of_postgresql_that_takes_too_long_is_ended() {
    let change =
        |config: &mut Config| (config.database.read_timeout_ms, config.database.lock_timeout_ms) = (300, 60_000);
    run_with(Engine::Postgres, change, |app| {
        let bib = app.bib("三国演义", None);
        let token = app.root_token();
        let mut outside = app.database.outside();
        outside.run("BEGIN");
        outside.run("LOCK TABLE bibs IN ACCESS EXCLUSIVE MODE");
        let answer = app
            .get(&token, "/api/v1/bibs?q=nowhere")
            .expect_problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), Some("2"));
        outside.run("ROLLBACK");
        app.get(&token, &format!("/api/v1/bibs/{bib}")).expect(200);
    });
}
