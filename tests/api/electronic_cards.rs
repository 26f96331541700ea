//! The electronic card: shown by a reader's phone, used at one machine, void when the phone is lost.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tongjie::auth::card_token::{PublicKey, PublicKeys};
use tongjie::auth::{CardKeyRing, CardTokens};
use tongjie::config::Config;
use tongjie::domain::ids::CardId;
use tongjie::usecase::expire_keys::expire_keys;

use crate::app::{TestApp, run_with};
use crate::client::Answer;
use crate::database::Engine;
use crate::id_numbers::id_number;

on_both!(
    a_reader_shows_the_card_in_the_form_that_is_asked_for,
    anybody_verifies_a_token_with_the_published_keys,
    one_scan_lends_several_books_to_the_reader_who_showed_it,
    a_code_is_good_at_one_machine_and_refused_anywhere_else,
    a_session_rests_two_minutes_and_lasts_fifteen,
    a_refused_check_out_spends_the_code_and_a_repeated_one_is_answered_again,
    a_dry_run_spends_nothing,
    what_is_no_token_of_ours_is_refused_clearly,
    a_token_for_another_unit_is_refused_and_one_for_a_unit_above_is_not,
    a_lost_phone_is_revoked_at_once,
    readers_revoke_their_own_and_staff_anybodys,
    a_lost_phone_changes_nothing_any_more,
    who_shows_a_code_again_has_not_come_again,
    devices_sync_revocations_by_cursor,
    the_latest_electronic_card_is_shown_and_no_card_that_is_not_active,
    who_has_nothing_but_an_id_card_shows_that_by_phone,
    a_request_names_exactly_one_card,
    a_gate_lets_in_whoever_has_a_good_card,
    what_is_over_is_forgotten,
);

const CHECK_OUTS: &str = "/api/v1/check-outs";
const SECRET: &str = "a secret of the device";
const SESSIONS: &str = "/api/v1/card-sessions";
const REVOCATIONS: &str = "/api/v1/card-revocations";

/// Two kiosks of B1 and one of B2, and a reader who is logged in on a phone.
struct Scene {
    kiosk: String,
    other_kiosk: String,
    elsewhere: String,
    reader: i64,
    card: String,
    phone: String,
}

fn scene(app: &TestApp) -> Scene {
    app.small_network();
    let units: Value = app.get(&app.root_token(), "/api/v1/units?limit=200").expect(200).body;
    let unit = |code: &str| {
        let units = units["items"].as_array().expect("units");
        let found = units.iter().find(|unit| unit["code"] == code).expect("the unit");
        found["id"].as_i64().expect("an id")
    };
    let device = |code: &str, at: &str| {
        app.device(code, unit(at), SECRET);
        log_in(app, code)
    };
    let (reader, card) = app.reader("adult", "B1");
    Scene {
        kiosk: device("K1", "B1"),
        other_kiosk: device("K2", "B1"),
        elsewhere: device("K3", "B2"),
        phone: app.reader_token(&card),
        reader,
        card,
    }
}

/// A session of a machine; its access token lasts fifteen minutes.
fn log_in(app: &TestApp, device: &str) -> String {
    let session = app
        .log_in(&json!({"device_code": device, "secret": SECRET}))
        .expect(201);
    session.body["access_token"].as_str().expect("a token").to_owned()
}

/// A further card; answers its id.
fn add_card(app: &TestApp, reader: i64, number: &str, kind: &str, expires_on: Option<&str>) -> i64 {
    let id = 900_000 + i64::from(app.next());
    let end = expires_on.map_or("NULL".to_owned(), |day| format!("'{day}'"));
    app.database.outside().run(&format!(
        "INSERT INTO cards (id, number, reader_id, kind, status, expires_on) \
         VALUES ({id}, '{number}', {reader}, '{kind}', 'active', {end})"
    ));
    id
}

fn set_status(app: &TestApp, number: &str, status: &str) {
    let sql = format!("UPDATE cards SET status = '{status}' WHERE number = '{number}'");
    app.database.outside().run(&sql);
}

