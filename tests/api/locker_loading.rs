//! Loading and unloading: each line of the table of what fails, to the state a person can finish.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::holds::{hold, put};
use crate::locker_scene::{Locker, book, browsing, closed, copy, item_status, locker, ready, silence, tags, waiting};
use crate::notices::{announced, with_mail};

on_both!(
    a_hold_is_ready_only_when_its_book_is_in_the_compartment,
    the_notice_of_readiness_names_the_machine,
    a_copy_that_is_fetched_here_is_checked_in_in_no_other_way,
    a_door_that_does_not_open_leaves_the_book_to_another,
    another_book_in_the_compartment_is_held_and_the_hold_is_not_ready,
    none_or_two_books_are_told_apart,
    power_lost_while_loading_is_found_out_by_the_inventory,
    a_report_of_another_turn_changes_nothing,
    what_does_not_belong_here_is_not_loaded,
    a_hold_for_a_locker_without_a_compartment_that_fits_is_refused,
    a_round_proposes_doors_and_keeps_what_is_left,
    an_expired_hold_is_taken_out_by_the_next_round,
    staff_open_a_compartment_with_a_reason,
    compartments_are_set_as_a_whole,
    a_door_forced_open_is_told_of,
    a_book_that_is_gone_without_a_loan_is_told_of,
    a_book_checked_in_elsewhere_lies_in_no_compartment,
);

fn a_hold_is_ready_only_when_its_book_is_in_the_compartment(app: &TestApp) {
    let locker = locker(app);
    let waiting = waiting(app);
    let ordered = locker.load(app, 2, &waiting.book).expect(200).body;
    assert_eq!(
        (ordered["state"].as_str(), ordered["turn"].as_i64()),
        (Some("receiving"), Some(1))
    );
    assert_eq!(
        hold(app, waiting.hold)["shelf_number"],
        json!(null),
        "it is not there yet"
    );
    app.assert_sound();
    locker.says(app, 2, &tags(&[&waiting.book])).expect(200);
    assert!(hold(app, waiting.hold)["shelf_number"].is_i64());
    assert_eq!(item_status(app, &waiting.book), "on_hold_shelf");
    assert_eq!(locker.door(app, 2)["item_barcode"], waiting.book.barcode.as_str());
    app.assert_sound();
}

fn the_notice_of_readiness_names_the_machine(app: &TestApp) {
    let locker = locker(app);
    let waiting = waiting(app);
    with_mail(app, waiting.reader);
    locker.loaded(app, 2, &waiting.book);
    let mails = announced(app, 1);
    let text = &mails[0].letter.text;
    assert!(
        text.contains("活着》，书柜，保留至") && !text.contains("预约架"),
        "{text}"
    );
}

fn a_copy_that_is_fetched_here_is_checked_in_in_no_other_way(app: &TestApp) {
    let locker = locker(app);
    let waiting = waiting(app);
    let scan = json!({"item_barcode": waiting.book.barcode});
    app.post(&locker.desk, "/api/v1/check-ins", &scan)
        .expect_problem(409, "load_it");
    assert_eq!(item_status(app, &waiting.book), "awaiting_dispatch");
    locker.loaded(app, 2, &waiting.book);
    app.assert_sound();
}

fn a_door_that_does_not_open_leaves_the_book_to_another(app: &TestApp) {
    let locker = locker(app);
    let waiting = waiting(app);
    locker.load(app, 2, &waiting.book).expect(200);
    locker.says(app, 2, &json!({"door": "jammed"})).expect(200);
    locker.expect_door(app, 2, "out_of_order");
    app.assert_sound();
    locker
        .load(app, 2, &waiting.book)
        .expect_problem(409, "compartment_state");
    locker.loaded(app, 3, &waiting.book);
    locker.settle(app, 2, None).expect(200);
    locker.expect_door(app, 2, "empty");
    app.assert_sound();
}

