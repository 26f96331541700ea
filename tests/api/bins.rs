//! Sorters: each book falls into the bin that its unit's table says, and always into some bin.

use serde_json::{Value, json};

use crate::app::{ROOT, TestApp};
use crate::client::Answer;
use crate::gates::machine;

on_both!(
    a_sorter_is_told_the_bin,
    what_no_bin_takes_and_what_fits_no_more_goes_to_the_exceptions,
    a_table_that_cannot_be_is_refused_line_by_line,
    a_table_is_replaced_by_who_saw_it,
);

/// Everybody lends everything; M1 with a branch, M2 with a branch.
fn network(app: &TestApp) {
    let joined = json!({"lend_away": true, "return_away": true, "readers_away": true});
    app.unit("C1", "central", ROOT, &json!({"membership": [joined]}));
    for n in ["1", "2"] {
        app.unit(&format!("M{n}"), "main", "C1", &json!({}));
        app.unit(&format!("B{n}"), "branch", &format!("M{n}"), &json!({}));
    }
}

fn set(app: &TestApp, lines: &Value) -> Answer {
    let request = app.request("PUT", "/api/v1/units/M1/bins").bearer(&app.root_token());
    request.json(&json!({"lines": lines})).send()
}

fn table(app: &TestApp) {
    let lines = json!([
        {"bin": 1, "takes": "shelf"},
        {"bin": 2, "takes": "shelf", "collection_code": "novels"},
        {"bin": 3, "takes": "hold"},
        {"bin": 4, "takes": "transit", "to_unit_code": "B2"},
        {"bin": 5, "takes": "transit", "to_unit_code": "M2", "and_below": true},
        {"bin": 6, "takes": "transit", "route_code": "R1"},
        {"bin": 9, "takes": "exception"},
    ]);
    set(app, &lines).expect(200);
}

fn made_ready(app: &TestApp) -> String {
    network(app);
    let root = app.root_token();
    let put = |path: &str, body: &Value| app.request("PUT", path).bearer(&root).json(body).send();
    put(
        "/api/v1/units/M1/collections/novels",
        &json!({"name": "小说", "return_policy": "home"}),
    )
    .expect(200);
    let route = json!({"name": "线", "unit_code": "C1", "weekdays": [1],
        "stops": [{"unit_code": "M1", "time": "08:00:00"}, {"unit_code": "B1", "time": "09:00:00"}]});
    put("/api/v1/routes/R1", &route).expect(200);
    table(app);
    machine(app, "sorter", "M1", "tag_reader,sorter")
}

fn scanned(app: &TestApp, token: &str, barcode: &str) -> Value {
    let back = app.post(token, "/api/v1/check-ins", &json!({"item_barcode": barcode}));
    back.expect(200).body
}

/// The bin into which a copy of that owner falls.
fn falls(app: &TestApp, sorter: &str, owner: &str, extra: &Value) -> Value {
    let (_, barcode) = app.item(app.bib("三国演义", None), owner, extra);
    scanned(app, sorter, &barcode)["bin"].clone()
}

fn a_sorter_is_told_the_bin(app: &TestApp) {
    let sorter = made_ready(app);
    let plain = json!({});
    assert_eq!(falls(app, &sorter, "M1", &plain), 1);
    assert_eq!(falls(app, &sorter, "M1", &json!({"collection_code": "novels"})), 2);
    assert_eq!(falls(app, &sorter, "B2", &plain), 4, "a unit before what is above it");
    assert_eq!(falls(app, &sorter, "M2", &plain), 5);
    assert_eq!(falls(app, &sorter, "B1", &plain), 6, "by the route that stops there");
    let desk = app.staff("librarian", "M1");
    let bib = app.bib("西游记", None);
    let (_, barcode) = app.item(bib, "M1", &json!({"rfid_tag": "E0040150000004A1"}));
    let (_, card) = app.reader("adult", "M1");
    let (_, other) = app.reader("adult", "M1");
    let out = json!({"item_barcode": barcode, "card_number": other});
    app.post(&desk, "/api/v1/check-outs", &out).expect(201);
    let hold = json!({"bib_id": bib, "pickup_unit_code": "M1", "card_number": card});
    app.post(&desk, "/api/v1/holds", &hold).expect(201);
    let returned = json!({"item_tag": "E0040150000004A1"});
    let back = || {
        app.request("POST", "/api/v1/check-ins")
            .bearer(&sorter)
            .key("k-1")
            .json(&returned)
            .send()
    };
    let first = back().expect(200).body;
    assert_eq!(
        (&first["next_step"]["kind"], &first["bin"]),
        (&json!("hold_shelf"), &json!(3))
    );
    assert_eq!(back().expect(200).body, first, "an answer that was lost is told again");
    let (_, barcode) = app.item(app.bib("红楼梦", None), "M1", &plain);
    assert_eq!(scanned(app, &desk, &barcode)["bin"], Value::Null, "people have no bins");
    let elsewhere = machine(app, "sorter", "M2", "tag_reader,sorter");
    assert_eq!(falls(app, &elsewhere, "M2", &plain), Value::Null, "no table");
    app.assert_sound();
}

