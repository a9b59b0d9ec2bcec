//! How often one address, and one account, may try.
//!
//! The counts are shared by all instances through Redis; while Redis is away each instance counts
//! for itself, so that an outage of Redis neither stops logins nor opens the door.
//! `account.rs` holds what is particular to accounts, `address.rs` who a client is.

mod account;
mod address;
mod store;

use std::net::IpAddr;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, HeaderValue, RETRY_AFTER};

pub use account::Attempt;

use crate::clock::Clock;
use crate::config::{Limit, List, Network, Settings};
use crate::request::Client;
use account::{Accounts, Who};
use store::Store;

/// What is counted per address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Logins, successful or not.
    Login,
    /// Refreshes.
    Refresh,
    /// Logouts.
    Logout,
    /// Registrations.
    Register,
    /// What sends a mail or uses a mailed token.
    Mail,
}

impl Scope {
    const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::Logout => "logout",
            Self::Register => "register",
            Self::Mail => "mail",
        }
    }
}

/// A refusal: what the limit is, and when to come back.
#[derive(Debug, PartialEq, Eq)]
pub struct Throttled {
    /// The limit's name.
    pub policy: &'static str,
    /// How often within the window.
    pub quota: u32,
    /// How long the window is.
    pub window: Duration,
    /// When the next try can succeed.
    pub retry_after: Duration,
}

impl Throttled {
    /// `RateLimit-Policy`, `RateLimit` and `Retry-After`, with the same seconds in the last two
    /// (R-49; draft-ietf-httpapi-ratelimit-headers).
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let Self { policy, quota, window, .. } = self;
        let (window, wait) = (whole_seconds(*window), whole_seconds(self.retry_after));
        let lines = [
            (
                HeaderName::from_static("ratelimit-policy"),
                format!("\"{policy}\";q={quota};w={window}"),
            ),
            (HeaderName::from_static("ratelimit"), format!("\"{policy}\";r=0;t={wait}")),
            (RETRY_AFTER, wait.to_string()),
        ];
        lines
            .into_iter()
            .filter_map(|(name, line)| Some((name, HeaderValue::try_from(line).ok()?)))
            .collect()
    }
}

/// Rounded up, so that whoever waits as told is let in.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// Counts requests and failures.
pub struct Limits {
    store: Store,
    accounts: Accounts,
    quotas: crate::config::Limits,
    trusted_proxies: List<Network>,
    unlimited: List<Network>,
}

impl Limits {
    /// Prepares the counters; Redis need not be there yet.
    pub fn new(settings: &Settings, clock: Clock) -> redis::RedisResult<Self> {
        Ok(Self {
            store: Store::new(&settings.stores, clock)?,
            accounts: Accounts::new(settings),
            quotas: settings.limits.clone(),
            trusted_proxies: settings.server.trusted_proxies.clone(),
            unlimited: settings.server.trusted_ip.clone(),
        })
    }

    /// The client's own address, trusted proxies looked through.
    #[must_use]
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        address::of_client(&self.trusted_proxies, peer, headers)
    }

    /// Counts one request of a client, and refuses it if it is one too many.
    pub async fn take(&self, scope: Scope, client: &Client) -> Result<(), Throttled> {
        self.count(scope, client.ip).await
    }

    /// Asks for a try at an account. It counts as failed until [`Self::succeeded`] says otherwise,
    /// so that tries at the same moment count as well.
    pub async fn attempt(
        &self,
        email: &str,
        client: &Client,
        device_cookie: Option<&str>,
    ) -> Result<Attempt, Throttled> {
        let who = Who { email, ip: client.ip, device: &client.device, device_cookie };
        let attempt = self.accounts.attempt(&self.store, &who).await;
        if !address::is_in(&self.unlimited, client.ip) {
            self.accounts.admit(&self.store, &attempt).await?;
        }
        Ok(attempt)
    }

    /// Forgets the failures before a successful login and remembers the device.
    pub async fn succeeded(&self, attempt: &Attempt) {
        self.accounts.succeeded(&self.store, attempt).await;
    }

    /// Forgets what strangers did to an account whose owner has just proven themselves by mail.
    pub async fn forgive(&self, email: &str) {
        self.accounts.forgive(&self.store, email).await;
    }

    /// The value of the cookie by which a device is known again.
    #[must_use]
    pub fn device_cookie(&self, email: &str, nonce: [u8; 16]) -> String {
        self.accounts.cookie(email, nonce)
    }

    async fn count(&self, scope: Scope, ip: IpAddr) -> Result<(), Throttled> {
        let limit = match scope {
            Scope::Login => self.quotas.rate_limit_login,
            Scope::Refresh => self.quotas.rate_limit_refresh,
            Scope::Logout => self.quotas.rate_limit_logout,
            Scope::Register => self.quotas.rate_limit_register,
            Scope::Mail => self.quotas.rate_limit_mail,
        };
        let Limit::Quota { quota, window } = limit else { return Ok(()) };
        if address::is_in(&self.unlimited, ip) {
            return Ok(());
        }
        let policy = scope.name();
        let counted = self.store.add(&format!("{policy}:{}", address::prefix(ip)), window).await;
        if counted.count <= quota {
            return Ok(());
        }
        Err(Throttled { policy, quota, window, retry_after: counted.resets_in })
    }
}

#[cfg(test)]
mod tests;