fn another_book_in_the_compartment_is_held_and_the_hold_is_not_ready(app: &TestApp) {
    let locker = locker(app);
    let waiting = waiting(app);
    let other = book(app, &json!({}));
    locker.load(app, 2, &waiting.book).expect(200);
    let said = locker.says(app, 2, &tags(&[&other])).expect(200).body;
    assert_eq!(said["state"], "held");
    assert_eq!(hold(app, waiting.hold)["shelf_number"], json!(null));
    app.assert_sound();
    // The courier opens it again and takes it out.
    let open = json!({"reason": "放错"});
    app.post(&locker.desk, &locker.path("/compartments/2/opening"), &open)
        .expect(200);
    locker.says(app, 2, &closed("empty")).expect(200);
    locker.loaded(app, 2, &waiting.book);
    assert!(hold(app, waiting.hold)["shelf_number"].is_i64());
    app.assert_sound();
}

fn none_or_two_books_are_told_apart(app: &TestApp) {
    let locker = locker(app);
    let waiting = waiting(app);
    let other = book(app, &json!({}));
    locker.load(app, 2, &waiting.book).expect(200);
    locker.says(app, 2, &closed("empty")).expect(200);
    locker.expect_door(app, 2, "empty");
    locker.load(app, 2, &waiting.book).expect(200);
    locker.says(app, 2, &tags(&[&waiting.book, &other])).expect(200);
    locker.expect_door(app, 2, "held");
    assert_eq!(hold(app, waiting.hold)["shelf_number"], json!(null));
    app.assert_sound();
    locker.settle(app, 2, Some(&waiting.book)).expect(200);
    assert_eq!(item_status(app, &waiting.book), "on_hold_shelf");
    app.assert_sound();
}

fn power_lost_while_loading_is_found_out_by_the_inventory(app: &TestApp) {
    let locker = locker(app);
    let waiting = waiting(app);
    locker.load(app, 2, &waiting.book).expect(200);
    silence(app);
    locker.expect_door(app, 2, "unsure");
    assert_eq!(item_status(app, &waiting.book), "awaiting_dispatch");
    assert_eq!(locker.alarms(app), ["compartment_unsure"]);
    app.assert_sound();
    locker.says(app, 2, &tags(&[&waiting.book])).expect(200);
    locker.expect_door(app, 2, "occupied");
    assert_eq!(item_status(app, &waiting.book), "on_hold_shelf");
    app.assert_sound();
}

fn a_report_of_another_turn_changes_nothing(app: &TestApp) {
    let locker = locker(app);
    let waiting = waiting(app);
    locker.loaded(app, 2, &waiting.book);
    for turn in [0, 2] {
        locker
            .says_of(app, 2, turn, &closed("empty"))
            .expect_problem(409, "compartment_turn");
    }
    locker
        .says(app, 2, &json!({"door": "ajar"}))
        .expect_fields(422, &["door"]);
    locker.says(app, 2, &closed("ghost")).expect_fields(422, &["inside"]);
    let both = json!({"door": "closed", "inside": "empty", "tags": ["E1"]});
    locker.says(app, 2, &both).expect_fields(422, &["tags"]);
    locker.expect_door(app, 2, "occupied");
    app.assert_sound();
}

fn what_does_not_belong_here_is_not_loaded(app: &TestApp) {
    let locker = locker(app);
    let waiting = waiting(app);
    let elsewhere = book(app, &json!({}));
    locker.load(app, 2, &elsewhere).expect_problem(409, "wrong_state");
    // Of no recorded size: as medium.
    locker
        .load(app, 1, &waiting.book)
        .expect_problem(409, "no_compartment_fits");
    locker.loaded(app, 2, &waiting.book);
    locker.load(app, 3, &waiting.book).expect_problem(409, "wrong_state");
    app.assert_sound();
}

fn a_hold_for_a_locker_without_a_compartment_that_fits_is_refused(app: &TestApp) {
    let locker = locker(app);
    let small = json!({"compartments": [{"number": 1, "size": "small", "purpose": "any"}]});
    put(app, &locker.manager, &locker.path("/compartments"), &small).expect(200);
    let book = book(app, &json!({}));
    let (_, card) = app.reader("adult", "B1");
    let body = json!({"card_number": card, "bib_id": book.bib, "pickup_unit_code": "P1"});
    let told = app.post(&app.staff("librarian", "B1"), "/api/v1/holds", &body);
    let told = told.expect_problem(409, "refused").body;
    let codes = told["refusals"].as_array().expect("refusals").clone();
    assert!(
        codes.iter().any(|refusal| refusal["code"] == "compartment_unfit"),
        "{codes:?}"
    );
    app.assert_sound();
}

