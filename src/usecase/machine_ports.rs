//! What is asked of a machine that does not call us: one small trait per capability. Behind each stands a driver (`device::drivers`).
//! They answer with outcomes: it opened, it did not, nobody knows. What a bus said, and how often it was asked, is the driver's business.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::domain::device::Capability;
pub use crate::domain::machine_outcome::{Done, DoorSeen, Opened, Sensed, WhyNot};

/// An answer that takes a while. It always comes: a driver has time limits of its own.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A door that is to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoorOrder {
    /// Of the compartment, from 1.
    pub number: u16,
    /// Counts up with each order for this compartment: an older one is never carried out after a newer one.
    pub turn: i64,
    /// How long it makes sense from now on.
    pub within: Duration,
}

/// Opens doors one by one.
pub trait DoorBank: Send + Sync {
    /// How many doors there are.
    fn doors(&self) -> u16;
    /// Opens a door. Never twice for one order.
    fn open(&self, order: DoorOrder) -> Answering<'_, Opened>;
    fn door(&self, number: u16) -> Answering<'_, DoorSeen>;
}

/// Knows whether something lies behind a door.
pub trait ItemSensor: Send + Sync {
    fn inside(&self, number: u16) -> Answering<'_, Sensed>;
}

/// Reads the tags of what lies somewhere: behind a door, or (0) on its plate.
pub trait TagReader: Send + Sync {
    /// `None`: nobody knows.
    fn tags(&self, place: u16) -> Answering<'_, Option<Vec<String>>>;
}

/// Writes the mark that a gate looks for.
pub trait TagWriter: Send + Sync {
    fn mark<'a>(&'a self, tag: &'a str, lent: bool) -> Answering<'a, Done>;
}

/// Stands at an exit.
pub trait Gate: Send + Sync {
    /// Light and sound.
    fn alarm(&self) -> Answering<'_, Done>;
}

/// Puts a book into one of its bins.
pub trait Sorter: Send + Sync {
    fn send_to(&self, bin: u16) -> Answering<'_, Done>;
}

/// Prints slips.
pub trait Printer: Send + Sync {
    fn print<'a>(&'a self, text: &'a str) -> Answering<'a, Done>;
}

/// Knows whether anybody is at the other end.
pub trait Presence: Send + Sync {
    /// Asks something harmless.
    fn is_there(&self) -> Answering<'_, bool>;
    /// How often the machine answered, whatever it was asked.
    fn answers(&self) -> u64;
    /// Once the machine was dropped: ends when nothing is under way any more, and no lock is let go.
    fn ended(&self) -> Answering<'static, ()>;
}

/// What a driver can do for one machine. It lives as long as this is held.
#[derive(Clone, Default)]
pub struct Machine {
    pub presence: Option<Arc<dyn Presence>>,
    pub doors: Option<Arc<dyn DoorBank>>,
    pub items: Option<Arc<dyn ItemSensor>>,
    pub tags: Option<Arc<dyn TagReader>>,
    pub marks: Option<Arc<dyn TagWriter>>,
    pub gate: Option<Arc<dyn Gate>>,
    pub sorter: Option<Arc<dyn Sorter>>,
    pub printer: Option<Arc<dyn Printer>>,
}

/// A setting of a driver that makes no sense: its name, and what would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    pub field: String,
    pub reason: String,
}

/// Where a driver speaks to its machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub at: At,
    /// The setting that says so.
    pub at_set_by: &'static str,
    /// Two machines with one line cannot be spoken to: the rests and reconnects of one would be those of the other.
    pub line: String,
    pub line_set_by: &'static str,
}

/// What is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    Host(String, u16),
    File(String),
}

/// Where drivers may speak, as the operator says.
pub trait Reach: Send + Sync {
    /// `Err`: why not.
    fn admits<'a>(&'a self, at: &'a At) -> Answering<'a, Result<(), String>>;
}

/// What a driver says of its settings before anything runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverRead {
    /// What it can do for a device.
    pub capabilities: &'static [Capability],
    /// Everything that makes no sense, at once.
    pub faults: Vec<SettingFault>,
    /// Where it would speak; none without a line, or with faults.
    pub place: Option<Place>,
}

/// The drivers there are.
pub trait DriverShelf: Send + Sync {
    fn names(&self) -> Vec<&'static str>;
    /// `None`: there is no such driver.
    fn read(&self, driver: &str, settings: &Map<String, Value>) -> Option<DriverRead>;
}
