//! Another home for a copy: who may give it, and how the copy gets there.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::client::Answer;
use crate::locker_scene::{book, browsing};
use crate::locker_sessions::place_in;

on_both!(
    a_copy_on_the_shelf_travels_to_its_new_home,
    a_copy_that_was_seen_at_its_new_home_stands_there_at_once,
    a_lent_copy_goes_to_its_new_home_with_its_return,
    nobody_puts_stock_on_somebody_elses_shelf,
    a_copy_that_was_seen_at_its_new_home_lies_behind_no_door,
);

fn a_copy_that_was_seen_at_its_new_home_lies_behind_no_door(app: &TestApp) {
    let machine = browsing(app);
    let book = book(app, &json!({"home_unit_code": "P1"}));
    place_in(app, &machine, 2, &book);
    let token = app.staff("cataloguer", "M1");
    let body = json!({"home_unit_code": "M1", "already_there": true});
    moved(app, &token, book.item, &body).expect(200);
    machine.expect_door(app, 2, "unsure");
    assert_eq!(machine.door(app, 2)["item_barcode"], Value::Null);
    app.assert_sound();
}

fn moved(app: &TestApp, token: &str, item: i64, body: &Value) -> Answer {
    app.post(token, &format!("/api/v1/items/{item}/moves"), body)
}

/// Status, home unit, current unit.
fn stands(item: &Value) -> [&str; 3] {
    ["status", "home_unit_code", "current_unit_code"].map(|name| item[name].as_str().expect("a word"))
}

fn journeys(app: &TestApp, to: &str) -> Value {
    let page = app
        .get(&app.root_token(), &format!("/api/v1/transits?to_unit_code={to}"))
        .expect(200);
    page.body["items"].clone()
}

fn a_copy_on_the_shelf_travels_to_its_new_home(app: &TestApp) {
    app.small_network();
    let (id, barcode) = app.item(app.bib("三国演义", None), "M1", &json!({}));
    let token = app.staff("cataloguer", "M1");
    let to = |unit: &str| {
        moved(
            app,
            &token,
            id,
            &json!({"home_unit_code": unit, "shelf_location": "A3"}),
        )
        .expect(200)
        .body
    };
    assert_eq!(
        stands(&to("M1")),
        ["on_shelf", "M1", "M1"],
        "the same home is no journey"
    );
    assert_eq!(stands(&to("B1")), ["awaiting_dispatch", "B1", "M1"]);
    let journey = journeys(app, "B1")[0].clone();
    assert_eq!(
        (&journey["from_unit_code"], &journey["item_id"]),
        (&json!("M1"), &json!(id))
    );
    assert_eq!(stands(&to("B1")), ["awaiting_dispatch", "B1", "M1"], "once is enough");
    assert_eq!(journeys(app, "B1").as_array().map(Vec::len), Some(1));
    let received = format!("/api/v1/transits/{}/receive", journey["id"]);
    app.post(&app.staff("librarian", "B1"), &received, &json!({}))
        .expect(200);
    let item = app.get(&token, &format!("/api/v1/items/{id}")).expect(200).body;
    assert_eq!(stands(&item), ["on_shelf", "B1", "B1"]);
    // Moved home again before it left: the next scan finds it at home.
    to("M1");
    to("B1");
    app.post(
        &app.staff("librarian", "B1"),
        "/api/v1/check-ins",
        &json!({"item_barcode": barcode}),
    )
    .expect(200);
    let item = app.get(&token, &format!("/api/v1/items/{id}")).expect(200).body;
    assert_eq!(stands(&item), ["on_shelf", "B1", "B1"]);
    assert_eq!(journeys(app, "M1"), json!([]));
}

