//! Cataloguers' work: records in MARC-in-JSON and their versions, changes to copies, batches.

use serde_json::{Value, json};

use crate::app::{ROOT, TestApp};
use crate::client::Answer;

on_both!(
    a_record_is_made_found_and_shown_as_it_was_sent,
    every_fault_of_a_record_is_named,
    a_change_needs_the_version_it_was_made_from,
    versions_are_kept_and_listed,
    records_are_made_by_cataloguers_only,
    an_item_is_corrected,
    an_item_gets_another_home,
    a_copy_in_somebodys_hands_is_not_withdrawn,
    a_batch_answers_for_every_row_and_is_done_once,
);

fn marc21(title: &str) -> Value {
    json!({"format": "marc21", "leader": "00000nam a2200000   4500", "fields": [
        {"001": "ocm1"},
        {"008": "970909s1959    nyu                 eng d"},
        {"020": {"ind1": " ", "ind2": " ", "subfields": [{"a": "7503717440"}]}},
        {"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": title}]}},
    ]})
}

fn cnmarc(title: &str) -> Value {
    json!({"format": "cnmarc", "leader": "00000nam0 2200000   450 ", "fields": [
        {"001": "0123"},
        {"100": {"ind1": " ", "ind2": " ", "subfields": [{"a": "20020204d1994    em y0chiy0120    ea"}]}},
        {"200": {"ind1": "1", "ind2": " ", "subfields": [{"a": title}, {"f": "国家统计局编"}]}},
        {"905": {"ind1": "z", "ind2": " ", "subfields": [{"d": "F124"}]}},
    ]})
}

fn put(app: &TestApp, bib: i64, seen: Option<&str>, record: &Value) -> Answer {
    let request = app
        .request("PUT", &format!("/api/v1/bibs/{bib}"))
        .bearer(&app.root_token());
    match seen {
        Some(tag) => request.header("If-Match", tag).json(record).send(),
        None => request.json(record).send(),
    }
}

fn a_record_is_made_found_and_shown_as_it_was_sent(app: &TestApp) {
    let token = app.root_token();
    let made = app.post(&token, "/api/v1/bibs", &marc21("Kind of blue")).expect(201);
    assert_eq!(made.header("etag"), Some("\"1\""));
    let bib = &made.body["bib"];
    assert_eq!(
        (&bib["title"], &bib["isbn"], &bib["publish_year"], &bib["version"]),
        (&json!("Kind of blue"), &json!("9787503717444"), &json!(1959), &json!(1))
    );
    assert_eq!(made.header("location"), Some(&*format!("/api/v1/bibs/{}", bib["id"])));
    let found = app.get(&token, "/api/v1/bibs?isbn=7-5037-1744-0").expect(200);
    assert_eq!(found.body["items"][0]["id"], bib["id"]);
    let looked = app.get(&token, &format!("/api/v1/bibs/{}", bib["id"])).expect(200);
    assert_eq!(looked.header("etag"), Some("\"1\""));
    let chinese = app.post(&token, "/api/v1/bibs", &cnmarc("中国发展报告")).expect(201);
    let path = format!("/api/v1/bibs/{}/versions/1", chinese.body["bib"]["id"]);
    let shown = app.get(&token, &path).expect(200).body;
    assert_eq!(shown["fields"], cnmarc("中国发展报告")["fields"]);
    assert_eq!(chinese.body["bib"]["clc_class"], "F124");
    app.get(&token, &path.replace("versions/1", "versions/2"))
        .expect_problem(404, "not_found");
}

