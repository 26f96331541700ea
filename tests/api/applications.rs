//! Registration by the reader: from an application to an electronic card, without telling anybody who is registered.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tongjie::auth::identity::IdentityKey;
use tongjie::auth::tokens::hash_refresh;
use tongjie::domain::schedule::{NOTICE_ERASURE, RESEAL_IDENTITIES};
use tongjie::usecase::erase_notices::EraseNotices;
use tongjie::usecase::reseal_identities::ResealIdentities;
use tongjie::usecase::run_job::{Ran, run_job};

use crate::app::{PIN, TestApp};
use crate::client::Answer;
use crate::database::Engine;
use crate::id_numbers::{checked, id_number, person};
use crate::notices::{Letters, later, sent};
use crate::rule_sets::{exported, published};

on_both!(
    an_applicant_is_a_reader_at_once_where_the_unit_admits_it,
    an_application_waits_for_a_desk_of_its_unit,
    a_desk_refuses_with_a_reason_and_nothing_personal_is_left,
    nobody_learns_by_applying_who_is_registered,
    of_two_at_once_with_one_number_one_is_a_reader,
    children_and_namesakes_wait_for_a_desk,
    a_code_counts_ten_minutes_and_five_attempts,
    what_is_wrong_is_named_and_nothing_is_kept,
    who_applies_on_and_on_is_slowed_down,
    what_nobody_confirms_or_decides_is_erased,
    an_application_is_read_again_after_its_key_was_replaced,
    a_unit_says_how_it_takes_readers_in_for_what_is_below_it,
    who_registered_alone_stands_before_the_gate_like_anybody,
);

/// Says how a unit takes readers in.
pub fn takes_in(app: &TestApp, unit: &str, how: &str) {
    let path = format!("/api/v1/units/{unit}/self-registration");
    let said = app
        .request("PUT", &path)
        .bearer(&app.root_token())
        .json(&json!({"how": how}));
    assert_eq!(said.send().expect(200).body["how"], how);
}

fn application(app: &TestApp, number: &str, unit: &str) -> Value {
    json!({"name": "张申请", "id_number": number, "mail": format!("a{}@example.org", app.next()),
        "home_unit_code": unit, "pin": PIN})
}

fn apply(app: &TestApp, body: &Value) -> Answer {
    app.request("POST", "/api/v1/applications").json(body).send()
}

fn confirm(app: &TestApp, application: &Value, code: &str) -> Answer {
    app.request("POST", "/api/v1/applications/confirmation")
        .json(&json!({"application": application, "code": code}))
        .send()
}

fn standing(app: &TestApp, application: &Value) -> Answer {
    app.request("POST", "/api/v1/applications/state")
        .json(&json!({"application": application}))
        .send()
}

/// The code of an application.
pub fn code(app: &TestApp, application: &Value) -> String {
    let known_by = hash_refresh(application.as_str().expect("a text"));
    let known_by: String = known_by.iter().map(|byte| format!("{byte:02x}")).collect();
    let hex = match app.database.engine {
        Engine::Sqlite => "lower(hex(token_hash))",
        Engine::Postgres => "encode(token_hash, 'hex')",
    };
    let sql = format!("SELECT id AS n FROM card_applications WHERE {hex} = '{known_by}'");
    app.app.derived().code(app.database.outside().number(&sql))
}

/// An application whose address is proved.
pub fn proved(app: &TestApp, number: &str, unit: &str) -> (Value, Value) {
    let made = apply(app, &application(app, number, unit)).expect(201).body;
    let code = code(app, &made["application"]);
    let state = confirm(app, &made["application"], &code).expect(200).body;
    (made["application"].clone(), state)
}

fn waiting(app: &TestApp, token: &str) -> Vec<Value> {
    let page = app.get(token, "/api/v1/applications").expect(200).body;
    page["items"].as_array().expect("items").clone()
}

fn count(app: &TestApp, what: &str) -> i64 {
    app.database
        .outside()
        .number(&format!("SELECT count(*) AS n FROM {what}"))
}

