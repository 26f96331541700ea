//! The routes of circulation, once through; the rules have tests of their own.

use serde_json::{Value, json};

use crate::app::TestApp;

on_both!(
    an_item_goes_out_is_renewed_and_comes_back,
    a_hold_is_placed_and_cancelled,
    codes_that_do_not_exist_are_named
);

fn an_item_goes_out_is_renewed_and_comes_back(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (id, card) = app.reader("adult", "B1");
    let (_, barcode) = app.item(app.bib("三国演义", None), "B1", &json!({}));
    let body = json!({"item_barcode": barcode, "card_number": card});
    let rehearsed = app.post(
        &desk,
        "/api/v1/check-outs",
        &json!({"item_barcode": barcode, "card_number": card, "dry_run": true}),
    );
    assert_eq!(rehearsed.expect(200).body["dry_run"], true);
    let send = || {
        app.request("POST", "/api/v1/check-outs")
            .bearer(&desk)
            .key("k")
            .json(&body)
            .send()
    };
    let lent = send().expect(201);
    assert_eq!(lent.body["loan"]["status"], "open");
    let again = send().expect(201);
    assert_eq!(
        (again.header("idempotency-replayed"), &again.body),
        (Some("true"), &lent.body)
    );
    let refused = app
        .post(&desk, "/api/v1/check-outs", &body)
        .expect_problem(409, "refused")
        .body;
    assert!(refused["refusals"][0]["message_zh"].is_string() && refused["refusals"][0]["code"].is_string());
    let loans = app
        .get(&app.reader_token(&card), &format!("/api/v1/readers/{id}/loans"))
        .expect(200)
        .body;
    assert_eq!(loans["items"], json!([lent.body["loan"]]));
    let loan = lent.body["loan"]["id"].as_i64().expect("an id");
    let renewal = format!("/api/v1/loans/{loan}/renewals");
    let renewed = app
        .request("POST", &renewal)
        .bearer(&app.reader_token(&card))
        .send()
        .expect(200);
    assert_eq!(renewed.body["loan"]["renewals"], 1);
    let back = app
        .post(&desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200);
    assert_eq!(back.body["next_step"]["kind"], "shelf_here");
    let all = app
        .get(
            &app.root_token(),
            &format!("/api/v1/readers/{id}/loans?status=all&reason=asked"),
        )
        .expect(200)
        .body;
    assert_eq!(all["items"][0]["status"], "returned");
    app.post(&desk, "/api/v1/loans/1/void", &json!({"reason": "x"}))
        .expect_problem(404, "not_found");
    app.post(&desk, &format!("/api/v1/loans/{loan}/void"), &json!({}))
        .expect_fields(400, &["reason"]);
}

fn a_hold_is_placed_and_cancelled(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (id, card) = app.reader("adult", "B1");
    let (_, other) = app.reader("adult", "B1");
    let bib = app.bib("三国演义", None);
    let (_, barcode) = app.item(bib, "B1", &json!({}));
    app.post(
        &desk,
        "/api/v1/check-outs",
        &json!({"item_barcode": barcode, "card_number": other}),
    )
    .expect(201);
    let reader = app.reader_token(&card);
    let placed = app
        .post(
            &reader,
            "/api/v1/holds",
            &json!({"bib_id": bib, "pickup_unit_code": "B1"}),
        )
        .expect(201)
        .body;
    assert_eq!(
        (&placed["hold"]["status"], &placed["hold"]["position"]),
        (&json!("waiting"), &json!(1))
    );
    let listed = app
        .get(&reader, &format!("/api/v1/readers/{id}/holds"))
        .expect(200)
        .body;
    assert_eq!(
        (&listed["items"][0]["id"], &listed["items"][0]["position"]),
        (&placed["hold"]["id"], &json!(1))
    );
    let path = format!("/api/v1/holds/{}", placed["hold"]["id"]);
    app.request("DELETE", &format!("{path}?confirm=nonsense"))
        .bearer(&reader)
        .send()
        .expect_fields(422, &["confirm"]);
    let cancelled = app.request("DELETE", &path).bearer(&reader).send().expect(200).body;
    assert_eq!(cancelled["hold"]["status"], "cancelled");
}

fn codes_that_do_not_exist_are_named(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let post = |extra: Value| {
        let mut body = json!({"item_barcode": "1", "card_number": "2"});
        for (name, value) in extra.as_object().expect("an object") {
            body[name] = value.clone();
        }
        app.post(&desk, "/api/v1/check-outs", &body)
    };
    post(json!({"overrides": {"codes": ["magic"], "reason": "x"}})).expect_fields(422, &["overrides.codes"]);
    post(json!({"confirm": ["magic"]})).expect_fields(422, &["confirm"]);
    post(json!({"overrides": {"codes": []}})).expect_fields(400, &["overrides.reason"]);
    post(json!({"due_at": "2026-03-31"})).expect_fields(400, &["due_at"]);
    post(json!({"due_at": "+99999-03-31T00:00:00Z"})).expect_fields(400, &["due_at"]);
    // Neither hides the other.
    post(json!({})).expect_fields(422, &["item_barcode", "card_number"]);
    let (_, card) = app.reader("adult", "B1");
    post(json!({"card_number": card})).expect_fields(422, &["item_barcode"]);
}
