//! Gates: which book may go out, what becomes of alarms, and how many went through.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::client::Answer;

on_both!(
    what_is_lent_may_go_out_and_what_was_given_back_may_not,
    each_state_of_a_book_has_its_reason,
    a_loan_that_a_machine_has_not_confirmed_lets_pass,
    a_released_tag_counts_while_a_machine_of_the_unit_may_have_lent_offline,
    an_alarm_is_one_line_however_often_it_is_told,
    what_a_gate_decided_alone_is_held_against_the_records,
    staff_say_once_what_became_of_an_alarm,
    a_batch_counts_once_and_names_the_lines_that_cannot_be,
    a_question_that_cannot_be_read_is_refused,
    only_a_gate_at_work_asks,
);

const TAG: &str = "E0040150000004A1";

/// A machine at work, and its token.
pub fn machine(app: &TestApp, kind: &str, unit: &str, capabilities: &str) -> String {
    let code = format!("{kind}-{}", app.next());
    let id = app
        .get(&app.root_token(), &format!("/api/v1/units/{unit}"))
        .expect(200)
        .id();
    app.device(&code, id, "a random secret");
    app.database.outside().run(&format!(
        "UPDATE devices SET kind = '{kind}', capabilities = '{capabilities}', approved_at = 0 WHERE code = '{code}'"
    ));
    let session = app.log_in(&json!({"device_code": code, "secret": "a random secret"}));
    session.expect(201).body["access_token"]
        .as_str()
        .expect("a token")
        .to_owned()
}

fn gate(app: &TestApp, unit: &str) -> String {
    machine(app, "gate", unit, "tag_reader,gate")
}

struct Scene {
    gate: String,
    desk: String,
    card: String,
    item: i64,
    barcode: String,
}

/// A book with a tag at B1, and the gate of B1.
fn scene(app: &TestApp) -> Scene {
    app.small_network();
    let (item, barcode) = app.item(app.bib("三国演义", None), "B1", &json!({"rfid_tag": TAG}));
    Scene {
        gate: gate(app, "B1"),
        desk: app.staff("librarian", "B1"),
        card: app.reader("adult", "B1").1,
        item,
        barcode,
    }
}

impl Scene {
    fn lend(&self, app: &TestApp) -> i64 {
        let body = json!({"item_tag": TAG, "card_number": self.card});
        let lent = app.post(&self.desk, "/api/v1/check-outs", &body).expect(201).body;
        lent["loan"]["id"].as_i64().expect("an id")
    }

    fn take_back(&self, app: &TestApp) {
        let back = app
            .post(&self.desk, "/api/v1/check-ins", &json!({"item_tag": TAG}))
            .expect(200);
        assert_eq!(back.body["item_barcode"], self.barcode);
    }

    fn becomes(&self, app: &TestApp, status: &str) {
        let sql = format!("UPDATE items SET status = '{status}' WHERE id = {}", self.item);
        app.database.outside().run(&sql);
    }

    fn tell(&self, app: &TestApp, body: &Value) -> Answer {
        app.post(&self.gate, "/api/v1/device/gate-passages", body)
    }
}

/// Decision and reason.
fn asked(app: &TestApp, gate: &str, check: &Value) -> (String, String) {
    let answer = app.post(gate, "/api/v1/device/gate-checks", check).expect(200).body;
    assert_eq!(answer["check_id"], check["check_id"]);
    let word = |member: &str| answer[member].as_str().expect("a word").to_owned();
    (word("decision"), word("reason"))
}

fn by_tag(app: &TestApp, gate: &str, tag: &str) -> (String, String) {
    let check = json!({"check_id": format!("c{}", app.next()), "tag": tag});
    asked(app, gate, &check)
}

fn says(decision: &str, reason: &str) -> (String, String) {
    (decision.to_owned(), reason.to_owned())
}

fn alarms(app: &TestApp, desk: &str, query: &str) -> Vec<Value> {
    let listed = app.get(desk, &format!("/api/v1/gate-alarms{query}")).expect(200).body;
    listed["items"].as_array().expect("a list").clone()
}

/// The line of an alarm is written after the answer: asks for it until it is there.
fn awaited(app: &TestApp, desk: &str, lines: usize) -> Vec<Value> {
    for _ in 0..2000 {
        let found = alarms(app, desk, "");
        if found.len() >= lines {
            return found;
        }
    }
    panic!("no {lines} lines in the log of gates");
}

