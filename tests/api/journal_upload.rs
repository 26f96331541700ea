//! Journals as they come: stored once, answered as before, gaps named and given up, what cannot be believed set aside.

use serde_json::{Value, json};
use tongjie::domain::machine_jobs::JOURNAL_DRAINING;
use tongjie::usecase::drain_journal::DrainJournals;
use tongjie::usecase::run_job::run_job;

use crate::app::TestApp;
use crate::journal_scene::{Scene, ago, alone, back, book, coded, lent, pass, scene, verdicts};

on_both!(
    what_was_done_alone_is_recorded_as_of_its_time,
    a_batch_that_is_sent_again_is_answered_as_before,
    two_uploads_of_one_batch_at_once_count_once,
    what_is_missing_is_named_and_waits_two_minutes,
    what_comes_after_it_was_given_up_is_judged_and_closes_the_gap,
    numbers_said_to_be_lost_are_not_waited_for,
    what_cannot_be_believed_is_set_aside_and_stops_nobody,
    a_clock_that_is_a_little_off_is_put_right,
    what_is_released_is_judged_as_if_it_had_just_come,
    a_line_is_settled_once_and_by_what_fits_it,
    what_came_before_its_key_and_comes_again_is_judged_once,
    what_a_retired_device_did_is_read_out_and_set_aside,
    what_a_dead_server_left_is_judged_by_the_job,
    a_signature_made_by_openssl_is_genuine,
    passages_in_a_journal_are_counted,
    an_upload_that_cannot_be_read_stores_nothing,
    the_journal_of_another_units_device_is_not_there,
);

fn drained(app: &TestApp) {
    let pass = std::sync::Arc::new(DrainJournals {
        cards: std::sync::Arc::clone(&app.app.cards),
    });
    app.block_on(run_job(&app.app.store, "node", JOURNAL_DRAINING, &pass, || false))
        .expect("the job runs");
}

fn what_was_done_alone_is_recorded_as_of_its_time(app: &TestApp) {
    let scene = scene(app);
    let (then, later) = (ago(app, 7200), ago(app, 3600));
    let out = scene.machine.entry(1, &lent(then, &scene.tag, &scene.card));
    let answer = scene.machine.send(app, &[out]).expect(200).body;
    assert_eq!(
        (&answer["acknowledged_to"], &answer["next"], &answer["missing"]),
        (&json!(1), &json!(2), &json!([]))
    );
    assert_eq!(answer["counts"], json!({"accepted": 1}));
    let loan = scene.loans(app)[0].clone();
    assert_eq!(loan["loaned_at"], json!(then));
    assert_eq!(loan["status"], "open");
    assert_eq!(scene.status(app), "on_loan");
    let told = scene
        .machine
        .tell(app, &[scene.machine.entry(2, &back(later, &scene.tag))]);
    assert_eq!(told, ["accepted"]);
    assert_eq!(scene.loans(app)[0]["closed_at"], json!(later));
    assert_eq!(scene.status(app), "on_shelf");
    let stands = app.get(&scene.machine.token, "/api/v1/device/journal").expect(200).body;
    assert_eq!(stands["items"][0]["next"], 3);
    assert_eq!(
        app.database
            .outside()
            .number("SELECT count(*) AS n FROM journal_entries WHERE body IS NOT NULL"),
        0
    );
    app.assert_sound();
}

fn a_batch_that_is_sent_again_is_answered_as_before(app: &TestApp) {
    let scene = scene(app);
    let entries = [
        scene.machine.entry(1, &lent(ago(app, 7200), &scene.tag, &scene.card)),
        scene.machine.entry(2, &lent(ago(app, 7000), "E0000000", &scene.card)),
    ];
    assert_eq!(scene.machine.tell(app, &entries), ["accepted", "conflict"]);
    let traces = app.database.outside().traces();
    pass(app, 10);
    let again = scene.machine.send(app, &entries).expect(200).body;
    assert_eq!(verdicts(&again), ["duplicate", "duplicate"]);
    assert_eq!(
        (&again["results"][0]["first"], &again["results"][1]["first"]),
        (&json!("accepted"), &json!("conflict"))
    );
    assert_eq!(app.database.outside().traces(), traces);
    assert_eq!(scene.conflicts(app, "").len(), 1);
    app.assert_sound();
}

