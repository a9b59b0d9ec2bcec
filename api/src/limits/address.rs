//! Who a client is: its own address, and the part of it that one person cannot change at will.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::settings::{List, Network};

/// The rightmost address in `X-Forwarded-For` that is not a trusted proxy's.
///
/// Each proxy appends whom it heard, so what stands left of the first stranger is that stranger's
/// own word and counts for nothing. An entry that is no address ends the walk as well.
pub(super) fn of_client(proxies: &List<Network>, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut client = peer.to_canonical();
    let lines = headers.get_all("x-forwarded-for").into_iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    for hop in hops {
        if !is_in(proxies, client) {
            break;
        }
        let Some(before) = address(hop.trim()) else { break };
        client = before;
    }
    client
}

/// Whether an address is in one of the networks.
pub(super) fn is_in(networks: &List<Network>, ip: IpAddr) -> bool {
    networks.0.iter().any(|network| network.0.contains(&ip))
}

/// A whole IPv4 address; of IPv6 the /64 that one household has.
pub(super) fn prefix(ip: IpAddr) -> IpNet {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Ipv4Net::from(ip).into(),
        IpAddr::V6(ip) => Ipv6Net::new(ip, 64).unwrap_or_else(|_| ip.into()).trunc().into(),
    }
}

/// An address, with or without port and brackets.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse::<IpAddr>().ok();
    address
        .or_else(|| hop.parse::<SocketAddr>().ok().map(|hop| hop.ip()))
        .map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nobody_in_front("203.0.113.7", &["198.51.100.1"], "203.0.113.7")]
    #[case::one_proxy("10.0.0.1", &["203.0.113.7"], "203.0.113.7")]
    #[case::two_proxies("10.0.0.1", &["203.0.113.7, 10.0.0.2"], "203.0.113.7")]
    #[case::what_the_client_wrote_is_left_of_it("10.0.0.1", &["1.1.1.1, 203.0.113.7, 10.0.0.2"], "203.0.113.7")]
    #[case::several_lines_are_one_list("10.0.0.1", &["1.1.1.1, 203.0.113.7", "10.0.0.2"], "203.0.113.7")]
    #[case::only_proxies("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3")]
    #[case::nonsense_ends_the_walk("10.0.0.1", &["203.0.113.7, unknown, 10.0.0.2"], "10.0.0.2")]
    #[case::no_header("10.0.0.1", &[], "10.0.0.1")]
    #[case::ports_and_brackets("10.0.0.1", &["[2001:db8::1]:443, 10.0.0.2:80"], "2001:db8::1")]
    #[case::an_ipv4_address_in_ipv6_clothes("::ffff:10.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7")]
    fn a_client_is_the_first_stranger_from_the_right(
        #[case] peer: &str,
        #[case] lines: &[&str],
        #[case] expected: &str,
    ) {
        let proxies: List<Network> = "10.0.0.0/8".parse().unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        assert_eq!(of_client(&proxies, peer.parse().unwrap(), &headers).to_string(), expected);
    }

    #[rstest]
    #[case("203.0.113.7", "203.0.113.7/32")]
    #[case("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")]
    #[case("::ffff:203.0.113.7", "203.0.113.7/32")]
    fn one_person_has_one_prefix(#[case] ip: &str, #[case] expected: &str) {
        assert_eq!(prefix(ip.parse().unwrap()).to_string(), expected);
    }
}