fn what_is_lent_may_go_out_and_what_was_given_back_may_not(app: &TestApp) {
    let scene = scene(app);
    assert_eq!(by_tag(app, &scene.gate, TAG), says("alarm", "not_lent"));
    scene.lend(app);
    assert_eq!(by_tag(app, &scene.gate, TAG), says("allow", "lent"));
    let by_barcode = json!({"check_id": "b", "barcode": scene.barcode, "tag_bit": "secured"});
    assert_eq!(
        asked(app, &scene.gate, &by_barcode),
        says("allow", "lent"),
        "the bit is late"
    );
    scene.take_back(app);
    assert_eq!(by_tag(app, &scene.gate, TAG), says("alarm", "not_lent"));
    let lines = awaited(app, &scene.desk, 2);
    assert_eq!(lines.len(), 2, "what passed without a doubt is not kept");
    assert_eq!(
        (
            &lines[0]["tag"],
            &lines[0]["item_id"],
            &lines[0]["item_barcode"],
            &lines[0]["decided"]
        ),
        (&json!(TAG), &json!(scene.item), &json!(scene.barcode), &json!("asked"))
    );
    assert_eq!(
        (&lines[0]["unit_code"], &lines[0]["outcome"]),
        (&json!("B1"), &Value::Null)
    );
}

fn each_state_of_a_book_has_its_reason(app: &TestApp) {
    let scene = scene(app);
    for (status, decision, reason) in [
        ("on_hold_shelf", "alarm", "on_hold_shelf"),
        ("in_transit", "allow", "under_way"),
        ("awaiting_dispatch", "alarm", "not_lent"),
        ("missing", "alarm", "lost_found"),
        ("withdrawn", "allow", "not_stock"),
        ("on_loan", "allow", "record_fault"),
    ] {
        scene.becomes(app, status);
        assert_eq!(by_tag(app, &scene.gate, TAG), says(decision, reason), "{status}");
    }
    scene.becomes(app, "on_shelf");
    assert_eq!(by_tag(app, &scene.gate, "E004"), says("allow", "not_ours"));
    app.item(app.bib("水浒传", None), "M1", &json!({"rfid_tag": TAG}));
    assert_eq!(by_tag(app, &scene.gate, TAG), says("allow", "ambiguous"));
    let several = json!({"item_tag": TAG, "card_number": scene.card});
    app.post(&scene.desk, "/api/v1/check-outs", &several)
        .expect_problem(409, "ambiguous_barcode");
    let mine = json!({"item_tag": TAG, "card_number": scene.card, "owner_unit_code": "B1"});
    let loan = app.post(&scene.desk, "/api/v1/check-outs", &mine).expect(201).body["loan"]["id"].clone();
    let claims = format!("/api/v1/loans/{loan}/claims");
    app.post(&scene.desk, &claims, &json!({})).expect(200);
    app.database
        .outside()
        .run("UPDATE items SET rfid_tag = NULL WHERE status = 'on_shelf'");
    assert_eq!(by_tag(app, &scene.gate, TAG), says("alarm", "claimed_returned"));
    app.assert_sound();
}

fn a_loan_that_a_machine_has_not_confirmed_lets_pass(app: &TestApp) {
    let scene = scene(app);
    let loan = scene.lend(app);
    app.database.outside().run(&format!(
        "INSERT INTO loan_confirmations (loan_id, device_id, turn, state, reserved_at, deadline_at) \
         SELECT {loan}, MIN(id), 1, 'reserved', 0, 1 FROM devices"
    ));
    for state in ["reserved", "unconfirmed"] {
        app.database
            .outside()
            .run(&format!("UPDATE loan_confirmations SET state = '{state}'"));
        assert_eq!(
            by_tag(app, &scene.gate, TAG),
            says("allow", "lent_unconfirmed"),
            "{state}"
        );
    }
    app.database
        .outside()
        .run("UPDATE loan_confirmations SET state = 'confirmed', decided_at = 2, decided_by = 'report'");
    assert_eq!(by_tag(app, &scene.gate, TAG), says("allow", "lent"));
}

