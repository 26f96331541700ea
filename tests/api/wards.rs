//! What guardians do for their wards: in the portal, and at the desk where they collect what a ward waits for.

use serde_json::{Value, json};
use tongjie::usecase::change_categories::ChangeCategories;
use tongjie::usecase::run_job::Pass;

use crate::app::{PIN, TestApp};
use crate::client::Answer;
use crate::guardians::link;
use crate::holds::check_in;
use crate::unlinking::seal;

on_both!(
    a_guardian_sees_renews_and_holds_for_a_ward,
    nobody_else_acts_for_a_ward,
    a_guardian_collects_what_a_ward_waits_for,
    a_card_shown_for_somebody_else_needs_the_link,
    the_ward_and_other_guardians_see_what_was_done,
    an_erased_guardian_is_nobody_in_what_the_ward_is_shown,
    a_child_borrows_with_a_guardians_consent,
    a_child_is_registered_with_a_guardian,
    a_link_ends_on_the_eighteenth_birthday,
    an_institutions_loan_names_who_borrowed_it,
);

/// A guardian and a ward of B1, who are linked.
struct Family {
    desk: String,
    guardian: i64,
    card: String,
    token: String,
    ward: i64,
    wards_card: String,
    link: i64,
}

fn family(app: &TestApp) -> Family {
    app.small_network();
    let (guardian, card) = app.reader("adult", "B1");
    let (ward, wards_card) = app.reader("child", "B1");
    Family {
        desk: app.staff("librarian", "B1"),
        guardian,
        token: app.reader_token(&card),
        card,
        ward,
        wards_card,
        link: link(app, ward, guardian, &json!({})).expect(201).id(),
    }
}

/// A new book for children; answers its bib and the barcode.
fn book(app: &TestApp) -> (i64, String) {
    let bib = app.bib("小王子", None);
    (bib, app.item(bib, "B1", &json!({"for_children": true})).1)
}

fn lend(app: &TestApp, desk: &str, barcode: &str, card: &str) -> Answer {
    let body = json!({"item_barcode": barcode, "card_number": card});
    app.post(desk, "/api/v1/check-outs", &body)
}

/// Another reader has the book, the ward waits for it, and it is back; answers bib, barcode and hold.
fn set_aside(app: &TestApp, family: &Family) -> (i64, String, i64) {
    let (bib, barcode) = book(app);
    let (_, other) = app.reader("adult", "B1");
    lend(app, &family.desk, &barcode, &other).expect(201);
    let hold = place(app, &family.token, family.ward, bib).expect(201);
    let step = check_in(app, "B1", &barcode);
    assert_eq!(step["next_step"]["kind"], "hold_shelf", "{step}");
    (bib, barcode, hold.body["hold"]["id"].as_i64().expect("an id"))
}

fn place(app: &TestApp, token: &str, ward: i64, bib: i64) -> Answer {
    let wanted = json!({"bib_id": bib, "pickup_unit_code": "B1"});
    app.post(token, &format!("/api/v1/me/holds?ward={ward}"), &wanted)
}

fn cancel(app: &TestApp, token: &str, ward: i64, hold: i64) -> Answer {
    let path = format!("/api/v1/me/holds/{hold}?ward={ward}");
    app.request("DELETE", &path).bearer(token).send()
}

fn codes(answer: &Answer) -> Vec<&str> {
    let refusals = answer.body["refusals"].as_array().expect("refusals");
    refusals
        .iter()
        .map(|one| one["code"].as_str().expect("a code"))
        .collect()
}

fn ids(page: &Value) -> Vec<i64> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["id"].as_i64().expect("an id")).collect()
}

fn acts(app: &TestApp, token: &str, ward: Option<i64>) -> Vec<Value> {
    seal(app);
    let path = ward.map_or_else(String::new, |ward| format!("?ward={ward}"));
    let listed = app.get(token, &format!("/api/v1/me/guardian-acts{path}")).expect(200);
    listed.body["items"].as_array().expect("items").clone()
}

