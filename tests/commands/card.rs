//! `tongjie card verify` and `tongjie admin rotate-card-key`: what device makers and operators run.

use std::path::Path;

use base64::Engine as _;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tongjie::auth::{CardKeyRing, CardTokens};
use tongjie::clock::Clock;
use tongjie::config::Config;
use tongjie::domain::ids::CardId;

use crate::database::Engine;
use crate::process::Tongjie;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a moment")
}

/// The keys of a network, with the file that its devices have of them.
fn network(dir: &Path) -> (CardTokens, String) {
    let ring = CardKeyRing::load(&Config::for_tests(dir, "sqlite:unused.db")).expect("keys");
    let tokens = CardTokens::new(ring);
    let file = dir.join("jwks.json");
    let keys = json!({"keys": tokens.published(at("2026-03-04T04:00:00Z"))});
    std::fs::write(&file, keys.to_string()).expect("written");
    (tokens, file.to_string_lossy().into_owned())
}

#[test]
fn a_device_maker_verifies_tokens_offline_and_is_told_what_is_wrong() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    let (ours, jwks) = network(&tongjie.file("ours"));
    let (theirs, _) = network(&tongjie.file("theirs"));
    let made_at = at("2026-03-04T04:00:00Z");
    let make = |tokens: &CardTokens| tokens.make(CardId::new(7), "M1", made_at).expect("made").token;
    let (token, forged) = (make(&ours), make(&theirs));
    let revocations = tongjie.file("revocations.json");
    let revoked_at = |moment: &str| {
        let list = json!({"items": [{"card_id": 7, "void_until": moment}], "cursor": "x", "more": false, "scopes": []});
        std::fs::write(&revocations, list.to_string()).expect("written");
    };
    revoked_at("2026-03-04T03:59:59Z");
    let list = revocations.to_string_lossy().into_owned();
    let verify = |token: &str, moment: &str, unit: &str| {
        let args = [
            "card",
            "verify",
            token,
            "--jwks",
            &jwks,
            "--at",
            moment,
            "--unit",
            unit,
            "--unit",
            "network",
            "--revocations",
            &list,
        ];
        let output = tongjie.run(&args);
        (output.status.code(), crate::process::told(&output))
    };
    let good = verify(&token, "2026-03-04T04:00:30Z", "M1");
    assert_eq!(good.0, Some(0), "{}", good.1);
    assert!(
        good.1
            .starts_with("good: card 7, at and below M1, until 2026-03-04 04:01:00 UTC"),
        "{}",
        good.1
    );
    for (token, moment, unit, said) in [
        (forged.as_str(), "2026-03-04T04:00:30Z", "M1", "of an unknown key"),
        ("JC000001", "2026-03-04T04:00:30Z", "M1", "no token"),
        (&token, "2026-03-04T04:01:05Z", "M1", "card_token_expired"),
        (&token, "2026-03-03T04:00:00Z", "M1", "card_token_early"),
        (&token, "2026-03-04T04:00:30Z", "M2", "card_token_other_unit"),
    ] {
        let (code, told) = verify(token, moment, unit);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(said), "{told}");
    }
    revoked_at("2026-03-04T04:00:00Z");
    let (code, told) = verify(&token, "2026-03-04T04:00:30Z", "M1");
    assert!(code == Some(1) && told.contains("card_token_revoked"), "{told}");
    // What cannot be said is not "not good".
    tongjie.fails(&["card", "verify", &token, "--jwks", "/nowhere.json"], 2);
    std::fs::write(&jwks, r#"{"keys": []}"#).expect("written");
    assert!(
        tongjie
            .fails(&["card", "verify", &token, "--jwks", &jwks], 2)
            .contains("no Ed25519 key")
    );
}

#[test]
fn the_next_key_is_announced_a_day_ahead_and_a_leaked_one_goes_at_once() {
    let tongjie = Tongjie::new(Engine::Sqlite);
    tongjie.succeeds(&["migrate"]);
    let keys = || std::fs::read_to_string(tongjie.file("card.keys")).expect("keys");
    let first = keys();
    let said = tongjie.succeeds(&["admin", "rotate-card-key"]);
    assert!(said.contains(" signs electronic cards from "), "{said}");
    let second = keys();
    assert!(
        second.ends_with(&first) && second.lines().count() == 2,
        "the first one signs on"
    );
    let since: i64 = second
        .lines()
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|n| n.parse().ok())
        .expect("a time");
    let ahead = since - Clock::System.now().timestamp();
    assert!(
        (TimeDelta::hours(23).num_seconds()..=TimeDelta::hours(24).num_seconds()).contains(&ahead),
        "{ahead}"
    );
    assert!(
        tongjie
            .fails(&["admin", "rotate-card-key"], 1)
            .contains("wait until then")
    );
    assert_eq!(keys(), second);
    tongjie.succeeds(&["admin", "rotate-card-key", "--leaked"]);
    assert_eq!(keys().lines().count(), 1);
    assert!(!second.contains(keys().split(' ').next().expect("a seed")));
    assert_eq!(
        tongjie.number("SELECT count(*) AS n FROM events WHERE kind = 'card_key_rotated'"),
        2
    );
    let seed = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([7; 32]);
    let mut configured = tongjie.command(&["admin", "rotate-card-key"]);
    let output = configured
        .env("TONGJIE__AUTH__CARD_KEYS", format!("{seed} 0"))
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(crate::process::told(&output).contains("auth.card_keys"));
    let mut wrong = tongjie.command(&["migrate"]);
    let output = wrong.env("TONGJIE__AUTH__CARD_KEYS", "geheim").output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    let told = crate::process::told(&output);
    assert!(told.contains("auth.card_keys") && !told.contains("geheim"), "{told}");
}
