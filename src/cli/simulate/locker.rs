//! A locker, as far as every device with doors goes: it waits for commands, carries them out in its head, and acknowledges each. It
//! keeps the results of its last commands, and answers from them what it is told twice.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Client;
use super::{Scene, count};

/// Results that are kept.
const KEPT: usize = 64;

/// Seconds of one wait.
const WAIT: u64 = 10;

/// An answer of nothing that came sooner was no wait.
const HASTE: Duration = Duration::from_millis(500);

/// Rest after an error.
const REST: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Locker {
    /// The newest turn of each compartment.
    turns: HashMap<i64, i64>,
    results: VecDeque<(i64, bool, Value)>,
}

/// Until it is told to stop.
pub(super) fn play(mut client: Client, scene: &Scene) {
    let mut locker = Locker::default();
    while !scene.is_stopped() {
        if let Err(error) = turn(&mut client, &mut locker, scene) {
            count(&scene.counts.errors);
            tracing::debug!(device = client.code, error, "a simulated locker was not answered");
            scene.rest(REST);
        }
    }
}

/// A heartbeat if it is due, and one wait for commands.
fn turn(client: &mut Client, locker: &mut Locker, scene: &Scene) -> Result<(), String> {
    client.beat_if_due(scene)?;
    let left = client.next_beat().saturating_duration_since(Instant::now());
    let asked_at = Instant::now();
    let told = client.ask(
        "/device/commands/pull",
        &json!({"wait_seconds": WAIT.min(left.as_secs() + 1)}),
    )?;
    let commands = told["items"].as_array().cloned().unwrap_or_default();
    // Whoever is not waited for (the server ends) does not ask at once again.
    if commands.is_empty() && asked_at.elapsed() < HASTE {
        scene.rest(HASTE);
    }
    for command in commands {
        let id = command["id"].as_i64().unwrap_or_default();
        let (done, result) = locker.result_of(id, &command);
        let said = json!({"receipt": command["receipt"], "done": done, "result": result});
        client.change(&format!("/device/commands/{id}/acknowledgement"), &said)?;
        count(&scene.counts.commands);
    }
    Ok(())
}

impl Locker {
    fn result_of(&mut self, id: i64, command: &Value) -> (bool, Value) {
        if let Some((_, done, result)) = self.results.iter().find(|(known, ..)| *known == id) {
            return (*done, result.clone());
        }
        let (done, result) = self.carry_out(command["kind"].as_str().unwrap_or_default(), &command["body"]);
        if self.results.len() == KEPT {
            self.results.pop_front();
        }
        self.results.push_back((id, done, result.clone()));
        (done, result)
    }

    /// A further verb is a further arm.
    fn carry_out(&mut self, kind: &str, body: &Value) -> (bool, Value) {
        match kind {
            "open_compartment" => {
                let (number, turn) = (body["number"].as_i64().unwrap_or(0), body["turn"].as_i64().unwrap_or(0));
                let newest = self.turns.entry(number).or_default();
                if turn <= *newest {
                    return (
                        false,
                        json!({"outcome": "not_opened", "reason": "old_turn", "number": number, "turn": turn}),
                    );
                }
                *newest = turn;
                (true, json!({"outcome": "opened", "number": number, "turn": turn}))
            }
            "take_inventory"
            | "restart"
            | "fetch_configuration"
            | "fetch_offline_pack"
            | "upload_journal"
            | "show_message"
            | "lock_compartment"
            | "print" => (true, json!({"outcome": "done"})),
            _ => (false, json!({"outcome": "not_done", "reason": "unknown_kind"})),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_twice_is_answered_as_before_and_an_old_turn_opens_nothing() {
        let mut locker = Locker::default();
        let open = json!({"kind": "open_compartment", "body": {"number": 7, "turn": 2}});
        let first = locker.result_of(1, &open);
        assert!(first.0);
        assert_eq!(locker.result_of(1, &open), first);
        assert!(!locker.result_of(2, &open).0, "another order of the same turn");
        assert!(!locker.result_of(3, &json!({"kind": "sing", "body": {}})).0);
    }
}
