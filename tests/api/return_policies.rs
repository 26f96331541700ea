//! Return policies of units: who says what, what follows it, and the last place under a cap.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::client::Request;

on_both!(
    a_units_word_is_inherited_until_a_nearer_one_is_said,
    two_returns_at_once_share_the_last_place_under_a_cap,
    a_policy_that_is_none_is_refused,
    a_setting_that_was_changed_meanwhile_is_not_overwritten_unseen,
    a_check_out_pays_nothing_for_a_cap,
);

fn set(app: &TestApp, code: &str, body: &Value) -> Request {
    let token = app.root_token();
    let request = app.request("PUT", &format!("/api/v1/units/{code}/return-policy"));
    request.bearer(&token).json(body)
}

/// What a check-in at a unit says to do.
fn returned(app: &TestApp, desk: &str, barcode: &str) -> Value {
    app.post(desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200)
        .body["next_step"]["kind"]
        .clone()
}

fn a_units_word_is_inherited_until_a_nearer_one_is_said(app: &TestApp) {
    app.small_network();
    let collections = json!({"collections": [{"code": "any", "name": "普通", "return_policy": "as_unit"},
        {"code": "own", "name": "地方文献", "return_policy": "home"}]});
    app.unit("B3", "branch", "M1", &collections);
    let desk = app.staff("librarian", "M1");
    let copy = |extra: &Value| app.item(app.bib("三国演义", None), "B3", extra).1;
    let plain = || copy(&json!({}));
    assert_eq!(returned(app, &desk, &plain()), "crate", "nobody says anything: home");
    set(app, "C1", &json!({"return_policy": "float"})).send().expect(200);
    assert_eq!(returned(app, &desk, &plain()), "shelf_here");
    assert_eq!(
        returned(app, &desk, &copy(&json!({"collection_code": "any"}))),
        "shelf_here"
    );
    assert_eq!(returned(app, &desk, &copy(&json!({"collection_code": "own"}))), "crate");
    let shown = set(app, "M1", &json!({"return_policy": "home"}))
        .send()
        .expect(200)
        .body;
    assert_eq!(
        (&shown["return_policy"], &shown["return_policy_from_unit_code"]),
        (&json!("home"), &json!("M1"))
    );
    assert_eq!(returned(app, &desk, &plain()), "crate");
    set(app, "M1", &json!({})).send().expect(200);
    let shown = app.get(&app.root_token(), "/api/v1/units/B3").expect(200).body;
    assert_eq!(
        (&shown["return_policy"], &shown["return_policy_from_unit_code"]),
        (&json!("float"), &json!("C1"))
    );
    assert_eq!(returned(app, &desk, &plain()), "shelf_here");
    let listed = app
        .get(&app.root_token(), "/api/v1/units/B3/collections")
        .expect(200)
        .body;
    assert_eq!(listed["items"][0]["return_policy"], "as_unit");
    app.assert_sound();
}

fn a_check_out_pays_nothing_for_a_cap(app: &TestApp) {
    crate::distribution::network(app);
    let desk = app.staff("librarian", "M1");
    let lend = || {
        let (_, barcode) = app.item(app.bib("A", None), "M2", &json!({}));
        assert_eq!(returned(app, &desk, &barcode), "shelf_here");
        let (_, card) = app.reader("adult", "M1");
        let body = json!({"item_barcode": barcode, "card_number": card});
        app.post(&desk, "/api/v1/check-outs", &body).expect(201);
        let count = &app.app.store.stats().last_job_statements;
        count.load(std::sync::atomic::Ordering::Relaxed)
    };
    // Now and then a check-out also draws a block of numbers.
    let cheapest = || (0..6).map(|_| lend()).min();
    let float = json!({"return_policy": "float"});
    set(app, "M2", &float).send().expect(200);
    let free = cheapest();
    let capped = json!({"return_policy": "float_with_cap", "float_cap": 9});
    set(app, "M2", &capped).send().expect(200);
    assert_eq!(cheapest(), free);
}

