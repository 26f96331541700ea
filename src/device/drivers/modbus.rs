//! What Modbus boards have in common, whatever they are wired by: a coil per lock, a discrete input per door, and one per compartment
//! where something senses what lies inside.

use std::ops::RangeInclusive;
use std::time::Duration;

use tokio_modbus::client::Context;
use tokio_modbus::prelude::Client;
use tokio_modbus::slave::SlaveContext;
use tokio_modbus::{ExceptionCode, Request, Response, Slave};

use crate::device::bus::{Limits, Question, Seen, Wire, WireFault};
use crate::device::line::Lock;
use crate::device::settings::Settings;
use crate::usecase::machine_ports::{DoorSeen, Sensed};

/// Where things stand on the board.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    unit: u8,
    coil_base: u16,
    input_base: u16,
    item_base: Option<u16>,
    /// What the input of a door says when it is open.
    feedback_open: bool,
    feedback: bool,
    /// What the input of a compartment says when something is inside.
    item_present: bool,
}

impl Layout {
    /// From the settings that all boards have.
    pub(super) fn read(settings: &mut Settings<'_>) -> (Self, Limits) {
        let layout = Self {
            unit: small(settings.number("unit", 0..=247, 1)),
            coil_base: address(settings.number("coil_base", 0..=65_535, 0)),
            input_base: address(settings.number("input_base", 0..=65_535, 0)),
            item_base: settings.number_given("item_base", 0..=65_535).map(address),
            feedback_open: settings.flag("feedback_open", true),
            feedback: settings.flag("feedback", true),
            item_present: settings.flag("item_present", true),
        };
        let answer = millis(settings.number("timeout_ms", 50..=5_000, 500));
        let limits = Limits {
            doors: address(settings.number("doors", 1..=512, 16)),
            answer,
            connect: answer * 6,
            pulse: millis(settings.number("pulse_ms", 0..=3_000, 500)),
            opens: millis(settings.number("opens_ms", 100..=10_000, 3_000)),
            pulses_per_minute: settings.number("pulses_per_minute", 1..=60, 6) as usize,
            feedback: layout.feedback,
        };
        let last = u32::from(limits.doors) - 1;
        let bases = [
            ("coil_base", Some(layout.coil_base)),
            ("input_base", Some(layout.input_base)),
            ("item_base", layout.item_base),
        ];
        for (name, base) in bases {
            if base.is_some_and(|base| u32::from(base) + last > 65_535) {
                settings.wrong(name, format!("leaves no addresses for {} doors", limits.doors));
            }
        }
        (layout, limits)
    }

    /// Something is sensed.
    pub(super) const fn senses(&self) -> bool {
        self.item_base.is_some()
    }

    pub(super) const fn slave(&self) -> Slave {
        Slave(self.unit)
    }

    pub(super) const fn lock(&self, number: u16) -> Lock {
        Lock {
            board: self.unit,
            coil: self.coil_base + (number - 1),
        }
    }
}

fn small(number: u32) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn address(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

pub(super) fn millis(number: u32) -> Duration {
    Duration::from_millis(u64::from(number))
}

/// A board on a line.
pub(super) struct Board {
    context: Context,
    layout: Layout,
}

impl Board {
    pub(super) const fn new(context: Context, layout: Layout) -> Self {
        Self { context, layout }
    }

    async fn call(&mut self, request: Request<'static>) -> Result<Response, WireFault> {
        match self.context.call(request).await {
            Ok(Ok(response)) => Ok(response),
            // These say that it has not begun. Any other: it failed over it, is still at it, or is no board but a gateway that heard
            // nothing from it, and who knows what was done.
            Ok(Err(
                code @ (ExceptionCode::IllegalFunction
                | ExceptionCode::IllegalDataAddress
                | ExceptionCode::IllegalDataValue
                | ExceptionCode::ServerDeviceBusy),
            )) => Err(WireFault::Refused(code.to_string())),
            Ok(Err(code)) => Err(WireFault::Lost(code.to_string())),
            Err(error) => Err(WireFault::Lost(error.to_string())),
        }
    }

    async fn input(&mut self, address: u16) -> Result<bool, WireFault> {
        match self.call(Request::ReadDiscreteInputs(address, 1)).await? {
            // One input is one byte: eight bits of which the first counts.
            Response::ReadDiscreteInputs(bits) if (1..=8).contains(&bits.len()) => Ok(bits[0]),
            _ => Err(WireFault::Lost("an answer to another question".to_owned())),
        }
    }

    async fn look(&mut self, number: u16) -> Result<Seen, WireFault> {
        let at = number - 1;
        let door = if self.layout.feedback {
            let open = self.input(self.layout.input_base + at).await? == self.layout.feedback_open;
            if open { DoorSeen::Open } else { DoorSeen::Shut }
        } else {
            // It sees nothing, but it must be there.
            self.call(Request::ReadCoils(self.layout.coil_base + at, 1)).await?;
            DoorSeen::Unknown
        };
        let inside = if let Some(base) = self.layout.item_base {
            let item = self.input(base + at).await? == self.layout.item_present;
            if item { Sensed::Item } else { Sensed::Empty }
        } else {
            Sensed::Unknown
        };
        Ok(Seen { door, inside })
    }

    /// A lock may be that of another board, which a bus before this one spoke to on the same line.
    async fn switch(&mut self, lock: Lock, on: bool) -> Result<Seen, WireFault> {
        let coil = lock.coil;
        self.context.set_slave(Slave(lock.board));
        let switched = self.switched(coil, on).await;
        self.context.set_slave(self.layout.slave());
        switched
    }

    async fn switched(&mut self, coil: u16, on: bool) -> Result<Seen, WireFault> {
        match self.call(Request::WriteSingleCoil(coil, on)).await? {
            Response::WriteSingleCoil(written, state) if (written, state) == (coil, on) => Ok(Seen::NOTHING),
            _ => Err(WireFault::Lost("an answer to another question".to_owned())),
        }
    }
}

impl Wire for Board {
    async fn ask(&mut self, question: Question) -> Result<Seen, WireFault> {
        match question {
            Question::Look(number) => self.look(number).await,
            Question::Energise(order) => self.switch(self.layout.lock(order.number), true).await,
            Question::Release(lock) => self.switch(lock, false).await,
        }
    }

    async fn let_go(&mut self, doors: RangeInclusive<u16>) -> Result<Vec<Lock>, WireFault> {
        let (first, count) = (*doors.start(), doors.len());
        let asked = Request::ReadCoils(self.layout.lock(first).coil, u16::try_from(count).unwrap_or(u16::MAX));
        match self.call(asked).await? {
            Response::ReadCoils(coils) if coils.len() >= count => {
                let on = doors.zip(coils).filter(|(_, on)| *on);
                Ok(on.map(|(number, _)| self.layout.lock(number)).collect())
            }
            _ => Err(WireFault::Lost("an answer to another question".to_owned())),
        }
    }
}
