//! Verification of the signatures of a journal: what an upload costs before anything of it is judged. At most 1 ms an entry.
//! `cargo bench --bench journal_signature`; fails when it is slower.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use tongjie::auth::journal_signature::{JournalKey, SignedEntry};

const ROUNDS: u32 = 2_000;
const AT_MOST: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = JournalKey::of(key.verifying_key().as_bytes()).expect("a key");
    let entry = |sequence: u32| {
        let body = format!(
            r#"{{"kind":"check_in","at":"2026-11-22T10:04:05.120Z","item":{{"tag":"E0040100{sequence:08}"}}}}"#
        );
        let text = format!("tongjie-journal-1\nJC-L1\n1\n{sequence}\n{body}");
        let signature = URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()).to_bytes());
        (sequence, body, signature)
    };
    let sent: Vec<(u32, String, String)> = (1..=ROUNDS).map(entry).collect();
    let begun = Instant::now();
    for (sequence, body, signature) in &sent {
        let entry = SignedEntry {
            device_code: "JC-L1",
            journal: 1,
            sequence: u64::from(*sequence),
            body,
        };
        assert!(public.signed(black_box(&entry), signature), "genuine");
    }
    let mean = begun.elapsed() / ROUNDS;
    println!("signature of an entry: {mean:?} on average, of {ROUNDS}");
    if mean > AT_MOST {
        println!("slower than {AT_MOST:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
