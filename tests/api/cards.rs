//! The life of cards: another one, lost, found, replaced, given another end, cancelled.

use serde_json::{Value, json};
use tongjie::domain::schedule::CARD_EXPIRY;
use tongjie::usecase::expire_cards::ExpireCards;
use tongjie::usecase::run_job::run_job;

use crate::app::TestApp;

on_both!(
    a_lost_card_opens_nothing_and_its_replacement_has_everything,
    a_card_that_turns_up_is_good_again,
    a_reader_reports_the_own_card_lost_and_no_other,
    what_a_new_card_needs_is_said_field_by_field,
    a_card_is_cancelled_only_when_nothing_is_open,
    a_card_expires_on_its_day_and_is_given_another_end,
    an_electronic_card_without_a_number_gets_one,
    an_act_that_the_cards_life_does_not_know_is_refused,
);

/// The id of the first card of a reader.
fn first_card(app: &TestApp, reader: i64) -> i64 {
    let shown = app
        .get(&app.root_token(), &format!("/api/v1/readers/{reader}"))
        .expect(200);
    shown.body["cards"][0]["id"].as_i64().expect("an id")
}

fn lend(app: &TestApp, desk: &str, card: &str) -> crate::client::Answer {
    let (_, barcode) = app.item(app.bib("西游记", None), "B1", &json!({}));
    app.post(
        desk,
        "/api/v1/check-outs",
        &json!({"item_barcode": barcode, "card_number": card}),
    )
}

fn codes(refused: &Value) -> String {
    refused["refusals"].to_string()
}

fn a_lost_card_opens_nothing_and_its_replacement_has_everything(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (reader, number) = app.reader("adult", "B1");
    lend(app, &desk, &number).expect(201);
    let card = first_card(app, reader);
    let path = format!("/api/v1/cards/{card}");
    let lost = app
        .post(&desk, &format!("{path}/loss"), &json!({"reason": "地铁上遗失"}))
        .expect(200)
        .body;
    assert_eq!(lost["status"], json!("lost"));
    let refused = lend(app, &desk, &number).expect_problem(409, "refused").body;
    assert!(codes(&refused).contains("card_lost"), "{refused}");
    let new = app
        .post(&desk, &format!("{path}/replacement"), &json!({"number": "NEW1"}))
        .expect(201)
        .body;
    assert_eq!((&new["replaces"], &new["reader_id"]), (&json!(card), &json!(reader)));
    lend(app, &desk, "NEW1").expect(201);
    let refused = lend(app, &desk, &number).expect_problem(409, "refused").body;
    assert!(codes(&refused).contains("card_replaced"), "{refused}");
    let shown = app.get(&desk, &format!("/api/v1/readers/{reader}")).expect(200).body;
    assert_eq!(shown["open_loans"], json!(2), "loans hang on the reader");
    assert_eq!(shown["cards"][0]["replaced_by"], new["card_id"]);
    app.post(&desk, &format!("{path}/replacement"), &json!({"number": "NEW2"}))
        .expect_problem(409, "wrong_state");
}

fn a_card_that_turns_up_is_good_again(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (reader, number) = app.reader("adult", "B1");
    let path = format!("/api/v1/cards/{}/loss", first_card(app, reader));
    app.post(&desk, &format!("{path}/end"), &json!({}))
        .expect_problem(409, "wrong_state");
    app.post(&desk, &path, &json!({})).expect(200);
    let found = app.post(&desk, &format!("{path}/end"), &json!({})).expect(200).body;
    assert_eq!(found["status"], json!("active"));
    lend(app, &desk, &number).expect(201);
}

fn a_reader_reports_the_own_card_lost_and_no_other(app: &TestApp) {
    app.small_network();
    let (reader, number) = app.reader("adult", "B1");
    let (other, _) = app.reader("adult", "B1");
    let token = app.reader_token(&number);
    let loss = |card: i64| app.post(&token, &format!("/api/v1/cards/{card}/loss"), &json!({}));
    loss(first_card(app, other)).expect_problem(404, "not_found");
    let card = first_card(app, reader);
    loss(card).expect(200);
    let end = format!("/api/v1/cards/{card}/loss/end");
    app.post(&token, &end, &json!({})).expect_problem(403, "forbidden");
}

