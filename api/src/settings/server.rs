//! Where the service listens, what it writes, and whom in front of it it believes.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};

use super::browsers::{Hsts, Origin, SiteData};
use super::invalid::Invalid;
use super::values::{List, Network, duration, log_level};

/// Where the service listens, and what stands in front of it.
#[derive(Args, Clone)]
#[command(next_help_heading = "Server")]
pub struct Server {
    /// Address that the service listens on.
    #[arg(long, env, default_value = "0.0.0.0")]
    pub host: IpAddr,
    /// Port that the service listens on (0 to 65535; 0 picks a free one).
    #[arg(long, env, default_value_t = 3000)]
    pub port: u16,
    /// Address and port of the operations listener: metrics and API pages. Keep it private.
    #[arg(long, env, default_value = "127.0.0.1:9464")]
    pub ops_addr: SocketAddr,
    /// Product name shown on pages and in mails; passwords based on it are refused.
    #[arg(long, env, default_value = "Portcullis")]
    pub app_name: String,
    /// Browser origins allowed to call the API, comma separated, such as `https://app.example.com`.
    #[arg(long, env, default_value = "")]
    pub cors_origins: List<Origin>,
    /// `Strict-Transport-Security` of every answer, or `off`. Browsers obey it for the whole host, and for
    /// all hosts below it with `includeSubDomains`.
    #[arg(long, env, default_value = "max-age=63072000; includeSubDomains")]
    pub hsts: Hsts,
    /// What else a logout makes a browser clear of this host, comma separated: `cache`, `cookies`,
    /// `storage`, `executionContexts` or `*`. Our own cookies are always cleared.
    #[arg(long, env, default_value = "")]
    pub clear_site_data: List<SiteData>,
    /// Origins that `/return` may send a browser to, comma separated, beside the host that was asked and
    /// that of `FRONTEND_URL`.
    #[arg(long, env, default_value = "")]
    pub return_to: List<Origin>,
    /// Proxies whose `X-Forwarded-For` is trusted: addresses or networks, comma separated.
    #[arg(long, env, default_value = "")]
    pub trusted_proxies: List<Network>,
    /// Clients exempt from rate limits: addresses or networks, comma separated.
    #[arg(long, env, default_value = "")]
    pub trusted_ip: List<Network>,
    /// Format of the log; by default pretty on a terminal, json otherwise.
    #[arg(long, env, value_enum)]
    pub log_format: Option<LogFormat>,
    /// What is logged: `off`, `error`, `warn`, `info`, `debug` or `trace`, also per module:
    /// `info,portcullis_api=debug`.
    #[arg(long, env, default_value = "info", value_parser = log_level)]
    pub log_level: String,
    /// How long a client may take to send a request head; idle connections are closed after the same
    /// time (1s to 10m).
    #[arg(long, env, default_value = "30s", value_parser = duration("1s", "10m"))]
    pub header_timeout: Duration,
    /// How long running requests may take to finish when the service stops (0s to 10m).
    #[arg(long, env, default_value = "10s", value_parser = duration("0s", "10m"))]
    pub shutdown_grace: Duration,
    /// Hours between two cleanups (1 to 168).
    #[arg(long, env, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=168))]
    pub cleanup_interval_hours: u64,
    /// Maximum number of rows one cleanup statement deletes (1 to 10000).
    #[arg(long, env, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub cleanup_batch: u32,
    /// Days to keep sessions and their tokens after they expire (0 to 3650).
    #[arg(long, env, default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=3650))]
    pub inactive_token_days: u64,
    /// How long audit events are kept (1d to 3650d); a month goes once its last one is so old.
    #[arg(long, env, default_value = "365d", value_parser = duration("1d", "3650d"))]
    pub audit_retention: Duration,
    /// Whether `POST /login`, with its top-level token and cookie, is available for old clients.
    #[arg(long, env, default_value_t = true, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub legacy_login: bool,
}

impl Server {
    /// Refuses one place for both listeners.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let operations = self.ops_addr.ip();
        let meet =
            operations == self.host || operations.is_unspecified() || self.host.is_unspecified();
        if self.port != 0 && self.port == self.ops_addr.port() && meet {
            return Err(Invalid::new(
                "OPS_ADDR",
                "must have another port than PORT: what operators see is not for the public",
            ));
        }
        Ok(())
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Human-readable.
    Pretty,
}
