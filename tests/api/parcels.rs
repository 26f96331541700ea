//! Internet borrowing through the API: what is asked for, packed, dispatched, reported, refused, sent back.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tongjie::domain::delivery::{DeliveryTerms, LoanClock};
use tongjie::domain::schedule::PARCEL_ALARMS;
use tongjie::usecase::run_job::Ran;

use crate::app::TestApp;
use crate::client::Answer;
use crate::parcel_scene::{Shop, address, reported, rule};

on_both!(
    a_reader_asks_for_a_copy_on_a_shelf_and_gets_it_at_a_desk,
    a_request_says_line_by_line_what_is_refused,
    what_cannot_be_a_request_is_named,
    a_parcel_is_packed_dispatched_and_delivered,
    the_loans_days_begin_when_the_rules_say,
    what_the_rules_do_not_allow_is_not_delivered,
    a_wrong_copy_is_refused_with_the_right_ones,
    the_rest_follows_or_is_cancelled_as_the_reader_chose,
    a_line_that_was_cancelled_is_taken_out_at_dispatch,
    a_packed_line_keeps_its_unit_its_place_and_its_copy,
    what_cannot_be_lent_is_set_aside,
    a_refused_parcel_comes_back_with_the_true_time_and_serves_the_next,
    reports_count_once_and_in_any_order,
    reports_without_a_genuine_signature_are_not_read,
    a_return_by_parcel_counts_from_the_hand_over,
    a_return_names_what_cannot_be_in_it,
    parcels_that_nobody_heard_of_are_listed,
    a_return_that_never_comes_is_alarmed_and_given_up,
    a_parcel_that_is_never_delivered_is_alarmed_and_given_up,
    an_address_is_shown_to_its_unit_and_its_reader_only,
);

fn a_reader_asks_for_a_copy_on_a_shelf_and_gets_it_at_a_desk(app: &TestApp) {
    let shop = Shop::open(app);
    let (bib, _, barcode) = shop.book(app);
    let reader = app.reader_token(&shop.card);
    let body = json!({"delivery": "desk", "unit_code": "M1", "lines": [{"bib_id": bib}]});
    let asked = app.post(&reader, "/api/v1/delivery-requests", &body).expect(201);
    assert_eq!(asked.body["lines"][0]["hold"]["status"], "waiting", "{}", asked.body);
    assert_eq!(asked.body["fee_pending"], false);
    // A walk-in hold of staff is refused: the copy stands there.
    let (_, other) = app.reader("adult", "M1");
    let walk_in = json!({"bib_id": bib, "pickup_unit_code": "M1", "card_number": other});
    app.post(&shop.desk, "/api/v1/holds", &walk_in)
        .expect_problem(409, "refused");
    let online = json!({"card_number": other, "delivery": "desk", "unit_code": "M1", "lines": [{"bib_id": bib}]});
    app.post(&shop.desk, "/api/v1/delivery-requests", &online).expect(201);
    let step = app
        .post(&shop.desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200);
    assert_eq!(step.body["next_step"]["kind"], "hold_shelf");
    let out = json!({"item_barcode": barcode, "card_number": shop.card});
    app.post(&shop.desk, "/api/v1/check-outs", &out).expect(201);
    app.assert_sound();
}

fn a_request_says_line_by_line_what_is_refused(app: &TestApp) {
    let shop = Shop::open(app);
    let (bib, ..) = shop.book(app);
    let bare = app.bib("没有复本的书", None);
    let body = |all: bool| {
        json!({"card_number": shop.card, "delivery": "parcel", "unit_code": "M1", "address": address(),
        "all_or_nothing": all, "lines": [{"bib_id": bib}, {"bib_id": bare}]})
    };
    let refused = app.post(&shop.desk, "/api/v1/delivery-requests", &body(true));
    let refused = refused.expect_problem(409, "refused");
    assert_eq!(refused.body["refusals"][0]["code"], "no_copy_can_fill");
    assert_eq!(refused.body["refusals"][0]["params"]["bib_id"], bare.to_string());
    let holds = format!("/api/v1/readers/{}/holds", shop.reader);
    assert_eq!(
        app.get(&shop.desk, &holds).expect(200).body["items"],
        json!([]),
        "nothing is kept"
    );
    let some = app
        .post(&shop.desk, "/api/v1/delivery-requests", &body(false))
        .expect(201);
    let lines = some.body["lines"].as_array().expect("lines");
    assert_eq!(lines[0]["hold"]["bib_id"], bib);
    assert_eq!(
        (&lines[1]["hold"], &lines[1]["refusals"][0]["code"]),
        (&Value::Null, &json!("no_copy_can_fill"))
    );
    assert_eq!(some.body["fee_pending"], true);
    // The same again: held already, so nothing is left.
    let again = app.post(&shop.desk, "/api/v1/delivery-requests", &body(false));
    let codes = again.expect_problem(409, "refused").body["refusals"].to_string();
    assert!(codes.contains("already_held"), "{codes}");
    // A unit that packs nothing.
    let mut elsewhere = body(false);
    elsewhere["unit_code"] = "M2".into();
    let codes = app.post(&shop.desk, "/api/v1/delivery-requests", &elsewhere);
    let codes = codes.expect_problem(409, "refused").body["refusals"].to_string();
    assert!(codes.contains("not_a_packing_unit"), "{codes}");
    app.assert_sound();
}

