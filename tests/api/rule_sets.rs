//! Versions of the rules: drafting, validating, publishing, rolling back, and who may do it for whom.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::client::Answer;

on_both!(
    a_draft_is_published_and_decides_from_then_on,
    every_fault_of_a_draft_is_told_at_once,
    a_version_in_the_future_takes_effect_by_itself,
    nothing_takes_effect_in_the_past,
    of_two_who_publish_from_the_same_version_one_wins,
    a_draft_is_changed_from_the_revision_that_was_seen,
    rolling_back_brings_an_old_text_back_at_once,
    a_version_that_is_not_in_force_yet_is_withdrawn,
    a_main_decides_what_is_left_open_to_it_and_nothing_else,
    rows_that_reach_outside_are_refused,
    a_bound_that_is_narrowed_later_sets_rows_aside,
    a_main_keeps_its_rules_when_the_network_changes_its_own,
    a_loan_keeps_its_due_date_whatever_the_rules_become,
    a_published_document_comes_out_as_it_went_in,
    a_publication_sent_twice_publishes_once,
    events_say_who_changed_what,
);

/// The network's rules with one number changed, and sections added.
pub fn changed(app: &TestApp, from: &str, to: &str, more: &str) -> String {
    let text = exported(app, 1);
    assert!(text.contains(from), "{from}");
    format!("{}\n{more}", text.replacen(from, to, 1))
}

pub fn exported(app: &TestApp, version: i64) -> String {
    let path = format!("/api/v1/rule-sets/{version}/toml");
    String::from_utf8(app.get(&app.root_token(), &path).expect(200).bytes).expect("UTF-8")
}

/// What the fallback of the preset says.
const THIRTY: &str = "loan_days = 30";

/// What these tests leave open.
pub const OPEN: &str = r#"
[[delegate]]
kind = "main"
terms = { loan_days = { min = 14, max = 60 }, renewals = { max = 3 } }
limits = { loans = { min = 2, max = 20 } }
"#;

pub fn draft(app: &TestApp, token: &str, unit: Option<&str>, toml: &str) -> (i64, String) {
    let mut body = json!({"toml": toml, "note": "试行"});
    if let Some(unit) = unit {
        body["unit_code"] = unit.into();
    }
    let made = app.post(token, "/api/v1/rule-drafts", &body).expect(201);
    let tag = made.header("etag").expect("a tag").to_owned();
    (made.id(), tag)
}

fn publish(app: &TestApp, token: &str, (id, tag): &(i64, String), body: &Value) -> Answer {
    let path = format!("/api/v1/rule-drafts/{id}/publication");
    app.request("POST", &path)
        .bearer(token)
        .header("If-Match", tag)
        .json(body)
        .send()
}

/// Drafts and publishes at once; answers the version.
pub fn published(app: &TestApp, token: &str, unit: Option<&str>, toml: &str) -> i64 {
    let draft = draft(app, token, unit, toml);
    let set = publish(app, token, &draft, &json!({})).expect(201).body;
    set["rule_set"]["version"].as_i64().expect("a version")
}

fn validation(app: &TestApp, token: &str, id: i64) -> Value {
    app.get(token, &format!("/api/v1/rule-drafts/{id}/validation"))
        .expect(200)
        .body
}

fn explained(app: &TestApp, unit: &str) -> Value {
    let path = format!("/api/v1/rules/explain?category=adult&item_type=book&owner_unit_code={unit}&unit_code={unit}");
    app.get(&app.root_token(), &path).expect(200).body
}

fn loan_days(app: &TestApp, unit: &str) -> i64 {
    explained(app, unit)["terms"]["loan_days"].as_i64().expect("days")
}

fn lend(app: &TestApp, token: &str, card: &str) -> Value {
    let (_, barcode) = app.item(app.bib("三国演义", None), "B1", &json!({}));
    let body = json!({"item_barcode": barcode, "card_number": card});
    app.post(token, "/api/v1/check-outs", &body).expect(201).body["loan"].clone()
}

fn due_day(loan: &Value) -> DateTime<Utc> {
    loan["due_at"].as_str().expect("a moment").parse().expect("a moment")
}

