//! The task of a bus: it waits for its line, carries out one order at a time, and leaves no lock let go.
//! A lock that was let go is owed to the [`Line`] from before its coil is switched until it is heard to hold again, so that neither a
//! lost line nor the end of this task forgets it. What a fallen node forgot is asked of the board, once it answers.

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::bus::{Connect, Limits, Question, Seen, Wire, WireFault};
use super::line::{Line, Lock};
use crate::usecase::machine_ports::{DoorOrder, DoorSeen, Opened, WhyNot};

/// The first rest after an error; it doubles with each one that follows.
const FIRST_REST: Duration = Duration::from_millis(50);

/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// Between two looks at a door that is to open.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How long a question that nobody waits behind is worth asking.
const LOOK_WITHIN: Duration = Duration::from_secs(3);

/// Pulses of a door are counted over so long.
const MINUTE: Duration = Duration::from_secs(60);

/// For so long a bus that has ended goes on telling locks to hold again, unless another takes its line over.
const AFTER_END: Duration = Duration::from_secs(600);

/// Locks asked after at once: eight bytes of an answer, at any baud rate within the time of the others.
const LOCKS_AT_ONCE: u16 = 64;

/// How often a board that answers otherwise is asked which locks are let go.
const STOCK_TRIES: u32 = 2;

/// What is asked of a bus.
pub(super) enum Ask {
    Open(DoorOrder, Instant, oneshot::Sender<Opened>),
    Look(u16, oneshot::Sender<Seen>),
}

pub(super) struct Actor<C: Connect> {
    line: Arc<Line>,
    connect: C,
    limits: Limits,
    /// How often the machine answered.
    answers: Arc<AtomicU64>,
    wire: Option<C::Wire>,
    /// The line before ended with an error; or who spoke on it nobody knows.
    after_fault: bool,
    rest: Duration,
    rest_until: Instant,
    /// The newest turn of each door.
    turns: HashMap<u16, i64>,
    /// When each door was pulsed.
    pulses: HashMap<u16, VecDeque<Instant>>,
    /// When locks are told to hold again next, and how long after that.
    hold_at: Instant,
    hold_rest: Duration,
    /// It is known which locks were let go before this bus began.
    stock_taken: bool,
    stock_tries: u32,
}

