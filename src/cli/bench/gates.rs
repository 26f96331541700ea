//! Profile gates: the peak hour, and beside it gates that ask whether books may go out, at a fixed pace. An answer's time counts from
//! when the book was there: a slow server shows as long waits, never as fewer questions.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::BenchError;
use super::accounts::GateAccount;
use super::connection::{Connection, Request};
use super::report::{Op, Tally};
use super::worker::Window;

/// Connections that the questions are asked on, in turns.
pub(super) const CONNECTIONS: usize = 8;

/// Of so many books that go out one is not lent.
const NOT_LENT_EVERY: usize = 20;

/// A token that is half its life old is replaced.
#[derive(Deserialize)]
struct Session {
    access_token: String,
    /// Seconds.
    expires_in: u64,
}

/// The log-in that the connections share.
pub(super) struct GateSession {
    target: SocketAddr,
    account: Rc<GateAccount>,
    token: RefCell<Rc<str>>,
    renew_at: Cell<Instant>,
    renewing: Cell<bool>,
}

impl GateSession {
    pub async fn begin(target: SocketAddr, account: Rc<GateAccount>) -> Result<Rc<Self>, BenchError> {
        let (token, renew_at) = log_in(target, &account).await?;
        Ok(Rc::new(Self {
            target,
            account,
            token: RefCell::new(token),
            renew_at: Cell::new(renew_at),
            renewing: Cell::new(false),
        }))
    }

    /// A token that counts now. When it is due, the first to notice logs in; the others go on with the old one.
    async fn token(&self) -> Result<Rc<str>, BenchError> {
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

async fn log_in(target: SocketAddr, account: &GateAccount) -> Result<(Rc<str>, Instant), BenchError> {
    let failed = |reason: String| BenchError::LogIn {
        username: account.code.clone(),
        reason,
    };
    let body = serde_json::json!({"device_code": account.code, "secret": account.secret}).to_string();
    let request = Request {
        method: "POST",
        path: "/api/v1/sessions",
        token: None,
        key: None,
        body: &body,
    };
    let mut connection = Connection::new(target);
    let answer = connection.call(&request).await.map_err(BenchError::Connection)?;
    if !answer.is_success() {
        return Err(failed(answer.summary()));
    }
    let session: Session = serde_json::from_slice(answer.body).map_err(|error| failed(error.to_string()))?;
    let renew_at = Instant::now() + Duration::from_secs(session.expires_in) / 2;
    Ok((session.access_token.into(), renew_at))
}

/// One connection of the gate.
pub(super) struct Asker {
    pub session: Rc<GateSession>,
    pub window: Window,
    pub run_id: u64,
    pub number: usize,
    /// Between two questions on this connection.
    pub pace: Duration,
}

impl Asker {
    pub async fn run(self) -> Result<Tally, BenchError> {
        let mut connection = Connection::new(self.session.target);
        let mut tally = Tally::default();
        let begin = Instant::now() + self.pace.mul_f64(self.number as f64 / CONNECTIONS as f64);
        for question in 0_u32.. {
            let arrival = begin + self.pace * question;
            if arrival >= self.window.until {
                break;
            }
            tokio::time::sleep_until(arrival.into()).await;
            let (token, body) = (self.session.token().await?, self.body(question as usize));
            let request = Request {
                method: "POST",
                path: "/api/v1/device/gate-checks",
                token: Some(&token),
                key: None,
                body: &body,
            };
            match connection.call(&request).await {
                Ok(answer) if answer.is_success() => {
                    if self.window.measure_from <= arrival {
                        tally.answered(Op::GateCheck, arrival.elapsed());
                    }
                }
                Ok(answer) => tally.failed(Op::GateCheck, || answer.summary()),
                Err(error) => tally.failed(Op::GateCheck, || format!("no answer: {error}")),
            }
        }
        Ok(tally)
    }

    fn body(&self, question: usize) -> String {
        let turn = question * CONNECTIONS + self.number;
        let of = |books: &[Rc<str>]| books.get(turn % books.len().max(1)).cloned();
        let (lent, shelved) = (of(&self.session.account.lent), of(&self.session.account.on_shelf));
        let book = if turn.is_multiple_of(NOT_LENT_EVERY) {
            shelved.or(lent)
        } else {
            lent.or(shelved)
        };
        let check = format!("bench-{:016x}-{turn}", self.run_id);
        serde_json::json!({"check_id": check, "barcode": book.as_deref(), "tag_bit": "unknown"}).to_string()
    }
}