fn what_a_new_card_needs_is_said_field_by_field(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (reader, number) = app.reader("adult", "B1");
    let path = format!("/api/v1/readers/{reader}/cards");
    let post = |body: Value| app.post(&desk, &path, &body);
    post(json!({"kind": "papyrus", "number": "X1"})).expect_fields(422, &["kind"]);
    post(json!({"kind": "physical"})).expect_fields(422, &["number"]);
    post(json!({"kind": "physical", "number": number})).expect_fields(422, &["number"]);
    post(json!({"kind": "physical", "number": "11010519491231002X"})).expect_fields(422, &["number"]);
    post(json!({"kind": "other_city", "number": "SZ1"})).expect_fields(422, &["issuer"]);
    post(json!({"kind": "physical", "number": "X1", "issuer": "苏州图书馆"})).expect_fields(422, &["issuer"]);
    post(json!({"kind": "physical", "number": "X1", "holder_name": "王老师"})).expect_fields(422, &["holder_name"]);
    post(json!({"kind": "physical", "number": "X1", "expires_on": "2026-03-03"})).expect_fields(422, &["expires_on"]);
    post(json!({"kind": "other_city", "number": "SZ1", "issuer": "苏州图书馆"})).expect(201);
    lend(app, &desk, "SZ1").expect(201);
    let (school, _) = app.reader("institution_200", "B1");
    let named = json!({"kind": "physical", "number": "SCH1", "holder_name": "王老师"});
    app.post(&desk, &format!("/api/v1/readers/{school}/cards"), &named)
        .expect(201);
    app.post(&desk, "/api/v1/readers/1/cards", &named)
        .expect_problem(404, "not_found");
    let shown = app.get(&desk, &format!("/api/v1/readers/{reader}")).expect(200).body;
    assert_eq!(
        shown["cards"][0]["issued_at"],
        json!("2026-03-04T04:00:00Z"),
        "the first one, too"
    );
    let closed = format!("UPDATE readers SET status = 'inactive' WHERE id = {reader}");
    app.database.outside().run(&closed);
    post(json!({"kind": "physical", "number": "X2"})).expect_problem(409, "wrong_state");
}

fn an_electronic_card_without_a_number_gets_one(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (reader, _) = app.reader("adult", "B1");
    let path = format!("/api/v1/readers/{reader}");
    let drawn = || {
        let shown = app.get(&desk, &path).expect(200).body;
        let cards = shown["cards"].as_array().expect("cards");
        let of = cards
            .iter()
            .find(|card| card["kind"] == "e_card" && card["status"] == "active");
        of.expect("one")["number"].as_str().expect("a number").to_owned()
    };
    let made = app.post(&desk, &format!("{path}/cards"), &json!({"kind": "e_card"}));
    let first = drawn();
    lend(app, &desk, &first).expect(201);
    let replacement = format!("/api/v1/cards/{}/replacement", made.expect(201).body["card_id"]);
    app.post(&desk, &replacement, &json!({})).expect(201);
    assert_ne!(drawn(), first);
    lend(app, &desk, &drawn()).expect(201);
}

fn a_card_is_cancelled_only_when_nothing_is_open(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (reader, number) = app.reader("adult", "B1");
    let lent = lend(app, &desk, &number).expect(201).body;
    let path = format!("/api/v1/cards/{}/cancellation", first_card(app, reader));
    app.post(&desk, &path, &json!({})).expect_problem(409, "wrong_state");
    // Another card that is good changes nothing about that.
    let another = json!({"kind": "physical", "number": "X7"});
    app.post(&desk, &format!("/api/v1/readers/{reader}/cards"), &another)
        .expect(201);
    app.post(&desk, &path, &json!({})).expect_problem(409, "wrong_state");
    let back = json!({"item_barcode": lent["loan"]["item_barcode"]});
    app.post(&desk, "/api/v1/check-ins", &back).expect(200);
    app.post(&desk, &path, &json!({})).expect(200);
    let refused = lend(app, &desk, &number).expect_problem(409, "refused").body;
    assert!(codes(&refused).contains("card_cancelled"), "{refused}");
}

fn a_card_expires_on_its_day_and_is_given_another_end(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (reader, _) = app.reader("adult", "B1");
    let path = format!("/api/v1/readers/{reader}/cards");
    let body = json!({"kind": "physical", "number": "X1", "expires_on": "2026-03-04"});
    let card = app.post(&desk, &path, &body).expect(201).body["card_id"].clone();
    app.clock.set(TestApp::now() + chrono::TimeDelta::days(1));
    let pass = std::sync::Arc::new(ExpireCards);
    let ran = app.block_on(run_job(&app.app.store, "a", CARD_EXPIRY, &pass, || false));
    ran.expect("it runs");
    let desk = app.staff("librarian", "B1");
    let shown = app.get(&desk, &format!("/api/v1/readers/{reader}")).expect(200).body;
    assert_eq!(shown["cards"][1]["status"], json!("expired"));
    let renew = format!("/api/v1/cards/{card}/renewals");
    app.post(&desk, &renew, &json!({"expires_on": "2026-03-04"}))
        .expect_fields(422, &["expires_on"]);
    let renewed = app
        .post(&desk, &renew, &json!({"expires_on": "2027-03-04"}))
        .expect(200)
        .body;
    assert_eq!(renewed["status"], json!("active"));
    lend(app, &desk, "X1").expect(201);
}

fn an_act_that_the_cards_life_does_not_know_is_refused(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (reader, _) = app.reader("adult", "B1");
    let path = format!("/api/v1/cards/{}", first_card(app, reader));
    app.post(&desk, &format!("{path}/cancellation"), &json!({})).expect(200);
    for act in ["loss", "loss/end", "renewals", "cancellation"] {
        app.post(&desk, &format!("{path}/{act}"), &json!({}))
            .expect_problem(409, "wrong_state");
    }
    app.post(&desk, "/api/v1/cards/1/loss", &json!({}))
        .expect_problem(404, "not_found");
}
