//! Accounts in their owners' hands: their sessions, one-time passwords, and secrets that were forgotten.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tongjie::auth::one_time::TotpSecret;

use crate::app::{PASSWORD, PIN, TestApp};
use crate::client::Answer;

on_both!(
    everybody_sees_and_ends_their_own_sessions_only,
    one_time_passwords_are_asked_for_once_they_are_on,
    no_step_and_no_recovery_code_counts_twice,
    a_pending_secret_changes_nothing_until_its_first_code,
    an_administrator_takes_one_time_passwords_away,
    a_forgotten_pin_is_set_by_a_code,
    a_forgotten_password_is_set_by_a_code_and_the_second_factor_stays,
    nobody_learns_whether_there_is_such_an_account,
    a_code_expires_and_is_tried_five_times_at_most,
);

fn token(answer: &Answer) -> String {
    answer.body["access_token"].as_str().expect("a token").to_owned()
}

fn sessions(app: &TestApp, token: &str) -> Vec<(i64, bool)> {
    let page = app.get(token, "/api/v1/sessions").expect(200).body;
    let items = page["items"].as_array().expect("items");
    items
        .iter()
        .map(|one| (one["id"].as_i64().expect("an id"), one["current"] == true))
        .collect()
}

fn everybody_sees_and_ends_their_own_sessions_only(app: &TestApp) {
    app.small_network();
    let (_, card) = app.reader("adult", "B1");
    let (_, other) = app.reader("adult", "B1");
    let log_in = json!({"card_number": card, "pin": PIN});
    let phone = app.log_in(&log_in).expect(201);
    app.tick();
    let tablet = app.log_in(&log_in).expect(201);
    let (phone_token, tablet_token) = (token(&phone), token(&tablet));
    let seen = sessions(app, &tablet_token);
    assert_eq!(
        seen.iter().map(|(_, current)| *current).collect::<Vec<_>>(),
        [true, false]
    );
    let first = app.get(&tablet_token, "/api/v1/sessions?limit=1").expect(200).body;
    assert!(first["next_cursor"].is_string());
    let lost = seen[1].0;
    let end = |token: &str, id: i64| {
        let path = format!("/api/v1/sessions/{id}");
        app.request("DELETE", &path).bearer(token).send()
    };
    end(&app.reader_token(&other), lost).expect_problem(404, "not_found");
    end(&app.root_token(), lost).expect_problem(404, "not_found");
    for _ in 0..2 {
        end(&tablet_token, lost).expect(204);
    }
    let refresh = json!({"refresh_token": phone.body["refresh_token"]});
    app.request("POST", "/api/v1/sessions/refresh")
        .json(&refresh)
        .send()
        .expect_problem(401, "unauthenticated");
    assert_eq!(sessions(app, &phone_token), [(seen[0].0, false)]);
    // Staff have theirs, with the desk.
    let desk = app.staff("librarian", "B1");
    let page = app.get(&desk, "/api/v1/sessions").expect(200).body;
    assert_eq!(page["items"][0]["unit_code"], "B1");
}

/// A librarian of B1 with one-time passwords, and what the authenticator holds.
struct Member {
    id: i64,
    username: String,
    token: String,
    secret: TotpSecret,
    recovery: Vec<String>,
}

fn member(app: &TestApp) -> (i64, String, String) {
    let username = format!("desk.{}", app.next());
    let body = json!({"username": username, "name": "王老师", "password": PASSWORD,
        "roles": [{"role": "librarian", "unit_code": "B1"}]});
    let id = app.post(&app.root_token(), "/api/v1/staff", &body).expect(201).id();
    let token = app.staff_token(&username, Some("B1"));
    (id, username, token)
}

/// The secret as the authenticator reads it, found again by its number.
fn secret(app: &TestApp, id: i64, told: &Value) -> TotpSecret {
    let sql = format!("SELECT COALESCE(pending, number) AS n FROM staff_totp WHERE staff_id = {id}");
    let number = app.database.outside().number(&sql);
    let secret = TotpSecret::derive(&app.app.tokens, id, number);
    assert_eq!(told["secret"], secret.base32());
    secret
}