fn what_no_bin_takes_and_what_fits_no_more_goes_to_the_exceptions(app: &TestApp) {
    let sorter = made_ready(app);
    assert_eq!(falls(app, &sorter, "C1", &json!({})), 9, "no line takes it");
    app.database.outside().run(
        "INSERT INTO device_status (device_id, last_seen_at, started_at, beat, clock_offset_ms, clock, firmware, \
         configuration_version, faults, stock, changed_at) \
         SELECT id, 0, 0, 1, 0, 'good', '1', 0, 'belt_slow,bin_full:1,bin_full:9', '{}', 0 FROM devices",
    );
    assert_eq!(falls(app, &sorter, "M1", &json!({})), 9, "it must fall somewhere");
    assert_eq!(falls(app, &sorter, "B2", &json!({})), 4);
    app.post(&sorter, "/api/v1/check-ins", &json!({"item_tag": "nobody's"}))
        .expect_fields(422, &["item_tag"]);
}

fn a_table_that_cannot_be_is_refused_line_by_line(app: &TestApp) {
    made_ready(app);
    let before = app.get(&app.root_token(), "/api/v1/units/M1/bins").expect(200).body;
    let exception = json!({"bin": 9, "takes": "exception"});
    let with = |line: Value| json!([exception, line]);
    set(app, &json!([{"bin": 1, "takes": "shelf"}])).expect_fields(422, &["lines"]);
    set(app, &json!([exception, exception])).expect_fields(422, &["lines"]);
    for (line, field) in [
        (json!({"bin": 0, "takes": "hold"}), "bin"),
        (json!({"bin": 1000, "takes": "hold"}), "bin"),
        (json!({"bin": 1, "takes": "everything"}), "takes"),
        (
            json!({"bin": 1, "takes": "shelf", "collection_code": "x"}),
            "collection_code",
        ),
        (
            json!({"bin": 1, "takes": "hold", "collection_code": "novels"}),
            "collection_code",
        ),
        (json!({"bin": 1, "takes": "hold", "to_unit_code": "M2"}), "takes"),
        (
            json!({"bin": 1, "takes": "transit", "to_unit_code": "x"}),
            "to_unit_code",
        ),
        (json!({"bin": 1, "takes": "transit", "route_code": "x"}), "route_code"),
        (json!({"bin": 1, "takes": "transit", "and_below": true}), "and_below"),
        (
            json!({"bin": 1, "takes": "transit", "to_unit_code": "M2", "route_code": "R1"}),
            "route_code",
        ),
    ] {
        set(app, &with(line)).expect_fields(422, &[format!("lines[1].{field}").as_str()]);
    }
    set(app, &with(json!({"bin": 1, "takes": "hold", "colour": "red"}))).expect_problem(400, "malformed_request");
    assert_eq!(
        app.get(&app.root_token(), "/api/v1/units/M1/bins").expect(200).body,
        before
    );
    let manager = app.staff("unit_manager", "M2");
    let request = app.request("PUT", "/api/v1/units/M1/bins").bearer(&manager);
    request
        .json(&json!({"lines": []}))
        .send()
        .expect_problem(403, "forbidden");
}

fn a_table_is_replaced_by_who_saw_it(app: &TestApp) {
    made_ready(app);
    let root = app.root_token();
    let shown = app.get(&root, "/api/v1/units/M1/bins").expect(200);
    assert_eq!(
        shown.body["lines"][4],
        json!({"bin": 5, "takes": "transit", "collection_code": null,
        "to_unit_code": "M2", "and_below": true, "route_code": null})
    );
    let tag = shown.header("etag").expect("a tag").to_owned();
    let put = |lines: Value| {
        let request = app
            .request("PUT", "/api/v1/units/M1/bins")
            .bearer(&root)
            .header("If-Match", &tag);
        request.json(&json!({"lines": lines})).send()
    };
    put(json!([{"bin": 7, "takes": "exception"}])).expect(200);
    put(json!([])).expect_problem(412, "precondition_failed");
    let sorter = machine(app, "sorter", "M1", "sorter");
    let own = app.get(&sorter, "/api/v1/units/M1/bins").expect(200).body;
    assert_eq!(own["lines"].as_array().map(Vec::len), Some(1));
    app.get(&sorter, "/api/v1/units/M2/bins")
        .expect_problem(403, "forbidden");
    set(app, &json!([])).expect(200);
    assert_eq!(falls(app, &sorter, "M1", &json!({})), Value::Null);
    let told = "SELECT COUNT(*) AS n FROM events WHERE kind = 'device_configured'";
    assert_eq!(app.database.outside().number(told), 3);
}
