//! Two rows that are one person: everything of one goes to the other, and nothing is lost.

use serde_json::{Value, json};

use crate::app::{PIN, TestApp};
use crate::guardians::link;
use crate::id_numbers::{id_number, person};

on_both!(
    everything_goes_to_the_reader_who_stays,
    who_waited_twice_waits_once,
    addresses_notices_wishes_and_the_ledger_go_along,
    what_is_known_of_the_person_goes_along,
    guardian_links_are_between_the_one_who_stays_and_others,
    who_was_merged_is_changed_no_more,
    what_cannot_be_merged_is_refused_and_nothing_changes,
    a_merge_is_answered_again_under_its_key,
);

fn merge(app: &TestApp, survivor: i64, duplicate: i64) -> crate::client::Answer {
    let body = json!({"duplicate_id": duplicate, "reason": "身份证核对一致"});
    app.post(&app.root_token(), &format!("/api/v1/readers/{survivor}/merges"), &body)
}

fn lend(app: &TestApp, desk: &str, card: &str) -> Value {
    let (_, barcode) = app.item(app.bib("水浒传", None), "B1", &json!({}));
    let body = json!({"item_barcode": barcode, "card_number": card});
    app.post(desk, "/api/v1/check-outs", &body).expect(201);
    json!({"item_barcode": barcode})
}

fn everything_goes_to_the_reader_who_stays(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (stays, first) = app.reader("adult", "B1");
    let (goes, second) = app.reader("adult", "B1");
    lend(app, &desk, &first);
    let open = lend(app, &desk, &second);
    let closed = lend(app, &desk, &second);
    app.post(&desk, "/api/v1/check-ins", &closed).expect(200);
    let merged = merge(app, stays, goes).expect(200).body;
    assert_eq!(
        (
            &merged["loans_moved"],
            &merged["closed_loans_moved"],
            &merged["cards_moved"]
        ),
        (&json!(1), &json!(1), &json!(1))
    );
    let shown = |id: i64| app.get(&desk, &format!("/api/v1/readers/{id}")).expect(200).body;
    let (one, other) = (shown(stays), shown(goes));
    assert_eq!(one["open_loans"], json!(2));
    assert_eq!(one["cards"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&other["merged_into"], &other["status"]),
        (&json!(stays), &json!("inactive"))
    );
    let all = app
        .get(
            &app.root_token(),
            &format!("/api/v1/readers/{stays}/loans?status=all&reason=asked"),
        )
        .expect(200)
        .body;
    assert_eq!(all["items"].as_array().map(Vec::len), Some(3), "the history stays");
    // Both cards are good, and both open the one account.
    lend(app, &desk, &second);
    app.post(&desk, "/api/v1/check-ins", &open).expect(200);
    app.assert_sound();
}

