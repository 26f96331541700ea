//! What may be changed of a hold, and the queue it stands in.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::client::Answer;

on_both!(
    a_suspended_hold_keeps_its_place_and_is_passed_over,
    a_hold_that_sleeps_until_a_day_wakes_on_it,
    a_blocked_reader_is_passed_over_until_the_block_ends,
    staff_move_a_hold_with_a_reason,
    the_queue_is_paged_in_its_order,
    a_hold_is_seen_by_its_reader_and_by_staff_only,
    a_volume_is_held_apart_from_the_other_volumes,
    a_changed_pickup_of_a_waiting_hold_decides_where_the_copy_goes,
    staff_order_and_see_the_holds_of_their_own_libraries_only
);

/// Readers who wait for the only copy of a bib, which somebody else has. All pick up at B1.
pub struct Queue {
    pub bib: i64,
    pub barcode: String,
    /// Card number and hold, in the order of placing.
    pub holds: Vec<(String, i64)>,
}

pub fn queue(app: &TestApp, readers: usize) -> Queue {
    let joined = json!({"lend_away": true, "return_away": true, "readers_away": true});
    app.unit("C1", "central", crate::app::ROOT, &json!({"membership": [joined]}));
    for n in ["1", "2"] {
        app.unit(&format!("M{n}"), "main", "C1", &json!({}));
        app.unit(&format!("B{n}"), "branch", &format!("M{n}"), &json!({}));
    }
    let bib = app.bib("三国演义", None);
    let (_, barcode) = app.item(bib, "B1", &json!({}));
    let (_, other) = app.reader("adult", "B1");
    let out = json!({"item_barcode": barcode, "card_number": other});
    app.post(&desk(app), "/api/v1/check-outs", &out).expect(201);
    let holds = (0..readers).map(|_| {
        let (_, card) = app.reader("adult", "B1");
        let id = place(app, &card, &json!({"bib_id": bib, "pickup_unit_code": "B1"})).expect(201);
        (card, id.body["hold"]["id"].as_i64().expect("an id"))
    });
    let holds = holds.collect();
    Queue { bib, barcode, holds }
}

pub fn desk(app: &TestApp) -> String {
    app.staff("librarian", "B1")
}

/// Staff place a hold for a reader.
pub fn place(app: &TestApp, card: &str, body: &Value) -> Answer {
    let mut body = body.clone();
    body["card_number"] = card.into();
    app.post(&desk(app), "/api/v1/holds", &body)
}

pub fn check_in(app: &TestApp, unit: &str, barcode: &str) -> Value {
    let token = app.staff("librarian", unit);
    let answer = app.post(&token, "/api/v1/check-ins", &json!({"item_barcode": barcode}));
    answer.expect(200).body
}

pub fn hold(app: &TestApp, id: i64) -> Value {
    app.get(&app.root_token(), &format!("/api/v1/holds/{id}"))
        .expect(200)
        .body
}

pub fn put(app: &TestApp, token: &str, path: &str, body: &Value) -> Answer {
    app.request("PUT", path).bearer(token).json(body).send()
}

/// The waiting holds of a bib with their places, in order.
fn places(app: &TestApp, bib: i64) -> Vec<(i64, i64)> {
    let listed = app
        .get(&desk(app), &format!("/api/v1/bibs/{bib}/holds"))
        .expect(200)
        .body;
    let items = listed["items"].as_array().expect("items").clone();
    let waiting = items.iter().filter(|hold| hold["status"] == "waiting");
    waiting
        .map(|hold| {
            (
                hold["id"].as_i64().expect("an id"),
                hold["position"].as_i64().expect("a place"),
            )
        })
        .collect()
}