fn two_uploads_of_one_batch_at_once_count_once(app: &TestApp) {
    let scene = scene(app);
    let mut entries = vec![scene.machine.entry(1, &lent(ago(app, 7200), &scene.tag, &scene.card))];
    for n in 0..10_i64 {
        let other = book(app, "B1").2;
        pass(app, 1);
        entries.push(scene.machine.entry(n + 2, &back(ago(app, 1000 - n), &other)));
    }
    let body = scene.machine.batch(app, &entries);
    let send = || {
        let upload = app
            .request("POST", "/api/v1/device/journal")
            .bearer(&scene.machine.token)
            .json(&body);
        std::thread::spawn(move || upload.send())
    };
    let answers = [send(), send(), send()].map(|sent| sent.join().expect("answered").expect(200).body);
    let words: Vec<String> = answers.iter().flat_map(verdicts).collect();
    let of = |verdict: &str| words.iter().filter(|word| *word == verdict).count();
    assert_eq!((of("accepted"), of("duplicate")), (11, 22), "{words:?}");
    assert_eq!(scene.loans(app).len(), 1);
    app.assert_sound();
}

fn what_is_missing_is_named_and_waits_two_minutes(app: &TestApp) {
    let scene = scene(app);
    let late = scene.machine.entry(4, &lent(ago(app, 7200), &scene.tag, &scene.card));
    let first = scene.machine.entry(1, &back(ago(app, 7300), &scene.tag));
    let answer = scene.machine.send(app, &[late, first]).expect(200).body;
    assert_eq!(verdicts(&answer), ["waiting", "accepted"], "in the order of the upload");
    assert_eq!(
        (&answer["next"], &answer["missing"]),
        (&json!(2), &json!([{"from": 2, "to": 3}]))
    );
    drained(app);
    assert_eq!(scene.loans(app).len(), 0, "what is missing is waited for");
    pass(app, 121);
    drained(app);
    assert_eq!(scene.loans(app).len(), 1, "and given up");
    let lines = scene.quarantine(app, "");
    assert_eq!(
        (
            &lines[0]["reason"],
            &lines[0]["sequence"],
            &lines[0]["to_sequence"],
            &lines[0]["answers"]
        ),
        (&json!("gap"), &json!(2), &json!(3), &json!(["noted"]))
    );
    assert_eq!(scene.alarms(app), [("journal_gap".to_owned(), "gap".to_owned())]);
    scene
        .settle(app, &lines[0], &json!({"settlement": "noted"}))
        .expect(200);
    assert_eq!(scene.alarms(app), []);
    let stands = app.get(&scene.machine.token, "/api/v1/device/journal").expect(200).body;
    assert_eq!(stands["items"][0]["next"], 5);
    app.assert_sound();
}

fn what_comes_after_it_was_given_up_is_judged_and_closes_the_gap(app: &TestApp) {
    let scene = scene(app);
    let returned = scene.machine.entry(3, &back(ago(app, 3600), &scene.tag));
    let first = scene.machine.entry(1, &back(ago(app, 7300), &scene.tag));
    scene.machine.send(app, &[first, returned]).expect(200);
    pass(app, 130);
    drained(app);
    // It tells of the loan whose end is known already.
    let late = scene.machine.entry(2, &lent(ago(app, 7200), &scene.tag, &scene.card));
    assert_eq!(scene.machine.tell(app, &[late]), ["accepted"]);
    let loan = scene.loans(app)[0].clone();
    assert_eq!(
        (&loan["status"], &loan["closed_at"]),
        (&json!("returned"), &json!(ago(app, 3730)))
    );
    assert_eq!(scene.quarantine(app, ""), Vec::<Value>::new());
    assert_eq!(scene.quarantine(app, "&settled=true")[0]["settlement"], "came");
    assert_eq!(scene.alarms(app), []);
    app.assert_sound();
}