fn a_released_tag_counts_while_a_machine_of_the_unit_may_have_lent_offline(app: &TestApp) {
    let scene = scene(app);
    machine(app, "kiosk", "B1", "tag_reader,card_reader");
    let mut outside = app.database.outside();
    let lender = outside.number("SELECT id AS n FROM devices WHERE kind = 'kiosk'");
    let configure = |lends: bool| {
        let request = app.request("PUT", &format!("/api/v1/devices/{lender}/configuration"));
        let body = json!({"settings": {"offline_loans": lends}});
        request.bearer(&app.root_token()).json(&body).send().expect(200);
    };
    configure(true);
    let ask = |bit: &str| {
        let check = json!({"check_id": format!("c{}", app.next()), "tag": TAG, "tag_bit": bit});
        asked(app, &scene.gate, &check)
    };
    assert_eq!(ask("released"), says("alarm", "not_lent"), "it was never heard of");
    let now = app.clock.now().timestamp_millis();
    let seen = |outside: &mut crate::database::Outside, at: i64| {
        outside.run("DELETE FROM device_status");
        outside.run(&format!(
            "INSERT INTO device_status (device_id, last_seen_at, started_at, beat, clock_offset_ms, clock, firmware, \
             configuration_version, faults, stock, changed_at) \
             SELECT id, {at}, 0, 1, 0, 'good', '1', 1, '', '{{}}', 0 FROM devices WHERE kind = 'kiosk'"
        ));
    };
    seen(&mut outside, now - 60_000);
    assert_eq!(ask("released"), says("alarm", "not_lent"), "it reports");
    seen(&mut outside, now - 240_000);
    assert_eq!(
        ask("released"),
        says("alarm", "not_lent"),
        "its row may be a minute late"
    );
    seen(&mut outside, now - 240_001);
    assert_eq!(ask("released"), says("allow", "lent_offline_perhaps"));
    assert_eq!(ask("secured"), says("alarm", "not_lent"));
    assert_eq!(ask("unknown"), says("alarm", "not_lent"));
    seen(&mut outside, now - 46 * 24 * 3_600_000);
    assert_eq!(ask("released"), says("alarm", "not_lent"), "it is gone for good");
    seen(&mut outside, now);
    outside.run(
        "INSERT INTO journal_cursors (device_id, journal, next_sequence, gap_since) \
         SELECT id, 1, 7, 1 FROM devices WHERE kind = 'kiosk'",
    );
    assert_eq!(
        ask("released"),
        says("allow", "lent_offline_perhaps"),
        "it owes a part of its journal"
    );
    configure(false);
    assert_eq!(ask("released"), says("alarm", "not_lent"), "it lends nothing alone");
    let doubts = awaited(app, &scene.desk, 9);
    let doubts = doubts.iter().filter(|line| line["reason"] == "lent_offline_perhaps");
    assert_eq!(doubts.count(), 2, "they are followed up");
}

fn an_alarm_is_one_line_however_often_it_is_told(app: &TestApp) {
    let scene = scene(app);
    let check = json!({"check_id": "c-1", "tag": TAG, "tag_bit": "secured"});
    for _ in 0..2 {
        assert_eq!(asked(app, &scene.gate, &check), says("alarm", "not_lent"));
    }
    awaited(app, &scene.desk, 1);
    let again = |batch: &str, id: &str| {
        let told = json!({"check_id": id, "at": "2026-03-04T03:59:00Z", "tag": TAG, "tag_bit": "secured",
            "decided": "asked", "decision": "alarm", "reason": "not_lent"});
        scene
            .tell(app, &json!({"batch": batch, "checks": [told]}))
            .expect(200)
            .body
    };
    assert_eq!(again("b-1", "c-1")["kept"], 0, "it is known");
    // The node that answered was lost before it had written this one.
    assert_eq!(again("b-2", "c-2")["kept"], 1);
    assert_eq!(again("b-3", "c-2")["kept"], 0);
    let ids: Vec<Value> = alarms(app, &scene.desk, "")
        .iter()
        .map(|line| line["check_id"].clone())
        .collect();
    assert_eq!(ids, ["c-2", "c-1"]);
    // Another gate has numbers of its own.
    let other = gate(app, "B1");
    asked(app, &other, &check);
    awaited(app, &scene.desk, 3);
}

