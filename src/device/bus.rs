//! A bus with doors on it, as an actor: one task owns the line, asks one thing at a time, and drops the line after any error, because
//! an answer that comes late would be taken for that to the next question.
//! A driver says how a line is made and how a question is put ([`Connect`], [`Wire`]); everything about time is here.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::usecase::machine_ports::{
    Answering, DoorBank, DoorOrder, DoorSeen, ItemSensor, Machine, Opened, Sensed, WhyNot,
};

/// Orders and questions that wait for the line.
const QUEUE: usize = 16;

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

/// What a driver is asked to put on its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// What is seen of a door. Harmless: it may be asked again.
    Look(u16),
    /// The lock lets go.
    Energise(DoorOrder),
    /// The lock is a lock again.
    Release(u16),
}

/// What is seen of a compartment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub door: DoorSeen,
    pub inside: Sensed,
}

impl Seen {
    /// The answer to what is no question.
    pub const NOTHING: Self = Self {
        door: DoorSeen::Unknown,
        inside: Sensed::Unknown,
    };
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum WireFault {
    /// The machine answered, in its turn and by its rules: no.
    #[error("the machine refused: {0}")]
    Refused(String),
    /// Anything else. What was asked may have arrived.
    #[error("{0}")]
    Lost(String),
}

impl From<std::io::Error> for WireFault {
    fn from(error: std::io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

/// A line that was made. Dropping it closes it.
pub trait Wire: Send + 'static {
    /// Puts one question and waits for its own answer. May be dropped in between; the line is then, too.
    fn ask(&mut self, question: Question) -> impl Future<Output = Result<Seen, WireFault>> + Send;
}

/// Makes lines.
pub trait Connect: Send + 'static {
    type Wire: Wire;
    /// A line to the machine. `after_fault`: something may still be on its way from the one before.
    fn connect(&mut self, after_fault: bool) -> impl Future<Output = Result<Self::Wire, WireFault>> + Send;
}

/// What a bus is held to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Doors that there are, from 1.
    pub doors: u16,
    /// How long one answer may take.
    pub answer: Duration,
    /// How long making a line may take.
    pub connect: Duration,
    /// How long the lock lets go.
    pub pulse: Duration,
    /// How long after it a door is waited for.
    pub opens: Duration,
    pub pulses_per_minute: usize,
    /// The machine sees its doors.
    pub feedback: bool,
}

enum Ask {
    Open(DoorOrder, Instant, oneshot::Sender<Opened>),
    Look(u16, oneshot::Sender<Seen>),
}

/// A bus at work; it ends when the last of it is dropped.
#[derive(Clone)]
pub struct Bus {
    asks: mpsc::Sender<Ask>,
    doors: u16,
}

impl Bus {
    /// Starts the task. The line is made when something is first asked.
    pub fn start<C: Connect>(connect: C, limits: Limits) -> Self {
        let (asks, asked) = mpsc::channel(QUEUE);
        let doors = limits.doors;
        tokio::spawn(Actor::new(connect, limits).run(asked));
        Self { asks, doors }
    }

    /// A machine of doors, and of what is sensed behind them.
    pub fn machine(self, senses: bool) -> Machine {
        let bus = Arc::new(self);
        Machine {
            items: senses.then(|| Arc::clone(&bus) as Arc<dyn ItemSensor>),
            doors: Some(bus),
            ..Machine::default()
        }
    }

    const fn has(&self, number: u16) -> bool {
        number >= 1 && number <= self.doors
    }

    async fn look(&self, number: u16) -> Seen {
        let (answer, answered) = oneshot::channel();
        if !self.has(number) || self.asks.try_send(Ask::Look(number, answer)).is_err() {
            return Seen::NOTHING;
        }
        answered.await.unwrap_or(Seen::NOTHING)
    }
}

impl DoorBank for Bus {
    fn doors(&self) -> u16 {
        self.doors
    }