fn a_guardian_sees_renews_and_holds_for_a_ward(app: &TestApp) {
    let family = family(app);
    let (ward, token) = (family.ward, &family.token);
    let (_, barcode) = book(app);
    let loan = lend(app, &family.desk, &barcode, &family.wards_card).expect(201).body["loan"]["id"].clone();
    let loans = app
        .get(token, &format!("/api/v1/me/loans?ward={ward}"))
        .expect(200)
        .body;
    assert_eq!(loans["items"][0]["id"], loan);
    assert!(ids(&app.get(token, "/api/v1/me/loans").expect(200).body).is_empty());
    let renewals = format!("/api/v1/me/loans/{loan}/renewals");
    app.post(token, &renewals, &json!({})).expect_problem(404, "not_found");
    let renewed = app
        .post(token, &format!("{renewals}?ward={ward}"), &json!({}))
        .expect(200)
        .body;
    assert_eq!(
        (&renewed["loan"]["renewals"], &renewed["loan"]["reader_id"]),
        (&json!(1), &json!(ward))
    );
    // A hold under a key is placed once, and is the ward's.
    let (bib, taken) = book(app);
    let wanted = json!({"bib_id": bib, "pickup_unit_code": "B1"});
    let (_, other) = app.reader("adult", "B1");
    lend(app, &family.desk, &taken, &other).expect(201);
    let keyed = |path: &str| app.request("POST", path).bearer(token).key("once").json(&wanted).send();
    let path = format!("/api/v1/me/holds?ward={ward}");
    let placed = keyed(&path).expect(201);
    assert_eq!(placed.body["hold"]["reader_id"], json!(ward));
    assert_eq!(keyed(&path).expect(201).header("idempotency-replayed"), Some("true"));
    keyed("/api/v1/me/holds").expect_problem(422, "idempotency_key_reused");
    let hold = placed.body["hold"]["id"].as_i64().expect("an id");
    let holds = app.get(token, &path).expect(200).body;
    assert_eq!(ids(&holds), [hold]);
    let own = app
        .get(&app.reader_token(&family.wards_card), "/api/v1/me/holds")
        .expect(200)
        .body;
    assert_eq!(ids(&own), [hold]);
    app.request("DELETE", &format!("/api/v1/me/holds/{hold}"))
        .bearer(token)
        .send()
        .expect_problem(404, "not_found");
    assert_eq!(
        cancel(app, token, ward, hold).expect(200).body["hold"]["status"],
        "cancelled"
    );
    // What the rules refuse the ward they refuse the guardian who acts for it.
    let block = format!("UPDATE readers SET barred = TRUE WHERE id = {ward}");
    app.database.outside().run(&block);
    let refused = place(app, token, ward, bib).expect_problem(409, "refused");
    assert!(codes(&refused).contains(&"barred"), "{}", refused.body);
    app.assert_sound();
}