fn what_a_gate_decided_alone_is_held_against_the_records(app: &TestApp) {
    let scene = scene(app);
    let told = |id: &str, at: &str, bit: &str, decision: &str| {
        let told = json!({"check_id": id, "at": at, "tag": TAG, "tag_bit": bit, "decided": "locally",
            "decision": decision});
        let batch = format!("b{}", app.next());
        let counted = scene
            .tell(app, &json!({"batch": batch, "checks": [told]}))
            .expect(200)
            .body;
        counted["kept"].as_u64().expect("a number")
    };
    let now = "2026-03-04T04:00:00Z";
    assert_eq!(told("a", now, "secured", "alarm"), 1);
    assert_eq!(told("b", now, "unknown", "allow"), 1, "it went out and was not lent");
    assert_eq!(
        told("c", "2026-03-04T03:00:00Z", "unknown", "allow"),
        0,
        "nobody knows what it was then"
    );
    scene.lend(app);
    assert_eq!(told("d", now, "unknown", "allow"), 0, "it was lent");
    assert_eq!(told("e", now, "secured", "alarm"), 1, "and so it was wrong to alarm");
    let lines = alarms(app, &scene.desk, "");
    let words: Vec<(&str, &str, &str)> = lines
        .iter()
        .map(|line| {
            let word = |member: &str| line[member].as_str().expect("a word");
            (word("check_id"), word("decision"), word("reason"))
        })
        .collect();
    assert_eq!(
        words,
        [
            ("e", "alarm", "lent"),
            ("b", "allow", "not_lent"),
            ("a", "alarm", "not_lent")
        ]
    );
    assert!(lines.iter().all(|line| line["decided"] == "locally"));
}

fn staff_say_once_what_became_of_an_alarm(app: &TestApp) {
    let scene = scene(app);
    by_tag(app, &scene.gate, TAG);
    let id = awaited(app, &scene.desk, 1)[0]["id"].as_i64().expect("an id");
    let path = format!("/api/v1/gate-alarms/{id}/settlement");
    let settle =
        |token: &str, outcome: &str| app.post(token, &path, &json!({"outcome": outcome, "note": "已补办借阅"}));
    settle(&app.staff("librarian", "M2"), "stopped").expect_problem(404, "not_found");
    settle(&app.staff("courier", "B1"), "stopped").expect_problem(403, "forbidden");
    settle(&scene.desk, "eaten").expect_problem(400, "malformed_request");
    let settled = settle(&scene.desk, "stopped").expect(200).body;
    assert_eq!(
        (&settled["outcome"], &settled["settled_at"], &settled["note"]),
        (&json!("stopped"), &json!("2026-03-04T04:00:00Z"), &json!("已补办借阅"))
    );
    settle(&scene.desk, "stopped").expect(200);
    settle(&scene.desk, "mistaken").expect_problem(409, "wrong_state");
    assert!(alarms(app, &scene.desk, "").is_empty());
    assert_eq!(alarms(app, &scene.desk, "?settled=true").len(), 1);
    let above = app.staff("librarian", "M1");
    assert_eq!(alarms(app, &above, "?settled=true").len(), 1, "of the units below");
    app.get(&scene.desk, "/api/v1/gate-alarms?unit_code=M2")
        .expect_problem(403, "forbidden");
    app.get(&scene.desk, "/api/v1/gate-alarms?unit_code=x")
        .expect_fields(422, &["unit_code"]);
    let told = "SELECT COUNT(*) AS n FROM events WHERE kind = 'alarm_settled'";
    assert_eq!(app.database.outside().number(told), 1);
}

fn a_batch_counts_once_and_names_the_lines_that_cannot_be(app: &TestApp) {
    let scene = scene(app);
    let hour = |at: &str, went_in: u32, went_out: u32| json!({"hour": at, "in": went_in, "out": went_out});
    let passage =
        |at: &str| json!({"check_id": "late", "at": at, "tag": TAG, "decided": "locally", "decision": "alarm"});
    let batch = json!({"batch": "b-1",
        "hours": [hour("2026-03-04T03:00:00Z", 12, 9), hour("2026-03-04T05:00:00Z", 1, 1),
            hour("2026-01-01T00:00:00Z", 1, 1), hour("2026-03-04T02:30:00Z", 1, 1), hour("2026-03-04T02:00:00Z", 0, 4)],
        "checks": [passage("2026-03-04T06:00:00Z"), passage("2026-01-01T00:00:00Z"), passage("2026-03-04T03:00:00Z")]});
    let counted = scene.tell(app, &batch).expect(200).body;
    assert_eq!(
        (&counted["counted"], &counted["hours"], &counted["kept"]),
        (&json!(true), &json!(2), &json!(1))
    );
    let refused: Vec<&str> = counted["refused"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|line| line["line"].as_str())
        .collect();
    assert_eq!(refused, ["hours[1]", "hours[2]", "hours[3]", "checks[0]", "checks[1]"]);
    let again = scene.tell(app, &batch).expect(200).body;
    assert_eq!((&again["counted"], &again["hours"]), (&json!(false), &json!(0)));
    let more = json!({"batch": "b-2", "hours": [hour("2026-03-04T03:00:00Z", 1, 2)]});
    let keyed = || {
        let request = app.request("POST", "/api/v1/device/gate-passages").bearer(&scene.gate);
        request.key("k-1").json(&more).send().expect(200)
    };
    assert_eq!(keyed().body["counted"], true);
    assert_eq!(keyed().body["counted"], true, "the stored answer");
    let mut outside = app.database.outside();
    let passed =
        outside.triples("SELECT hour_start AS a, went_in AS b, went_out AS c FROM gate_hours ORDER BY hour_start");
    let passed: Vec<(i64, i64)> = passed
        .into_iter()
        .map(|(_, went_in, went_out)| (went_in, went_out))
        .collect();
    assert_eq!(passed, [(0, 4), (13, 11)]);
    // Another gate counts for itself, under the same number.
    let other = gate(app, "B1");
    let counted = app.post(&other, "/api/v1/device/gate-passages", &more).expect(200).body;
    assert_eq!(counted["counted"], true);
}