fn enrol(app: &TestApp, token: &str) -> Answer {
    app.post(token, "/api/v1/totp", &json!({"password": PASSWORD}))
}

fn confirm(app: &TestApp, token: &str, code: &str) -> Answer {
    app.post(token, "/api/v1/totp/confirmation", &json!({"code": code}))
}

fn with_totp(app: &TestApp) -> Member {
    app.small_network();
    let (id, username, token) = member(app);
    let begun = enrol(app, &token).expect(201).body;
    let secret = secret(app, id, &begun);
    let uri = begun["uri"].as_str().expect("a URI");
    assert!(uri.starts_with("otpauth://totp/Tongjie:desk."), "{uri}");
    let code = secret.code_at(app.clock.now());
    let on = confirm(app, &token, &code).expect(200).body;
    let codes = on["recovery_codes"].as_array().expect("codes");
    let recovery = codes.iter().map(|code| code.as_str().expect("a code").to_owned());
    Member {
        id,
        username,
        token,
        secret,
        recovery: recovery.collect(),
    }
}

fn log_in(app: &TestApp, member: &Member, code: Option<&str>) -> Answer {
    let mut body = json!({"username": member.username, "password": PASSWORD, "unit_code": "B1"});
    if let Some(code) = code {
        body["code"] = code.into();
    }
    app.log_in(&body)
}

fn later(app: &TestApp, seconds: i64) {
    app.clock.set(app.clock.now() + TimeDelta::seconds(seconds));
}

fn one_time_passwords_are_asked_for_once_they_are_on(app: &TestApp) {
    let member = with_totp(app);
    assert_eq!(member.recovery.len(), 10);
    later(app, 60);
    log_in(app, &member, None).expect_problem(401, "second_factor_needed");
    // A wrong password is a wrong password, code or not.
    let wrong = json!({"username": member.username, "password": "another password", "unit_code": "B1"});
    app.log_in(&wrong).expect_problem(401, "unauthenticated");
    log_in(app, &member, Some("000000")).expect_problem(401, "unauthenticated");
    let code = member.secret.code_at(app.clock.now());
    log_in(app, &member, Some(&code)).expect(201);
    // Readers have none.
    let (_, card) = app.reader("adult", "B1");
    app.log_in(&json!({"card_number": card, "pin": PIN, "code": "000000"}))
        .expect_fields(400, &["code"]);
    // Nothing of it lies in the database.
    let hidden = "SELECT count(*) AS n FROM idempotency_keys WHERE outcome LIKE '%otpauth%'";
    assert_eq!(app.database.outside().number(hidden), 0);
    let told = "SELECT count(*) AS n FROM events WHERE kind = 'staff_changed' AND detail LIKE '%totp on%'";
    assert_eq!(app.database.outside().number(told), 1);
    app.assert_sound();
}

fn no_step_and_no_recovery_code_counts_twice(app: &TestApp) {
    let member = with_totp(app);
    // The code that turned it on was used by that.
    let first = member.secret.code_at(app.clock.now());
    log_in(app, &member, Some(&first)).expect_problem(401, "unauthenticated");
    later(app, 30);
    let code = member.secret.code_at(app.clock.now());
    log_in(app, &member, Some(&code)).expect(201);
    log_in(app, &member, Some(&code)).expect_problem(401, "unauthenticated");
    log_in(app, &member, Some(&first)).expect_problem(401, "unauthenticated");
    later(app, 3600);
    let recovery = member.recovery[3].to_lowercase();
    log_in(app, &member, Some(&recovery)).expect(201);
    log_in(app, &member, Some(&recovery)).expect_problem(401, "unauthenticated");
    log_in(app, &member, Some(&member.recovery[4])).expect(201);
    let unused = format!(
        "SELECT count(*) AS n FROM staff_recovery_codes WHERE staff_id = {} AND used_at IS NULL",
        member.id
    );
    assert_eq!(app.database.outside().number(&unused), 8);
}