fn nobody_else_acts_for_a_ward(app: &TestApp) {
    let family = family(app);
    let (ward, token) = (family.ward, family.token.clone());
    let (bib, barcode) = book(app);
    let loan = lend(app, &family.desk, &barcode, &family.wards_card).expect(201).body["loan"]["id"].clone();
    let refused = |token: &str, ward: i64, said: &str| {
        let renewals = format!("/api/v1/me/loans/{loan}/renewals?ward={ward}");
        for answer in [
            app.get(token, &format!("/api/v1/me/loans?ward={ward}")),
            app.get(token, &format!("/api/v1/me/holds?ward={ward}")),
            app.get(token, &format!("/api/v1/me/guardian-acts?ward={ward}")),
            app.post(token, &renewals, &json!({})),
            place(app, token, ward, bib),
            cancel(app, token, ward, 1),
        ] {
            let answer = answer.expect_fields(422, &["ward"]);
            assert!(answer.body.to_string().contains(said), "{said}: {}", answer.body);
        }
    };
    let (_, card) = app.reader("adult", "B1");
    let stranger = app.reader_token(&card);
    refused(&stranger, ward, "is no ward of yours");
    refused(&stranger, 1, "is no ward of yours");
    // The other way round neither.
    refused(
        &app.reader_token(&family.wards_card),
        family.guardian,
        "is no ward of yours",
    );
    let sql = |text: String| app.database.outside().run(&text);
    sql(format!(
        "UPDATE guardianships SET may_act = FALSE WHERE id = {}",
        family.link
    ));
    refused(&token, ward, "may not act");
    sql(format!(
        "UPDATE guardianships SET may_act = TRUE WHERE id = {}",
        family.link
    ));
    sql(format!(
        "UPDATE readers SET status = 'suspended' WHERE id = {}",
        family.guardian
    ));
    refused(&token, ward, "your own account");
    sql(format!(
        "UPDATE readers SET status = 'active' WHERE id = {}",
        family.guardian
    ));
    sql(format!(
        "UPDATE readers SET birth_date = '2008-03-04' WHERE id = {ward}"
    ));
    refused(&token, ward, "is of age");
    assert_eq!(app.get(&token, "/api/v1/me/wards").expect(200).body["items"], json!([]));
    sql(format!(
        "UPDATE readers SET birth_date = '2008-03-05' WHERE id = {ward}"
    ));
    app.get(&token, &format!("/api/v1/me/loans?ward={ward}")).expect(200);
    // What is over is the ward's alone.
    for list in ["loans", "holds"] {
        app.get(&token, &format!("/api/v1/me/{list}?ward={ward}&status=all"))
            .expect_fields(422, &["status"]);
    }
    app.get(&token, "/api/v1/me/loans?ward=x").expect_fields(400, &["ward"]);
    app.get(&family.desk, &format!("/api/v1/me/loans?ward={ward}"))
        .expect_problem(403, "forbidden");
    app.request("DELETE", &format!("/api/v1/guardianships/{}", family.link))
        .bearer(&app.root_token())
        .send()
        .expect(200);
    refused(&token, ward, "is no ward of yours");
    assert_eq!(app.database.outside().number("SELECT count(*) AS n FROM holds"), 0);
    app.assert_sound();
}

fn a_guardian_collects_what_a_ward_waits_for(app: &TestApp) {
    let family = family(app);
    let (_, barcode, hold) = set_aside(app, &family);
    let (_, stranger) = app.reader("adult", "B1");
    let refused = lend(app, &family.desk, &barcode, &stranger).expect_problem(409, "refused");
    assert_eq!(codes(&refused), ["held_on_shelf_for_other"]);
    // A guardian who may only look is a stranger here.
    let may_act = |value: &str| {
        let sql = format!("UPDATE guardianships SET may_act = {value} WHERE id = {}", family.link);
        app.database.outside().run(&sql);
    };
    may_act("FALSE");
    let refused = lend(app, &family.desk, &barcode, &family.card).expect_problem(409, "refused");
    assert_eq!(codes(&refused), ["held_on_shelf_for_other"]);
    may_act("TRUE");
    let body = json!({"item_barcode": barcode, "card_number": family.card, "dry_run": true});
    let rehearsed = app.post(&family.desk, "/api/v1/check-outs", &body).expect(200).body;
    assert_eq!(rehearsed["loan"]["reader_id"], json!(family.ward));
    let lent = lend(app, &family.desk, &barcode, &family.card).expect(201).body;
    assert_eq!(
        (&lent["loan"]["reader_id"], &lent["guardianship_id"]),
        (&json!(family.ward), &json!(family.link))
    );
    assert_eq!(crate::holds::hold(app, hold)["status"], "filled");
    // The guardian's card stands nowhere in the ward's loan.
    let sql = format!(
        "SELECT count(*) AS n FROM loans l JOIN cards c ON c.id = l.card_id WHERE l.id = {} AND c.reader_id = {}",
        lent["loan"]["id"], family.ward
    );
    assert_eq!(app.database.outside().number(&sql), 1);
    let said = acts(app, &family.token, Some(family.ward));
    assert_eq!(said[0]["what"], "loan_made", "{said:?}");
    // What the ward fetches without help says nothing of a link.
    let (_, second, _) = set_aside(app, &family);
    let own = lend(app, &family.desk, &second, &family.wards_card).expect(201).body;
    assert_eq!(
        (&own["loan"]["reader_id"], &own["guardianship_id"]),
        (&json!(family.ward), &Value::Null)
    );
    app.assert_sound();
}