fn every_fault_of_a_record_is_named(app: &TestApp) {
    let token = app.root_token();
    let post = |record: &Value| app.post(&token, "/api/v1/bibs", record);
    let mut record = marc21("x");
    record["fields"][3]["245"]["ind1"] = "7".into();
    record["fields"][2]["020"]["subfields"] = json!([{"a": "7503717441"}, {"k": "x"}]);
    let named = [
        "fields[2].020.subfields[1].k",
        "fields[2].020.subfields[0].a",
        "fields[3].245.ind1",
    ];
    post(&record).expect_fields(422, &named);
    record = marc21("x");
    record["leader"] = "00000xam a2200000   4500".into();
    record["fields"][1] = json!({"008": "short"});
    post(&record).expect_fields(422, &["leader", "fields[1].008"]);
    record = cnmarc("x");
    record["fields"][1]["100"]["subfields"][0]["a"] = "2002".into();
    record["fields"][2] = json!({"200": "x"});
    post(&record).expect_fields(422, &["fields[2].200"]);
    record["fields"][2] = json!({"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": "x"}]}});
    post(&record).expect_fields(422, &["fields[1].100.subfields[0].a", "fields[2].245", "fields"]);
    post(&json!({"format": "unimarc", "leader": "", "fields": []})).expect_fields(400, &["format"]);
    // Of very many, the first thousand.
    let mut rubbish = marc21("x");
    rubbish["fields"] = vec![json!(0); 1_200].into();
    let answer = app.post(&token, "/api/v1/bibs", &rubbish).expect(422);
    assert_eq!(answer.body["errors"].as_array().map(Vec::len), Some(1_000));
    assert_eq!(answer.body["detail"], "200 more errors are not listed");
}

fn a_change_needs_the_version_it_was_made_from(app: &TestApp) {
    let token = app.root_token();
    let made = app.post(&token, "/api/v1/bibs", &marc21("Kind of blue")).expect(201);
    let bib = made.body["bib"]["id"].as_i64().expect("an id");
    put(app, bib, None, &marc21("x")).expect_problem(428, "precondition_required");
    put(app, bib, Some("*"), &marc21("x")).expect_problem(412, "precondition_failed");
    let mut second = marc21("Kind of green");
    second["fields"][2]["020"]["subfields"][0]["a"] = "9787020002207".into();
    let changed = put(app, bib, Some("\"1\""), &second).expect(200);
    assert_eq!(changed.header("etag"), Some("\"2\""));
    assert_eq!(changed.body["bib"]["title"], "Kind of green");
    put(app, bib, Some("\"1\""), &marc21("lost")).expect_problem(412, "precondition_failed");
    let found = |isbn: &str| app.get(&token, &format!("/api/v1/bibs?isbn={isbn}")).expect(200).body["items"].clone();
    assert_eq!(found("7503717440"), json!([]));
    assert_eq!(found("9787020002207")[0]["id"], bib);
    put(app, 1, Some("\"1\""), &marc21("x")).expect_problem(404, "not_found");
    let again = |key: &str| {
        app.request("PUT", &format!("/api/v1/bibs/{bib}"))
            .bearer(&token)
            .key(key)
            .header("If-Match", "\"2\"")
            .json(&marc21("Kind of blue"))
            .send()
            .expect(200)
    };
    assert_eq!(again("k").header("idempotency-replayed"), None);
    let replayed = again("k");
    assert_eq!(replayed.header("idempotency-replayed"), Some("true"));
    assert_eq!(replayed.body["bib"]["version"], 3);
    // Made from another version it is another request, and must not look as if it had been done.
    let other = app
        .request("PUT", &format!("/api/v1/bibs/{bib}"))
        .bearer(&token)
        .key("k");
    let other = other.header("If-Match", "\"3\"").json(&marc21("Kind of blue")).send();
    other.expect_problem(422, "idempotency_key_reused");
}