fn later(app: &TestApp, days: i64) {
    app.clock.set(app.clock.now() + TimeDelta::days(days));
}

fn a_draft_is_published_and_decides_from_then_on(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let (desk, (_, card)) = (app.staff("librarian", "B1"), app.reader("adult", "B1"));
    let before = lend(app, &desk, &card);
    let made = app
        .post(&root, "/api/v1/rule-drafts", &json!({"note": "借期改为 21 天"}))
        .expect(201);
    assert_eq!(made.body["base_version"], 1);
    let text = made.body["toml"]
        .as_str()
        .expect("a text")
        .replacen(THIRTY, "loan_days = 21", 1);
    let path = made.header("location").expect("a place").to_owned();
    let change = app.request("PUT", &path).bearer(&root).header("If-Match", "\"1\"");
    let change = change.json(&json!({"toml": text})).send().expect(200);
    let tag = change.header("etag").expect("a tag").to_owned();
    assert_eq!(validation(app, &root, made.id())["valid"], true);
    assert_eq!(loan_days(app, "B1"), 30, "a draft decides nothing");
    let set = publish(app, &root, &(made.id(), tag), &json!({})).expect(201);
    assert_eq!(set.header("location"), Some("/api/v1/rule-sets/2"));
    assert_eq!(set.body["rule_set"]["standing"], "in_force");
    assert_eq!(set.body["rule_set"]["rules_note"], "借期改为 21 天");
    app.get(&root, &path).expect(404);
    assert_eq!(loan_days(app, "B1"), 21);
    let after = lend(app, &desk, &card);
    assert_eq!(
        (&before["rules_version"], &after["rules_version"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(due_day(&before) - due_day(&after), TimeDelta::days(9));
    let listed = app.get(&root, "/api/v1/rule-sets").expect(200).body;
    let line = |at: usize| {
        (
            listed["items"][at]["version"].clone(),
            listed["items"][at]["standing"].clone(),
        )
    };
    assert_eq!(line(0), (json!(2), json!("in_force")));
    assert_eq!(line(1), (json!(1), json!("replaced")));
    let whole = app.get(&root, "/api/v1/rule-sets/2").expect(200).body;
    assert_eq!(whole["terms"][0]["terms"]["loan_days"], 21);
    assert_eq!(whole["parts"], json!([{"of_unit": null, "version": 2}]));
}

fn every_fault_of_a_draft_is_told_at_once(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let toml = r#"
colour = 1
[[terms]]
when = { category = "king", unit = "B9" }
lendable = "yes"
loan_days = 9999
renewable = true
renewals = 1
renewal_days = 0
holdable = true
hold_shelf_days = 7
[[terms]]
lendable = true
loan_days = 30
renewable = true
renewals = 1
renewal_days = 0
holdable = false
hold_shelf_days = 0
hold_locker_days = 0
[[limit]]
when = { item_types = ["papyrus"], chanel = "desk" }
kind = "sheep"
max = -1
[[delegate]]
terms = { loan_day = {} }
"#;
    let (id, tag) = draft(app, &root, None, toml);
    let judged = validation(app, &root, id);
    assert_eq!(judged["valid"], false);
    let faults: Vec<String> = judged["faults"]
        .as_array()
        .expect("faults")
        .iter()
        .map(|one| {
            assert!(!one["reason"].as_str().expect("why").is_empty());
            assert!(!one["expected"].as_str().expect("what would be right").is_empty());
            format!(
                "{} {} {}",
                one["table"].as_str().unwrap_or(""),
                one["row"],
                one["field"].as_str().unwrap_or("")
            )
        })
        .collect();
    for fault in [
        "document 0 ",
        "terms 1 lendable",
        "terms 1 loan_days",
        "terms 2 renewal_days",
        "limit 1 when.chanel",
        "limit 1 kind",
        "limit 1 max",
        "delegate 1 terms.loan_day",
        "delegate 1 kind",
    ] {
        assert!(faults.iter().any(|one| one == fault), "{fault} in {faults:?}");
    }
    let refused = publish(app, &root, &(id, tag), &json!({}));
    refused.expect_problem(422, "invalid_fields");
    let unread = draft(app, &root, None, "[[terms]]\nloan_days = = 3\n");
    let judged = validation(app, &root, unread.0);
    assert!(
        judged["faults"][0]["reason"].as_str().expect("why").contains("line 2"),
        "{judged}"
    );
    let unknown = changed(app, "category = \"senior\"", "category = \"king\"", "");
    let judged = validation(app, &root, draft(app, &root, None, &unknown).0);
    assert_eq!(judged["faults"][0]["field"], "when.category");
    assert_eq!(loan_days(app, "B1"), 30);
}

fn a_version_in_the_future_takes_effect_by_itself(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let (desk, (_, card)) = (app.staff("librarian", "B1"), app.reader("adult", "B1"));
    let new = draft(app, &root, None, &changed(app, THIRTY, "loan_days = 21", ""));
    let from = app.clock.now() + TimeDelta::minutes(6);
    let set = publish(app, &root, &new, &json!({"effective_from": from}))
        .expect(201)
        .body;
    assert_eq!(set["rule_set"]["standing"], "upcoming");
    assert_eq!(
        (loan_days(app, "B1"), &lend(app, &desk, &card)["rules_version"]),
        (30, &json!(1))
    );
    app.clock.set(from - TimeDelta::milliseconds(1));
    assert_eq!(loan_days(app, "B1"), 30);
    app.clock.set(from);
    assert_eq!(
        (loan_days(app, "B1"), &lend(app, &desk, &card)["rules_version"]),
        (21, &json!(2))
    );
    // An act of before is judged by the rules of before, whenever it is told of.
    app.clock.set(from - TimeDelta::minutes(1));
    assert_eq!(loan_days(app, "B1"), 30);
}

fn nothing_takes_effect_in_the_past(app: &TestApp) {
    let root = app.root_token();
    let new = draft(app, &root, None, &changed(app, THIRTY, "loan_days = 21", ""));
    let past = app.clock.now() - TimeDelta::seconds(1);
    publish(app, &root, &new, &json!({"effective_from": past})).expect_fields(422, &["effective_from"]);
    let far = app.clock.now() + TimeDelta::days(9_999);
    publish(app, &root, &new, &json!({"effective_from": far})).expect_fields(422, &["effective_from"]);
    assert_eq!(
        app.get(&root, "/api/v1/rule-sets").expect(200).body["items"][0]["version"],
        1
    );
}

fn of_two_who_publish_from_the_same_version_one_wins(app: &TestApp) {
    let root = app.root_token();
    let one = draft(app, &root, None, &changed(app, THIRTY, "loan_days = 21", ""));
    let two = draft(app, &root, None, &changed(app, THIRTY, "loan_days = 14", ""));
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let both = [&one, &two].map(|draft| {
            let root = root.clone();
            scope.spawn(move || publish(app, &root, draft, &json!({})).status)
        });
        both.map(|thread| thread.join().expect("answers")).into()
    });
    let count = |status| answers.iter().filter(|one| **one == status).count();
    assert_eq!((count(201), count(409)), (1, 1), "{answers:?}");
    let lost = if answers[0] == 409 { &one } else { &two };
    // Whoever lost looks at what won, says so, and publishes.
    let path = format!("/api/v1/rule-drafts/{}", lost.0);
    let text = app.get(&root, &path).expect(200).body["toml"].clone();
    let change = app.request("PUT", &path).bearer(&root).header("If-Match", "\"1\"");
    let seen = change
        .json(&json!({"toml": text, "base_version": 2}))
        .send()
        .expect(200);
    let again = (lost.0, seen.header("etag").expect("a tag").to_owned());
    assert_eq!(
        publish(app, &root, &again, &json!({})).expect(201).body["rule_set"]["version"],
        3
    );
    let base = app.request("PUT", &path).bearer(&root).header("If-Match", "\"2\"");
    base.json(&json!({"toml": "", "base_version": 9})).send().expect(404);
}

fn a_draft_is_changed_from_the_revision_that_was_seen(app: &TestApp) {
    let root = app.root_token();
    let (id, tag) = draft(app, &root, None, "");
    let path = format!("/api/v1/rule-drafts/{id}");
    let put = |tag: &str, body: Value| {
        app.request("PUT", &path)
            .bearer(&root)
            .header("If-Match", tag)
            .json(&body)
            .send()
    };
    put(&tag, json!({"toml": "# one"})).expect(200);
    put(&tag, json!({"toml": "# two"})).expect_problem(412, "precondition_failed");
    put("\"2\"", json!({"toml": "# two", "base_version": 99})).expect_fields(422, &["base_version"]);
    put("\"2\"", json!({"toml": "a\u{0}b"})).expect_problem(400, "malformed_request");
    let stale = publish(app, &root, &(id, tag.clone()), &json!({}));
    stale.expect_problem(412, "precondition_failed");
    assert_eq!(app.get(&root, &path).expect(200).body["toml"], "# one");
    let discard = |tag: &str| {
        app.request("DELETE", &path)
            .bearer(&root)
            .header("If-Match", tag)
            .send()
    };
    discard(&tag).expect_problem(412, "precondition_failed");
    discard("\"2\"").expect(200);
    app.get(&root, &path).expect(404);
}

fn rolling_back_brings_an_old_text_back_at_once(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    published(app, &root, None, &changed(app, THIRTY, "loan_days = 21", ""));
    let back = |version: i64| {
        app.post(
            &root,
            &format!("/api/v1/rule-sets/{version}/roll-back"),
            &json!({"note": "太短"}),
        )
    };
    let set = back(1).expect(201).body;
    assert_eq!((&set["rule_set"]["version"], loan_days(app, "B1")), (&json!(3), 30));
    assert_eq!(exported(app, 3), exported(app, 1));
    back(1).expect_problem(409, "wrong_state");
    back(9).expect_problem(404, "not_found");
    assert_eq!((back(2).expect(201).status, loan_days(app, "B1")), (201, 21));
}

fn a_version_that_is_not_in_force_yet_is_withdrawn(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let new = draft(app, &root, None, &changed(app, THIRTY, "loan_days = 21", ""));
    let from = app.clock.now() + TimeDelta::days(2);
    publish(app, &root, &new, &json!({"effective_from": from})).expect(201);
    let withdraw = |version: i64| {
        app.request("DELETE", &format!("/api/v1/rule-sets/{version}"))
            .bearer(&root)
            .send()
    };
    let gone = withdraw(2).expect(200).body;
    assert_eq!(gone["rule_set"]["standing"], "withdrawn");
    withdraw(2).expect_problem(409, "wrong_state");
    withdraw(1).expect_problem(409, "wrong_state");
    withdraw(7).expect_problem(404, "not_found");
    app.get(&root, "/api/v1/rule-sets/2").expect_problem(409, "wrong_state");
    let back = app.post(&root, "/api/v1/rule-sets/2/roll-back", &json!({"note": "?"}));
    back.expect_problem(404, "not_found");
    later(app, 3);
    assert_eq!(loan_days(app, "B1"), 30);
}

const OWN: &str = r#"
[[terms]]
when = { unit = "M1" }
loan_days = 21
[[limit]]
when = { unit = "B1" }
kind = "loans"
max = 3
"#;

fn a_main_decides_what_is_left_open_to_it_and_nothing_else(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let manager = app.staff("unit_manager", "M1");
    let early = draft(app, &manager, Some("M1"), OWN);
    let judged = validation(app, &manager, early.0);
    let why = judged["faults"][0]["reason"].as_str().expect("why");
    assert!(why.contains("leaves nothing open to M1"), "{judged}");
    published(app, &root, None, &changed(app, THIRTY, THIRTY, OPEN));
    assert_eq!(validation(app, &manager, early.0)["valid"], true);
    let set = publish(app, &manager, &early, &json!({})).expect(201).body["rule_set"].clone();
    assert_eq!((&set["version"], &set["of_unit"]), (&json!(3), &json!("M1")));
    assert_eq!(
        (loan_days(app, "M1"), loan_days(app, "B1"), loan_days(app, "B2")),
        (21, 21, 30)
    );
    let told = explained(app, "B1");
    assert_eq!(
        (&told["decided_by"], &told["own_fields"]),
        (&json!("M1"), &json!(["loan_days"]))
    );
    assert_ne!(told["winner"], told["network_winner"]);
    assert_eq!(told["terms"]["hold_shelf_days"], 7, "the rest is the network's");
    let own = told["candidates"]
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["of_unit"] == "M1");
    assert_eq!(own.expect("its row")["fate"], "won");
    let limits = told["limits"].as_array().expect("limits");
    let tight = limits
        .iter()
        .find(|row| row["kind"] == "loans" && row["tightest"] == true)
        .expect("one");
    assert_eq!((&tight["max"], &tight["of_unit"]), (&json!(3), &json!("M1")));
    // The category and the item type still decide what M1 did not.
    let path = "/api/v1/rules/explain?category=senior&item_type=book&owner_unit_code=B1&unit_code=B1";
    let senior = app.get(&root, path).expect(200).body["terms"].clone();
    assert_eq!((&senior["loan_days"], &senior["renewals"]), (&json!(21), &json!(2)));
    // A loan says which row granted it.
    let (desk, (_, card)) = (app.staff("librarian", "B1"), app.reader("adult", "B1"));
    let loan = lend(app, &desk, &card);
    assert_eq!((&loan["rules_version"], &loan["rule_id"]), (&json!(3), &told["winner"]));
    let whole = app.get(&root, "/api/v1/rule-sets/3").expect(200).body;
    assert_eq!(
        whole["parts"],
        json!([{"of_unit": null, "version": 2}, {"of_unit": "M1", "version": 3}])
    );
    assert_eq!(
        whole["own_terms"][0]["values"],
        json!([{"field": "loan_days", "value": 21, "day": null}])
    );
    // Not the network's, not a sibling's.
    let refused = |unit: &str| app.post(&manager, "/api/v1/rule-drafts", &json!({"unit_code": unit, "toml": ""}));
    refused("M2").expect_problem(403, "forbidden");
    refused("network").expect_problem(403, "forbidden");
    app.post(&manager, "/api/v1/rule-drafts", &json!({"toml": ""}))
        .expect_problem(403, "forbidden");
    app.post(&manager, "/api/v1/rule-sets/1/roll-back", &json!({"note": "?"}))
        .expect_problem(403, "forbidden");
    // Back to no rules of its own.
    let body = json!({"unit_code": "M1", "note": "试行结束"});
    app.post(&manager, "/api/v1/rule-sets/2/roll-back", &body).expect(201);
    assert_eq!(loan_days(app, "B1"), 30);
}

