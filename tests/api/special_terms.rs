//! Terms that few rules have: a fixed term, use in the reading room, copies left for those who wait, kinds of holds, copies for
//! readers of their home and copies that are new.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tongjie::usecase::target_holds::target_holds;

use crate::app::TestApp;
use crate::client::Answer;
use crate::holds::{check_in, hold, put};
use crate::rule_sets::{changed, draft, published};

on_both!(
    a_copy_is_left_for_those_who_wait,
    a_loan_in_the_reading_room_is_due_the_same_day_and_counted_apart,
    a_fixed_term_ends_loans_and_renewals,
    holds_of_a_kind_that_is_not_taken_are_refused,
    a_copy_for_readers_of_its_home_serves_others_only_if_staff_said_so,
    a_new_copy_leaves_its_unit_for_a_hold_only_if_staff_said_so,
    a_copy_that_is_new_no_more_is_fetched_for_those_who_wait,
    a_main_decides_about_its_own_term,
    faults_in_these_terms_are_told,
    a_preview_shows_whom_a_fixed_term_stops,
    a_limit_on_holds_of_a_type_counts_those_only,
);

/// The mains lend each other's books. One with a branch each.
fn network(app: &TestApp) {
    let joined = json!({"lend_away": true, "return_away": true, "readers_away": true});
    app.unit("C1", "central", crate::app::ROOT, &json!({"membership": [joined]}));
    for n in ["1", "2"] {
        app.unit(&format!("M{n}"), "main", "C1", &json!({}));
        app.unit(&format!("B{n}"), "branch", &format!("M{n}"), &json!({}));
    }
}

const THIRTY: &str = "loan_days = 30";

/// The row for everybody says this besides; and sections are added.
fn rules(app: &TestApp, terms: &str, more: &str) -> i64 {
    let text = changed(app, THIRTY, &format!("{THIRTY}\n{terms}"), more);
    published(app, &app.root_token(), None, &text)
}

/// The one refusal of an answer.
fn refusal(answer: Answer) -> Value {
    let body = answer.expect_problem(409, "refused").body;
    let told = body["refusals"].as_array().expect("refusals");
    let refused: Vec<&Value> = told.iter().filter(|one| one["outcome"] != "info").collect();
    assert_eq!(refused.len(), 1, "{body}");
    refused[0].clone()
}

fn explained(app: &TestApp, card: &str, barcode: &str) -> Value {
    let path = format!("/api/v1/rules/explain?card_number={card}&item_barcode={barcode}&unit_code=B1");
    app.get(&app.root_token(), &path).expect(200).body
}

fn overriding(body: &Value, code: &str) -> Value {
    let mut body = body.clone();
    body["overrides"] = json!({"codes": [code], "reason": "课程急用"});
    body
}

fn online(app: &TestApp, card: &str, body: &Value) -> Answer {
    app.post(&app.reader_token(card), "/api/v1/holds", body)
}

fn a_copy_is_left_for_those_who_wait(app: &TestApp) {
    network(app);
    rules(app, "copies_to_holds_percent = 100", "");
    let (bib, desk) = (app.bib("三国演义", None), app.staff("librarian", "B1"));
    let copies: Vec<String> = (0..2).map(|_| app.item(bib, "B1", &json!({})).1).collect();
    let (_, walks_in) = app.reader("adult", "B1");
    let out = |card: &str, barcode: &str| json!({"item_barcode": barcode, "card_number": card, "dry_run": true});
    let try_out = |card: &str| app.post(&desk, "/api/v1/check-outs", &out(card, &copies[0]));
    let wish = json!({"bib_id": bib, "pickup_unit_code": "B1"});
    let waiting: Vec<String> = (0..3).map(|_| app.reader("adult", "B1").1).collect();
    for card in &waiting[..2] {
        online(app, card, &wish).expect(201);
    }
    // Two copies for two who wait.
    try_out(&walks_in).expect(200);
    online(app, &waiting[2], &wish).expect(201);
    let told = refusal(try_out(&walks_in));
    assert_eq!(
        (&told["code"], &told["outcome"]),
        (&json!("copies_to_holds"), &json!("override"))
    );
    assert_eq!(
        (&told["params"]["copies"], &told["params"]["count"]),
        (&json!("2"), &json!("3"))
    );
    let why = explained(app, &walks_in, &copies[0]);
    assert_eq!(
        (&why["winner"], &why["terms"]["copies_to_holds_percent"]),
        (&told["rule_id"], &json!(100))
    );
    // One of those who wait may have it; staff may give it to whom they like.
    try_out(&waiting[1]).expect(200);
    let agreed = overriding(
        &json!({"item_barcode": copies[0], "card_number": walks_in}),
        "copies_to_holds",
    );
    let lent = app.post_consenting(&desk, "/api/v1/check-outs", &agreed).expect(201);
    assert_eq!(lent.body["overridden"], json!(["copies_to_holds"]));
    app.assert_sound();
}

