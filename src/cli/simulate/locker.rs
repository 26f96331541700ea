//! A locker or a browsing machine: it waits for commands, carries them out in its head, acknowledges each, and reports its doors. It keeps
//! the results of its last commands, and answers from them what it is told twice. Who stands before it: [`super::people`].

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Client;
use super::people::People;
use super::{Scene, below, count};

/// Results that are kept.
const KEPT: usize = 64;

/// Seconds of one wait.
const WAIT: u64 = 10;

/// An answer of nothing that came sooner was no wait.
const HASTE: Duration = Duration::from_millis(500);

/// Rest after an error.
const REST: Duration = Duration::from_secs(2);

/// Somebody comes after so many paces.
const PACES: u32 = 3;

/// Of a hundred doors that are ordered open so many stay shut.
const JAMS: u64 = 3;

/// A report that could not be made is made after so many visits.
const LATER: u8 = 2;

/// What the person before a door does when it is open.
#[derive(Debug, Clone)]
pub(super) enum Meant {
    /// A book with this tag is put in; an empty one: nothing reads it.
    Put(String),
    Take,
    Nothing,
}

/// What a door was opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Load,
    PickUp,
    Borrow,
    Return,
    Unload,
}

/// A report that could not be made.
struct Unsaid {
    number: u16,
    said: Value,
    why: Option<Why>,
    visits: u8,
}

pub(super) struct Locker {
    pub client: Client,
    pub random: u64,
    /// The newest turn of each compartment.
    turns: HashMap<u16, i64>,
    results: VecDeque<(i64, bool, Value)>,
    /// What lies behind doors: a tag.
    pub behind: HashMap<u16, String>,
    meant: HashMap<u16, (Why, Meant)>,
    unsaid: Vec<Unsaid>,
}

/// Until it is told to stop.
pub(super) fn play(client: Client, scene: &Scene, index: usize) {
    let mut locker = Locker::new(client);
    let mut people = People::at(scene, index);
    let visits = scene.behaviour.pace * PACES;
    let mut next_visit = Instant::now() + scene.behaviour.pace;
    while !scene.is_stopped() {
        let mut outcome = turn(&mut locker, scene, people.as_ref().map(|_| next_visit));
        if let Some(people) = people
            .as_mut()
            .filter(|_| outcome.is_ok() && Instant::now() >= next_visit)
        {
            next_visit = Instant::now() + visits;
            outcome = locker.say_again(scene).and_then(|()| people.visit(&mut locker, scene));
        }
        if let Err(error) = outcome {
            scene.counts.failed(&locker.client.code, &error);
            scene.rest(REST);
        }
    }
    let lent = |unsaid: &&Unsaid| matches!(unsaid.why, Some(Why::PickUp | Why::Borrow));
    let open = locker.unsaid.iter().filter(lent);
    open.for_each(|_| count(&scene.counts.unconfirmed));
}

/// A heartbeat if it is due, and one wait for commands.
fn turn(locker: &mut Locker, scene: &Scene, next_visit: Option<Instant>) -> Result<(), String> {
    locker.client.beat_if_due(scene)?;
    let asked_at = Instant::now();
    let left = locker.client.next_beat().saturating_duration_since(asked_at);
    let visit = next_visit.map_or(WAIT, |at| at.saturating_duration_since(asked_at).as_secs());
    let wait = json!({"wait_seconds": WAIT.min(left.as_secs() + 1).min(visit)});
    let told = locker.client.ask("/device/commands/pull", &wait)?;
    let commands = told["items"].as_array().cloned().unwrap_or_default();
    // Whoever is not waited for (the server ends) does not ask at once again.
    if commands.is_empty() && asked_at.elapsed() < HASTE {
        let until = next_visit.map_or(HASTE, |at| at.saturating_duration_since(Instant::now()));
        scene.rest(HASTE.min(until));
    }
    for command in commands {
        let id = command["id"].as_i64().unwrap_or_default();
        let (done, result) = locker.result_of(id, &command);
        let said = json!({"receipt": command["receipt"], "done": done, "result": result});
        locker
            .client
            .change(&format!("/device/commands/{id}/acknowledgement"), &said)?;
        count(&scene.counts.commands);
        if done && command["kind"] == "open_compartment" {
            locker.close(scene, &command["body"])?;
        }
    }
    Ok(())
}

impl Locker {
    fn new(client: Client) -> Self {
        Self {
            client,
            random: getrandom::u64().unwrap_or(1) | 1,
            turns: HashMap::new(),
            results: VecDeque::new(),
            behind: HashMap::new(),
            meant: HashMap::new(),
            unsaid: Vec::new(),
        }
    }