fn a_copy_that_was_seen_at_its_new_home_stands_there_at_once(app: &TestApp) {
    app.small_network();
    let bib = app.bib("三国演义", None);
    let (id, barcode) = app.item(bib, "M1", &json!({}));
    let token = app.staff("cataloguer", "M1");
    let there = |unit: &str| moved(app, &token, id, &json!({"home_unit_code": unit, "already_there": true}));
    assert_eq!(stands(&there("B1").expect(200).body), ["on_shelf", "B1", "B1"]);
    assert_eq!(journeys(app, "B1"), json!([]));
    // It was on its way to M1, and somebody carried it by hand.
    moved(app, &token, id, &json!({"home_unit_code": "M1"})).expect(200);
    assert_eq!(stands(&there("M1").expect(200).body), ["on_shelf", "M1", "M1"]);
    assert_eq!(journeys(app, "M1"), json!([]));
    let row = json!({"op": "move", "item_id": id, "home_unit_code": "B1", "already_there": true});
    let batch = app
        .post(&token, "/api/v1/item-batches", &json!({"rows": [row]}))
        .expect(200)
        .body;
    assert_eq!(stands(&batch["rows"][0]["item"]), ["on_shelf", "B1", "B1"]);
    let row = json!({"op": "move", "item_id": id, "home_unit_code": "M1"});
    let batch = app
        .post(&token, "/api/v1/item-batches", &json!({"rows": [row]}))
        .expect(200)
        .body;
    assert_eq!(stands(&batch["rows"][0]["item"]), ["awaiting_dispatch", "M1", "B1"]);
    there("M1").expect(200);
    // What is in somebody's hands stands nowhere.
    let (_, card) = app.reader("adult", "M1");
    let out = json!({"item_barcode": barcode, "card_number": card});
    app.post(&app.staff("librarian", "M1"), "/api/v1/check-outs", &out)
        .expect(201);
    there("B1").expect_problem(409, "wrong_state");
}

fn a_lent_copy_goes_to_its_new_home_with_its_return(app: &TestApp) {
    app.small_network();
    let (id, barcode) = app.item(app.bib("三国演义", None), "M1", &json!({}));
    let (_, card) = app.reader("adult", "M1");
    let desk = app.staff("librarian", "M1");
    app.post(
        &desk,
        "/api/v1/check-outs",
        &json!({"item_barcode": barcode, "card_number": card}),
    )
    .expect(201);
    let item = moved(
        app,
        &app.staff("cataloguer", "M1"),
        id,
        &json!({"home_unit_code": "B1"}),
    )
    .expect(200)
    .body;
    assert_eq!(stands(&item)[..2], ["on_loan", "B1"]);
    let back = app
        .post(&desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200)
        .body;
    assert_eq!(
        (&back["next_step"]["kind"], &back["next_step"]["to_unit_code"]),
        (&json!("crate"), &json!("B1"))
    );
}

fn nobody_puts_stock_on_somebody_elses_shelf(app: &TestApp) {
    app.small_network();
    let bib = app.bib("三国演义", None);
    let (id, _) = app.item(bib, "M1", &json!({}));
    let (own, city) = (app.staff("cataloguer", "M1"), app.staff("cataloguer", "C1"));
    let new = |barcode: &str| json!({"bib_id": bib, "barcode": barcode, "owner_unit_code": "M1", "home_unit_code": "M2", "item_type": "book"});
    for there in [false, true] {
        moved(app, &own, id, &json!({"home_unit_code": "M2", "already_there": there})).expect_problem(403, "forbidden");
    }
    app.post(&own, "/api/v1/items", &new("1"))
        .expect_problem(403, "forbidden");
    // Nor is anybody told what else is wrong with it.
    let mut wrong = new("1");
    wrong["item_type"] = "scroll".into();
    app.post(&own, "/api/v1/items", &wrong).expect_problem(403, "forbidden");
    let body = json!({"home_unit_code": "M2", "collection_code": "x"});
    moved(app, &own, id, &body).expect_problem(403, "forbidden");
    // And the other way round: the shelf's keeper does not take somebody else's stock.
    moved(
        app,
        &app.staff("cataloguer", "M2"),
        id,
        &json!({"home_unit_code": "M2"}),
    )
    .expect_problem(403, "forbidden");
    let rows = json!({"rows": [{"op": "move", "item_id": id, "home_unit_code": "M2"}]});
    let batch = app.post(&own, "/api/v1/item-batches", &rows).expect(200).body;
    assert_eq!(batch["rows"][0]["status"], 403);
    app.post(&city, "/api/v1/items", &new("1")).expect(201);
    moved(app, &city, id, &json!({"home_unit_code": "M2"})).expect(200);
}