fn an_applicant_is_a_reader_at_once_where_the_unit_admits_it(app: &TestApp) {
    app.small_network();
    takes_in(app, "M1", "at_once");
    let number = id_number(app.next());
    let asked = application(app, &number, "B1");
    let made = apply(app, &asked).expect(201).body;
    assert_eq!(made["code_minutes"], 10);
    assert_eq!(count(app, "readers"), 0);
    standing(app, &made["application"]).expect(200);
    let mails = sent(app, Letters::default());
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to.as_str(), asked["mail"]);
    let code = code(app, &made["application"]);
    assert!(mails[0].letter.text.contains(&code), "{mails:?}");
    assert!(
        !mails[0].letter.text.contains("张申请"),
        "nobody puts words into a mail to a stranger"
    );
    let done = confirm(app, &made["application"], &code).expect(200).body;
    assert_eq!(done["state"], "registered");
    let card = done["card_number"].as_str().expect("a card");
    // Sent again, and looked at, it is the same.
    assert_eq!(confirm(app, &made["application"], &code).expect(200).body, done);
    assert_eq!(standing(app, &made["application"]).expect(200).body, done);
    assert_eq!(count(app, "readers"), 1);

    let token = app.reader_token(card);
    let me = app.get(&token, "/api/v1/me").expect(200).body;
    assert_eq!(
        (&me["name"], &me["category"], &me["home_unit_code"]),
        (&json!("张申请"), &json!("adult"), &json!("B1"))
    );
    assert_eq!(
        (&me["birth_date"], &me["cards"][0]["kind"]),
        (&json!("1980-01-01"), &json!("e_card"))
    );
    let path = format!("/api/v1/readers/{}/contacts", me["id"]);
    let contacts = app.get(&token, &path).expect(200).body;
    assert_eq!(contacts["items"][0]["confirmed"], true);
    // What a reader may hold of the programme is there as for anybody whom a desk registers.
    app.get(&token, "/api/v1/me/credit").expect(200);
    let held = app.get(&token, "/api/v1/me/data").expect(200).body;
    let parts = held["parts"].as_array().expect("parts");
    let part = parts.iter().find(|part| part["table"] == "card_applications");
    assert_eq!(part.expect("it is shown")["rows"][0]["unit_code"], "B1");
    let kept = "card_applications WHERE name IS NOT NULL OR id_sealed IS NOT NULL OR address_sealed IS NOT NULL \
        OR pin_hash IS NOT NULL OR id_tail IS NOT NULL OR birth_date IS NOT NULL";
    assert_eq!(count(app, kept), 0);
    assert_eq!(
        count(app, "events WHERE kind = 'reader_registered' AND channel = 'portal'"),
        1
    );
    app.assert_sound();
}

fn an_application_waits_for_a_desk_of_its_unit(app: &TestApp) {
    app.small_network();
    let number = id_number(app.next());
    let (mine, state) = proved(app, &number, "B1");
    assert_eq!(state, json!({"state": "waiting", "card_number": null, "refusal": null}));
    assert_eq!(sent(app, Letters::default()), [], "the code counts no longer");
    let (here, elsewhere) = (app.staff("librarian", "B1"), app.staff("librarian", "M2"));
    let seen = waiting(app, &here);
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (&seen[0]["name"], &seen[0]["id_number_tail"], &seen[0]["reasons"]),
        (&json!("张申请"), &json!(number[14..]), &json!(["unit_decides"]))
    );
    assert!(!seen[0].to_string().contains(&number));
    assert_eq!(waiting(app, &elsewhere), Vec::<Value>::new());
    app.get(&app.staff("cashier", "B1"), "/api/v1/applications")
        .expect_problem(403, "forbidden");
    let path = format!("/api/v1/applications/{}/approval", seen[0]["id"]);
    app.post(&elsewhere, &path, &json!({})).expect_problem(403, "forbidden");
    app.post(&here, &path, &json!({"category": "child"}))
        .expect_fields(422, &["birth_date"]);
    app.post(&here, &path, &json!({"category": "nobody"}))
        .expect_fields(422, &["category"]);
    app.post(&here, "/api/v1/applications/1/approval", &json!({}))
        .expect_problem(404, "not_found");
    let approve = |key: &str| {
        app.request("POST", &path)
            .bearer(&here)
            .key(key)
            .json(&json!({}))
            .send()
    };
    let made = approve("k").expect(201);
    assert_eq!(
        made.header("location"),
        Some(&*format!("/api/v1/readers/{}", made.id()))
    );
    assert_eq!(approve("k").expect(201).body, made.body);
    approve("another").expect_problem(409, "wrong_state");
    let refusal = format!("/api/v1/applications/{}/refusal", seen[0]["id"]);
    app.post(&here, &refusal, &json!({"reason": "迟了"}))
        .expect_problem(409, "wrong_state");
    let card = standing(app, &mine).expect(200).body["card_number"].clone();
    app.reader_token(card.as_str().expect("a card"));
    assert_eq!(count(app, "readers"), 1);
    app.assert_sound();
}