fn a_loan_in_the_reading_room_is_due_the_same_day_and_counted_apart(app: &TestApp) {
    network(app);
    let limit = "[[limit]]\nkind = \"reading_room\"\nmax = 1\n";
    rules(app, "reading_room_use = true", limit);
    let desk = app.staff("librarian", "B1");
    let (_, card) = app.reader("adult", "B1");
    let room = json!({"lending": "reading_room"});
    let copies: Vec<String> = ["史记", "汉书"]
        .map(|title| {
            let (id, barcode) = app.item(app.bib(title, None), "B1", &json!({}));
            let path = format!("/api/v1/items/{id}");
            app.request("PATCH", &path)
                .bearer(&app.root_token())
                .json(&room)
                .send()
                .expect(200);
            barcode
        })
        .to_vec();
    let out = |barcode: &str| json!({"item_barcode": barcode, "card_number": card});
    let lend = |barcode: &str| app.post(&desk, "/api/v1/check-outs", &out(barcode));
    let lent = lend(&copies[0]).expect(201).body;
    assert_eq!(
        (&lent["loan"]["reading_room"], &lent["loan"]["due_at"]),
        (&json!(true), &json!("2026-03-04T15:59:59Z"))
    );
    let renewals = format!("/api/v1/loans/{}/renewals", lent["loan"]["id"]);
    let told = app
        .post(&desk, &renewals, &json!({}))
        .expect_problem(409, "refused")
        .body;
    assert_eq!(told["refusals"][0]["code"], "reading_room_only");
    let told = refusal(lend(&copies[1]));
    assert_eq!(
        (&told["code"], &told["outcome"]),
        (&json!("reading_room_limit"), &json!("override"))
    );
    assert_eq!(
        (&told["params"]["count"], &told["params"]["max"]),
        (&json!("1"), &json!("1"))
    );
    let why = explained(app, &card, &copies[1]);
    let line = |kind: &str| {
        let lines = why["limits"].as_array().expect("limits").iter();
        let mut lines = lines.filter(|line| line["kind"] == kind && line["count"] != Value::Null);
        lines.next().expect("a limit of this kind").clone()
    };
    let room = line("reading_room");
    assert_eq!(
        (&room["rule_id"], &room["count"], &room["passed"], &room["tightest"]),
        (&told["rule_id"], &json!(1), &json!(true), &json!(true))
    );
    assert_eq!(line("loans")["count"], 0, "it is no loan to take home");
    check_in(app, "B1", &copies[0]);
    lend(&copies[1]).expect(201);
    app.assert_sound();
}