    /// Somebody stands before a door that is ordered open.
    pub(super) fn expects(&mut self, number: u16, why: Why, meant: Meant) {
        self.meant.insert(number, (why, meant));
    }

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
                let (number, turn) = (number_of(body), body["turn"].as_i64().unwrap_or(0));
                let not_opened = |reason: &str| {
                    let result = json!({"outcome": "not_opened", "reason": reason, "number": number, "turn": turn});
                    (false, result)
                };
                let newest = self.turns.entry(number).or_default();
                if turn <= *newest {
                    return not_opened("old_turn");
                }
                *newest = turn;
                // Only where somebody mends it.
                if self.meant.contains_key(&number) && below(&mut self.random, 100) < JAMS {
                    self.meant.remove(&number);
                    return not_opened("stayed_shut");
                }
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

    /// The person has done what was meant, and the door is closed.
    fn close(&mut self, scene: &Scene, body: &Value) -> Result<(), String> {
        let number = number_of(body);
        let (why, meant) = match self.meant.remove(&number) {
            Some((why, meant)) => (Some(why), meant),
            None => (None, Meant::Nothing),
        };
        match meant {
            Meant::Put(tag) => drop(self.behind.insert(number, tag)),
            Meant::Take => drop(self.behind.remove(&number)),
            Meant::Nothing => {}
        }
        let inside = match self.behind.get(&number).map(String::as_str) {
            None => json!({"inside": "empty"}),
            Some("") => json!({"inside": "something"}),
            Some(tag) => json!({"inside": "tags", "tags": [tag]}),
        };
        let mut said = json!({"turn": body["turn"], "door": "closed", "at": super::moment()});
        if let (Some(said), Some(inside)) = (said.as_object_mut(), inside.as_object()) {
            said.extend(inside.clone());
        }
        if below(&mut self.random, 100) < u64::from(scene.behaviour.outages) {
            let visits = 0;
            self.unsaid.push(Unsaid {
                number,
                said,
                why,
                visits,
            });
            return Ok(());
        }
        self.report(scene, number, &said, why)
    }

    /// What could not be said is said when the outage is over.
    fn say_again(&mut self, scene: &Scene) -> Result<(), String> {
        for mut unsaid in std::mem::take(&mut self.unsaid) {
            unsaid.visits += 1;
            if unsaid.visits < LATER {
                self.unsaid.push(unsaid);
            } else {
                self.report(scene, unsaid.number, &unsaid.said, unsaid.why)?;
            }
        }
        Ok(())
    }

    fn report(&mut self, scene: &Scene, number: u16, said: &Value, why: Option<Why>) -> Result<(), String> {
        let path = format!("/device/compartments/{number}/reports");
        let answer = match self.client.change(&path, said) {
            Ok(answer) => answer,
            Err(error) => return scene.refused(&error),
        };
        let counts = &scene.counts;
        let counted: Option<&AtomicU64> = match (why, answer["loan_outcome"].as_str(), answer["return_state"].as_str())
        {
            (Some(Why::PickUp), Some("confirmed"), _) => Some(&counts.picked_up),
            (Some(Why::Borrow), Some("confirmed"), _) => Some(&counts.borrowed),
            (Some(Why::PickUp | Why::Borrow), Some("voided"), _) => Some(&counts.voided),
            (Some(Why::Return), _, Some("checked_in")) => Some(&counts.returned),
            (Some(Why::Load), ..) if answer["state"] == "occupied" => Some(&counts.loaded),
            _ => None,
        };
        counted.into_iter().for_each(count);
        Ok(())
    }
}

/// The number on the door.
pub(super) fn number_of(body: &Value) -> u16 {
    let number = body["number"].as_u64().or_else(|| body["compartment"].as_u64());
    number.and_then(|number| u16::try_from(number).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usecase::seed_demo::DeviceAccount;

    #[test]
    fn what_is_told_twice_is_answered_as_before_and_an_old_turn_opens_nothing() {
        let nobody = DeviceAccount {
            code: "L1".to_owned(),
            secret: String::new(),
            kind: "locker".to_owned(),
        };
        let mut locker = Locker::new(Client::new("http://127.0.0.1:1", &nobody));
        let open = json!({"kind": "open_compartment", "body": {"number": 7, "turn": 2}});
        let first = locker.result_of(1, &open);
        assert!(first.0);
        assert_eq!(locker.result_of(1, &open), first);
        assert!(!locker.result_of(2, &open).0, "another order of the same turn");
        assert!(!locker.result_of(3, &json!({"kind": "sing", "body": {}})).0);
    }
}