fn show(app: &TestApp, phone: &str, query: &str) -> String {
    let answer = app.get(phone, &format!("/api/v1/me/card{query}")).expect(200);
    answer.body["token"].as_str().expect("a token").to_owned()
}

fn book(app: &TestApp) -> String {
    app.item(app.bib("平凡的世界", None), "B1", &json!({})).1
}

fn lend(app: &TestApp, machine: &str, token: &str) -> Answer {
    app.post(
        machine,
        CHECK_OUTS,
        &json!({"item_barcode": book(app), "card_token": token}),
    )
}

fn open(app: &TestApp, machine: &str, token: &str) -> Answer {
    app.post(machine, SESSIONS, &json!({"card_token": token}))
}

#[track_caller]
fn expect_refusal(answer: Answer, code: &str) {
    let answer = answer.expect_problem(409, "refused");
    let codes: Vec<&Value> = answer.body["refusals"]
        .as_array()
        .expect("refusals")
        .iter()
        .map(|one| &one["code"])
        .collect();
    assert_eq!(codes, [code], "{}", answer.body);
}

fn later(app: &TestApp, seconds: i64) {
    app.clock.set(app.clock.now() + TimeDelta::seconds(seconds));
}

fn a_reader_shows_the_card_in_the_form_that_is_asked_for(app: &TestApp) {
    let scene = scene(app);
    let accepting = |kind: &str| {
        let request = app.request("GET", "/api/v1/me/card").bearer(&scene.phone);
        request.header("Accept", kind).send()
    };
    let card = app.get(&scene.phone, "/api/v1/me/card").expect(200);
    assert_eq!(card.header("cache-control"), Some("no-store"));
    assert_eq!(card.body["expires_at"], "2026-03-04T04:01:00Z");
    assert_eq!(card.body["refresh_at"], "2026-03-04T04:00:45Z");
    assert_eq!(card.body["unit_code"], "network");
    let svg = accepting("image/svg+xml").expect(200);
    assert_eq!(svg.header("content-type"), Some("image/svg+xml"));
    assert_eq!(svg.header("cache-control"), Some("no-store"));
    assert!(svg.bytes.starts_with(b"<svg "));
    let png = accepting("image/png").expect(200);
    assert_eq!(png.header("content-type"), Some("image/png"));
    assert!(png.bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
    accepting("text/html").expect_problem(406, "not_acceptable");
    assert_ne!(
        show(app, &scene.phone, ""),
        show(app, &scene.phone, ""),
        "each has a nonce of its own"
    );
    app.get(&scene.phone, "/api/v1/me/card?unit_code=nowhere")
        .expect_fields(422, &["unit_code"]);
    app.get(&scene.kiosk, "/api/v1/me/card")
        .expect_problem(403, "forbidden");
    app.get(&app.root_token(), "/api/v1/me/card")
        .expect_problem(403, "forbidden");
}

fn anybody_verifies_a_token_with_the_published_keys(app: &TestApp) {
    let scene = scene(app);
    let card = app.get(&scene.phone, "/api/v1/me/card").expect(200);
    let published = app.request("GET", "/.well-known/jwks.json").send().expect(200);
    assert_eq!(published.header("cache-control"), Some("public, max-age=300"));
    let keys: Vec<PublicKey> = serde_json::from_value(published.body["keys"].clone()).expect("keys");
    assert_eq!(keys.len(), 1);
    assert_eq!(card.body["key_id"], keys[0].kid.as_str());
    let token = card.body["token"].as_str().expect("a token");
    let says = PublicKeys::new(&keys).open(token).expect("genuine");
    assert_eq!(card.body["card_id"], says.card.get());
    assert!(!token.contains(&scene.card), "the number of the card is not in it");
}

fn one_scan_lends_several_books_to_the_reader_who_showed_it(app: &TestApp) {
    let scene = scene(app);
    let token = show(app, &scene.phone, "");
    let loan = lend(app, &scene.kiosk, &token).expect(201);
    assert_eq!(loan.body["loan"]["reader_id"], scene.reader);
    later(app, 100);
    lend(app, &scene.kiosk, &token).expect(201);
    later(app, 100);
    lend(app, &scene.kiosk, &token).expect(201);
    app.assert_sound();
}

fn a_code_is_good_at_one_machine_and_refused_anywhere_else(app: &TestApp) {
    let scene = scene(app);
    let token = show(app, &scene.phone, "");
    lend(app, &scene.kiosk, &token).expect(201);
    for machine in [&scene.other_kiosk, &scene.elsewhere, &app.staff("librarian", "B1")] {
        expect_refusal(lend(app, machine, &token), "card_token_used");
        expect_refusal(open(app, machine, &token), "card_token_used");
    }
    lend(app, &scene.kiosk, &token).expect(201);
    let fresh = show(app, &scene.phone, "");
    lend(app, &scene.other_kiosk, &fresh).expect(201);
    app.assert_sound();
}

fn a_session_rests_two_minutes_and_lasts_fifteen(app: &TestApp) {
    let scene = scene(app);
    let late = show(app, &scene.phone, "");
    later(app, 60);
    expect_refusal(open(app, &scene.kiosk, &late), "card_token_expired");
    let token = show(app, &scene.phone, "");
    let opened = open(app, &scene.kiosk, &token).expect(200);
    assert_eq!(opened.body["reader_id"], scene.reader);
    assert_eq!(opened.body["idle_until"], "2026-03-04T04:03:00Z");
    assert_eq!(opened.body["ends_at"], "2026-03-04T04:16:00Z");
    for _ in 0..8 {
        later(app, 110);
        open(app, &log_in(app, "K1"), &token).expect(200);
    }
    let kiosk = log_in(app, "K1");
    later(app, 19);
    open(app, &kiosk, &token).expect(200);
    later(app, 1);
    expect_refusal(open(app, &kiosk, &token), "card_token_expired");
    let other = show(app, &app.reader_token(&scene.card), "");
    open(app, &kiosk, &other).expect(200);
    later(app, 119);
    open(app, &kiosk, &other).expect(200);
    later(app, 120);
    expect_refusal(open(app, &kiosk, &other), "card_token_expired");
}

fn a_refused_check_out_spends_the_code_and_a_repeated_one_is_answered_again(app: &TestApp) {
    let scene = scene(app);
    let token = show(app, &scene.phone, "");
    let (_, barred) = app.item(app.bib("禁书", None), "B1", &json!({"not_for_loan": true}));
    let ask = json!({"item_barcode": barred, "card_token": token});
    expect_refusal(app.post(&scene.kiosk, CHECK_OUTS, &ask), "item_not_for_loan");
    expect_refusal(lend(app, &scene.other_kiosk, &token), "card_token_used");
    let unknown = show(app, &scene.phone, "");
    let ask = json!({"item_barcode": "0000", "card_token": unknown});
    app.post(&scene.kiosk, CHECK_OUTS, &ask)
        .expect_fields(422, &["item_barcode"]);
    expect_refusal(lend(app, &scene.other_kiosk, &unknown), "card_token_used");
    // The same key again, long after the code and its session: the answer that was lost on the way.
    let ask = json!({"item_barcode": book(app), "card_token": show(app, &scene.phone, "")});
    let send = || {
        let request = app.request("POST", CHECK_OUTS).bearer(&scene.kiosk).key("k");
        request.json(&ask).send().expect(201)
    };
    let first = send();
    later(app, 500);
    let again = send();
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.body, first.body);
}

