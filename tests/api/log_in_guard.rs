//! Guessing is slowed down, where it comes from; nobody is locked out by somebody else.

use std::net::IpAddr;

use chrono::Duration;
use diesel::prelude::*;
use serde_json::json;
use tongjie::app::App;
use tongjie::auth::{Audience, Grant, Role};
use tongjie::config::DatabaseUrl;
use tongjie::domain::ids::ReaderId;
use tongjie::usecase::log_in::{LogIn, log_in};
use tongjie::usecase::set_pin::{SetPin, set_pin};
use tongjie::usecase::{Caller, UseCaseError};

use crate::app::{PASSWORD, PIN, ROOT_USER, TestApp, run_with};
use crate::database::Engine;

on_both!(
    the_sixth_guess_from_an_address_must_wait_longer_and_longer,
    an_account_under_attack_from_everywhere_lets_its_owner_in,
    a_restart_forgives_nothing,
    a_failed_log_in_is_an_event_that_names_nobody,
    every_kind_of_failure_costs_the_same_work,
    what_was_never_judged_is_not_held_against_anybody,
    many_guesses_at_once_do_not_all_pass_as_the_first,
    who_has_five_credentials_is_not_guessed_five_times_as_often,
);

fn guess(app: &TestApp, username: &str) -> crate::client::Answer {
    app.log_in(&json!({"username": username, "password": "a wrong password"}))
}

/// A log-in that came from elsewhere: the tests' own connections all come from one address.
fn from(app: &TestApp, address: IpAddr, username: &str, password: &str) -> Result<(), UseCaseError> {
    from_node(&app.app, app, address, username, password)
}

fn from_node(node: &App, app: &TestApp, address: IpAddr, username: &str, password: &str) -> Result<(), UseCaseError> {
    let command = LogIn::Staff {
        code: None,
        username: username.to_owned(),
        password: password.into(),
        unit_code: None,
    };
    let answer = log_in(&node.store, node.session_tools(), command, address);
    app.block_on(answer).map(drop)
}

fn address(n: u32) -> IpAddr {
    IpAddr::V4((0x0a00_0000 + n).into())
}

fn the_sixth_guess_from_an_address_must_wait_longer_and_longer(app: &TestApp) {
    let mut answers = Vec::new();
    for username in [ROOT_USER, "nobody"] {
        for _ in 0..5 {
            guess(app, username).expect_problem(401, "unauthenticated");
        }
        let answer = guess(app, username).expect_problem(429, "too_many_log_ins");
        assert_eq!(answer.header("retry-after"), Some("2"));
        answers.push(answer.bytes);
    }
    assert_eq!(answers[0], answers[1], "whether there is such an account is not told");
    let right = json!({"username": ROOT_USER, "password": PASSWORD});
    app.log_in(&right).expect_problem(429, "too_many_log_ins");
    // From another address it is free.
    from(app, address(1), ROOT_USER, PASSWORD).expect("another address");
    app.clock.set(TestApp::now() + Duration::milliseconds(1_999));
    let answer = app.log_in(&right).expect_problem(429, "too_many_log_ins");
    assert_eq!(answer.header("retry-after"), Some("1"));
    app.clock.set(TestApp::now() + Duration::seconds(2));
    guess(app, ROOT_USER).expect_problem(401, "unauthenticated");
    assert_eq!(guess(app, ROOT_USER).expect(429).header("retry-after"), Some("4"));
    app.clock.set(TestApp::now() + Duration::seconds(6));
    app.log_in(&right).expect(201);
    guess(app, ROOT_USER).expect_problem(401, "unauthenticated");
    app.log_in(&right).expect(201);
}

fn an_account_under_attack_from_everywhere_lets_its_owner_in(app: &TestApp) {
    let right = json!({"username": ROOT_USER, "password": PASSWORD});
    app.log_in(&right).expect(201);
    for n in 0..30 {
        let guessed = from(app, address(n), ROOT_USER, "a wrong password");
        assert!(matches!(guessed, Err(UseCaseError::Unauthenticated)), "{guessed:?}");
    }
    let guessed = from(app, address(100), ROOT_USER, "a wrong password");
    assert!(
        matches!(guessed, Err(UseCaseError::TooManyLogIns { wait_s: 2 })),
        "{guessed:?}"
    );
    // Where the owner was before nothing has changed, not even after a slip of the keys.
    guess(app, ROOT_USER).expect_problem(401, "unauthenticated");
    app.log_in(&right).expect(201);
    // Elsewhere a trickle gets through, and the owner may be in it.
    let mut now = TestApp::now();
    for n in 200..210 {
        now += Duration::seconds(10);
        app.clock.set(now);
        let guessed = from(app, address(n), ROOT_USER, "a wrong password");
        assert!(matches!(guessed, Err(UseCaseError::Unauthenticated)), "{guessed:?}");
    }
    let early = from(app, address(300), ROOT_USER, PASSWORD);
    assert!(
        matches!(early, Err(UseCaseError::TooManyLogIns { wait_s: 10 })),
        "{early:?}"
    );
    app.clock.set(now + Duration::seconds(10));
    from(app, address(300), ROOT_USER, PASSWORD).expect("its turn");
    // Another account was never concerned.
    guess(app, "nobody").expect_problem(401, "unauthenticated");
}

