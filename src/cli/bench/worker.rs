//! One client: sends requests, one at a time, and keeps count.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use super::connection::{Connection, Request};
use super::report::{Op, Tally};
use super::session::Session;

/// What counts: requests that begin at or after `measure_from` and before `until`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub measure_from: Instant,
    pub until: Instant,
}

impl Window {
    pub fn is_open(&self) -> bool {
        Instant::now() < self.until
    }
}

pub(super) struct Worker {
    pub window: Window,
    pub tally: Tally,
    connection: Connection,
    desks: Rc<[Session]>,
    run: u64,
    number: usize,
    requests: u64,
}

impl Worker {
    pub fn new(target: SocketAddr, desks: Rc<[Session]>, window: Window, run: u64, number: usize) -> Self {
        let (connection, tally) = (Connection::new(target), Tally::default());
        Self {
            window,
            tally,
            connection,
            desks,
            run,
            number,
            requests: 0,
        }
    }

    /// Sends one request for `desk` and records how long it took since `since`. The body, if it succeeded.
    pub async fn send(&mut self, op: Op, since: Instant, desk: usize, path: &str, body: &str) -> Option<&[u8]> {
        let token = match self.desks[desk].token().await {
            Ok(token) => token,
            Err(error) => {
                self.tally.failed(op, || error.to_string());
                return None;
            }
        };
        let changes = !body.is_empty();
        self.requests += 1;
        let request = Request {
            method: if changes { "POST" } else { "GET" },
            path,
            token: Some(&token),
            key: changes.then_some((self.run, self.number, self.requests)),
            body,
        };
        let answer = match self.connection.call(&request).await {
            Ok(answer) => answer,
            Err(error) => {
                self.tally.failed(op, || format!("no answer: {error}"));
                return None;
            }
        };
        if answer.is_success() {
            if self.window.measure_from <= since && since < self.window.until {
                self.tally.answered(op, since.elapsed());
            }
            return Some(answer.body);
        }
        // The rules may forbid a renewal; that is an answer. Everything else was chosen so that it succeeds.
        if op == Op::Renew && matches!(answer.status, 409 | 422) {
            self.tally.refused(op);
        } else {
            self.tally.failed(op, || answer.summary());
        }
        None
    }

    /// Lends `barcode` to `card`. The answer's body, if it succeeded.
    pub async fn check_out(&mut self, op: Op, since: Instant, desk: usize, barcode: &str, card: &str) -> Option<&[u8]> {
        let body = format!(
            r#"{{"item_barcode":{},"card_number":{}}}"#,
            quoted(barcode),
            quoted(card)
        );
        self.send(op, since, desk, "/api/v1/check-outs", &body).await
    }

    /// Takes `barcode` back. Whether it succeeded.
    pub async fn check_in(&mut self, op: Op, since: Instant, desk: usize, barcode: &str) -> bool {
        let body = format!(r#"{{"item_barcode":{}}}"#, quoted(barcode));
        self.send(op, since, desk, "/api/v1/check-ins", &body).await.is_some()
    }
}

fn quoted(text: &str) -> serde_json::Value {
    text.into()
}
