//! Copies.

use serde_json::{Value, json};

use crate::app::TestApp;

on_both!(
    an_item_is_added_and_found_again,
    every_wrong_field_of_a_new_item_is_named,
    a_barcode_is_unique_per_owner,
    items_are_added_in_the_own_subtree_only,
);

fn an_item_is_added_and_found_again(app: &TestApp) {
    app.small_network();
    app.unit(
        "B3",
        "branch",
        "M1",
        &json!({"collections": [{"code": "kids", "name": "少儿", "return_policy": "float"}]}),
    );
    let bib = app.bib("三国演义", None);
    let extra =
        json!({"home_unit_code": "B3", "collection_code": "kids", "call_number": "I242.4/12", "price_fen": 6800});
    let (id, barcode) = app.item(bib, "M1", &extra);
    let item = app
        .get(&app.root_token(), &format!("/api/v1/items/{id}"))
        .expect(200)
        .body;
    assert_eq!(
        (&item["barcode"], &item["status"]),
        (&json!(barcode), &json!("on_shelf"))
    );
    let units = ["owner_unit_code", "home_unit_code", "current_unit_code"].map(|name| item[name].as_str());
    assert_eq!(units, [Some("M1"), Some("B3"), Some("B3")]);
    assert_eq!(
        (&item["collection_code"], &item["price_fen"]),
        (&json!("kids"), &json!(6800))
    );
    app.get(&app.root_token(), "/api/v1/items/1")
        .expect_problem(404, "not_found");
}

fn every_wrong_field_of_a_new_item_is_named(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    let bib = app.bib("三国演义", None);
    let post = |extra: Value| {
        let mut body = json!({"bib_id": bib, "barcode": "1", "owner_unit_code": "B1", "item_type": "book"});
        for (name, value) in extra.as_object().expect("an object") {
            body[name] = value.clone();
        }
        app.post(&token, "/api/v1/items", &body)
    };
    post(json!({"owner_unit_code": "x", "home_unit_code": "y", "item_type": "scroll"}))
        .expect_fields(422, &["owner_unit_code", "home_unit_code", "item_type"]);
    post(json!({"collection_code": "x"})).expect_fields(422, &["collection_code"]);
    post(json!({"bib_id": 1, "price_fen": -1, "parts": 0})).expect_fields(422, &["bib_id", "price_fen", "parts"]);
    post(json!({"bib_id": "1"})).expect_fields(400, &["bib_id"]);
    post(json!({"bib_id": 1e40})).expect_fields(400, &["bib_id"]);
    post(json!({"min_age_years": 256})).expect_fields(400, &["min_age_years"]);
    post(json!({"barcode": "条码"})).expect_fields(400, &["barcode"]);
}

fn a_barcode_is_unique_per_owner(app: &TestApp) {
    app.small_network();
    let bib = app.bib("三国演义", None);
    let (_, barcode) = app.item(bib, "B1", &json!({}));
    let body = |owner: &str| json!({"bib_id": bib, "barcode": barcode, "owner_unit_code": owner, "item_type": "book"});
    app.post(&app.root_token(), "/api/v1/items", &body("B1"))
        .expect_fields(422, &["barcode"]);
    app.post(&app.root_token(), "/api/v1/items", &body("B2")).expect(201);
}

fn items_are_added_in_the_own_subtree_only(app: &TestApp) {
    app.small_network();
    let bib = app.bib("三国演义", None);
    let cataloguer = app.staff("cataloguer", "M1");
    let body = |owner: &str| json!({"bib_id": bib, "barcode": "1", "owner_unit_code": owner, "item_type": "book"});
    app.post(&cataloguer, "/api/v1/items", &body("B1")).expect(201);
    app.post(&cataloguer, "/api/v1/items", &body("B2"))
        .expect_problem(403, "forbidden");
    app.post(&app.staff("courier", "M1"), "/api/v1/items", &body("B1"))
        .expect_problem(403, "forbidden");
}
