//! The parts of a client's address: what one person cannot change at will, and what one who has much
//! to choose from can.
//!
//! A household has a /64 of IPv6, but providers give out a /56 or a /48 for the asking, which is
//! 256 or 65,536 times as many. So those are counted as well, and may do a little more than one
//! household (F-17).

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// How long the prefixes of IPv6 are that are counted, and how many times as much each may do.
const OF_IPV6: [(u8, u32); 3] = [(64, 1), (56, 2), (48, 4)];

/// A whole IPv4 address; of IPv6 the /64 that one household has.
pub(super) fn prefix(ip: IpAddr) -> IpNet {
    let narrowest = networks(ip).next();
    narrowest.map_or_else(|| ip.into(), |(network, _)| network)
}

/// The networks that an address is counted in, the narrowest first, and how many times as much as
/// one client each may do.
pub(super) fn networks(ip: IpAddr) -> impl Iterator<Item = (IpNet, u32)> {
    let ip = ip.to_canonical();
    OF_IPV6.into_iter().take(if ip.is_ipv4() { 1 } else { OF_IPV6.len() }).map(
        move |(length, times)| match ip {
            IpAddr::V4(ip) => (Ipv4Net::from(ip).into(), times),
            IpAddr::V6(ip) => {
                let network = Ipv6Net::new(ip, length).unwrap_or_else(|_| ip.into());
                (network.trunc().into(), times)
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("203.0.113.7", "203.0.113.7/32")]
    #[case("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")]
    #[case("::ffff:203.0.113.7", "203.0.113.7/32")]
    fn one_person_has_one_prefix(#[case] ip: &str, #[case] expected: &str) {
        assert_eq!(prefix(ip.parse().unwrap()).to_string(), expected);
    }

    #[test]
    fn f_17_an_address_of_ipv6_counts_in_three_networks_and_one_of_ipv4_in_one() {
        let of = |ip: &str| -> Vec<String> {
            networks(ip.parse().unwrap()).map(|(net, times)| format!("{net} x{times}")).collect()
        };
        assert_eq!(
            of("2001:db8:1:2f2::9"),
            ["2001:db8:1:2f2::/64 x1", "2001:db8:1:200::/56 x2", "2001:db8:1::/48 x4"]
        );
        assert_eq!(of("203.0.113.7"), ["203.0.113.7/32 x1"]);
        assert_eq!(of("::ffff:203.0.113.7"), ["203.0.113.7/32 x1"]);
    }
}
