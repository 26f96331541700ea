//! What a draft would change, looked at before it is published.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::rule_sets::{OPEN, changed, draft, published};

on_both!(
    loans_are_shown_before_and_after,
    a_preview_is_of_loans_the_caller_answers_for,
    a_matrix_shows_who_would_be_granted_what,
    what_cannot_be_previewed_is_told,
);

/// One loan of an adult at B1 and one at B2; answers their numbers, the first one's card.
fn two_loans(app: &TestApp) -> ([i64; 2], String) {
    app.small_network();
    let mut cards = Vec::new();
    let loans = ["B1", "B2"].map(|unit| {
        let desk = app.staff("librarian", unit);
        let (_, card) = app.reader("adult", unit);
        let (_, barcode) = app.item(app.bib("三国演义", None), unit, &json!({}));
        let body = json!({"item_barcode": barcode, "card_number": card});
        cards.push(card);
        let loan = app.post(&desk, "/api/v1/check-outs", &body).expect(201).body["loan"].clone();
        loan["id"].as_i64().expect("an id")
    });
    (loans, cards.swap_remove(0))
}

fn loans_are_shown_before_and_after(app: &TestApp) {
    let (loans, card) = two_loans(app);
    let root = app.root_token();
    let text = changed(
        app,
        "loan_days = 30\nrenewable = true\nrenewals = 1",
        "loan_days = 14\nrenewable = true\nrenewals = 0",
        "",
    );
    let (id, _) = draft(app, &root, None, &text);
    let see = |query: &str| {
        app.get(&root, &format!("/api/v1/rule-drafts/{id}/loan-preview{query}"))
            .expect(200)
            .body
    };
    let all = see("");
    assert_eq!(numbers(&all), loans);
    let one = &all["items"][0];
    let days = |side: &str| one[side]["terms"]["loan_days"].clone();
    assert_eq!(
        (days("before"), days("after"), &one["differs"]),
        (json!(30), json!(14), &json!(true))
    );
    assert_eq!(
        (&one["due_at"], &one["before"]["first_due_at"]),
        (&one["before"]["first_due_at"], &one["due_at"])
    );
    assert_ne!(one["before"]["first_due_at"], one["after"]["first_due_at"]);
    assert_eq!(one["before"]["renewal_refusals"], json!([]));
    assert_eq!(one["after"]["renewal_refusals"], json!(["renewal_limit"]));
    let counted = json!([{"act": "renewal", "code": "renewal_limit", "before_count": 0, "after_count": 2}]);
    assert_eq!(all["refusal_counts"], counted);
    assert_eq!(numbers(&see(&format!("?card_number={card}"))), loans[..1]);
    assert_eq!(numbers(&see("?unit_code=M2")), loans[1..]);
    assert_eq!(
        numbers(&see(&format!("?loan_ids={},{}", loans[1], 999_999))),
        loans[1..]
    );
    let first = see("?limit=1");
    assert_eq!(numbers(&first), loans[..1]);
    let next = first["next_cursor"].as_str().expect("another page").to_owned();
    let second = see(&format!("?limit=1&cursor={next}"));
    assert_eq!(
        (numbers(&second), second["next_cursor"].is_null()),
        (loans[1..].to_vec(), true)
    );
    // Looking changed nothing.
    assert_eq!(see(""), all);
}

pub fn numbers(page: &Value) -> Vec<i64> {
    let items = page["items"].as_array().expect("loans");
    items.iter().filter_map(|loan| loan["loan_id"].as_i64()).collect()
}

