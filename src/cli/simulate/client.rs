//! What a device needs of HTTP: a session that is renewed in time, idempotency keys, heartbeats.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Scene, count, moment};
use crate::usecase::seed_demo::{DeviceAccount, ReaderAccount};

/// How long before its end a token is replaced.
const MARGIN: Duration = Duration::from_secs(60);

/// Longer than the longest wait for commands.
const TIMEOUT: Duration = Duration::from_secs(20);

/// One device, or a member of staff who registers them.
pub(super) struct Client {
    agent: ureq::Agent,
    base: String,
    /// What the log-in says.
    secrets: Value,
    pub code: String,
    token: String,
    renew_at: Option<Instant>,
    /// Makes the keys of this run unlike those of any other.
    run: u64,
    requests: u64,
    started_at: Value,
    beat: u64,
    next_beat: Instant,
    /// The configuration it runs.
    version: i64,
    interval: Duration,
}

impl Client {
    pub fn new(url: &str, device: &DeviceAccount) -> Self {
        let secrets = json!({"device_code": device.code, "secret": device.secret});
        Self::with(url, &device.code, secrets)
    }

    pub fn of_staff(url: &str, username: &str, password: &str) -> Self {
        Self::with(url, username, json!({"username": username, "password": password}))
    }

    /// At a unit.
    pub fn of_staff_at(url: &str, username: &str, password: &str, unit: &str) -> Self {
        let secrets = json!({"username": username, "password": password, "unit_code": unit});
        Self::with(url, username, secrets)
    }

    pub fn of_reader(url: &str, reader: &ReaderAccount) -> Self {
        let secrets = json!({"card_number": reader.card_number, "pin": reader.pin});
        Self::with(url, &reader.card_number, secrets)
    }

    fn with(url: &str, code: &str, secrets: Value) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .build();
        Self {
            agent: agent.into(),
            base: format!("{url}/api/v1"),
            secrets,
            code: code.to_owned(),
            token: String::new(),
            renew_at: None,
            run: getrandom::u64().unwrap_or_default(),
            requests: 0,
            started_at: moment(),
            beat: 0,
            next_beat: Instant::now(),
            version: 0,
            interval: Duration::from_secs(60),
        }
    }

    /// A call that changes something and is repeated under no other key.
    pub fn change(&mut self, path: &str, body: &Value) -> Result<Value, String> {
        self.requests += 1;
        let key = format!("sim-{:016x}-{}", self.run, self.requests);
        self.call("POST", path, Some(body), Some(&key))
    }

    /// A call without an idempotency key.
    pub fn ask(&mut self, path: &str, body: &Value) -> Result<Value, String> {
        self.call("POST", path, Some(body), None)
    }

    /// Looks something up.
    pub fn look(&mut self, path: &str) -> Result<Value, String> {
        self.call("GET", path, None, None)
    }

    /// Puts something where it belongs.
    pub fn put(&mut self, path: &str, body: &Value) -> Result<Value, String> {
        self.call("PUT", path, Some(body), None)
    }

    fn call(&mut self, method: &str, path: &str, body: Option<&Value>, key: Option<&str>) -> Result<Value, String> {
        if self.renew_at.is_none_or(|at| Instant::now() >= at) {
            self.log_in()?;
        }
        let token = self.token.clone();
        let (status, answer) = self.send(method, path, body, key, Some(&token))?;
        match status {
            200..=299 => Ok(answer),
            401 => {
                self.renew_at = None;
                Err(format!("{path}: {status}"))
            }
            _ => Err(format!("{path}: {status} {answer}")),
        }
    }

    fn log_in(&mut self) -> Result<(), String> {
        let secrets = self.secrets.clone();
        let (status, session) = self.send("POST", "/sessions", Some(&secrets), None, None)?;
        if status != 201 {
            return Err(format!("log-in: {status} {session}"));
        }
        self.token = session["access_token"].as_str().unwrap_or_default().to_owned();
        let life = Duration::from_secs(session["expires_in"].as_u64().unwrap_or(0));
        self.renew_at = Some(Instant::now() + life.saturating_sub(MARGIN).max(life / 2));
        Ok(())
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
        token: Option<&str>,
    ) -> Result<(u16, Value), String> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let text = body.map(Value::to_string).unwrap_or_default();
        if body.is_some() {
            request = request.header("Content-Type", "application/json");
        }
        let request = request.body(text).map_err(|error| error.to_string())?;
        let mut answer = self.agent.run(request).map_err(|error| format!("{path}: {error}"))?;
        let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    /// A heartbeat if it is time for one, and the configuration if there is another.
    pub fn beat_if_due(&mut self, scene: &Scene) -> Result<(), String> {
        if Instant::now() < self.next_beat {
            return Ok(());
        }
        self.beat += 1;
        let said = json!({
            "at": moment(), "started_at": self.started_at, "beat": self.beat, "firmware": concat!("simulator ", env!("CARGO_PKG_VERSION")),
            "configuration_version": self.version,
        });
        let heard = self.ask("/device/heartbeats", &said)?;
        count(&scene.counts.heartbeats);
        if heard["configuration_version"].as_i64() != Some(self.version) {
            let configuration = self.call("GET", "/device/configuration", None, None)?;
            self.version = configuration["version"].as_i64().unwrap_or(0);
            let seconds = configuration["settings"]["heartbeat_seconds"].as_u64();
            self.interval = Duration::from_secs(seconds.unwrap_or(60).clamp(10, 600));
        }
        self.next_beat = Instant::now() + self.interval;
        Ok(())
    }

    /// Until when this is asked for again.
    pub fn next_beat(&self) -> Instant {
        self.next_beat
    }
}