fn versions_are_kept_and_listed(app: &TestApp) {
    let token = app.root_token();
    let made = app.post(&token, "/api/v1/bibs", &cnmarc("第一")).expect(201);
    let bib = made.body["bib"]["id"].as_i64().expect("an id");
    put(app, bib, Some("\"1\""), &cnmarc("第二")).expect(200);
    put(app, bib, Some("\"2\""), &cnmarc("第三")).expect(200);
    let path = format!("/api/v1/bibs/{bib}/versions");
    let numbers = |answer: &Answer| -> Vec<i64> {
        let items = answer.body["items"].as_array().expect("a list");
        items.iter().filter_map(|line| line["version"].as_i64()).collect()
    };
    let all = app.get(&token, &path).expect(200);
    assert_eq!(numbers(&all), [3, 2, 1]);
    assert!(all.body["items"][2]["staff_id"].is_i64() && all.body["items"][2]["made_at"].is_string());
    let first = app.get(&token, &format!("{path}?limit=2")).expect(200);
    assert_eq!(numbers(&first), [3, 2]);
    let next = first.body["next_cursor"].as_str().expect("another page");
    let rest = app.get(&token, &format!("{path}?limit=2&cursor={next}")).expect(200);
    assert_eq!((numbers(&rest), &rest.body["next_cursor"]), (vec![1], &Value::Null));
    for (version, title) in [(1, "第一"), (2, "第二"), (3, "第三")] {
        let shown = app.get(&token, &format!("{path}/{version}")).expect(200).body;
        assert_eq!(shown["fields"], cnmarc(title)["fields"]);
    }
    app.get(&token, "/api/v1/bibs/1/versions")
        .expect_problem(404, "not_found");
}

fn records_are_made_by_cataloguers_only(app: &TestApp) {
    app.small_network();
    app.post(&app.staff("librarian", ROOT), "/api/v1/bibs", &marc21("x"))
        .expect_problem(403, "forbidden");
    app.post(&app.staff("cataloguer", "B1"), "/api/v1/bibs", &marc21("x"))
        .expect(201);
}

fn patch(app: &TestApp, token: &str, item: i64, body: &Value) -> Answer {
    app.request("PATCH", &format!("/api/v1/items/{item}"))
        .bearer(token)
        .json(body)
        .send()
}

fn an_item_is_corrected(app: &TestApp) {
    app.small_network();
    let bib = app.bib("三国演义", None);
    let (id, barcode) = app.item(bib, "B1", &json!({"call_number": "I242", "price_fen": 100}));
    let (_, other) = app.item(bib, "B1", &json!({}));
    let cataloguer = app.staff("cataloguer", "M1");
    let body = json!({"barcode": "0199", "call_number": null, "price_fen": 6800, "not_for_loan": true});
    let item = patch(app, &cataloguer, id, &body).expect(200).body;
    assert_eq!(
        (
            &item["barcode"],
            &item["call_number"],
            &item["price_fen"],
            &item["not_for_loan"]
        ),
        (&json!("0199"), &Value::Null, &json!(6800), &json!(true))
    );
    let kept = patch(app, &cataloguer, id, &json!({"shelf_location": "A3"}))
        .expect(200)
        .body;
    assert_eq!((&kept["barcode"], &kept["price_fen"]), (&json!("0199"), &json!(6800)));
    let bad = json!({"barcode": other, "item_type": "scroll", "price_fen": -1, "parts": 0});
    patch(app, &cataloguer, id, &bad).expect_fields(422, &["barcode", "item_type", "price_fen", "parts"]);
    patch(app, &cataloguer, id, &json!({"status": "lost"})).expect_fields(400, &["status"]);
    patch(app, &app.staff("cataloguer", "M2"), id, &body).expect_problem(403, "forbidden");
    patch(app, &cataloguer, 1, &body).expect_problem(404, "not_found");
    assert_ne!(barcode, "0199");
}

fn an_item_gets_another_home(app: &TestApp) {
    app.small_network();
    let bib = app.bib("三国演义", None);
    let (id, _) = app.item(bib, "M1", &json!({}));
    let token = app.staff("cataloguer", "M1");
    let path = format!("/api/v1/items/{id}/moves");
    let item = app
        .post(&token, &path, &json!({"home_unit_code": "B1", "shelf_location": "A3"}))
        .expect(200)
        .body;
    let units = ["owner_unit_code", "home_unit_code", "current_unit_code"].map(|name| item[name].as_str());
    assert_eq!(units, [Some("M1"), Some("B1"), Some("M1")]);
    app.post(&token, &path, &json!({"home_unit_code": "B1", "collection_code": "x"}))
        .expect_fields(422, &["collection_code"]);
    app.post(&token, &path, &json!({"home_unit_code": "x"}))
        .expect_fields(422, &["home_unit_code"]);
}

