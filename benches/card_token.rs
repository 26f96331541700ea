//! Offline verification of an electronic card: signature, scope, time and revocation, as a device does it. At most 1 ms.
//! `cargo bench --bench card_token`; fails when it is slower.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tongjie::auth::card_token::PublicKeys;
use tongjie::auth::{CardKeyRing, CardTokens};
use tongjie::config::Config;
use tongjie::domain::card_token::{LEEWAY_S, Look};
use tongjie::domain::ids::CardId;

const ROUNDS: u32 = 2_000;
const AT_MOST: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    let dir = std::env::temp_dir().join(format!("tongjie-bench-card-{}", std::process::id()));
    let ring = CardKeyRing::load(&Config::for_tests(&dir, "sqlite:unused.db")).expect("keys");
    let _ = std::fs::remove_dir_all(&dir);
    let now: DateTime<Utc> = "2026-03-04T04:00:00Z".parse().expect("a moment");
    let tokens = CardTokens::new(ring);
    let made = |card| tokens.make(CardId::new(card), "M1", now).expect("made").token;
    let shown: Vec<String> = (1..=i64::from(ROUNDS)).map(made).collect();
    let keys = PublicKeys::new(&tokens.published(now));
    let look = Look {
        now,
        scopes: &["B1", "M1", "C1", "network"],
        void_until: None,
        leeway_s: LEEWAY_S,
    };
    let mut slowest = Duration::ZERO;
    let begun = Instant::now();
    for token in &shown {
        let one = Instant::now();
        let says = keys.open(black_box(token)).expect("genuine");
        says.judge(&look).expect("counts");
        slowest = slowest.max(one.elapsed());
    }
    let mean = begun.elapsed() / ROUNDS;
    println!("offline verification: {mean:?} on average, {slowest:?} at most, of {ROUNDS}");
    if mean > AT_MOST {
        println!("slower than {AT_MOST:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
