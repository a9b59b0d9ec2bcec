//! The part of a client's address that one person cannot change at will.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A whole IPv4 address; of IPv6 the /64 that one household has.
pub(super) fn prefix(ip: IpAddr) -> IpNet {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Ipv4Net::from(ip).into(),
        IpAddr::V6(ip) => Ipv6Net::new(ip, 64).unwrap_or_else(|_| ip.into()).trunc().into(),
    }
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
}
