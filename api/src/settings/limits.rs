//! How often one address or one account may try.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::values::duration;

/// How often one address or one account may try.
#[derive(Args, Clone)]
#[command(next_help_heading = "Limits (number/duration, or off)")]
pub struct Limits {
    /// Logins per address.
    #[arg(long, env, default_value = "100/15m")]
    pub rate_limit_login: Limit,
    /// Refreshes per session; per address, refreshes with tokens that were never issued.
    #[arg(long, env, default_value = "50/15m")]
    pub rate_limit_refresh: Limit,
    /// Logouts per address with tokens that were never issued; an issued token is never refused.
    #[arg(long, env, default_value = "20/1h")]
    pub rate_limit_logout: Limit,
    /// Registrations per address.
    #[arg(long, env, default_value = "20/1h")]
    pub rate_limit_register: Limit,
    /// Requests per address that send a mail or use a mailed token that was never issued.
    #[arg(long, env, default_value = "20/1h")]
    pub rate_limit_mail: Limit,
    /// Mails per account and hour that anybody can cause, such as links to verify or reset (1 to 100).
    #[arg(long, env, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub account_mails_per_hour: u32,
    /// Failed authentications per address at `/introspect` and `/revoke`; a right secret is never
    /// refused.
    #[arg(long, env, default_value = "20/15m")]
    pub rate_limit_client: Limit,
    /// Failed logins per account after which each further attempt is delayed (1 to 100).
    #[arg(long, env, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub account_free_failures: u32,
    /// Consecutive failed logins per account after which only known devices may log in (5 to 100).
    #[arg(long, env, default_value_t = 100, value_parser = clap::value_parser!(u32).range(5..=100))]
    pub account_max_failures: u32,
    /// Longest delay between two attempts on one account (1s to 1h).
    #[arg(long, env, default_value = "15m", value_parser = duration("1s", "1h"))]
    pub account_max_delay: Duration,
}

/// How often something may happen: `100/15m`, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// As often as one likes.
    Off,
    /// So many times in each window.
    Quota {
        /// How many times.
        quota: u32,
        /// In how long.
        window: Duration,
    },
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::Off);
        }
        let (quota, window) = text.split_once('/').unwrap_or_default();
        match (quota.parse(), duration("1s", "7d")(window)) {
            (Ok(quota @ 1..=1_000_000), Ok(window)) => Ok(Self::Quota { quota, window }),
            _ => {
                Err("off, or a number up to 1000000 and a duration from 1s to 7d, such as 100/15m"
                    .to_owned())
            }
        }
    }
}