fn a_fixed_term_ends_loans_and_renewals(app: &TestApp) {
    network(app);
    rules(app, "term_end = \"2026-03-20\"", "");
    let desk = app.staff("librarian", "B1");
    let (_, card) = app.reader("adult", "B1");
    let (_, barcode) = app.item(app.bib("高等数学", None), "B1", &json!({}));
    let out = json!({"item_barcode": barcode, "card_number": card});
    let loan = app.post(&desk, "/api/v1/check-outs", &out).expect(201).body["loan"].clone();
    assert_eq!(loan["due_at"], "2026-03-20T15:59:59Z");
    let renewals = format!("/api/v1/loans/{}/renewals", loan["id"]);
    let told = refusal(app.post(&desk, &renewals, &json!({})));
    assert_eq!(
        (&told["code"], &told["outcome"]),
        (&json!("outside_fixed_term"), &json!("override"))
    );
    assert_eq!(told["params"]["until"], "2026-03-20");
    let why = explained(app, &card, &barcode);
    assert_eq!(
        (&why["winner"], &why["terms"]["term_end"]),
        (&told["rule_id"], &json!("2026-03-20"))
    );
    // A reader at home is told the same; staff may give a day of their own in spite of it.
    refusal(app.post(&app.reader_token(&card), &renewals, &json!({})));
    rules(app, "term_end = 2026-03-27", "");
    let renewed = app.post(&desk, &renewals, &json!({})).expect(200).body;
    assert_eq!(renewed["loan"]["due_at"], "2026-03-27T15:59:59Z");
    // The term is over: what begins now has the usual days.
    app.clock.set(app.clock.now() + TimeDelta::days(30));
    let (_, barcode) = app.item(app.bib("线性代数", None), "B1", &json!({}));
    let (_, card) = app.reader("adult", "B1");
    let out = json!({"item_barcode": barcode, "card_number": card});
    let desk = app.staff("librarian", "B1");
    let loan = app.post(&desk, "/api/v1/check-outs", &out).expect(201).body["loan"].clone();
    assert_eq!(loan["due_at"], "2026-05-03T15:59:59Z");
    app.assert_sound();
}

fn holds_of_a_kind_that_is_not_taken_are_refused(app: &TestApp) {
    network(app);
    rules(app, "hold_item = false", "");
    let bib = app.bib("三国演义", None);
    let (item, barcode) = app.item(bib, "B1", &json!({}));
    let (_, card) = app.reader("adult", "M1");
    let mut wish = json!({"bib_id": bib, "pickup_unit_code": "M1", "item_id": item});
    let told = refusal(online(app, &card, &wish));
    assert_eq!(
        (&told["code"], &told["outcome"]),
        (&json!("hold_kind_not_allowed"), &json!("blocked"))
    );
    assert_eq!(told["params"]["kind"], "item");
    let why = explained(app, &card, &barcode);
    assert_eq!(
        (&why["winner"], &why["terms"]["hold_item"]),
        (&told["rule_id"], &json!(false))
    );
    // Nobody passes it over.
    let staff = overriding(
        &json!({"bib_id": bib, "pickup_unit_code": "M1", "item_id": item, "card_number": card}),
        "hold_kind_not_allowed",
    );
    app.post_consenting(&app.staff("librarian", "M1"), "/api/v1/holds", &staff)
        .expect_problem(409, "refused");
    wish["item_id"] = Value::Null;
    online(app, &card, &wish).expect(201);
    app.assert_sound();
}

/// The numbers of the waiting holds that a unit is asked to fetch for.
fn asked(app: &TestApp, unit: &str) -> Vec<i64> {
    let listed = app
        .get(&app.root_token(), &format!("/api/v1/units/{unit}/pulls"))
        .expect(200)
        .body;
    let pulls = listed["items"].as_array().expect("items").iter();
    pulls.map(|pull| pull["hold_id"].as_i64().expect("an id")).collect()
}

fn hold_id(answer: Answer) -> i64 {
    answer.expect(201).body["hold"]["id"].as_i64().expect("an id")
}

/// Answers how many copies are to be fetched that were not before.
fn pass(app: &TestApp) -> u64 {
    app.block_on(target_holds(&app.app.store)).expect("runs").asked
}

fn cancel(app: &TestApp, card: &str, hold: i64) {
    let cancelled = app.request("DELETE", &format!("/api/v1/holds/{hold}"));
    cancelled.bearer(&app.reader_token(card)).send().expect(200);
}