impl<C: Connect> Actor<C> {
    pub(super) fn new(line: Arc<Line>, connect: C, limits: Limits, answers: Arc<AtomicU64>) -> Self {
        Self {
            line,
            connect,
            limits,
            answers,
            wire: None,
            after_fault: true,
            rest: FIRST_REST,
            rest_until: Instant::now(),
            turns: HashMap::new(),
            pulses: HashMap::new(),
            hold_at: Instant::now(),
            hold_rest: FIRST_REST,
            stock_taken: false,
            stock_tries: 0,
        }
    }

    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<Ask>) {
        let line = Arc::clone(&self.line);
        let Some(_turn) = turn_of(&line, &mut asked).await else {
            return;
        };
        loop {
            if line.is_owed() && Instant::now() >= self.hold_at {
                self.hold_again().await;
            }
            let ask = if line.is_owed() {
                let Ok(ask) = timeout_at(self.hold_at, asked.recv()).await else {
                    continue;
                };
                ask
            } else {
                asked.recv().await
            };
            match ask {
                Some(Ask::Open(order, until, answer)) => {
                    let opened = self.open(order, until).await;
                    // Nobody waits any more: the order was carried out all the same.
                    let _ = answer.send(opened);
                }
                Some(Ask::Look(number, answer)) => {
                    let seen = self.look(number, Instant::now() + LOOK_WITHIN).await;
                    let _ = answer.send(seen.unwrap_or(Seen::NOTHING));
                }
                None => break,
            }
        }
        self.settle().await;
    }

    /// Nobody asks any more; but locks that were let go hold again, unless another bus takes that over with the line.
    async fn settle(mut self) {
        let line = Arc::clone(&self.line);
        let until = Instant::now() + AFTER_END;
        while line.is_owed() && Instant::now() < until {
            tokio::select! {
                () = line.wanted() => return,
                () = sleep_until(self.hold_at) => {}
            }
            self.hold_again().await;
        }
        if line.is_owed() {
            tracing::error!(locks = ?line.owed(), "locks of a machine may be let go: it could not be told otherwise");
        }
    }

    /// One order: a harmless look first, so that a line that is gone is found out before the lock has let go.
    async fn open(&mut self, order: DoorOrder, until: Instant) -> Opened {
        let number = order.number;
        if Instant::now() >= until {
            return Opened::NotOpened(WhyNot::TooLate);
        }
        if self.turns.get(&number).is_some_and(|turn| order.turn <= *turn) {
            return Opened::NotOpened(WhyNot::OldTurn);
        }
        if self.pulsed_too_often(number) {
            return Opened::NotOpened(WhyNot::TooOften);
        }
        match self.look(number, until).await {
            None => return Opened::NotOpened(WhyNot::Unreachable),
            Some(seen) if seen.door == DoorSeen::Open => {
                self.turns.insert(number, order.turn);
                return Opened::Opened;
            }
            Some(_) if Instant::now() >= until => return Opened::NotOpened(WhyNot::TooLate),
            Some(_) => {}
        }
        self.turns.insert(number, order.turn);
        self.pulses.entry(number).or_default().push_back(Instant::now());
        let lock = self.connect.lock(number);
        let newly = lock.filter(|lock| self.line.owe(*lock));
        let heard = match self.put(Question::Energise(order)).await {
            Ok(_) => true,
            Err(WireFault::Refused(_)) => {
                if let Some(lock) = newly {
                    self.line.holds(lock);
                }
                return Opened::NotOpened(WhyNot::Refused);
            }
            Err(WireFault::Lost(_)) => false,
        };
        if heard {
            sleep(self.limits.pulse).await;
        }
        self.hold_again().await;
        self.wait_for(number, heard).await
    }

    /// Until the door is seen open, or the time is over. What was not heard may be carried out later: then nobody knows.
    async fn wait_for(&mut self, number: u16, heard: bool) -> Opened {
        if !self.limits.feedback {
            return Opened::Unknown;
        }
        let until = Instant::now() + self.limits.opens;
        loop {
            let seen = self.look(number, until).await.map(|seen| seen.door);
            if seen == Some(DoorSeen::Open) {
                return Opened::Opened;
            }
            if Instant::now() + LOOK_AGAIN >= until {
                return match seen {
                    Some(DoorSeen::Shut) if heard => Opened::NotOpened(WhyNot::StayedShut),
                    _ => Opened::Unknown,
                };
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    fn pulsed_too_often(&mut self, number: u16) -> bool {
        let now = Instant::now();
        let pulses = self.pulses.entry(number).or_default();
        while pulses.front().is_some_and(|at| now.duration_since(*at) >= MINUTE) {
            pulses.pop_front();
        }
        pulses.len() >= self.limits.pulses_per_minute
    }

    /// A look, and once more where the line was lost over it.
    async fn look(&mut self, number: u16, until: Instant) -> Option<Seen> {
        for _ in 0..2 {
            if !self.lined_up(until).await {
                return None;
            }
            let seen = match self.put(Question::Look(number)).await {
                Ok(seen) => seen,
                Err(WireFault::Refused(_)) => Seen::NOTHING,
                Err(WireFault::Lost(_)) => continue,
            };
            if self.knows_its_locks().await {
                return Some(seen);
            }
        }
        None
    }

    /// A line is there, made anew if need be, after the rest that an error demands; false when that takes too long. What the board
    /// hears first on a new line is which locks hold again.
    async fn lined_up(&mut self, until: Instant) -> bool {
        if self.wire.is_some() {
            return true;
        }
        if self.rest_until > until {
            return false;
        }
        sleep_until(self.rest_until).await;
        match timeout(self.limits.connect, self.connect.connect(self.after_fault)).await {
            Ok(Ok(wire)) => {
                self.wire = Some(wire);
                self.release_all().await;
            }
            Ok(Err(fault)) => self.lost(&fault.to_string()),
            Err(_) => self.lost("no line in time"),
        }
        self.wire.is_some()
    }

    /// One question on the line that is there. After anything but an answer there is none.
    async fn put(&mut self, question: Question) -> Result<Seen, WireFault> {
        let Some(wire) = &mut self.wire else {
            return Err(WireFault::Lost("there is no line".to_owned()));
        };
        let answered = timeout(self.limits.answer, wire.ask(question)).await;
        self.heard(answered.ok())
    }

    /// What came of a question, or nothing in time.
    fn heard<T>(&mut self, answered: Option<Result<T, WireFault>>) -> Result<T, WireFault> {
        let answered = answered.unwrap_or_else(|| Err(WireFault::Lost("no answer in time".to_owned())));
        match &answered {
            Err(WireFault::Lost(why)) => self.lost(why),
            Ok(_) | Err(WireFault::Refused(_)) => {
                self.answers.fetch_add(1, Ordering::Relaxed);
                self.after_fault = false;
                self.rest = FIRST_REST;
            }
        }
        answered
    }

    fn lost(&mut self, why: &str) {
        tracing::debug!(why, rest_ms = self.rest.as_millis(), "a line to a machine was lost");
        self.wire = None;
        self.after_fault = true;
        self.rest_until = Instant::now() + self.rest;
        self.rest = (self.rest * 2).min(LONGEST_REST);
    }

    /// Every lock that was let go holds again, if the machine can be told. What it refuses is said again after a rest.
    async fn hold_again(&mut self) {
        if !self.line.is_owed() {
            return;
        }
        if self.wire.is_some() {
            self.release_all().await;
        } else {
            // Making the line says it.
            self.lined_up(Instant::now() + LONGEST_REST).await;
        }
        if !self.line.is_owed() {
            self.hold_rest = FIRST_REST;
        } else if self.wire.is_none() {
            self.hold_at = self.rest_until;
        } else {
            self.hold_at = Instant::now() + self.hold_rest;
            self.hold_rest = (self.hold_rest * 2).min(LONGEST_REST);
        }
    }

    async fn release_all(&mut self) {
        for lock in self.line.owed() {
            match self.put(Question::Release(lock)).await {
                Ok(_) => self.line.holds(lock),
                Err(WireFault::Refused(why)) => {
                    tracing::warn!(?lock, why, "a lock is let go, and the board refuses to hold it again");
                }
                Err(WireFault::Lost(_)) => return,
            }
        }
    }

    /// A bus before this one may have ended with its node and left a lock let go: the board is asked, and told. False: the line was
    /// lost over it.
    async fn knows_its_locks(&mut self) -> bool {
        if self.stock_taken {
            return true;
        }
        self.stock_tries += 1;
        let (mut first, doors) = (1, self.limits.doors);
        while first <= doors {
            let some = first..=doors.min(first.saturating_add(LOCKS_AT_ONCE - 1));
            first = some.end() + 1;
            let let_go = match self.locks_let_go(some.clone()).await {
                Ok(let_go) => let_go,
                Err(WireFault::Lost(_)) if self.stock_tries < STOCK_TRIES => return false,
                // It does not tell: then each is told to hold, which does no harm.
                Err(_) => some.filter_map(|number| self.connect.lock(number)).collect(),
            };
            for lock in let_go {
                self.line.owe(lock);
            }
        }
        self.stock_taken = true;
        self.hold_again().await;
        self.wire.is_some()
    }

    async fn locks_let_go(&mut self, doors: RangeInclusive<u16>) -> Result<Vec<Lock>, WireFault> {
        let Some(wire) = &mut self.wire else {
            return Err(WireFault::Lost("there is no line".to_owned()));
        };
        let answered = timeout(self.limits.answer, wire.let_go(doors)).await;
        self.heard(answered.ok())
    }
}

/// Waits for the line. What is asked meanwhile is not done; nothing is waited for once nobody can ask any more.
async fn turn_of(line: &Line, asked: &mut mpsc::Receiver<Ask>) -> Option<OwnedMutexGuard<()>> {
    let mut turn = std::pin::pin!(line.turn());
    loop {
        tokio::select! {
            biased;
            turn = &mut turn => return Some(turn),
            ask = asked.recv() => match ask? {
                Ask::Open(_, _, answer) => {
                    let _ = answer.send(Opened::NotOpened(WhyNot::Busy));
                }
                Ask::Look(_, answer) => {
                    let _ = answer.send(Seen::NOTHING);
                }
            },
        }
    }
}
