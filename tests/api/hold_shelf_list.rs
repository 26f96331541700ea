//! The list of the hold shelf: its numbers, their order, what is over, pages, who may see it, and arrivals at once.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tongjie::usecase::expire_holds::expire_holds;

use crate::app::TestApp;
use crate::client::Answer;

on_both!(
    the_hold_shelf_is_listed_by_number_page_by_page,
    a_number_is_free_again_after_the_pickup,
    what_is_over_leaves_the_list_and_is_to_be_cleared,
    a_unit_shows_its_hold_shelf_to_its_own_staff,
    copies_that_arrive_at_once_get_a_number_each,
    a_number_is_taken_over_only_by_one_of_those_who_arrive_at_once
);

/// A copy of M1 on loan, for which a reader waits at `unit`.
struct Awaited {
    barcode: String,
    hold: i64,
    card: String,
}

fn awaited(app: &TestApp, unit: &str) -> Awaited {
    let desk = app.staff("librarian", "M1");
    let bib = app.bib("水浒传", None);
    let (_, barcode) = app.item(bib, "M1", &json!({}));
    let (_, borrower) = app.reader("adult", "M1");
    let out = json!({"item_barcode": barcode, "card_number": borrower});
    app.post(&desk, "/api/v1/check-outs", &out).expect(201);
    let (_, card) = app.reader("adult", "M1");
    let hold = json!({"bib_id": bib, "pickup_unit_code": unit, "card_number": card});
    let placed = app.post(&desk, "/api/v1/holds", &hold).expect(201);
    let hold = placed.body["hold"]["id"].as_i64().expect("an id");
    Awaited { barcode, hold, card }
}

fn check_in(app: &TestApp, unit: &str, barcode: &str) -> Value {
    let desk = app.staff("librarian", unit);
    let body = json!({"item_barcode": barcode});
    app.post(&desk, "/api/v1/check-ins", &body).expect(200).body["next_step"].clone()
}

fn collect(app: &TestApp, unit: &str, awaited: &Awaited) -> Answer {
    let desk = app.staff("librarian", unit);
    let body = json!({"item_barcode": awaited.barcode, "card_number": awaited.card});
    app.post(&desk, "/api/v1/check-outs", &body).expect(201)
}

fn page(app: &TestApp, unit: &str, query: &str) -> Value {
    let path = format!("/api/v1/units/{unit}/hold-shelf{query}");
    app.get(&app.staff("librarian", unit), &path).expect(200).body
}

/// Numbers and holds, as listed.
fn shelf(app: &TestApp, unit: &str) -> Vec<(i64, i64)> {
    let listed = page(app, unit, "")["items"].as_array().expect("items").clone();
    let number = |row: &Value, name: &str| row[name].as_i64().expect("a number");
    listed
        .iter()
        .map(|row| (number(row, "shelf_number"), number(row, "hold_id")))
        .collect()
}

