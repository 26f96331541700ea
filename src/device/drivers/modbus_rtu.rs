//! Relay boards by Modbus RTU on a serial line. Its frames have no numbers: what comes late looks like the answer to the next
//! question. So after an error the line is listened to until it is quiet, before anything is asked again.

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
use crate::device::settings::Settings;
use crate::domain::device::Capability;
use crate::usecase::machine_ports::SettingFault;

pub const DRIVER: Driver = Driver {
    name: "modbus_rtu",
    capabilities: &[Capability::DoorBank, Capability::ItemSensor],
    make,
};

/// A line on which nothing came for so long after something did has said all.
const QUIET: Duration = Duration::from_millis(100);

const BAUDS: &[u32] = &[1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 57_600, 115_200];

struct Rtu {
    path: String,
    baud: u32,
    parity: Parity,
    /// How late an answer may still come.
    late: Duration,
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
    let (late, senses) = (limits.answer * 4, layout.senses());
    let line = Rtu {
        path,
        baud,
        parity,
        late,
        layout,
    };
    settings.finish(Box::new(move || Bus::start(line, limits).machine(senses)))
}

impl Connect for Rtu {
    type Wire = Board;

    async fn connect(&mut self, after_fault: bool) -> Result<Board, WireFault> {
        let opened = tokio_serial::new(&self.path, self.baud)
            .parity(self.parity)
            .open_native_async();
        let mut line = opened.map_err(|error| WireFault::Lost(error.to_string()))?;
        if after_fault {
            let_it_finish(&mut line, self.late).await?;
        }
        Ok(Board::new(
            rtu::attach_slave(HalfDuplex(line), self.layout.slave()),
            self.layout,
        ))
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

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Reads away what is still on its way.
async fn let_it_finish(line: &mut SerialStream, late: Duration) -> Result<(), WireFault> {
    let (until, mut heard) = (Instant::now() + late, [0; 256]);
    if let Ok(read) = timeout_at(until, line.read(&mut heard)).await {
        read?;
        while let Ok(read) = timeout(QUIET, line.read(&mut heard)).await {
            if read? == 0 || Instant::now() >= until {
                break;
            }
        }
    }
    Ok(())
}