fn a_card_shown_for_somebody_else_needs_the_link(app: &TestApp) {
    let family = family(app);
    let (_, barcode) = book(app);
    let lend_for = |card: &str, ward: i64| {
        let body = json!({"item_barcode": barcode, "card_number": card, "ward_reader_id": ward});
        app.post(&family.desk, "/api/v1/check-outs", &body)
    };
    let (_, stranger) = app.reader("adult", "B1");
    for (card, ward) in [
        (&stranger, family.ward),
        (&family.card, 1),
        (&family.card, family.guardian),
        (&family.wards_card, family.guardian),
    ] {
        let refused = lend_for(card, ward).expect_problem(409, "refused");
        assert_eq!(
            codes(&refused),
            ["proxy_not_linked"],
            "nothing is told of the other reader"
        );
        assert!(refused.body["consent_token"].is_null());
    }
    lend_for("JC-NOBODY", family.ward).expect_fields(422, &["card_number"]);
    let card = |status: &str| {
        let sql = format!("UPDATE cards SET status = '{status}' WHERE number = '{}'", family.card);
        app.database.outside().run(&sql);
    };
    card("lost");
    let refused = lend_for(&family.card, family.ward).expect_problem(409, "refused");
    assert_eq!(codes(&refused), ["card_lost"]);
    card("active");
    // The ward's own standing decides.
    let ward = |column: &str| {
        let sql = format!("UPDATE readers SET {column} WHERE id = {}", family.ward);
        app.database.outside().run(&sql);
    };
    ward("status = 'suspended'");
    let refused = lend_for(&family.card, family.ward).expect_problem(409, "refused");
    assert_eq!(codes(&refused), ["reader_suspended"]);
    ward("status = 'active'");
    ward("birth_date = '2008-03-04'");
    let refused = lend_for(&family.card, family.ward).expect_problem(409, "refused");
    assert_eq!(codes(&refused), ["proxy_not_linked"]);
    ward("birth_date = NULL");
    let lent = lend_for(&family.card, family.ward).expect(201).body;
    assert_eq!(lent["loan"]["reader_id"], json!(family.ward));
    app.assert_sound();
}

fn the_ward_and_other_guardians_see_what_was_done(app: &TestApp) {
    let family = family(app);
    let (bib, _, hold) = set_aside(app, &family);
    cancel(app, &family.token, family.ward, hold).expect(200);
    let (mother, card) = app.reader("adult", "B1");
    let second = link(app, family.ward, mother, &json!({"may_act": false}))
        .expect(201)
        .id();
    let seen = acts(app, &app.reader_token(&family.wards_card), None);
    let told: Vec<[&Value; 4]> = seen
        .iter()
        .map(|act| {
            [
                &act["what"],
                &act["guardianship_id"],
                &act["guardian_name"],
                &act["bib_id"],
            ]
        })
        .collect();
    let by = |what: &'static str| [json!(what), json!(family.link), json!("李读者"), json!(bib)];
    let (first, last) = (by("hold_cancelled"), by("hold_placed"));
    assert_eq!(told, [first.each_ref(), last.each_ref()]);
    let token = app.reader_token(&card);
    let path = format!("/api/v1/me/guardian-acts?ward={}", family.ward);
    app.get(&token, &path).expect_fields(422, &["ward"]);
    let sql = format!("UPDATE guardianships SET may_act = TRUE WHERE id = {second}");
    app.database.outside().run(&sql);
    assert_eq!(acts(app, &token, Some(family.ward)), seen);
    let page = app.get(&token, &format!("{path}&limit=1")).expect(200).body;
    let next = page["next_cursor"].as_str().expect("there is more");
    let rest = app
        .get(&token, &format!("{path}&limit=1&cursor={next}"))
        .expect(200)
        .body;
    assert_eq!(
        (&page["items"][0], &rest["items"][0], &rest["next_cursor"]),
        (&seen[0], &seen[1], &Value::Null)
    );
    assert!(acts(app, &token, None).is_empty());
}

