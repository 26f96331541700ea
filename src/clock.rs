//! The only place that reads the machine's clock. Everything else is handed `now`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeZone, Utc};

/// Where `now` comes from: the machine, or a test's own hand.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that stands still until moved; UTC milliseconds.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that shows `at` until it is moved.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(at.timestamp_millis())))
    }

    /// The present moment, in whole milliseconds as the store keeps it.
    #[expect(clippy::disallowed_methods, reason = "the one place that may read the clock")]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => from_millis(Utc::now().timestamp_millis()),
            Self::Fixed(at) => from_millis(at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a fixed clock; the system's clock is left alone.
    pub fn set(&self, at: DateTime<Utc>) {
        if let Self::Fixed(cell) = self {
            cell.store(at.timestamp_millis(), Ordering::SeqCst);
        }
    }
}

/// UTC milliseconds as the store keeps them. A number no calendar can show becomes the epoch's end it is nearest to.
pub fn from_millis(millis: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(millis).single().unwrap_or(if millis < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}
