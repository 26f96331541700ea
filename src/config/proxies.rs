//! The list of proxies that are believed: addresses and CIDR ranges, written with commas between them.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

/// Whose word about a client's address counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyList(Vec<IpNet>);

impl ProxyList {
    /// Whether this address is one of the proxies. An IPv4 address that came over an IPv6 socket is the IPv4 address.
    ///
    /// ```
    /// # use tongjie::config::ProxyList;
    /// let list: ProxyList = "10.0.0.0/8, ::1".parse().expect("a list");
    /// assert!(list.contains("::ffff:10.1.2.3".parse().expect("an address")));
    /// assert!(!list.contains("192.0.2.1".parse().expect("an address")));
    /// ```
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|range| range.contains(&address))
    }
}

impl FromStr for ProxyList {
    type Err = String;

    /// # Errors
    /// The part that is neither an address nor a range.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let ranges = parts.map(|part| {
            part.parse::<IpNet>()
                .or_else(|_| part.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| format!("{part} is neither an IP address nor a range such as 10.0.0.0/8"))
        });
        ranges.collect::<Result<_, _>>().map(Self)
    }
}

impl<'de> Deserialize<'de> for ProxyList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