fn a_restart_forgives_nothing(app: &TestApp) {
    for _ in 0..5 {
        assert!(from(app, address(1), ROOT_USER, "a wrong password").is_err());
    }
    // A second node on the same database: what a restart finds, too.
    let other = app
        .block_on(App::build(app.app.config.clone(), app.clock.clone()))
        .expect("builds");
    let answer = from_node(&other, app, address(1), ROOT_USER, PASSWORD);
    assert!(matches!(answer, Err(UseCaseError::TooManyLogIns { .. })), "{answer:?}");
    other.store.close();
}

#[derive(QueryableByName)]
struct Failure {
    #[diesel(sql_type = diesel::sql_types::Text)]
    detail: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    channel: String,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    personal: i64,
}

fn failures(app: &TestApp) -> Vec<Failure> {
    let sql = "SELECT e.detail, e.channel, (SELECT count(*) FROM event_personal p WHERE p.seq = e.seq) AS personal \
        FROM events e WHERE e.kind = 'log_in_failed' ORDER BY e.seq";
    match app.app.config.database_url() {
        DatabaseUrl::Sqlite(path) => {
            let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).expect("opens");
            diesel::sql_query(sql).load(&mut conn)
        }
        DatabaseUrl::Postgres(url) => {
            let mut conn =
                diesel::PgConnection::establish(secrecy::ExposeSecret::expose_secret(&url)).expect("connects");
            diesel::sql_query(sql).load(&mut conn)
        }
    }
    .expect("reads")
}