fn an_erased_guardian_is_nobody_in_what_the_ward_is_shown(app: &TestApp) {
    let family = family(app);
    let name = format!("UPDATE readers SET name = '赵爱国' WHERE id = {}", family.guardian);
    app.database.outside().run(&name);
    let (_, barcode, _) = set_aside(app, &family);
    lend(app, &family.desk, &barcode, &family.card).expect(201);
    seal(app);
    app.post(&family.token, "/api/v1/me/erasure", &json!({"pin": PIN}))
        .expect(200);
    let ward = app.reader_token(&family.wards_card);
    let shown = acts(app, &ward, None);
    assert_eq!(shown.len(), 2);
    assert!(shown.iter().all(|act| act["guardian_name"].is_null()), "{shown:?}");
    let data = app.get(&ward, "/api/v1/me/data").expect(200).body.to_string();
    for gone in ["赵爱国", &family.card, "2026-17"] {
        assert!(!data.contains(gone), "{gone}");
    }
    app.assert_sound();
}

fn a_child_borrows_with_a_guardians_consent(app: &TestApp) {
    let family = family(app);
    let ended = format!(
        "UPDATE guardianships SET ended_at = started_at WHERE ward_reader_id = {}",
        family.ward
    );
    app.database.outside().run(&ended);
    let (bib, barcode) = book(app);
    let refused = lend(app, &family.desk, &barcode, &family.wards_card).expect_problem(409, "refused");
    assert_eq!(codes(&refused), ["guardian_consent_missing"]);
    let wanted = json!({"bib_id": bib, "pickup_unit_code": "B1"});
    let token = app.reader_token(&family.wards_card);
    let refused = app
        .post(&token, "/api/v1/me/holds", &wanted)
        .expect_problem(409, "refused");
    assert!(
        codes(&refused).contains(&"guardian_consent_missing"),
        "{}",
        refused.body
    );
    // No other card either.
    let card = json!({"kind": "physical", "number": "JC-SECOND"});
    let cards = format!("/api/v1/readers/{}/cards", family.ward);
    let refused = app.post(&family.desk, &cards, &card).expect_problem(409, "wrong_state");
    assert!(refused.body.to_string().contains("addGuardian"), "{}", refused.body);
    // From fourteen on nobody is asked any more.
    let born = |day: &str| {
        let sql = format!("UPDATE readers SET birth_date = '{day}' WHERE id = {}", family.ward);
        app.database.outside().run(&sql);
    };
    born("2012-03-04");
    app.post(&family.desk, &cards, &card).expect(201);
    born("2012-03-05");
    let override_it = json!({"item_barcode": barcode, "card_number": family.wards_card,
        "overrides": {"codes": ["guardian_consent_missing"], "reason": "监护人在场"}});
    let manager = app.staff("unit_manager", "B1");
    let lent = app
        .post_consenting(&manager, "/api/v1/check-outs", &override_it)
        .expect(201)
        .body;
    assert_eq!(lent["overridden"], json!(["guardian_consent_missing"]));
    link(app, family.ward, family.guardian, &json!({})).expect(201);
    let (_, second) = book(app);
    lend(app, &family.desk, &second, &family.wards_card).expect(201);
    app.assert_sound();
}

