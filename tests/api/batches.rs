//! Batches of a thousand rows: full ones, bad ones, repeated ones, several at once, and what else goes on beside them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tongjie::usecase::check::check;
use tongjie::usecase::progress::Silent;

use crate::app::{TestApp, run_with};
use crate::client::{Answer, Request};
use crate::database::Engine;

on_both!(
    a_thousand_full_rows_are_one_batch,
    a_bad_row_harms_no_other_and_a_repeated_batch_does_nothing_twice,
    rows_about_one_copy_happen_in_the_order_they_are_sent,
    a_key_is_bound_to_its_batch_before_the_first_row,
    two_batches_at_once_on_the_same_copies_do_each_row_or_say_why_not,
    a_desk_lends_beside_a_batch,
);

const ROWS: usize = 1_000;

fn batch(app: &TestApp, token: &str, rows: &[Value]) -> Request {
    let request = app.request("POST", "/api/v1/item-batches").bearer(token);
    request.json(&json!({"rows": rows}))
}

/// How many rows were answered with each status.
fn statuses(answer: &Answer) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for row in answer.body["rows"].as_array().expect("rows") {
        *counts.entry(row["status"].as_u64().expect("a status")).or_default() += 1;
    }
    counts
}

fn replayed(answer: &Answer) -> usize {
    let rows = answer.body["rows"].as_array().expect("rows");
    rows.iter().filter(|row| row["replayed"] == true).count()
}

fn items(app: &TestApp) -> i64 {
    app.database.outside().number("SELECT count(*) AS n FROM items")
}

#[track_caller]
fn is_sound(app: &TestApp) {
    let findings = app.block_on(check(&app.app.store, &Silent)).expect("checked");
    for finding in &findings {
        assert_eq!(finding.violations, 0, "{}: {:?}", finding.name, finding.examples);
    }
}

/// A new copy with every member filled to its end, in Chinese.
fn full(bib: i64, barcode: &str) -> Value {
    json!({"op": "add", "bib_id": bib, "barcode": format!("{barcode:0>64}"), "owner_unit_code": "B1",
        "home_unit_code": "B1", "item_type": "book", "shelf_location": "架".repeat(100), "call_number": "号".repeat(100),
        "rfid_tag": "签".repeat(64), "price_fen": 1_000_000, "not_for_loan": false, "for_children": true,
        "min_age_years": 12, "alert_note": "注".repeat(500), "parts": 65_535})
}

fn plain(bib: i64, barcode: &str) -> Value {
    json!({"op": "add", "bib_id": bib, "barcode": barcode, "owner_unit_code": "B1", "item_type": "book"})
}

fn a_thousand_full_rows_are_one_batch(app: &TestApp) {
    app.small_network();
    let (bib, token) = (app.bib("三国演义", None), app.staff("cataloguer", "M1"));
    let rows: Vec<Value> = (0..ROWS).map(|n| full(bib, &n.to_string())).collect();
    // As many programs write Chinese: six bytes a character.
    let escaped: String = json!({"rows": rows})
        .to_string()
        .chars()
        .map(|c| {
            if c.is_ascii() {
                c.to_string()
            } else {
                format!("\\u{:04x}", u32::from(c))
            }
        })
        .collect();
    assert!(escaped.len() > 4_500_000, "{}", escaped.len());
    let send = || {
        let request = app.request("POST", "/api/v1/item-batches").bearer(&token).key("full");
        let request = request.header("Content-Type", "application/json");
        request.bytes(escaped.as_bytes()).send().expect(200)
    };
    let answer = send();
    assert_eq!(statuses(&answer), BTreeMap::from([(201, ROWS)]));
    assert_eq!(answer.body["rows"][999]["item"]["call_number"], "号".repeat(100));
    let again = send();
    assert_eq!(replayed(&again), ROWS);
    for row in 0..ROWS {
        assert_eq!(again.body["rows"][row]["item"], answer.body["rows"][row]["item"]);
    }
    assert_eq!(items(app), 1_000);
    let one_more: Vec<Value> = (0..=ROWS).map(|n| plain(bib, &format!("x{n}"))).collect();
    let refused = batch(app, &token, &one_more).send().expect_fields(422, &["rows"]);
    let reason = refused.body["errors"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("1001") && reason.contains("1 to 1000"), "{reason}");
    assert_eq!(items(app), 1_000, "nothing of it was done");
    is_sound(app);
}