    fn open(&self, order: DoorOrder) -> Answering<'_, Opened> {
        Box::pin(async move {
            if !self.has(order.number) {
                return Opened::NotOpened(WhyNot::CannotDo);
            }
            let (answer, answered) = oneshot::channel();
            let until = Instant::now() + order.within;
            if self.asks.try_send(Ask::Open(order, until, answer)).is_err() {
                return Opened::NotOpened(WhyNot::Busy);
            }
            // The actor ended with the order in hand: it may have begun.
            answered.await.unwrap_or(Opened::Unknown)
        })
    }

    fn door(&self, number: u16) -> Answering<'_, DoorSeen> {
        Box::pin(async move { self.look(number).await.door })
    }
}

impl ItemSensor for Bus {
    fn inside(&self, number: u16) -> Answering<'_, Sensed> {
        Box::pin(async move { self.look(number).await.inside })
    }
}

struct Actor<C: Connect> {
    connect: C,
    limits: Limits,
    wire: Option<C::Wire>,
    /// The line before ended with an error.
    after_fault: bool,
    rest: Duration,
    rest_until: Instant,
    /// The newest turn of each door.
    turns: HashMap<u16, i64>,
    /// When each door was pulsed.
    pulses: HashMap<u16, VecDeque<Instant>>,
    /// Locks that were let go and not yet heard to hold again: a coil that stays on burns.
    let_go: BTreeSet<u16>,
}

impl<C: Connect> Actor<C> {
    fn new(connect: C, limits: Limits) -> Self {
        Self {
            connect,
            limits,
            wire: None,
            after_fault: false,
            rest: FIRST_REST,
            rest_until: Instant::now(),
            turns: HashMap::new(),
            pulses: HashMap::new(),
            let_go: BTreeSet::new(),
        }
    }

    async fn run(mut self, mut asked: mpsc::Receiver<Ask>) {
        loop {
            let ask = if self.let_go.is_empty() {
                asked.recv().await
            } else {
                match timeout_at(self.rest_until, asked.recv()).await {
                    Ok(ask) => ask,
                    Err(_) => {
                        self.hold_again().await;
                        continue;
                    }
                }
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
        self.hold_again().await;
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
        let heard = match self.put(Question::Energise(order)).await {
            Ok(_) => true,
            Err(WireFault::Refused(_)) => return Opened::NotOpened(WhyNot::Refused),
            Err(WireFault::Lost(_)) => false,
        };
        self.let_go.insert(number);
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
            match self.put(Question::Look(number)).await {
                Ok(seen) => return Some(seen),
                Err(WireFault::Refused(_)) => return Some(Seen::NOTHING),
                Err(WireFault::Lost(_)) => {}
            }
        }
        None
    }

    /// A line is there, made anew if need be, after the rest that an error demands; false when that takes too long.
    async fn lined_up(&mut self, until: Instant) -> bool {
        if self.wire.is_some() {
            return true;
        }
        if self.rest_until > until {
            return false;
        }
        sleep_until(self.rest_until).await;
        match timeout(self.limits.connect, self.connect.connect(self.after_fault)).await {
            Ok(Ok(wire)) => self.wire = Some(wire),
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
        let answered = answered.unwrap_or_else(|_| Err(WireFault::Lost("no answer in time".to_owned())));
        match &answered {
            Err(WireFault::Lost(why)) => self.lost(why),
            Ok(_) | Err(WireFault::Refused(_)) => {
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

    /// Every lock that was let go holds again, if the machine can be told.
    async fn hold_again(&mut self) {
        let until = Instant::now() + LONGEST_REST;
        for number in self.let_go.clone() {
            if !self.lined_up(until).await {
                return;
            }
            match self.put(Question::Release(number)).await {
                Ok(_) | Err(WireFault::Refused(_)) => {
                    self.let_go.remove(&number);
                }
                Err(WireFault::Lost(_)) => return,
            }
        }
    }
}
