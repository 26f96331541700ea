//! `/health/ready` says which part is not.

use serde_json::{Value, json};

use crate::app::{TestApp, run_with};
use crate::client::Answer;
use crate::database::Engine;
use crate::logs::sql;

on_both!(
    every_part_is_named_when_ready,
    a_writer_that_stopped_is_named,
    a_schema_that_lost_a_migration_is_named,
);

fn ready(app: &TestApp) -> Answer {
    app.request("GET", "/health/ready").send()
}

/// The parts that are not ready, with their reasons.
fn failed(answer: &Answer) -> Vec<(String, String)> {
    let parts = answer.body["parts"].as_array().expect("parts");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    parts
        .iter()
        .filter(|part| part["ready"] == false)
        .map(|part| (text(&part["part"]), text(&part["reason"])))
        .collect()
}

fn every_part_is_named_when_ready(app: &TestApp) {
    let parts: Vec<Value> = ["database_read", "database_write", "migrations", "disk"]
        .map(|part| json!({"part": part, "ready": true}))
        .into();
    assert_eq!(ready(app).expect(200).body, json!({"status": "ready", "parts": parts}));
}

fn a_writer_that_stopped_is_named(app: &TestApp) {
    app.app.store.close();
    let answer = ready(app).expect_problem(503, "unavailable");
    assert_eq!(answer.body["detail"], "database_write");
    assert_eq!(failed(&answer), [("database_write".to_owned(), "stopping".to_owned())]);
    assert_eq!(answer.header("retry-after"), Some("2"));
}

fn a_schema_that_lost_a_migration_is_named(app: &TestApp) {
    let last =
        "DELETE FROM __diesel_schema_migrations WHERE version = (SELECT max(version) FROM __diesel_schema_migrations)";
    sql(app, last);
    let answer = ready(app).expect_problem(503, "unavailable");
    assert_eq!(failed(&answer), [("migrations".to_owned(), "1 not applied".to_owned())]);
}

#[test]
fn a_lost_database_is_named_and_nothing_of_it_is_told() {
    run_with(
        Engine::Sqlite,
        |_| {},
        |app| {
            let file = app.app.config.data.dir.join("tongjie.db");
            std::fs::remove_file(&file).expect("removed");
            let answer = ready(app).expect_problem(503, "unavailable");
            let names: Vec<String> = failed(&answer).into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["database_read", "database_write", "migrations"]);
            let told = answer.body.to_string();
            assert!(!told.contains("tongjie.db") && !told.contains("/tmp"), "{told}");
        },
    );
}

#[test]
fn a_full_disk_is_named() {
    run_with(
        Engine::Sqlite,
        |config| config.limits.free_disk_mib = u64::MAX,
        |app| {
            let answer = ready(app).expect_problem(503, "unavailable");
            assert_eq!(answer.body["detail"], "disk");
        },
    );
}
