//! Where webhooks may go. Whoever sets one says a URL, and the server would call it from inside the library's network: so only public
//! addresses are connected to, and private ones that the settings admit. A name is judged by the addresses it leads to, each time
//! a connection is opened, and the connection goes to an address that was judged: what the name says a moment later does not matter.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::config::{AddressRanges, WebhooksConfig};
use crate::usecase::webhooks::{Leads, Places};

/// How long a name is looked up before a webhook is saved.
const LOOK_UP: Duration = Duration::from_secs(3);

/// The address of Azure's inner services: public by its number, and answered by the machine that the server runs on.
const AZURE: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Looks names up and answers only addresses that may be reached.
#[derive(Debug, Default)]
pub struct PublicHosts {
    names: DefaultResolver,
    admitted: AddressRanges,
}

impl PublicHosts {
    pub fn of(config: &WebhooksConfig) -> Self {
        Self {
            names: DefaultResolver::default(),
            admitted: config.allow_private.clone(),
        }
    }

    /// A client that connects to these only, itself: no proxy, which would look names up again, and no redirect.
    pub fn agent(self, timeout: Duration) -> ureq::Agent {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build();
        ureq::Agent::with_parts(config, DefaultConnector::default(), self)
    }

    /// One that may not be reached is enough: which of several is connected to is chance.
    fn admits(&self, mut addresses: impl Iterator<Item = SocketAddr>) -> bool {
        addresses.all(|address| is_public(address.ip()) || self.admitted.contains(address.ip()))
    }
}

impl Resolver for PublicHosts {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.names.resolve(uri, config, timeout)?;
        if self.admits(found.iter().copied()) {
            Ok(found)
        } else {
            Err(ureq::Error::Other(Box::new(Private)))
        }
    }
}

impl Places for PublicHosts {
    async fn leads(&self, url: &str) -> Leads {
        let Some((host, port)) = host_and_port(url) else {
            return Leads::Nowhere;
        };
        let looked_up = tokio::task::spawn_blocking(move || (host.as_str(), port).to_socket_addrs());
        match tokio::time::timeout(LOOK_UP, looked_up).await {
            Ok(Ok(Ok(addresses))) if self.admits(addresses.clone()) => Leads::Public,
            Ok(Ok(Ok(_))) => Leads::Private,
            // Names may come later than webhooks; each delivery looks again.
            _ => Leads::Unknown,
        }
    }
}

/// Where a client would connect to: read as the client reads it.
fn host_and_port(url: &str) -> Option<(String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?;
    let usual = if uri.scheme_str()? == "https" { 443 } else { 80 };
    let written = authority.as_str().rsplit('@').next()?;
    let port = match written.strip_prefix(authority.host())? {
        "" => usual,
        rest => rest.strip_prefix(':')?.parse().ok().filter(|port| *port > 0)?,
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

/// Why no connection was opened.
#[derive(Debug)]
struct Private;

impl fmt::Display for Private {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("it leads to an address that webhooks may not reach")
    }
}

impl std::error::Error for Private {}

/// Whether [`PublicHosts`] said no.
pub fn is_refusal(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Other(reason) if reason.is::<Private>())
}

/// Whether anybody in the world means the same machine by it. What is not known to be public is not.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match inner_v4(v6) {
            Some(v4) => is_public_v4(v4),
            None => is_public_v6(v6),
        },
    }
}

/// By the registry of special-purpose addresses (RFC 6890 and its successors); services that tell a cloud's machines their secrets
/// stand at 169.254.169.254, 100.100.100.200, 192.0.0.192 and fd00:ec2::254, which are among them.
fn is_public_v4(v4: Ipv4Addr) -> bool {
    let reserved = match v4.octets() {
        // This network; benchmarks; multicast, what is reserved, and all ones.
        [0 | 224..=255, ..] | [198, 18 | 19, ..] => true,
        // Shared by customers of one provider.
        [100, second, ..] => (64..128).contains(&second),
        // Protocol assignments, relays that are no more.
        [192, 0, 0, _] | [192, 88, 99, _] => true,
        _ => false,
    };
    !(reserved || v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_documentation() || v4 == AZURE)
}

/// Only 2000::/3 is given out, and not all of it to machines.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    match v6.segments() {
        // Assignments of protocols, with Teredo; documentation, twice.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// The IPv4 address that a packet to this one ends at: mapped (::ffff:0:0/96), translated (64:ff9b::/96) or tunnelled (2002::/16).
fn inner_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        Ipv4Addr::new(a, b, c, d)
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(of(high, low)),
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn only_addresses_that_mean_the_same_to_everybody_are_public() {
        for public in [
            "8.8.8.8",
            "114.114.114.114",
            "100.63.0.1",
            "100.128.0.1",
            "172.32.0.1",
            "192.1.0.1",
        ] {
            assert!(is_public(address(public)), "{public}");
        }
        for public in [
            "2400:3200::1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(is_public(address(public)), "{public}");
        }
        let private = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "3fff::1",
            "100::1",
        ];
        for private in private {
            assert!(!is_public(address(private)), "{private}");
        }
    }

    #[test]
    fn one_private_address_among_public_ones_is_one_too_many() {
        let config = WebhooksConfig {
            allow_private: "10.20.0.0/16".parse().expect("a range"),
        };
        let hosts = PublicHosts::of(&config);
        let admits = |texts: &[&str]| hosts.admits(texts.iter().map(|text| SocketAddr::new(address(text), 443)));
        assert!(admits(&["8.8.8.8", "2606:4700::1111"]));
        assert!(admits(&["8.8.8.8", "10.20.3.4", "::ffff:10.20.3.4"]));
        assert!(!admits(&["8.8.8.8", "10.21.0.1"]));
        assert!(!admits(&["127.0.0.1"]));
    }

    #[test]
    fn a_host_is_read_as_the_client_reads_it() {
        let read = |url: &str| host_and_port(url).map(|(host, port)| format!("{host} {port}"));
        assert_eq!(read("https://a.example/x").as_deref(), Some("a.example 443"));
        assert_eq!(read("http://[::1]:8080/x").as_deref(), Some("::1 8080"));
        assert_eq!(
            read("https://10.0.0.1@a.example:8443?x").as_deref(),
            Some("a.example 8443")
        );
        for url in [
            "https:///x",
            "https://a.example:99999/",
            "https://a.example:0/",
            "https://a.example:/",
            "https://[::1",
        ] {
            assert_eq!(read(url), None, "{url}");
        }
    }
}