fn who_waited_twice_waits_once(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (stays, first) = app.reader("adult", "B1");
    let (goes, second) = app.reader("adult", "B1");
    let (_, third) = app.reader("adult", "B1");
    let bib = app.bib("儒林外史", None);
    let (_, barcode) = app.item(bib, "B1", &json!({}));
    app.post(
        &desk,
        "/api/v1/check-outs",
        &json!({"item_barcode": barcode, "card_number": third}),
    )
    .expect(201);
    let hold = |card: &str| {
        let body = json!({"bib_id": bib, "pickup_unit_code": "B1", "card_number": card});
        app.post(&desk, "/api/v1/holds", &body).expect(201).body["hold"]["id"].clone()
    };
    let kept = hold(&second);
    let ended = hold(&first);
    let merged = merge(app, stays, goes).expect(200).body;
    assert_eq!(merged["holds_cancelled"], json!([ended]), "the earlier place stays");
    let shown = app
        .get(&desk, &format!("/api/v1/readers/{stays}/holds"))
        .expect(200)
        .body;
    assert_eq!(shown["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["items"][0]["id"], kept);
    let reader = app.get(&desk, &format!("/api/v1/readers/{stays}")).expect(200).body;
    assert_eq!(reader["open_holds"], json!(1));
    app.assert_sound();
}

fn addresses_notices_wishes_and_the_ledger_go_along(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (stays, first) = app.reader("adult", "B1");
    let (goes, second) = app.reader("adult", "B1");
    let contact = |reader: i64, channel: &str, address: &str| {
        let path = format!("/api/v1/readers/{reader}/contacts/{channel}");
        let said = app
            .request("PUT", &path)
            .bearer(&desk)
            .json(&json!({"address": address}));
        said.send().expect(200);
    };
    contact(stays, "mail", "li@example.org");
    contact(goes, "mail", "other@example.org");
    contact(goes, "sms", "13800138000");
    let wish = app
        .request("PATCH", "/api/v1/me/preferences")
        .bearer(&app.reader_token(&second));
    wish.json(&json!({"language": "en"})).send().expect(200);
    let post = |reader: i64, points: i64| {
        let path = format!("/api/v1/readers/{reader}/credit-entries");
        app.post(&desk, &path, &json!({"points": points, "reason": "核对"}))
            .expect(201);
    };
    post(stays, -5);
    post(goes, 8);
    let path = format!("/api/v1/readers/{goes}/credit-freezes");
    app.post(&desk, &path, &json!({"reason": "占座"})).expect(201);
    let merged = merge(app, stays, goes).expect(200).body;
    assert_eq!(merged["credit_entries_moved"], json!(2));
    let token = app.reader_token(&first);
    let credit = app.get(&token, "/api/v1/me/credit").expect(200).body;
    assert_eq!(
        (&credit["balance"], &credit["credit_band"]),
        (&json!(103), &json!("frozen")),
        "nobody begins twice; a freeze goes along"
    );
    let lines = app.get(&token, "/api/v1/me/credit/entries").expect(200).body;
    assert_eq!(lines["items"].as_array().map(Vec::len), Some(5));
    assert_eq!(
        (&lines["items"][0]["kind"], &lines["items"][0]["points"]),
        (&json!("merge"), &json!(-100))
    );
    let reached = app
        .get(&desk, &format!("/api/v1/readers/{stays}/contacts"))
        .expect(200)
        .body;
    let shown: Vec<_> = reached["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|one| &one["shown"])
        .collect();
    assert_eq!(shown, [&json!("l***@example.org"), &json!("***8000"), &Value::Null]);
    let wishes = app.get(&token, "/api/v1/me/preferences").expect(200).body;
    assert_eq!(wishes["language"], "en");
    app.assert_sound();
}

fn what_is_known_of_the_person_goes_along(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let [stays, goes] = [1, 2].map(|n| {
        let mut body = person(app, &id_number(2));
        if n == 1 {
            body["id_number"] = Value::Null;
        } else {
            body["pin"] = json!(PIN);
        }
        let card = body["card_number"].as_str().expect("a number").to_owned();
        (app.post(&desk, "/api/v1/readers", &body).expect(201).id(), card)
    });
    let closed = format!("UPDATE readers SET status = 'inactive' WHERE id = {}", stays.0);
    app.database.outside().run(&closed);
    let other_day = format!("UPDATE readers SET birth_date = '1980-01-02' WHERE id = {}", stays.0);
    app.database.outside().run(&other_day);
    let refused = merge(app, stays.0, goes.0).expect_problem(409, "wrong_state").body;
    assert!(refused.to_string().contains("day of birth"), "{refused}");
    let unknown = format!("UPDATE readers SET birth_date = NULL WHERE id = {}", stays.0);
    app.database.outside().run(&unknown);
    merge(app, stays.0, goes.0).expect(200);
    let shown = |id: i64| app.get(&desk, &format!("/api/v1/readers/{id}")).expect(200).body;
    let (one, other) = (shown(stays.0), shown(goes.0));
    assert_eq!(
        (&one["birth_date"], &one["status"], &one["id_number_tail"]),
        (&json!("1980-01-01"), &json!("active"), &json!(id_number(2)[14..]))
    );
    assert_eq!((&other["name"], &other["birth_date"]), (&json!(""), &Value::Null));
    for card in [&stays.1, &goes.1] {
        let me = app.get(&app.reader_token(card), "/api/v1/me").expect(200).body;
        assert_eq!(me["id"], json!(stays.0), "the PIN went along");
    }
    app.assert_sound();
}

fn guardian_links_are_between_the_one_who_stays_and_others(app: &TestApp) {
    app.small_network();
    let [stays, goes, ward] = ["adult", "adult", "child"].map(|category| app.reader(category, "B1").0);
    let first = link(app, ward, stays, &json!({})).expect(201).body["id"].clone();
    let without = format!("UPDATE guardianships SET consent_form = NULL, consented_on = NULL WHERE id = {first}");
    app.database.outside().run(&without);
    let second = link(app, ward, goes, &json!({})).expect(201).body["id"].clone();
    let merged = merge(app, stays, goes).expect(200).body;
    assert_eq!(merged["guardianships_ended"], json!([first]), "the consent stays");
    let open = format!(
        "SELECT count(*) AS n FROM guardianships WHERE id = {second} AND guardian_reader_id = {stays} AND ended_at IS NULL"
    );
    assert_eq!(app.database.outside().number(&open), 1);
    // Five guardians of one ward.
    let [one, other] = ["child", "child"].map(|category| app.reader(category, "B1").0);
    for n in 0..5 {
        let (guardian, _) = app.reader("adult", "B1");
        link(app, if n < 3 { one } else { other }, guardian, &json!({})).expect(201);
    }
    let refused = merge(app, one, other).expect_problem(409, "wrong_state").body;
    assert!(refused.to_string().contains("guardians"), "{refused}");
    app.assert_sound();
}

fn who_was_merged_is_changed_no_more(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (stays, _) = app.reader("adult", "B1");
    let (goes, card) = app.reader("adult", "B1");
    let phone = app.reader_token(&card);
    merge(app, stays, goes).expect(200);
    let reader = format!("/api/v1/readers/{goes}");
    let acts = [
        ("POST", "card-token-revocations", json!({})),
        ("PUT", "contacts/mail", json!({"address": "li@example.org"})),
        ("PUT", "pin", json!({"pin": "938271"})),
        ("POST", "credit-entries", json!({"points": -5, "reason": "核对"})),
        ("POST", "credit-freezes", json!({"reason": "占座"})),
        ("POST", "cards", json!({"kind": "physical", "number": "X1"})),
    ];
    for (method, act, body) in acts {
        let request = app.request(method, &format!("{reader}/{act}")).bearer(&desk);
        let refused = request.json(&body).send().expect_problem(409, "wrong_state").body;
        assert!(refused.to_string().contains(&stays.to_string()), "{act}: {refused}");
    }
    let wish = app.request("PATCH", "/api/v1/me/preferences").bearer(&phone);
    let refused = wish.json(&json!({"language": "en"})).send();
    refused.expect_problem(401, "unauthenticated");
    app.assert_sound();
}

fn what_cannot_be_merged_is_refused_and_nothing_changes(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    let (stays, _) = app.reader("adult", "B1");
    let (goes, _) = app.reader("adult", "B1");
    merge(app, stays, stays).expect_fields(422, &["duplicate_id"]);
    merge(app, stays, 1).expect_fields(422, &["duplicate_id"]);
    merge(app, 1, goes).expect_problem(404, "not_found");
    let [one, other] = [1, 2].map(|n| {
        let made = app.post(&token, "/api/v1/readers", &person(app, &id_number(n)));
        made.expect(201).id()
    });
    merge(app, one, other).expect_problem(409, "wrong_state");
    let still = app.get(&token, &format!("/api/v1/readers/{other}")).expect(200).body;
    assert!(still["merged_into"].is_null());
    merge(app, one, goes).expect(200);
    merge(app, stays, goes).expect_problem(409, "wrong_state");
    // A number goes along where the one who stays has none.
    merge(app, stays, other).expect(200);
    let shown = app.get(&token, &format!("/api/v1/readers/{stays}")).expect(200).body;
    assert_eq!(shown["id_number_tail"], json!(id_number(2)[14..]));
    let again = app.post(&token, "/api/v1/readers", &person(app, &id_number(2)));
    let again = again.expect_problem(409, "duplicate_reader");
    assert_eq!(again.body["existing_reader_id"], json!(stays));
}

fn a_merge_is_answered_again_under_its_key(app: &TestApp) {
    app.small_network();
    let (stays, _) = app.reader("adult", "B1");
    let (goes, _) = app.reader("adult", "B1");
    let body = json!({"duplicate_id": goes, "reason": "同一读者"});
    let path = format!("/api/v1/readers/{stays}/merges");
    let send = || {
        let request = app.request("POST", &path).bearer(&app.root_token());
        request.key("merge-1").json(&body).send().expect(200)
    };
    let (first, second) = (send(), send());
    assert_eq!(first.body, second.body);
}