fn a_desk_refuses_with_a_reason_and_nothing_personal_is_left(app: &TestApp) {
    app.small_network();
    let (mine, _) = proved(app, &id_number(app.next()), "B1");
    let desk = app.staff("librarian", "M1");
    let id = waiting(app, &desk)[0]["id"].clone();
    let path = format!("/api/v1/applications/{id}/refusal");
    app.post(&desk, &path, &json!({})).expect_fields(400, &["reason"]);
    app.post(&desk, &path, &json!({"reason": format!("见 {}", id_number(7))}))
        .expect_fields(400, &["reason"]);
    app.post(&app.staff("librarian", "B2"), &path, &json!({"reason": "不是本馆"}))
        .expect_problem(403, "forbidden");
    app.post(&desk, &path, &json!({"reason": "姓名与证件不符"})).expect(200);
    let told = standing(app, &mine).expect(200).body;
    assert_eq!(
        (&told["state"], &told["refusal"]),
        (&json!("refused"), &json!("姓名与证件不符"))
    );
    let approval = format!("/api/v1/applications/{id}/approval");
    app.post(&desk, &approval, &json!({}))
        .expect_problem(409, "wrong_state");
    assert_eq!(
        count(app, "card_applications WHERE name IS NOT NULL OR key_id IS NOT NULL"),
        0
    );
    assert_eq!(count(app, "events WHERE kind = 'application_refused'"), 1);
    assert_eq!(count(app, "readers"), 0);
    app.assert_sound();
}

fn nobody_learns_by_applying_who_is_registered(app: &TestApp) {
    app.small_network();
    takes_in(app, "C1", "at_once");
    let known = id_number(app.next());
    let reader = app.post(&app.root_token(), "/api/v1/readers", &person(app, &known));
    let reader = reader.expect(201).id();
    let shape = |answer: Answer| {
        let length = answer.body["application"].as_str().map(str::len);
        (answer.status, length, answer.body["code_minutes"].clone())
    };
    let of_known = shape(apply(app, &application(app, &known, "B1")));
    assert_eq!(
        of_known,
        shape(apply(app, &application(app, &id_number(app.next()), "B1")))
    );
    // Whoever has the number and proves some address is told no more than that a desk looks at it.
    let (_, state) = proved(app, &known, "B1");
    assert_eq!(state, json!({"state": "waiting", "card_number": null, "refusal": null}));
    let desk = app.staff("librarian", "B1");
    let seen = waiting(app, &desk);
    assert_eq!(
        (&seen[0]["reasons"], &seen[0]["registered_reader_id"]),
        (&json!(["registered_already"]), &json!(reader))
    );
    let path = format!("/api/v1/applications/{}/approval", seen[0]["id"]);
    let refused = app
        .post(&desk, &path, &json!({}))
        .expect_problem(409, "duplicate_reader");
    assert!(
        refused.body["detail"]
            .as_str()
            .expect("a detail")
            .contains(&reader.to_string())
    );
    assert_eq!((count(app, "readers"), waiting(app, &desk).len()), (1, 1));
}

