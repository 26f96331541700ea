//! A batch whose server is killed in the middle: sent again under its key to the next server, it is done once and whole.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};

use crate::database::Engine;
use crate::demo::start;
use crate::process::{PATIENCE, Tongjie};

const ROWS: i64 = 1_000;

/// The body of an answer; nothing if the server went away.
fn post(address: &str, path: &str, headers: &str, body: &Value) -> Option<Value> {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let body = body.to_string();
    let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}");
    let sent = write!(
        stream,
        "{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    sent.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

#[test]
fn a_batch_cut_off_by_a_kill_is_finished_by_its_repetition() {
    for engine in Engine::all() {
        let tongjie = Tongjie::new(engine);
        let mut command = tongjie.command(&["admin", "create-system", "--username", "root", "--password-stdin"]);
        let mut admin = command.stdin(std::process::Stdio::piped()).spawn().expect("starts");
        let mut password = admin.stdin.take().expect("piped");
        password.write_all(b"a long password\n").expect("taken");
        drop(password);
        assert!(admin.wait().expect("ends").success());
        let record = json!({"format": "marc21", "leader": "00000nam a2200000   4500", "fields": [
            {"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": "A title"}]}}]});

        let (server, address) = start(&tongjie, &["serve"]);
        let log_in = |address: &str| {
            let who = json!({"username": "root", "password": "a long password"});
            let session = post(address, "/api/v1/sessions", "", &who).expect("logged in");
            let token = session["access_token"].as_str().expect("a token").to_owned();
            format!("Authorization: Bearer {token}\r\nIdempotency-Key: the-batch\r\n")
        };
        let headers = log_in(&address);
        let made = post(&address, "/api/v1/bibs", &headers.replace("the-batch", "bib"), &record).expect("a bib");
        let rows: Vec<Value> = (0..ROWS)
            .map(|n| {
                json!({"op": "add", "bib_id": made["bib"]["id"], "barcode": format!("n{n}"), "item_type": "book",
                    "owner_unit_code": "network"})
            })
            .collect();
        let batch = json!({"rows": rows});
        let items = || tongjie.number("SELECT count(*) AS n FROM items");
        let cut_off = std::thread::scope(|scope| {
            let call = scope.spawn(|| post(&address, "/api/v1/item-batches", &headers, &batch));
            let end = Instant::now() + PATIENCE;
            while items() < 50 {
                assert!(Instant::now() < end, "{engine:?}: the batch does not begin");
            }
            drop(server); // kill -9
            call.join().expect("no panic")
        });
        let done = items();
        assert!(
            cut_off.is_none() && done < ROWS,
            "{engine:?}: killed too late, after {done} rows"
        );

        let (server, address) = start(&tongjie, &["serve"]);
        let headers = log_in(&address);
        let answer = post(&address, "/api/v1/item-batches", &headers, &batch).expect("answered");
        assert_eq!(
            (&answer["done"], &answer["failed"]),
            (&json!(ROWS), &json!(0)),
            "{engine:?}"
        );
        let replayed = answer["rows"].as_array().expect("rows").iter();
        let replayed = replayed.filter(|row| row["replayed"] == true).count();
        assert_eq!(
            replayed as i64, done,
            "{engine:?}: what was done is answered, not done again"
        );
        assert_eq!(items(), ROWS, "{engine:?}");
        assert_eq!(server.stop(), Some(0));
        assert!(tongjie.succeeds(&["check"]).contains("check: sound"));
    }
}
