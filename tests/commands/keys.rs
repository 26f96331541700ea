//! `tongjie admin rotate-key`, while the server runs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::database::Engine;
use crate::demo::start;
use crate::process::{PATIENCE, Tongjie, told};

fn ask(address: &str, request: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "{request}").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    (
        status.expect("a status"),
        serde_json::from_str(body).unwrap_or(Value::Null),
    )
}

fn log_in(address: &str, password: &str) -> String {
    let session = session(address, "root", password);
    session["access_token"].as_str().expect("a token").to_owned()
}

/// A session of a member of staff.
pub fn session(address: &str, username: &str, password: &str) -> Value {
    let body = format!(r#"{{"username": "{username}", "password": "{password}"}}"#);
    let (status, body) = post(address, "/api/v1/sessions", &body);
    assert_eq!(status, 201, "{body}");
    body
}

pub fn post(address: &str, path: &str, body: &str) -> (u16, Value) {
    ask(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
}

fn units(address: &str, token: &str) -> u16 {
    let head = format!("GET /api/v1/units HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}");
    ask(address, &format!("{head}\r\n\r\n")).0
}

#[test]
fn a_running_server_takes_the_new_key_over_and_believes_the_old_one() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    let said = tongjie.succeeds(&["admin", "create-system", "--username", "root"]);
    let password = said.split("password: ").nth(1).expect("one was made up").trim();
    let (server, address) = start(&tongjie, &["serve"]);
    let before = log_in(&address, password);
    assert!(
        tongjie
            .succeeds(&["admin", "rotate-key"])
            .contains("the signing key is now ")
    );
    let header = |token: &str| token.split('.').next().unwrap_or_default().to_owned();
    let end = Instant::now() + PATIENCE;
    let after = loop {
        let token = log_in(&address, password);
        if header(&token) != header(&before) {
            break token;
        }
        assert!(Instant::now() < end, "the new key is not taken over");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!((units(&address, &before), units(&address, &after)), (200, 200));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn what_is_sealed_under_a_key_that_is_gone_stops_the_start() {
    for engine in Engine::all() {
        let tongjie = Tongjie::with_demo(engine);
        let file = tongjie.file("identity.key");
        std::fs::remove_file(&file).expect("one was made");
        tongjie.succeeds(&["migrate"]);
        assert!(file.exists(), "{engine:?}: nothing stands under it: another is made");
        tongjie.sql("UPDATE cards SET key_id = 'gone', shown = '****1234' WHERE id = (SELECT min(id) FROM cards)");
        std::fs::remove_file(&file).expect("there");
        let said = tongjie.fails(&["migrate"], 3);
        assert!(said.contains("(gone)") && said.contains("identity.key"), "{said}");
        assert!(!file.exists(), "{engine:?}: none is made in its place");
        let output = tongjie
            .command(&["migrate"])
            .env("TONGJIE__AUTH__LOST_IDENTITY_KEYS", "gone")
            .output()
            .expect("starts");
        assert!(output.status.success(), "{engine:?}: {}", told(&output));
        std::fs::write(&file, "nothing\n").expect("written");
        let said = tongjie.fails(&["migrate"], 3);
        assert!(said.contains("do not delete it"), "{said}");
    }
}

#[test]
fn a_configured_key_is_rotated_in_the_configuration() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    let output = tongjie
        .command(&["admin", "rotate-key"])
        .env("TONGJIE__AUTH__SIGNING_KEY", "0123456789abcdef0123456789abcdef")
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(told(&output).contains("auth.old_signing_keys"), "{}", told(&output));
}
