//! What readers do alone: their own loans and holds, and nobody else's.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::client::Answer;

on_both!(
    a_reader_sees_and_renews_its_own_loans_only,
    the_portal_decides_as_the_desk_does_and_says_where_it_was_asked,
    a_reader_places_sees_and_cancels_its_own_holds_only,
    own_loans_and_holds_come_in_pages,
    staff_and_machines_have_no_portal,
);

/// Two readers of B1.
struct Town {
    desk: String,
    card: String,
    token: String,
    other_card: String,
    other: String,
}

fn town(app: &TestApp) -> Town {
    app.small_network();
    let (_, card) = app.reader("adult", "B1");
    let (_, other_card) = app.reader("adult", "B1");
    Town {
        desk: app.staff("librarian", "B1"),
        token: app.reader_token(&card),
        card,
        other: app.reader_token(&other_card),
        other_card,
    }
}

/// A new book goes to a reader; answers its bib and the loan.
fn lend(app: &TestApp, desk: &str, card: &str) -> (i64, i64) {
    let bib = app.bib("三国演义", None);
    let (_, barcode) = app.item(bib, "B1", &json!({}));
    let body = json!({"item_barcode": barcode, "card_number": card});
    let lent = app.post(desk, "/api/v1/check-outs", &body).expect(201);
    (bib, lent.body["loan"]["id"].as_i64().expect("an id"))
}

fn ids(page: &Value) -> Vec<i64> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["id"].as_i64().expect("an id")).collect()
}

fn cancel(app: &TestApp, token: &str, hold: i64) -> Answer {
    let path = format!("/api/v1/me/holds/{hold}");
    app.request("DELETE", &path).bearer(token).send()
}

fn renewal(loan: i64) -> String {
    format!("/api/v1/me/loans/{loan}/renewals")
}

fn codes(answer: &Answer) -> Vec<&str> {
    let refusals = answer.body["refusals"].as_array().expect("refusals");
    refusals
        .iter()
        .map(|one| one["code"].as_str().expect("a code"))
        .collect()
}

fn a_reader_sees_and_renews_its_own_loans_only(app: &TestApp) {
    let town = town(app);
    let (_, own) = lend(app, &town.desk, &town.card);
    let (_, others) = lend(app, &town.desk, &town.other_card);
    let mine = app.get(&town.token, "/api/v1/me/loans").expect(200).body;
    assert_eq!(ids(&mine), [own]);
    let renewed = app.post(&town.token, &renewal(own), &json!({})).expect(200).body;
    assert_eq!(renewed["loan"]["renewals"], 1);
    app.post(&town.token, &renewal(others), &json!({}))
        .expect_problem(404, "not_found");
    app.post(&town.token, &renewal(1), &json!({}))
        .expect_problem(404, "not_found");
    // What only staff may say is not even understood.
    app.post(&town.token, &renewal(own), &json!({"due_at": "2026-05-01T00:00:00Z"}))
        .expect_fields(400, &["due_at"]);
    let theirs = app.get(&town.other, "/api/v1/me/loans?status=all").expect(200).body;
    assert_eq!(
        (ids(&theirs), &theirs["items"][0]["renewals"]),
        (vec![others], &json!(0))
    );
    app.assert_sound();
}

fn the_portal_decides_as_the_desk_does_and_says_where_it_was_asked(app: &TestApp) {
    let town = town(app);
    let (bib, loan) = lend(app, &town.desk, &town.card);
    let wanted = json!({"bib_id": bib, "pickup_unit_code": "B1"});
    app.post(&town.other, "/api/v1/me/holds", &wanted).expect(201);
    let alone = app
        .post(&town.token, &renewal(loan), &json!({}))
        .expect_problem(409, "refused");
    let path = format!("/api/v1/loans/{loan}/renewals");
    let at_desk = app.post(&town.desk, &path, &json!({})).expect_problem(409, "refused");
    assert_eq!(codes(&alone), codes(&at_desk));
    assert_eq!(codes(&alone), ["wanted_by_others"]);
    assert!(alone.body["consent_token"].is_null(), "readers pass over nothing");
    // Twice for the same bib: the rules say no here, too.
    let again = app
        .post(&town.other, "/api/v1/me/holds", &wanted)
        .expect_problem(409, "refused");
    assert!(!codes(&again).is_empty());
    let told = app
        .database
        .outside()
        .number("SELECT count(*) AS n FROM events WHERE kind = 'hold_placed' AND channel = 'portal'");
    assert_eq!(told, 1);
}