fn lines(round: &Value, way: &str) -> Vec<(String, Value, String)> {
    let lines = round["lines"].as_array().expect("lines");
    let of_way = lines.iter().filter(|line| line["way"] == way);
    let shown = |line: &Value, member: &str| line[member].as_str().expect("a text").to_owned();
    of_way
        .map(|line| {
            (
                shown(line, "item_barcode"),
                line["compartment"].clone(),
                shown(line, "state"),
            )
        })
        .collect()
}

fn start_round(app: &TestApp, locker: &Locker, labels: &Value) -> crate::client::Answer {
    let body = json!({"crate_labels": labels});
    app.post(&locker.desk, &locker.path("/loading-rounds"), &body)
}

fn a_round_proposes_doors_and_keeps_what_is_left(app: &TestApp) {
    let locker = locker(app);
    let (first, second) = (waiting(app), waiting(app));
    let packing = app.staff("librarian", "B1");
    let made = app
        .post(&packing, "/api/v1/shipments", &json!({"to_unit_code": "P1"}))
        .expect(201)
        .body;
    let (id, label) = (made["id"].as_i64().expect("an id"), made["label"].clone());
    for one in [&first, &second] {
        let pack = json!({"item_barcode": one.book.barcode});
        app.post(&packing, &format!("/api/v1/shipments/{id}/pack"), &pack)
            .expect(200);
    }
    start_round(app, &locker, &json!(["no such"])).expect_fields(422, &["crate_labels[0]"]);
    let round = start_round(app, &locker, &json!([label])).expect(201).body;
    let proposed: Vec<Value> = lines(&round, "load").into_iter().map(|line| line.1).collect();
    assert_eq!(proposed, [json!(2), json!(3)]);
    start_round(app, &locker, &json!([])).expect_problem(409, "wrong_state");
    let load = json!({"item_barcode": first.book.barcode, "round_id": round["id"]});
    app.post(&locker.desk, &locker.path("/compartments/2/load"), &load)
        .expect(200);
    locker.says(app, 2, &tags(&[&first.book])).expect(200);
    let path = locker.path(&format!("/loading-rounds/{}", round["id"]));
    let shown = app.get(&locker.desk, &path).expect(200).body;
    let states: Vec<String> = lines(&shown, "load").into_iter().map(|line| line.2).collect();
    assert_eq!(states, ["done", "open"]);
    let ended = app
        .post(&locker.desk, &format!("{path}/end"), &json!({}))
        .expect(200)
        .body;
    let states: Vec<String> = lines(&ended, "load").into_iter().map(|line| line.2).collect();
    assert_eq!(states, ["done", "left"]);
    let next = start_round(app, &locker, &json!([label])).expect(201).body;
    assert_eq!(lines(&next, "load").len(), 1, "what was left is there again");
    app.assert_sound();
}

fn an_expired_hold_is_taken_out_by_the_next_round(app: &TestApp) {
    let locker = locker(app);
    let (waiting, _) = ready(app, &locker);
    app.clock.set("2026-04-20T04:00:00Z".parse().expect("a moment"));
    let expire = tongjie::usecase::expire_holds::expire_holds(&app.app.store);
    assert_eq!(app.block_on(expire).expect("runs"), 1);
    assert_eq!(hold(app, waiting.hold)["status"], "expired");
    app.assert_sound();
    // Everybody logs in again after so long.
    let locker = Locker {
        desk: app.staff("librarian", "P1"),
        ..locker
    };
    let round = start_round(app, &locker, &json!([])).expect(201).body;
    assert_eq!(
        lines(&round, "unload"),
        [(waiting.book.barcode.clone(), json!(2), "open".to_owned())]
    );
    let body = json!({"round_id": round["id"]});
    app.post(&locker.desk, &locker.path("/compartments/2/unload"), &body)
        .expect(200);
    silence(app);
    locker.settle(app, 2, None).expect(200);
    let scan = json!({"item_barcode": waiting.book.barcode});
    app.post(&app.staff("librarian", "B1"), "/api/v1/check-ins", &scan)
        .expect(200);
    assert_eq!(item_status(app, &waiting.book), "on_shelf");
    app.assert_sound();
}