fn a_preview_is_of_loans_the_caller_answers_for(app: &TestApp) {
    let (loans, _) = two_loans(app);
    let root = app.root_token();
    published(
        app,
        &root,
        None,
        &changed(app, "loan_days = 30", "loan_days = 30", OPEN),
    );
    let manager = app.staff("unit_manager", "M1");
    let own = "[[terms]]\nwhen = { unit = \"M1\" }\nloan_days = 21\n";
    let (id, _) = draft(app, &manager, Some("M1"), own);
    let see = |query: &str| app.get(&manager, &format!("/api/v1/rule-drafts/{id}/loan-preview{query}"));
    let mine = see("").expect(200).body;
    assert_eq!(numbers(&mine), loans[..1]);
    assert_eq!(mine["items"][0]["after"]["terms"]["loan_days"], 21);
    assert_eq!(
        numbers(&see(&format!("?loan_ids={}", loans[1])).expect(200).body),
        [0_i64; 0]
    );
    see("?unit_code=M2").expect_problem(403, "forbidden");
    let other = app.staff("unit_manager", "M2");
    app.get(&other, &format!("/api/v1/rule-drafts/{id}/loan-preview"))
        .expect_problem(403, "forbidden");
    let theirs = app.get(&other, "/api/v1/rule-drafts").expect(200).body;
    assert_eq!(theirs["items"], json!([]));
    assert_eq!(
        app.get(&manager, "/api/v1/rule-drafts").expect(200).body["items"][0]["id"],
        id
    );
}

fn a_matrix_shows_who_would_be_granted_what(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let limit = "[[limit]]\nwhen = { unit = \"B1\", category = \"child\" }\nkind = \"loans\"\nmax = 2\n";
    let (id, _) = draft(
        app,
        &root,
        None,
        &changed(app, "loan_days = 30", "loan_days = 21", limit),
    );
    let see = |query: &str| app.get(&root, &format!("/api/v1/rule-drafts/{id}/matrix{query}"));
    let cells = see("?categories=adult,child&item_types=book,av&unit_codes=B1,B2")
        .expect(200)
        .body["cells"]
        .clone();
    assert_eq!(cells.as_array().map(Vec::len), Some(8));
    let query = "?categories=adult,child&item_types=book,av&unit_codes=B1,B2&differing_only=true";
    let cells = see(query).expect(200).body["cells"].clone();
    let cells = cells.as_array().expect("cells");
    let told: Vec<String> = cells
        .iter()
        .map(|cell| format!("{} {} {}", cell["unit_code"], cell["category"], cell["item_type"]).replace('"', ""))
        .collect();
    assert_eq!(
        told,
        [
            "B1 adult book",
            "B1 child book",
            "B1 child av",
            "B2 adult book",
            "B2 child book"
        ]
    );
    let loans = |cell: &Value, side: &str| {
        let maxima = cell[side]["limit_maxima"].as_array().expect("limits").clone();
        maxima.iter().find(|one| one["kind"] == "loans").expect("one")["max"].clone()
    };
    assert_eq!(
        (loans(&cells[1], "before"), loans(&cells[1], "after")),
        (json!(10), json!(2))
    );
    assert_eq!(
        see("").expect(200).body["cells"].as_array().map(Vec::len),
        Some(64),
        "the root, all categories and types"
    );
}

fn what_cannot_be_previewed_is_told(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let (good, _) = draft(app, &root, None, &changed(app, "loan_days = 30", "loan_days = 21", ""));
    let (bad, _) = draft(app, &root, None, "");
    let see = |id: i64, rest: &str| app.get(&root, &format!("/api/v1/rule-drafts/{id}/{rest}"));
    see(bad, "loan-preview").expect_fields(422, &["toml"]);
    see(bad, "matrix").expect_fields(422, &["toml"]);
    see(9_999, "matrix").expect_problem(404, "not_found");
    see(good, "loan-preview?loan_ids=1,x").expect_fields(422, &["loan_ids"]);
    see(good, "loan-preview?loan_ids=1&unit_code=B1").expect_fields(422, &["loan_ids"]);
    see(good, "loan-preview?card_number=nobody").expect_fields(422, &["card_number"]);
    see(good, "loan-preview?unit_code=X").expect_fields(422, &["unit_code"]);
    see(good, "matrix?unit_codes=X&categories=king&channel=smoke")
        .expect_fields(422, &["unit_codes", "categories", "channel"]);
    let units = ["M1", "M2", "B1", "B2", "C1"].join(",");
    let many: Vec<&str> = std::iter::repeat_n(units.as_str(), 4).collect();
    let too_many = format!("matrix?unit_codes={}", many.join(","));
    see(good, &too_many).expect_fields(422, &["unit_codes"]);
    let roles = ["cataloguer", "courier", "auditor", "read_only", "cashier"];
    for role in roles {
        app.get(&app.staff(role, "M1"), &format!("/api/v1/rule-drafts/{good}/matrix"))
            .expect_problem(403, "forbidden");
    }
}
