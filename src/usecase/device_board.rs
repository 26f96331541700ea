//! What a node knows of devices without asking the store: when each was last heard of, what it said, and who waits for a command.
//! It is memory and may be lost: after a start each device costs one look again.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::domain::device_heartbeat::Known;
use crate::domain::ids::{DeviceId, UnitId};

/// What a heartbeat that says nothing new is answered from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beaten {
    /// What it said last.
    pub known: Known,
    /// Where the device stands; a token of another unit is not believed.
    pub unit: UnitId,
    /// The newest configuration made for it.
    pub newest_configuration: i64,
    /// Between two of its heartbeats.
    pub interval: TimeDelta,
    /// Below how many of a thing in stock staff are told.
    pub low_stock: Vec<(String, i64)>,
    /// The entry of its journal that is expected next.
    pub journal_next: Option<i64>,
}

#[derive(Debug)]
struct Place {
    beaten: Beaten,
    /// It was heard of since the last flush.
    unwritten: bool,
}

#[derive(Debug, Default)]
struct Inside {
    places: HashMap<DeviceId, Place>,
    /// Long polls that wait.
    listeners: HashMap<DeviceId, Arc<Notify>>,
    /// Devices for which something is queued, as far as this node knows.
    queued: HashSet<DeviceId>,
}

/// The board of one node.
#[derive(Debug, Default)]
pub struct DeviceBoard {
    inside: Mutex<Inside>,
    stopped: AtomicBool,
}

impl DeviceBoard {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was ordered of a device, and is committed: its long poll ends.
    pub fn wake(&self, device: DeviceId) {
        let mut inside = self.inside();
        inside.queued.insert(device);
        if let Some(listener) = inside.listeners.get(&device) {
            listener.notify_waiters();
        }
    }

    /// When a device was last heard of by this node.
    pub fn last_seen(&self, device: DeviceId) -> Option<DateTime<Utc>> {
        let inside = self.inside();
        inside.places.get(&device).map(|place| place.beaten.known.last_seen_at)
    }

    /// A device was suspended, retired or changed: the next heartbeat asks the store, and a long poll that waits looks again.
    pub fn forget(&self, device: DeviceId) {
        let mut inside = self.inside();
        inside.places.remove(&device);
        if let Some(listener) = inside.listeners.get(&device) {
            listener.notify_waiters();
        }
    }

    /// Ends every long poll: the node stops.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        for listener in self.inside().listeners.values() {
            listener.notify_waiters();
        }
    }

    /// `stop` was called.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// What wakes the long poll of a device, until it is dropped.
    pub(super) fn listen(&self, device: DeviceId) -> Listening<'_> {
        let notify = Arc::clone(self.inside().listeners.entry(device).or_default());
        Listening {
            board: self,
            device,
            notify,
        }
    }

    /// What is known of a device from its last heartbeat.
    pub(super) fn beaten(&self, device: DeviceId) -> Option<Beaten> {
        self.inside().places.get(&device).map(|place| place.beaten.clone())
    }

    /// Keeps what a heartbeat said; `written`: its row says so already.
    pub(super) fn put(&self, device: DeviceId, beaten: Beaten, written: bool) {
        let place = Place {
            beaten,
            unwritten: !written,
        };
        self.inside().places.insert(device, place);
    }

    /// Whether something is queued for a device.
    pub(super) fn has_queued(&self, device: DeviceId) -> bool {
        self.inside().queued.contains(&device)
    }

    /// Nothing is queued for a device any more: it was told of everything.
    pub(super) fn told(&self, device: DeviceId) {
        self.inside().queued.remove(&device);
    }

    /// Takes over what the store says is queued, from any node, and wakes whoever waits for it.
    pub(super) fn take_queued(&self, devices: Vec<DeviceId>) {
        let mut inside = self.inside();
        inside.queued = devices.into_iter().collect();
        for (device, listener) in &inside.listeners {
            if inside.queued.contains(device) {
                listener.notify_waiters();
            }
        }
    }

    /// Devices heard of since the last time, with when and with which beat; at most so many.
    pub(super) fn take_unwritten(&self, at_most: usize) -> Vec<(DeviceId, DateTime<Utc>, u64)> {
        let mut inside = self.inside();
        let mut taken = Vec::new();
        for (device, place) in &mut inside.places {
            if taken.len() == at_most {
                break;
            }
            if place.unwritten {
                place.unwritten = false;
                taken.push((*device, place.beaten.known.last_seen_at, place.beaten.known.beat));
            }
        }
        taken
    }

    /// The store said otherwise: what was taken could not be written, so it is taken again.
    pub(super) fn not_written(&self, devices: &[(DeviceId, DateTime<Utc>, u64)]) {
        let mut inside = self.inside();
        for (device, ..) in devices {
            if let Some(place) = inside.places.get_mut(device) {
                place.unwritten = true;
            }
        }
    }
}

/// A long poll of a device. The last one of a device leaves nothing behind.
pub(super) struct Listening<'b> {
    board: &'b DeviceBoard,
    device: DeviceId,
    notify: Arc<Notify>,
}

impl Listening<'_> {
    /// Ends when the device is woken; what wakes it before this is enabled is missed.
    pub(super) fn notified(&self) -> Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        let mut inside = self.board.inside();
        // Ours and that of the board.
        if Arc::strong_count(&self.notify) == 2 {
            inside.listeners.remove(&self.device);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::device_heartbeat::ClockState;

    const NOW: DateTime<Utc> = DateTime::<Utc>::UNIX_EPOCH;
    const ONE: DeviceId = DeviceId::new(1);

    fn beaten() -> Beaten {
        Beaten {
            known: Known {
                last_seen_at: NOW,
                started_at: NOW,
                beat: 7,
                clock: ClockState::Good,
                firmware: String::new(),
                configuration_version: 0,
                faults: BTreeSet::new(),
                stock: Vec::new(),
                silent: false,
            },
            unit: UnitId::new(1),
            newest_configuration: 0,
            interval: TimeDelta::seconds(60),
            low_stock: Vec::new(),
            journal_next: None,
        }
    }

    #[test]
    fn what_was_heard_is_written_once_and_again_when_that_failed() {
        let board = DeviceBoard::default();
        board.put(ONE, beaten(), false);
        let taken = board.take_unwritten(300);
        assert_eq!(taken, [(ONE, NOW, 7)]);
        assert!(board.take_unwritten(300).is_empty());
        board.not_written(&taken);
        assert_eq!(board.take_unwritten(300).len(), 1);
        board.put(ONE, beaten(), true);
        assert!(board.take_unwritten(300).is_empty(), "its row says so");
    }

    #[test]
    fn who_is_forgotten_is_asked_for_again() {
        let board = DeviceBoard::default();
        board.put(ONE, beaten(), true);
        assert_eq!(board.last_seen(ONE), Some(NOW));
        board.forget(ONE);
        assert_eq!((board.last_seen(ONE), board.beaten(ONE)), (None, None));
    }

    #[tokio::test]
    async fn a_wake_between_listening_and_waiting_is_not_missed() {
        let board = DeviceBoard::default();
        let listening = board.listen(ONE);
        let mut woken = std::pin::pin!(listening.notified());
        woken.as_mut().enable();
        board.wake(ONE);
        woken.await;
        assert!(board.has_queued(ONE));
    }

    #[test]
    fn the_last_poll_leaves_nothing_behind() {
        let board = DeviceBoard::default();
        let (first, second) = (board.listen(ONE), board.listen(ONE));
        drop(first);
        assert_eq!(board.inside().listeners.len(), 1);
        drop(second);
        assert_eq!(board.inside().listeners.len(), 0);
    }
}