fn a_bad_row_harms_no_other_and_a_repeated_batch_does_nothing_twice(app: &TestApp) {
    app.small_network();
    let (bib, token) = (app.bib("三国演义", None), app.staff("cataloguer", "M1"));
    let (_, taken) = app.item(bib, "B1", &json!({}));
    let bad = [
        (plain(bib, &taken), 422),
        (plain(1, "b1"), 422),
        (
            json!({"op": "add", "bib_id": bib, "barcode": "b2", "owner_unit_code": "B2", "item_type": "book"}),
            403,
        ),
        (json!({"op": "update", "item_id": 1, "parts": 2}), 404),
        (json!({"op": "move", "item_id": "x"}), 400),
        (json!({"op": "withdraw", "item_id": 1}), 400),
        (json!({}), 400),
        (plain(bib, &"9".repeat(65)), 400),
    ];
    let rows: Vec<Value> = (0..ROWS)
        .map(|n| match bad.get(n / 100).filter(|_| n % 100 == 50) {
            Some((row, _)) => row.clone(),
            None => plain(bib, &format!("g{n}")),
        })
        .collect();
    let send = || batch(app, &token, &rows).key("k").send().expect(200);
    let answer = send();
    assert_eq!((&answer.body["done"], &answer.body["failed"]), (&json!(992), &json!(8)));
    for (n, (row, status)) in bad.iter().enumerate() {
        let met = &answer.body["rows"][n * 100 + 50];
        assert_eq!(met["status"], *status, "{row}: {met}");
        assert!(met["problem"]["code"].is_string() && met["item"].is_null(), "{met}");
    }
    let again = send();
    assert_eq!((replayed(&again), &again.body["failed"]), (992, &json!(8)));
    assert_eq!(items(app), 993);
    is_sound(app);
}

fn rows_about_one_copy_happen_in_the_order_they_are_sent(app: &TestApp) {
    app.small_network();
    let (bib, token) = (app.bib("三国演义", None), app.staff("cataloguer", "M1"));
    let (id, _) = app.item(bib, "B1", &json!({}));
    let mut rows: Vec<Value> = (0..40)
        .map(|n| json!({"op": "update", "item_id": id, "call_number": format!("I{n}")}))
        .collect();
    rows.extend([plain(bib, "twice"), plain(bib, "twice")]);
    rows.push(json!({"op": "withdraw", "item_id": id, "reason": "破损"}));
    rows.push(json!({"op": "withdraw", "item_id": id, "reason": "破损"}));
    let answer = batch(app, &token, &rows).send().expect(200);
    let status = |row: usize| answer.body["rows"][row]["status"].as_u64();
    for row in 0..40 {
        let met = &answer.body["rows"][row];
        assert_eq!(met["item"]["call_number"], format!("I{row}"), "{met}");
    }
    assert_eq!(
        [status(40), status(41)],
        [Some(201), Some(422)],
        "the first of two wins"
    );
    assert_eq!([status(42), status(43)], [Some(200), Some(409)]);
    let last = app.get(&token, &format!("/api/v1/items/{id}")).expect(200).body;
    assert_eq!(
        (&last["call_number"], &last["status"]),
        (&json!("I39"), &json!("withdrawn"))
    );
    is_sound(app);
}

fn a_key_is_bound_to_its_batch_before_the_first_row(app: &TestApp) {
    app.small_network();
    let (bib, token) = (app.bib("三国演义", None), app.staff("cataloguer", "M1"));
    let first = [plain(bib, "a1"), plain(1, "a2")];
    batch(app, &token, &first).key("k").send().expect(200);
    // Row 1 came to nothing the first time, and rows 2 and 3 were not there: none of them may be done now.
    let other: Vec<Value> = ["a1", "c2", "c3", "c4"].map(|barcode| plain(bib, barcode)).to_vec();
    let refused = batch(app, &token, &other).key("k").send();
    refused.expect_problem(422, "idempotency_key_reused");
    assert_eq!(items(app), 1);
    let librarian = app.staff("librarian", "M1");
    let too_many = vec![json!({}); ROWS + 1];
    batch(app, &librarian, &too_many)
        .send()
        .expect_problem(403, "forbidden");
}