fn a_suspended_hold_keeps_its_place_and_is_passed_over(app: &TestApp) {
    let queue = queue(app, 3);
    let (first, second) = (&queue.holds[0], &queue.holds[1]);
    let reader = app.reader_token(&first.0);
    let path = format!("/api/v1/holds/{}/suspension", first.1);
    let asleep = put(app, &reader, &path, &json!({})).expect(200).body;
    assert_eq!(
        (&asleep["hold"]["suspended"], &asleep["hold"]["position"]),
        (&json!(true), &json!(1))
    );
    let back = check_in(app, "B1", &queue.barcode);
    assert_eq!(back["next_step"]["hold_id"], second.1, "the first sleeps");
    assert_eq!(hold(app, first.1)["position"], 1);
    // Nobody sleeps on a copy.
    let captured = format!("/api/v1/holds/{}/suspension", second.1);
    let refused = put(app, &desk(app), &captured, &json!({}))
        .expect_problem(409, "refused")
        .body;
    assert_eq!(refused["refusals"][0]["code"], "hold_already_captured");
    // Nor on somebody else's.
    put(app, &reader, &captured, &json!({})).expect_problem(404, "not_found");
    let awake = app.request("DELETE", &path).bearer(&reader).send().expect(200).body;
    assert_eq!(awake["hold"]["suspended"], false);
}

fn a_hold_that_sleeps_until_a_day_wakes_on_it(app: &TestApp) {
    let queue = queue(app, 2);
    let (first, second) = (&queue.holds[0], &queue.holds[1]);
    let path = format!("/api/v1/holds/{}/suspension", first.1);
    for day in ["2026-03-04", "2026-03-01"] {
        let refused = put(app, &desk(app), &path, &json!({"until": day})).expect_problem(409, "refused");
        assert_eq!(refused.body["refusals"][0]["code"], "hold_dates_invalid", "{day}");
    }
    put(app, &desk(app), &path, &json!({"until": "never"})).expect_fields(400, &["until"]);
    let asleep = put(app, &desk(app), &path, &json!({"until": "2026-03-06"}))
        .expect(200)
        .body;
    assert_eq!(asleep["hold"]["not_before"], "2026-03-06");
    app.clock.set("2026-03-06T04:00:00Z".parse().expect("a moment"));
    let back = check_in(app, "B1", &queue.barcode);
    assert_eq!(back["next_step"]["hold_id"], first.1, "it is awake on that day");
    assert_eq!(hold(app, second.1)["position"], 1);
}

fn a_blocked_reader_is_passed_over_until_the_block_ends(app: &TestApp) {
    let queue = queue(app, 2);
    let (first, second) = (&queue.holds[0], &queue.holds[1]);
    let tomorrow = (app.clock.now() + chrono::TimeDelta::days(1)).timestamp_millis();
    app.database.outside().run(&format!(
        "UPDATE readers SET block_reason = '污损未赔', block_until = {tomorrow} \
         WHERE id = (SELECT reader_id FROM cards WHERE number = '{}')",
        first.0
    ));
    assert_eq!(check_in(app, "B1", &queue.barcode)["next_step"]["hold_id"], second.1);
    assert_eq!(hold(app, first.1)["status"], "waiting");
    app.clock.set(app.clock.now() + chrono::TimeDelta::days(1));
    let cancelled = app.request("DELETE", &format!("/api/v1/holds/{}", second.1));
    cancelled.bearer(&desk(app)).send().expect(200);
    assert_eq!(
        hold(app, first.1)["status"],
        "captured",
        "its turn comes when the block ends"
    );
}

