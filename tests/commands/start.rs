//! What a start refuses, and how it says so.

use std::fs;

use crate::database::Engine;
use crate::process::{Tongjie, told};

#[test]
fn a_bad_setting_is_refused_by_name() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    for (variable, value, named) in [
        ("TONGJIE__HTTP__BNID", "127.0.0.1:0", "http.bnid"),
        ("TONGJIE__HTTP__BIND", "localhost", "http.bind"),
        ("TONGJIE__JOBS__SEAL_INTERVAL_MS", "0", "jobs.seal_interval_ms"),
        ("TONGJIE__DATABASE__URL", "mysql://x", "database.url"),
    ] {
        let output = tongjie
            .command(&["serve"])
            .env(variable, value)
            .output()
            .expect("starts");
        assert_eq!(output.status.code(), Some(2), "{variable}: {}", told(&output));
        assert!(told(&output).contains(named), "{}", told(&output));
    }
    let file = tongjie.file("settings.toml");
    fs::write(&file, "[http]\nwrokers = 2\n").expect("written");
    let said = tongjie.fails(&["--config", &file.to_string_lossy(), "serve"], 2);
    assert!(
        said.contains("http.wrokers") && said.contains("settings.toml"),
        "{said}"
    );
}

#[test]
fn a_database_from_the_future_is_refused_and_left_alone() {
    for engine in Engine::all() {
        let tongjie = Tongjie::new(engine);
        tongjie.succeeds(&["migrate"]);
        tongjie.sql("UPDATE network_state SET min_binary = 99");
        for command in ["serve", "check", "migrate"] {
            let said = tongjie.fails(&[command], 3);
            assert!(said.contains("newer than this program"), "{said}");
        }
    }
}

#[test]
fn a_database_that_cannot_be_opened_is_said_so() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    let url = "sqlite:/nowhere/at/all/tongjie.db";
    let output = tongjie
        .command(&["migrate"])
        .env("TONGJIE__DATABASE__URL", url)
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(
        told(&output).contains("the database could not be opened"),
        "{}",
        told(&output)
    );
}

#[test]
fn nothing_is_never_found_sound() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    assert!(tongjie.fails(&["check"], 1).contains("there is no database at"));
    assert!(!tongjie.database.file().exists(), "and none was made");
}

#[test]
fn demo_log_ins_are_never_served_beyond_this_machine() {
    let tongjie = Tongjie::with_demo(Engine::Sqlite);
    for command in ["serve", "demo"] {
        let output = tongjie
            .command(&[command])
            .env("TONGJIE__HTTP__BIND", "0.0.0.0:0")
            .output()
            .expect("starts");
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
        assert!(
            told(&output).contains("http.bind") && told(&output).contains("loopback"),
            "{}",
            told(&output)
        );
    }
}

#[test]
fn the_api_document_is_printed_as_json() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    let document: serde_json::Value = serde_json::from_str(&tongjie.succeeds(&["openapi"])).expect("JSON");
    assert!(document["openapi"].as_str().expect("a version").starts_with("3.1"));
    assert_eq!(
        document["paths"]["/api/v1/check-outs"]["post"]["operationId"],
        "checkOut"
    );
}
