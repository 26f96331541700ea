//! The doors of one device that were ordered open: its driver looks at them until they are shut again, and what it finds inside is the
//! device's report. Nothing is kept here that the store does not know: after a fall the doors in question are asked for anew.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::app::App;
use crate::domain::compartment_report::{Door, Inside};
use crate::domain::device::Capability;
use crate::domain::driven_door::{Facts, Found, Next, found, next};
use crate::domain::machine_outcome::DoorSeen;
use crate::usecase::UseCaseError;
use crate::usecase::doors_in_question::{DoorInQuestion, doors_in_question};
use crate::usecase::driven_devices::DrivenDevice;
use crate::usecase::machine_ports::Machine;
use crate::usecase::report_compartment::{ReportCompartment, report_compartment};

/// Between two looks at a door that somebody stands before.
const OFTEN: Duration = Duration::from_millis(250);

/// So long after the order.
const FRESH: TimeDelta = TimeDelta::seconds(30);

/// Between two looks afterwards, and where the board does not answer.
const SELDOM: Duration = Duration::from_secs(2);

/// One door.
#[derive(Debug)]
struct Watched {
    turn: i64,
    since: DateTime<Utc>,
    was_open: bool,
    was_shut: bool,
}

/// All of a device.
#[derive(Debug, Default)]
pub(super) struct Doors {
    watched: BTreeMap<u16, Watched>,
    look_at: Option<Instant>,
}

impl Doors {
    /// A door was ordered open just now, and may be; `was_open`: it was seen.
    pub(super) fn ordered(&mut self, (number, turn): (u16, i64), was_open: bool, now: DateTime<Utc>) {
        let watched = Watched {
            turn,
            since: now,
            was_open,
            was_shut: false,
        };
        self.watched.insert(number, watched);
        self.look_at = Some(Instant::now() + OFTEN);
    }

    /// How long nothing is to be looked at.
    pub(super) fn rest(&self) -> Duration {
        let until = self.look_at.filter(|_| !self.watched.is_empty());
        until.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()))
    }

    /// Takes up what the store does not know the end of: of a node that fell, of an order that was not carried out in time.
    pub(super) async fn take_up(&mut self, app: &App, device: &DrivenDevice) {
        match doors_in_question(&app.store, &device.caller).await {
            Ok(doors) => doors.into_iter().for_each(|door| self.add(&door)),
            Err(error) => {
                tracing::debug!(device = device.code, %error, "it cannot be read which doors are in question");
            }
        }
    }

    fn add(&mut self, door: &DoorInQuestion) {
        if self
            .watched
            .get(&door.number)
            .is_none_or(|known| known.turn < door.turn)
        {
            let watched = Watched {
                turn: door.turn,
                since: door.since,
                was_open: false,
                was_shut: false,
            };
            self.watched.insert(door.number, watched);
            self.look_at = Some(Instant::now());
        }
    }

    /// Looks at each, if it is time, and reports those that are shut again.
    pub(super) async fn look(&mut self, app: &App, device: &DrivenDevice, machine: &Machine) {
        if !self.rest().is_zero() {
            return;
        }
        let now = app.store.clock().now();
        let mut fresh = false;
        for number in self.watched.keys().copied().collect::<Vec<u16>>() {
            let Some(watched) = self.watched.get_mut(&number) else {
                continue;
            };
            let is_over = match watched.look(number, machine, device, now).await {
                Look::Again(door) => {
                    fresh |= door != DoorSeen::Unknown && now.signed_duration_since(watched.since) < FRESH;
                    false
                }
                Look::GiveUp => true,
                Look::Shut(inside) => report(app, device, (number, watched.turn), Door::Closed, inside).await,
            };
            if is_over {
                self.watched.remove(&number);
            }
        }
        self.look_at = Some(Instant::now() + if fresh { OFTEN } else { SELDOM });
    }
}

/// What a look comes to.
enum Look {
    Again(DoorSeen),
    GiveUp,
    Shut(Inside),
}

impl Watched {
    async fn look(&mut self, number: u16, machine: &Machine, device: &DrivenDevice, now: DateTime<Utc>) -> Look {
        let Some(doors) = &machine.doors else {
            return Look::GiveUp;
        };
        let door = doors.door(number).await;
        let found = match door {
            DoorSeen::Open => Found::Unknown,
            DoorSeen::Shut | DoorSeen::Unknown => inside(number, machine, device).await,
        };
        let facts = Facts {
            was_open: self.was_open,
            was_shut: self.was_shut,
            age: now.signed_duration_since(self.since),
            door,
            found: &found,
        };
        let next = next(&facts);
        self.was_open |= door == DoorSeen::Open;
        self.was_shut = door == DoorSeen::Shut;
        match (next, found) {
            (Next::Report, Found::Inside(inside)) => Look::Shut(inside),
            (Next::GiveUp, _) => Look::GiveUp,
            (Next::LookAgain | Next::Report, _) => Look::Again(door),
        }
    }
}

/// Of what the device is said to have only that is asked for which its driver has, too.
async fn inside(number: u16, machine: &Machine, device: &DrivenDevice) -> Found {
    let has = |capability| device.capabilities.has(capability);
    let sensed = match &machine.items {
        Some(sensor) if has(Capability::ItemSensor) => Some(sensor.inside(number).await),
        _ => None,
    };
    let tags = match &machine.tags {
        Some(reader) if has(Capability::TagReader) => reader.tags(number).await,
        _ => None,
    };
    found(sensed, tags)
}

/// Says of a door what was seen, as the device itself would; a report that is made twice changes nothing. False: it is to be made again.
pub(super) async fn report(
    app: &App,
    device: &DrivenDevice,
    (number, turn): (u16, i64),
    door: Door,
    inside: Inside,
) -> bool {
    let said = ReportCompartment {
        number,
        turn,
        door,
        inside,
        at: None,
    };
    match report_compartment(&app.store, &device.caller, said, None).await {
        Ok(_) => true,
        Err(UseCaseError::Store(error)) => {
            tracing::warn!(device = device.code, number, turn, %error, "a report of a door is made again");
            false
        }
        // Somebody else has the compartment since, or the device is not at work.
        Err(error) => {
            tracing::debug!(device = device.code, number, turn, %error, "a report of a door was not taken");
            true
        }
    }
}
