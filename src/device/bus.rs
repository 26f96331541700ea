//! A bus with doors on it: one task ([`super::actor`]) owns the line, asks one thing at a time, and drops the line after any error,
//! because an answer that comes late would be taken for that to the next question.
//! A driver says how a line is made and how a question is put ([`Connect`], [`Wire`]); everything about time is the task's.

use std::future::Future;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::actor::{Actor, Ask};
use super::line::{Line, Lock};
use crate::usecase::machine_ports::{
    Answering, DoorBank, DoorOrder, DoorSeen, ItemSensor, Machine, Opened, Presence, Sensed, WhyNot,
};

/// Orders and questions that wait for the line.
const QUEUE: usize = 16;

/// What a driver is asked to put on its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// What is seen of a door. Harmless: it may be asked again.
    Look(u16),
    /// The lock lets go.
    Energise(DoorOrder),
    /// The lock is a lock again.
    Release(Lock),
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
    /// The machine answered, in its turn and by its rules: no. It has done nothing.
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

    /// Which locks of these doors are let go. None where the machine ends its pulses by itself.
    fn let_go(&mut self, _doors: RangeInclusive<u16>) -> impl Future<Output = Result<Vec<Lock>, WireFault>> + Send {
        async { Ok(Vec::new()) }
    }
}

/// Makes lines.
pub trait Connect: Send + 'static {
    type Wire: Wire;
    /// A line to the machine. `after_fault`: something may still be on its way from the one before.
    fn connect(&mut self, after_fault: bool) -> impl Future<Output = Result<Self::Wire, WireFault>> + Send;

    /// The lock of a door that must be told to hold again; none where the machine ends its pulses by itself.
    fn lock(&self, _number: u16) -> Option<Lock> {
        None
    }
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

/// A bus at work; it ends when the last of it is dropped.
#[derive(Clone)]
pub struct Bus {
    asks: mpsc::Sender<Ask>,
    doors: u16,
    /// How often the machine answered.
    answers: Arc<AtomicU64>,
    /// Closed when the task has ended.
    ended: watch::Receiver<()>,
}

impl Bus {
    /// Starts the task, which waits until nobody else speaks on the line. The line is made when something is first asked, or at once where
    /// a lock is to hold again.
    pub fn start<C: Connect>(line: Arc<Line>, connect: C, limits: Limits) -> Self {
        let (asks, asked) = mpsc::channel(QUEUE);
        let (at_work, ended) = watch::channel(());
        let (doors, answers) = (limits.doors, Arc::default());
        let actor = Actor::new(line, connect, limits, Arc::clone(&answers));
        tokio::spawn(async move {
            actor.run(asked).await;
            drop(at_work);
        });
        Self {
            asks,
            doors,
            answers,
            ended,
        }
    }

    /// A machine of doors, and of what is sensed behind them.
    pub fn machine(self, senses: bool) -> Machine {
        let bus = Arc::new(self);
        Machine {
            items: senses.then(|| Arc::clone(&bus) as Arc<dyn ItemSensor>),
            presence: Some(Arc::clone(&bus) as Arc<dyn Presence>),
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

impl Presence for Bus {
    fn is_there(&self) -> Answering<'_, bool> {
        Box::pin(async move {
            let before = self.answers();
            // Any answer tells as much as that to this question.
            self.look(1).await;
            self.answers() > before
        })
    }

    fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    fn ended(&self) -> Answering<'static, ()> {
        let mut ended = self.ended.clone();
        Box::pin(async move { while ended.changed().await.is_ok() {} })
    }
}