fn of_two_at_once_with_one_number_one_is_a_reader(app: &TestApp) {
    app.small_network();
    takes_in(app, "C1", "at_once");
    let number = id_number(app.next());
    let applied: Vec<(Value, String)> = (0..2)
        .map(|_| {
            let made = apply(app, &application(app, &number, "B1")).expect(201).body;
            let code = code(app, &made["application"]);
            (made["application"].clone(), code)
        })
        .collect();
    let mut states: Vec<String> = std::thread::scope(|scope| {
        let confirming = applied.iter().map(|(application, code)| {
            let request = app
                .request("POST", "/api/v1/applications/confirmation")
                .json(&json!({"application": application, "code": code}));
            scope.spawn(move || request.send().expect(200).body["state"].to_string())
        });
        let confirming: Vec<_> = confirming.collect();
        confirming
            .into_iter()
            .map(|one| one.join().expect("answered"))
            .collect()
    });
    states.sort();
    assert_eq!(states, ["\"registered\"", "\"waiting\""]);
    assert_eq!((count(app, "readers"), count(app, "reader_identities")), (1, 1));
    app.assert_sound();
}

fn children_and_namesakes_wait_for_a_desk(app: &TestApp) {
    app.small_network();
    takes_in(app, "C1", "at_once");
    proved(app, &checked("11010520150101011"), "B1");
    // Registered at a desk without an ID number.
    let body = json!({"name": "张申请", "category": "adult", "home_unit_code": "B1", "card_number": "JC77",
        "birth_date": "1980-01-01"});
    let namesake = app.post(&app.root_token(), "/api/v1/readers", &body).expect(201).id();
    proved(app, &id_number(app.next()), "B1");
    let desk = app.staff("librarian", "B1");
    let seen = waiting(app, &desk);
    assert_eq!(seen[0]["reasons"], json!(["under_age"]));
    assert_eq!(
        (&seen[1]["reasons"], &seen[1]["namesake_ids"]),
        (&json!(["namesake"]), &json!([namesake]))
    );
    // The desk knows better.
    let path = format!("/api/v1/applications/{}/approval", seen[0]["id"]);
    app.post(&desk, &path, &json!({})).expect_fields(422, &["guardian"]);
    let consented = json!({"guardian": app.consent()});
    for (one, category, body) in [(&seen[0], "child", consented), (&seen[1], "adult", json!({}))] {
        let path = format!("/api/v1/applications/{}/approval", one["id"]);
        let made = app.post(&desk, &path, &body).expect(201).body;
        assert_eq!(made["category"], category);
    }
    app.assert_sound();
}

fn a_code_counts_ten_minutes_and_five_attempts(app: &TestApp) {
    app.small_network();
    takes_in(app, "C1", "at_once");
    let made = || {
        apply(app, &application(app, &id_number(app.next()), "B1"))
            .expect(201)
            .body["application"]
            .clone()
    };
    let with_code = || {
        let application = made();
        let code = code(app, &application);
        (application, code)
    };
    let (guessed, right) = with_code();
    let wrong = if right == "000000" { "000001" } else { "000000" };
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(confirm(app, &guessed, wrong).expect_fields(422, &["code"]).body["errors"].clone());
    }
    answers.push(confirm(app, &guessed, &right).expect_fields(422, &["code"]).body["errors"].clone());
    // One that never was is answered the same.
    answers.push(
        confirm(app, &json!("nobody"), &right)
            .expect_fields(422, &["code"])
            .body["errors"]
            .clone(),
    );
    assert!(answers.iter().all(|one| *one == answers[0]), "{answers:?}");
    standing(app, &json!("nobody")).expect_problem(404, "not_found");
    let (late, right) = with_code();
    later(app, 600);
    confirm(app, &late, &right).expect_fields(422, &["code"]);
    assert_eq!(sent(app, Letters::default()), [], "what counts no longer is not sent");
    // The code of one application is not that of another.
    let (one, code_of_one) = with_code();
    let other = made();
    confirm(app, &other, &code_of_one).expect_fields(422, &["code"]);
    confirm(app, &one, &code_of_one).expect(200);
    assert_eq!(count(app, "readers"), 1);
}

