//! A database that is locked, full or gone: 503 with `Retry-After`, nothing half-done, and all is well again without a
//! restart once the cause ends.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tongjie::config::Config;

use crate::app::{TestApp, run_with};
use crate::client::Answer;
use crate::database::Engine;

/// A desk with a reader before it and an item on the shelf behind it.
struct Desk<'a> {
    app: &'a TestApp,
    token: String,
    reader: i64,
    item: i64,
    body: Value,
}

impl<'a> Desk<'a> {
    fn new(app: &'a TestApp) -> Self {
        app.small_network();
        let (reader, card) = app.reader("adult", "B1");
        let (item, barcode) = app.item(app.bib("三国演义", None), "B1", &json!({}));
        Self {
            app,
            token: app.staff("librarian", "B1"),
            reader,
            item,
            body: json!({"item_barcode": barcode, "card_number": card}),
        }
    }

    fn lend(&self) -> Answer {
        let request = self.app.request("POST", "/api/v1/check-outs").bearer(&self.token);
        request.key("the-only-one").json(&self.body).send()
    }

    fn look(&self) -> Answer {
        self.app.get(&self.token, &format!("/api/v1/items/{}", self.item))
    }

    fn loans(&self) -> Value {
        let path = format!("/api/v1/readers/{}/loans", self.reader);
        self.app.get(&self.token, &path).expect(200).body["items"].clone()
    }

    fn ready(&self) -> Answer {
        self.app.request("GET", "/health/ready").send()
    }

    /// The same call, sent again as its client was told to, goes through and leaves one loan.
    #[track_caller]
    fn is_well_again(&self) {
        until_answered(|| self.ready()).expect(200);
        let lent = until_answered(|| self.lend()).expect(201);
        assert_eq!(lent.header("idempotency-replayed"), None, "it had not happened before");
        assert_eq!(self.loans(), json!([lent.body["loan"]]));
        assert_eq!(self.look().expect(200).body["status"], "on_loan");
    }
}

/// A client does as `Retry-After` says, only sooner.
fn until_answered(call: impl Fn() -> Answer) -> Answer {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = call();
        if answer.status != 503 || Instant::now() > deadline {
            return answer;
        }
    }
}

#[track_caller]
fn turned_away(answer: Answer) {
    let answer = answer.expect_problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), Some("2"));
}

fn soon(config: &mut Config) {
    config.database.busy_timeout_ms = 200;
    config.database.lock_timeout_ms = 200;
}

/// Only where connections are refused: elsewhere a busy machine may need longer to open one.
fn sooner(config: &mut Config) {
    soon(config);
    config.database.connect_timeout_ms = 500;
}

#[test]
fn a_locked_file_can_still_be_read() {
    run_with(Engine::Sqlite, soon, |app| {
        let desk = Desk::new(app);
        let mut outside = app.database.outside();
        let before = outside.traces();
        desk.ready().expect(200);
        for lock in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
            outside.run(lock);
            turned_away(desk.lend());
            turned_away(desk.ready());
            assert_eq!(desk.look().expect(200).body["status"], "on_shelf");
            outside.run("ROLLBACK");
            assert_eq!(outside.traces(), before);
        }
        desk.is_well_again();
    });
}

#[test]
fn a_locked_table_is_waited_for_no_longer_than_the_limit() {
    run_with(Engine::Postgres, soon, |app| {
        let desk = Desk::new(app);
        let mut outside = app.database.outside();
        let before = outside.traces();
        outside.run("BEGIN");
        outside.run("LOCK TABLE loans, idempotency_keys IN EXCLUSIVE MODE");
        turned_away(desk.lend());
        turned_away(desk.ready());
        assert_eq!(desk.look().expect(200).body["status"], "on_shelf");
        outside.run("ROLLBACK");
        assert_eq!(outside.traces(), before);
        desk.is_well_again();
    });
}

#[test]
fn a_row_locked_from_outside_holds_up_nobody_else() {
    run_with(Engine::Postgres, soon, |app| {
        let desk = Desk::new(app);
        let mut outside = app.database.outside();
        let before = outside.traces();
        outside.run("BEGIN");
        outside.run(&format!("SELECT id FROM items WHERE id = {} FOR UPDATE", desk.item));
        turned_away(desk.lend());
        desk.ready().expect(200);
        assert_eq!(outside.traces(), before);
        outside.run("ROLLBACK");
        desk.is_well_again();
    });
}

