//! The log names nobody. Every scenario of this process is logged as an operator would see it, in JSON and in full, and
//! searched at its end for every name, number, title and secret that the scenario sent or was told.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, Once, PoisonError};

use diesel::prelude::*;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tongjie::config::{DatabaseUrl, LogFormat};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::app::{PASSWORD, PIN, TestApp};
use crate::client::Answer;

/// Members of requests and answers that say who somebody is, what they borrow, or how they get in.
const PERSONAL: [&str; 20] = [
    "name",
    "card_number",
    "pin",
    "password",
    "secret",
    "username",
    "barcode",
    "item_barcode",
    "title",
    "authors",
    "isbn",
    "id_number",
    "phone",
    "email",
    "mail",
    "application",
    "birth_date",
    "access_token",
    "refresh_token",
    "street",
];
/// Anything shorter is found everywhere.
const TELLING_BYTES: usize = 6;

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static CAPTURE: Once = Once::new();

thread_local! {
    /// What the scenario of this thread used.
    static NOTED: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
    /// Where its lines begin.
    static BEGIN: Cell<usize> = const { Cell::new(0) };
}

struct Captured;

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lines().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lines() -> std::sync::MutexGuard<'static, Vec<u8>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A scenario begins: from now on its lines count.
pub fn begin() {
    CAPTURE.call_once(|| {
        let filter = EnvFilter::new("debug,tongjie=trace");
        let subscriber = tongjie::telemetry::subscriber(LogFormat::Json, filter, || Captured);
        subscriber.try_init().expect("nobody else logs in this process");
    });
    BEGIN.set(lines().len());
}

/// Remembers what is personal in a request or an answer.
pub fn note(body: &Value) {
    match body {
        // The document of the API names its own parts.
        Value::Object(members) if members.contains_key("openapi") => {}
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if PERSONAL.contains(&name.as_str()) => note_text(text),
                    _ => note(value),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(note),
        _ => {}
    }
}

/// Remembers one such text.
pub fn note_text(text: &str) {
    if text.len() >= TELLING_BYTES {
        NOTED.with_borrow_mut(|noted| noted.insert(text.to_owned()));
    }
}

/// The lines since `begin`, of every scenario that ran meanwhile.
pub fn captured() -> Vec<Value> {
    let lines = lines();
    let text = String::from_utf8(lines[BEGIN.get()..].to_vec()).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("every line is JSON"))
        .collect()
}

/// No line holds what the scenario used.
pub fn assert_silent() {
    let noted = NOTED.take();
    for mut line in captured() {
        // Digits that mean nothing, and may be anybody's.
        for number in ["timestamp", "micros"] {
            line.as_object_mut().expect("an object").remove(number);
        }
        let text = line.to_string();
        let found = noted.iter().find(|noted| text.contains(noted.as_str()));
        assert!(found.is_none(), "the log says {found:?}: {text}");
    }
}

on_both!(
    the_log_of_every_operation_names_nobody,
    a_broken_database_is_told_without_names
);

/// Sends a request under an id of its own; answers what the log says under that id.
fn told(app: &TestApp, method: &str, path: &str, token: &str, body: &Value) -> (Answer, Vec<Value>) {
    let id = format!("log-{}-{}", app.address.port(), app.next());
    let request = app.request(method, path).bearer(token).header("X-Request-Id", &id);
    let answer = if method == "GET" {
        request.send()
    } else {
        request.json(body).send()
    };
    assert_eq!(answer.header("x-request-id"), Some(id.as_str()));
    let of_it = |line: &Value| line["request_id"] == id.as_str() || line["span"]["request_id"] == id.as_str();
    let lines = captured().into_iter().filter(of_it).collect();
    (answer, lines)
}

