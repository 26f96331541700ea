//! Machines without the network: what they did goes into a signed journal, which comes later, in parts, twice, with holes; and people
//! answer what it contradicts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use tongjie::auth::journal_signature::JournalKey;
use tongjie::domain::journal_conflict::Resolution;
use tongjie::usecase::resolve_conflict::{ResolveConflict, resolve_conflict};
use tongjie::usecase::upload_journal::{JournalUploaded, SentEntry, UploadJournal, upload_journal};

use super::run::Simulation;

/// What a machine keeps until it is acknowledged.
#[derive(Debug)]
pub struct Journal {
    code: String,
    key: SigningKey,
    next: i64,
    kept: Vec<SentEntry>,
}

impl Journal {
    pub fn of(code: &str) -> Self {
        Self {
            code: code.to_owned(),
            key: key(code),
            next: 1,
            kept: Vec::new(),
        }
    }

    fn write(&mut self, body: &Value) {
        let (sequence, body) = (self.next, body.to_string());
        let text = format!("tongjie-journal-1\n{}\n1\n{sequence}\n{body}", self.code);
        self.kept.push(SentEntry {
            sequence,
            key_id: JournalKey::of(&public(&self.code)).expect("a key").id(),
            signature: URL_SAFE_NO_PAD.encode(self.key.sign(text.as_bytes()).to_bytes()),
            body,
        });
        self.next += 1;
    }
}

fn key(code: &str) -> SigningKey {
    SigningKey::from_bytes(&[code.as_bytes()[0]; 32])
}

/// The public key of a machine of the town.
pub fn public(code: &str) -> [u8; 32] {
    *key(code).verifying_key().as_bytes()
}

impl Simulation {
    /// A machine is alone for a while, and lends, takes back and renews.
    pub async fn act_alone(&mut self) {
        let machine = self.random.below(self.machines.all.len());
        for _ in 0..self.random.between(1, 4) {
            let there = self.at_point();
            let item = match self.random.any(&there).filter(|_| self.random.percent(60)) {
                Some(item) => item,
                None => self.some_item(),
            };
            let out = self.some_loan();
            let body = match (self.random.below(10), out) {
                (0..=2, Some((item, ..))) => {
                    let item = self.town.items.iter().position(|one| one.get() == item);
                    self.told("check_in", item.unwrap_or_default(), None)
                }
                (3, Some((item, _, reader))) => {
                    let item = self.town.items.iter().position(|one| one.get() == item);
                    let reader = self.town.readers.iter().position(|one| one.get() == reader);
                    self.told("renewal", item.unwrap_or_default(), reader)
                }
                (4, _) => self.told("check_in", item, None),
                _ => {
                    let reader = self.some_reader();
                    self.told("check_out", item, Some(reader))
                }
            };
            self.machines.all[machine].journal.write(&body);
        }
        self.counts.entry("act_alone").or_default().done += 1;
    }

    fn told(&self, kind: &str, item: usize, reader: Option<usize>) -> Value {
        let at: DateTime<Utc> = self.now();
        let mut body = json!({"kind": kind, "at": at, "item": {"tag": self.town.tag(item)}});
        if let Some(reader) = reader {
            body["card_number"] = json!(self.town.cards[reader].as_str());
        }
        body
    }

    /// The network is back: a machine sends what it has kept, or a part of it.
    pub async fn send_journal(&mut self) {
        let machine = self.random.below(self.machines.all.len());
        let mut entries = self.machines.all[machine].journal.kept.clone();
        if entries.is_empty() {
            return;
        }
        if entries.len() > 2 && self.random.percent(15) {
            let hole = self.random.below(entries.len());
            entries.remove(hole);
        }
        if self.random.percent(15) {
            entries.reverse();
        }
        if let Some(entry) = entries.last_mut().filter(|_| self.random.percent(4)) {
            entry.signature = URL_SAFE_NO_PAD.encode([7; 64]);
        }
        let Some(first) = self.upload(machine, entries.clone()).await else {
            return;
        };
        if self.random.percent(25)
            && let Some(again) = self.upload(machine, entries).await
        {
            let applied: Vec<_> = again
                .results
                .iter()
                .filter(|line| matches!(line.verdict.as_str(), "accepted" | "accepted_despite" | "conflict"))
                .collect();
            // What waited for something before it may be judged now.
            if !applied.is_empty() && first.missing.is_empty() {
                self.violated(format!(
                    "a journal sent twice was applied twice: {applied:?} after {first:?}"
                ));
            }
        }
        let kept = &mut self.machines.all[machine].journal.kept;
        kept.retain(|entry| entry.sequence > first.acknowledged_to);
        self.read_all_again();
    }

    async fn upload(&mut self, machine: usize, entries: Vec<SentEntry>) -> Option<JournalUploaded> {
        let upload = UploadJournal {
            journal: 1,
            sent_at: self.now(),
            entries,
        };
        let (caller, cards) = (self.machines.all[machine].caller.clone(), self.machines.cards.clone());
        let answer = upload_journal(&self.store, &cards, &caller, upload).await;
        let uploaded = self.judge("upload_journal", answer)?;
        for line in &uploaded.results {
            let verb = match line.verdict.as_str() {
                "accepted" => "journal_accepted",
                "accepted_despite" => "journal_accepted_despite",
                "duplicate" => "journal_duplicate",
                "conflict" => "journal_conflict",
                "waiting" => "journal_waiting",
                _ => "journal_quarantined",
            };
            self.counts.entry(verb).or_default().done += 1;
        }
        Some(uploaded)
    }

    /// A person answers a contradiction.
    pub async fn answer_a_conflict(&mut self) {
        let open = "SELECT id AS a, id AS b, id AS c FROM journal_conflicts WHERE resolved_at IS NULL";
        let rows = self.db.outside().triples(open);
        let Some((conflict, ..)) = self.random.any(&rows) else {
            return;
        };
        let resolution = *self.random.pick(&[
            Resolution::ActStands,
            Resolution::ActStands,
            Resolution::RecordStands,
            Resolution::ItemHere,
            Resolution::ReaderIs,
        ]);
        let reader = self.some_reader();
        let command = ResolveConflict {
            conflict,
            resolution,
            reason: "已向读者核实".to_owned(),
            card_number: (resolution == Resolution::ReaderIs).then(|| self.town.cards[reader].clone()),
            item: None,
            owner_unit_code: None,
        };
        let caller = self.town.system(self.town.unit("P1"));
        let answered = self
            .call("resolve_conflict", |store, key| {
                let (caller, command) = (caller.clone(), command.clone());
                async move { resolve_conflict(&store, &caller, command, key).await }
            })
            .await;
        if answered.is_some() {
            self.read_all_again();
        }
    }
}
