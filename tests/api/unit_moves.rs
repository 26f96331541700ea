//! A unit is moved in the tree: what follows it, who may, where it cannot stand, and two at once.

use serde_json::{Value, json};
use tongjie::usecase::check::check;
use tongjie::usecase::progress::Silent;

use crate::app::{ROOT, TestApp};
use crate::client::Answer;

on_both!(
    a_unit_moves_with_everything_below_it_and_inherits_from_there,
    loans_due_on_a_day_that_is_closed_there_move_to_the_next_open_one,
    both_places_must_be_the_callers,
    a_unit_is_not_moved_where_it_cannot_stand,
    the_same_key_moves_once_and_there_already_is_no_move,
    moves_and_new_units_at_once_leave_one_tree,
    two_item_types_put_below_each_other_at_once_make_no_circle,
);

fn moved(app: &TestApp, token: &str, code: &str, parent: &str) -> Answer {
    let path = format!("/api/v1/units/{code}/moves");
    app.post(token, &path, &json!({"parent_code": parent}))
}

fn unit(app: &TestApp, code: &str) -> Value {
    app.get(&app.root_token(), &format!("/api/v1/units/{code}"))
        .expect(200)
        .body
}

/// The audit finds nothing.
fn assert_sound(app: &TestApp) {
    let findings = app.block_on(check(&app.app.store, &Silent)).expect("checked");
    let wrong: Vec<_> = findings.iter().filter(|one| one.violations > 0).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Of a unit, for books.
fn lends_away(unit: &Value) -> bool {
    let rows = unit["membership"].as_array().expect("rows");
    let books = rows.iter().find(|row| row["item_type"] == "book").expect("books");
    books["lend_away"].as_bool().expect("said")
}

fn a_unit_moves_with_everything_below_it_and_inherits_from_there(app: &TestApp) {
    app.small_network();
    app.unit("P1", "point", "B1", &json!({"always_open": true}));
    let apart = json!([{"lend_away": false, "return_away": true, "readers_away": false}]);
    app.unit("M3", "main", ROOT, &json!({"membership": apart}));
    let (before, after) = (app.staff("unit_manager", "M1"), app.staff("unit_manager", "M3"));
    let rename = |token: &str, code: &str| {
        let request = app.request("PATCH", &format!("/api/v1/units/{code}")).bearer(token);
        request.json(&json!({"name": "新址"})).send()
    };
    rename(&before, "P1").expect(200);
    rename(&after, "P1").expect_problem(403, "forbidden");
    let answer = moved(app, &app.root_token(), "B1", "M3").expect(200).body;
    assert_eq!((&answer["moved_units"], &answer["moved_loans"]), (&json!(2), &json!(0)));
    assert_eq!(
        (&answer["unit"]["parent_code"], &answer["unit"]["code"]),
        (&json!("M3"), &json!("B1"))
    );
    assert!(!lends_away(&answer["unit"]), "{answer}");
    for (code, parent, away) in [
        ("B1", "M3", false),
        ("P1", "B1", false),
        ("M1", "C1", true),
        ("B2", "M2", true),
    ] {
        let unit = unit(app, code);
        assert_eq!(
            (unit["parent_code"].as_str(), lends_away(&unit)),
            (Some(parent), away),
            "{unit}"
        );
    }
    let below = app.get(&app.root_token(), "/api/v1/units?parent=M3").expect(200).body;
    assert_eq!(below["items"][0]["code"], "B1");
    rename(&before, "P1").expect_problem(403, "forbidden");
    rename(&after, "P1").expect(200);
    // Where it came from nothing of it is left.
    app.unit("B3", "branch", "M1", &json!({}));
    assert_sound(app);
}

fn loans_due_on_a_day_that_is_closed_there_move_to_the_next_open_one(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (reader, card) = app.reader("adult", "B1");
    let (_, barcode) = app.item(app.bib("A", None), "B1", &json!({}));
    let body = json!({"card_number": card, "item_barcode": barcode});
    app.post(&desk, "/api/v1/check-outs", &body).expect(201);
    let due = || {
        let loans = app.get(&app.root_token(), &format!("/api/v1/readers/{reader}/loans"));
        loans.expect(200).body["items"][0]["due_at"].as_str().expect("a moment")[..10].to_owned()
    };
    let day = due();
    let next = day
        .parse::<chrono::NaiveDate>()
        .expect("a day")
        .succ_opt()
        .expect("another");
    let days = json!({"closed_days": [{"first": day, "last": day, "reason": "检修"}]});
    app.post(&app.root_token(), "/api/v1/units/M2/closed-days", &days)
        .expect(200);
    let answer = moved(app, &app.root_token(), "B1", "M2").expect(200).body;
    assert_eq!(
        (&answer["moved_loans"], &answer["loans"][0]["due_day"]),
        (&json!(1), &json!(day))
    );
    assert_eq!(due(), next.to_string());
    let answer = moved(app, &app.root_token(), "B1", "M1").expect(200).body;
    assert_eq!(answer["moved_loans"], 0);
    assert_eq!(due(), next.to_string(), "readers were told");
    assert_sound(app);
}

fn both_places_must_be_the_callers(app: &TestApp) {
    app.small_network();
    app.unit("C2", "central", ROOT, &json!({}));
    for (role, place) in [
        ("unit_manager", "M1"),
        ("unit_manager", "M2"),
        ("librarian", "C1"),
        ("system", "C2"),
    ] {
        moved(app, &app.staff(role, place), "B1", "M2").expect_problem(403, "forbidden");
    }
    // Its own unit is a thing of the place above.
    moved(app, &app.staff("unit_manager", "M1"), "M1", "C1").expect_problem(403, "forbidden");
    let director = app.staff("unit_manager", "C1");
    moved(app, &director, "M1", "C2").expect_problem(403, "forbidden");
    moved(app, &director, "B1", "M2").expect(200);
}

fn a_unit_is_not_moved_where_it_cannot_stand(app: &TestApp) {
    app.small_network();
    app.unit("P1", "point", "B1", &json!({}));
    let root = app.root_token();
    for (code, parent) in [
        (ROOT, "C1"),
        (ROOT, ROOT),
        ("M1", "B1"),
        ("M1", "M1"),
        ("M1", "M2"),
        ("C1", "M1"),
        ("B1", ROOT),
        ("B1", "B2"),
        ("P1", ROOT),
        ("B1", "P1"),
        ("B1", "B9"),
    ] {
        let answer = moved(app, &root, code, parent);
        assert_eq!(answer.status, 422, "{code} under {parent}: {answer:?}");
        answer.expect_fields(422, &["parent_code"]);
    }
    moved(app, &root, "B9", "M1").expect_problem(404, "not_found");
    app.post(&root, "/api/v1/units/B1/moves", &json!({}))
        .expect_fields(400, &["parent_code"]);
    assert_eq!(unit(app, "M1")["parent_code"], "C1");
    moved(app, &root, "P1", "C1").expect(200);
    moved(app, &root, "M1", ROOT).expect(200);
    assert_sound(app);
}

fn the_same_key_moves_once_and_there_already_is_no_move(app: &TestApp) {
    app.small_network();
    let keyed = || {
        let request = app
            .request("POST", "/api/v1/units/B1/moves")
            .bearer(&app.root_token())
            .key("k");
        request.json(&json!({"parent_code": "M2"})).send()
    };
    let first = keyed().expect(200).body;
    moved(app, &app.root_token(), "B1", "M1").expect(200);
    let again = keyed().expect(200);
    assert_eq!(
        (again.header("idempotency-replayed"), &again.body),
        (Some("true"), &first)
    );
    assert_eq!(unit(app, "B1")["parent_code"], "M1");
    assert_eq!(
        moved(app, &app.root_token(), "B1", "M1").expect(200).body["moved_units"],
        0
    );
}

fn moves_and_new_units_at_once_leave_one_tree(app: &TestApp) {
    const ROUNDS: usize = 6;
    app.small_network();
    app.unit("C2", "central", ROOT, &json!({}));
    let token = app.root_token();
    std::thread::scope(|scope| {
        for (code, places) in [
            ("M1", ["C2", ROOT, "C1"]),
            ("M2", [ROOT, "C1", "C2"]),
            ("B1", ["M2", "C1", "M1"]),
            ("B2", ["M1", "M2", "C2"]),
        ] {
            let token = &token;
            scope.spawn(move || {
                for place in places.iter().cycle().take(ROUNDS) {
                    moved(app, token, code, place).expect(200);
                }
            });
        }
        for parent in ["M1", "B1"] {
            let token = &token;
            scope.spawn(move || {
                for n in 0..ROUNDS {
                    let body =
                        json!({"code": format!("{parent}-P{n}"), "name": "点", "kind": "point", "parent_code": parent});
                    app.post(token, "/api/v1/units", &body).expect(201);
                }
            });
        }
    });
    for (code, parent) in [
        ("M1", "C1"),
        ("M2", "C2"),
        ("B1", "M1"),
        ("B2", "C2"),
        ("B1-P3", "B1"),
        ("M1-P0", "M1"),
    ] {
        assert_eq!(unit(app, code)["parent_code"], parent, "{code}");
    }
    // The paths in the database are what the tree is made of, so this has read every one of them.
    assert_sound(app);
}

fn two_item_types_put_below_each_other_at_once_make_no_circle(app: &TestApp) {
    let token = app.root_token();
    let put = |code: &str, parent: Option<&str>| {
        let body = json!({"name_zh": code, "name_en": code, "parent": parent});
        let request = app.request("PUT", &format!("/api/v1/item-types/{code}")).bearer(&token);
        request.json(&body).send()
    };
    for round in 0..8 {
        let (one, other) = (format!("one{round}"), format!("other{round}"));
        put(&one, None).expect(200);
        put(&other, None).expect(200);
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| put(&one, Some(&other)));
            let second = scope.spawn(|| put(&other, Some(&one)));
            (first.join().expect("answered"), second.join().expect("answered"))
        });
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 422], "{first:?} {second:?}");
    }
}
