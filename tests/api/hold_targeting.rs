//! Copies on shelves are fetched for waiting holds: which unit is asked, what it answers, and who is asked next.

use serde_json::{Value, json};
use tongjie::usecase::target_holds::target_holds;

use crate::app::TestApp;
use crate::hold_shelf::check;
use crate::holds::{check_in, hold, put};

on_both!(
    the_nearest_unit_is_asked_and_a_scan_sets_the_copy_aside,
    a_unit_that_refuses_is_followed_by_the_next,
    a_unit_that_does_not_answer_in_time_is_followed_by_the_next,
    a_reader_at_the_desk_may_take_a_copy_and_another_unit_is_asked,
    a_copy_fetched_for_one_reader_is_not_given_to_another,
    units_say_what_they_send,
    what_transport_costs_decides_who_is_asked,
    a_suspended_or_cancelled_hold_is_not_fetched_for,
    a_second_pass_asks_for_nothing_twice,
    a_request_asks_for_a_few_copies_and_the_pass_for_the_rest,
    a_unit_that_was_closed_has_its_open_days_to_answer,
    a_unit_that_did_not_serve_a_hold_is_asked_again_after_some_days,
    bibs_without_a_copy_that_is_lent_are_not_looked_at
);

struct Place {
    bib: i64,
    /// Item and barcode of the copies at B2, M1 and M2, in this order.
    copies: Vec<(i64, String)>,
}

/// A bib with a copy each at M1 (one step from B1), M2 (three) and B2 (four).
fn place(app: &TestApp) -> Place {
    let joined = json!({"lend_away": true, "return_away": true, "readers_away": true});
    app.unit("C1", "central", crate::app::ROOT, &json!({"membership": [joined]}));
    for n in ["1", "2"] {
        app.unit(&format!("M{n}"), "main", "C1", &json!({}));
        app.unit(&format!("B{n}"), "branch", &format!("M{n}"), &json!({}));
    }
    let bib = app.bib("三国演义", None);
    let copies = ["B2", "M1", "M2"].map(|unit| app.item(bib, unit, &json!({}))).to_vec();
    Place { bib, copies }
}

/// A reader of B1 waits for it there.
fn wait(app: &TestApp, place: &Place) -> (String, i64) {
    let (_, card) = app.reader("adult", "B1");
    let body = json!({"bib_id": place.bib, "pickup_unit_code": "B1"});
    let placed = app.post(&app.reader_token(&card), "/api/v1/holds", &body).expect(201);
    let id = placed.body["hold"]["id"].as_i64().expect("an id");
    (card, id)
}

fn pulls(app: &TestApp, unit: &str) -> Vec<Value> {
    let token = app.staff("librarian", unit);
    let listed = app.get(&token, &format!("/api/v1/units/{unit}/pulls")).expect(200).body;
    listed["items"].as_array().expect("items").clone()
}

/// No unit is asked for anything.
const NOBODY: [Vec<i64>; 3] = [Vec::new(), Vec::new(), Vec::new()];

/// For which holds B2, M1 and M2 are asked.
fn asked(app: &TestApp) -> [Vec<i64>; 3] {
    ["B2", "M1", "M2"].map(|unit| {
        let holds = pulls(app, unit)
            .into_iter()
            .map(|pull| pull["hold_id"].as_i64().expect("an id"));
        holds.collect()
    })
}

fn refuse(app: &TestApp, unit: &str, reason: &str) -> Value {
    let id = pulls(app, unit)[0]["id"].as_i64().expect("an id");
    let path = format!("/api/v1/pulls/{id}/refusal");
    let body = json!({"reason": reason, "note": "书架上没有"});
    app.post(&app.staff("librarian", unit), &path, &body).expect(200).body
}

fn pass(app: &TestApp) -> (u64, u64) {
    let done = app.block_on(target_holds(&app.app.store)).expect("runs");
    (done.asked, done.closed)
}