fn numbers_said_to_be_lost_are_not_waited_for(app: &TestApp) {
    let scene = scene(app);
    let lost = json!({"kind": "lost", "at": ago(app, 60), "from": 1, "to": 40});
    let entries = [
        scene.machine.entry(41, &lost),
        scene.machine.entry(42, &lent(ago(app, 50), &scene.tag, &scene.card)),
    ];
    let answer = scene.machine.send(app, &entries).expect(200).body;
    assert_eq!(verdicts(&answer), ["accepted", "accepted"]);
    assert_eq!((&answer["next"], &answer["missing"]), (&json!(43), &json!([])));
    assert_eq!(scene.quarantine(app, "")[0]["to_sequence"], 40);
    app.assert_sound();
}

/// A key that follows the first one from entry 10 on.
fn second_key(app: &TestApp, scene: &Scene) -> crate::journal_scene::Alone {
    let other = alone(app, "B1");
    let public = {
        use base64::Engine;
        let keys = app
            .get(&scene.manager, &format!("/api/v1/devices/{}/keys", other.id))
            .expect(200)
            .body;
        assert_eq!(keys["items"][0]["key_id"], other.key_id());
        let raw = app.database.outside().text(&format!(
            "SELECT {} AS t FROM device_keys WHERE device_id = {}",
            if app.database.engine == crate::database::Engine::Postgres {
                "encode(public_key, 'hex')"
            } else {
                "lower(hex(public_key))"
            },
            other.id
        ));
        let bytes: Vec<u8> = (0..32)
            .map(|n| u8::from_str_radix(&raw[2 * n..2 * n + 2], 16).expect("hex"))
            .collect();
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    };
    let body = json!({"public_key": public, "journal": 1, "first_sequence": 10,
        "proof": scene.machine.proof(10, &public)});
    let put = app
        .request("PUT", "/api/v1/device/key")
        .bearer(&scene.machine.token)
        .json(&body);
    put.send().expect(200);
    other
}

