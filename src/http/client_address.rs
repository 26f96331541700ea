//! Who is asking: the address of the client itself, also behind proxies, and never one that the client made up.
//!
//! A header counts only as far as it was written by a proxy we know. Each proxy appends the address it was called from, so
//! the list is read from its end, and the first address that is not a known proxy's is the client's. Whatever stands
//! before it was sent by the client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, web};

use crate::app::App;
use crate::config::{AddressRanges, ForwardedHeader};

/// The address of the client of this request. `None`: there is no peer, which only happens in unit tests.
#[must_use]
pub fn client_address(request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    let Some(app) = request.app_data::<web::Data<App>>() else {
        return Some(peer);
    };
    let http = &app.config.http;
    Some(behind_proxies(
        peer,
        request.headers(),
        &http.trusted_proxies,
        http.forwarded_header,
    ))
}

/// What counts as one client: the address, or of IPv6 the /64, in which one customer may take any address.
#[must_use]
pub fn client_network(request: &HttpRequest) -> IpAddr {
    network_of(client_address(request).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
}

fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Walks from the peer towards the client for as long as the hop is a known proxy's.
fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &AddressRanges, header: ForwardedHeader) -> IpAddr {
    let mut client = peer;
    if !trusted.contains(peer) {
        return client;
    }
    let lines: Vec<&str> = headers
        .get_all(header.name())
        .map(|line| line.to_str().unwrap_or_default())
        .collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let told = match header {
            ForwardedHeader::XForwardedFor => node(hop),
            ForwardedHeader::Forwarded => forwarded_for(hop),
        };
        // `unknown`, an obfuscated name, or rubbish: the proxy that wrote it is all that is known.
        let Some(address) = told else {
            return client;
        };
        client = address;
        if !trusted.contains(client) {
            return client;
        }
    }
    client
}

/// The `for` of one element of `Forwarded` (RFC 7239, 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| node(value))?
    })
}

/// An address with or without a port, brackets and quotes.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    /// Lines of the header: name and value.
    type Lines<'a> = &'a [(&'static str, &'a str)];
    /// The peer, the headers it sent, and the client behind it.
    type Case<'a> = (&'a str, Lines<'a>, &'a str);

    const TRUSTED: &str = "10.0.0.0/8, 2001:db8::/32";

    fn client(peer: &str, header: ForwardedHeader, lines: Lines<'_>) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).expect("a header's value"),
            );
        }
        let trusted = TRUSTED.parse().expect("a list");
        behind_proxies(peer.parse().expect("an address"), &headers, &trusted, header).to_string()
    }

    #[test]
    fn only_known_proxies_are_believed_and_only_about_their_own_peer() {
        const X: &str = "x-forwarded-for";
        let cases: &[Case<'_>] = &[
            ("192.0.2.7", &[(X, "198.51.100.1")], "192.0.2.7"), // spoofed by the client
            ("192.0.2.7", &[], "192.0.2.7"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[(X, "198.51.100.1")], "198.51.100.1"),
            ("10.0.0.1", &[(X, "6.6.6.6, 198.51.100.1")], "198.51.100.1"), // the first was sent by the client
            ("10.0.0.1", &[(X, "6.6.6.6"), (X, "198.51.100.1")], "198.51.100.1"), // the same in two lines
            ("10.0.0.1", &[(X, "198.51.100.1, 10.0.0.9")], "198.51.100.1"), // two proxies
            ("10.0.0.1", &[(X, "198.51.100.1,10.0.0.9 ,10.0.0.8")], "198.51.100.1"),
            ("10.0.0.1", &[(X, "10.0.0.7, 10.0.0.9")], "10.0.0.7"), // from inside
            ("10.0.0.1", &[(X, "198.51.100.1:4711")], "198.51.100.1"),
            ("10.0.0.1", &[(X, "[2001:4860::8]:443")], "2001:4860::8"),
            ("10.0.0.1", &[(X, "198.51.100.1, unknown")], "10.0.0.1"),
            ("10.0.0.1", &[(X, "198.51.100.1, rubbish, 10.0.0.9")], "10.0.0.9"),
            ("10.0.0.1", &[(X, "")], "10.0.0.1"),
            ("10.0.0.1", &[("forwarded", "for=6.6.6.6")], "10.0.0.1"), // the proxy does not write this one
            ("::ffff:10.0.0.1", &[(X, "::ffff:198.51.100.1")], "198.51.100.1"),
            ("2001:db8::1", &[(X, "2001:4860::8")], "2001:4860::8"),
        ];
        for (peer, lines, expected) in cases {
            let found = client(peer, ForwardedHeader::XForwardedFor, lines);
            let peer: IpAddr = peer.parse().expect("an address");
            let expected = if *expected == peer.to_string() {
                peer.to_string()
            } else {
                (*expected).to_owned()
            };
            assert_eq!(found, expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn one_customer_is_one_client() {
        for (address, network) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(network_of(address).to_string(), network);
        }
    }

    #[test]
    fn the_standard_header_is_read_the_same_way() {
        const F: &str = "forwarded";
        let cases: &[Case<'_>] = &[
            ("192.0.2.7", &[(F, "for=198.51.100.1")], "192.0.2.7"),
            (
                "10.0.0.1",
                &[(F, "for=198.51.100.1;proto=https;by=10.0.0.1")],
                "198.51.100.1",
            ),
            (
                "10.0.0.1",
                &[(F, "for=6.6.6.6, For=\"198.51.100.1:80\"")],
                "198.51.100.1",
            ),
            ("10.0.0.1", &[(F, "for=\"[2001:4860::8]:4711\"")], "2001:4860::8"),
            (
                "10.0.0.1",
                &[(F, "proto=https; for=198.51.100.1, for=10.0.0.9")],
                "198.51.100.1",
            ),
            ("10.0.0.1", &[(F, "for=198.51.100.1, proto=https")], "10.0.0.1"),
            ("10.0.0.1", &[(F, "for=_hidden")], "10.0.0.1"),
            ("10.0.0.1", &[("x-forwarded-for", "6.6.6.6")], "10.0.0.1"),
        ];
        for (peer, lines, expected) in cases {
            assert_eq!(client(peer, ForwardedHeader::Forwarded, lines), *expected, "{lines:?}");
        }
    }
}