fn a_dry_run_spends_nothing(app: &TestApp) {
    let scene = scene(app);
    let token = show(app, &scene.phone, "");
    let ask = json!({"item_barcode": book(app), "card_token": token, "dry_run": true});
    app.post(&scene.kiosk, CHECK_OUTS, &ask).expect(200);
    lend(app, &scene.other_kiosk, &token).expect(201);
}

fn what_is_no_token_of_ours_is_refused_clearly(app: &TestApp) {
    let scene = scene(app);
    let dir = app.database.dir().join("another-network");
    let keys = CardKeyRing::load(&Config::for_tests(&dir, "sqlite:unused.db")).expect("keys");
    let theirs = CardTokens::new(keys);
    let card = app.get(&scene.phone, "/api/v1/me/card").expect(200).body["card_id"].clone();
    let card = CardId::new(card.as_i64().expect("an id"));
    let now = app.clock.now();
    let forged = theirs.make(card, "network", now).expect("made").token;
    let token = show(app, &scene.phone, "");
    let (message, _) = token.rsplit_once('.').expect("parts");
    let long = "x".repeat(600);
    for wrong in [forged.as_str(), message, "JC000001", long.as_str(), "..", "书"] {
        expect_refusal(lend(app, &scene.kiosk, wrong), "card_token_invalid");
        expect_refusal(open(app, &scene.kiosk, wrong), "card_token_invalid");
    }
    let ours = |card, at| app.app.cards.make(card, "network", at).expect("made").token;
    let tomorrow = ours(card, now + TimeDelta::days(1));
    expect_refusal(lend(app, &scene.kiosk, &tomorrow), "card_token_early");
    let unknown_card = ours(CardId::new(1), now);
    expect_refusal(lend(app, &scene.kiosk, &unknown_card), "card_token_invalid");
    app.get(&scene.phone, "/api/v1/me/card").expect(200);
}