fn a_copy_for_readers_of_its_home_serves_others_only_if_staff_said_so(app: &TestApp) {
    network(app);
    let bib = app.bib("三国演义", None);
    let (_, barcode) = app.item(bib, "B1", &json!({}));
    let wish = |unit: &str| json!({"bib_id": bib, "pickup_unit_code": unit});
    let [before, other, own] = ["B2", "B2", "B1"].map(|home| app.reader("adult", home).1);
    let first = hold_id(online(app, &before, &wish("B2")));
    assert_eq!(asked(app, "B1"), [first]);
    rules(app, "hold_home_only = true", "");
    let told = refusal(online(app, &other, &wish("B2")));
    assert_eq!(
        (&told["code"], &told["outcome"]),
        (&json!("home_only"), &json!("override"))
    );
    assert_eq!(told["params"]["home"], "B1 馆");
    let why = explained(app, &other, &barcode);
    assert_eq!(
        (&why["winner"], &why["terms"]["hold_home_only"]),
        (&told["rule_id"], &json!(true))
    );
    // Under these rules the copy is not for the one who came first: the reader of its home gets it.
    let second = hold_id(online(app, &own, &wish("B1")));
    assert_eq!(check_in(app, "B1", &barcode)["next_step"]["hold_id"], second);
    pass(app);
    cancel(app, &own, second);
    check_in(app, "B1", &barcode);
    assert_eq!(hold(app, first)["status"], "waiting");
    // Staff said that this reader may have it.
    let mut agreed = overriding(&wish("B2"), "home_only");
    agreed["card_number"] = json!(other);
    let third = hold_id(app.post_consenting(&app.staff("librarian", "B2"), "/api/v1/holds", &agreed));
    assert_eq!(asked(app, "B1"), [third]);
    assert_eq!(check_in(app, "B1", &barcode)["next_step"]["hold_id"], third);
    app.assert_sound();
}

fn a_new_copy_leaves_its_unit_for_a_hold_only_if_staff_said_so(app: &TestApp) {
    network(app);
    rules(app, "new_item_days = 30", "");
    let bib = app.bib("三国演义", None);
    let (_, barcode) = app.item(bib, "B1", &json!({}));
    let wish = |unit: &str| json!({"bib_id": bib, "pickup_unit_code": unit});
    let [other, own] = ["M1", "B1"].map(|home| app.reader("adult", home).1);
    let told = refusal(online(app, &other, &wish("M1")));
    assert_eq!(
        (&told["code"], &told["outcome"]),
        (&json!("new_item_protected"), &json!("override"))
    );
    assert_eq!(told["params"]["until"], "2026-04-03");
    let why = explained(app, &other, &barcode);
    assert_eq!(
        (&why["winner"], &why["terms"]["new_item_days"]),
        (&told["rule_id"], &json!(30))
    );
    // Picked up where it is at home it goes nowhere; to move that hold elsewhere is refused as well.
    let here = hold_id(online(app, &own, &wish("B1")));
    let pickup = format!("/api/v1/holds/{here}/pickup");
    let moved = put(
        app,
        &app.reader_token(&own),
        &pickup,
        &json!({"pickup_unit_code": "M1"}),
    );
    assert_eq!(refusal(moved)["code"], "new_item_protected");
    cancel(app, &own, here);
    pass(app);
    let mut agreed = overriding(&wish("M1"), "new_item_protected");
    agreed["card_number"] = json!(other);
    let id = hold_id(app.post_consenting(&app.staff("librarian", "M1"), "/api/v1/holds", &agreed));
    assert_eq!(asked(app, "B1"), [id]);
    let scanned = check_in(app, "B1", &barcode);
    assert_eq!(
        (&scanned["next_step"]["kind"], &scanned["next_step"]["hold_id"]),
        (&json!("crate"), &json!(id))
    );
    app.assert_sound();
}

