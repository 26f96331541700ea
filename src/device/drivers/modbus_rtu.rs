//! Relay boards by Modbus RTU on a serial line. Its frames have no numbers: what comes late looks like the answer to the next
//! question. So after an error, and before its first question, a bus listens to the line until it is quiet.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_modbus::client::rtu;
use tokio_serial::{ClearBuffer, Parity, SerialPort, SerialPortBuilderExt, SerialStream};

use super::modbus::{Board, Layout};
use crate::device::bus::{Bus, Connect, WireFault};
use crate::device::driver_list::{Driver, Start};
use crate::device::line::Lock;
use crate::device::reach::Reach;
use crate::device::settings::Settings;
use crate::domain::device::Capability;
use crate::usecase::machine_ports::{At, Place, SettingFault};

pub const DRIVER: Driver = Driver {
    name: "modbus_rtu",
    capabilities: &[Capability::DoorBank, Capability::ItemSensor],
    make,
};

/// A line on which nothing came for so long after something did has said all; where one answer may take longer, for that long.
const QUIET: Duration = Duration::from_millis(100);

const BAUDS: &[u32] = &[1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 57_600, 115_200];

struct Rtu {
    path: String,
    baud: u32,
    parity: Parity,
    /// How long one answer may take.
    answer: Duration,
    reach: Reach,
    layout: Layout,
}

fn make(mut settings: Settings<'_>) -> Result<Start, Vec<SettingFault>> {
    let path = settings.needed("path", "the serial line, such as /dev/ttyUSB0");
    let climbs = Path::new(&path)
        .components()
        .any(|part| part == std::path::Component::ParentDir);
    if !path.is_empty() && (climbs || !path.starts_with("/dev/")) {
        settings.wrong("path", "must be a line below /dev/");
    }
    let baud = settings.number("baud", 1_200..=115_200, 9_600);
    if !BAUDS.contains(&baud) {
        let known: Vec<String> = BAUDS.iter().map(u32::to_string).collect();
        settings.wrong("baud", format!("must be one of {}", known.join(", ")));
    }
    let parities = [("none", Parity::None), ("even", Parity::Even), ("odd", Parity::Odd)];
    let parity = settings.one_of("parity", &parities, Parity::None);
    let (layout, limits) = Layout::read(&mut settings);
    let (answer, senses) = (limits.answer, layout.senses());
    let place = Place {
        at: At::File(path.clone()),
        at_set_by: "path",
        line: format!("serial {path}"),
        line_set_by: "path",
    };
    settings.finish(Start::at(place, move |on| {
        let board = Rtu {
            path,
            baud,
            parity,
            answer,
            reach: on.reach,
            layout,
        };
        Bus::start(on.line, board, limits).machine(senses)
    }))
}

impl Connect for Rtu {
    type Wire = Board;

    async fn connect(&mut self, after_fault: bool) -> Result<Board, WireFault> {
        let path = self.reach.file(&self.path)?;
        let opened = tokio_serial::new(path, self.baud)
            .parity(self.parity)
            .open_native_async();
        let mut line = opened.map_err(|error| WireFault::Lost(error.to_string()))?;
        if after_fault {
            let_it_finish(&mut line, self.answer * 4, self.answer.max(QUIET)).await?;
        }
        Ok(Board::new(
            rtu::attach_slave(HalfDuplex(line), self.layout.slave()),
            self.layout,
        ))
    }

    fn lock(&self, number: u16) -> Option<Lock> {
        Some(self.layout.lock(number))
    }
}

/// A line on which nobody speaks unasked: what is there before a question is written is no answer to it.
#[derive(Debug)]
struct HalfDuplex(SerialStream);

impl AsyncRead for HalfDuplex {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for HalfDuplex {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, question: &[u8]) -> Poll<io::Result<usize>> {
        self.0.clear(ClearBuffer::Input)?;
        Pin::new(&mut self.0).poll_write(cx, question)
    }

    /// Not the serial line's own, which stops the thread until the last bit has left, or for ever where the other end holds it back.
    /// Nothing is asked before the answer to this is there, so nobody needs to know when that was.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for HalfDuplex {
    /// What has not left is not sent by a line that nobody listens to any more; closing it would wait for that.
    fn drop(&mut self) {
        if let Err(error) = self.0.clear(ClearBuffer::All) {
            tracing::debug!(%error, "a serial line cannot be cleared");
        }
    }
}

/// Reads away what is still on its way, until nothing comes for a while. `late`: how late an answer may still begin.
async fn let_it_finish(line: &mut SerialStream, late: Duration, quiet: Duration) -> Result<(), WireFault> {
    let (until, mut heard) = (Instant::now() + late, [0; 256]);
    if let Ok(read) = timeout_at(until, line.read(&mut heard)).await {
        read?;
        while let Ok(read) = timeout(quiet, line.read(&mut heard)).await {
            if read? == 0 || Instant::now() >= until {
                break;
            }
        }
    }
    Ok(())
}
