//! Profile credit: check-outs under credit rules and a gate against check-outs without, in turns on the same server. Between the turns
//! the network's rules are published anew, by the demo's system account; in the end those of before are in force again.

use std::net::SocketAddr;
use std::rc::Rc;

use serde_json::{Value, json};
use toml::Table;

use super::accounts::{Share, StaffAccount};
use super::idle::phase;
use super::report::{Op, Report, Tally};
use super::session::Session;
use super::{BenchArgs, BenchError};

/// With, without, without, with: twice, so that what grows meanwhile weighs on both alike.
const TURNS: [bool; 8] = [true, false, false, true, true, false, false, true];
const PARTS: u64 = 4;

const WITH: (Op, Op) = (Op::CheckOutCredit, Op::CheckInCredit);
const WITHOUT: (Op, Op) = (Op::CheckOutNoCredit, Op::CheckInNoCredit);

pub(super) async fn run(
    args: &BenchArgs,
    target: SocketAddr,
    shares: Vec<Share>,
    desks: Rc<[Session]>,
    system: &StaffAccount,
) -> Result<Report, BenchError> {
    let rules = Rules::of(target, system)?;
    let before = rules.in_force()?;
    let (with, without) = (gated(&before)?, bare(&before)?);
    let mut tally = Tally::default();
    let mut ended = Ok(());
    for is_with in TURNS {
        let (text, ops) = if is_with { (&with, WITH) } else { (&without, WITHOUT) };
        ended = rules.publish(text);
        if ended.is_err() {
            break;
        }
        tally.absorb(phase(args.seconds.div_ceil(PARTS), target, &shares, &desks, ops).await?);
    }
    rules.publish(&before)?;
    ended?;
    Ok(Report {
        profile: args.profile,
        clients: shares.len(),
        seconds: args.seconds.div_ceil(PARTS) * PARTS,
        multiple: args.multiple,
        tally,
        crowd: None,
    })
}

/// The rules with a gate that every reader of the demo is past.
fn gated(text: &str) -> Result<String, BenchError> {
    let mut document = parsed(text)?;
    let credit = document.get_mut("credit").and_then(toml::Value::as_table_mut);
    let credit = credit.ok_or_else(|| told("the network's rules have no credit programme"))?;
    let gate = toml::toml! {
        kind = "external_score"
        provider = "bench"
        threshold = 600
        since = "2200-01-01"
    };
    let gates = toml::Value::Array(vec![toml::Value::Table(gate)]);
    credit.insert("gate".to_owned(), gates);
    Ok(document.to_string())
}

/// The rules without the programme, and without rows that ask for a band.
fn bare(text: &str) -> Result<String, BenchError> {
    let mut document = parsed(text)?;
    document.remove("credit");
    for section in ["terms", "limit"] {
        if let Some(rows) = document.get_mut(section).and_then(toml::Value::as_array_mut) {
            rows.retain(|row| row.get("when").is_none_or(|when| when.get("band").is_none()));
        }
    }
    Ok(document.to_string())
}

fn parsed(text: &str) -> Result<Table, BenchError> {
    text.parse::<Table>().map_err(|error| told(&error.to_string()))
}

fn told(reason: &str) -> BenchError {
    BenchError::Rules {
        reason: reason.to_owned(),
    }
}

/// Whoever changes the rules. Its few calls are made while nobody measures.
struct Rules {
    agent: ureq::Agent,
    base: String,
    token: String,
}

impl Rules {
    fn of(target: SocketAddr, account: &StaffAccount) -> Result<Self, BenchError> {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut rules = Self {
            agent,
            base: format!("http://{target}/api/v1"),
            token: String::new(),
        };
        let body = json!({"username": account.username, "password": account.password});
        let session = rules.post("/sessions", &body, None)?;
        rules.token = session["access_token"].as_str().unwrap_or_default().to_owned();
        Ok(rules)
    }

    /// The network's document.
    fn in_force(&self) -> Result<String, BenchError> {
        let list: Value = serde_json::from_str(&self.get("/rule-sets")?).map_err(|error| told(&error.to_string()))?;
        let sets = list["items"].as_array().cloned().unwrap_or_default();
        let set = sets.iter().find(|set| set["standing"] == "in_force");
        let version = set.and_then(|set| set["version"].as_i64());
        let version = version.ok_or_else(|| told("no rules are in force"))?;
        self.get(&format!("/rule-sets/{version}/toml"))
    }

    fn publish(&self, text: &str) -> Result<(), BenchError> {
        let draft = self.post("/rule-drafts", &json!({"toml": text, "note": "tongjie bench"}), None)?;
        let path = format!("/rule-drafts/{}/publication", draft["id"]);
        self.post(&path, &json!({}), Some("\"1\"")).map(drop)
    }

    fn get(&self, path: &str) -> Result<String, BenchError> {
        let request = self.agent.get(format!("{}{path}", self.base));
        let answer = request.header("Authorization", format!("Bearer {}", self.token)).call();
        let mut answer = answer.map_err(|error| told(&error.to_string()))?;
        let text = answer.body_mut().read_to_string();
        let text = text.map_err(|error| told(&error.to_string()))?;
        match answer.status().as_u16() {
            200 => Ok(text),
            status => Err(told(&format!("{path}: {status} {text}"))),
        }
    }

    fn post(&self, path: &str, body: &Value, if_match: Option<&str>) -> Result<Value, BenchError> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("Content-Type", "application/json");
        if !self.token.is_empty() {
            request = request.header("Authorization", format!("Bearer {}", self.token));
        }
        if let Some(tag) = if_match {
            request = request.header("If-Match", tag);
        }
        let answer = request.send(body.to_string().as_bytes());
        let mut answer = answer.map_err(|error| told(&error.to_string()))?;
        let text = answer.body_mut().read_to_string();
        let text = text.map_err(|error| told(&error.to_string()))?;
        match answer.status().as_u16() {
            200 | 201 => serde_json::from_str(&text).map_err(|error| told(&error.to_string())),
            status => Err(told(&format!("{path}: {status} {text}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rules_toml::CN_CITY_DEFAULT;

    #[test]
    fn one_side_has_a_programme_and_a_gate_and_the_other_nothing_of_it() {
        let with = parsed(&gated(CN_CITY_DEFAULT).expect("written")).expect("read");
        assert_eq!(with["credit"]["gate"][0]["threshold"].as_integer(), Some(600));
        let without = bare(CN_CITY_DEFAULT).expect("written");
        assert!(!without.contains("credit") && !without.contains("band ="), "{without}");
        let rows = |text: &str| parsed(text).expect("read")["terms"].as_array().map(Vec::len);
        assert!(rows(&without) > Some(1), "what asks for no band stays");
    }
}