fn a_copy_that_is_new_no_more_is_fetched_for_those_who_wait(app: &TestApp) {
    network(app);
    let bib = app.bib("三国演义", None);
    let old = app.item(bib, "B1", &json!({})).1;
    let (_, card) = app.reader("adult", "M1");
    let desk = app.staff("librarian", "B1");
    let (_, has_it) = app.reader("adult", "B1");
    let out = json!({"item_barcode": old, "card_number": has_it});
    app.post(&desk, "/api/v1/check-outs", &out).expect(201);
    app.clock.set(app.clock.now() + TimeDelta::days(31));
    rules(app, "new_item_days = 30", "");
    app.item(bib, "B1", &json!({}));
    // The old copy may come; the new one stays where it is until its time has come.
    let wish = json!({"bib_id": bib, "pickup_unit_code": "M1"});
    let id = hold_id(online(app, &card, &wish));
    assert_eq!((pass(app), asked(app, "B1")), (0, vec![]));
    app.clock.set(app.clock.now() + TimeDelta::days(30));
    assert_eq!((pass(app), asked(app, "B1")), (1, vec![id]));
}

fn a_main_decides_about_its_own_term(app: &TestApp) {
    network(app);
    let open = "[[delegate]]\nkind = \"main\"\n\
        terms = { term_end = {}, reading_room_use = {}, hold_home_only = { min = 1 }, new_item_days = { max = 60 } }\n\
        limits = { reading_room = { max = 5 } }\n";
    rules(app, "", open);
    let manager = app.staff("unit_manager", "M1");
    let own = "[[terms]]\nwhen = { unit = \"M1\" }\nterm_end = \"2026-06-30\"\nhold_home_only = true\nnew_item_days = 60\n\n\
        [[terms]]\nwhen = { unit = \"B1\" }\nterm_end = \"none\"\n\n\
        [[limit]]\nwhen = { unit = \"M1\" }\nkind = \"reading_room\"\nmax = 2\n";
    let version = published(app, &manager, Some("M1"), own);
    let whole = app
        .get(&app.root_token(), &format!("/api/v1/rule-sets/{version}"))
        .expect(200)
        .body;
    let row = whole["own_terms"]
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["key"]["unit_code"] == "M1");
    assert_eq!(row.expect("M1's")["values"][0]["day"], "2026-06-30");
    let terms = |unit: &str| {
        let path = format!("/api/v1/rules/explain?category=adult&item_type=book&owner_unit_code=M1&unit_code={unit}");
        app.get(&app.root_token(), &path).expect(200).body
    };
    let said = |unit: &str| {
        let terms = terms(unit)["terms"].clone();
        [
            terms["term_end"].clone(),
            terms["hold_home_only"].clone(),
            terms["new_item_days"].clone(),
        ]
    };
    assert_eq!(said("M1"), [json!("2026-06-30"), json!(true), json!(60)]);
    // Of two own rows the nearest one alone counts.
    assert_eq!(said("B1"), [Value::Null, json!(false), json!(0)]);
    assert_eq!(said("M2"), [Value::Null, json!(false), json!(0)]);
    let room = |unit: &str| {
        let lines = terms(unit)["limits"].as_array().expect("limits").clone();
        let room = lines
            .iter()
            .find(|line| line["kind"] == "reading_room")
            .expect("it is listed");
        (room["of_unit"].clone(), room["no_match"].clone())
    };
    assert_eq!(room("B1"), (json!("M1"), Value::Null));
    assert_eq!(room("M2"), (json!("M1"), json!("unit")));
    for beyond in [
        "new_item_days = 61",
        "hold_home_only = false",
        "copies_to_holds_percent = 10",
    ] {
        let own = format!("[[terms]]\nwhen = {{ unit = \"M1\" }}\n{beyond}\n");
        let (id, _) = draft(app, &manager, Some("M1"), &own);
        let told = app
            .get(&manager, &format!("/api/v1/rule-drafts/{id}/validation"))
            .expect(200)
            .body;
        assert_eq!(told["valid"], false, "{beyond}");
    }
}