fn what_is_wrong_is_named_and_nothing_is_kept(app: &TestApp) {
    app.small_network();
    takes_in(app, "B2", "closed");
    let good = application(app, &id_number(1), "B1");
    let with = |member: &str, value: Value| {
        let mut body = good.clone();
        body[member] = value;
        apply(app, &body)
    };
    with("id_number", json!("110105198001010000")).expect_fields(422, &["id_number"]);
    with("id_number", json!(checked("11010519800230001"))).expect_fields(422, &["id_number"]);
    with("id_number", json!(checked("11010520300101001"))).expect_fields(422, &["id_number"]);
    with("id_number", json!(checked("11010518300101001"))).expect_fields(422, &["id_number"]);
    with("mail", json!("a@example.org\nBcc: all@example.org")).expect_fields(422, &["mail"]);
    with("mail", json!("a@b@example")).expect_fields(422, &["mail"]);
    with("phone", json!("13800138000")).expect_fields(400, &["phone"]);
    with("mail", Value::Null).expect_fields(400, &["mail"]);
    with("home_unit_code", json!("X9")).expect_fields(422, &["home_unit_code"]);
    with("home_unit_code", json!("B2")).expect_fields(422, &["home_unit_code"]);
    with("pin", json!("123456")).expect_fields(422, &["pin"]);
    with("name", json!(id_number(2))).expect_fields(400, &["name"]);
    with("name", json!("http://evil.example/ 点此领奖")).expect_fields(422, &["name"]);
    with("state", json!("registered")).expect(400);
    let mut all = good.clone();
    all["id_number"] = json!("1");
    all["home_unit_code"] = json!("X9");
    all["pin"] = json!("111111");
    apply(app, &all).expect_fields(422, &["home_unit_code", "id_number", "pin"]);
    assert_eq!((count(app, "card_applications"), count(app, "outbox")), (0, 0));
    // By telephone it goes to whoever sends SMS.
    let mut phone = good.clone();
    phone["mail"] = Value::Null;
    phone["phone"] = json!("13800138000");
    apply(app, &phone).expect(201);
    assert_eq!(count(app, "outbox WHERE consumer = 'sms'"), 1);
}

fn who_applies_on_and_on_is_slowed_down(app: &TestApp) {
    app.small_network();
    let body = application(app, &id_number(1), "B1");
    for _ in 0..5 {
        apply(app, &body).expect(201);
    }
    let slowed = apply(app, &body).expect_problem(429, "too_many_log_ins");
    assert!(slowed.header("retry-after").is_some());
    // Another person does not make another address of it.
    let mut other = body.clone();
    other["id_number"] = json!(id_number(2));
    apply(app, &other).expect_problem(429, "too_many_log_ins");
    assert_eq!(count(app, "outbox"), 5);
}

fn erase(app: &TestApp) {
    let pass = Arc::new(EraseNotices {
        days: 90,
        application_days: 30,
    });
    let run = run_job(&app.app.store, "a", NOTICE_ERASURE, &pass, || false);
    assert!(matches!(app.block_on(run).expect("runs"), Ran::Finished { .. }));
}

fn what_nobody_confirms_or_decides_is_erased(app: &TestApp) {
    app.small_network();
    let (mine, _) = proved(app, &id_number(1), "B1");
    let unproved = apply(app, &application(app, &id_number(2), "B1")).expect(201).body;
    // The job runs each night.
    app.clock.set(TestApp::now() + TimeDelta::hours(20));
    erase(app);
    assert_eq!(count(app, "card_applications"), 2);
    app.clock.set(TestApp::now() + TimeDelta::hours(45));
    erase(app);
    standing(app, &unproved["application"]).expect_problem(404, "not_found");
    assert_eq!(standing(app, &mine).expect(200).body["state"], "waiting");
    app.clock.set(TestApp::now() + TimeDelta::days(31));
    erase(app);
    assert_eq!(count(app, "card_applications"), 0);
}