#[test]
fn a_full_file_can_still_be_read() {
    let small = |config: &mut Config| config.database.max_size_mib = 2;
    run_with(Engine::Sqlite, small, |app| {
        let desk = Desk::new(app);
        let mut outside = app.database.outside();
        outside.run("CREATE TABLE ballast (weight BLOB)");
        outside.run("INSERT INTO ballast VALUES (zeroblob(3 * 1024 * 1024))");
        let note = "很".repeat(500);
        let register = |n: u32| {
            let body = json!({"name": "李", "category": "adult", "home_unit_code": "B1", "note": note,
                "card_number": format!("FULL{n}")});
            let request = app.request("POST", "/api/v1/readers").bearer(&desk.token);
            request.key(&format!("full-{n}")).json(&body).send()
        };
        // What room there is in pages begun is used up first.
        let full = (0..50).find(|n| register(*n).status != 201).expect("it is full soon");
        let before = outside.traces();
        turned_away(register(full));
        turned_away(desk.ready());
        assert_eq!(outside.traces(), before);
        assert_eq!(desk.look().expect(200).body["status"], "on_shelf");
        outside.run("DROP TABLE ballast");
        desk.ready().expect(200);
        let made = register(full).expect(201);
        assert_eq!(made.header("idempotency-replayed"), None);
        desk.is_well_again();
    });
}

#[test]
fn a_lost_file_is_missed_by_reads_and_changes_and_never_replaced() {
    run_with(Engine::Sqlite, soon, |app| {
        let desk = Desk::new(app);
        let (file, away) = (app.database.file(), app.database.dir().join("away.db"));
        std::fs::rename(&file, &away).expect("moved away");
        turned_away(desk.look());
        turned_away(desk.ready());
        turned_away(desk.lend());
        app.request("GET", "/health/live").send().expect(200);
        assert!(!file.exists(), "no empty file may take its place");
        std::fs::rename(&away, &file).expect("moved back");
        desk.is_well_again();
    });
}

#[test]
fn a_file_that_is_no_database_of_ours_is_as_good_as_none() {
    run_with(Engine::Sqlite, sooner, |app| {
        let desk = Desk::new(app);
        let (file, away) = (app.database.file(), app.database.dir().join("away.db"));
        std::fs::rename(&file, &away).expect("moved away");
        std::fs::write(&file, b"").expect("an empty file");
        turned_away(desk.look());
        turned_away(desk.ready());
        turned_away(desk.lend());
        assert_eq!(
            std::fs::metadata(&file).expect("still there").len(),
            0,
            "not written to"
        );
        std::fs::rename(&away, &file).expect("moved back");
        desk.is_well_again();
    });
}

#[test]
fn a_database_that_takes_no_connections_is_waited_for() {
    run_with(Engine::Postgres, sooner, |app| {
        let desk = Desk::new(app);
        let before = app.database.outside().traces();
        app.database.shut_out();
        turned_away(desk.look());
        turned_away(desk.ready());
        turned_away(desk.lend());
        app.request("GET", "/health/live").send().expect(200);
        app.database.let_in();
        assert_eq!(app.database.outside().traces(), before);
        desk.is_well_again();
    });
}

#[test]
fn a_connection_that_dies_under_a_change_leaves_nothing_of_it() {
    let patient = |config: &mut Config| config.database.lock_timeout_ms = 60_000;
    run_with(Engine::Postgres, patient, |app| {
        let desk = Desk::new(app);
        let mut outside = app.database.outside();
        let before = outside.traces();
        outside.run("BEGIN");
        outside.run(&format!("SELECT id FROM items WHERE id = {} FOR UPDATE", desk.item));
        std::thread::scope(|scope| {
            let call = app.request("POST", "/api/v1/check-outs").bearer(&desk.token);
            let call = call.key("the-only-one").json(&desk.body);
            let waiting = scope.spawn(move || call.send());
            let mut watching = app.database.outside();
            watching.until_waiting(1);
            assert_eq!(watching.terminate_waiting(), 1);
            turned_away(waiting.join().expect("no panic"));
        });
        assert_eq!(outside.traces(), before);
        outside.run("ROLLBACK");
        desk.is_well_again();
    });
}