fn a_question_that_cannot_be_read_is_refused(app: &TestApp) {
    let scene = scene(app);
    let ask = |body: &Value| app.post(&scene.gate, "/api/v1/device/gate-checks", body);
    ask(&json!({"tag": TAG})).expect_fields(400, &["check_id"]);
    ask(&json!({"check_id": "c"})).expect_fields(422, &["tag"]);
    ask(&json!({"check_id": "c", "tag": TAG, "barcode": "1"})).expect_fields(422, &["barcode"]);
    ask(&json!({"check_id": "c", "tag": TAG, "tag_bit": "loud"})).expect_fields(400, &["tag_bit"]);
    ask(&json!({"check_id": "c", "tag": TAG, "reader": "JC1"})).expect_fields(400, &["reader"]);
    let told = |extra: Value| {
        let mut told = json!({"check_id": "c", "at": "2026-03-04T03:00:00Z", "tag": TAG});
        for (name, value) in extra.as_object().expect("members") {
            told[name] = value.clone();
        }
        scene.tell(app, &json!({"batch": "b", "checks": [told]}))
    };
    told(json!({"decided": "asked", "decision": "alarm"})).expect_fields(422, &["checks[0].reason"]);
    told(json!({"decided": "asked", "decision": "allow", "reason": "not_lent"}))
        .expect_fields(422, &["checks[0].decision"]);
    told(json!({"decided": "locally", "decision": "alarm", "reason": "not_lent"}))
        .expect_fields(422, &["checks[0].reason"]);
    scene
        .tell(
            app,
            &json!({"batch": "b", "hours": [{"hour": "2026-03-04T03:00:00Z", "in": 100_001, "out": 0}]}),
        )
        .expect_problem(400, "malformed_request");
    let counted = scene.tell(app, &json!({"batch": "b"})).expect(200).body;
    assert_eq!(counted["counted"], true, "nothing was noted of what was refused");
    app.post(&scene.desk, "/api/v1/check-ins", &json!({"item_tag": "E004"}))
        .expect_fields(422, &["item_tag"]);
    let both = json!({"item_tag": TAG, "item_barcode": scene.barcode});
    app.post(&scene.desk, "/api/v1/check-ins", &both)
        .expect_fields(422, &["item_tag"]);
}

fn only_a_gate_at_work_asks(app: &TestApp) {
    let scene = scene(app);
    let check = json!({"check_id": "c", "tag": TAG});
    let batch = json!({"batch": "b"});
    let forbidden = |token: &str| {
        app.post(token, "/api/v1/device/gate-checks", &check)
            .expect_problem(403, "forbidden");
        app.post(token, "/api/v1/device/gate-passages", &batch)
            .expect_problem(403, "forbidden");
    };
    forbidden(&machine(app, "kiosk", "B1", "tag_reader"));
    forbidden(&machine(app, "gate", "B1", "tag_reader"));
    forbidden(&scene.desk);
    forbidden(&app.reader_token(&scene.card));
    let mut outside = app.database.outside();
    // A token outlives suspension and retirement by minutes; the device does not.
    for sql in [
        "UPDATE devices SET active = FALSE WHERE capabilities = 'tag_reader,gate'",
        "UPDATE devices SET active = TRUE, retired_at = 1 WHERE capabilities = 'tag_reader,gate'",
        "UPDATE devices SET retired_at = NULL, approved_at = NULL WHERE capabilities = 'tag_reader,gate'",
    ] {
        outside.run(sql);
        forbidden(&scene.gate);
    }
    outside.run("UPDATE devices SET approved_at = 0");
    assert_eq!(asked(app, &scene.gate, &check), says("alarm", "not_lent"));
    awaited(app, &scene.desk, 1);
}
