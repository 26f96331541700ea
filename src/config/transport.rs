//! How requests reach this node: by TLS or not, and through which proxies.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

use super::{HttpConfig, empty_is_none};

impl HttpConfig {
    /// How the API's addresses begin.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls.certificate.is_some() {
            "https"
        } else {
            "http"
        }
    }
}

/// PEM files; both or neither.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    #[serde(deserialize_with = "empty_is_none")]
    pub certificate: Option<PathBuf>,
    #[serde(deserialize_with = "empty_is_none")]
    pub key: Option<PathBuf>,
}

impl TlsConfig {
    /// The key that is needed because the other one is set.
    pub(super) fn missing(&self) -> Option<&'static str> {
        match (&self.certificate, &self.key) {
            (Some(_), None) => Some("http.tls.key"),
            (None, Some(_)) => Some("http.tls.certificate"),
            _ => None,
        }
    }
}

/// Which header the trusted proxies write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    XForwardedFor,
    Forwarded,
}

impl ForwardedHeader {
    /// As it stands in a request.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

/// Addresses and ranges of addresses, written with commas between them: the proxies whose word about a client counts, for one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressRanges(Vec<IpNet>);

impl AddressRanges {
    /// Whether this address is one of them. An IPv4 address that came over an IPv6 socket is the IPv4 address.
    ///
    /// ```
    /// # use tongjie::config::AddressRanges;
    /// let list: AddressRanges = "10.0.0.0/8, ::1".parse().expect("a list");
    /// assert!(list.contains("::ffff:10.1.2.3".parse().expect("an address")));
    /// assert!(!list.contains("192.0.2.1".parse().expect("an address")));
    /// ```
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|range| range.contains(&address))
    }
}

impl FromStr for AddressRanges {
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

impl<'de> Deserialize<'de> for AddressRanges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