fn a_pending_secret_changes_nothing_until_its_first_code(app: &TestApp) {
    app.small_network();
    let (id, username, token) = member(app);
    confirm(app, &token, "123456").expect_problem(409, "wrong_state");
    app.post(&token, "/api/v1/totp", &json!({"password": "another password"}))
        .expect_fields(422, &["password"]);
    let begun = enrol(app, &token).expect(201).body;
    app.staff_token(&username, Some("B1"));
    confirm(app, &token, "000000").expect_fields(422, &["code"]);
    app.staff_token(&username, Some("B1"));
    let secret = secret(app, id, &begun);
    // The same key answers the same secret, and the codes are told once.
    let code = secret.code_at(app.clock.now());
    let once = || {
        let asked = app
            .request("POST", "/api/v1/totp/confirmation")
            .bearer(&token)
            .key("on");
        asked.json(&json!({"code": code})).send().expect(200)
    };
    assert_eq!(once().body["recovery_codes"].as_array().map(Vec::len), Some(10));
    let again = once();
    assert_eq!(
        (again.header("idempotency-replayed"), &again.body["recovery_codes"]),
        (Some("true"), &json!([]))
    );
    let kept = "SELECT count(*) AS n FROM idempotency_keys WHERE outcome LIKE '%recovery_codes\":[\"%'";
    assert_eq!(app.database.outside().number(kept), 0);
}

fn an_administrator_takes_one_time_passwords_away(app: &TestApp) {
    let member = with_totp(app);
    let path = format!("/api/v1/staff/{}/totp", member.id);
    let take = |token: &str| app.request("DELETE", &path).bearer(token).send();
    take(&member.token).expect_problem(403, "forbidden");
    take(&app.staff("unit_manager", "B2")).expect_problem(403, "forbidden");
    let manager = app.staff("unit_manager", "B1");
    assert_eq!(take(&manager).expect(200).body["was_on"], true);
    assert_eq!(take(&manager).expect(200).body["was_on"], false);
    app.staff_token(&member.username, Some("B1"));
    let told = "SELECT count(*) AS n FROM events e JOIN event_personal p ON p.seq = e.seq \
        WHERE e.detail LIKE '%totp off%' AND p.staff_id IS NOT NULL";
    assert_eq!(app.database.outside().number(told), 1);
}

fn ask(app: &TestApp, account: &Value) -> Answer {
    app.request("POST", "/api/v1/sessions/resets").json(account).send()
}

fn redeem(app: &TestApp, body: &Value) -> Answer {
    app.request("POST", "/api/v1/sessions/resets/redemption")
        .json(body)
        .send()
}

/// A reader of B1 with a mail address: card number and id.
fn reader_with_mail(app: &TestApp) -> (i64, String) {
    app.small_network();
    let (id, card) = app.reader("adult", "B1");
    crate::notices::with_mail(app, id);
    (id, card)
}

/// What the last notice of a code would tell a reader.
fn noticed(app: &TestApp) -> String {
    let sql = "SELECT max(c.id) AS n FROM one_time_codes c JOIN notice_lines l ON l.subject_id = c.id \
        WHERE c.purpose = 'reset_pin' AND l.kind = 'verification_code'";
    app.app.derived().code(app.database.outside().number(sql))
}

/// What the last code would tell a member of staff.
fn sent(app: &TestApp) -> String {
    let last = app
        .database
        .outside()
        .number("SELECT id AS n FROM reset_codes ORDER BY made_at DESC LIMIT 1");
    app.app.derived().code(last)
}