fn an_application_is_read_again_after_its_key_was_replaced(app: &TestApp) {
    app.small_network();
    let number = id_number(app.next());
    proved(app, &number, "B1");
    let first = app.app.config.auth.identity_key.as_ref().expect("a key");
    let first = IdentityKey::new(first.expose_secret().as_bytes(), DateTime::UNIX_EPOCH);
    let next = || IdentityKey::new(&[7; 32], DateTime::UNIX_EPOCH);
    app.app.identities.replace(vec![first, next()]);
    let pass = Arc::new(ResealIdentities);
    let run = run_job(&app.app.store, "a", RESEAL_IDENTITIES, &pass, || false);
    app.block_on(run).expect("runs");
    app.app.identities.replace(vec![next()]);
    let desk = app.staff("librarian", "B1");
    let path = format!("/api/v1/applications/{}/approval", waiting(app, &desk)[0]["id"]);
    app.post(&desk, &path, &json!({})).expect(201);
    // Found by the number, so it was read right.
    let again = app.post(&app.root_token(), "/api/v1/readers", &person(app, &number));
    again.expect_problem(409, "duplicate_reader");
}

fn a_unit_says_how_it_takes_readers_in_for_what_is_below_it(app: &TestApp) {
    app.small_network();
    let path = |unit: &str| format!("/api/v1/units/{unit}/self-registration");
    let manager = app.staff("unit_manager", "M1");
    let view = |unit: &str| app.get(&manager, &path(unit)).expect(200).body;
    assert_eq!(
        view("B1"),
        json!({"unit_code": "B1", "how": "desk", "said_by_unit_code": null})
    );
    let set = |unit: &str, body: Value| app.request("PUT", &path(unit)).bearer(&manager).json(&body).send();
    set("M1", json!({"how": "at_once"})).expect(200);
    assert_eq!(
        view("B1"),
        json!({"unit_code": "B1", "how": "at_once", "said_by_unit_code": "M1"})
    );
    set("B1", json!({"how": "closed"})).expect(200);
    assert_eq!(view("B1")["how"], "closed");
    set("B1", json!({})).expect(200);
    assert_eq!(view("B1")["how"], "at_once");
    set("M2", json!({"how": "at_once"})).expect_problem(403, "forbidden");
    set("X9", json!({"how": "at_once"})).expect_problem(404, "not_found");
    set("M1", json!({"how": "perhaps"})).expect_fields(400, &["how"]);
    let stale = app
        .request("PUT", &path("M1"))
        .bearer(&manager)
        .header("If-Match", "\"1\"")
        .json(&json!({"how": "desk"}));
    assert_eq!(stale.send().status, 412);
}

fn who_registered_alone_stands_before_the_gate_like_anybody(app: &TestApp) {
    app.small_network();
    takes_in(app, "M1", "at_once");
    let gate = "[[credit.gate]]\nkind = \"deposit\"\nfen = 10000\n";
    let rules = format!("{}\n{gate}", exported(app, 1));
    published(app, &app.root_token(), None, &rules);
    let (_, state) = proved(app, &id_number(app.next()), "B1");
    let card = state["card_number"].as_str().expect("a card");
    app.reader_token(card);
    let (_, barcode) = app.item(app.bib("红楼梦", None), "B1", &json!({}));
    let desk = app.staff("librarian", "B1");
    let body = json!({"item_barcode": barcode, "card_number": card});
    let refused = app.post(&desk, "/api/v1/check-outs", &body).expect(409).body;
    assert_eq!(refused["refusals"][0]["code"], "entry_deposit");
}