fn a_reader_places_sees_and_cancels_its_own_holds_only(app: &TestApp) {
    let town = town(app);
    let (bib, _) = lend(app, &town.desk, &town.other_card);
    let wanted = json!({"bib_id": bib, "pickup_unit_code": "B1"});
    let place = |key: &str| {
        let request = app.request("POST", "/api/v1/me/holds").bearer(&town.token).key(key);
        request.json(&wanted).send()
    };
    let placed = place("once").expect(201);
    assert_eq!(place("once").expect(201).header("idempotency-replayed"), Some("true"));
    let hold = placed.body["hold"]["id"].as_i64().expect("an id");
    let mine = app.get(&town.token, "/api/v1/me/holds").expect(200).body;
    assert_eq!((ids(&mine), &mine["items"][0]["position"]), (vec![hold], &json!(1)));
    assert!(ids(&app.get(&town.other, "/api/v1/me/holds?status=all").expect(200).body).is_empty());
    cancel(app, &town.other, hold).expect_problem(404, "not_found");
    // For nobody else, whoever it is.
    let mut for_other = wanted.clone();
    for_other["card_number"] = town.other_card.clone().into();
    app.post(&town.token, "/api/v1/me/holds", &for_other)
        .expect_fields(400, &["card_number"]);
    assert_eq!(
        cancel(app, &town.token, hold).expect(200).body["hold"]["status"],
        "cancelled"
    );
    assert!(ids(&app.get(&town.token, "/api/v1/me/holds").expect(200).body).is_empty());
    let all = app.get(&town.token, "/api/v1/me/holds?status=all").expect(200).body;
    assert_eq!(ids(&all), [hold]);
    app.assert_sound();
}

fn own_loans_and_holds_come_in_pages(app: &TestApp) {
    let town = town(app);
    let loans: Vec<i64> = (0..3).map(|_| lend(app, &town.desk, &town.card).1).collect();
    let holds: Vec<i64> = (0..3)
        .map(|_| {
            let (bib, _) = lend(app, &town.desk, &town.other_card);
            let wanted = json!({"bib_id": bib, "pickup_unit_code": "B1"});
            let placed = app.post(&town.token, "/api/v1/me/holds", &wanted).expect(201);
            placed.body["hold"]["id"].as_i64().expect("an id")
        })
        .collect();
    for (path, expected) in [("/api/v1/me/loans", loans), ("/api/v1/me/holds", holds)] {
        let first = app.get(&town.token, &format!("{path}?limit=2")).expect(200).body;
        let cursor = first["next_cursor"].as_str().expect("there is more");
        let second = app
            .get(&town.token, &format!("{path}?limit=2&cursor={cursor}"))
            .expect(200)
            .body;
        assert!(second["next_cursor"].is_null());
        let mut seen = [ids(&first), ids(&second)].concat();
        seen.reverse();
        assert_eq!(seen, expected, "{path}");
    }
    app.get(&town.token, "/api/v1/me/loans?limit=0")
        .expect_fields(400, &["limit"]);
}

fn staff_and_machines_have_no_portal(app: &TestApp) {
    let town = town(app);
    let (_, loan) = lend(app, &town.desk, &town.card);
    for token in [town.desk.clone(), app.root_token()] {
        app.get(&token, "/api/v1/me/loans").expect_problem(403, "forbidden");
        app.post(&token, &renewal(loan), &json!({}))
            .expect_problem(403, "forbidden");
    }
}
