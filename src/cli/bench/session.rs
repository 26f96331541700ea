//! The log-ins the clients share: one per unit or gate, renewed before its token ends.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::BenchError;
use super::accounts::{GateAccount, StaffAccount};
use super::connection::{Connection, Request};

/// How long before its end a token is replaced.
const MARGIN: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Session {
    target: SocketAddr,
    account: Account,
    token: RefCell<Rc<str>>,
    renew_at: Cell<Instant>,
    renewing: Cell<bool>,
}

/// Who logs in.
#[derive(Debug)]
struct Account {
    name: String,
    /// What the log-in sends, as JSON.
    body: String,
}

impl From<&StaffAccount> for Account {
    fn from(staff: &StaffAccount) -> Self {
        let StaffAccount {
            username,
            password,
            unit_code,
            ..
        } = staff;
        let body = serde_json::json!({"username": username, "password": password, "unit_code": unit_code});
        Self {
            name: username.clone(),
            body: body.to_string(),
        }
    }
}

impl From<&GateAccount> for Account {
    fn from(gate: &GateAccount) -> Self {
        let body = serde_json::json!({"device_code": gate.code, "secret": gate.secret});
        Self {
            name: gate.code.clone(),
            body: body.to_string(),
        }
    }
}

/// What the log-in answers.
#[derive(Deserialize)]
struct Opened {
    access_token: String,
    /// Seconds.
    expires_in: u64,
}

/// One after the other: the server hashes passwords on few threads.
pub(super) async fn log_in_all(target: SocketAddr, accounts: &[StaffAccount]) -> Result<Rc<[Session]>, BenchError> {
    let mut desks = Vec::with_capacity(accounts.len());
    for account in accounts {
        desks.push(Session::begin(target, account.into()).await?);
    }
    Ok(desks.into())
}

/// The log-in of a gate.
pub(super) async fn log_in_gate(target: SocketAddr, gate: &GateAccount) -> Result<Session, BenchError> {
    Session::begin(target, gate.into()).await
}

impl Session {
    async fn begin(target: SocketAddr, account: Account) -> Result<Self, BenchError> {
        let (token, renew_at) = account.log_in(target).await?;
        Ok(Self {
            target,
            account,
            token: RefCell::new(token),
            renew_at: Cell::new(renew_at),
            renewing: Cell::new(false),
        })
    }

    /// A token that counts now. When it is due, the first client to notice logs in; the others go on with the old
    /// one, which the margin allows.
    pub async fn token(&self) -> Result<Rc<str>, BenchError> {
        if Instant::now() >= self.renew_at.get() && !self.renewing.replace(true) {
            let renewed = self.account.log_in(self.target).await;
            self.renewing.set(false);
            let (token, renew_at) = renewed?;
            self.renew_at.set(renew_at);
            self.token.replace(token);
        }
        Ok(Rc::clone(&self.token.borrow()))
    }
}

impl Account {
    async fn log_in(&self, target: SocketAddr) -> Result<(Rc<str>, Instant), BenchError> {
        let mut connection = Connection::new(target);
        let request = Request {
            method: "POST",
            path: "/api/v1/sessions",
            token: None,
            key: None,
            body: &self.body,
        };
        let answer = connection.call(&request).await.map_err(BenchError::Connection)?;
        let failed = |reason: String| BenchError::LogIn {
            username: self.name.clone(),
            reason,
        };
        if !answer.is_success() {
            return Err(failed(answer.summary()));
        }
        // The answer holds tokens: say what is wrong with it, do not show it.
        let opened: Opened = serde_json::from_slice(answer.body).map_err(|error| failed(error.to_string()))?;
        let life = Duration::from_secs(opened.expires_in);
        // A token that lives no longer than the margin is replaced half-way, not at every request.
        let renew_in = life
            .checked_sub(MARGIN)
            .filter(|rest| !rest.is_zero())
            .unwrap_or(life / 2);
        Ok((opened.access_token.into(), Instant::now() + renew_in))
    }
}