fn what_cannot_be_believed_is_set_aside_and_stops_nobody(app: &TestApp) {
    let scene = scene(app);
    let machine = &scene.machine;
    second_key(app, &scene);
    let act = back(ago(app, 600), &scene.tag);
    let mut forged = machine.entry(2, &act);
    forged["body"] = back(ago(app, 601), &scene.tag).to_string().into();
    let mut unknown = machine.entry(3, &act);
    unknown["key_id"] = "AAAAAAAA".into();
    let entries = [
        machine.entry(1, &act),
        forged,
        unknown,
        machine.entry(4, &back(ago(app, -60), &scene.tag)),
        machine.entry(5, &back(ago(app, 700), &scene.tag)),
        machine.entry(6, &back(ago(app, 50 * 86400), &scene.tag)),
        machine.entry_of(7, "{\"kind\":\"burnt\"}"),
        machine.entry(10, &back(ago(app, 500), &scene.tag)),
        machine.entry(1, &back(ago(app, 599), &scene.tag)),
    ];
    let answer = machine.send(app, &entries).expect(200).body;
    let reasons: Vec<&Value> = answer["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|line| &line["reason"])
        .collect();
    assert_eq!(
        json!(reasons),
        json!([
            null,
            "forged",
            "unknown_key",
            "from_future",
            "clock_backwards",
            "too_old",
            "unreadable",
            "old_key",
            "sequence_reused"
        ])
    );
    assert_eq!(verdicts(&answer)[0], "accepted");
    assert_eq!(
        (&answer["next"], &answer["missing"]),
        (&json!(2), &json!([{"from": 2, "to": 3}, {"from": 8, "to": 9}])),
        "a forged entry does not take the number of the genuine one"
    );
    let genuine = machine.entry(2, &back(ago(app, 601), &scene.tag));
    assert_eq!(machine.tell(app, &[genuine]), ["accepted"]);
    let alarms: Vec<String> = scene.alarms(app).into_iter().map(|(_, subject)| subject).collect();
    assert_eq!(
        alarms,
        [
            "forged",
            "from_future",
            "old_key",
            "sequence_reused",
            "too_old",
            "unknown_key",
            "unreadable"
        ]
    );
    assert_eq!(scene.quarantine(app, "").len(), 8);
    // Sent again each is answered as before, and no alarm counts.
    let again = machine.send(app, &entries).expect(200).body;
    assert_eq!(again["counts"]["duplicate"], 9);
    assert_eq!(scene.quarantine(app, "").len(), 8);
    app.assert_sound();
}

fn a_clock_that_is_a_little_off_is_put_right(app: &TestApp) {
    let scene = scene(app);
    // Three minutes fast.
    let fast = |seconds: i64| ago(app, seconds - 180);
    let mut batch = scene.machine.batch(
        app,
        &[scene.machine.entry(1, &lent(fast(7200), &scene.tag, &scene.card))],
    );
    batch["sent_at"] = json!(fast(0));
    let answer = app
        .post(&scene.machine.token, "/api/v1/device/journal", &batch)
        .expect(200)
        .body;
    assert_eq!(verdicts(&answer), ["accepted"]);
    assert_eq!(scene.loans(app)[0]["loaned_at"], json!(ago(app, 7200)));
    let mut wrong = scene
        .machine
        .batch(app, &[scene.machine.entry(2, &back(ago(app, 0), &scene.tag))]);
    wrong["sent_at"] = json!(ago(app, 3600));
    let answer = app
        .post(&scene.machine.token, "/api/v1/device/journal", &wrong)
        .expect(200)
        .body;
    assert_eq!(answer["results"][0]["reason"], "clock_wrong");
    assert_eq!(answer["next"], 3, "it has come, whatever is wrong with it");
    app.assert_sound();
}

fn what_is_released_is_judged_as_if_it_had_just_come(app: &TestApp) {
    let scene = scene(app);
    let mut wrong = scene.machine.batch(
        app,
        &[scene
            .machine
            .entry(1, &lent(ago(app, 86400 * 9), &scene.tag, &scene.card))],
    );
    wrong["sent_at"] = json!(ago(app, 86400 * 9 - 7200));
    app.post(&scene.machine.token, "/api/v1/device/journal", &wrong)
        .expect(200);
    let line = scene.quarantine(app, "")[0].clone();
    assert_eq!(
        (&line["reason"], &line["shifted_at"], &line["answers"]),
        (
            &json!("clock_wrong"),
            &json!(ago(app, 7200)),
            &json!(["released", "discarded"])
        )
    );
    let future = json!({"settlement": "released", "at": ago(app, -60)});
    scene.settle(app, &line, &future).expect_fields(422, &["at"]);
    let released = scene
        .settle(app, &line, &json!({"settlement": "released"}))
        .expect(200)
        .body;
    assert_eq!(
        (&released["settlement"], &released["verdict"]),
        (&json!("released"), &json!("accepted"))
    );
    assert_eq!(scene.loans(app)[0]["loaned_at"], json!(ago(app, 7200)));
    assert_eq!(scene.alarms(app), []);
    let again = app
        .post(&scene.machine.token, "/api/v1/device/journal", &wrong)
        .expect(200)
        .body;
    assert_eq!(verdicts(&again), ["duplicate"]);
    assert_eq!(scene.loans(app).len(), 1);
    app.assert_sound();
}

fn a_line_is_settled_once_and_by_what_fits_it(app: &TestApp) {
    let scene = scene(app);
    let mut forged = scene.machine.entry(1, &back(ago(app, 60), &scene.tag));
    forged["signature"] = scene.machine.entry(2, &back(ago(app, 60), &scene.tag))["signature"].clone();
    scene.machine.send(app, &[forged]).expect(200);
    let line = scene.quarantine(app, "")[0].clone();
    for (body, field) in [
        (json!({"settlement": "released"}), "settlement"),
        (json!({"settlement": "noted"}), "settlement"),
        (json!({"settlement": "discarded"}), "reason"),
    ] {
        scene.settle(app, &line, &body).expect_fields(422, &[field]);
    }
    let discarded = json!({"settlement": "discarded", "reason": "机器已拆开"});
    let stranger = app.staff("unit_manager", "M2");
    let path = format!("/api/v1/journal-quarantine/{}/settlement", line["id"]);
    app.post(&stranger, &path, &discarded).expect_problem(404, "not_found");
    let settled = scene.settle(app, &line, &discarded).expect(200).body;
    assert_eq!(
        (&settled["settlement"], &settled["body"]),
        (&json!("discarded"), &Value::Null)
    );
    scene.settle(app, &line, &discarded).expect_problem(409, "wrong_state");
}

fn what_a_retired_device_did_is_read_out_and_set_aside(app: &TestApp) {
    let scene = scene(app);
    let path = format!("/api/v1/devices/{}", scene.machine.id);
    app.post(&scene.manager, &format!("{path}/retirement"), &json!({}))
        .expect(200);
    let batch = scene.machine.batch(
        app,
        &[scene.machine.entry(1, &lent(ago(app, 60), &scene.tag, &scene.card))],
    );
    app.post(&scene.machine.token, "/api/v1/device/journal", &batch)
        .expect_problem(403, "forbidden");
    let answer = app
        .post(&scene.manager, &format!("{path}/journal"), &batch)
        .expect(200)
        .body;
    assert_eq!(answer["results"][0]["reason"], "device_retired");
    let line = scene.quarantine(app, "")[0].clone();
    let released = scene
        .settle(app, &line, &json!({"settlement": "released"}))
        .expect(200)
        .body;
    assert_eq!(released["verdict"], "accepted");
    assert_eq!(scene.loans(app).len(), 1);
    let stands = app.get(&scene.manager, &format!("{path}/journal")).expect(200).body;
    assert_eq!(stands["items"][0]["next"], 2);
    app.assert_sound();
}

fn what_a_dead_server_left_is_judged_by_the_job(app: &TestApp) {
    let scene = scene(app);
    let (then, device) = (ago(app, 600).timestamp_millis(), scene.machine.id);
    let body = lent(ago(app, 600), &scene.tag, &scene.card).to_string();
    let mut outside = app.database.outside();
    outside.run(&format!(
        "INSERT INTO journal_cursors (device_id, journal, next_sequence) VALUES ({device}, 1, 2)"
    ));
    // As the write that stores a batch leaves it, when nothing comes after it.
    let id = outside.number("SELECT max(id) + 1 AS n FROM devices") + 1_000_000_000;
    let blank = if app.database.engine == crate::database::Engine::Postgres {
        "'\\x00'"
    } else {
        "x'00'"
    };
    outside.run(&format!(
        "INSERT INTO journal_entries (id, device_id, journal, sequence, body_hash, body, happened_at, received_at, \
         verdict) VALUES ({id}, {device}, 1, 1, {blank}, '{body}', {then}, {then}, 'waiting')"
    ));
    drained(app);
    assert_eq!(scene.loans(app)[0]["loaned_at"], json!(ago(app, 600)));
    drained(app);
    assert_eq!(scene.loans(app).len(), 1);
    app.assert_sound();
}

fn a_signature_made_by_openssl_is_genuine(app: &TestApp) {
    app.small_network();
    app.item(
        app.bib("三国演义", None),
        "B1",
        &json!({"rfid_tag": "E004010012345678"}),
    );
    app.clock.set("2026-11-22T10:04:00Z".parse().expect("a moment"));
    let machine = coded(app, "B1", "JC-L1", 4711);
    pass(app, 60);
    // openssl pkeyutl -sign -rawin, with the key of the seed 32 x 07.
    let entry = json!({"sequence": 4711, "key_id": "_oEsEvOr",
        "body": "{\"kind\":\"check_in\",\"at\":\"2026-11-22T10:04:05.120Z\",\"item\":{\"tag\":\"E004010012345678\"}}",
        "signature": "iMeFBvKM4LVZn6aeZmAzcA70uzsQUyIUWIAaxN0JHifsYWimtV-OnQfMTjrkvV9uXB0-T_XL8aHBOt5pWLEgCA"});
    let answer = machine.send(app, &[entry]).expect(200).body;
    assert_eq!(
        (verdicts(&answer), &answer["next"]),
        (vec!["accepted".to_owned()], &json!(4712))
    );
    app.assert_sound();
}

fn what_came_before_its_key_and_comes_again_is_judged_once(app: &TestApp) {
    let scene = scene(app);
    let key = |from: &str, to: &str| {
        let sql = format!(
            "UPDATE device_keys SET key_id = '{to}' WHERE key_id = '{from}' AND device_id = {}",
            scene.machine.id
        );
        app.database.outside().run(&sql);
    };
    let key_id = scene.machine.key_id();
    let entries = [
        scene.machine.entry(1, &lent(ago(app, 600), &scene.tag, &scene.card)),
        scene.machine.entry(2, &back(ago(app, 500), &scene.tag)),
    ];
    key(&key_id, "another");
    assert_eq!(scene.machine.tell(app, &entries), ["quarantined", "quarantined"]);
    let lines = scene.quarantine(app, "");
    assert_eq!(lines.len(), 2);
    key("another", &key_id);
    assert_eq!(scene.machine.tell(app, &entries[..1]), ["accepted"]);
    assert_eq!(scene.quarantine(app, "").len(), 1, "the other one has not come again");
    assert_eq!(scene.alarms(app).len(), 1);
    assert_eq!(scene.machine.tell(app, &entries), ["duplicate", "accepted"]);
    assert_eq!(scene.quarantine(app, ""), Vec::<Value>::new());
    assert_eq!(scene.alarms(app), []);
    for line in &lines {
        let release = scene.settle(app, line, &json!({"settlement": "released"}));
        release.expect_problem(409, "wrong_state");
    }
    assert_eq!(scene.loans(app).len(), 1);
    app.assert_sound();
}

fn passages_in_a_journal_are_counted(app: &TestApp) {
    let scene = scene(app);
    let hour = ago(app, 0)
        .date_naive()
        .and_hms_opt(1, 0, 0)
        .expect("an hour")
        .and_utc();
    let checks: Vec<Value> = (0..120)
        .map(|n| {
            json!({"check_id": format!("c{n}"), "at": ago(app, 900), "tag": scene.tag, "decided": "locally",
                "decision": "alarm"})
        })
        .collect();
    let told = json!({"kind": "passages", "at": ago(app, 800), "batch": "b1",
        "hours": [{"hour": hour, "in": 12, "out": 9}], "checks": checks});
    let check = json!({"kind": "exit_check", "at": ago(app, 700), "check_id": "x1", "tag": scene.tag,
        "decided": "locally", "decision": "alarm"});
    let entries = [scene.machine.entry(1, &told), scene.machine.entry(2, &check)];
    assert_eq!(scene.machine.tell(app, &entries), ["accepted", "accepted"]);
    let mut outside = app.database.outside();
    assert_eq!(outside.number("SELECT went_in AS n FROM gate_hours"), 12);
    assert_eq!(outside.number("SELECT count(*) AS n FROM gate_checks"), 121);
}

fn an_upload_that_cannot_be_read_stores_nothing(app: &TestApp) {
    let scene = scene(app);
    let path = "/api/v1/device/journal";
    let entry = scene.machine.entry(1, &back(ago(app, 60), &scene.tag));
    let too_many = scene.machine.batch(app, &vec![entry.clone(); 201]);
    app.post(&scene.machine.token, path, &too_many).expect(400);
    let long = scene
        .machine
        .batch(app, &[scene.machine.entry_of(1, &"x".repeat(300_000))]);
    app.post(&scene.machine.token, path, &long)
        .expect_problem(413, "body_too_large");
    let mut nought = scene.machine.batch(app, std::slice::from_ref(&entry));
    nought["entries"][0]["sequence"] = 0.into();
    app.post(&scene.machine.token, path, &nought)
        .expect_fields(422, &["entries[0].sequence"]);
    // A text no database takes is set aside like any other that says nothing.
    let nul = scene.machine.entry_of(1, "{\"kind\":\u{0}}");
    let answer = scene.machine.send(app, &[nul]).expect(200).body;
    assert_eq!(answer["results"][0]["reason"], "unreadable");
    assert_eq!(
        app.database
            .outside()
            .number("SELECT count(*) AS n FROM journal_entries"),
        0
    );
    app.post(&scene.desk, path, &scene.machine.batch(app, &[entry]))
        .expect_problem(403, "forbidden");
}

fn the_journal_of_another_units_device_is_not_there(app: &TestApp) {
    let scene = scene(app);
    let stranger = app.staff("unit_manager", "M2");
    let path = format!("/api/v1/devices/{}/journal", scene.machine.id);
    app.get(&stranger, &path).expect_problem(404, "not_found");
    let batch = scene.machine.batch(app, &[]);
    app.post(&stranger, &path, &batch).expect_problem(404, "not_found");
    let empty = app.post(&scene.manager, &path, &batch).expect(200).body;
    assert_eq!((&empty["next"], &empty["acknowledged_to"]), (&json!(1), &json!(0)));
}
