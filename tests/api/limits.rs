//! Every limit is told, answered as it says, and leaves the server working.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tongjie::config::Config;

use crate::app::{TestApp, run, run_with};
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
