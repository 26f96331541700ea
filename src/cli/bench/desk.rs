//! The log-ins the clients share: one per unit, renewed before its token ends.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::BenchError;
use super::accounts::StaffAccount;
use super::connection::{Connection, Request};

/// How long before its end a token is replaced.
const MARGIN: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Desk {
    target: SocketAddr,
    account: StaffAccount,
    token: RefCell<Rc<str>>,
    renew_at: Cell<Instant>,
    renewing: Cell<bool>,
}

#[derive(Deserialize)]
struct Session {
    access_token: String,
    /// Seconds.
    expires_in: u64,
}

/// One after the other: the server hashes passwords on few threads.
pub(super) async fn log_in_all(target: SocketAddr, accounts: &[StaffAccount]) -> Result<Rc<[Desk]>, BenchError> {
    let mut desks = Vec::with_capacity(accounts.len());
    for account in accounts {
        let (token, renew_at) = log_in(target, account).await?;
        desks.push(Desk {
            target,
            account: account.clone(),
            token: RefCell::new(token),
            renew_at: Cell::new(renew_at),
            renewing: Cell::new(false),
        });
    }
    Ok(desks.into())
}

async fn log_in(target: SocketAddr, account: &StaffAccount) -> Result<(Rc<str>, Instant), BenchError> {
    let StaffAccount {
        username,
        password,
        unit_code,
        ..
    } = account;
    let body = serde_json::json!({"username": username, "password": password, "unit_code": unit_code});
    let mut connection = Connection::new(target);
    let request = Request {
        method: "POST",
        path: "/api/v1/sessions",
        token: None,
        key: None,
        body: &body.to_string(),
    };
    let answer = connection.call(&request).await.map_err(BenchError::Connection)?;
    let failed = |reason: String| BenchError::LogIn {
        username: username.clone(),
        reason,
    };
    if !answer.is_success() {
        return Err(failed(answer.summary()));
    }
    // The answer holds tokens: say what is wrong with it, do not show it.
    let session: Session = serde_json::from_slice(answer.body).map_err(|error| failed(error.to_string()))?;
    let life = Duration::from_secs(session.expires_in);
    // A token that lives no longer than the margin is replaced half-way, not at every request.
    let renew_in = life
        .checked_sub(MARGIN)
        .filter(|rest| !rest.is_zero())
        .unwrap_or(life / 2);
    Ok((session.access_token.into(), Instant::now() + renew_in))
}

impl Desk {
    /// A token that counts now. When it is due, the first client to notice logs in; the others go on with the old
    /// one, which the margin allows.
    pub async fn token(&self) -> Result<Rc<str>, BenchError> {
        if Instant::now() >= self.renew_at.get() && !self.renewing.replace(true) {
            let renewed = log_in(self.target, &self.account).await;
            self.renewing.set(false);
            let (token, renew_at) = renewed?;
            self.renew_at.set(renew_at);
            self.token.replace(token);
        }
        Ok(Rc::clone(&self.token.borrow()))
    }
}
