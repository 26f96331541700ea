//! What becomes of items and loans: missing, damaged, processed, claimed returned, lost, recalled, and found again.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::client::Answer;

on_both!(
    a_missing_copy_lets_its_hold_wait_again_and_is_found_by_a_scan,
    a_copy_missing_on_the_way_ends_its_journey,
    a_damaged_copy_goes_to_the_next_reader_once_it_is_repaired,
    a_copy_is_processed_withdrawn_and_stock_again,
    a_claim_leaves_the_loan_open_until_the_item_is_found,
    a_claimed_copy_lent_on_from_the_shelf_costs_its_claimant_nothing_more,
    a_rejected_claim_leaves_the_loan_as_it_was,
    a_lost_item_ends_its_loan_and_may_turn_up,
    a_recall_brings_the_due_date_forward_and_ends_renewing,
    staff_may_renew_in_spite_of_a_recall,
    what_keeps_a_copy_in_the_house_is_told,
    each_act_is_done_once_under_its_key,
    acts_that_do_not_fit_change_nothing,
);

pub struct World {
    pub desk: String,
    pub reader: i64,
    pub card: String,
    pub bib: i64,
    pub item: i64,
    pub barcode: String,
}

/// A librarian of B1, a reader, and a book on B1's shelf.
pub fn world(app: &TestApp) -> World {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (reader, card) = app.reader("adult", "B1");
    let bib = app.bib("三国演义", None);
    let (item, barcode) = app.item(bib, "B1", &json!({}));
    World {
        desk,
        reader,
        card,
        bib,
        item,
        barcode,
    }
}

impl World {
    /// Whoever is at the desk then has logged in anew.
    fn days_later(&mut self, app: &TestApp, days: i64) {
        app.clock.set(app.clock.now() + TimeDelta::days(days));
        self.desk = app.staff("librarian", "B1");
    }

    pub fn act(&self, app: &TestApp, act: &str, body: &Value) -> Answer {
        app.post(&self.desk, &format!("/api/v1/items/{}/{act}", self.item), body)
    }

    pub fn lend(&self, app: &TestApp, card: &str) -> i64 {
        let body = json!({"item_barcode": self.barcode, "card_number": card});
        let lent = app.post(&self.desk, "/api/v1/check-outs", &body).expect(201);
        lent.body["loan"]["id"].as_i64().expect("an id")
    }

    pub fn check_in(&self, app: &TestApp, said: &Value) -> Answer {
        let mut body = json!({"item_barcode": self.barcode});
        for (name, value) in said.as_object().expect("an object") {
            body[name] = value.clone();
        }
        app.post_consenting(&self.desk, "/api/v1/check-ins", &body)
    }

    /// Overrides a code at a check-in.
    fn find(&self, app: &TestApp, code: &str) -> Answer {
        self.check_in(app, &json!({"overrides": {"codes": [code], "reason": "找到了"}}))
    }

    fn hold(&self, app: &TestApp, card: &str) -> i64 {
        let body = json!({"bib_id": self.bib, "pickup_unit_code": "B1", "card_number": card});
        let placed = app.post(&self.desk, "/api/v1/holds", &body).expect(201);
        placed.body["hold"]["id"].as_i64().expect("an id")
    }

    fn status(&self, app: &TestApp) -> Value {
        let item = app.get(&self.desk, &format!("/api/v1/items/{}", self.item));
        item.expect(200).body["status"].clone()
    }

    fn loan(&self, app: &TestApp) -> Value {
        let path = format!("/api/v1/readers/{}/loans?status=all&reason=asked", self.reader);
        app.get(&app.root_token(), &path).expect(200).body["items"][0].clone()
    }

    fn hold_status(&self, app: &TestApp, reader: i64) -> Value {
        let path = format!("/api/v1/readers/{reader}/holds?status=all&reason=asked");
        app.get(&app.root_token(), &path).expect(200).body["items"][0]["status"].clone()
    }
}

fn refused_for(answer: Answer, code: &str) {
    let answer = answer.expect_problem(409, "refused");
    let told = answer.body["refusals"].as_array().expect("refusals");
    assert!(told.iter().any(|refusal| refusal["code"] == code), "{}", answer.body);
}

/// Lent to somebody else while the reader waits; back, it lies on the hold shelf.
fn set_aside(app: &TestApp, world: &World) -> i64 {
    let (_, other) = app.reader("adult", "B1");
    world.lend(app, &other);
    let hold = world.hold(app, &world.card);
    let back = world.check_in(app, &json!({})).expect(200);
    assert_eq!(back.body["next_step"]["kind"], "hold_shelf");
    hold
}