fn faults_in_these_terms_are_told(app: &TestApp) {
    network(app);
    let root = app.root_token();
    let validated = |terms: &str, more: &str| {
        let text = changed(app, THIRTY, &format!("{THIRTY}\n{terms}"), more);
        let (id, _) = draft(app, &root, None, &text);
        app.get(&root, &format!("/api/v1/rule-drafts/{id}/validation"))
            .expect(200)
            .body
    };
    for (terms, field) in [
        ("term_end = \"2026-02-30\"", "term_end"),
        ("term_end = 20260630", "term_end"),
        ("term_end = \"1999-12-31\"", "term_end"),
        ("term_end = 2026-06-30T00:00:00Z", "term_end"),
        ("reading_room_use = \"yes\"", "reading_room_use"),
        ("copies_to_holds_percent = 1001", "copies_to_holds_percent"),
        ("new_item_days = 367", "new_item_days"),
        ("hold_home_only = 1", "hold_home_only"),
    ] {
        let told = validated(terms, "");
        assert_eq!(told["valid"], false, "{terms}");
        assert_eq!(told["faults"][0]["field"], field, "{told}");
    }
    let bounded = "[[delegate]]\nkind = \"main\"\nterms = { term_end = { min = 1 } }\n";
    assert_eq!(validated("", bounded)["faults"][0]["field"], "terms.term_end");
    for (terms, field) in [
        ("term_end = \"2026-03-03\"", "term_end"),
        ("hold_bib = false\nhold_volume = false\nhold_item = false", "hold_bib"),
    ] {
        let told = validated(terms, "");
        assert_eq!(told["valid"], true, "{told}");
        let warned = told["rule_warnings"].as_array().expect("rule_warnings").iter();
        assert!(warned.into_iter().any(|one| one["field"] == field), "{told}");
    }
}

fn a_preview_shows_whom_a_fixed_term_stops(app: &TestApp) {
    network(app);
    let desk = app.staff("librarian", "B1");
    let (_, card) = app.reader("adult", "B1");
    let (_, barcode) = app.item(app.bib("高等数学", None), "B1", &json!({}));
    let out = json!({"item_barcode": barcode, "card_number": card});
    app.post(&desk, "/api/v1/check-outs", &out).expect(201);
    let root = app.root_token();
    let text = changed(app, THIRTY, &format!("{THIRTY}\nterm_end = \"2026-03-20\""), "");
    let (id, _) = draft(app, &root, None, &text);
    let seen = app
        .get(&root, &format!("/api/v1/rule-drafts/{id}/loan-preview"))
        .expect(200)
        .body;
    let loan = &seen["items"][0];
    assert_eq!(
        [
            &loan["before"]["renewal_refusals"],
            &loan["after"]["renewal_refusals"],
            &loan["after"]["first_due_at"]
        ],
        [
            &json!([]),
            &json!(["outside_fixed_term"]),
            &json!("2026-03-20T15:59:59Z")
        ]
    );
    assert_eq!(loan["after"]["terms"]["term_end"], "2026-03-20");
}

fn a_limit_on_holds_of_a_type_counts_those_only(app: &TestApp) {
    network(app);
    let limit = "[[limit]]\nwhen = { item_types = [\"av\"] }\nkind = \"holds\"\nmax = 1\n";
    rules(app, "", limit);
    let held = |title: &str, item_type: &str| {
        let bib = app.bib(title, None);
        app.item(bib, "B1", &json!({"item_type": item_type}));
        json!({"bib_id": bib, "pickup_unit_code": "B1"})
    };
    let (_, card) = app.reader("adult", "B1");
    let (book, disc, other) = (
        held("三国演义", "book"),
        held("红楼梦影碟", "av_disc"),
        held("西游记影碟", "av_disc"),
    );
    online(app, &card, &book).expect(201);
    online(app, &card, &disc).expect(201);
    let told = refusal(online(app, &card, &other));
    assert_eq!(
        (&told["code"], &told["params"]["count"]),
        (&json!("limit_holds"), &json!("1"))
    );
    let path = format!("/api/v1/rules/explain?card_number={card}&item_type=av_disc&owner_unit_code=B1&unit_code=B1");
    let why = app.get(&app.root_token(), &path).expect(200).body;
    let lines = why["limits"].as_array().expect("limits").iter();
    let line = lines
        .into_iter()
        .find(|line| line["rule_id"] == told["rule_id"])
        .expect("it is listed");
    assert_eq!((&line["count"], &line["passed"]), (&json!(1), &json!(true)));
}
