//! A gate: people go in and out, some with a book. It asks about each book, decides by the tag where nobody answers, and tells
//! afterwards what it decided and how many passed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Client;
use super::{Scene, count};

/// Between two reports.
const REPORT: Duration = Duration::from_secs(30);

/// Most checks in one report.
const AT_ONCE: usize = 200;

/// Between two rounds in which nothing passes, at least.
const SOONEST: Duration = Duration::from_secs(1);

/// Of a hundred books that go out so many are not lent.
const NOT_LENT: u64 = 3;

struct Gate {
    client: Client,
    random: u64,
    passages: u64,
    batches: u64,
    went_in: u32,
    went_out: u32,
    checks: Vec<Value>,
    /// What was not taken yet, under the number it has: sent again it counts once.
    unsent: Option<Value>,
}

/// Until it is told to stop.
pub(super) fn play(client: Client, scene: &Scene, _: usize) {
    let random = getrandom::u64().unwrap_or(1) | 1;
    let mut gate = Gate {
        client,
        random,
        passages: 0,
        batches: 0,
        went_in: 0,
        went_out: 0,
        checks: Vec::new(),
        unsent: None,
    };
    let mut next_report = Instant::now() + REPORT;
    let mut next_passage = Instant::now();
    while !scene.is_stopped() {
        let mut outcome = gate.client.beat_if_due(scene);
        if outcome.is_ok() {
            if Instant::now() >= next_passage {
                next_passage = Instant::now() + scene.behaviour.pace;
                gate.passage(scene);
            }
            if Instant::now() >= next_report || gate.checks.len() >= AT_ONCE / 2 {
                next_report = Instant::now() + REPORT;
                outcome = gate.report(scene);
            }
        }
        if let Err(error) = outcome {
            scene.counts.failed(&gate.client.code, &error);
        }
        let next = next_passage.min(gate.client.next_beat());
        let rest = next.saturating_duration_since(Instant::now());
        // Where nobody answers, a heartbeat stays due.
        scene.rest(rest.max(scene.behaviour.pace.min(SOONEST)));
    }
    let _ = gate.report(scene);
}

impl Gate {
    fn below(&mut self, bound: u64) -> u64 {
        super::below(&mut self.random, bound)
    }

    /// Somebody comes, somebody goes, and sometimes a book with them.
    fn passage(&mut self, scene: &Scene) {
        self.went_in += 1;
        self.went_out += 1;
        let lent = self.below(100) >= NOT_LENT;
        let books: Vec<_> = scene.books.iter().filter(|book| book.lent == lent).collect();
        if books.is_empty() {
            return;
        }
        let turn = self.below(books.len() as u64);
        let book = books[usize::try_from(turn).unwrap_or(0)];
        self.passages += 1;
        let check = format!("{}-{:08x}-{}", self.client.code, self.random >> 32, self.passages);
        let bit = if book.lent { "released" } else { "secured" };
        let asked = json!({"check_id": check, "barcode": book.barcode, "tag_bit": bit});
        let out_of_reach = self.below(100) < u64::from(scene.behaviour.outages);
        let answer = if out_of_reach {
            None
        } else {
            self.client.ask("/device/gate-checks", &asked).ok()
        };
        let at = super::moment();
        if let Some(answer) = answer {
            count(&scene.counts.checks);
            if answer["decision"] == "alarm" {
                count(&scene.counts.alarms);
                self.checks.push(json!({
                    "check_id": check, "at": at, "barcode": book.barcode, "tag_bit": bit, "decided": "asked", "decision": "alarm",
                    "reason": answer["reason"],
                }));
            }
        } else {
            count(&scene.counts.alone);
            let decision = if book.lent { "allow" } else { "alarm" };
            self.checks.push(json!({
                "check_id": check, "at": at, "barcode": book.barcode, "tag_bit": bit, "decided": "locally", "decision": decision,
            }));
        }
    }

    fn report(&mut self, scene: &Scene) -> Result<(), String> {
        if self.unsent.is_none() && (self.went_in > 0 || !self.checks.is_empty()) {
            self.batches += 1;
            let batch = format!("{}-{:08x}-b{}", self.client.code, self.random >> 32, self.batches);
            let hour = hour_of(&super::moment());
            let taken = self.checks.len().min(AT_ONCE);
            let checks: Vec<Value> = self.checks.drain(..taken).collect();
            let hours = json!([{"hour": hour, "in": self.went_in, "out": self.went_out}]);
            (self.went_in, self.went_out) = (0, 0);
            self.unsent = Some(json!({"batch": batch, "hours": hours, "checks": checks}));
        }
        if let Some(batch) = self.unsent.take() {
            if let Err(error) = self.client.change("/device/gate-passages", &batch) {
                self.unsent = Some(batch);
                return Err(error);
            }
            count(&scene.counts.batches);
        }
        Ok(())
    }
}

/// The full hour before a moment, both as the API writes them.
fn hour_of(moment: &Value) -> String {
    let text = moment.as_str().unwrap_or_default();
    format!("{}:00:00Z", text.get(..13).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_full() {
        assert_eq!(hour_of(&json!("2026-03-04T03:12:09.123Z")), "2026-03-04T03:00:00Z");
    }
}