fn a_token_for_another_unit_is_refused_and_one_for_a_unit_above_is_not(app: &TestApp) {
    let scene = scene(app);
    let of = |unit: &str| show(app, &scene.phone, &format!("?unit_code={unit}"));
    expect_refusal(open(app, &scene.elsewhere, &of("B1")), "card_token_other_unit");
    expect_refusal(lend(app, &scene.elsewhere, &of("M1")), "card_token_other_unit");
    for above in ["B1", "M1", "C1", "network"] {
        open(app, &scene.kiosk, &of(above)).expect(200);
    }
}

fn a_lost_phone_is_revoked_at_once(app: &TestApp) {
    let scene = scene(app);
    let (used, unused) = (show(app, &scene.phone, ""), show(app, &scene.phone, ""));
    open(app, &scene.kiosk, &used).expect(200);
    app.tick();
    let path = format!("/api/v1/readers/{}/card-token-revocations", scene.reader);
    let revoked = app.post(&app.staff("librarian", "B1"), &path, &json!({})).expect(200);
    assert_eq!(
        revoked.body["void_until"], "2026-03-04T04:00:06Z",
        "with what was under way"
    );
    expect_refusal(lend(app, &scene.kiosk, &used), "card_token_revoked");
    expect_refusal(open(app, &scene.kiosk, &unused), "card_token_revoked");
    // The phone's access token lives on for minutes; it shows no card with it.
    app.get(&scene.phone, "/api/v1/me/card")
        .expect_problem(401, "unauthenticated");
    app.tick();
    let new_phone = app.reader_token(&scene.card);
    lend(app, &scene.kiosk, &show(app, &new_phone, "")).expect(201);
    app.assert_sound();
}

fn readers_revoke_their_own_and_staff_anybodys(app: &TestApp) {
    let scene = scene(app);
    let (other, _) = app.reader("adult", "B1");
    let home = app.reader_token(&scene.card);
    let path = |reader: i64| format!("/api/v1/readers/{reader}/card-token-revocations");
    app.post(&home, &path(other), &json!({}))
        .expect_problem(404, "not_found");
    app.post(&scene.kiosk, &path(scene.reader), &json!({}))
        .expect_problem(403, "forbidden");
    app.post(&app.root_token(), &path(1), &json!({}))
        .expect_problem(404, "not_found");
    app.post(&home, &path(scene.reader), &json!({})).expect(200);
    app.get(&scene.phone, "/api/v1/me/card")
        .expect_problem(401, "unauthenticated");
    // The log-in that said so stays.
    app.tick();
    open(app, &scene.kiosk, &show(app, &home, "")).expect(200);
}