fn a_missing_copy_lets_its_hold_wait_again_and_is_found_by_a_scan(app: &TestApp) {
    let world = world(app);
    let hold = set_aside(app, &world);
    let gone = world.act(app, "missing", &json!({"note": "预约架上没有"})).expect(200);
    assert_eq!(
        (&gone.body["item"]["status"], &gone.body["released_hold_id"]),
        (&json!("missing"), &json!(hold))
    );
    assert_eq!(world.hold_status(app, world.reader), "waiting");
    app.assert_sound();
    // Another copy serves the reader, at the number that is free again.
    let (_, other) = app.item(world.bib, "B1", &json!({}));
    let served = app.post(&world.desk, "/api/v1/check-ins", &json!({"item_barcode": other}));
    let step = &served.expect(200).body["next_step"];
    assert_eq!(
        (&step["kind"], &step["shelf_number"]),
        (&json!("hold_shelf"), &json!(1))
    );
    refused_for(world.check_in(app, &json!({})), "missing_found");
    let found = world.find(app, "missing_found").expect(200);
    assert_eq!(found.body["next_step"]["kind"], "shelf_here");
    app.assert_sound();
}

fn a_copy_missing_on_the_way_ends_its_journey(app: &TestApp) {
    let world = world(app);
    // Found at M1, on its way home to B1.
    let away = app.staff("librarian", "M1");
    let body = json!({"item_barcode": world.barcode});
    let sent = app.post(&away, "/api/v1/check-ins", &body).expect(200);
    assert_eq!(sent.body["next_step"]["kind"], "crate", "{}", sent.body);
    let stranger = app.staff("librarian", "M2");
    let path = format!("/api/v1/items/{}/missing", world.item);
    app.post(&stranger, &path, &json!({})).expect_problem(403, "forbidden");
    // Where it is to arrive they miss it first.
    let gone = world.act(app, "missing", &json!({})).expect(200);
    assert_eq!(gone.body["cancelled_transit_id"], sent.body["transit_id"]);
    app.assert_sound();
    world.find(app, "missing_found").expect(200);
    assert_eq!(world.status(app), "on_shelf");
}

fn a_damaged_copy_goes_to_the_next_reader_once_it_is_repaired(app: &TestApp) {
    let world = world(app);
    let hold = set_aside(app, &world);
    let broken = world.act(app, "damage", &json!({"note": "书脊脱落"})).expect(200);
    assert_eq!(broken.body["released_hold_id"], hold);
    refused_for(
        app.post(
            &world.desk,
            "/api/v1/check-outs",
            &json!({"item_barcode": world.barcode, "card_number": world.card}),
        ),
        "item_damaged",
    );
    let back = world.act(app, "repair", &json!({})).expect(200);
    let step = &back.body["next_step"];
    assert_eq!((&step["kind"], &step["hold_id"]), (&json!("hold_shelf"), &json!(hold)));
    assert_eq!(world.hold_status(app, world.reader), "captured");
    app.assert_sound();
    world.lend(app, &world.card);
}

fn a_copy_is_processed_withdrawn_and_stock_again(app: &TestApp) {
    let world = world(app);
    world.act(app, "processing", &json!({})).expect(200);
    assert_eq!(world.status(app), "in_processing");
    let done = world.act(app, "processing/end", &json!({})).expect(200);
    assert_eq!(done.body["next_step"]["kind"], "shelf_here");
    let root = app.root_token();
    let at = |act: &str| format!("/api/v1/items/{}/{act}", world.item);
    app.post(&root, &at("withdrawal"), &json!({"reason": "重复"}))
        .expect(200);
    world
        .act(app, "reinstatement", &json!({}))
        .expect_problem(403, "forbidden");
    let again = app
        .post(&root, &at("reinstatement"), &json!({"note": "误注销"}))
        .expect(200);
    assert_eq!(again.body["item"]["status"], "in_processing");
    world.act(app, "processing/end", &json!({})).expect(200);
    world.lend(app, &world.card);
    app.assert_sound();
}