fn rows_that_reach_outside_are_refused(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let manager = app.staff("unit_manager", "M1");
    published(app, &root, None, &changed(app, THIRTY, THIRTY, OPEN));
    for (row, field, why) in [
        ("[[terms]]\nloan_days = 21", "when.unit", "no unit"),
        (
            "[[terms]]\nwhen = { owner = \"M1\" }\nloan_days = 21",
            "when.unit",
            "an owner instead of a unit",
        ),
        (
            "[[terms]]\nwhen = { unit = \"M2\" }\nloan_days = 21",
            "when.unit",
            "a sibling",
        ),
        (
            "[[terms]]\nwhen = { unit = \"C1\" }\nloan_days = 21",
            "when.unit",
            "above it",
        ),
        (
            "[[terms]]\nwhen = { unit = \"network\" }\nloan_days = 21",
            "when.unit",
            "the root",
        ),
        (
            "[[terms]]\nwhen = { unit = \"X\" }\nloan_days = 21",
            "when.unit",
            "nowhere",
        ),
        (
            "[[terms]]\nwhen = { unit = \"B1\", owner = \"M2\" }\nloan_days = 21",
            "when.owner",
            "a sibling's items",
        ),
        (
            "[[terms]]\nwhen = { unit = \"B1\", owner = \"network\" }\nloan_days = 21",
            "when.owner",
            "everybody's items",
        ),
        (
            "[[terms]]\nwhen = { unit = \"B1\" }\nloan_days = 61",
            "loan_days",
            "more than is open",
        ),
        (
            "[[terms]]\nwhen = { unit = \"B1\" }\nloan_days = 0",
            "loan_days",
            "less than is open",
        ),
        (
            "[[terms]]\nwhen = { unit = \"B1\" }\nlendable = true",
            "lendable",
            "not open",
        ),
        ("[[terms]]\nwhen = { unit = \"B1\" }", "", "nothing"),
        ("[[limit]]\nkind = \"loans\"\nmax = 5", "when.unit", "everywhere"),
        (
            "[[limit]]\nwhen = { unit = \"M2\" }\nkind = \"loans\"\nmax = 5",
            "when.unit",
            "a sibling",
        ),
        (
            "[[limit]]\nwhen = { unit = \"B1\", owner = \"M2\" }\nkind = \"loans\"\nmax = 5",
            "when.owner",
            "a sibling's items",
        ),
        (
            "[[limit]]\nwhen = { unit = \"B1\" }\nkind = \"loans\"\nmax = 21",
            "max",
            "looser than the bound",
        ),
        (
            "[[limit]]\nwhen = { unit = \"B1\" }\nkind = \"loans\"\nmax = 1",
            "max",
            "stricter than the bound",
        ),
        (
            "[[limit]]\nwhen = { unit = \"B1\" }\nkind = \"debt_fen\"\nmax = 5",
            "kind",
            "not open",
        ),
        (
            "[[delegate]]\nkind = \"branch\"\nterms = { loan_days = {} }",
            "",
            "opening for others",
        ),
        (
            "[[terms]]\nwhen = { unit = \"B1\" }\nloan_days = 21\n[[terms]]\nwhen = { unit = \"B1\" }\nloan_days = 22",
            "when",
            "twice",
        ),
    ] {
        let made = draft(app, &manager, Some("M1"), row);
        let judged = validation(app, &manager, made.0);
        let fields: Vec<&str> = judged["faults"]
            .as_array()
            .expect("faults")
            .iter()
            .map(|fault| fault["field"].as_str().expect("a field"))
            .collect();
        assert!(fields.contains(&field), "{why}: {judged}");
        publish(app, &manager, &made, &json!({})).expect_problem(422, "invalid_fields");
    }
    assert_eq!((loan_days(app, "B1"), loan_days(app, "B2")), (30, 30));
}