fn staff_move_a_hold_with_a_reason(app: &TestApp) {
    let queue = queue(app, 4);
    let ids: Vec<i64> = queue.holds.iter().map(|hold| hold.1).collect();
    assert_eq!(
        places(app, queue.bib),
        [(ids[0], 1), (ids[1], 2), (ids[2], 3), (ids[3], 4)]
    );
    let librarian = desk(app);
    let give = |hold: i64, place: i64| {
        let path = format!("/api/v1/holds/{hold}/place");
        put(
            app,
            &librarian,
            &path,
            &json!({"place": place, "reason": "课程指定参考书"}),
        )
    };
    assert_eq!(give(ids[3], 1).expect(200).body["hold"]["position"], 1);
    assert_eq!(give(ids[0], 3).expect(200).body["hold"]["position"], 3);
    assert_eq!(
        places(app, queue.bib),
        [(ids[3], 1), (ids[1], 2), (ids[0], 3), (ids[2], 4)]
    );
    give(ids[0], 5).expect_fields(422, &["place"]);
    give(ids[0], 0).expect_fields(422, &["place"]);
    let path = format!("/api/v1/holds/{}/place", ids[0]);
    put(app, &librarian, &path, &json!({"place": 1})).expect_fields(400, &["reason"]);
    let reader = app.reader_token(&queue.holds[0].0);
    put(app, &reader, &path, &json!({"place": 1, "reason": "me first"})).expect_problem(403, "forbidden");
    // A new one goes to the end.
    let (_, card) = app.reader("adult", "B1");
    let body = json!({"bib_id": queue.bib, "pickup_unit_code": "B1"});
    assert_eq!(place(app, &card, &body).expect(201).body["hold"]["position"], 5);
    // The copy goes to who was put first, and that one's place is not to be had any more.
    assert_eq!(check_in(app, "B1", &queue.barcode)["next_step"]["hold_id"], ids[3]);
    give(ids[3], 2).expect_problem(409, "refused");
    assert_eq!(places(app, queue.bib)[..3], [(ids[1], 1), (ids[0], 2), (ids[2], 3)]);
}

