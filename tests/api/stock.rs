//! Deposits of stock: a batch goes out, is lent, and comes back on its day; at once, again, and beside other work.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tongjie::domain::schedule::DEPOSIT_RETURN;
use tongjie::usecase::recall_deposit::PullBackDeposits;
use tongjie::usecase::run_job::{Ran, run_job};

use crate::app::TestApp;
use crate::client::{Answer, Request};

on_both!(
    a_batch_stands_at_the_branch_until_its_day,
    what_is_called_back_goes_home_even_where_it_would_float,
    a_bad_row_harms_no_other_and_the_same_key_makes_one_deposit,
    a_thousand_copies_are_chosen_by_a_filter,
    a_copy_is_in_one_deposit_however_many_ask_at_once,
    a_copy_shows_the_deposit_it_is_in,
    a_hold_captures_a_deposited_copy,
    a_deposited_copy_is_not_moved_but_may_be_withdrawn,
    the_day_is_put_off_by_who_saw_the_present_one,
    a_deposit_that_cannot_be_is_refused,
    what_was_cut_short_is_carried_on_by_the_job,
    what_was_packed_when_it_was_called_back_stays_home_once_it_is_unpacked,
    a_prefix_of_call_numbers_is_read_letter_by_letter,
    what_another_library_owns_is_not_sent_away_by_who_keeps_it,
);

/// M1's manager, and a desk each at M1 and B1.
struct Scene<'a> {
    app: &'a TestApp,
    manager: String,
    main: String,
    branch: String,
}

impl<'a> Scene<'a> {
    fn new(app: &'a TestApp) -> Self {
        app.small_network();
        Self {
            app,
            manager: app.staff("unit_manager", "M1"),
            main: app.staff("librarian", "M1"),
            branch: app.staff("librarian", "B1"),
        }
    }

    /// A copy at home at M1.
    fn copy(&self) -> (i64, String) {
        self.app.item(self.app.bib("三国演义", None), "M1", &json!({}))
    }

    fn request(&self, barcodes: &[&str]) -> Request {
        let body = json!({"from_unit_code": "M1", "to_unit_code": "B1", "until": "2026-06-01", "reason": "轮换",
            "item_barcodes": barcodes});
        let request = self.app.request("POST", "/api/v1/deposits").bearer(&self.manager);
        request.json(&body)
    }

    fn deposit(&self, barcodes: &[&str]) -> i64 {
        let made = self.request(barcodes).send().expect(201);
        assert_eq!(made.body["refused"], 0, "{}", made.body);
        made.id()
    }

    /// The one thing a check-in says to do, and where to.
    fn scan(&self, desk: &str, barcode: &str) -> (String, Value) {
        let body = json!({"item_barcode": barcode});
        let step = self.app.post(desk, "/api/v1/check-ins", &body).expect(200).body["next_step"].clone();
        (
            step["kind"].as_str().expect("a kind").to_owned(),
            step["to_unit_code"].clone(),
        )
    }

    fn lend(&self, desk: &str, barcode: &str) {
        let (_, card) = self.app.reader("adult", "M1");
        let body = json!({"item_barcode": barcode, "card_number": card});
        self.app.post(desk, "/api/v1/check-outs", &body).expect(201);
    }

    fn copies(&self, id: i64) -> Value {
        self.get(id)["copies"].clone()
    }

    fn get(&self, id: i64) -> Value {
        self.app
            .get(&self.manager, &format!("/api/v1/deposits/{id}"))
            .expect(200)
            .body
    }

    fn recall(&self, id: i64) -> Answer {
        let path = format!("/api/v1/deposits/{id}/recall");
        self.app.post(&self.manager, &path, &json!({"reason": "提前结束"}))
    }

    fn job(&mut self) -> Ran {
        self.app.clock.set(self.app.clock.now() + TimeDelta::minutes(11));
        let pass = Arc::new(PullBackDeposits);
        let run = run_job(&self.app.app.store, "a", DEPOSIT_RETURN, &pass, || false);
        let ran = self.app.block_on(run).expect("runs");
        self.log_in();
        ran
    }