fn a_claim_leaves_the_loan_open_until_the_item_is_found(app: &TestApp) {
    let mut world = world(app);
    let loan = world.lend(app, &world.card);
    world.days_later(app, 10);
    let claims = format!("/api/v1/loans/{loan}/claims");
    let said = json!({"returned_at": "2026-03-10T01:00:00Z", "note": "投入还书箱"});
    let (_, other) = app.reader("adult", "B1");
    app.post(&app.reader_token(&other), &claims, &said)
        .expect_problem(404, "not_found");
    let own = app.reader_token(&world.card);
    for wrong in ["2026-03-01T00:00:00Z", "2026-03-20T00:00:00Z"] {
        app.post(&own, &claims, &json!({"returned_at": wrong}))
            .expect_fields(422, &["returned_at"]);
    }
    let claimed = app.post(&own, &claims, &said).expect(200);
    assert_eq!(
        (
            &claimed.body["loan"]["status"],
            &claimed.body["loan"]["claimed_returned_at"]
        ),
        (&json!("open"), &json!("2026-03-10T01:00:00Z"))
    );
    assert_eq!(world.status(app), "claimed_returned");
    app.assert_sound();
    let renewals = format!("/api/v1/loans/{loan}/renewals");
    refused_for(app.post(&own, &renewals, &json!({})), "item_claimed_returned");
    app.post(&own, &claims, &said).expect_problem(409, "wrong_state");
    // It stands on the shelf: staff look, and confirm.
    refused_for(world.check_in(app, &json!({})), "claim_unresolved");
    let found = world
        .check_in(app, &json!({"confirm": ["claim_unresolved"]}))
        .expect(200);
    let closed = &found.body["closed_loan"];
    assert_eq!(
        (&closed["id"], &closed["returned_at"]),
        (&json!(loan), &json!("2026-03-10T01:00:00Z"))
    );
    app.post(&own, &claims, &said).expect_problem(409, "wrong_state");
    app.assert_sound();
}

fn a_claimed_copy_lent_on_from_the_shelf_costs_its_claimant_nothing_more(app: &TestApp) {
    let mut world = world(app);
    let loan = world.lend(app, &world.card);
    world.days_later(app, 10);
    let said = json!({"returned_at": "2026-03-10T01:00:00Z"});
    app.post(&world.desk, &format!("/api/v1/loans/{loan}/claims"), &said)
        .expect(200);
    world.days_later(app, 60);
    let (_, other) = app.reader("adult", "B1");
    let mut body = json!({"item_barcode": world.barcode, "card_number": other});
    let told = app.post(&world.desk, "/api/v1/check-outs", &body);
    let told = told.expect_problem(409, "refused");
    let with = |outcome: &str| -> Vec<Value> {
        let all = told.body["refusals"].as_array().expect("refusals").iter();
        all.filter(|one| one["outcome"] == outcome)
            .map(|one| one["code"].clone())
            .collect()
    };
    body["confirm"] = json!(with("confirm"));
    body["overrides"] = json!({"codes": with("override"), "reason": "在架"});
    app.post_consenting(&world.desk, "/api/v1/check-outs", &body)
        .expect(201);
    assert_eq!(world.loan(app)["closed_at"], "2026-03-10T01:00:00Z");
    let charged =
        "SELECT count(*) AS n FROM events WHERE kind = 'loan_returned' AND detail LIKE '%\"overdue_days\":0%'";
    assert_eq!(app.database.outside().number(charged), 1);
    app.assert_sound();
}

fn a_rejected_claim_leaves_the_loan_as_it_was(app: &TestApp) {
    let mut world = world(app);
    let loan = world.lend(app, &world.card);
    let claims = format!("/api/v1/loans/{loan}/claims");
    let desk = world.desk.clone();
    let reject = |body: &Value| app.post(&desk, &format!("{claims}/rejection"), body);
    reject(&json!({"reason": "x"})).expect_problem(409, "wrong_state");
    app.post(&world.desk, &claims, &json!({})).expect(200);
    reject(&json!({})).expect_fields(400, &["reason"]);
    let rejected = reject(&json!({"reason": "书架已查三次"})).expect(200);
    assert_eq!(rejected.body["loan"]["claimed_returned_at"], Value::Null);
    assert_eq!(world.status(app), "on_loan");
    app.assert_sound();
    app.post(&world.desk, &format!("/api/v1/loans/{loan}/renewals"), &json!({}))
        .expect(200);
    // The reader brings it only now: the true time is given.
    app.post(&world.desk, &claims, &json!({})).expect(200);
    world.days_later(app, 1);
    let now = app.clock.now();
    let said = json!({"confirm": ["claim_unresolved"], "returned_at": now});
    let back = world.check_in(app, &said).expect(200);
    assert_eq!(back.body["closed_loan"]["returned_at"], json!(now));
}

