//! What staff say to refusals counts for the case they were told of, and for no other.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tongjie::store::StoreError;

use crate::app::TestApp;
use crate::client::Answer;

on_both!(
    overrides_count_only_with_what_was_told,
    a_token_is_of_one_caller_verb_reader_and_item,
    a_token_does_not_cover_what_is_found_later,
    a_token_expires_and_the_answer_brings_a_new_one,
    what_nobody_may_pass_brings_no_token,
    machines_and_readers_at_home_consent_to_nothing,
    a_check_in_says_what_it_passed_over,
);

const CHECK_OUTS: &str = "/api/v1/check-outs";

/// A desk at B1, a reader, and a book of B1 that is not for loan.
struct Desk {
    token: String,
    card: String,
    item: i64,
    barcode: String,
}

fn desk(app: &TestApp) -> Desk {
    app.small_network();
    let (item, barcode) = app.item(app.bib("三国演义", None), "B1", &json!({"not_for_loan": true}));
    Desk {
        token: app.staff("librarian", "B1"),
        card: app.reader("adult", "B1").1,
        item,
        barcode,
    }
}

fn overriding(desk: &Desk, codes: &[&str], token: Option<&str>) -> Value {
    let mut body = json!({"item_barcode": desk.barcode, "card_number": desk.card,
        "overrides": {"codes": codes, "reason": "馆长批准"}});
    if let Some(token) = token {
        body["consent_token"] = token.into();
    }
    body
}

fn token_of(answer: &Answer) -> String {
    answer.body["consent_token"].as_str().expect("a token").to_owned()
}

fn codes_of(answer: &Answer) -> Vec<String> {
    let told = answer.body["refusals"].as_array().expect("refusals");
    let code = |refusal: &Value| refusal["code"].as_str().expect("a code").to_owned();
    told.iter().map(code).collect()
}

fn overrides_count_only_with_what_was_told(app: &TestApp) {
    let desk = desk(app);
    let body = json!({"item_barcode": desk.barcode, "card_number": desk.card});
    let told = app.post(&desk.token, CHECK_OUTS, &body).expect_problem(409, "refused");
    assert_eq!(told.body["consent_expires_at"], "2026-03-04T04:05:00Z");
    // Blindly, with everything listed that there is.
    let blind = app.post(
        &desk.token,
        CHECK_OUTS,
        &overriding(&desk, &["item_not_for_loan"], None),
    );
    let blind = blind.expect_problem(409, "consent_required");
    assert_eq!(codes_of(&blind), ["item_not_for_loan"]);
    // A token alone is no override, and one of half of it neither.
    let mut silent = body.clone();
    silent["consent_token"] = token_of(&told).into();
    app.post(&desk.token, CHECK_OUTS, &silent)
        .expect_problem(409, "refused");
    let other = overriding(&desk, &["limit_loans"], Some(&token_of(&told)));
    app.post(&desk.token, CHECK_OUTS, &other).expect_problem(409, "refused");
    let agreed = overriding(&desk, &["item_not_for_loan"], Some(&token_of(&told)));
    let lent = app.post(&desk.token, CHECK_OUTS, &agreed).expect(201);
    assert_eq!(lent.body["overridden"], json!(["item_not_for_loan"]));
    app.assert_sound();
}

fn a_token_is_of_one_caller_verb_reader_and_item(app: &TestApp) {
    let desk = desk(app);
    let ask = |desk: &Desk| app.post(&desk.token, CHECK_OUTS, &overriding(desk, &["item_not_for_loan"], None));
    let token = token_of(&ask(&desk));
    let said = |desk: &Desk| {
        let body = overriding(desk, &["item_not_for_loan"], Some(&token));
        app.post(&desk.token, CHECK_OUTS, &body)
    };
    let (_, barcode) = app.item(app.bib("水浒传", None), "B1", &json!({"not_for_loan": true}));
    let copy = |desk: &Desk| Desk {
        token: desk.token.clone(),
        card: desk.card.clone(),
        item: desk.item,
        barcode: desk.barcode.clone(),
    };
    let others = [
        Desk { barcode, ..copy(&desk) },
        Desk {
            card: app.reader("adult", "B1").1,
            ..copy(&desk)
        },
        Desk {
            token: app.staff("librarian", "B1"),
            ..copy(&desk)
        },
    ];
    for other in &others {
        let refused = said(other).expect_problem(409, "consent_does_not_fit");
        assert_eq!(codes_of(&refused), ["item_not_for_loan"]);
        assert_ne!(token_of(&refused), token);
    }
    // A due date by hand was not spoken of either, nor is a made-up token worth anything.
    let mut body = overriding(&desk, &["item_not_for_loan"], Some(&token));
    body["due_at"] = "2027-03-04T04:00:00Z".into();
    app.post(&desk.token, CHECK_OUTS, &body)
        .expect_problem(409, "consent_does_not_fit");
    let forged = overriding(&desk, &["item_not_for_loan"], Some("MTc3 .x"));
    app.post(&desk.token, CHECK_OUTS, &forged)
        .expect_problem(409, "consent_does_not_fit");
    said(&desk).expect(201);
}