fn two_batches_at_once_on_the_same_copies_do_each_row_or_say_why_not(app: &TestApp) {
    app.small_network();
    let (bib, token) = (app.bib("三国演义", None), app.staff("cataloguer", "M1"));
    let ids: Vec<i64> = (0..20).map(|_| app.item(bib, "B1", &json!({})).0).collect();
    let before = items(app);
    let mut rows: Vec<Value> = (0..100).map(|n| plain(bib, &format!("n{n}"))).collect();
    for id in &ids {
        rows.push(json!({"op": "update", "item_id": id, "parts": 2}));
        rows.push(json!({"op": "move", "item_id": id, "home_unit_code": "M1", "already_there": true}));
        rows.push(json!({"op": "withdraw", "item_id": id, "reason": "破损"}));
    }
    let send_all = |keys: [&'static str; 3]| -> Vec<Answer> {
        std::thread::scope(|scope| {
            let sent = keys.map(|key| batch(app, &token, &rows).key(key));
            let calls = sent.map(|request| scope.spawn(|| request.send().expect(200)));
            calls.into_iter().map(|call| call.join().expect("no panic")).collect()
        })
    };
    let answers = send_all(["one", "two", "three"]);
    let with =
        |status: u64, of: &[Answer]| -> usize { of.iter().filter_map(|a| statuses(a).get(&status).copied()).sum() };
    assert_eq!(with(201, &answers), 100, "each copy was added by one of them");
    assert_eq!(with(422, &answers), 200, "and the others were told of the barcode");
    let withdrawn = |answer: &Answer| {
        let done = answer.body["rows"].as_array().expect("rows");
        (0..20).filter(|n| done[100 + n * 3 + 2]["status"] == 200).count()
    };
    assert_eq!(
        answers.iter().map(withdrawn).sum::<usize>(),
        20,
        "each copy is withdrawn once"
    );
    assert_eq!(items(app), before + 100);
    // The same batch three times at once under one key is one batch.
    let mut twins = rows[..100].to_vec();
    twins.iter_mut().for_each(|row| row["owner_unit_code"] = "M1".into());
    rows.splice(.., twins);
    let answers = send_all_same(app, &token, &rows);
    assert!(
        answers.iter().all(|answer| answer.body["done"] == 100),
        "each caller is told of all"
    );
    assert_eq!(answers.iter().map(replayed).sum::<usize>(), 200);
    assert_eq!(items(app), before + 200);
    is_sound(app);
}

fn send_all_same(app: &TestApp, token: &str, rows: &[Value]) -> Vec<Answer> {
    std::thread::scope(|scope| {
        let calls = [(); 3].map(|()| {
            let request = batch(app, token, rows).key("same");
            scope.spawn(|| request.send().expect(200))
        });
        calls.into_iter().map(|call| call.join().expect("no panic")).collect()
    })
}

fn a_desk_lends_beside_a_batch(app: &TestApp) {
    app.small_network();
    let (bib, token) = (app.bib("三国演义", None), app.staff("cataloguer", "M1"));
    let (_, barcode) = app.item(app.bib("红楼梦", None), "B1", &json!({}));
    let (_, card) = app.reader("adult", "B1");
    let desk = app.staff("librarian", "B1");
    let rows: Vec<Value> = (0..ROWS).map(|n| plain(bib, &format!("n{n}"))).collect();
    std::thread::scope(|scope| {
        let request = batch(app, &token, &rows);
        let batch = scope.spawn(|| request.send().expect(200));
        let mut lent = 0;
        while !batch.is_finished() {
            let body = json!({"item_barcode": barcode, "card_number": card});
            app.post(&desk, "/api/v1/check-outs", &body).expect(201);
            let body = json!({"item_barcode": barcode});
            app.post(&desk, "/api/v1/check-ins", &body).expect(200);
            lent += 1;
        }
        let answer = batch.join().expect("no panic");
        assert_eq!(answer.body["done"], ROWS);
        // It would be one or two if a desk had to wait for the batch.
        assert!(lent > 10, "lent only {lent} times");
    });
    is_sound(app);
}

#[test]
fn a_batch_too_many_is_told_when_to_come_again() {
    run_with(
        Engine::Sqlite,
        |config| config.limits.batches = 1,
        |app| {
            app.small_network();
            let (bib, token) = (app.bib("三国演义", None), app.staff("cataloguer", "M1"));
            let place = app.app.batches.enter().expect("nobody is there");
            let send = || batch(app, &token, &[plain(bib, "1")]).key("k").send();
            let answer = send().expect_problem(503, "busy");
            assert_eq!(answer.header("retry-after"), Some("1"));
            batch(app, "no token", &[]).send().expect(401);
            drop(place);
            assert_eq!(send().expect(200).body["done"], 1);
            assert_eq!(replayed(&send().expect(200)), 1, "places are given back");
        },
    );
}

#[test]
fn a_batch_has_a_body_limit_of_its_own() {
    let change = |config: &mut tongjie::config::Config| {
        config.http.max_body_bytes = 2_048;
        config.limits.batch_body_bytes = 20_000;
    };
    run_with(Engine::Sqlite, change, |app| {
        app.small_network();
        let (bib, token) = (app.bib("三国演义", None), app.staff("cataloguer", "M1"));
        let rows: Vec<Value> = (0..100).map(|n| plain(bib, &n.to_string())).collect();
        assert_eq!(batch(app, &token, &rows).send().expect(200).body["done"], 100);
        let rows: Vec<Value> = (0..300).map(|n| plain(bib, &n.to_string())).collect();
        batch(app, &token, &rows).send().expect_problem(413, "body_too_large");
        let item = json!({"barcode": "1".repeat(3_000)});
        app.post(&token, "/api/v1/items", &item)
            .expect_problem(413, "body_too_large");
    });
}