fn a_bound_that_is_narrowed_later_sets_rows_aside(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let manager = app.staff("unit_manager", "M1");
    published(app, &root, None, &changed(app, THIRTY, THIRTY, OPEN));
    published(app, &manager, Some("M1"), OWN);
    let narrow = OPEN.replace("min = 14", "min = 28");
    let new = draft(app, &root, None, &changed(app, THIRTY, THIRTY, &narrow));
    let judged = validation(app, &root, new.0);
    assert_eq!(judged["valid"], true, "a main cannot stop the network");
    let warned = judged["rule_warnings"].to_string();
    assert!(warned.contains("the rules of M1 would be set aside"), "{warned}");
    publish(app, &root, &new, &json!({})).expect(201);
    assert_eq!(loan_days(app, "B1"), 30);
    let whole = app.get(&root, "/api/v1/rule-sets/4").expect(200).body;
    assert_eq!(
        (
            &whole["set_aside"][0]["of_unit"],
            whole["own_terms"].as_array().map(Vec::len)
        ),
        (&json!("M1"), Some(0))
    );
    let limits = whole["limits"].as_array().expect("limits");
    assert!(limits.iter().any(|row| row["of_unit"] == "M1"), "what still fits stays");
    let back = json!({"note": "放宽"});
    app.post(&root, "/api/v1/rule-sets/2/roll-back", &back).expect(201);
    assert_eq!(loan_days(app, "B1"), 21, "they fit again");
}