fn a_token_does_not_cover_what_is_found_later(app: &TestApp) {
    let desk = desk(app);
    let first = app.post(
        &desk.token,
        CHECK_OUTS,
        &overriding(&desk, &["item_not_for_loan"], None),
    );
    let note = json!({"alert_note": "附光盘一张"});
    let path = format!("/api/v1/items/{}", desk.item);
    app.request("PATCH", &path)
        .bearer(&app.root_token())
        .json(&note)
        .send()
        .expect(200);
    let both = ["item_not_for_loan", "item_alert"];
    let stale = app.post(
        &desk.token,
        CHECK_OUTS,
        &overriding(&desk, &both, Some(&token_of(&first))),
    );
    let stale = stale.expect_problem(409, "consent_does_not_fit");
    let mut told = codes_of(&stale);
    told.sort();
    assert_eq!(told, ["item_alert", "item_not_for_loan"]);
    let fresh = token_of(&stale);
    let half = app.post(&desk.token, CHECK_OUTS, &overriding(&desk, &both[..1], Some(&fresh)));
    assert_eq!(
        codes_of(&half.expect_problem(409, "refused")).len(),
        2,
        "the whole set is told"
    );
    app.post(&desk.token, CHECK_OUTS, &overriding(&desk, &both, Some(&fresh)))
        .expect(201);
}

fn a_token_expires_and_the_answer_brings_a_new_one(app: &TestApp) {
    let desk = desk(app);
    let told = app.post(
        &desk.token,
        CHECK_OUTS,
        &overriding(&desk, &["item_not_for_loan"], None),
    );
    let said = |token: &str| {
        app.post(
            &desk.token,
            CHECK_OUTS,
            &overriding(&desk, &["item_not_for_loan"], Some(token)),
        )
    };
    app.clock
        .set(app.clock.now() + TimeDelta::minutes(5) + TimeDelta::milliseconds(1));
    let late = said(&token_of(&told)).expect_problem(409, "consent_expired");
    app.clock.set(app.clock.now() + TimeDelta::minutes(5));
    said(&token_of(&late)).expect(201);
}

fn what_nobody_may_pass_brings_no_token(app: &TestApp) {
    let desk = desk(app);
    let withdrawn = json!({"reason": "破损"});
    app.post(
        &app.root_token(),
        &format!("/api/v1/items/{}/withdrawal", desk.item),
        &withdrawn,
    )
    .expect(200);
    let refused = app.post(
        &desk.token,
        CHECK_OUTS,
        &overriding(&desk, &["item_not_for_loan", "item_withdrawn"], None),
    );
    let refused = refused.expect_problem(409, "refused");
    assert_eq!(refused.body["consent_token"], Value::Null);
}

fn machines_and_readers_at_home_consent_to_nothing(app: &TestApp) {
    let desk = desk(app);
    let unit = app.get(&app.root_token(), "/api/v1/units/B1").expect(200).id();
    app.device("kiosk-b1", unit, "a random secret");
    let kiosk = app.log_in(&json!({"device_code": "kiosk-b1", "secret": "a random secret"}));
    let kiosk = kiosk.expect(201).body["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let token = token_of(&app.post(
        &desk.token,
        CHECK_OUTS,
        &overriding(&desk, &["item_not_for_loan"], None),
    ));
    for consent in [None, Some(&*token)] {
        let refused = app.post(&kiosk, CHECK_OUTS, &overriding(&desk, &["item_not_for_loan"], consent));
        let refused = refused.expect_problem(409, "refused");
        assert_eq!(refused.body["consent_token"], Value::Null);
    }
    // A reader who has the bib already and wants it again.
    let (bib, reader) = (app.bib("红楼梦", None), app.reader_token(&desk.card));
    let (_, barcode) = app.item(bib, "B1", &json!({}));
    let out = json!({"item_barcode": barcode, "card_number": desk.card});
    app.post(&desk.token, CHECK_OUTS, &out).expect(201);
    let hold = json!({"bib_id": bib, "pickup_unit_code": "B1",
        "overrides": {"codes": ["bib_already_on_loan"], "reason": "还要"}});
    let refused = app.post(&reader, "/api/v1/holds", &hold).expect_problem(409, "refused");
    assert_eq!(refused.body["consent_token"], Value::Null);
}

fn a_check_in_says_what_it_passed_over(app: &TestApp) {
    let desk = desk(app);
    let note = json!({"alert_note": "附光盘一张"});
    let path = format!("/api/v1/items/{}", desk.item);
    app.request("PATCH", &path)
        .bearer(&app.root_token())
        .json(&note)
        .send()
        .expect(200);
    // Long enough after that it is no second scan of the same act.
    app.clock.set(app.clock.now() + TimeDelta::minutes(2));
    let back = json!({"item_barcode": desk.barcode, "confirm": ["item_alert"]});
    app.post(&desk.token, "/api/v1/check-ins", &back)
        .expect_problem(409, "consent_required");
    // What was told of a return now says nothing of one of yesterday.
    let told = app.post(&desk.token, "/api/v1/check-ins", &json!({"item_barcode": desk.barcode}));
    let mut yesterday = back.clone();
    yesterday["consent_token"] = token_of(&told.expect_problem(409, "refused")).into();
    yesterday["returned_at"] = "2026-03-03T04:00:00Z".into();
    app.post(&desk.token, "/api/v1/check-ins", &yesterday)
        .expect_problem(409, "consent_does_not_fit");
    app.post_consenting(&desk.token, "/api/v1/check-ins", &back).expect(200);
    let count = app
        .app
        .store
        .read::<_, StoreError, _>(|tx| tx.count_events("refusals_passed"));
    assert_eq!(app.block_on(count).expect("counted"), 1);
    app.assert_sound();
}