fn the_hold_shelf_is_listed_by_number_page_by_page(app: &TestApp) {
    app.small_network();
    // Placed in one order, arrived in the other: numbers go by arrival.
    let mut copies: Vec<Awaited> = (0..5).map(|_| awaited(app, "M1")).collect();
    copies.reverse();
    for copy in &copies {
        check_in(app, "M1", &copy.barcode);
    }
    let numbered: Vec<(i64, i64)> = (1..).zip(copies.iter().map(|copy| copy.hold)).collect();
    assert_eq!(shelf(app, "M1"), numbered);
    let first = page(app, "M1", "?limit=2");
    let row = &first["items"][0];
    assert_eq!(
        (&row["item_barcode"], &row["title"], row["reader_id"].is_i64()),
        (&json!(copies[0].barcode), &json!("水浒传"), true)
    );
    assert!(row["shelf_until"].as_str() > Some("2026-03-04"), "{row}");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    let mut pages = 0;
    loop {
        let some = page(app, "M1", &format!("?limit=2{cursor}"));
        let rows = some["items"].as_array().expect("items");
        assert!(rows.len() <= 2);
        seen.extend(rows.iter().filter_map(|row| row["shelf_number"].as_i64()));
        pages += 1;
        let Some(next) = some["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
        // A number behind the cursor that is given up meanwhile shifts nothing.
        if pages == 1 {
            collect(app, "M1", &copies[0]);
        }
    }
    assert_eq!((seen, pages), (vec![1, 2, 3, 4, 5], 3));
    app.assert_sound();
}

fn a_number_is_free_again_after_the_pickup(app: &TestApp) {
    app.small_network();
    let copies: Vec<Awaited> = (0..4).map(|_| awaited(app, "M1")).collect();
    for copy in &copies[..3] {
        check_in(app, "M1", &copy.barcode);
    }
    collect(app, "M1", &copies[1]);
    let holds = |numbers: &[(i64, usize)]| -> Vec<(i64, i64)> {
        numbers.iter().map(|(number, at)| (*number, copies[*at].hold)).collect()
    };
    assert_eq!(shelf(app, "M1"), holds(&[(1, 0), (3, 2)]));
    assert_eq!(check_in(app, "M1", &copies[3].barcode)["shelf_number"], 2);
    assert_eq!(shelf(app, "M1"), holds(&[(1, 0), (2, 3), (3, 2)]));
    app.assert_sound();
}

fn what_is_over_leaves_the_list_and_is_to_be_cleared(app: &TestApp) {
    app.small_network();
    let (old, young) = (awaited(app, "M1"), awaited(app, "M1"));
    check_in(app, "M1", &old.barcode);
    let until = page(app, "M1", "")["items"][0]["shelf_until"].clone();
    let last = format!("{}T04:00:00Z", until.as_str().expect("a day"));
    app.clock.set(last.parse().expect("a moment"));
    check_in(app, "M1", &young.barcode);
    app.clock.set(app.clock.now() + chrono::TimeDelta::days(1));
    // Its days are over, and nobody has seen to it yet.
    assert_eq!(shelf(app, "M1"), [(1, old.hold), (2, young.hold)]);
    assert_eq!(app.block_on(expire_holds(&app.app.store)).expect("runs"), 1);
    assert_eq!(shelf(app, "M1"), [(2, young.hold)]);
    let path = "/api/v1/units/M1/shelf-clearings";
    let clearings = app.get(&app.staff("librarian", "M1"), path).expect(200).body["items"].clone();
    assert_eq!(
        (
            &clearings[0]["shelf_number"],
            &clearings[0]["item_barcode"],
            &clearings[1]
        ),
        (&json!(1), &json!(old.barcode), &Value::Null)
    );
    app.assert_sound();
}

fn a_unit_shows_its_hold_shelf_to_its_own_staff(app: &TestApp) {
    app.small_network();
    let copy = awaited(app, "B1");
    assert_eq!(check_in(app, "M1", &copy.barcode)["kind"], "crate");
    assert_eq!(shelf(app, "B1"), [], "what is on its way has no number");
    check_in(app, "B1", &copy.barcode);
    assert_eq!((shelf(app, "B1"), shelf(app, "M1")), (vec![(1, copy.hold)], vec![]));
    let path = "/api/v1/units/B1/hold-shelf";
    // Of the units above, too; not of a sister.
    let above = app.get(&app.staff("unit_manager", "M1"), path).expect(200);
    assert_eq!(above.body["items"][0]["hold_id"], json!(copy.hold));
    for unit in ["M2", "B2"] {
        app.get(&app.staff("librarian", unit), path)
            .expect_problem(403, "forbidden");
    }
    for role in ["courier", "cashier", "read_only"] {
        app.get(&app.staff(role, "B1"), path).expect_problem(403, "forbidden");
    }
    app.get(&app.reader_token(&copy.card), path)
        .expect_problem(403, "forbidden");
    app.get(&app.root_token(), "/api/v1/units/nowhere/hold-shelf")
        .expect_problem(404, "not_found");
}

/// Scans all of them at once; answers their numbers.
fn arrive_at_once(app: &TestApp, copies: &[Awaited]) -> Vec<i64> {
    let desk = app.staff("librarian", "M1");
    std::thread::scope(|scope| {
        let scans: Vec<_> = copies
            .iter()
            .map(|copy| {
                let request = app.request("POST", "/api/v1/check-ins").bearer(&desk);
                let request = request.json(&json!({"item_barcode": copy.barcode}));
                scope.spawn(move || request.send().expect(200).body["next_step"]["shelf_number"].as_i64())
            })
            .collect();
        let numbers = scans.into_iter().map(|scan| scan.join().expect("no panic"));
        numbers.map(|number| number.expect("a number")).collect()
    })
}

fn copies_that_arrive_at_once_get_a_number_each(app: &TestApp) {
    app.small_network();
    let copies: Vec<Awaited> = (0..12).map(|_| awaited(app, "M1")).collect();
    let given = arrive_at_once(app, &copies);
    let numbers: BTreeSet<i64> = given.iter().copied().collect();
    assert_eq!(numbers, (1..=12).collect::<BTreeSet<i64>>());
    let answered: BTreeSet<(i64, i64)> = given.into_iter().zip(copies.iter().map(|copy| copy.hold)).collect();
    assert_eq!(shelf(app, "M1").into_iter().collect::<BTreeSet<_>>(), answered);
    app.assert_sound();
}

fn a_number_is_taken_over_only_by_one_of_those_who_arrive_at_once(app: &TestApp) {
    app.small_network();
    let mut copies: Vec<Awaited> = (0..8).map(|_| awaited(app, "M1")).collect();
    let late = copies.split_off(4);
    arrive_at_once(app, &copies);
    let desk = app.staff("librarian", "M1");
    // Four are collected while four arrive: whatever comes first, no number stands for two.
    std::thread::scope(|scope| {
        for copy in &copies {
            let request = app.request("POST", "/api/v1/check-outs").bearer(&desk);
            let body = json!({"item_barcode": copy.barcode, "card_number": copy.card});
            let request = request.json(&body);
            scope.spawn(move || request.send().expect(201));
        }
        arrive_at_once(app, &late);
    });
    let listed = shelf(app, "M1");
    let numbers: BTreeSet<i64> = listed.iter().map(|(number, _)| *number).collect();
    let holds: BTreeSet<i64> = listed.iter().map(|(_, hold)| *hold).collect();
    assert_eq!((numbers.len(), holds), (4, late.iter().map(|copy| copy.hold).collect()));
    app.assert_sound();
}