fn the_log_of_every_operation_names_nobody(app: &TestApp) {
    app.small_network();
    let (desk, unit) = (app.staff("librarian", "B1"), app.unit("K1", "point", "B1", &json!({})));
    app.device("kiosk-一号机", unit, "a device secret");
    let (id, card) = app.reader("adult", "B1");
    let (_, other) = app.reader("adult", "B1");
    let title = "三国演义全图本";
    note_text(title);
    let bib = app.bib(title, Some("9787020008728"));
    let (item, barcode) = app.item(bib, "B1", &json!({}));
    for wrong in [
        json!({"username": "nobody.at.all", "password": PASSWORD}),
        json!({"card_number": card, "pin": "000000"}),
        json!({"device_code": "kiosk-一号机", "secret": "no device secret"}),
    ] {
        app.log_in(&wrong).expect(401);
    }
    app.log_in(&json!({"device_code": "kiosk-一号机", "secret": "a device secret"}))
        .expect(201);
    let body = json!({"item_barcode": barcode, "card_number": card});
    let (_, lines) = told(app, "POST", "/api/v1/check-outs", &desk, &body);
    assert!(
        lines.iter().any(|line| line["message"] == "answered"
            && line["status"] == 201
            && line["span"]["operation"] == "checkOut"),
        "{lines:?}"
    );
    told(app, "POST", "/api/v1/check-outs", &desk, &body).0.expect(409);
    let reader = app.reader_token(&other);
    let hold = json!({"bib_id": bib, "pickup_unit_code": "B1"});
    told(app, "POST", "/api/v1/holds", &reader, &hold).0.expect(201);
    let search = "/api/v1/bibs?q=%E4%B8%89%E5%9B%BD%E6%BC%94%E4%B9%89";
    let found = told(app, "GET", search, &reader, &Value::Null).0.expect(200);
    assert_eq!(found.body["items"][0]["title"], title);
    for path in [
        format!("readers/{id}/loans"),
        format!("items/{item}"),
        format!("bibs/{bib}"),
    ] {
        told(app, "GET", &format!("/api/v1/{path}"), &desk, &Value::Null)
            .0
            .expect(200);
    }
    app.post(&desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200);
    touch_every_operation(app, &desk);
}

/// Every operation of the document once more, with members that are personal and out of place.
fn touch_every_operation(app: &TestApp, desk: &str) {
    let document = serde_json::to_value(tongjie::http::openapi()).expect("serialises");
    let body = json!({"name": "欧阳修远的读者", "card_number": "JC55501234", "pin": PIN, "barcode": "0199988877",
        "item_barcode": "0199988877", "title": "红楼梦八十回", "username": "ouyang.xiu", "password": PASSWORD});
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let address = path.replace("{id}", "1").replace("{code}", "B1");
        for (method, operation) in methods.as_object().expect("methods") {
            let (answer, lines) = told(app, &method.to_uppercase(), &address, desk, &body);
            assert!(answer.status < 500, "{method} {path}: {answer:?}");
            let operation = &operation["operationId"];
            assert!(
                lines.iter().any(|line| line["span"]["operation"] == *operation),
                "{lines:?}"
            );
        }
    }
}

fn a_broken_database_is_told_without_names(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (_, card) = app.reader("adult", "B1");
    let (_, barcode) = app.item(app.bib("水浒传百回本", None), "B1", &json!({}));
    sql(app, "ALTER TABLE items RENAME TO items_elsewhere");
    let body = json!({"item_barcode": barcode, "card_number": card});
    let (answer, lines) = told(app, "POST", "/api/v1/check-outs", &desk, &body);
    let answer = answer.expect_problem(500, "internal");
    assert_eq!(answer.body["request_id"].as_str(), answer.header("x-request-id"));
    let failed = lines.iter().find(|line| line["message"] == "a request failed");
    let cause = failed.expect("the failure is logged")["cause"]
        .as_str()
        .expect("with its cause");
    assert!(cause.contains("items"), "{cause}");
}

/// Changes the database behind the server's back.
pub fn sql(app: &TestApp, statement: &str) {
    let changed = match app.app.config.database_url() {
        DatabaseUrl::Sqlite(path) => {
            let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).expect("opens");
            diesel::sql_query("PRAGMA busy_timeout = 5000")
                .execute(&mut conn)
                .expect("set");
            diesel::sql_query(statement).execute(&mut conn)
        }
        DatabaseUrl::Postgres(url) => {
            let mut conn = diesel::PgConnection::establish(url.expose_secret()).expect("connects");
            diesel::sql_query(statement).execute(&mut conn)
        }
    };
    changed.unwrap_or_else(|error| panic!("{statement}: {error}"));
}