fn a_forgotten_pin_is_set_by_a_code(app: &TestApp) {
    let (_, card) = reader_with_mail(app);
    let before = app.log_in(&json!({"card_number": card, "pin": PIN})).expect(201);
    ask(app, &json!({"card_number": card})).expect(204);
    let code = noticed(app);
    let redemption = |pin: &str| json!({"card_number": card, "code": code, "new_pin": pin});
    redeem(app, &redemption("111111")).expect_fields(422, &["new_pin"]);
    redeem(app, &redemption("581093")).expect(204);
    app.log_in(&json!({"card_number": card, "pin": PIN}))
        .expect_problem(401, "unauthenticated");
    app.log_in(&json!({"card_number": card, "pin": "581093"})).expect(201);
    redeem(app, &redemption("581094")).expect_fields(422, &["code"]);
    let refresh = json!({"refresh_token": before.body["refresh_token"]});
    app.request("POST", "/api/v1/sessions/refresh")
        .json(&refresh)
        .send()
        .expect_problem(401, "unauthenticated");
    app.assert_sound();
}

fn a_forgotten_password_is_set_by_a_code_and_the_second_factor_stays(app: &TestApp) {
    let member = with_totp(app);
    let path = format!("/api/v1/staff/{}/contact", member.id);
    let contact = app.request("PUT", &path).bearer(&app.root_token());
    contact.json(&json!({"mail": "wang@example.org"})).send().expect(200);
    ask(app, &json!({"username": member.username})).expect(204);
    let body = json!({"username": member.username, "code": sent(app), "new_password": "quite another one"});
    redeem(app, &body).expect(204);
    let log_in = json!({"username": member.username, "password": "quite another one", "unit_code": "B1"});
    app.log_in(&log_in).expect_problem(401, "second_factor_needed");
}

fn nobody_learns_whether_there_is_such_an_account(app: &TestApp) {
    let (_, card) = reader_with_mail(app);
    let (_, unreachable) = app.reader("adult", "B1");
    let rows = "SELECT count(*) AS n FROM outbox WHERE consumer = 'mail'";
    let told = |answer: Answer| (answer.status, answer.bytes);
    let of = |account: Value| told(ask(app, &account));
    assert_eq!(of(json!({"card_number": card})), of(json!({"card_number": "JC999999"})));
    assert_eq!(
        of(json!({"card_number": unreachable})),
        of(json!({"card_number": card}))
    );
    assert_eq!(of(json!({"username": "root"})), of(json!({"username": "nobody"})));
    assert_eq!(
        app.database.outside().number(rows),
        2,
        "of the staff nobody has an address"
    );
    let wrong = |account: &str| json!({"card_number": account, "code": "00000000", "new_pin": "581093"});
    let detail = |body: Value| redeem(app, &body).expect_fields(422, &["code"]).body["errors"].clone();
    assert_eq!(detail(wrong(&card)), detail(wrong("JC999999")));
    // Somebody who asks on and on is slowed down, and nobody is flooded.
    let mut last = 204;
    for _ in 0..8 {
        last = ask(app, &json!({"card_number": card})).status;
    }
    assert_eq!(last, 429);
    assert!(
        app.database.outside().number(rows) <= 6,
        "five codes an hour for a reader"
    );
    ask(app, &json!({})).expect_fields(400, &["username"]);
    ask(app, &json!({"username": "root", "card_number": card})).expect_fields(400, &["card_number"]);
}

fn a_code_expires_and_is_tried_five_times_at_most(app: &TestApp) {
    let (_, card) = reader_with_mail(app);
    let redemption = |code: &str| json!({"card_number": card, "code": code, "new_pin": "581093"});
    ask(app, &json!({"card_number": card})).expect(204);
    let code = noticed(app);
    later(app, 10 * 60);
    redeem(app, &redemption(&code)).expect_fields(422, &["code"]);
    // A new one takes the place of the one before.
    later(app, 24 * 3600);
    ask(app, &json!({"card_number": card})).expect(204);
    let older = noticed(app);
    ask(app, &json!({"card_number": card})).expect(204);
    let code = noticed(app);
    redeem(app, &redemption(&older)).expect_fields(422, &["code"]);
    for _ in 0..4 {
        later(app, 60);
        redeem(app, &redemption("00000000")).expect_fields(422, &["code"]);
    }
    later(app, 60);
    redeem(app, &redemption(&code)).expect_fields(422, &["code"]);
    app.log_in(&json!({"card_number": card, "pin": PIN})).expect(201);
}