    /// Tokens live for minutes, deposits for months.
    fn log_in(&mut self) {
        self.manager = self.app.staff("unit_manager", "M1");
        self.main = self.app.staff("librarian", "M1");
        self.branch = self.app.staff("librarian", "B1");
    }

    fn on(&mut self, day: &str) {
        self.app
            .clock
            .set(format!("{day}T01:00:00Z").parse().expect("a moment"));
        self.log_in();
    }
}

fn crate_to(unit: &str) -> (String, Value) {
    ("crate".to_owned(), json!(unit))
}

fn shelf() -> (String, Value) {
    ("shelf_here".to_owned(), Value::Null)
}

fn a_batch_stands_at_the_branch_until_its_day(app: &TestApp) {
    let mut scene = Scene::new(app);
    let ((_, shelved), (_, lent)) = (scene.copy(), scene.copy());
    scene.lend(&scene.main, &lent);
    let id = scene.deposit(&[&shelved, &lent]);
    assert_eq!(scene.copies(id), json!({"to_pack": 1, "on_loan": 1}));
    let open = app
        .get(&scene.main, "/api/v1/transits?from_unit_code=M1")
        .expect(200)
        .body;
    assert_eq!(
        (&open["items"][0]["reason"], &open["items"][0]["to_unit_code"]),
        (&json!("rotation"), &json!("B1"))
    );
    assert_eq!(scene.scan(&scene.branch, &shelved), shelf());
    assert_eq!(scene.scan(&scene.main, &lent), crate_to("B1"), "when it comes back");
    assert_eq!(scene.scan(&scene.branch, &lent), shelf());
    assert_eq!(scene.copies(id), json!({"there": 2}));
    // Lent there and brought back at its home: it belongs to the branch now.
    scene.lend(&scene.branch, &lent);
    assert_eq!(scene.scan(&scene.main, &lent), crate_to("B1"));
    assert_eq!(scene.scan(&scene.branch, &lent), shelf());
    scene.lend(&scene.branch, &lent);
    app.assert_sound();
    scene.on("2026-05-30");
    scene.job();
    assert_eq!(scene.get(id)["status"], "open", "its day has not come");
    scene.on("2026-06-01");
    scene.job();
    let there = scene.get(id);
    assert_eq!(
        (&there["status"], &there["recall_reason"]),
        (&json!("recalled"), &Value::Null)
    );
    assert_eq!(there["copies"], json!({"to_pack": 1, "on_loan": 1}));
    let path = format!("/api/v1/deposits/{id}/copies?whereabouts=to_pack");
    let list = app.get(&scene.branch, &path).expect(200).body["items"].clone();
    assert_eq!(
        (
            &list[0]["item_barcode"],
            &list[0]["current_unit_code"],
            &list[0]["transit_to_unit_code"],
            &list[1]
        ),
        (&json!(shelved), &json!("B1"), &json!("M1"), &Value::Null)
    );
    app.assert_sound();
    assert_eq!(scene.scan(&scene.main, &shelved), shelf());
    assert_eq!(
        scene.scan(&scene.branch, &lent),
        crate_to("M1"),
        "home with its next return"
    );
    assert_eq!(scene.scan(&scene.main, &lent), shelf());
    assert_eq!(scene.copies(id), json!({"returned": 2}));
    scene.job();
    assert_eq!(scene.get(id)["status"], "ended");
    // As before: neither is anything but M1's.
    assert_eq!(scene.scan(&scene.branch, &lent), crate_to("M1"));
    app.assert_sound();
}