fn a_child_is_registered_with_a_guardian(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let register = |category: &str, born: Option<&str>, guardian: &Value| {
        let body = json!({"name": "李小明", "category": category, "home_unit_code": "B1", "birth_date": born,
            "card_number": format!("K{}", app.next()), "guardian": guardian});
        app.post(&desk, "/api/v1/readers", &body)
    };
    let consent = app.consent();
    let without = json!({"guardian_reader_id": consent["guardian_reader_id"], "relation": "parent"});
    for (category, born) in [
        ("child", None),
        ("child", Some("2018-05-01")),
        ("adult", Some("2008-03-05")),
    ] {
        register(category, born, &Value::Null).expect_fields(422, &["guardian"]);
        register(category, born, &without).expect_fields(422, &["guardian.consent_form"]);
        let half = json!({"guardian_reader_id": 1, "relation": "parent", "consent_form": "1"});
        register(category, born, &half).expect_fields(422, &["guardian.consented_on"]);
        let mut unknown = consent.clone();
        unknown["guardian_reader_id"] = json!(1);
        register(category, born, &unknown).expect_fields(422, &["guardian.guardian_reader_id"]);
        let mut tomorrow = consent.clone();
        tomorrow["consented_on"] = json!("2026-03-05");
        register(category, born, &tomorrow).expect_fields(422, &["guardian.consented_on"]);
        let ward = register(category, born, &consent).expect(201).id();
        let open = format!(
            "SELECT count(*) AS n FROM guardianships WHERE ward_reader_id = {ward} AND consent_form = '2026-1'"
        );
        assert_eq!(app.database.outside().number(&open), 1);
    }
    register("adult", Some("2008-03-04"), &Value::Null).expect(201);
    register("adult", Some("2008-03-04"), &consent).expect_fields(422, &["guardian"]);
    let kept = app
        .database
        .outside()
        .number("SELECT count(*) AS n FROM readers WHERE name = '李小明'");
    assert_eq!(kept, 4, "of those refused nothing is left");
    app.assert_sound();
}

fn a_link_ends_on_the_eighteenth_birthday(app: &TestApp) {
    let family = family(app);
    let born = format!(
        "UPDATE readers SET birth_date = '2008-03-05' WHERE id = {}",
        family.ward
    );
    app.database.outside().run(&born);
    let run = || {
        let store = &app.app.store;
        app.block_on(async {
            let look = store
                .read(ChangeCategories.look(0, app.clock.now()))
                .await
                .expect("reads");
            ChangeCategories.act(store, look.work).await.expect("changes")
        })
    };
    let open = || {
        let sql = format!(
            "SELECT count(*) AS n FROM guardianships WHERE ward_reader_id = {} AND ended_at IS NULL",
            family.ward
        );
        app.database.outside().number(&sql)
    };
    // Today only the category changes.
    assert_eq!((run(), open()), (1, 2));
    app.clock.set(TestApp::now() + chrono::TimeDelta::days(1));
    assert_eq!((run(), open()), (1, 0));
    assert_eq!(run(), 0, "once");
    let told = "SELECT count(*) AS n FROM events WHERE kind = 'reader_changed' AND detail LIKE '%of_age%'";
    assert_eq!(app.database.outside().number(told), 2);
    app.assert_sound();
}

fn an_institutions_loan_names_who_borrowed_it(app: &TestApp) {
    app.small_network();
    let desk = app.staff("librarian", "B1");
    let (school, own) = app.reader("institution_200", "B1");
    let card = json!({"kind": "physical", "number": "JC-CLASS", "holder_name": "王老师"});
    app.post(&desk, &format!("/api/v1/readers/{school}/cards"), &card)
        .expect(201);
    let borrowed = |card: &str| {
        let (_, barcode) = book(app);
        lend(app, &desk, &barcode, card).expect(201).body["loan"].clone()
    };
    assert_eq!(borrowed("JC-CLASS")["borrower"], "王老师");
    assert_eq!(borrowed(&own)["borrower"], Value::Null);
    let loans = app
        .get(&desk, &format!("/api/v1/readers/{school}/loans"))
        .expect(200)
        .body;
    let names: Vec<&Value> = loans["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|loan| &loan["borrower"])
        .collect();
    assert_eq!(names, [&Value::Null, &json!("王老师")]);
}