fn what_cannot_be_a_request_is_named(app: &TestApp) {
    let shop = Shop::open(app);
    let (bib, ..) = shop.book(app);
    let path = "/api/v1/delivery-requests";
    let with = |name: &str, value: Value| {
        let mut body = json!({"card_number": shop.card, "delivery": "parcel", "unit_code": "M1", "address": address(),
            "lines": [{"bib_id": bib}]});
        body[name] = value;
        app.post(&shop.desk, path, &body)
    };
    with("address", Value::Null).expect_fields(422, &["address"]);
    with("delivery", "desk".into()).expect_fields(422, &["address"]);
    with("unit_code", "nowhere".into()).expect_fields(422, &["unit_code"]);
    with("card_number", "nobody".into()).expect_fields(422, &["card_number"]);
    with("lines", json!([{"bib_id": bib}, {"bib_id": bib}])).expect_fields(422, &["lines[1]"]);
    with("lines", json!([{"bib_id": bib}, {"bib_id": 1}])).expect_fields(422, &["lines[1].bib_id"]);
    with("lines", json!([])).expect_problem(400, "malformed_request");
    let many: Vec<Value> = (0..21).map(|n| json!({"bib_id": n})).collect();
    with("lines", json!(many)).expect_problem(400, "malformed_request");
    for (member, value) in [
        ("phone", "12345"),
        ("phone", "13800138000\u{0}"),
        ("name", ""),
        ("street", "   "),
    ] {
        let mut bad = address();
        bad[member] = value.into();
        with("address", bad).expect_fields(400, &[&format!("address.{member}")]);
    }
    let mut long = address();
    long["street"] = "路".repeat(201).into();
    with("address", long).expect_fields(400, &["address.street"]);
    let reader = app.reader_token(&shop.card);
    let body = json!({"card_number": shop.card, "delivery": "desk", "unit_code": "M1", "lines": [{"bib_id": bib}]});
    app.post(&reader, path, &body).expect_fields(422, &["card_number"]);
    app.assert_sound();
}