fn what_is_called_back_goes_home_even_where_it_would_float(app: &TestApp) {
    let mut scene = Scene::new(app);
    let floats = json!({"return_policy": "float"});
    let request = app
        .request("PUT", "/api/v1/units/M1/return-policy")
        .bearer(&scene.manager);
    request.json(&floats).send().expect(200);
    let ((_, waits), (_, there), (_, lent)) = (scene.copy(), scene.copy(), scene.copy());
    let id = scene.deposit(&[&waits, &there, &lent]);
    for barcode in [&there, &lent] {
        assert_eq!(scene.scan(&scene.branch, barcode), shelf());
    }
    scene.lend(&scene.branch, &lent);
    scene.recall(id).expect(200);
    // What had not left is on its shelf again.
    assert_eq!(scene.copies(id), json!({"returned": 1, "to_pack": 1, "on_loan": 1}));
    scene.recall(id).expect(200);
    assert_eq!(scene.scan(&scene.branch, &lent), crate_to("M1"), "it does not float on");
    for barcode in [&there, &lent] {
        assert_eq!(scene.scan(&scene.main, barcode), shelf());
    }
    app.assert_sound();
    scene.job();
    let ended = scene.get(id);
    assert_eq!(
        (&ended["status"], &ended["copies"]),
        (&json!("ended"), &json!({"returned": 3}))
    );
    scene.lend(&scene.main, &lent);
    assert_eq!(scene.scan(&scene.branch, &lent), shelf(), "floating again");
    app.assert_sound();
}

fn what_was_packed_when_it_was_called_back_stays_home_once_it_is_unpacked(app: &TestApp) {
    let mut scene = Scene::new(app);
    let ((_, scanned), (_, waits)) = (scene.copy(), scene.copy());
    let id = scene.deposit(&[&scanned, &waits]);
    let address = crate::distribution::open(app, "M1", "B1");
    for barcode in [&scanned, &waits] {
        crate::distribution::pack(app, &address, barcode).expect(200);
    }
    scene.recall(id).expect(200);
    for barcode in [&scanned, &waits] {
        let body = json!({"item_barcode": barcode});
        app.post(&app.root_token(), &format!("{address}/unpack"), &body)
            .expect(200);
    }
    assert_eq!(scene.scan(&scene.main, &scanned), shelf());
    assert_eq!(scene.copies(id), json!({"returned": 1, "to_pack": 1}));
    scene.job();
    assert_eq!(scene.copies(id), json!({"returned": 2}));
    assert_eq!(scene.get(id)["status"], "ended");
    app.assert_sound();
}

fn what_another_library_owns_is_not_sent_away_by_who_keeps_it(app: &TestApp) {
    let scene = Scene::new(app);
    let bib = app.bib("A", None);
    let (number, barcode) = app.item(bib, "M2", &json!({"home_unit_code": "M1"}));
    let made = scene.request(&[&barcode]).send().expect(201).body;
    assert_eq!(made["rows"][0]["why"], "owner_elsewhere", "{made}");
    let mut body = json!({"from_unit_code": "M1", "to_unit_code": "B1", "until": "2026-06-01", "reason": "轮换",
        "item_ids": [number]});
    let made = app.post(&scene.manager, "/api/v1/deposits", &body).expect(201).body;
    assert_eq!(made["rows"][0]["why"], "owner_elsewhere", "{made}");
    body.as_object_mut().expect("an object").remove("item_ids");
    body["filter"] = json!({"at_most": 10});
    app.post(&scene.manager, "/api/v1/deposits", &body)
        .expect_fields(422, &["filter"]);
    let made = app.post(&app.root_token(), "/api/v1/deposits", &body).expect(201).body;
    assert_eq!(made["taken"], 1, "{made}");
    app.assert_sound();
}

fn a_prefix_of_call_numbers_is_read_letter_by_letter(app: &TestApp) {
    let scene = Scene::new(app);
    let bib = app.bib("A", None);
    for call_number in ["TP312/1", "tp312/2", "TP", "T%P/3"] {
        app.item(bib, "M1", &json!({"call_number": call_number}));
    }
    let body = json!({"from_unit_code": "M1", "to_unit_code": "B1", "until": "2026-06-01", "reason": "轮换",
        "filter": {"call_number_prefix": "TP", "at_most": 10}});
    let made = app.post(&scene.manager, "/api/v1/deposits", &body).expect(201).body;
    assert_eq!(made["taken"], 2, "{made}");
}

