//! Profile gates: the peak hour, and beside it gates that ask whether books may go out, at a fixed pace. An answer's time counts from
//! when the book was there: a slow server shows as long waits, never as fewer questions. A book is there when this program's clock has
//! woken it, which is a millisecond or two late; or, where the answer before came after that, when it should have woken.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::BenchError;
use super::accounts::GateAccount;
use super::connection::{Connection, Request};
use super::report::{Op, Tally};
use super::session::Session;
use super::worker::Window;

/// Connections that the questions are asked on, in turns.
pub(super) const CONNECTIONS: usize = 8;

/// Of so many books that go out one is not lent.
const NOT_LENT_EVERY: usize = 20;

/// One connection of the gate.
pub(super) struct Asker {
    pub target: SocketAddr,
    pub gate: Rc<GateAccount>,
    pub session: Rc<Session>,
    pub window: Window,
    pub run_id: u64,
    pub number: usize,
    /// Between two questions on this connection.
    pub pace: Duration,
}

impl Asker {
    pub async fn run(self) -> Result<Tally, BenchError> {
        let mut connection = Connection::new(self.target);
        let mut tally = Tally::default();
        let begin = Instant::now() + self.pace.mul_f64(self.number as f64 / CONNECTIONS as f64);
        for question in 0_u32.. {
            let arrival = begin + self.pace * question;
            if arrival >= self.window.until {
                break;
            }
            let idle = Instant::now() < arrival;
            tokio::time::sleep_until(arrival.into()).await;
            let there = if idle { Instant::now() } else { arrival };
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
                        tally.answered(Op::GateCheck, there.elapsed());
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
        let (lent, shelved) = (of(&self.gate.lent), of(&self.gate.on_shelf));
        let book = if turn.is_multiple_of(NOT_LENT_EVERY) {
            shelved.or(lent)
        } else {
            lent.or(shelved)
        };
        let check = format!("bench-{:016x}-{turn}", self.run_id);
        serde_json::json!({"check_id": check, "barcode": book.as_deref(), "tag_bit": "unknown"}).to_string()
    }
}
