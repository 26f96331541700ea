//! What machines did alone: each of them is offline for a while, keeps a signed journal of its acts, and uploads it in batches that come
//! in any order, some of them twice, some acts in contradiction to the records. What becomes of each is counted; none may be lost.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

use super::client::Client;
use crate::auth::journal_signature::JournalKey;
use crate::cli::CliError;
use crate::clock::Clock;
use crate::usecase::seed_demo::{DemoAccounts, DeviceAccount};

/// Entries of one upload.
const BATCH: usize = 10;

/// One act in so many is told twice.
const TWICE: u32 = 20;

/// One check-out in so many shows a card that nobody has: of two acts one is a check-out.
const ODD: u32 = 50;

/// Between two acts of one machine.
const STEP: TimeDelta = TimeDelta::milliseconds(50);

/// A card that nobody has.
const NOBODY: &str = "SIM-NOBODY";

/// What became of what they did.
#[derive(Debug, Default)]
struct Counts {
    verdicts: BTreeMap<String, u64>,
    acts: u64,
    duplicates: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        for (verdict, n) in other.verdicts {
            *self.verdicts.entry(verdict).or_default() += n;
        }
        self.acts += other.acts;
        self.duplicates += other.duplicates;
    }

    fn of(&self, verdict: &str) -> u64 {
        self.verdicts.get(verdict).copied().unwrap_or(0)
    }

    /// Acts of which nobody has said what became of them.
    fn lost(&self) -> u64 {
        let known = ["accepted", "accepted_despite", "conflict", "quarantined"];
        let known: u64 = known.iter().map(|verdict| self.of(verdict)).sum();
        self.acts.saturating_sub(known)
    }

    fn line(&self) -> String {
        format!(
            "acts={} accepted={} accepted_despite={} duplicate={} conflict={} quarantined={} lost={}",
            self.acts,
            self.of("accepted"),
            self.of("accepted_despite"),
            self.duplicates,
            self.of("conflict"),
            self.of("quarantined"),
            self.lost(),
        )
    }
}

/// One act of a machine's day: which copy, and whether it goes out or comes back.
#[derive(Debug, Clone, Copy)]
struct Act<'a> {
    barcode: &'a str,
    card: Option<&'a str>,
}

/// Lets the devices be alone and tell of it, and says what became of their acts.
pub(super) fn run(
    url: &str,
    accounts: &DemoAccounts,
    devices: &[DeviceAccount],
    acts: usize,
) -> Result<String, CliError> {
    let plans = plans(accounts, devices.len(), acts).map_err(CliError::Usage)?;
    let mut machines = Vec::with_capacity(devices.len());
    for device in devices {
        machines.push(Machine::new(url, device).map_err(CliError::Failed)?);
    }
    let began = Clock::System.now();
    let steps = i32::try_from(plans.iter().map(Vec::len).max().unwrap_or(0)).unwrap_or(i32::MAX);
    // The network is gone until the last of them has acted.
    let offline = (STEP * steps).to_std().unwrap_or(Duration::ZERO);
    std::thread::sleep(offline);
    let told: Vec<Result<Counts, String>> = std::thread::scope(|scope| {
        let talking: Vec<_> = machines
            .into_iter()
            .zip(&plans)
            .map(|(machine, plan)| scope.spawn(move || machine.tell(plan, began)))
            .collect();
        let ended = talking.into_iter().map(|one| one.join());
        ended
            .map(|one| one.unwrap_or_else(|_| Err("a machine fell over".to_owned())))
            .collect()
    });
    let mut counts = Counts::default();
    for one in told {
        counts.add(one.map_err(CliError::Failed)?);
    }
    match counts.lost() {
        0 => Ok(counts.line()),
        lost => Err(CliError::Failed(format!("{lost} acts are lost: {}", counts.line()))),
    }
}

/// What each machine does: every second act lends a copy and the next one takes it back, half of them at the machine beside it.
fn plans<'a>(accounts: &'a DemoAccounts, machines: usize, acts: usize) -> Result<Vec<Vec<Act<'a>>>, String> {
    let (shelf, readers) = (&accounts.items_on_shelf, &accounts.readers);
    // A copy of its own for each pair: else they would contradict each other more than is wanted.
    let pairs = (acts / 2).min(shelf.len() / machines.max(1));
    if pairs == 0 || readers.is_empty() {
        return Err(format!(
            "the accounts file has {} copies on shelves and {} readers: not enough for {machines} machines",
            shelf.len(),
            readers.len()
        ));
    }
    let copy = |machine: usize, pair: usize| shelf[machine * pairs + pair].barcode.as_str();
    let plan = |machine: usize| {
        let pair = |pair: usize| {
            let card = match roll(ODD) {
                0 => NOBODY,
                _ => readers[(machine + pair) % readers.len()].card_number.as_str(),
            };
            let from = match pair % 2 {
                0 => machine,
                _ => (machine + machines - 1) % machines,
            };
            let (out, back) = (copy(machine, pair), copy(from, pair));
            let out = Act {
                barcode: out,
                card: Some(card),
            };
            let back = Act {
                barcode: back,
                card: None,
            };
            [out, back]
        };
        (0..pairs).flat_map(pair).collect()
    };
    Ok((0..machines).map(plan).collect())
}

/// A machine with the key of its journal.
struct Machine {
    client: Client,
    key: SigningKey,
    key_id: String,
}