fn a_bad_row_harms_no_other_and_the_same_key_makes_one_deposit(app: &TestApp) {
    let scene = Scene::new(app);
    let ((_, good), (gone, withdrawn)) = (scene.copy(), scene.copy());
    let path = format!("/api/v1/items/{gone}/withdrawal");
    app.post(&scene.manager, &path, &json!({"reason": "破损"})).expect(200);
    let (_, elsewhere) = app.item(app.bib("A", None), "B2", &json!({}));
    let asked = [good.as_str(), &withdrawn, &elsewhere, "0199999999", &good];
    let made = scene.request(&asked).key("k").send().expect(201);
    let whys: Vec<&Value> = made.body["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| &row["why"])
        .collect();
    assert_eq!(
        whys,
        [
            &Value::Null,
            &json!("item_withdrawn"),
            &json!("home_elsewhere"),
            &json!("unknown_item"),
            &json!("in_a_deposit")
        ]
    );
    assert_eq!((&made.body["taken"], &made.body["refused"]), (&json!(1), &json!(4)));
    let again = scene.request(&asked).key("k").send().expect(201);
    assert_eq!(
        (
            again.body,
            again.headers.iter().any(|(name, _)| name == "idempotency-replayed")
        ),
        (made.body, true)
    );
    let all = app
        .get(&scene.manager, "/api/v1/deposits?from_unit_code=M1")
        .expect(200)
        .body;
    assert_eq!(all["items"].as_array().map(Vec::len), Some(1));
    scene
        .request(&[&good])
        .key("k")
        .send()
        .expect_problem(422, "idempotency_key_reused");
    let second = scene.request(&[&good]).send().expect(201);
    assert_eq!(second.body["rows"][0]["why"], "in_a_deposit");
    app.assert_sound();
}

fn a_thousand_copies_are_chosen_by_a_filter(app: &TestApp) {
    let scene = Scene::new(app);
    let bib = app.bib("红楼梦", None);
    let rows: Vec<Value> = (0..1_000)
        .map(|n| {
            let class = if n % 4 == 0 { "K" } else { "I24%7" };
            json!({"op": "add", "bib_id": bib, "barcode": format!("f{n:04}"), "owner_unit_code": "M1", "item_type": "book",
                "call_number": format!("{class}/{n}")})
        })
        .collect();
    app.post(&scene.manager, "/api/v1/item-batches", &json!({"rows": rows}))
        .expect(200);
    let send = |filter: Value| {
        let body = json!({"from_unit_code": "M1", "to_unit_code": "B1", "until": "2026-06-01", "reason": "轮换", "filter": filter});
        app.post(&scene.manager, "/api/v1/deposits", &body)
    };
    let made = send(json!({"call_number_prefix": "I24%", "at_most": 1000})).expect(201);
    assert_eq!((&made.body["taken"], &made.body["refused"]), (&json!(750), &json!(0)));
    let made = send(json!({"at_most": 200, "item_type": "book"})).expect(201);
    assert_eq!(made.body["taken"], 200, "of the 250 that are left");
    send(json!({"call_number_prefix": "Z", "at_most": 1})).expect_fields(422, &["filter"]);
    send(json!({"collection_code": "none", "item_type": "none", "at_most": 1}))
        .expect_fields(422, &["filter.collection_code", "filter.item_type"]);
    app.assert_sound();
}

fn a_copy_is_in_one_deposit_however_many_ask_at_once(app: &TestApp) {
    let scene = Scene::new(app);
    let copies: Vec<String> = (0..30).map(|_| scene.copy().1).collect();
    let barcodes: Vec<&str> = copies.iter().map(String::as_str).collect();
    let mut backwards = barcodes.clone();
    backwards.reverse();
    let made: Vec<Answer> = std::thread::scope(|scope| {
        let calls = [&barcodes, &backwards, &barcodes].map(|asked| {
            let request = scene.request(asked);
            scope.spawn(|| request.send().expect(201))
        });
        // A desk lends meanwhile what it can.
        for barcode in &barcodes[..5] {
            let (_, card) = app.reader("adult", "M1");
            let body = json!({"item_barcode": barcode, "card_number": card, "confirm": ["item_in_transit"]});
            app.post_consenting(&scene.main, "/api/v1/check-outs", &body)
                .expect(201);
        }
        calls.into_iter().map(|call| call.join().expect("no panic")).collect()
    });
    let taken: u64 = made.iter().filter_map(|answer| answer.body["taken"].as_u64()).sum();
    assert_eq!(taken, 30, "each once");
    app.assert_sound();
}

fn a_copy_shows_the_deposit_it_is_in(app: &TestApp) {
    let scene = Scene::new(app);
    let bib = app.bib("水浒传", None);
    let (item, barcode) = app.item(bib, "M1", &json!({}));
    app.item(bib, "M1", &json!({}));
    let path = format!("/api/v1/items/{item}");
    let shown = || app.get(&scene.main, &path).expect(200).body;
    assert_eq!(shown()["deposit"], Value::Null);
    let id = scene.deposit(&[&barcode]);
    assert_eq!(scene.scan(&scene.branch, &barcode), shelf());
    let there = json!({"deposit_id": id, "unit_code": "B1", "until": "2026-06-01", "recalled": false});
    assert_eq!(
        (&shown()["deposit"], &shown()["home_unit_code"]),
        (&there, &json!("M1"))
    );
    let copies = app
        .get(&scene.main, &format!("/api/v1/bibs/{bib}/items"))
        .expect(200)
        .body["items"]
        .clone();
    assert_eq!([&copies[0]["deposit"], &copies[1]["deposit"]], [&there, &Value::Null]);
    // Where it is at home for the time being decides whether a reader finds it on the shelf.
    let (_, card) = app.reader("adult", "M1");
    let hold = json!({"bib_id": bib, "pickup_unit_code": "B1", "card_number": card});
    let refused = app
        .post(&scene.branch, "/api/v1/holds", &hold)
        .expect_problem(409, "refused");
    assert_eq!(
        refused.body["refusals"][0]["code"], "copy_on_shelf_here",
        "{}",
        refused.body
    );
    scene.recall(id).expect(200);
    assert_eq!(shown()["deposit"]["recalled"], true);
    assert_eq!(scene.scan(&scene.main, &barcode), shelf());
    assert_eq!(shown()["deposit"], Value::Null);
    app.assert_sound();
}

fn a_hold_captures_a_deposited_copy(app: &TestApp) {
    let scene = Scene::new(app);
    let bib = app.bib("西游记", None);
    let (_, copy) = app.item(bib, "M1", &json!({}));
    scene.lend(&scene.main, &copy);
    let id = scene.deposit(&[&copy]);
    let (_, card) = app.reader("adult", "M2");
    let hold = json!({"bib_id": bib, "pickup_unit_code": "M2", "card_number": card});
    app.post(&scene.main, "/api/v1/holds", &hold).expect(201);
    assert_eq!(scene.scan(&scene.main, &copy), crate_to("M2"), "to the reader first");
    assert_eq!(scene.copies(id), json!({"to_pack": 1}));
    let desk = app.staff("librarian", "M2");
    assert_eq!(scene.scan(&desk, &copy).0, "hold_shelf");
    assert_eq!(scene.copies(id), json!({"on_hold_shelf": 1}));
    scene.recall(id).expect(200);
    let body = json!({"item_barcode": copy, "card_number": card});
    app.post(&desk, "/api/v1/check-outs", &body).expect(201);
    assert_eq!(scene.scan(&scene.main, &copy), shelf());
    assert_eq!(scene.copies(id), json!({"returned": 1}));
    app.assert_sound();
}

fn a_deposited_copy_is_not_moved_but_may_be_withdrawn(app: &TestApp) {
    let scene = Scene::new(app);
    let (item, copy) = scene.copy();
    let id = scene.deposit(&[&copy]);
    assert_eq!(scene.scan(&scene.branch, &copy), shelf());
    let move_it = json!({"home_unit_code": "B1"});
    app.post(&scene.manager, &format!("/api/v1/items/{item}/moves"), &move_it)
        .expect_problem(409, "wrong_state");
    let path = format!("/api/v1/items/{item}/withdrawal");
    app.post(&scene.manager, &path, &json!({"reason": "水渍"})).expect(200);
    assert_eq!(scene.copies(id), json!({"withdrawn": 1}));
    scene.recall(id).expect(200);
    assert_eq!(scene.get(id)["status"], "ended");
    app.assert_sound();
}

fn the_day_is_put_off_by_who_saw_the_present_one(app: &TestApp) {
    let mut scene = Scene::new(app);
    let (_, copy) = scene.copy();
    let id = scene.deposit(&[&copy]);
    let path = format!("/api/v1/deposits/{id}");
    let put_off = |token: &str, tag: &str, until: &str| {
        let request = app.request("PATCH", &path).bearer(token).header("If-Match", tag);
        request.json(&json!({"until": until})).send()
    };
    let seen = app.get(&scene.branch, &path).expect(200);
    let tag = seen.header("etag").expect("a tag").to_owned();
    put_off(&scene.manager, &tag, "2026-02-01").expect_fields(422, &["until"]);
    put_off(&scene.manager, &tag, "2036-02-01").expect_fields(422, &["until"]);
    let changed = put_off(&scene.manager, &tag, "2026-09-01").expect(200);
    assert_eq!(changed.body["until"], "2026-09-01");
    put_off(&scene.manager, &tag, "2026-10-01").expect_problem(412, "precondition_failed");
    scene.on("2026-06-02");
    scene.job();
    assert_eq!(scene.get(id)["status"], "open");
    scene.recall(id).expect(200);
    let tag = format!("\"{}\"", scene.get(id)["version"]);
    put_off(&scene.manager, &tag, "2026-10-01").expect_problem(409, "wrong_state");
    let foreign = app.staff("unit_manager", "M2");
    app.get(&foreign, &path).expect_problem(403, "forbidden");
    app.assert_sound();
}

fn a_deposit_that_cannot_be_is_refused(app: &TestApp) {
    let scene = Scene::new(app);
    let (_, copy) = scene.copy();
    let try_with = |change: Value| {
        let mut body = json!({"from_unit_code": "M1", "to_unit_code": "B1", "until": "2026-06-01", "reason": "轮换",
            "item_barcodes": [copy]});
        for (name, value) in change.as_object().expect("members") {
            body[name] = value.clone();
        }
        app.post(&scene.manager, "/api/v1/deposits", &body)
    };
    try_with(json!({"to_unit_code": "M1"})).expect_fields(422, &["to_unit_code"]);
    try_with(json!({"to_unit_code": "network"})).expect_fields(422, &["to_unit_code"]);
    try_with(json!({"to_unit_code": "x", "until": "2026-03-04"})).expect_fields(422, &["to_unit_code", "until"]);
    try_with(json!({"from_unit_code": "M2"})).expect_problem(403, "forbidden");
    try_with(json!({"item_ids": [1]})).expect_fields(422, &["item_barcodes"]);
    try_with(json!({"item_barcodes": null})).expect_fields(422, &["item_barcodes"]);
    try_with(json!({"item_barcodes": []})).expect_problem(400, "malformed_request");
    try_with(json!({"item_barcodes": vec!["1"; 1001]})).expect_problem(400, "malformed_request");
    assert_eq!(app.database.outside().number("SELECT count(*) AS n FROM deposits"), 0);
}

fn what_was_cut_short_is_carried_on_by_the_job(app: &TestApp) {
    let mut scene = Scene::new(app);
    let ((_, first), (_, second)) = (scene.copy(), scene.copy());
    let id = scene.deposit(&[&first]);
    // As a node that died after it had written down what was asked for.
    let sql = format!(
        "INSERT INTO deposit_items (deposit_id, row_number, barcode, state) VALUES ({id}, 2, '{second}', 'pending')"
    );
    app.database.outside().run(&sql);
    assert_eq!(scene.copies(id), json!({"to_pack": 1, "pending": 1}));
    assert_eq!(
        scene.job(),
        Ran::Finished {
            looked_at: 1,
            changed: 1
        }
    );
    assert_eq!(scene.copies(id), json!({"to_pack": 2}));
    assert_eq!(
        scene.job(),
        Ran::Finished {
            looked_at: 1,
            changed: 0
        }
    );
    app.assert_sound();
}