fn a_lost_item_ends_its_loan_and_may_turn_up(app: &TestApp) {
    let world = world(app);
    let loan = world.lend(app, &world.card);
    app.post(&world.desk, &format!("/api/v1/loans/{loan}/claims"), &json!({}))
        .expect(200);
    world.act(app, "loss", &json!({})).expect_fields(400, &["reason"]);
    let lost = world.act(app, "loss", &json!({"reason": "读者承认遗失"})).expect(200);
    assert_eq!(lost.body["lost_loan_id"], loan);
    assert_eq!(
        (&world.loan(app)["status"], world.status(app)),
        (&json!("lost"), json!("lost"))
    );
    app.assert_sound();
    world
        .act(app, "loss", &json!({"reason": "又一次"}))
        .expect_problem(409, "wrong_state");
    refused_for(world.check_in(app, &json!({})), "lost_found");
    let found = world.find(app, "lost_found").expect(200);
    assert_eq!(
        (&found.body["closed_loan"], world.status(app)),
        (&Value::Null, json!("on_shelf"))
    );
    // One that is missing is given up without a loan.
    world.act(app, "missing", &json!({})).expect(200);
    let lost = world.act(app, "loss", &json!({"reason": "清点三年未见"})).expect(200);
    assert_eq!(
        (&lost.body["lost_loan_id"], world.status(app)),
        (&Value::Null, json!("lost"))
    );
    app.assert_sound();
}

fn a_recall_brings_the_due_date_forward_and_ends_renewing(app: &TestApp) {
    let mut world = world(app);
    let why = json!({"reason": "教学急需"});
    world.act(app, "recall", &why).expect_problem(409, "wrong_state");
    let loan = world.lend(app, &world.card);
    let recalled = world.act(app, "recall", &why).expect(200);
    // Two weeks from the loan are guaranteed, to the end of the day.
    assert_eq!(recalled.body["loan"]["due_at"], "2026-03-18T15:59:59Z");
    assert_eq!(recalled.body["loan"]["recalled_at"], "2026-03-04T04:00:00Z");
    world.act(app, "recall", &why).expect_problem(409, "wrong_state");
    app.assert_sound();
    let own = app.reader_token(&world.card);
    refused_for(
        app.post(&own, &format!("/api/v1/loans/{loan}/renewals"), &json!({})),
        "recalled",
    );
    let (_, other) = app.reader("adult", "B1");
    let out = json!({"item_barcode": world.barcode, "card_number": other});
    refused_for(app.post(&world.desk, "/api/v1/check-outs", &out), "recalled");
    let back = world.check_in(app, &json!({})).expect(200);
    let told = back.body["notices"].as_array().expect("notices").iter();
    assert!(
        told.clone().any(|notice| notice["code"] == "recall_matched"),
        "{}",
        back.body
    );
    // Late in the loan the notice counts, and a date that is near already stays.
    world.lend(app, &world.card);
    world.days_later(app, 10);
    let recalled = world.act(app, "recall", &why).expect(200);
    assert_eq!(recalled.body["loan"]["due_at"], "2026-03-21T15:59:59Z");
    world.check_in(app, &json!({})).expect(200);
    world.lend(app, &world.card);
    world.days_later(app, 28);
    let due = world.loan(app)["due_at"].clone();
    assert_eq!(world.act(app, "recall", &why).expect(200).body["loan"]["due_at"], due);
    app.assert_sound();
}

fn staff_may_renew_in_spite_of_a_recall(app: &TestApp) {
    let world = world(app);
    let loan = world.lend(app, &world.card);
    world.act(app, "recall", &json!({"reason": "教学急需"})).expect(200);
    let renewals = format!("/api/v1/loans/{loan}/renewals");
    let body = json!({"overrides": {"codes": ["recalled"], "reason": "另有复本"}});
    let renewed = app.post_consenting(&world.desk, &renewals, &body).expect(200);
    assert_eq!(renewed.body["loan"]["recalled_at"], Value::Null);
    assert_eq!(renewed.body["overridden"], json!(["recalled"]));
    app.assert_sound();
}