fn the_queue_is_paged_in_its_order(app: &TestApp) {
    let queue = queue(app, 5);
    let last = queue.holds[4].1;
    let path = format!("/api/v1/holds/{last}/place");
    put(app, &desk(app), &path, &json!({"place": 2, "reason": "x"})).expect(200);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/bibs/{}/holds?limit=2{cursor}", queue.bib);
        let page = app.get(&desk(app), &path).expect(200).body;
        for hold in page["items"].as_array().expect("items") {
            seen.push((
                hold["id"].as_i64().expect("an id"),
                hold["position"].as_i64().expect("a place"),
            ));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let ids: Vec<i64> = [0, 4, 1, 2, 3].map(|n: usize| queue.holds[n].1).to_vec();
    assert_eq!(seen, ids.into_iter().zip(1..).collect::<Vec<_>>());
    app.get(&desk(app), "/api/v1/bibs/1/holds")
        .expect_problem(404, "not_found");
}

fn a_hold_is_seen_by_its_reader_and_by_staff_only(app: &TestApp) {
    let queue = queue(app, 2);
    let path = format!("/api/v1/holds/{}", queue.holds[1].1);
    let own = app.get(&app.reader_token(&queue.holds[1].0), &path).expect(200).body;
    assert_eq!((&own["position"], &own["status"]), (&json!(2), &json!("waiting")));
    app.get(&app.reader_token(&queue.holds[0].0), &path)
        .expect_problem(404, "not_found");
    app.get(&desk(app), "/api/v1/holds/1").expect_problem(404, "not_found");
}

fn a_volume_is_held_apart_from_the_other_volumes(app: &TestApp) {
    let queue = queue(app, 0);
    let bib = queue.bib;
    let (_, other) = app.reader("adult", "B1");
    let out = |volume: &str| {
        let (id, barcode) = app.item(bib, "B1", &json!({"volume": volume}));
        let body = json!({"item_barcode": barcode, "card_number": other, "confirm": ["bib_already_on_loan"]});
        app.post_consenting(&desk(app), "/api/v1/check-outs", &body).expect(201);
        (id, barcode)
    };
    let ((_, one), (id, two)) = (out("第1卷"), out(" 第2卷  "));
    let item = app.get(&desk(app), &format!("/api/v1/items/{id}")).expect(200).body;
    assert_eq!(item["volume"], "第2卷");
    let (_, card) = app.reader("adult", "B1");
    let wish = |volume: Value| json!({"bib_id": bib, "pickup_unit_code": "B1", "volume": volume});
    let held = place(app, &card, &wish(json!("第2卷"))).expect(201).body;
    assert_eq!(held["hold"]["volume"], "第2卷");
    let again = place(app, &card, &wish(json!("第2卷")))
        .expect_problem(409, "refused")
        .body;
    assert_eq!(again["refusals"][0]["code"], "already_held");
    // Another volume is another target, which staff may allow.
    let mut third = wish(json!("第1卷"));
    third["overrides"] = json!({"codes": ["bib_already_held"], "reason": "multi-volume work"});
    third["card_number"] = card.clone().into();
    app.post_consenting(&desk(app), "/api/v1/holds", &third).expect(201);
    let none = place(app, &card, &wish(json!("第9卷")))
        .expect_problem(409, "refused")
        .body;
    assert!(none["refusals"].to_string().contains("no_copy_can_fill"), "{none}");
    place(app, &card, &wish(json!(" "))).expect_fields(400, &["volume"]);
    place(app, &card, &wish(json!("卷".repeat(22)))).expect_fields(400, &["volume"]);
    let mut both = wish(json!("第2卷"));
    both["item_id"] = id.into();
    place(app, &card, &both).expect_fields(422, &["volume"]);
    // The copy without a designation is no copy of any volume.
    assert_eq!(check_in(app, "B1", &queue.barcode)["next_step"]["kind"], "shelf_here");
    assert_eq!(check_in(app, "B1", &two)["next_step"]["hold_id"], held["hold"]["id"]);
    // What is set aside keeps its designation.
    let path = format!("/api/v1/items/{id}");
    let patch = app
        .request("PATCH", &path)
        .bearer(&app.root_token())
        .json(&json!({"volume": "第3卷"}));
    patch.send().expect_fields(422, &["volume"]);
    assert_eq!(check_in(app, "B1", &one)["next_step"]["kind"], "hold_shelf");
}

fn a_changed_pickup_of_a_waiting_hold_decides_where_the_copy_goes(app: &TestApp) {
    let queue = queue(app, 1);
    let (card, id) = &queue.holds[0];
    let path = format!("/api/v1/holds/{id}/pickup");
    let reader = app.reader_token(card);
    put(app, &reader, &path, &json!({"pickup_unit_code": "x"})).expect_fields(422, &["pickup_unit_code"]);
    app.request("PATCH", "/api/v1/units/M2")
        .bearer(&app.root_token())
        .json(&json!({"pickup_point": false}))
        .send()
        .expect(200);
    let refused = put(app, &reader, &path, &json!({"pickup_unit_code": "M2"})).expect_problem(409, "refused");
    assert_eq!(refused.body["refusals"][0]["code"], "not_a_pickup_point");
    let changed = put(app, &reader, &path, &json!({"pickup_unit_code": "B2"}))
        .expect(200)
        .body;
    assert_eq!(changed["hold"]["pickup_unit_code"], "B2");
    let back = check_in(app, "B1", &queue.barcode);
    assert_eq!(
        (&back["next_step"]["kind"], &back["next_step"]["to_unit_code"]),
        (&json!("crate"), &json!("B2"))
    );
}

fn staff_order_and_see_the_holds_of_their_own_libraries_only(app: &TestApp) {
    let queue = queue(app, 2);
    let elsewhere = app.staff("librarian", "M2");
    let place = format!("/api/v1/holds/{}/place", queue.holds[1].1);
    let first = json!({"place": 1, "reason": "课程指定参考书"});
    put(app, &elsewhere, &place, &first).expect_problem(403, "forbidden");
    let path = format!("/api/v1/bibs/{}/holds", queue.bib);
    let readers = |token: &str| -> Vec<bool> {
        let listed = app.get(token, &path).expect(200).body;
        let items = listed["items"].as_array().expect("items").clone();
        items.iter().map(|hold| hold["reader_id"].is_i64()).collect()
    };
    assert_eq!(
        readers(&elsewhere),
        [false, false],
        "how long the queue is, and no more"
    );
    assert_eq!(readers(&desk(app)), [true, true]);
    put(app, &app.staff("librarian", "M1"), &place, &first).expect(200);
}