fn a_lost_phone_changes_nothing_any_more(app: &TestApp) {
    let scene = scene(app);
    let reader = format!("/api/v1/readers/{}", scene.reader);
    let shown = app.get(&scene.phone, &reader).expect(200).body;
    let card = &shown["cards"][0]["id"];
    let revoke = format!("{reader}/card-token-revocations");
    app.post(&app.root_token(), &revoke, &json!({})).expect(200);
    let acts = [
        (
            "PUT",
            format!("{reader}/contacts/mail"),
            json!({"address": "thief@example.org"}),
        ),
        (
            "POST",
            "/api/v1/me/contacts/mail/confirmation".to_owned(),
            json!({"code": "123456"}),
        ),
        ("POST", revoke, json!({})),
        ("POST", format!("/api/v1/cards/{card}/loss"), json!({})),
        ("PATCH", "/api/v1/me/preferences".to_owned(), json!({"language": "en"})),
    ];
    for (method, path, body) in acts {
        let request = app.request(method, &path).bearer(&scene.phone).json(&body);
        request.send().expect_problem(401, "unauthenticated");
    }
    let contacts = "SELECT count(*) AS n FROM reader_contacts";
    assert_eq!(app.database.outside().number(contacts), 0);
}

fn who_shows_a_code_again_has_not_come_again(app: &TestApp) {
    let scene = scene(app);
    let token = show(app, &scene.phone, "");
    let visits = || {
        let sql = "SELECT count(*) AS n FROM events WHERE kind = 'card_shown'";
        app.database.outside().number(sql)
    };
    for _ in 0..3 {
        open(app, &scene.kiosk, &token).expect(200);
        assert_eq!(visits(), 1);
    }
    open(app, &scene.kiosk, &show(app, &scene.phone, "")).expect(200);
    assert_eq!(visits(), 2);
}

fn devices_sync_revocations_by_cursor(app: &TestApp) {
    let scene = scene(app);
    let revoke = |reader: i64| {
        let path = format!("/api/v1/readers/{reader}/card-token-revocations");
        app.post(&app.root_token(), &path, &json!({})).expect(200);
    };
    let list = |query: &str| app.get(&scene.kiosk, &format!("{REVOCATIONS}{query}")).expect(200).body;
    let empty = list("");
    assert_eq!((&empty["items"], &empty["more"]), (&json!([]), &json!(false)));
    assert_eq!(empty["scopes"], json!(["B1", "M1", "C1", "network"]));
    let card = app.get(&scene.phone, "/api/v1/me/card").expect(200).body["card_id"].clone();
    revoke(scene.reader);
    for _ in 0..2 {
        revoke(app.reader("adult", "B1").0);
    }
    let cursor = empty["cursor"].as_str().expect("a cursor");
    let first = list(&format!("?cursor={cursor}&limit=2"));
    assert_eq!(first["items"].as_array().map(Vec::len), Some(2));
    let entry = json!({"card_id": card, "void_until": "2026-03-04T04:00:05Z"});
    assert_eq!((&first["items"][0], &first["more"]), (&entry, &json!(true)));
    let rest = list(&format!(
        "?cursor={}&limit=2",
        first["cursor"].as_str().expect("a cursor")
    ));
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(rest["more"], false);
    let end = rest["cursor"].as_str().expect("a cursor");
    assert_eq!(list(&format!("?cursor={end}"))["items"], json!([]));
    assert_eq!(list("")["items"].as_array().map(Vec::len), Some(3));
    app.get(&scene.kiosk, &format!("{REVOCATIONS}?cursor=x"))
        .expect_fields(400, &["cursor"]);
    app.get(&scene.phone, REVOCATIONS).expect_problem(403, "forbidden");
    // A cursor that this database never gave: it was restored from before. Everything again is better than nothing.
    let ahead = "AAAAAAAAA-g";
    assert_eq!(
        list(&format!("?cursor={ahead}"))["items"].as_array().map(Vec::len),
        Some(3)
    );
}

fn the_latest_electronic_card_is_shown_and_no_card_that_is_not_active(app: &TestApp) {
    let scene = scene(app);
    let shown = || app.get(&scene.phone, "/api/v1/me/card").expect(200).body["card_id"].clone();
    let physical = shown();
    let id = add_card(app, scene.reader, "EC000001", "e_card", None);
    assert_eq!(shown(), id);
    add_card(app, scene.reader, "JC999999", "physical", None);
    assert_eq!(shown(), id, "not the latest of any kind");
    add_card(app, scene.reader, "EC000002", "e_card", Some("2026-03-03"));
    assert_eq!(shown(), id, "one that ended yesterday is none");
    set_status(app, "EC000001", "lost");
    assert_ne!(shown(), id);
    assert_ne!(shown(), physical, "of the others the latest");
    for number in [scene.card.as_str(), "JC999999"] {
        set_status(app, number, "cancelled");
    }
    app.get(&scene.phone, "/api/v1/me/card")
        .expect_problem(409, "wrong_state");
}

