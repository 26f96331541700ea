//! Who looked at a reader, for which reason; and what readers agree to.

use serde_json::{Value, json};

use crate::app::TestApp;

on_both!(
    what_was_borrowed_before_is_shown_for_a_right_and_a_reason,
    a_reader_sees_who_looked,
    a_consent_is_given_replaced_and_withdrawn,
    a_consent_to_nothing_known_is_refused,
);

struct Scene {
    reader: i64,
    token: String,
    desk: String,
}

/// A reader who has returned a book.
fn scene(app: &TestApp) -> Scene {
    app.small_network();
    let (reader, card) = app.reader("adult", "B1");
    let desk = app.staff("librarian", "B1");
    let (_, barcode) = app.item(app.bib("三国演义", None), "B1", &json!({}));
    let out = json!({"item_barcode": barcode, "card_number": card});
    app.post(&desk, "/api/v1/check-outs", &out).expect(201);
    app.post(&desk, "/api/v1/check-ins", &json!({"item_barcode": barcode}))
        .expect(200);
    Scene {
        reader,
        token: app.reader_token(&card),
        desk,
    }
}

fn looks(app: &TestApp, scene: &Scene) -> Vec<Value> {
    let page = app.get(&scene.token, "/api/v1/me/accesses").expect(200).body;
    page["items"].as_array().expect("items").clone()
}

fn what_was_borrowed_before_is_shown_for_a_right_and_a_reason(app: &TestApp) {
    let scene = scene(app);
    let manager = app.staff("unit_manager", "B1");
    for list in ["loans", "holds"] {
        let path = |query: &str| format!("/api/v1/readers/{}/{list}{query}", scene.reader);
        app.get(&scene.desk, &path("")).expect(200);
        app.get(&scene.desk, &path("?status=all&reason=asked"))
            .expect_problem(403, "forbidden");
        app.get(&manager, &path("?status=all")).expect_fields(422, &["reason"]);
        app.get(&manager, &path("?status=all&reason="))
            .expect_fields(400, &["reason"]);
        app.get(&manager, &path("?status=all&reason=asked")).expect(200);
        // Readers need none for themselves.
        app.get(&scene.token, &path("?status=all")).expect(200);
    }
    let events = "SELECT count(*) AS n FROM events e JOIN event_personal p ON p.seq = e.seq \
        WHERE e.kind = 'history_read' AND p.reader_id IS NOT NULL AND p.staff_id IS NOT NULL \
        AND p.data LIKE '%asked%' AND e.visit_id IS NULL AND e.detail NOT LIKE '%asked%'";
    assert_eq!(app.database.outside().number(events), 2);
    // Nobody is looked up who is not there, and no look is kept.
    app.get(&manager, "/api/v1/readers/1/loans?status=all&reason=asked")
        .expect_problem(404, "not_found");
    assert_eq!(
        looks(app, &scene)
            .iter()
            .filter(|look| look["what"] == "history")
            .count(),
        2
    );
    app.assert_sound();
}

fn a_reader_sees_who_looked(app: &TestApp) {
    let scene = scene(app);
    assert!(looks(app, &scene).is_empty());
    let path = format!("/api/v1/readers/{}", scene.reader);
    for _ in 0..2 {
        app.get(&scene.desk, &path).expect(200);
        app.get(&scene.desk, &format!("{path}/loans")).expect(200);
    }
    app.get(&scene.token, &path).expect(200);
    app.tick();
    let history = format!("{path}/loans?status=all&reason=%E6%A0%B8%E5%AF%B9");
    app.get(&app.root_token(), &history).expect(200);
    let seen = looks(app, &scene);
    let told: Vec<(&str, &str, &Value)> = seen
        .iter()
        .map(|look| {
            let text = |name: &str| look[name].as_str().expect("words");
            (text("what"), text("unit_code"), &look["reason"])
        })
        .collect();
    assert_eq!(
        told,
        [
            ("history", "network", &json!("核对")),
            ("loans", "B1", &Value::Null),
            ("record", "B1", &Value::Null),
        ],
        "once a day for each kind of look"
    );
    assert_eq!(seen[1]["staff_name"], "王老师");
    let first = app.get(&scene.token, "/api/v1/me/accesses?limit=2").expect(200).body;
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let second = app.get(&scene.token, &format!("/api/v1/me/accesses?limit=2&cursor={cursor}"));
    assert_eq!(second.expect(200).body["items"][0]["what"], "record");
    // The next day is another one.
    app.clock.set(app.clock.now() + chrono::TimeDelta::days(1));
    app.get(&app.staff("librarian", "B1"), &path).expect(200);
    let card = app.get(&app.root_token(), &path).expect(200).body["cards"][0]["number"].clone();
    let again = Scene {
        token: app.reader_token(card.as_str().expect("a number")),
        ..scene
    };
    assert_eq!(looks(app, &again).len(), 5, "a librarian and the system user");
}

fn a_consent_is_given_replaced_and_withdrawn(app: &TestApp) {
    let scene = scene(app);
    let give = |version: &str| {
        let body = json!({"kind": "research", "text_version": version});
        app.post(&scene.token, "/api/v1/me/consents", &body).expect(201).body
    };
    let first = give("2026-01");
    assert_eq!(give("2026-01")["id"], first["id"], "the same again changes nothing");
    let second = give("2026-02");
    let listed = app.get(&scene.token, "/api/v1/me/consents").expect(200).body;
    let open: Vec<&Value> = listed["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter(|consent| consent["withdrawn_at"].is_null())
        .collect();
    assert_eq!((open.len(), &open[0]["id"]), (1, &second["id"]));
    let withdraw = || {
        let path = "/api/v1/me/consents/research";
        app.request("DELETE", path).bearer(&scene.token).send()
    };
    assert_eq!(withdraw().expect(200).body["withdrawn_at"], "2026-03-04T04:00:00Z");
    withdraw().expect_problem(404, "not_found");
    let told = "SELECT count(*) AS n FROM events WHERE kind IN ('consent_given', 'consent_withdrawn')";
    assert_eq!(app.database.outside().number(told), 3);
    // Another reader's are another's.
    let (_, other) = app.reader("adult", "B1");
    let theirs = app
        .get(&app.reader_token(&other), "/api/v1/me/consents")
        .expect(200)
        .body;
    assert_eq!(theirs["items"], json!([]));
    app.assert_sound();
}

fn a_consent_to_nothing_known_is_refused(app: &TestApp) {
    let scene = scene(app);
    let ask = |body: Value| app.post(&scene.token, "/api/v1/me/consents", &body);
    ask(json!({"kind": "everything", "text_version": "1"})).expect_fields(422, &["kind"]);
    ask(json!({"kind": "research"})).expect_fields(400, &["text_version"]);
    ask(json!({"kind": "research", "text_version": ""})).expect_fields(400, &["text_version"]);
    let path = "/api/v1/me/consents/everything";
    app.request("DELETE", path)
        .bearer(&scene.token)
        .send()
        .expect_fields(422, &["kind"]);
    app.post(
        &scene.desk,
        "/api/v1/me/consents",
        &json!({"kind": "research", "text_version": "1"}),
    )
    .expect_problem(403, "forbidden");
}