fn a_failed_log_in_is_an_event_that_names_nobody(app: &TestApp) {
    app.small_network();
    let (_, card) = app.reader("adult", "B1");
    for body in [
        json!({"username": ROOT_USER, "password": "a wrong password"}),
        json!({"card_number": card, "pin": "000001"}),
        json!({"device_code": "nothing", "secret": "x"}),
    ] {
        app.log_in(&body).expect(401);
    }
    app.log_in(&json!({"card_number": card, "pin": PIN})).expect(201);
    let found: Vec<_> = failures(app)
        .into_iter()
        .map(|event| (event.detail, event.channel, event.personal))
        .collect();
    let named = |audience: &str| (format!(r#"{{"audience":"{audience}"}}"#), "system".to_owned(), 0);
    assert_eq!(found, [named("staff"), named("reader"), named("device")]);
}

fn every_kind_of_failure_costs_the_same_work(app: &TestApp) {
    app.small_network();
    let (_, card) = app.reader("adult", "B1");
    let without_pin = json!({"name": "李", "category": "adult", "home_unit_code": "B1", "card_number": "NOPIN"});
    app.post(&app.root_token(), "/api/v1/readers", &without_pin).expect(201);
    let mut costs = Vec::new();
    for body in [
        json!({"username": ROOT_USER, "password": "a wrong password"}),
        json!({"username": "nobody", "password": "a wrong password"}),
        json!({"card_number": card, "pin": "000001"}),
        json!({"card_number": "NOPIN", "pin": "000001"}),
        json!({"card_number": "NOBODY", "pin": "000001"}),
    ] {
        let before = app.app.passwords.work_blocks();
        app.log_in(&body).expect_problem(401, "unauthenticated");
        costs.push(app.app.passwords.work_blocks() - before);
    }
    assert!(costs[0] > 0 && costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
    let before = app.app.passwords.work_blocks();
    app.log_in(&json!({"username": ROOT_USER, "password": PASSWORD}))
        .expect(201);
    assert_eq!(
        app.app.passwords.work_blocks() - before,
        costs[0],
        "nor does success cost another"
    );
}

fn what_was_never_judged_is_not_held_against_anybody(app: &TestApp) {
    let wrong_desk = json!({"username": ROOT_USER, "password": PASSWORD, "unit_code": "nowhere"});
    for _ in 0..20 {
        app.log_in(&wrong_desk).expect_fields(422, &["unit_code"]);
    }
    app.log_in(&json!({"username": ROOT_USER, "password": PASSWORD}))
        .expect(201);
    assert!(failures(app).is_empty());
}

fn many_guesses_at_once_do_not_all_pass_as_the_first(app: &TestApp) {
    let server = app.address;
    let judged = std::thread::scope(|threads| {
        let guesses: Vec<_> = (0..24)
            .map(|_| threads.spawn(move || guess_at(server).status))
            .collect();
        let statuses = guesses.into_iter().map(|guess| guess.join().expect("answered"));
        statuses.filter(|status| *status == 401).count()
    });
    assert_eq!(judged, 5, "the others were told to wait");
}

fn guess_at(server: std::net::SocketAddr) -> crate::client::Answer {
    let body = json!({"username": ROOT_USER, "password": "a wrong password"});
    crate::client::Request::new(server, "POST", "/api/v1/sessions")
        .json(&body)
        .send()
}

/// Whoever knew the old PIN and never stops logging in must not be in after it was reset.
#[test]
fn a_log_in_under_way_while_the_pin_is_reset_opens_nothing() {
    for engine in Engine::all() {
        run_with(engine, |config| config.auth.argon2_memory_kib = 8 * 1024, race_a_reset);
    }
}

fn race_a_reset(app: &TestApp) {
    app.small_network();
    let (reader, card) = app.reader("adult", "B1");
    let grants = vec![Grant {
        role: Role::System,
        unit: 1,
    }];
    let caller = app.issue(Audience::Staff, Some(1), grants);
    let claims = app.app.tokens.verify(&caller, &[Audience::Staff], app.clock.now());
    let caller = Caller::of(&claims.expect("genuine"));
    let (store, tools, passwords) = (&app.app.store, app.app.session_tools(), &app.app.passwords);
    let reset = SetPin {
        reader: ReaderId::new(reader),
        pin: "771203".into(),
        old_pin: None,
    };
    let old = LogIn::Reader {
        card_number: card.parse().expect("a number"),
        pin: PIN.into(),
    };
    let before = passwords.work_blocks();
    let (_, _, _, set, opened) = app.block_on(async {
        tokio::join!(
            // The hash of the new PIN waits behind these; the log-in begins meanwhile and sees the old one.
            passwords.hash("a filler".into()),
            passwords.hash("a filler".into()),
            passwords.hash("a filler".into()),
            set_pin(store, tools, &caller, reset, None, address(1)),
            async {
                while passwords.work_blocks() == before {
                    tokio::task::yield_now().await;
                }
                log_in(store, tools, old, address(2)).await
            }
        )
    });
    set.expect("the PIN was reset");
    // Whichever was first: what the old PIN opened has ended.
    if let Ok(session) = opened {
        let body = json!({"refresh_token": session.refresh_token});
        let answer = app.request("POST", "/api/v1/sessions/refresh").json(&body).send();
        answer.expect_problem(401, "unauthenticated");
    }
}

fn who_has_five_credentials_is_not_guessed_five_times_as_often(app: &TestApp) {
    app.small_network();
    let (reader, card) = app.reader("adult", "B1");
    let mut cards = vec![card];
    for _ in 0..4 {
        let body = json!({"kind": "physical", "number": format!("s{}", app.next())});
        let path = format!("/api/v1/readers/{reader}/cards");
        app.post(&app.root_token(), &path, &body).expect(201);
        cards.push(body["number"].as_str().expect("a number").to_owned());
    }
    let guess = |card: &str| app.log_in(&json!({"card_number": card, "pin": "000001"}));
    for card in &cards {
        guess(card).expect_problem(401, "unauthenticated");
    }
    for card in &cards {
        guess(card).expect_problem(429, "too_many_log_ins");
    }
    // A number that is nobody's counts for itself, and another reader is not slowed down.
    guess("NOBODY").expect_problem(401, "unauthenticated");
    let (_, other) = app.reader("adult", "B1");
    app.log_in(&json!({"card_number": other, "pin": PIN})).expect(201);
    // What is forgotten is asked for as often by one card as by all.
    let ask = |card: &str| {
        let asked = app.request("POST", "/api/v1/sessions/resets");
        asked.json(&json!({"card_number": card})).send()
    };
    for card in &cards {
        ask(card).expect(204);
    }
    ask(&cards[0]).expect_problem(429, "too_many_log_ins");
}