fn who_has_nothing_but_an_id_card_shows_that_by_phone(app: &TestApp) {
    let scene = scene(app);
    let desk = app.staff("librarian", "B1");
    let reader = format!("/api/v1/readers/{}", scene.reader);
    let number = app.request("PUT", &format!("{reader}/id-number")).bearer(&desk);
    number.json(&json!({"id_number": id_number(31)})).send().expect(200);
    app.post(&desk, &format!("{reader}/cards"), &json!({"kind": "id_card"}))
        .expect(201);
    set_status(app, &scene.card, "cancelled");
    let lent = lend(app, &scene.kiosk, &show(app, &scene.phone, "")).expect(201).body;
    assert_eq!(lent["loan"]["reader_id"], json!(scene.reader), "{lent}");
    assert!(!lent.to_string().contains('§'), "{lent}");
}

fn a_request_names_exactly_one_card(app: &TestApp) {
    let scene = scene(app);
    let token = show(app, &scene.phone, "");
    let both = json!({"item_barcode": book(app), "card_token": token, "card_number": scene.card});
    app.post(&scene.kiosk, CHECK_OUTS, &both)
        .expect_fields(422, &["card_token"]);
    let none = json!({"item_barcode": book(app)});
    app.post(&scene.kiosk, CHECK_OUTS, &none)
        .expect_fields(422, &["card_number"]);
    lend(app, &scene.other_kiosk, &token).expect(201);
}

fn a_gate_lets_in_whoever_has_a_good_card(app: &TestApp) {
    let scene = scene(app);
    let token = show(app, &scene.phone, "");
    set_status(app, &scene.card, "lost");
    expect_refusal(open(app, &scene.kiosk, &token), "card_lost");
    set_status(app, &scene.card, "active");
    expect_refusal(open(app, &scene.other_kiosk, &token), "card_token_used");
    open(app, &scene.kiosk, &token).expect(200);
    app.assert_sound();
}

fn what_is_over_is_forgotten(app: &TestApp) {
    let scene = scene(app);
    open(app, &scene.kiosk, &show(app, &scene.phone, "")).expect(200);
    let path = format!("/api/v1/readers/{}/card-token-revocations", scene.reader);
    app.post(&app.root_token(), &path, &json!({})).expect(200);
    let forget = || app.block_on(expire_keys(&app.app.store, 7)).expect("run").card_tokens;
    later(app, 3600);
    assert_eq!(forget(), 0);
    later(app, 1);
    assert_eq!(forget(), 1, "the session");
    later(app, 86_400);
    assert_eq!(forget(), 1, "the entry for devices");
    // The mark on the card stays, and the cursor goes on.
    let list = app.get(&log_in(app, "K1"), REVOCATIONS).expect(200).body;
    assert_eq!(list["items"], json!([]));
    assert_eq!(list["cursor"], "AAAAAAAAAAE");
}

/// Of two machines that are shown one code in the same moment, one gets the reader.
#[test]
fn of_two_machines_at_once_one_is_refused() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        run_with(
            engine,
            |config| config.http.workers = 2,
            |app| {
                let scene = scene(app);
                for _ in 0..10 {
                    let token = show(app, &scene.phone, "");
                    let machines = [&scene.kiosk, &scene.other_kiosk];
                    let answers: Vec<u16> = std::thread::scope(|threads| {
                        let asked = machines.map(|machine| {
                            let token = &token;
                            threads.spawn(move || open(app, machine, token).status)
                        });
                        asked.into_iter().map(|asked| asked.join().expect("answered")).collect()
                    });
                    let mut sorted = answers;
                    sorted.sort_unstable();
                    assert_eq!(sorted, [200, 409]);
                }
            },
        );
    }
}
