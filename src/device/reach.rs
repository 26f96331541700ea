//! Where drivers may speak. Whoever configures a device says an address or a file, and the node would open it from inside the library's
//! network: so only what the operator lists (`devices.lines`) is opened. A name is judged by the addresses it leads to, when the device is
//! configured and each time a line is made, and the line goes to an address that was judged.

use std::io::{Error, ErrorKind, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::config::DeviceLines;
use crate::usecase::machine_ports::{self, Answering, At};

/// How long a name is looked up.
const LOOK_UP: Duration = Duration::from_secs(3);

/// Where clouds tell their machines secrets, as far as these are no link-local addresses.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// What may be opened.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    lines: Arc<DeviceLines>,
}

impl Reach {
    pub fn of(lines: &DeviceLines) -> Self {
        Self {
            lines: Arc::new(lines.clone()),
        }
    }

    /// The addresses of a host, all of which may be connected to.
    ///
    /// # Errors
    /// When it has none, and when one of them may not: which of several is connected to is chance.
    pub async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
        let looked_up = timeout(LOOK_UP, lookup_host((host, port)));
        let found = looked_up.await.map_err(|_| ErrorKind::TimedOut)??;
        let found: Vec<SocketAddr> = found.collect();
        if found.is_empty() {
            return Err(Error::from(ErrorKind::NotFound));
        }
        match found.iter().find(|found| !self.admits_address(found.ip())) {
            None => Ok(found),
            Some(other) => Err(refused(&other.ip().to_string())),
        }
    }

    /// The path of a serial line that may be opened. What it is linked to is the business of whoever may write below /dev/, but it stays
    /// there.
    ///
    /// # Errors
    /// When it may not, or is not there.
    pub fn file(&self, path: &str) -> Result<String> {
        if !self.lines.has_file(path) {
            return Err(refused(path));
        }
        let real = std::fs::canonicalize(path)?;
        let real = real.to_str().filter(|real| real.starts_with("/dev/"));
        real.map(str::to_owned).ok_or_else(|| refused(path))
    }

    fn admits_address(&self, address: IpAddr) -> bool {
        !is_never_a_machine(address) && self.lines.has_address(address)
    }
}

impl machine_ports::Reach for Reach {
    fn admits<'a>(&'a self, at: &'a At) -> Answering<'a, std::result::Result<(), String>> {
        Box::pin(async move {
            match at {
                At::File(path) if self.lines.has_file(path) => Ok(()),
                At::File(path) => Err(refused(path).to_string()),
                At::Host(host, port) => match self.addresses(host, *port).await {
                    Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(error.to_string()),
                    // Names may come later than machines; each line that is made looks again.
                    _ => Ok(()),
                },
            }
        })
    }
}

fn refused(what: &str) -> Error {
    let why = format!("{what} is not where drivers may speak; an operator lists it in devices.lines");
    Error::new(ErrorKind::PermissionDenied, why)
}

/// Whatever the operator lists.
fn is_never_a_machine(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    link_local || address.is_unspecified() || address.is_multicast() || METADATA.contains(&address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(lines: &str) -> Reach {
        Reach::of(&lines.parse().unwrap())
    }

    #[tokio::test]
    async fn only_what_the_operator_lists_is_reached_and_some_things_never() {
        let few = reach("10.1.0.0/16, /dev/tty*");
        assert_eq!(few.addresses("10.1.2.3", 502).await.unwrap().len(), 1);
        for other in ["10.2.0.1", "127.0.0.1", "::1", "8.8.8.8"] {
            let refused = few.addresses(other, 502).await.unwrap_err();
            assert!(refused.to_string().contains("devices.lines"), "{refused}");
        }
        let all = reach("0.0.0.0/0, ::/0");
        assert!(all.addresses("8.8.8.8", 502).await.is_ok());
        for never in [
            "169.254.169.254",
            "::ffff:169.254.1.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fe80::1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
        ] {
            assert!(all.addresses(never, 502).await.is_err(), "{never}");
        }
    }

    #[test]
    fn a_serial_line_is_one_that_is_listed() {
        assert_eq!(reach("/dev/nul*").file("/dev/null").unwrap(), "/dev/null");
        assert!(reach("/dev/ttyS*").file("/dev/null").is_err());
        assert!(reach("10.0.0.0/8").file("/dev/null").is_err());
        let gone = reach("/dev/no*").file("/dev/no-such-line").unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound);
    }
}
