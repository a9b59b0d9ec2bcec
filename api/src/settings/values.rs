//! How a value is written: durations, lists, secrets.

use std::convert::Infallible;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
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
            .map(Self)
            .map_err(|_| format!("{text:?} is neither an address nor a network such as 10.0.0.0/8"))
    }
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