fn what_keeps_a_copy_in_the_house_is_told(app: &TestApp) {
    let world = world(app);
    let root = app.root_token();
    let path = format!("/api/v1/items/{}", world.item);
    let change = |body: &Value| app.request("PATCH", &path).bearer(&root).json(body).send();
    let out = json!({"item_barcode": world.barcode, "card_number": world.card});
    let lend = || app.post(&world.desk, "/api/v1/check-outs", &out);
    assert_eq!(
        change(&json!({"lending": "restricted"})).expect(200).body["lending"],
        "restricted"
    );
    refused_for(lend(), "item_restricted");
    let hold = json!({"bib_id": world.bib, "pickup_unit_code": "B1", "card_number": world.card});
    refused_for(app.post(&world.desk, "/api/v1/holds", &hold), "item_not_for_loan");
    change(&json!({"lending": "reading_room"})).expect(200);
    refused_for(lend(), "reading_room_only");
    let mut agreed = out.clone();
    agreed["overrides"] = json!({"codes": ["reading_room_only"], "reason": "复印"});
    let lent = app
        .post_consenting(&world.desk, "/api/v1/check-outs", &agreed)
        .expect(201);
    let renewals = format!("/api/v1/loans/{}/renewals", lent.body["loan"]["id"]);
    refused_for(app.post(&world.desk, &renewals, &json!({})), "reading_room_only");
    world.check_in(app, &json!({})).expect(200);
    change(&json!({"lending": "hidden"})).expect_fields(400, &["lending"]);
    let (host, _) = app.item(world.bib, "B1", &json!({}));
    let (foreign, _) = app.item(world.bib, "B2", &json!({}));
    for wrong in [world.item, foreign, 7] {
        change(&json!({"bound_into_item_id": wrong})).expect_fields(422, &["bound_into_item_id"]);
    }
    // On loan it cannot be bound: its reader could not bring it back.
    change(&json!({"lending": "normal"})).expect(200);
    lend().expect(201);
    change(&json!({"bound_into_item_id": host})).expect_fields(422, &["bound_into_item_id"]);
    world.check_in(app, &json!({})).expect(200);
    change(&json!({"bound_into_item_id": host})).expect(200);
    app.post(
        &root,
        &format!("/api/v1/items/{host}/withdrawal"),
        &json!({"reason": "x"}),
    )
    .expect_problem(409, "wrong_state");
    refused_for(lend(), "part_of_bound_set");
    refused_for(world.check_in(app, &json!({})), "part_of_bound_set");
    let back = json!({"bound_into_item_id": world.item});
    let host = format!("/api/v1/items/{host}");
    app.request("PATCH", &host)
        .bearer(&root)
        .json(&back)
        .send()
        .expect_fields(422, &["bound_into_item_id"]);
    app.assert_sound();
    change(&json!({"bound_into_item_id": null})).expect(200);
    lend().expect(201);
}

fn each_act_is_done_once_under_its_key(app: &TestApp) {
    let world = world(app);
    let mut serial = 0;
    let mut twice = |token: &str, path: &str, body: Value| {
        serial += 1;
        let send = || {
            app.request("POST", path)
                .bearer(token)
                .key(&format!("k{serial}"))
                .json(&body)
                .send()
        };
        let first = send().expect(200);
        let again = send().expect(200);
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{path}");
        assert_eq!(again.body, first.body, "{path}");
    };
    let (desk, item) = (world.desk.clone(), format!("/api/v1/items/{}", world.item));
    for act in ["processing", "processing/end", "damage", "repair", "missing"] {
        twice(&desk, &format!("{item}/{act}"), json!({}));
    }
    twice(&desk, &format!("{item}/loss"), json!({"reason": "x"}));
    twice(&app.root_token(), &format!("{item}/withdrawal"), json!({"reason": "x"}));
    twice(&app.root_token(), &format!("{item}/reinstatement"), json!({}));
    twice(&desk, &format!("{item}/processing/end"), json!({}));
    let claims = format!("/api/v1/loans/{}/claims", world.lend(app, &world.card));
    twice(&desk, &format!("{item}/recall"), json!({"reason": "x"}));
    twice(&app.reader_token(&world.card), &claims, json!({}));
    twice(&desk, &format!("{claims}/rejection"), json!({"reason": "x"}));
    app.assert_sound();
}

fn acts_that_do_not_fit_change_nothing(app: &TestApp) {
    let world = world(app);
    for act in ["repair", "processing/end"] {
        world.act(app, act, &json!({})).expect_problem(409, "wrong_state");
    }
    world
        .act(app, "loss", &json!({"reason": "x"}))
        .expect_problem(409, "wrong_state");
    world
        .act(app, "missing", &json!({"note": "  "}))
        .expect_fields(400, &["note"]);
    world
        .act(app, "missing", &json!({"colour": 1}))
        .expect_fields(400, &["colour"]);
    app.post(&world.desk, "/api/v1/items/1/missing", &json!({}))
        .expect_problem(404, "not_found");
    app.post(&world.desk, "/api/v1/loans/1/claims", &json!({}))
        .expect_problem(404, "not_found");
    assert_eq!(world.status(app), "on_shelf");
    world.lend(app, &world.card);
    for act in ["missing", "damage", "processing"] {
        let refused = world.act(app, act, &json!({})).expect_problem(409, "wrong_state");
        let detail = refused.body["detail"].as_str().expect("a detail");
        assert!(detail.contains("on_loan") && detail.contains("on_shelf"), "{detail}");
    }
    assert_eq!(world.status(app), "on_loan");
    app.assert_sound();
}