fn the_nearest_unit_is_asked_and_a_scan_sets_the_copy_aside(app: &TestApp) {
    let place = place(app);
    let (_, id) = wait(app, &place);
    assert_eq!(asked(app), [vec![], vec![id], vec![]]);
    let pull = &pulls(app, "M1")[0];
    assert_eq!(
        [
            &pull["item_barcode"],
            &pull["unit_code"],
            &pull["pickup_unit_code"],
            &pull["answer_by"]
        ],
        [
            &json!(place.copies[1].1),
            &json!("M1"),
            &json!("B1"),
            &json!("2026-03-05")
        ]
    );
    let scanned = check_in(app, "M1", &place.copies[1].1);
    assert_eq!(
        (
            &scanned["next_step"]["kind"],
            &scanned["next_step"]["hold_id"],
            &scanned["local_use"]
        ),
        (&json!("crate"), &json!(id), &json!(false))
    );
    assert_eq!(asked(app), NOBODY);
    let found = app
        .database
        .outside()
        .number("SELECT count(*) AS n FROM pulls WHERE closed_how = 'found'");
    assert_eq!(found, 1);
    assert_eq!(pass(app), (0, 0));
    let elsewhere = app.staff("librarian", "M2");
    app.get(&elsewhere, "/api/v1/units/M1/pulls")
        .expect_problem(403, "forbidden");
    app.get(&elsewhere, "/api/v1/units/x/pulls")
        .expect_problem(404, "not_found");
    check(app);
}

fn a_unit_that_refuses_is_followed_by_the_next(app: &TestApp) {
    let place = place(app);
    let (_, id) = wait(app, &place);
    assert_eq!(refuse(app, "M1", "in_use")["status"], "refused");
    assert_eq!(asked(app), [vec![], vec![], vec![id]]);
    let status = |item: i64| {
        app.get(&app.root_token(), &format!("/api/v1/items/{item}"))
            .expect(200)
            .body["status"]
            .clone()
    };
    assert_eq!(status(place.copies[1].0), "on_shelf");
    refuse(app, "M2", "not_found");
    assert_eq!(status(place.copies[2].0), "missing");
    assert_eq!(asked(app), [vec![id], vec![], vec![]]);
    refuse(app, "B2", "damaged");
    assert_eq!(status(place.copies[0].0), "damaged");
    assert_eq!(asked(app), NOBODY, "nobody is asked twice for one hold");
    assert_eq!(pass(app), (0, 0));
    // Another reader's hold is another question.
    let (_, second) = wait(app, &place);
    assert_eq!(asked(app), [vec![], vec![second], vec![]]);
    let ended = app.database.outside().number("SELECT min(id) AS n FROM pulls");
    let path = format!("/api/v1/pulls/{ended}/refusal");
    let desk = app.staff("librarian", "M1");
    app.post(&desk, &path, &json!({"reason": "other"}))
        .expect_problem(409, "wrong_state");
    app.post(&desk, &path, &json!({"reason": "lazy"}))
        .expect_fields(400, &["reason"]);
    check(app);
}

fn a_unit_that_does_not_answer_in_time_is_followed_by_the_next(app: &TestApp) {
    let place = place(app);
    let (_, id) = wait(app, &place);
    app.clock.set("2026-03-05T12:00:00Z".parse().expect("a moment"));
    assert_eq!(pass(app), (0, 0), "until the evening of the next open day");
    app.clock.set("2026-03-06T01:00:00Z".parse().expect("a moment"));
    assert_eq!(pass(app), (1, 1));
    assert_eq!(asked(app), [vec![], vec![], vec![id]]);
    let late = app
        .database
        .outside()
        .number("SELECT count(*) AS n FROM pulls WHERE closed_how = 'timed_out'");
    assert_eq!(late, 1);
    // Found after all: the scan serves whoever is first.
    assert_eq!(check_in(app, "M1", &place.copies[1].1)["next_step"]["hold_id"], id);
    assert_eq!(pass(app), (0, 1));
    check(app);
}

fn a_reader_at_the_desk_may_take_a_copy_and_another_unit_is_asked(app: &TestApp) {
    let place = place(app);
    let (_, id) = wait(app, &place);
    let (_, walk_in) = app.reader("adult", "M1");
    let desk = app.staff("librarian", "M1");
    let out = json!({"item_barcode": place.copies[1].1, "card_number": walk_in});
    let lent = app.post(&desk, "/api/v1/check-outs", &out).expect(201).body;
    assert_eq!(lent["notices"][0]["code"], "others_waiting");
    assert_eq!(asked(app), NOBODY, "nobody looks for what is gone");
    assert_eq!(pass(app), (1, 1));
    assert_eq!(asked(app), [vec![], vec![], vec![id]]);
    check(app);
}

fn a_copy_fetched_for_one_reader_is_not_given_to_another(app: &TestApp) {
    let place = place(app);
    let ((_, first), (_, second)) = (wait(app, &place), wait(app, &place));
    assert_eq!(asked(app), [vec![], vec![first], vec![second]]);
    assert_eq!(check_in(app, "M2", &place.copies[2].1)["next_step"]["hold_id"], second);
    // What comes back by chance goes to the first who waits, and the unit need not look any more.
    assert_eq!(check_in(app, "B1", &place.copies[0].1)["next_step"]["hold_id"], first);
    assert_eq!(asked(app), NOBODY);
    check(app);
}

