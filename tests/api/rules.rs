//! Explaining the rules.

use serde_json::{Value, json};

use crate::app::TestApp;

on_both!(
    a_situation_is_explained,
    every_limit_is_told_with_its_count,
    what_is_missing_is_named
);

fn a_situation_is_explained(app: &TestApp) {
    app.small_network();
    let librarian = app.staff("librarian", "B1");
    let (_, card) = app.reader("adult", "B1");
    let (_, barcode) = app.item(app.bib("三国演义", None), "B1", &json!({}));
    let path = format!("/api/v1/rules/explain?card_number={card}&item_barcode={barcode}");
    let told = app.get(&librarian, &path).expect(200).body;
    assert_eq!(
        (&told["situation"]["unit_code"], &told["situation"]["channel"]),
        (&json!("B1"), &json!("desk"))
    );
    assert_eq!(
        (&told["situation"]["category"], &told["situation"]["item_type"]),
        (&json!("adult"), &json!("book"))
    );
    assert_eq!(told["terms"]["loan_days"], 30);
    let senior = "/api/v1/rules/explain?category=senior&item_type=book&owner_unit_code=B1";
    let senior = app.get(&librarian, senior).expect(200).body;
    let fates = |fate: &str| {
        senior["candidates"]
            .as_array()
            .expect("candidates")
            .iter()
            .filter(|row| row["fate"] == fate)
            .count()
    };
    assert_eq!(fates("won"), 1);
    assert!(fates("no_match") > 0 && fates("less_specific") > 0);
    let loans = told["limits"]
        .as_array()
        .expect("limits")
        .iter()
        .find(|row| row["tightest"] == true && row["kind"] == "loans");
    assert_eq!(loans.expect("a limit on loans")["count"], 0);
    let terms = &told["terms"];
    assert_eq!(
        [&terms["delivery_desk"], &terms["delivery_parcel"]],
        [&json!(true), &json!(true)]
    );
    assert_eq!(
        (&terms["delivery_clock"], &terms["delivery_parcel_days"]),
        (&json!("dispatch"), &json!(3))
    );
    let same = "/api/v1/rules/explain?category=adult&item_type=book&owner_unit_code=B1";
    assert_eq!(app.get(&librarian, same).expect(200).body["winner"], told["winner"]);
}

fn every_limit_is_told_with_its_count(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "M1");
    let (_, card) = app.reader("adult", "M1");
    let (wanted, lent) = (app.bib("三国演义", None), app.bib("水浒传", None));
    let (_, first) = app.item(wanted, "M1", &json!({}));
    let (_, second) = app.item(lent, "M1", &json!({}));
    let (_, other) = app.reader("adult", "M1");
    for (barcode, card) in [(&first, &other), (&second, &card)] {
        let out = json!({"item_barcode": barcode, "card_number": card});
        app.post(&desk, "/api/v1/check-outs", &out).expect(201);
    }
    let hold = json!({"bib_id": wanted, "pickup_unit_code": "M1", "card_number": card});
    app.post(&desk, "/api/v1/holds", &hold).expect(201);
    let path = format!("/api/v1/rules/explain?card_number={card}&item_barcode={first}");
    let limits = app.get(&desk, &path).expect(200).body["limits"].clone();
    let limits = limits.as_array().expect("limits");
    assert!(limits.iter().any(|row| !row["no_match"].is_null()), "some do not apply");
    for row in limits {
        let count = match row["kind"].as_str().expect("a kind") {
            "holds" | "holds_per_bib" | "holds_per_day" => 1,
            "overdue_loans" | "debt_fen" => 0,
            // What a limit counts may be another type than this loan's.
            _ => {
                assert!(row["count"] == 0 || row["count"] == 1, "{row}");
                continue;
            }
        };
        assert_eq!(row["count"], count, "{row}");
    }
    let in_all = |row: &&Value| row["kind"] == "loans" && row["count"] == 1;
    assert!(limits.iter().any(|row| in_all(&row)), "{limits:?}");
    let elsewhere = limits.iter().filter(|row| !row["no_match"].is_null());
    assert!(
        elsewhere
            .clone()
            .all(|row| row["passed"] == false && row["tightest"] == false)
    );
}

fn what_is_missing_is_named(app: &TestApp) {
    app.small_network();
    let librarian = app.staff("librarian", "B1");
    let get = |query: &str| app.get(&librarian, &format!("/api/v1/rules/explain?{query}"));
    get("category=adult").expect_fields(422, &["item_barcode"]);
    get("item_type=book&owner_unit_code=B1").expect_fields(422, &["card_number"]);
    get("category=adult&item_barcode=x").expect_fields(422, &["item_barcode"]);
    get("card_number=x&item_type=book&owner_unit_code=B1").expect_fields(422, &["card_number"]);
    get("category=king&item_type=book&owner_unit_code=B1").expect_fields(422, &["category"]);
    get("category=adult&item_type=book&owner_unit_code=B1&channel=smoke").expect_fields(422, &["channel"]);
    get("category=adult&item_type=book&owner_unit_code=B1&unit_code=B2").expect_problem(403, "forbidden");
    // Who may not see what a reader borrows and owes does not see it here.
    let (_, card) = app.reader("adult", "B1");
    let about = format!("/api/v1/rules/explain?card_number={card}&item_type=book&owner_unit_code=B1");
    for role in ["auditor", "read_only", "cataloguer", "cashier"] {
        app.get(&app.staff(role, "B1"), &about).expect_problem(403, "forbidden");
    }
    app.get(&app.staff("courier", "B1"), "/api/v1/rules/explain")
        .expect_problem(403, "forbidden");
}
