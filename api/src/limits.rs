//! How often one address, and one account, may try.
//!
//! The counts are shared by all instances through Redis; while Redis is away each instance counts
//! for itself, so that an outage of Redis neither stops logins nor opens the door.
//! `account.rs` holds what is particular to accounts.
//!
//! May use `base`, `settings`, `tokens`, `metrics` and the lines of `ledger`. Knows no axum.

mod account;
mod address;
mod store;

use std::net::IpAddr;

pub use account::Attempt;

use crate::base::allowance::{Quota, Throttled};
use crate::base::client::Client;
use crate::base::clock::Clock;
use crate::settings::{Limit, List, Network, Settings};
use account::{AccountLimits, Who};
use store::Counts;

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

/// Counts requests and failures.
pub struct Limiter {
    store: Counts,
    accounts: AccountLimits,
    quotas: crate::settings::Limits,
    unlimited: List<Network>,
}

impl Limiter {
    /// Prepares the counters; Redis need not be there yet.
    pub fn new(settings: &Settings, clock: Clock) -> redis::RedisResult<Self> {
        Ok(Self {
            store: Counts::new(&settings.stores, clock)?,
            accounts: AccountLimits::new(settings),
            quotas: settings.limits.clone(),
            unlimited: settings.server.trusted_ip.clone(),
        })
    }

    /// Counts one request of a client, and refuses it if it is one too many.
    pub async fn take(&self, scope: Scope, client: &Client) -> Result<(), Throttled> {
        if let Some(quota) = self.count(scope, client.ip).await? {
            client.allowance.note(quota);
        }
        Ok(())
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
        if !self.unlimited.cover(client.ip) {
            self.accounts.admit(&self.store, &attempt).await?;
        }
        Ok(attempt)
    }

    /// Passes on what a check said, and takes the try back if that is nothing: an outage is not the
    /// caller's failure.
    pub async fn outcome<T, E>(
        &self,
        attempt: &Attempt,
        client: &Client,
        checked: Result<T, E>,
    ) -> Result<T, E> {
        if checked.is_err() && !self.unlimited.cover(client.ip) {
            self.accounts.withdraw(&self.store, attempt).await;
        }
        checked
    }

    /// Forgets the failures before a successful login and remembers the device.
    pub async fn succeeded(&self, attempt: &Attempt) {
        self.accounts.succeeded(&self.store, attempt).await;
    }

    /// Forgets what strangers did to an account whose owner has just proven themselves by mail.
    pub async fn forgive(&self, email: &str) {
        self.accounts.forgive(&self.store, email).await;
    }

    /// Whether the cookie says that this device has logged in to the account before.
    #[must_use]
    pub fn knows(&self, email: &str, device_cookie: Option<&str>) -> bool {
        device_cookie.is_some_and(|cookie| self.accounts.knows(email, cookie))
    }

    /// The value of the cookie by which a device is known again.
    #[must_use]
    pub fn device_cookie(&self, email: &str, nonce: [u8; 16]) -> String {
        self.accounts.cookie(email, nonce)
    }

    /// Tells what is left, if the client is limited at all.
    async fn count(&self, scope: Scope, ip: IpAddr) -> Result<Option<Quota>, Throttled> {
        let limit = match scope {
            Scope::Login => self.quotas.rate_limit_login,
            Scope::Refresh => self.quotas.rate_limit_refresh,
            Scope::Logout => self.quotas.rate_limit_logout,
            Scope::Register => self.quotas.rate_limit_register,
            Scope::Mail => self.quotas.rate_limit_mail,
        };
        let Limit::Quota { quota, window } = limit else { return Ok(None) };
        if self.unlimited.cover(ip) {
            return Ok(None);
        }
        let policy = scope.name();
        let counted = self.store.add(&format!("{policy}:{}", address::prefix(ip)), window).await;
        if let Some(left) = quota.checked_sub(counted.count) {
            return Ok(Some(Quota { policy, quota, window, left, resets_in: counted.resets_in }));
        }
        Err(Throttled { policy, quota, window, retry_after: counted.resets_in })
    }
}

#[cfg(test)]
mod tests;
