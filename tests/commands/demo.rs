//! `tongjie demo` and `tongjie serve`, from an empty directory to a clean stop.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::database::Engine;
use crate::process::{PATIENCE, Server, Tongjie};

pub fn accounts(tongjie: &Tongjie) -> Value {
    let text = fs::read(tongjie.file("demo-accounts.json")).expect("the accounts file");
    serde_json::from_slice(&text).expect("JSON")
}

/// Starts a serving command and waits until it has printed where it listens.
pub fn start(tongjie: &Tongjie, args: &[&str]) -> (Server, String) {
    start_command(tongjie.command(args))
}

/// The same with a command that has settings of its own.
pub fn start_command(mut command: Command) -> (Server, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
    let out = child.stdout.take().expect("piped");
    let server = Server(child);
    let mut lines = BufReader::new(out).lines();
    let line = lines
        .by_ref()
        .map_while(Result::ok)
        .find(|line| line.contains("://"))
        .expect("an address is printed");
    let address = line.split("://").nth(1).expect("an address").trim().to_owned();
    // Somebody must read on, or the server would wait for its own output.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    (server, address)
}

pub fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

#[test]
fn the_demo_is_made_once_and_served_again() {
    for engine in Engine::all() {
        let tongjie = Tongjie::new(engine);
        let (server, address) = start(&tongjie, &["demo", "--scale", "0.005"]);
        assert!(get(&address, "/health/ready").starts_with("HTTP/1.1 200"));
        let made = accounts(&tongjie);
        assert_eq!(made["base_url"], format!("http://{address}"));
        assert_eq!(
            fs::metadata(tongjie.file("demo-accounts.json")).expect("there").mode() & 0o777,
            0o600
        );
        assert_eq!(server.stop(), Some(0));
        tongjie.succeeds(&["check"]);

        let (server, address) = start(&tongjie, &["demo"]);
        assert!(get(&address, "/health/ready").starts_with("HTTP/1.1 200"));
        let again = accounts(&tongjie);
        assert_eq!(
            again["base_url"],
            format!("http://{address}"),
            "the address is brought up to date"
        );
        assert_eq!((&again["staff"], &again["readers"]), (&made["staff"], &made["readers"]));
        assert_eq!(server.stop(), Some(0));
    }
}

#[test]
fn an_existing_database_is_served_and_stopped_cleanly() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    let (server, address) = start(&tongjie, &["serve"]);
    assert!(get(&address, "/health/live").starts_with("HTTP/1.1 200"));
    assert_eq!(server.stop(), Some(0));
    assert!(
        !tongjie.file("tongjie.db-wal").exists(),
        "the log was brought home and the store closed"
    );
}

#[test]
fn the_accounts_are_what_scripts_work_with() {
    let tongjie = Tongjie::with_demo(Engine::Sqlite);
    let made = accounts(&tongjie);
    let list = |name: &str| made[name].as_array().expect("a list").clone();
    let roles: Vec<String> = list("staff")
        .iter()
        .map(|one| one["role"].as_str().expect("a role").to_owned())
        .collect();
    for role in [
        "system",
        "unit_manager",
        "librarian",
        "cataloguer",
        "courier",
        "cashier",
        "auditor",
        "read_only",
    ] {
        assert!(roles.iter().any(|one| one == role), "no {role}");
    }
    let passwords: std::collections::HashSet<String> = list("staff")
        .iter()
        .map(|one| one["password"].as_str().expect("a password").to_owned())
        .collect();
    assert_eq!(passwords.len(), roles.len(), "no password is used twice");
    assert!(!list("items_on_shelf").is_empty() && !list("items_on_loan").is_empty());
    let desks: Vec<Value> = list("staff")
        .iter()
        .filter(|one| one["role"] == "librarian")
        .map(|one| one["unit_code"].clone())
        .collect();
    assert!(
        list("items_on_shelf")
            .iter()
            .all(|item| desks.contains(&item["unit_code"]))
    );
    assert!(made["bench"]["history_card"].is_string() && made["bench"]["fresh_card"].is_string());
}

