//! How a value is written: durations, lists, secrets.

use std::convert::Infallible;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use secrecy::{ExposeSecret, SecretString};

/// Reads `15m`, `30d`, `1h 30m`, within bounds written the same way.
pub(super) fn duration(
    least: &'static str,
    most: &'static str,
) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    move |text| {
        let bound = |text| humantime::parse_duration(text).unwrap_or_default();
        humantime::parse_duration(text)
            .ok()
            .filter(|given| (bound(least)..=bound(most)).contains(given))
            .ok_or_else(|| format!("a duration from {least} to {most}, such as 90s, 15m, 12h, 30d"))
    }
}

/// Takes a secret as it is; what it must be like is checked where its value cannot be shown.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a value parser")]
pub(crate) fn secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(text.into())
}

/// A secret that was set to something; an empty variable means that nothing was set.
pub(super) fn given(secret: Option<&SecretString>) -> Option<&str> {
    secret.map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty())
}

/// A comma-separated list; empty when nothing is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T: FromStr> FromStr for List<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// A network, `10.0.0.0/8`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(pub IpNet);

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network
            .map(|network| Self(in_plain_clothes(network)))
            .map_err(|_| format!("{text:?} is neither an address nor a network such as 10.0.0.0/8"))
    }
}

/// IPv4 written as IPv6, `::ffff:10.0.0.0/104`, is IPv4: so are the addresses compared with it.
fn in_plain_clothes(network: IpNet) -> IpNet {
    let ipv4 = match network {
        IpNet::V6(network) => {
            network.addr().to_ipv4_mapped().zip(network.prefix_len().checked_sub(96))
        }
        IpNet::V4(_) => None,
    };
    ipv4.and_then(|(ip, length)| Ipv4Net::new(ip, length).ok()).map_or(network, IpNet::V4)
}

impl List<Network> {
    /// Whether an address is in one of the networks.
    #[must_use]
    pub fn cover(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.0.contains(&ip))
    }
}

/// Levels for the log. A word that is no level would be taken for a module's name, and nothing else
/// logged.
pub(super) fn log_level(text: &str) -> Result<String, String> {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |part: &str| {
        let level = part.split_once('=').map_or(part, |(_, level)| level);
        levels.iter().any(|known| known.eq_ignore_ascii_case(level.trim()))
    };
    if text.split(',').all(is_level) {
        Ok(text.to_owned())
    } else {
        Err(format!("must be one of {}, or like info,portcullis_api=debug", levels.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10.0.0.0/8", "10.1.2.3")]
    #[case("::ffff:10.0.0.1", "10.0.0.1")]
    #[case("::ffff:10.0.0.0/104", "10.1.2.3")]
    #[case("2001:db8::/32", "2001:db8::1")]
    fn f_10_a_network_covers_its_addresses_however_it_is_written(
        #[case] network: &str,
        #[case] ip: &str,
    ) {
        let networks: List<Network> = network.parse().unwrap();
        assert!(networks.cover(ip.parse().unwrap()));
        assert!(!networks.cover("198.51.100.1".parse().unwrap()));
    }
}
