//! Guardians and wards: who answers for whom, with whose consent.

use serde_json::{Value, json};

use crate::app::TestApp;

on_both!(
    a_guardian_sees_the_wards_and_what_they_borrowed,
    a_link_needs_consent_and_two_fitting_readers,
    a_link_that_ended_is_no_link,
);

pub fn link(app: &TestApp, ward: i64, guardian: i64, extra: &Value) -> crate::client::Answer {
    let mut body = json!({"guardian_reader_id": guardian, "relation": "parent", "consent_form": "2026-17",
        "consented_on": "2026-03-01"});
    for (name, value) in extra.as_object().expect("an object") {
        body[name] = value.clone();
    }
    app.post(&app.root_token(), &format!("/api/v1/readers/{ward}/guardians"), &body)
}

fn a_guardian_sees_the_wards_and_what_they_borrowed(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (guardian, card) = app.reader("adult", "B1");
    let (ward, wards_card) = app.reader("child", "B1");
    let (_, barcode) = app.item(app.bib("小王子", None), "B1", &json!({}));
    let loan = json!({"item_barcode": barcode, "card_number": wards_card});
    let lent = app.post(&desk, "/api/v1/check-outs", &loan).status == 201;
    link(app, ward, guardian, &json!({})).expect(201);
    let token = app.reader_token(&card);
    let me = app.get(&token, "/api/v1/me").expect(200).body;
    assert_eq!(me["id"], json!(guardian));
    let wards = app.get(&token, "/api/v1/me/wards").expect(200).body;
    assert_eq!(wards["items"].as_array().map(Vec::len), Some(1));
    let shown = &wards["items"][0];
    assert_eq!(
        (
            &shown["reader_id"],
            &shown["relation"],
            &shown["may_act"],
            &shown["open_loans"]
        ),
        (&json!(ward), &json!("parent"), &json!(true), &json!(usize::from(lent)))
    );
    let own = app
        .get(&app.reader_token(&wards_card), "/api/v1/me/wards")
        .expect(200)
        .body;
    assert_eq!(own["items"], json!([]));
}

fn a_link_needs_consent_and_two_fitting_readers(app: &TestApp) {
    app.small_network();
    let (guardian, _) = app.reader("adult", "B1");
    let (ward, _) = app.reader("child", "B1");
    let (school, _) = app.reader("institution_200", "B1");
    let without = json!({"consent_form": null, "consented_on": null});
    link(app, ward, guardian, &without).expect_fields(422, &["consent_form"]);
    link(app, ward, guardian, &json!({"consented_on": null})).expect_fields(422, &["consented_on"]);
    link(app, ward, guardian, &json!({"consented_on": "2026-03-05"})).expect_fields(422, &["consented_on"]);
    link(app, ward, guardian, &json!({"relation": "friend"})).expect_fields(422, &["relation"]);
    link(app, ward, guardian, &json!({"relation": "school"})).expect_fields(422, &["relation"]);
    link(app, ward, school, &json!({})).expect_fields(422, &["relation"]);
    link(app, ward, ward, &json!({})).expect_fields(422, &["guardian_reader_id"]);
    link(app, ward, 1, &json!({})).expect_fields(422, &["guardian_reader_id"]);
    link(app, 1, guardian, &json!({})).expect_problem(404, "not_found");
    link(app, ward, school, &json!({"relation": "school"})).expect(201);
    link(app, ward, guardian, &json!({})).expect(201);
    link(app, ward, guardian, &json!({})).expect_problem(409, "wrong_state");
    link(app, guardian, ward, &json!({})).expect_fields(422, &["guardian_reader_id"]);
    // Nor through somebody else.
    let (above, _) = app.reader("adult", "B1");
    link(app, guardian, above, &json!({})).expect(201);
    link(app, above, ward, &json!({})).expect_fields(422, &["guardian_reader_id"]);
    let (closed, _) = app.reader("adult", "B1");
    let sql = format!("UPDATE readers SET status = 'inactive' WHERE id = {closed}");
    app.database.outside().run(&sql);
    link(app, ward, closed, &json!({})).expect_fields(422, &["guardian_reader_id"]);
    link(app, closed, guardian, &json!({})).expect_problem(409, "wrong_state");
}

fn a_link_that_ended_is_no_link(app: &TestApp) {
    app.small_network();
    let root = app.root_token();
    let (guardian, card) = app.reader("adult", "B1");
    let (ward, _) = app.reader("child", "B1");
    let id = link(app, ward, guardian, &json!({})).expect(201).id();
    let end = |id: i64| {
        app.request("DELETE", &format!("/api/v1/guardianships/{id}"))
            .bearer(&root)
            .send()
    };
    let ended = end(id).expect(200).body;
    assert!(ended["ended_at"].is_string(), "{ended}");
    end(id).expect_problem(409, "wrong_state");
    end(1).expect_problem(404, "not_found");
    let wards = app.get(&app.reader_token(&card), "/api/v1/me/wards").expect(200).body;
    assert_eq!(wards["items"], json!([]));
    link(app, ward, guardian, &json!({})).expect(201);
}