fn two_returns_at_once_share_the_last_place_under_a_cap(app: &TestApp) {
    app.small_network();
    let capped =
        json!({"collections": [{"code": "f", "name": "漂流", "return_policy": "float_with_cap", "float_cap": 2}]});
    app.unit("B3", "branch", "M1", &capped);
    set(app, "B1", &json!({"return_policy": "float_with_cap", "float_cap": 1}))
        .send()
        .expect(200);
    let desk = app.staff("librarian", "M1");
    for (home, extra, cap) in [("B3", json!({"collection_code": "f"}), 2), ("B1", json!({}), 1)] {
        // Copies of different bibs: nothing but the count is shared.
        let copies: Vec<String> = (0..5).map(|_| app.item(app.bib("A", None), home, &extra).1).collect();
        let kinds: Vec<Value> = std::thread::scope(|scope| {
            let calls: Vec<_> = copies
                .iter()
                .map(|barcode| {
                    let request = app.request("POST", "/api/v1/check-ins").bearer(&desk);
                    let request = request.json(&json!({"item_barcode": barcode}));
                    scope.spawn(|| request.send().expect(200).body["next_step"]["kind"].clone())
                })
                .collect();
            calls.into_iter().map(|call| call.join().expect("no panic")).collect()
        });
        let stay = kinds.iter().filter(|kind| **kind == "shelf_here").count();
        assert_eq!(stay, cap, "of {home}: {kinds:?}");
    }
    app.assert_sound();
}

fn a_policy_that_is_none_is_refused(app: &TestApp) {
    app.small_network();
    set(app, "B1", &json!({"return_policy": "away"}))
        .send()
        .expect_fields(400, &["return_policy"]);
    set(app, "B1", &json!({"return_policy": "float_with_cap"}))
        .send()
        .expect_fields(422, &["float_cap"]);
    set(app, "B1", &json!({"return_policy": "float", "float_cap": 1}))
        .send()
        .expect_fields(422, &["float_cap"]);
    set(app, "B1", &json!({"float_cap": 1}))
        .send()
        .expect_fields(422, &["float_cap"]);
    set(app, "B1", &json!({"return_policy": "as_unit"}))
        .send()
        .expect_fields(400, &["return_policy"]);
    set(app, "B9", &json!({})).send().expect_problem(404, "not_found");
    let shown = app.get(&app.root_token(), "/api/v1/units/B1").expect(200).body;
    assert!(shown["return_policy_from_unit_code"].is_null(), "nothing was changed");
}

/// Return policy and sending of a unit: whoever says what they saw overwrites nothing else.
fn a_setting_that_was_changed_meanwhile_is_not_overwritten_unseen(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let policy = |name: &str| json!({"return_policy": name});
    let sends = |cap: u32| json!({"sends": true, "daily_cap": cap});
    for (seen_at, path, bodies) in [
        (
            "/api/v1/units/M1",
            "/api/v1/units/M1/return-policy",
            [policy("float"), policy("home"), policy("restricted")],
        ),
        (
            "/api/v1/units/M1/sending",
            "/api/v1/units/M1/sending",
            [sends(1), sends(2), sends(3)],
        ),
    ] {
        let tag = || {
            app.get(&root, seen_at)
                .expect(200)
                .header("etag")
                .expect("a tag")
                .to_owned()
        };
        let put = |seen: Option<&str>, body: &Value| {
            let request = app.request("PUT", path).bearer(&root).json(body);
            match seen {
                Some(tag) => request.header("If-Match", tag),
                None => request,
            }
        };
        let old = tag();
        let set = put(Some(&old), &bodies[0]).send().expect(200);
        let now = tag();
        assert_eq!(
            set.header("etag"),
            Some(now.as_str()),
            "{path}: the answer shows what is to be seen now"
        );
        assert_ne!(old, now);
        put(Some(&old), &bodies[1])
            .send()
            .expect_problem(412, "precondition_failed");
        assert_eq!(tag(), now, "{path}: nothing changed");
        put(Some("3"), &bodies[1]).send().expect_fields(400, &["If-Match"]);
        // Both saw the same, both write at once: one is told.
        let mut statuses: Vec<u16> = std::thread::scope(|scope| {
            let calls = [1, 2].map(|n| {
                let request = put(Some(&now), &bodies[n]);
                scope.spawn(move || request.send().status)
            });
            calls.map(|call| call.join().expect("no panic")).to_vec()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "{path}");
        // Without a word about it the last one counts.
        put(None, &bodies[0]).send().expect(200);
        assert_eq!(tag(), now, "{path}: the same again is the same version");
    }
    app.assert_sound();
}