fn units_say_what_they_send(app: &TestApp) {
    let place = place(app);
    let root = app.root_token();
    let usual = app.get(&root, "/api/v1/units/B1/sending").expect(200).body;
    assert_eq!(
        usual,
        json!({"unit_code": "B1", "sends": true, "daily_cap": null, "answer_days": 1, "said_by_unit_code": null})
    );
    put(app, &root, "/api/v1/units/M1/sending", &json!({"sends": false})).expect(200);
    let below = app.get(&root, "/api/v1/units/B1/sending").expect(200).body;
    assert_eq!(
        (&below["sends"], &below["said_by_unit_code"]),
        (&json!(false), &json!("M1"))
    );
    put(
        app,
        &root,
        "/api/v1/units/M2/sending",
        &json!({"sends": true, "daily_cap": 1, "answer_days": 2}),
    )
    .expect(200);
    put(app, &root, "/api/v1/units/B2/sending", &json!({"sends": true})).expect(200);
    let (first, second) = (wait(app, &place).1, wait(app, &place).1);
    assert_eq!(
        asked(app),
        [vec![second], vec![], vec![first]],
        "one a day from M2, nothing from M1"
    );
    assert_eq!(pulls(app, "M2")[0]["answer_by"], "2026-03-06");
    app.item(place.bib, "M2", &json!({}));
    let third = wait(app, &place).1;
    assert_eq!(asked(app), [vec![second], vec![], vec![first]]);
    app.clock.set("2026-03-05T04:00:00Z".parse().expect("a moment"));
    assert_eq!(pass(app), (1, 0), "another day");
    let root = app.root_token();
    assert_eq!(asked(app), [vec![second], vec![], vec![first, third]]);
    for (body, field) in [
        (json!({"sends": true, "answer_days": 0}), "answer_days"),
        (json!({"sends": true, "answer_days": 61}), "answer_days"),
        (json!({"sends": true, "daily_cap": 100_001}), "daily_cap"),
    ] {
        put(app, &root, "/api/v1/units/M2/sending", &body).expect_fields(422, &[field]);
    }
    put(app, &root, "/api/v1/units/M1/sending", &json!({})).expect(200);
    assert_eq!(app.get(&root, "/api/v1/units/B1/sending").expect(200).body, usual);
    check(app);
}

fn what_transport_costs_decides_who_is_asked(app: &TestApp) {
    let place = place(app);
    let root = app.root_token();
    let path = "/api/v1/units/M2/transport-costs";
    let said = put(app, &root, path, &json!({"to_unit_code": "M1", "cost": 4}))
        .expect(200)
        .body;
    assert_eq!((&said["cost"], &said["effective_cost"]), (&json!(4), &json!(4)));
    let (_, id) = wait(app, &place);
    // B2 stands below M2 and B1 below M1: four for them too, and less than the ten from M1.
    assert_eq!(asked(app), [vec![id], vec![], vec![]]);
    let listed = app.get(&root, path).expect(200).body;
    assert_eq!(listed["items"], json!([said]));
    put(app, &root, path, &json!({"to_unit_code": "M2", "cost": 4})).expect_fields(422, &["to_unit_code"]);
    put(app, &root, path, &json!({"to_unit_code": "x", "cost": 1_000_001}))
        .expect_fields(422, &["to_unit_code", "cost"]);
    let back = put(app, &root, path, &json!({"to_unit_code": "M1"})).expect(200).body;
    assert_eq!((&back["cost"], &back["effective_cost"]), (&json!(null), &json!(20)));
    let manager = app.staff("unit_manager", "M1");
    put(app, &manager, path, &json!({"to_unit_code": "M1", "cost": 1})).expect_problem(403, "forbidden");
}