#[test]
fn the_same_seed_makes_the_same_network() {
    let networks: Vec<Value> = (0..2)
        .map(|_| {
            let made = accounts(&Tongjie::with_demo(Engine::Sqlite));
            serde_json::json!([made["items_on_shelf"], made["items_on_loan"], made["bench"]])
        })
        .collect();
    assert_eq!(networks[0], networks[1]);
}

#[test]
fn an_interrupted_demo_says_what_to_do_and_another_network_is_left_alone() {
    let tongjie = Tongjie::with_demo(Engine::Sqlite);
    tongjie.sql("UPDATE network_state SET demo = 0");
    let told = tongjie.fails(&["demo"], 1);
    assert!(
        told.contains("was interrupted") && told.contains("tongjie.db-wal"),
        "{told}"
    );
    tongjie.sql("UPDATE units SET name = '县图书馆' WHERE code = 'JC'");
    let told = tongjie.fails(&["demo"], 1);
    assert!(told.contains("not a demo"), "{told}");
    let told = tongjie.fails(&["seed", "--tier", "demo"], 1);
    assert!(told.contains("not a demo"), "{told}");
}

#[test]
fn simulated_machines_log_in_ask_at_the_gate_and_report() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    let (server, address) = start(&tongjie, &["demo", "--scale", "0.005", "--without-machines"]);
    let made = accounts(&tongjie);
    let devices = made["devices"].as_array().expect("devices");
    let kinds: Vec<&str> = devices.iter().filter_map(|one| one["kind"].as_str()).collect();
    assert_eq!(kinds, ["gate", "kiosk", "locker", "kiosk"]);
    let (url, file) = (format!("http://{address}"), tongjie.file("demo-accounts.json"));
    let file = file.to_string_lossy();
    let args = [
        "simulate",
        "--url",
        &url,
        "--accounts",
        &file,
        "--devices",
        "6",
        "--seconds",
        "20",
        "--pace-ms",
        "50",
        "--outages",
        "20",
    ];
    let said = tongjie.succeeds(&args);
    assert!(said.contains("6 machines call") && said.contains(" errors=0"), "{said}");
    let nothing = [
        "heartbeats",
        "gate_checks",
        "decided_alone",
        "batches",
        "loaded",
        "borrowed",
        "picked_up",
        "returned",
    ];
    for nothing in nothing.map(|what| format!("{what}=0 ")) {
        assert!(!said.contains(&nothing), "{said}");
    }
    assert_eq!(server.stop(), Some(0));
    assert!(tongjie.succeeds(&["check"]).contains("check: sound"), "{said}");
}

#[test]
fn books_move_through_the_machines_of_a_demo_also_when_it_is_served_again() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    let lent = || tongjie.number("SELECT count(*) AS n FROM loan_confirmations WHERE state = 'confirmed'");
    let mut before = 0;
    for _ in 0..2 {
        let (server, _) = start(&tongjie, &["demo", "--scale", "0.005"]);
        let end = Instant::now() + PATIENCE;
        while lent() == before {
            assert!(Instant::now() < end, "nobody takes a book out of a machine");
            std::thread::sleep(Duration::from_millis(200));
        }
        before = lent();
        assert_eq!(server.stop(), Some(0));
        assert!(tongjie.succeeds(&["check"]).contains("check: sound"));
    }
}

#[test]
fn machines_that_were_alone_tell_of_it_and_nothing_is_lost() {
    for engine in Engine::all() {
        let tongjie = Tongjie::new(engine);
        let (server, address) = start(&tongjie, &["demo", "--scale", "0.005", "--without-machines"]);
        let (url, file) = (format!("http://{address}"), tongjie.file("demo-accounts.json"));
        let file = file.to_string_lossy();
        let args = [
            "simulate",
            "--url",
            &url,
            "--accounts",
            &file,
            "--devices",
            "3",
            "--replay",
            "34",
        ];
        let said = tongjie.succeeds(&args);
        for sure in ["acts=", " quarantined=0", " lost=0"] {
            assert!(said.contains(sure), "{engine:?}: {said}");
        }
        assert!(!said.contains("acts=0"), "{engine:?}: {said}");
        assert_eq!(server.stop(), Some(0));
        assert!(tongjie.succeeds(&["check"]).contains("check: sound"), "{engine:?}");
    }
}