fn staff_open_a_compartment_with_a_reason(app: &TestApp) {
    let locker = locker(app);
    let (waiting, _) = ready(app, &locker);
    let path = locker.path("/compartments/2/opening");
    app.post(&locker.desk, &path, &json!({"reason": " "}))
        .expect_fields(400, &["reason"]);
    let ordered = app
        .post(&locker.desk, &path, &json!({"reason": "读者来电"}))
        .expect(200)
        .body;
    assert_eq!(ordered["state"], "unloading");
    app.post(&locker.desk, &path, &json!({"reason": "再开"}))
        .expect_problem(409, "compartment_state");
    // It was only looked at.
    locker.says(app, 2, &tags(&[&waiting.book])).expect(200);
    locker.expect_door(app, 2, "occupied");
    app.assert_sound();
}

fn compartments_are_set_as_a_whole(app: &TestApp) {
    let locker = locker(app);
    let (_, _) = ready(app, &locker);
    let path = locker.path("/compartments");
    let wrong = json!({"compartments": [{"number": 0, "size": "small", "purpose": "pickup"},
        {"number": 2, "size": "huge", "purpose": "pickup"}, {"number": 2, "size": "small", "purpose": "toys"}]});
    put(app, &locker.manager, &path, &wrong).expect_fields(
        422,
        &[
            "compartments[0].number",
            "compartments[1].size",
            "compartments[2].number",
            "compartments[2].purpose",
        ],
    );
    let without = json!({"compartments": [{"number": 1, "size": "small", "purpose": "any"}]});
    put(app, &locker.manager, &path, &without).expect_problem(409, "wrong_state");
    let kept = json!({"compartments": [{"number": 2, "size": "large", "purpose": "any"}]});
    let set = put(app, &locker.manager, &path, &kept).expect(200).body;
    let set = set["compartments"].as_array().expect("compartments").clone();
    assert_eq!(
        (set.len(), &set[0]["state"], &set[0]["size"]),
        (1, &json!("occupied"), &json!("large"))
    );
    app.assert_sound();
}

fn a_door_forced_open_is_told_of(app: &TestApp) {
    let locker = locker(app);
    let (waiting, _) = ready(app, &locker);
    locker.says(app, 2, &json!({"door": "forced"})).expect(200);
    locker.expect_door(app, 2, "unsure");
    assert_eq!(locker.alarms(app), ["door_forced"]);
    locker.says(app, 2, &tags(&[&waiting.book])).expect(200);
    locker.expect_door(app, 2, "occupied");
    assert_eq!(locker.alarms(app), Vec::<String>::new());
    app.assert_sound();
}

fn a_book_that_is_gone_without_a_loan_is_told_of(app: &TestApp) {
    let locker = locker(app);
    let (_, _) = ready(app, &locker);
    locker.says(app, 2, &closed("empty")).expect(200);
    locker.expect_door(app, 2, "unsure");
    locker.says(app, 2, &closed("empty")).expect(200);
    locker.expect_door(app, 2, "empty");
    assert_eq!(
        locker.alarms(app),
        ["compartment_unsure"],
        "until a person has seen to it"
    );
    app.assert_sound();
}

fn a_book_checked_in_elsewhere_lies_in_no_compartment(app: &TestApp) {
    let locker = browsing(app);
    let bib = app.bib("围城", None);
    let book = copy(app, bib, &json!({"home_unit_code": "P1"}));
    let desk = app.staff("librarian", "B1");
    let scan = json!({"item_barcode": book.barcode});
    app.post(&desk, "/api/v1/check-ins", &scan).expect(200);
    locker.loaded(app, 2, &book);
    app.post(&desk, "/api/v1/check-ins", &scan).expect(200);
    locker.expect_door(app, 2, "unsure");
    assert_eq!(locker.door(app, 2)["item_barcode"], json!(null));
    app.assert_sound();
}