fn a_suspended_or_cancelled_hold_is_not_fetched_for(app: &TestApp) {
    let place = place(app);
    let ((_, first), (_, second)) = (wait(app, &place), wait(app, &place));
    let desk = app.staff("librarian", "B1");
    let path = format!("/api/v1/holds/{first}/suspension");
    put(app, &desk, &path, &json!({})).expect(200);
    assert_eq!(asked(app), [vec![], vec![], vec![second]]);
    app.request("DELETE", &path).bearer(&desk).send().expect(200);
    assert_eq!(asked(app), [vec![], vec![first], vec![second]]);
    let path = format!("/api/v1/holds/{first}");
    app.request("DELETE", &path).bearer(&desk).send().expect(200);
    assert_eq!(asked(app), [vec![], vec![], vec![second]]);
    assert_eq!(pass(app), (0, 1));
    let pickup = format!("/api/v1/holds/{second}/pickup");
    put(app, &desk, &pickup, &json!({"pickup_unit_code": "B2"})).expect(200);
    assert_eq!(
        asked(app),
        [vec![second], vec![], vec![]],
        "nearest to where it is picked up now"
    );
    assert_eq!(hold(app, second)["position"], 1);
    check(app);
}

fn a_second_pass_asks_for_nothing_twice(app: &TestApp) {
    let place = place(app);
    let mut outside = app.database.outside();
    let holds: Vec<i64> = (0..4).map(|_| wait(app, &place).1).collect();
    outside.run("DELETE FROM pulls");
    assert_eq!(pass(app), (3, 0), "one copy each, for the first three");
    assert_eq!(pass(app), (0, 0));
    assert_eq!(asked(app), [vec![holds[2]], vec![holds[0]], vec![holds[1]]]);
    check(app);
}

fn a_request_asks_for_a_few_copies_and_the_pass_for_the_rest(app: &TestApp) {
    let place = place(app);
    for _ in 0..8 {
        app.item(place.bib, "M1", &json!({}));
    }
    for _ in 0..9 {
        wait(app, &place);
    }
    let mut outside = app.database.outside();
    outside.run("DELETE FROM pulls");
    let (_, card) = app.reader("adult", "B1");
    let body = json!({"delivery": "desk", "unit_code": "B1", "lines": [{"bib_id": place.bib}]});
    app.post(&app.reader_token(&card), "/api/v1/delivery-requests", &body)
        .expect(201);
    assert_eq!(outside.number("SELECT count(*) AS n FROM pulls"), 8);
    assert_eq!(pass(app), (2, 0));
    check(app);
}

fn on(app: &TestApp, day: &str) {
    app.clock.set(format!("{day}T01:00:00Z").parse().expect("a moment"));
}

fn a_unit_that_was_closed_has_its_open_days_to_answer(app: &TestApp) {
    let place = place(app);
    let (_, id) = wait(app, &place);
    let typhoon = json!({"unit_code": "C1", "first": "2026-03-05", "last": "2026-03-07", "reason": "台风"});
    app.post(&app.root_token(), "/api/v1/closings", &typhoon).expect(200);
    on(app, "2026-03-08");
    assert_eq!(pass(app), (0, 0), "it could not answer before today");
    assert_eq!(asked(app), [vec![], vec![id], vec![]]);
    assert_eq!(pulls(app, "M1")[0]["answer_by"], "2026-03-08");
    on(app, "2026-03-09");
    assert_eq!(pass(app), (1, 1));
    assert_eq!(asked(app), [vec![], vec![], vec![id]]);
    check(app);
}

fn a_unit_that_did_not_serve_a_hold_is_asked_again_after_some_days(app: &TestApp) {
    let place = place(app);
    let (_, id) = wait(app, &place);
    on(app, "2026-03-06");
    assert_eq!(pass(app), (1, 1), "M1 did not answer");
    refuse(app, "M2", "cannot_send");
    refuse(app, "B2", "in_use");
    assert_eq!(asked(app), NOBODY);
    on(app, "2026-03-09");
    assert_eq!(pass(app), (0, 0), "three open days later they are still left in peace");
    on(app, "2026-03-10");
    assert_eq!(pass(app), (1, 0));
    assert_eq!(
        asked(app),
        [vec![], vec![id], vec![]],
        "the reader does not wait in vain"
    );
    check(app);
}

fn bibs_without_a_copy_that_is_lent_are_not_looked_at(app: &TestApp) {
    let place = place(app);
    wait(app, &place);
    let mut outside = app.database.outside();
    outside.run("DELETE FROM pulls");
    let ids = place.copies.iter().map(|copy| copy.0);
    for (item, change) in ids.zip([
        "not_for_loan = TRUE",
        "lending = 'reading_room'",
        "lending = 'restricted'",
    ]) {
        outside.run(&format!("UPDATE items SET {change} WHERE id = {item}"));
    }
    let done = app.block_on(target_holds(&app.app.store)).expect("runs");
    assert_eq!((done.bibs, done.asked), (0, 0));
}
