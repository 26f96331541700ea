//! Relay boards by Modbus TCP.

use tokio::net::TcpStream;
use tokio_modbus::client::tcp;

use super::modbus::{Board, Layout};
use crate::device::bus::{Bus, Connect, WireFault};
use crate::device::driver_list::{Driver, Start};
use crate::device::settings::{Settings, host_and_port};
use crate::domain::device::Capability;
use crate::usecase::machine_ports::SettingFault;

pub const DRIVER: Driver = Driver {
    name: "modbus_tcp",
    capabilities: &[Capability::DoorBank, Capability::ItemSensor],
    make,
};

struct Tcp {
    address: (String, u16),
    layout: Layout,
}

fn make(mut settings: Settings<'_>) -> Result<Start, Vec<SettingFault>> {
    let address = settings.needed("address", "host:port of the board, such as 10.1.2.3:502");
    let address = host_and_port(&mut settings, "address", &address);
    let (layout, limits) = Layout::read(&mut settings);
    let senses = layout.senses();
    settings.finish(Box::new(move || {
        Bus::start(Tcp { address, layout }, limits).machine(senses)
    }))
}

impl Connect for Tcp {
    type Wire = Board;

    async fn connect(&mut self, _after_fault: bool) -> Result<Board, WireFault> {
        let (host, port) = &self.address;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        Ok(Board::new(tcp::attach_slave(stream, self.layout.slave()), self.layout))
    }
}
