//! Relay boards by Modbus TCP.

use tokio::net::TcpStream;
use tokio_modbus::client::tcp;

use super::modbus::{Board, Layout};
use crate::device::bus::{Bus, Connect, WireFault};
use crate::device::driver_list::{Driver, Start};
use crate::device::line::Lock;
use crate::device::reach::Reach;
use crate::device::settings::{Settings, host_and_port, host_name};
use crate::domain::device::Capability;
use crate::usecase::machine_ports::{At, Place, SettingFault};

pub const DRIVER: Driver = Driver {
    name: "modbus_tcp",
    capabilities: &[Capability::DoorBank, Capability::ItemSensor],
    make,
};

struct Tcp {
    host: String,
    port: u16,
    reach: Reach,
    layout: Layout,
}

fn make(mut settings: Settings<'_>) -> Result<Start, Vec<SettingFault>> {
    let address = settings.needed("address", "host:port of the board, such as 10.1.2.3:502");
    let (host, port) = host_and_port(&mut settings, "address", &address);
    let (layout, limits) = Layout::read(&mut settings);
    let senses = layout.senses();
    let place = Place {
        at: At::Host(host.clone(), port),
        at_set_by: "address",
        // A gateway with several boards is one line, whichever of them is meant.
        line: format!("tcp {} {port}", host_name(&host)),
        line_set_by: "address",
    };
    settings.finish(Start::at(place, move |on| {
        let reach = on.reach;
        let board = Tcp {
            host,
            port,
            reach,
            layout,
        };
        Bus::start(on.line, board, limits).machine(senses)
    }))
}

impl Connect for Tcp {
    type Wire = Board;

    async fn connect(&mut self, _after_fault: bool) -> Result<Board, WireFault> {
        let addresses = self.reach.addresses(&self.host, self.port).await?;
        let stream = TcpStream::connect(addresses.as_slice()).await?;
        stream.set_nodelay(true)?;
        Ok(Board::new(tcp::attach_slave(stream, self.layout.slave()), self.layout))
    }

    fn lock(&self, number: u16) -> Option<Lock> {
        Some(self.layout.lock(number))
    }
}