fn a_main_keeps_its_rules_when_the_network_changes_its_own(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let manager = app.staff("unit_manager", "M1");
    published(app, &root, None, &changed(app, THIRTY, THIRTY, OPEN));
    let january = draft(
        app,
        &root,
        None,
        &changed(app, "hold_shelf_days = 7", "hold_shelf_days = 5", OPEN),
    );
    let from = app.clock.now() + TimeDelta::days(30);
    publish(app, &root, &january, &json!({"effective_from": from})).expect(201);
    let version = published(app, &manager, Some("M1"), OWN);
    let says = |unit: &str| {
        let told = explained(app, unit);
        let terms = (
            told["terms"]["loan_days"].clone(),
            told["terms"]["hold_shelf_days"].clone(),
        );
        (terms.0, terms.1, told["rules_version"].clone())
    };
    assert_eq!(says("B1"), (json!(21), json!(7), json!(version)));
    app.clock.set(from);
    assert_eq!(says("B1"), (json!(21), json!(5), json!(3)));
    assert_eq!(says("B2"), (json!(30), json!(5), json!(3)));
}

fn a_loan_keeps_its_due_date_whatever_the_rules_become(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let (desk, (reader, card)) = (app.staff("librarian", "B1"), app.reader("adult", "B1"));
    let loan = lend(app, &desk, &card);
    published(app, &root, None, &changed(app, THIRTY, "loan_days = 21", ""));
    let path = format!("/api/v1/readers/{reader}/loans");
    assert_eq!(
        app.get(&root, &path).expect(200).body["items"][0]["due_at"],
        loan["due_at"]
    );
    // The rules in force judge the renewal.
    let renewed = changed(app, "renewal_days = 30", "renewal_days = 7", "");
    published(app, &root, None, &renewed);
    later(app, 1);
    let desk = app.staff("librarian", "B1");
    let renew = format!("/api/v1/loans/{}/renewals", loan["id"]);
    let after = app.post(&desk, &renew, &json!({})).expect(200).body["loan"].clone();
    assert_eq!(due_day(&after) - due_day(&loan), TimeDelta::days(7));
}

