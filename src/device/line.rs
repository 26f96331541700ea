//! Lines to machines, as long as the node runs. A bus ends with its configuration; what it owes its line does not: a coil that was left
//! on burns, whoever speaks there next. And of two buses on one line the later waits until the earlier has ended.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedMutexGuard, watch};

/// A lock as its line knows it, however the next bus counts its doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lock {
    /// The address of the board.
    pub board: u8,
    pub coil: u16,
}

/// Every line that this node speaks on.
#[derive(Debug, Default)]
pub struct Lines {
    known: Mutex<HashMap<String, Arc<Line>>>,
}

impl Lines {
    /// The line of this name.
    pub fn line(&self, name: &str) -> Arc<Line> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // A line that nobody speaks on and that is owed nothing is as good as a new one.
        known.retain(|_, line| Arc::strong_count(line) > 1 || line.is_owed());
        Arc::clone(known.entry(name.to_owned()).or_default())
    }
}

/// One line.
#[derive(Debug)]
pub struct Line {
    turn: Arc<tokio::sync::Mutex<()>>,
    /// How many buses wait for it.
    waiting: watch::Sender<usize>,
    /// Locks that were let go and not yet heard to hold again.
    let_go: Mutex<BTreeSet<Lock>>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            turn: Arc::default(),
            waiting: watch::Sender::new(0),
            let_go: Mutex::default(),
        }
    }
}

impl Line {
    /// Waits until nobody else speaks on it.
    pub async fn turn(&self) -> OwnedMutexGuard<()> {
        self.waiting.send_modify(|waiting| *waiting += 1);
        let _waits = Waits(&self.waiting);
        Arc::clone(&self.turn).lock_owned().await
    }

    /// Ends when another bus waits for it.
    pub async fn wanted(&self) {
        // The sender is ours: this cannot fail.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting > 0).await;
    }

    fn let_go(&self) -> MutexGuard<'_, BTreeSet<Lock>> {
        self.let_go.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lock is let go; false: that was known.
    pub fn owe(&self, lock: Lock) -> bool {
        self.let_go().insert(lock)
    }

    /// A lock holds again.
    pub fn holds(&self, lock: Lock) {
        self.let_go().remove(&lock);
    }

    /// Locks that are to hold again.
    pub fn owed(&self) -> Vec<Lock> {
        self.let_go().iter().copied().collect()
    }

    /// Whether any lock is to hold again.
    pub fn is_owed(&self) -> bool {
        !self.let_go().is_empty()
    }
}

/// Counts itself out, also when the wait is given up.
struct Waits<'l>(&'l watch::Sender<usize>);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting = waiting.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: Lock = Lock { board: 1, coil: 7 };

    #[test]
    fn what_a_line_is_owed_outlives_who_spoke_there() {
        let lines = Lines::default();
        assert!(lines.line("a").owe(LOCK));
        assert!(!lines.line("a").owe(LOCK), "it was known");
        assert!(lines.line("b").owed().is_empty());
        assert_eq!(lines.line("a").owed(), [LOCK]);
        lines.line("a").holds(LOCK);
        assert!(!lines.line("a").is_owed());
        drop(lines.line("c"));
        assert_eq!(lines.known.lock().unwrap().len(), 1, "nothing is kept of the others");
    }

    #[tokio::test]
    async fn who_waits_for_a_line_is_noticed_and_comes_next() {
        let lines = Lines::default();
        let (first, second) = (lines.line("a"), lines.line("a"));
        let turn = first.turn().await;
        let next = tokio::spawn(async move { drop(second.turn().await) });
        first.wanted().await;
        drop(turn);
        next.await.unwrap();
        assert_eq!(*first.waiting.borrow(), 0);
    }
}