impl Machine {
    fn new(url: &str, device: &DeviceAccount) -> Result<Self, String> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| error.to_string())?;
        let key = SigningKey::from_bytes(&seed);
        let public = key.verifying_key().to_bytes();
        let key_id = JournalKey::of(&public).ok_or("a weak key")?.id();
        let mut client = Client::new(url, device);
        let given = json!({"public_key": URL_SAFE_NO_PAD.encode(public), "journal": 1, "first_sequence": 1});
        client.put("/device/key", &given)?;
        Ok(Self { client, key, key_id })
    }

    fn entry(&self, sequence: usize, body: &Value) -> Value {
        let body = body.to_string();
        let text = format!("tongjie-journal-1\n{}\n1\n{sequence}\n{body}", self.client.code);
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(text.as_bytes()).to_bytes());
        json!({"sequence": sequence, "key_id": self.key_id, "body": body, "signature": signature})
    }

    fn tell(mut self, plan: &[Act<'_>], began: DateTime<Utc>) -> Result<Counts, String> {
        let entries: Vec<Value> = (1..)
            .zip(plan)
            .map(|(sequence, act)| {
                let at = began + STEP * i32::try_from(sequence).unwrap_or(i32::MAX);
                self.entry(sequence, &body(act, at))
            })
            .collect();
        let mut batches: Vec<Vec<Value>> = entries.chunks(BATCH).map(<[Value]>::to_vec).collect();
        let again: Vec<Value> = entries.iter().filter(|_| roll(TWICE) == 0).cloned().collect();
        batches.extend(again.chunks(BATCH).map(<[Value]>::to_vec));
        shuffle(&mut batches);
        let mut seen = Seen::default();
        for batch in &batches {
            seen.hear(&self.upload(batch)?);
        }
        // What waited for an earlier batch is asked once more for its answer.
        let waiting: Vec<Value> = entries
            .iter()
            .filter(|entry| !seen.verdicts.contains_key(&entry["sequence"].as_u64().unwrap_or(0)))
            .cloned()
            .collect();
        let duplicates = seen.sent.saturating_sub(entries.len() as u64);
        for batch in waiting.chunks(BATCH) {
            seen.hear(&self.upload(batch)?);
        }
        let mut counts = Counts {
            acts: entries.len() as u64,
            duplicates,
            ..Counts::default()
        };
        for verdict in seen.verdicts.into_values() {
            *counts.verdicts.entry(verdict).or_default() += 1;
        }
        Ok(counts)
    }

    fn upload(&mut self, entries: &[Value]) -> Result<Value, String> {
        let upload = json!({"journal": 1, "sent_at": Clock::System.now(), "entries": entries});
        self.client.ask("/device/journal", &upload)
    }
}

/// What a machine was answered, by number.
#[derive(Debug, Default)]
struct Seen {
    verdicts: BTreeMap<u64, String>,
    sent: u64,
}

impl Seen {
    fn hear(&mut self, answer: &Value) {
        for line in answer["results"].as_array().into_iter().flatten() {
            self.sent += 1;
            let verdict = line["first"].as_str().or(line["verdict"].as_str()).unwrap_or_default();
            if verdict != "waiting" {
                let sequence = line["sequence"].as_u64().unwrap_or_default();
                self.verdicts.insert(sequence, verdict.to_owned());
            }
        }
    }
}

fn body(act: &Act<'_>, at: DateTime<Utc>) -> Value {
    let item = json!({"barcode": act.barcode});
    match act.card {
        Some(card) => json!({"kind": "check_out", "at": at, "item": item, "card_number": card}),
        None => json!({"kind": "check_in", "at": at, "item": item}),
    }
}

/// A number below another.
fn roll(below: u32) -> u32 {
    getrandom::u32().unwrap_or_default() % below
}

fn shuffle<T>(all: &mut [T]) {
    for last in (1..all.len()).rev() {
        let other = roll(u32::try_from(last + 1).unwrap_or(u32::MAX));
        all.swap(last, other as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usecase::seed_demo::{ReaderAccount, ShelfItem};

    fn accounts(copies: usize) -> DemoAccounts {
        let copy = |n| ShelfItem {
            barcode: format!("I{n}"),
            unit_code: "B1".to_owned(),
        };
        let reader = ReaderAccount {
            card_number: "R1".to_owned(),
            pin: String::new(),
            category: "adult".to_owned(),
        };
        DemoAccounts {
            items_on_shelf: (0..copies).map(copy).collect(),
            readers: vec![reader],
            ..DemoAccounts::default()
        }
    }

    #[test]
    fn every_copy_is_lent_by_one_machine_and_comes_back_once() {
        let accounts = accounts(40);
        let plans = plans(&accounts, 4, 34).expect("plans");
        let of = |lent: bool| {
            let acts = plans.iter().flatten().filter(move |act| act.card.is_some() == lent);
            let mut copies: Vec<&str> = acts.map(|act| act.barcode).collect();
            copies.sort_unstable();
            copies
        };
        let mut once = of(true);
        once.dedup();
        assert_eq!((of(true).len(), once.len()), (40, 40));
        assert_eq!(of(true), of(false));
        assert!(super::plans(&accounts, 41, 34).is_err(), "fewer copies than machines");
    }

    #[test]
    fn what_waits_has_no_verdict_until_it_is_judged() {
        let mut seen = Seen::default();
        seen.hear(&json!({"results": [{"sequence": 1, "verdict": "waiting"}, {"sequence": 2, "verdict": "accepted"}]}));
        assert_eq!((seen.verdicts.len(), seen.sent), (1, 2));
        seen.hear(&json!({"results": [{"sequence": 1, "verdict": "duplicate", "first": "conflict"}]}));
        assert_eq!(seen.verdicts[&1], "conflict");
    }
}