fn a_published_document_comes_out_as_it_went_in(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let toml = format!("# 2026 年试行\r\n{}", changed(app, THIRTY, "loan_days = 21", OPEN));
    assert_eq!(published(app, &root, None, &toml), 2);
    assert_eq!(exported(app, 2), toml);
    let answer = app.get(&root, "/api/v1/rule-sets/2/toml").expect(200);
    assert_eq!(answer.header("content-type"), Some("application/toml"));
    let own = |query: &str| app.get(&root, &format!("/api/v1/rule-sets/2/toml{query}"));
    assert!(
        own("?unit_code=M1").expect(200).bytes.is_empty(),
        "M1 has no rules of its own"
    );
    own("?unit_code=X").expect_fields(422, &["unit_code"]);
    app.get(&root, "/api/v1/rule-sets/9/toml").expect(404);
}

fn a_publication_sent_twice_publishes_once(app: &TestApp) {
    let root = app.root_token();
    let (id, tag) = draft(app, &root, None, &changed(app, THIRTY, "loan_days = 21", ""));
    let send = || {
        let request = app.request("POST", &format!("/api/v1/rule-drafts/{id}/publication"));
        let request = request.bearer(&root).header("If-Match", &tag).key("k-1");
        request.json(&json!({})).send().expect(201)
    };
    let (first, second) = (send(), send());
    assert_eq!(first.body, second.body);
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(
        app.get(&root, "/api/v1/rule-sets").expect(200).body["items"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

fn events_say_who_changed_what(app: &TestApp) {
    let root = app.root_token();
    published(app, &root, None, &changed(app, THIRTY, "loan_days = 21", ""));
    app.post(&root, "/api/v1/rule-sets/1/roll-back", &json!({"note": "王老师说太短"}))
        .expect(201);
    let mut outside = app.database.outside();
    let about = |what: &str| format!("kind = 'rules_changed' AND detail LIKE '%{what}%'");
    for (what, count) in [
        ("draft_created", 1),
        ("published", 1),
        ("rolled_back", 1),
        ("王老师", 0),
        ("太短", 0),
    ] {
        let sql = format!("SELECT count(*) AS n FROM events WHERE {}", about(what));
        assert_eq!(outside.number(&sql), count, "{what}");
    }
    let by = "SELECT count(*) AS n FROM events e JOIN event_personal p ON p.seq = e.seq \
        WHERE e.kind = 'rules_changed' AND p.staff_id IS NOT NULL";
    assert_eq!(outside.number(by), 3, "who did it can be erased");
}