fn a_parcel_is_packed_dispatched_and_delivered(app: &TestApp) {
    let shop = Shop::open(app);
    let (request, barcodes) = shop.asked(app, 2, "follow");
    let list = app.get(&shop.desk, "/api/v1/packing-list").expect(200);
    let ready: Vec<&Value> = list.body["items"][0]["ready"]
        .as_array()
        .expect("lines")
        .iter()
        .collect();
    assert_eq!(
        (ready.len(), &list.body["items"][0]["request_id"]),
        (2, &json!(request))
    );
    let parcel = shop.packed(app, request, &barcodes);
    assert_eq!(parcel.body["parcel"]["state"], "packed");
    assert_eq!(parcel.body["parcel"]["dispatch_by"], "2026-03-07", "three open days");
    assert!(parcel.body["slip"].to_string().contains(&barcodes[0]));
    assert!(
        !parcel.body.to_string().contains("江汉路"),
        "no address in an answer that is stored"
    );
    assert_eq!(
        app.get(&shop.desk, "/api/v1/packing-list").expect(200).body["items"],
        json!([])
    );
    let id = parcel.body["parcel"]["id"].as_i64().expect("an id");
    shop.dispatch(app, id, json!({}))
        .expect_fields(422, &["tracking_number"]);
    // Looking changes nothing.
    let dry = shop
        .dispatch(app, id, json!({"tracking_number": "SF1", "dry_run": true}))
        .expect(200);
    assert_eq!(
        (&dry.body["parcel"]["state"], &dry.body["dry_run"]),
        (&json!("dispatched"), &json!(true))
    );
    let sent = shop.dispatch(app, id, json!({"tracking_number": "SF1"})).expect(200);
    assert_eq!(sent.body["parcel"]["state"], "dispatched", "{}", sent.body);
    let lines = sent.body["parcel"]["lines"].as_array().expect("lines");
    assert!(
        lines
            .iter()
            .all(|line| line["state"] == "lent" && line["loan_id"].is_i64()),
        "{lines:?}"
    );
    shop.dispatch(app, id, json!({"tracking_number": "SF1"}))
        .expect_problem(409, "wrong_state");
    app.assert_sound();
    app.tick();
    reported(app, "e1", id, "delivered").expect(200);
    let shown = app.get(&shop.desk, &format!("/api/v1/parcels/{id}")).expect(200);
    assert_eq!(
        (&shown.body["parcel"]["state"], &shown.body["reports"][0]["step"]),
        (&json!("delivered"), &json!("delivered"))
    );
    assert_eq!(shown.body["address"]["phone"], "+8613800138000");
    let loans = app
        .get(&shop.desk, &format!("/api/v1/readers/{}/loans", shop.reader))
        .expect(200);
    assert_eq!(loans.body["items"].as_array().map(Vec::len), Some(2));
    // They come back over the counter like any other.
    for barcode in &barcodes {
        app.post(&shop.desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
            .expect(200);
    }
    app.assert_sound();
}

fn the_loans_days_begin_when_the_rules_say(app: &TestApp) {
    let shop = Shop::open(app);
    let due = |app: &TestApp, loan: &Value| -> String {
        let desk = app.staff("librarian", "M1");
        let loans = app
            .get(&desk, &format!("/api/v1/readers/{}/loans", shop.reader))
            .expect(200);
        let all = loans.body["items"].as_array().expect("loans").clone();
        let one = all.into_iter().find(|one| &one["id"] == loan).expect("it is lent");
        one["due_at"].as_str().expect("a moment")[..10].to_owned()
    };
    // By default at dispatch, whatever happens later.
    let (id, _) = shop.sent(app, 1);
    let loan = |app: &TestApp, id: i64| -> Value {
        let desk = app.staff("librarian", "M1");
        app.get(&desk, &format!("/api/v1/parcels/{id}")).expect(200).body["parcel"]["lines"][0]["loan_id"].clone()
    };
    let of_default = loan(app, id);
    assert_eq!(due(app, &of_default), "2026-04-03", "thirty days");
    // When it is packed.
    rule(
        app,
        DeliveryTerms {
            clock: LoanClock::Acceptance,
            ..DeliveryTerms::default()
        },
    );
    let (request, barcodes) = shop.asked(app, 1, "follow");
    let packed = shop.packed(app, request, &barcodes);
    assert_eq!(packed.body["parcel"]["lines"][0]["state"], "lent", "{}", packed.body);
    let accepted = packed.body["parcel"]["id"].as_i64().expect("an id");
    // When it is delivered.
    rule(
        app,
        DeliveryTerms {
            clock: LoanClock::Pickup,
            ..DeliveryTerms::default()
        },
    );
    let (late, _) = shop.sent(app, 1);
    app.clock.set(app.clock.now() + TimeDelta::days(5));
    let desk = app.staff("librarian", "M1");
    let sent = json!({"tracking_number": "SF9"});
    app.post(&desk, &format!("/api/v1/parcels/{accepted}/dispatch"), &sent)
        .expect(200);
    for (report, parcel) in [("1", id), ("2", accepted), ("3", late)] {
        reported(app, report, parcel, "delivered").expect(200);
    }
    let dues = [of_default, loan(app, accepted), loan(app, late)].map(|loan| due(app, &loan));
    assert_eq!(dues, ["2026-04-03", "2026-04-03", "2026-04-08"]);
    app.assert_sound();
}

fn what_the_rules_do_not_allow_is_not_delivered(app: &TestApp) {
    let shop = Shop::open(app);
    rule(
        app,
        DeliveryTerms {
            parcel: false,
            desk: false,
            ..DeliveryTerms::default()
        },
    );
    let (bib, ..) = shop.book(app);
    for (delivery, address) in [("parcel", address()), ("desk", Value::Null)] {
        let body = json!({"card_number": shop.card, "delivery": delivery, "unit_code": "M1", "address": address,
            "lines": [{"bib_id": bib}]});
        let refused = app
            .post(&shop.desk, "/api/v1/delivery-requests", &body)
            .expect_problem(409, "refused");
        assert_eq!(
            refused.body["refusals"][0]["code"], "delivery_not_allowed",
            "{}",
            refused.body
        );
        assert!(refused.body["refusals"][0]["rule_id"].is_i64());
    }
    app.assert_sound();
}

fn a_wrong_copy_is_refused_with_the_right_ones(app: &TestApp) {
    let shop = Shop::open(app);
    let (request, barcodes) = shop.asked(app, 2, "follow");
    let (_, _, stray) = shop.book(app);
    let path = format!("/api/v1/delivery-requests/{request}/parcels");
    let wrong = json!({"item_barcodes": [barcodes[0], stray, barcodes[0]]});
    let refused = app
        .post(&shop.desk, &path, &wrong)
        .expect_fields(422, &["item_barcodes[1]", "item_barcodes[2]"]);
    assert!(
        refused.body["errors"][0].to_string().contains(&barcodes[1]),
        "{}",
        refused.body
    );
    let first = shop.packed(app, request, &barcodes[..1]);
    let id = &first.body["parcel"]["id"];
    let again = app.post(&shop.desk, &path, &json!({"item_barcodes": [barcodes[0]]}));
    let said = again.expect_fields(422, &["item_barcodes[0]"]).body["errors"].to_string();
    assert!(said.contains(&format!("parcel {id}")), "{said}");
    app.post(&shop.desk, "/api/v1/delivery-requests/1/parcels", &wrong)
        .expect_problem(404, "not_found");
    app.assert_sound();
}

fn the_rest_follows_or_is_cancelled_as_the_reader_chose(app: &TestApp) {
    let shop = Shop::open(app);
    let (request, barcodes) = shop.asked(app, 2, "follow");
    let first = shop.packed(app, request, &barcodes[..1]);
    assert_eq!(first.body["cancelled"], json!([]));
    shop.packed(app, request, &barcodes[1..]);
    let (reader, card) = app.reader("adult", "M1");
    let shop = Shop { reader, card, ..shop };
    let (request, barcodes) = shop.asked(app, 2, "cancel");
    let only = shop.packed(app, request, &barcodes[..1]);
    assert_eq!(
        only.body["cancelled"][0]["next_step"]["kind"], "shelf_here",
        "{}",
        only.body
    );
    let path = format!("/api/v1/delivery-requests/{request}/parcels");
    app.post(&shop.desk, &path, &json!({"item_barcodes": [barcodes[1]]}))
        .expect_fields(422, &["item_barcodes[0]"]);
    app.assert_sound();
}

fn a_line_that_was_cancelled_is_taken_out_at_dispatch(app: &TestApp) {
    let shop = Shop::open(app);
    let (request, barcodes) = shop.asked(app, 2, "follow");
    let parcel = shop.packed(app, request, &barcodes);
    let id = parcel.body["parcel"]["id"].as_i64().expect("an id");
    let hold = &parcel.body["parcel"]["lines"][0]["hold_id"];
    let cancel = |hold: &Value| {
        app.request("DELETE", &format!("/api/v1/holds/{hold}"))
            .bearer(&shop.desk)
            .send()
    };
    cancel(hold).expect(200);
    let shown = app.get(&shop.desk, &format!("/api/v1/parcels/{id}")).expect(200);
    assert_eq!(shown.body["parcel"]["lines"][0]["state"], "withdrawn");
    app.assert_sound();
    let sent = shop.dispatch(app, id, json!({"tracking_number": "SF2"})).expect(200);
    let states: Vec<&str> = sent.body["parcel"]["lines"]
        .as_array()
        .expect("lines")
        .iter()
        .filter_map(|line| line["state"].as_str())
        .collect();
    assert_eq!(states, ["set_aside", "lent"]);
    assert_eq!(sent.body["parcel"]["lines"][0]["set_aside"], json!(["hold_ended"]));
    // What is on its way cannot be cancelled any more.
    cancel(&sent.body["parcel"]["lines"][1]["hold_id"]).expect_problem(409, "refused");
    // A parcel of which nothing is left never leaves.
    let (request, barcodes) = shop.asked(app, 1, "follow");
    let parcel = shop.packed(app, request, &barcodes);
    cancel(&parcel.body["parcel"]["lines"][0]["hold_id"]).expect(200);
    let id = parcel.body["parcel"]["id"].as_i64().expect("an id");
    let gone = shop.dispatch(app, id, json!({"tracking_number": "SF3"})).expect(200);
    assert_eq!(
        (&gone.body["parcel"]["state"], &gone.body["parcel"]["tracking_number"]),
        (&json!("cancelled"), &Value::Null)
    );
    app.assert_sound();
}

fn a_packed_line_keeps_its_unit_its_place_and_its_copy(app: &TestApp) {
    let shop = Shop::open(app);
    let (bib, ..) = shop.book(app);
    let body = json!({"card_number": shop.card, "delivery": "parcel", "unit_code": "M1", "address": address(),
        "lines": [{"bib_id": bib}]});
    let waiting = app.post(&shop.desk, "/api/v1/delivery-requests", &body).expect(201);
    let waiting = waiting.body["lines"][0]["hold"]["id"].clone();
    let (request, barcodes) = shop.asked(app, 1, "follow");
    let parcel = shop.packed(app, request, &barcodes).body["parcel"].clone();
    let hold = &parcel["lines"][0]["hold_id"];
    let codes = |desk: &str, id: &Value, verb: &str, method: &str, body: Value| -> Value {
        let path = format!("/api/v1/holds/{id}/{verb}");
        let refused = app.request(method, &path).bearer(desk).json(&body).send();
        let refusals = refused.expect_problem(409, "refused").body["refusals"].clone();
        refusals
            .as_array()
            .expect("refusals")
            .iter()
            .map(|one| one["code"].clone())
            .collect()
    };
    let away = || json!({"pickup_unit_code": "B1"});
    for id in [&waiting, hold] {
        assert_eq!(
            codes(&shop.desk, id, "pickup", "PUT", away()),
            json!(["hold_for_delivery"])
        );
    }
    assert_eq!(
        codes(&shop.desk, hold, "suspension", "PUT", json!({})),
        json!(["hold_already_captured"])
    );
    let first = json!({"place": 1, "reason": "急用"});
    assert_eq!(
        codes(&shop.desk, hold, "place", "PUT", first),
        json!(["hold_already_captured"])
    );
    // Long after the day by which the parcel should have left, its copy is still the reader's.
    app.clock.set("2026-04-01T04:00:00Z".parse().expect("a moment"));
    let expire = || app.block_on(tongjie::usecase::expire_holds::expire_holds(&app.app.store));
    assert_eq!(expire().expect("runs"), 0);
    let desk = app.staff("librarian", "M1");
    let path = format!("/api/v1/parcels/{}", parcel["id"]);
    let shown = app.get(&desk, &path).expect(200);
    assert_eq!(shown.body["parcel"]["lines"], parcel["lines"], "nothing changed");
    app.assert_sound();
    // What is set aside at dispatch lies on the shelf again, and its days are over.
    let item = &parcel["lines"][0]["item_id"];
    let forbid = app
        .request("PATCH", &format!("/api/v1/items/{item}"))
        .bearer(&app.root_token());
    forbid.json(&json!({"not_for_loan": true})).send().expect(200);
    let sent = json!({"tracking_number": "SF5"});
    app.post(&desk, &format!("{path}/dispatch"), &sent).expect(200);
    assert_eq!(expire().expect("runs"), 1);
    let ended = app.get(&desk, &format!("/api/v1/holds/{hold}")).expect(200);
    assert_eq!(ended.body["status"], "expired", "{}", ended.body);
    app.assert_sound();
}

fn what_cannot_be_lent_is_set_aside(app: &TestApp) {
    let shop = Shop::open(app);
    let (request, barcodes) = shop.asked(app, 1, "follow");
    let parcel = shop.packed(app, request, &barcodes);
    let id = parcel.body["parcel"]["id"].as_i64().expect("an id");
    // Staff forbid it meanwhile.
    let item = &parcel.body["parcel"]["lines"][0]["item_id"];
    let change = json!({"not_for_loan": true});
    let changed = app
        .request("PATCH", &format!("/api/v1/items/{item}"))
        .bearer(&app.root_token())
        .json(&change);
    changed.send().expect(200);
    let sent = shop.dispatch(app, id, json!({"tracking_number": "SF4"})).expect(200);
    assert_eq!(sent.body["parcel"]["state"], "cancelled", "{}", sent.body);
    assert_eq!(sent.body["refused"][0]["refusals"][0]["code"], "item_not_for_loan");
    assert_eq!(
        sent.body["parcel"]["lines"][0]["set_aside"],
        json!(["item_not_for_loan"])
    );
    // It lies ready again, and staff may go on in spite of it.
    let parcel = shop.packed(app, request, &barcodes);
    let id = parcel.body["parcel"]["id"].as_i64().expect("an id");
    // What they say counts for what they were told, of this copy.
    let tokens = json!({&barcodes[0]: sent.body["refused"][0]["consent_token"]});
    let said = json!({"tracking_number": "SF4", "consent_tokens": tokens,
        "overrides": {"codes": ["item_not_for_loan"], "reason": "馆长批准"}});
    let sent = shop.dispatch(app, id, said).expect(200);
    assert_eq!(sent.body["parcel"]["state"], "dispatched", "{}", sent.body);
    app.assert_sound();
}

fn a_refused_parcel_comes_back_with_the_true_time_and_serves_the_next(app: &TestApp) {
    let shop = Shop::open(app);
    let (id, barcodes) = shop.sent(app, 2);
    let bib =
        app.get(&shop.desk, &format!("/api/v1/parcels/{id}")).expect(200).body["parcel"]["lines"][0]["bib_id"].clone();
    let (_, next) = app.reader("adult", "M1");
    let wait = json!({"bib_id": bib, "pickup_unit_code": "M1", "card_number": next});
    app.post(&shop.desk, "/api/v1/holds", &wait).expect(201);
    let refused_at = app.clock.now() + TimeDelta::days(2);
    app.clock.set(refused_at);
    reported(app, "r1", id, "refused").expect(200);
    app.clock.set(refused_at + TimeDelta::days(5));
    reported(app, "r2", id, "returned").expect(200);
    let desk = app.staff("librarian", "M1");
    let path = format!("/api/v1/parcels/{id}/receipts");
    let (_, _, stray) = shop.book(app);
    let wrong = app
        .post(&desk, &path, &json!({"item_barcode": stray}))
        .expect_fields(422, &["item_barcode"]);
    assert!(
        wrong.body["errors"].to_string().contains(&barcodes[0]),
        "{}",
        wrong.body
    );
    let elsewhere = app.staff("librarian", "M2");
    app.post(&elsewhere, &path, &json!({"item_barcode": barcodes[0]}))
        .expect_problem(409, "wrong_state");
    let first = app
        .post(&desk, &path, &json!({"item_barcode": barcodes[0]}))
        .expect(200);
    assert_eq!(
        first.body["closed_loan"]["returned_at"],
        json!(refused_at),
        "{}",
        first.body
    );
    assert_eq!(
        first.body["next_step"]["kind"], "hold_shelf",
        "the next reader is served"
    );
    let shown =
        |app: &TestApp| app.get(&desk, &format!("/api/v1/parcels/{id}")).expect(200).body["parcel"]["state"].clone();
    assert_eq!(shown(app), "returned", "one copy is still expected");
    app.post(&desk, &path, &json!({"item_barcode": barcodes[1]}))
        .expect(200);
    assert_eq!(shown(app), "received");
    app.post(&desk, &path, &json!({"item_barcode": barcodes[1]}))
        .expect_problem(409, "wrong_state");
    app.assert_sound();
}

fn reports_count_once_and_in_any_order(app: &TestApp) {
    let shop = Shop::open(app);
    let (id, _) = shop.sent(app, 1);
    app.tick();
    let first = reported(app, "a", id, "in_transit").expect(200);
    assert_eq!(
        (&first.body["state"], &first.body["applied"]),
        (&json!("in_transit"), &json!(true))
    );
    let twice = reported(app, "a", id, "in_transit").expect(200);
    assert_eq!(
        (&twice.body["repeated"], &twice.body["state"]),
        (&json!(true), &json!("in_transit"))
    );
    reported(app, "a", id, "lost").expect_problem(409, "wrong_state");
    reported(app, "b", id, "lost").expect(200);
    reported(app, "c", id, "delivered").expect(200);
    let late = reported(app, "d", id, "picked_up").expect(200);
    assert_eq!(
        (&late.body["applied"], &late.body["state"]),
        (&json!(false), &json!("delivered"))
    );
    reported(app, "e", 1, "delivered").expect_problem(404, "not_found");
    app.assert_sound();
}

fn reports_without_a_genuine_signature_are_not_read(app: &TestApp) {
    let shop = Shop::open(app);
    let (id, _) = shop.sent(app, 1);
    let now = app.clock.now();
    let body = json!({"report_id": "x", "parcel_id": id, "step": "delivered", "occurred_at": now}).to_string();
    let send = |at: i64, signature: &str, body: &str| -> Answer {
        let request = app
            .request("POST", "/api/v1/parcel-reports")
            .header("Content-Type", "application/json");
        let request = request
            .header("Tongjie-Timestamp", &at.to_string())
            .header("Tongjie-Signature", signature);
        request.bytes(body.as_bytes()).send()
    };
    let sign = |secret: &str, at: i64| tongjie::http::signed::signature(secret.as_bytes(), at, body.as_bytes());
    let (at, secret) = (now.timestamp(), crate::app::REPORT_SECRET);
    send(at, &sign("another secret of thirty-two bytes", at), &body).expect_problem(401, "unauthenticated");
    send(at, &sign(secret, at), &body.replace("delivered", "refused!!")).expect_problem(401, "unauthenticated");
    send(at + 1, &sign(secret, at), &body).expect_problem(401, "unauthenticated");
    send(at - 301, &sign(secret, at - 301), &body).expect_problem(401, "unauthenticated");
    for garbage in ["", "sha256=", "sha256=zz", "md5=00", &"sha256=0".repeat(300)] {
        send(at, garbage, &body).expect_problem(401, "unauthenticated");
    }
    send(at, &sign(secret, at), &body).expect(200);
    // Genuine, and nonsense all the same.
    for (member, value) in [
        ("step", json!("dispatch")),
        ("step", json!(7)),
        ("parcel_id", json!("1")),
        ("report_id", json!("")),
    ] {
        let mut bad: Value = serde_json::from_str(&body).expect("JSON");
        bad[member] = value;
        let bad = bad.to_string();
        let signed = tongjie::http::signed::signature(secret.as_bytes(), at, bad.as_bytes());
        send(at, &signed, &bad).expect_fields(400, &[member]);
    }
    let future = body.replace("\"x\"", "\"y\"").replace("2026-", "2027-");
    let signed = tongjie::http::signed::signature(secret.as_bytes(), at, future.as_bytes());
    send(at, &signed, &future).expect_fields(422, &["occurred_at"]);
}

fn a_return_by_parcel_counts_from_the_hand_over(app: &TestApp) {
    let shop = Shop::open(app);
    let (barcode, loan) = shop.lent(app);
    let reader = app.reader_token(&shop.card);
    let body = json!({"loan_ids": [loan], "unit_code": "M1"});
    let announced = app.post(&reader, "/api/v1/return-parcels", &body).expect(201);
    assert_eq!(
        (&announced.body["state"], &announced.body["direction"]),
        (&json!("announced"), &json!("back"))
    );
    let id = announced.id();
    // Handed over in time, and a month on the road.
    let posted_at = app.clock.now() + TimeDelta::days(3);
    app.clock.set(posted_at);
    reported(app, "p1", id, "picked_up").expect(200);
    app.clock.set(posted_at + TimeDelta::days(60));
    let desk = app.staff("librarian", "M1");
    let back = app
        .post(
            &desk,
            &format!("/api/v1/parcels/{id}/receipts"),
            &json!({"item_barcode": barcode}),
        )
        .expect(200);
    assert_eq!(back.body["closed_loan"]["returned_at"], json!(posted_at));
    assert_eq!(back.body["closed_loan"]["overdue_days"], 0);
    let shown = app.get(&desk, &format!("/api/v1/parcels/{id}")).expect(200);
    assert_eq!(
        (&shown.body["parcel"]["state"], &shown.body["address"]),
        (&json!("received"), &Value::Null)
    );
    app.assert_sound();
}

fn a_return_names_what_cannot_be_in_it(app: &TestApp) {
    let shop = Shop::open(app);
    let (_, loan) = shop.lent(app);
    let (_, other) = app.reader("adult", "M1");
    let path = "/api/v1/return-parcels";
    let of = |card: &str, loans: &[i64], unit: &str| {
        app.post(
            &shop.desk,
            path,
            &json!({"card_number": card, "loan_ids": loans, "unit_code": unit}),
        )
    };
    of(&other, &[loan], "M1").expect_fields(422, &["loan_ids[0]"]);
    of(&shop.card, &[loan, loan, 1], "M1").expect_fields(422, &["loan_ids[1]", "loan_ids[2]"]);
    of(&shop.card, &[loan], "M2").expect_fields(422, &["unit_code"]);
    let fetched = json!({"card_number": shop.card, "loan_ids": [loan], "unit_code": "M1", "address": address()});
    app.post(&shop.desk, path, &fetched).expect_fields(422, &["address"]);
    of(&shop.card, &[loan], "M1").expect(201);
    of(&shop.card, &[loan], "M1").expect_fields(422, &["loan_ids[0]"]);
    app.assert_sound();
}

fn parcels_that_nobody_heard_of_are_listed(app: &TestApp) {
    let shop = Shop::open(app);
    let (_, loan) = shop.lent(app);
    let body = json!({"card_number": shop.card, "loan_ids": [loan], "unit_code": "M1"});
    let id = app.post(&shop.desk, "/api/v1/return-parcels", &body).expect(201).id();
    let listed = |query: &str| -> Vec<i64> {
        let list = app
            .get(&app.staff("librarian", "M1"), &format!("/api/v1/parcels{query}"))
            .expect(200);
        list.body["items"]
            .as_array()
            .expect("items")
            .iter()
            .filter_map(|one| one["id"].as_i64())
            .collect()
    };
    assert_eq!(
        (listed(""), listed("?direction=out"), listed("?older_than_days=7")),
        (vec![id], vec![], vec![])
    );
    app.clock.set(app.clock.now() + TimeDelta::days(8));
    assert_eq!(
        (listed("?direction=back&older_than_days=7"), listed("?state=lost")),
        (vec![id], vec![])
    );
    reported(app, "late", id, "picked_up").expect(200);
    assert_eq!(
        (listed("?older_than_days=7"), listed("?state=in_transit")),
        (vec![], vec![id]),
        "heard of now"
    );
    let desk = app.staff("librarian", "M1");
    app.get(&desk, "/api/v1/parcels?older_than_days=0")
        .expect_fields(422, &["older_than_days"]);
    app.get(&desk, "/api/v1/parcels?state=eaten")
        .expect_fields(422, &["state"]);
    app.get(&desk, "/api/v1/parcels?unit_code=M2")
        .expect_problem(403, "forbidden");
}

/// The job that marks parcels of which nobody has heard for fourteen days; answers how many it marked.
fn alarm(app: &TestApp) -> i64 {
    let pass = std::sync::Arc::new(tongjie::usecase::alarm_parcels::AlarmParcels { days: 14 });
    // Once a day.
    app.clock.set(app.clock.now() + TimeDelta::days(1));
    let run = tongjie::usecase::run_job::run_job(&app.app.store, "a", PARCEL_ALARMS, &pass, || false);
    match app.block_on(run).expect("runs") {
        Ran::Finished { changed, .. } => changed,
        other => panic!("{other:?}"),
    }
}

fn told(app: &TestApp, kind: &str) -> i64 {
    let sql = format!("SELECT count(*) AS n FROM events WHERE kind = '{kind}'");
    app.database.outside().number(&sql)
}

fn a_return_that_never_comes_is_alarmed_and_given_up(app: &TestApp) {
    let shop = Shop::open(app);
    let (barcode, loan) = shop.lent(app);
    let body = json!({"card_number": shop.card, "loan_ids": [loan], "unit_code": "M1"});
    let id = app.post(&shop.desk, "/api/v1/return-parcels", &body).expect(201).id();
    let shown = |path: &str| app.get(&app.staff("librarian", "M1"), path).expect(200).body;
    let due = |loan: i64| {
        let loans = shown(&format!("/api/v1/readers/{}/loans", shop.reader))["items"].clone();
        let one = loans
            .as_array()
            .expect("loans")
            .iter()
            .find(|one| one["id"] == loan)
            .cloned();
        one.expect("it is open")["due_at"].clone()
    };
    let by_rule = due(loan);
    let (path, said) = (format!("/api/v1/parcels/{id}/give-up"), json!({"reason": "读者未寄出"}));
    let give_up = |unit: &str| app.post(&app.staff("librarian", unit), &path, &said);
    app.clock.set(app.clock.now() + TimeDelta::days(12));
    assert_eq!(alarm(app), 0, "the thirteenth day");
    let early = give_up("M1").expect_problem(409, "wrong_state");
    assert!(
        early.body["detail"].as_str().expect("a detail").contains("alarmed"),
        "{}",
        early.body
    );
    app.clock.set(app.clock.now() + TimeDelta::days(1));
    assert_eq!((alarm(app), alarm(app), told(app, "parcel_alarmed")), (1, 0, 1), "once");
    let listed = || shown("/api/v1/parcels?alarmed=true")["items"].clone();
    assert_eq!(
        (&listed()[0]["id"], listed()[0]["alarmed_at"].is_string()),
        (&json!(id), true)
    );
    // News: nobody may give it up, and after as long again it is alarmed once more.
    reported(app, "1", id, "picked_up").expect(200);
    assert_eq!(listed(), json!([]));
    give_up("M1").expect_problem(409, "wrong_state");
    app.clock.set(app.clock.now() + TimeDelta::days(14));
    assert_eq!(alarm(app), 1);
    give_up("M2").expect_problem(403, "forbidden");
    let closed = give_up("M1").expect(200).body;
    assert_eq!(
        (
            &closed["state"],
            closed["given_up_at"].is_string(),
            &closed["lines"][0]["state"]
        ),
        (&json!("cancelled"), true, &json!("ended"))
    );
    give_up("M1").expect_problem(409, "wrong_state");
    assert_eq!((told(app, "parcel_given_up"), listed()), (1, json!([])));
    app.assert_sound();
    // The loan is what it was: open, due by its rule, and free to be sent again.
    assert_eq!(due(loan), by_rule);
    let late = reported(app, "2", id, "delivered").expect(200);
    assert_eq!(late.body["applied"], false);
    let desk = app.staff("librarian", "M1");
    app.post(
        &desk,
        &format!("/api/v1/parcels/{id}/receipts"),
        &json!({"item_barcode": barcode}),
    )
    .expect_problem(409, "wrong_state");
    app.post(&desk, "/api/v1/return-parcels", &body).expect(201);
    let back = app
        .post(&desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200);
    assert_eq!(back.body["closed_loan"]["id"], loan, "it came after all");
    app.assert_sound();
}

fn a_parcel_that_is_never_delivered_is_alarmed_and_given_up(app: &TestApp) {
    let shop = Shop::open(app);
    let (request, barcodes) = shop.asked(app, 1, "follow");
    let packed = shop.packed(app, request, &barcodes).body["parcel"]["id"].clone();
    let (sent, _) = shop.sent(app, 2);
    let (lost, _) = shop.sent(app, 1);
    reported(app, "1", lost, "lost").expect(200);
    let said = json!({"reason": "承运商查无此件"});
    let give_up = |id: &dyn std::fmt::Display| {
        let desk = app.staff("librarian", "M1");
        app.post(&desk, &format!("/api/v1/parcels/{id}/give-up"), &said)
    };
    // What the carrier has lost need not be waited for.
    assert_eq!(give_up(&lost).expect(200).body["state"], "cancelled");
    give_up(&sent).expect_problem(409, "wrong_state");
    app.clock.set(app.clock.now() + TimeDelta::days(14));
    assert_eq!(alarm(app), 2, "the one that was never sent, too");
    let refused = give_up(&packed).expect_problem(409, "wrong_state");
    assert!(
        refused.body["detail"]
            .as_str()
            .expect("a detail")
            .contains("dispatch it"),
        "{}",
        refused.body
    );
    assert_eq!(give_up(&sent).expect(200).body["state"], "cancelled");
    // The reader has not got them, which is for staff to say: the loans go on until somebody does.
    let desk = app.staff("librarian", "M1");
    let loans = app
        .get(&desk, &format!("/api/v1/readers/{}/loans", shop.reader))
        .expect(200);
    assert_eq!(loans.body["items"].as_array().map(Vec::len), Some(3));
    let missing = app.post(&desk, "/api/v1/parcels/1/give-up", &said);
    missing.expect_problem(404, "not_found");
    app.post(
        &desk,
        &format!("/api/v1/parcels/{packed}/give-up"),
        &json!({"reason": ""}),
    )
    .expect_fields(400, &["reason"]);
    app.assert_sound();
}

fn an_address_is_shown_to_its_unit_and_its_reader_only(app: &TestApp) {
    let shop = Shop::open(app);
    let (request, barcodes) = shop.asked(app, 1, "follow");
    let id = shop.packed(app, request, &barcodes).body["parcel"]["id"]
        .as_i64()
        .expect("an id");
    let path = format!("/api/v1/parcels/{id}");
    let seen = app.get(&app.reader_token(&shop.card), &path).expect(200);
    assert_eq!(seen.body["address"]["street"], "江汉路 1 号 2 栋 301");
    let (_, other) = app.reader("adult", "M1");
    app.get(&app.reader_token(&other), &path)
        .expect_problem(404, "not_found");
    app.get(&app.staff("librarian", "M2"), &path)
        .expect_problem(403, "forbidden");
    app.get(&app.staff("courier", "M1"), &path)
        .expect_problem(403, "forbidden");
}
