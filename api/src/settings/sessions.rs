//! How long and from where a session lives.

use std::str::FromStr;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};

use super::invalid::Invalid;
use super::values::duration;

/// How long and from where a session lives.
#[derive(Args, Clone)]
#[command(next_help_heading = "Sessions")]
pub struct Sessions {
    /// Maximum lifetime of a session (1s to 400d).
    #[arg(long, env, default_value = "30d", value_parser = duration("1s", "400d"))]
    pub session_expires_in: Duration,
    /// How long an unused session lasts (0 = no limit, at most 400d).
    #[arg(long, env, default_value = "7d", value_parser = duration("0s", "400d"))]
    pub session_idle_timeout: Duration,
    /// Sessions allowed per user; a further login ends the least recently used (1 to 1000).
    #[arg(long, env, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub max_sessions_per_user: u16,
    /// Whether every request counts as use of its session; otherwise only login and refresh do.
    #[arg(long, env, default_value_t = true, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub session_activity_tracking: bool,
    /// Minimum time between two recorded uses of a session (1s to 1h); last activity may lag by this
    /// much.
    #[arg(long, env, default_value = "60s", value_parser = duration("1s", "1h"))]
    pub session_touch_interval: Duration,
    /// Whether a session is valid only from its own address: `off`, `subnet` (/24, /64; also `true`),
    /// `exact`.
    #[arg(long, env, default_value = "off")]
    pub session_ip_validation: AddressGate,
    /// Whether browser, system and device of a session are recorded.
    #[arg(long, env, default_value_t = true, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub device_fingerprinting: bool,
    /// What to do with a request from another browser, system or device: allow it, record it in the
    /// audit trail, or refuse it.
    #[arg(long, env, value_enum, default_value_t = DeviceGate::Off)]
    pub device_binding: DeviceGate,
    /// How recent a login must be for changes to an account (1s to 24h).
    #[arg(long, env, default_value = "15m", value_parser = duration("1s", "24h"))]
    pub step_up_window: Duration,
}

/// From which addresses a session holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressGate {
    /// From any.
    Off,
    /// From the network of its login: /24 of IPv4, /64 of IPv6.
    Subnet,
    /// From the address of its login.
    Exact,
}

impl FromStr for AddressGate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "off" | "false" => Ok(Self::Off),
            "subnet" | "true" => Ok(Self::Subnet),
            "exact" => Ok(Self::Exact),
            _ => Err("off, subnet or exact (true means subnet, false means off)".to_owned()),
        }
    }
}

/// What happens to a request from another device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceGate {
    /// It is allowed.
    Off,
    /// It is allowed, and recorded in the audit trail.
    Warn,
    /// It is refused.
    Enforce,
}

impl Sessions {
    /// The rules between these settings.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        if self.device_binding != DeviceGate::Off && !self.device_fingerprinting {
            return Err(Invalid::new("DEVICE_BINDING", "requires DEVICE_FINGERPRINTING"));
        }
        let Some(idle) = self.idle_timeout() else { return Ok(()) };
        if idle < Duration::from_secs(1) {
            return Err(Invalid::new("SESSION_IDLE_TIMEOUT", "must be 0 or at least 1s"));
        }
        Ok(())
    }

    /// The idle limit in whole seconds, as each session keeps it; 0 for none.
    pub fn idle_timeout_s(&self) -> u32 {
        u32::try_from(self.session_idle_timeout.as_secs()).unwrap_or(u32::MAX)
    }

    /// The idle limit, if there is one.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        Some(self.session_idle_timeout).filter(|idle| !idle.is_zero())
    }
}