fn a_copy_in_somebodys_hands_is_not_withdrawn(app: &TestApp) {
    app.small_network();
    let bib = app.bib("三国演义", None);
    let (id, barcode) = app.item(bib, "B1", &json!({}));
    let (_, card) = app.reader("adult", "B1");
    let desk = app.staff("librarian", "B1");
    let cataloguer = app.staff("cataloguer", "B1");
    let path = format!("/api/v1/items/{id}/withdrawal");
    let withdraw = || app.post(&cataloguer, &path, &json!({"reason": "破损"}));
    app.post(
        &desk,
        "/api/v1/check-outs",
        &json!({"item_barcode": barcode, "card_number": card}),
    )
    .expect(201);
    withdraw().expect_problem(409, "wrong_state");
    app.post(&desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200);
    let hold = json!({"card_number": card, "bib_id": bib, "item_id": id, "pickup_unit_code": "B2"});
    let placed = app.post(&desk, "/api/v1/holds", &hold);
    if placed.status == 201 {
        withdraw().expect_problem(409, "wrong_state");
        let hold = placed.body["hold"]["id"].as_i64().expect("an id");
        let gone = app
            .request("DELETE", &format!("/api/v1/holds/{hold}"))
            .bearer(&desk)
            .send();
        gone.expect(200);
    }
    assert_eq!(withdraw().expect(200).body["status"], "withdrawn");
    withdraw().expect_problem(409, "wrong_state");
}

fn a_batch_answers_for_every_row_and_is_done_once(app: &TestApp) {
    app.small_network();
    let bib = app.bib("三国演义", None);
    let (first, _) = app.item(bib, "B1", &json!({}));
    let (second, _) = app.item(bib, "B1", &json!({}));
    let token = app.staff("cataloguer", "M1");
    let mut rows = vec![
        json!({"op": "update", "item_id": first, "call_number": "I242"}),
        json!({"op": "withdraw", "item_id": second, "reason": "破损"}),
        json!({"op": "update", "item_id": 1, "call_number": "I242"}),
        json!({"op": "burn", "item_id": first}),
        json!({"op": "update", "item_id": first, "colour": "red"}),
        json!({"op": "add", "bib_id": bib, "barcode": "099", "owner_unit_code": "B2", "item_type": "book"}),
    ];
    for n in 0..94 {
        rows.push(
            json!({"op": "add", "bib_id": bib, "barcode": format!("05{n}"), "owner_unit_code": "B1",
            "item_type": "book"}),
        );
    }
    let send = |rows: &[Value]| {
        let request = app
            .request("POST", "/api/v1/item-batches")
            .bearer(&token)
            .key("batch-1");
        request.json(&json!({"rows": rows})).send()
    };
    let answer = send(&rows).expect(200).body;
    let status = |answer: &Value, row: usize| answer["rows"][row]["status"].clone();
    let expected = [200, 200, 404, 400, 400, 403, 201];
    for (row, expected) in expected.into_iter().enumerate() {
        assert_eq!(status(&answer, row), expected, "{}", answer["rows"][row]);
    }
    assert_eq!((&answer["done"], &answer["failed"]), (&json!(96), &json!(4)));
    assert_eq!(answer["rows"][4]["problem"]["errors"][0]["field"], "colour");
    let again = send(&rows).expect(200).body;
    assert_eq!(
        (&again["done"], &again["rows"][6]["replayed"]),
        (&json!(96), &json!(true))
    );
    assert_eq!(again["rows"][6]["item"], answer["rows"][6]["item"]);
    send(&rows[..1]).expect_problem(422, "idempotency_key_reused");
    let many = vec![json!({}); 1_001];
    send(&many).expect_fields(422, &["rows"]);
    send(&[]).expect_fields(422, &["rows"]);
}
