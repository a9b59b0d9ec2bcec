//! How often one address, and one account, may try.
//!
//! The counts are shared by all instances through Redis; while Redis is away each instance counts
//! for itself, so that an outage of Redis neither stops logins nor opens the door.
//! `account.rs` holds what is particular to accounts, which are counted by the canonical form of their
//! address, so that another spelling is not another account.
//!
//! May use `base`, `settings`, `tokens`, `metrics` and the lines of `ledger`. Knows no axum.

mod account;
mod address;
mod alone;
mod counted;
mod exhausted;
mod scope;
mod store;

use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::SemaphorePermit;

pub use account::Attempt;
pub use scope::Scope;

use crate::base::allowance::{Quota, Throttled};
use crate::base::client::Client;
use crate::base::clock::Clock;
use crate::base::email_address::Spellings;
use crate::base::error::Error;
use crate::base::log_targets as log;
use crate::base::session_id::SessionId;
use crate::ledger::ledgers::Ledgers;
use crate::settings::{Limit, List, Network, Settings};
use crate::tokens::secret::EmailToken;
use account::{AccountLimits, Who};
use counted::Counted;
use exhausted::Exhausted;
use store::Counts;

/// Counts requests and failures.
pub struct Limiter {
    store: Counts,
    accounts: AccountLimits,
    exhausted: Exhausted,
    quotas: crate::settings::Limits,
    unlimited: List<Network>,
}

impl Limiter {
    /// Prepares the counters; Redis need not be there yet.
    pub fn new(settings: &Settings, redis: Ledgers, clock: Clock) -> Self {
        Self {
            store: Counts::new(redis, clock.clone()),
            accounts: AccountLimits::new(settings),
            exhausted: Exhausted::new(clock),
            quotas: settings.limits.clone(),
            unlimited: settings.server.trusted_ip.clone(),
        }
    }

    /// Counts one request of a client, and refuses it if it is one too many.
    pub async fn take(&self, scope: Scope, client: &Client) -> Result<(), Throttled> {
        if let Some(quota) = self.count(scope, client.ip).await? {
            client.allowance.note(quota);
        }
        Ok(())
    }

    /// Counts one request for the session that it belongs to: whoever shares an address with others
    /// takes nothing from them, nor they from whoever holds a token (F-16).
    pub async fn take_in_session(
        &self,
        scope: Scope,
        client: &Client,
        session: &SessionId,
    ) -> Result<(), Throttled> {
        let Some(rule) = self.rule(scope, client.ip) else { return Ok(()) };
        let key =
            format!("{}:session:{}", rule.policy, account::short(session.as_str().as_bytes()));
        let counted = self.store.add(&key, rule.window).await;
        client.allowance.note(rule.judge(counted)?);
        Ok(())
    }

    /// Counts a token that nobody here gave out; what its sender is told: what the token deserves, or
    /// to come back later. A token that somebody holds is never counted so: an ending must not be
    /// refused (F-16).
    pub async fn unknown(&self, scope: Scope, client: &Client, refusal: Error) -> Error {
        self.take(scope, client).await.err().map_or(refusal, Error::from)
    }

    /// Waits for a turn to look a token up, if its sender has sent too many unknown ones: it may be
    /// somebody's all the same, but whoever floods us must not flood MySQL.
    pub async fn turn(&self, scope: Scope, client: &Client) -> Option<SemaphorePermit<'_>> {
        let rule = self.rule(scope, client.ip)?;
        let is_alone_exhausted = || {
            address::networks(client.ip).any(|(network, times)| {
                self.store.counted_alone(&rule.key_of(network)) > rule.times(times).quota
            })
        };
        let is_exhausted = self.rest(rule, client.ip).is_some() || is_alone_exhausted();
        if is_exhausted { self.exhausted.turn().await } else { None }
    }

    /// Has the answer tell what the client has left, where nothing is counted.
    pub async fn tell(&self, scope: Scope, client: &Client) {
        let Some(rule) = self.rule(scope, client.ip) else { return };
        let Counted { count, resets_in, .. } = self.store.standing(&rule.key(client.ip)).await;
        let resets_in = if count == 0 { rule.window } else { resets_in };
        let left = rule.quota.saturating_sub(count);
        client.allowance.note(Quota { left, resets_in, ..rule.untouched() });
    }

    /// Asks for a try at an account. It counts as failed until [`Self::succeeded`] says otherwise,
    /// so that tries at the same moment count as well.
    pub async fn attempt(
        &self,
        email: &str,
        client: &Client,
        device_cookie: Option<&str>,
    ) -> Result<Attempt, Throttled> {
        let email = &Spellings::of(email).canonical;
        let known_as = device_cookie.filter(|cookie| self.accounts.knows(email, cookie));
        self.attempt_as(email, client, known_as).await
    }

    /// The same of somebody who is logged in already: no stranger's failures count against them.
    pub async fn attempt_in_session(
        &self,
        email: &str,
        client: &Client,
        session: &SessionId,
    ) -> Result<Attempt, Throttled> {
        self.attempt_as(&Spellings::of(email).canonical, client, Some(session.as_str())).await
    }

    /// The same of somebody who shows a link that was mailed to the account.
    pub async fn attempt_with_link(
        &self,
        email: &str,
        client: &Client,
        link: &EmailToken,
    ) -> Result<Attempt, Throttled> {
        let digest = link.digest().to_hex();
        let known_as = std::str::from_utf8(&digest).ok();
        self.attempt_as(&Spellings::of(email).canonical, client, known_as).await
    }

    async fn attempt_as(
        &self,
        email: &str,
        client: &Client,
        known_as: Option<&str>,
    ) -> Result<Attempt, Throttled> {
        let who = Who { email, ip: client.ip, device: &client.device, known_as };
        let attempt = self.accounts.attempt(&self.store, &who).await;
        if !self.unlimited.cover(who.ip) {
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
        self.accounts.forgive(&self.store, &Spellings::of(email).canonical).await;
    }

    /// Whether the cookie says that this device has logged in to the account before.
    #[must_use]
    pub fn knows(&self, email: &str, device_cookie: Option<&str>) -> bool {
        let email = Spellings::of(email).canonical;
        device_cookie.is_some_and(|cookie| self.accounts.knows(&email, cookie))
    }

    /// The value of the cookie by which a device is known again.
    #[must_use]
    pub fn device_cookie(&self, email: &str, nonce: [u8; 16]) -> String {
        self.accounts.cookie(&Spellings::of(email).canonical, nonce)
    }

    /// Tells what is left, if the client is limited at all. Each network counts only what the
    /// narrower ones have let in, so that nobody uses up what neighbours share.
    async fn count(&self, scope: Scope, ip: IpAddr) -> Result<Option<Quota>, Throttled> {
        let Some(rule) = self.rule(scope, ip) else { return Ok(None) };
        if let Some((rule, rest)) = self.rest(rule, ip) {
            return Err(rule.refusal(rest));
        }
        let mut tightest: Option<Quota> = None;
        for (network, times) in address::networks(ip) {
            let (rule, key) = (rule.times(times), rule.key_of(network));
            let counted = self.store.add(&key, rule.window).await;
            let standing = match rule.judge(counted) {
                Ok(standing) => standing,
                // What was counted while Redis was away is worth nothing once it is back.
                Err(refusal) if !counted.is_shared => return Err(refusal),
                Err(refusal) => {
                    self.exhausted.note(key, refusal.retry_after);
                    return Err(refusal);
                }
            };
            if tightest.is_none_or(|tightest| standing.left < tightest.left) {
                tightest = Some(standing);
            }
        }
        Ok(tightest)
    }

    /// What is known to be used up of where this address is counted, and for how long.
    fn rest(&self, rule: Rule, ip: IpAddr) -> Option<(Rule, Duration)> {
        address::networks(ip).find_map(|(network, times)| {
            let rest = self.exhausted.rest(&rule.key_of(network))?;
            Some((rule.times(times), rest))
        })
    }

    /// What holds for an address, if anything does.
    fn rule(&self, scope: Scope, ip: IpAddr) -> Option<Rule> {
        let limit = match scope {
            Scope::Login => self.quotas.rate_limit_login,
            Scope::Refresh => self.quotas.rate_limit_refresh,
            Scope::Logout => self.quotas.rate_limit_logout,
            Scope::Register => self.quotas.rate_limit_register,
            Scope::Mail => self.quotas.rate_limit_mail,
            Scope::Client => self.quotas.rate_limit_client,
        };
        let Limit::Quota { quota, window } = limit else { return None };
        (!self.unlimited.cover(ip)).then_some(Rule { policy: scope.name(), quota, window })
    }
}

/// How often something may be done.
#[derive(Clone, Copy)]
struct Rule {
    policy: &'static str,
    quota: u32,
    window: Duration,
}

impl Rule {
    const fn times(self, times: u32) -> Self {
        Self { quota: self.quota.saturating_mul(times), ..self }
    }

    fn key(self, ip: IpAddr) -> String {
        self.key_of(address::prefix(ip))
    }

    fn key_of(self, network: ipnet::IpNet) -> String {
        format!("{}:{network}", self.policy)
    }

    const fn untouched(self) -> Quota {
        let Self { policy, quota, window } = self;
        Quota { policy, quota, window, left: quota, resets_in: window }
    }

    const fn refusal(self, retry_after: Duration) -> Throttled {
        let Self { policy, quota, window } = self;
        Throttled { policy, quota, window, retry_after }
    }

    /// What is left after this was counted, if it was not one too many.
    fn judge(self, Counted { count, resets_in, .. }: Counted) -> Result<Quota, Throttled> {
        let left = self.quota.checked_sub(count).ok_or_else(|| {
            tracing::debug!(target: log::LIMIT, policy = self.policy, count, "one too many");
            self.refusal(resets_in)
        })?;
        Ok(Quota { left, resets_in, ..self.untouched() })
    }
}

#[cfg(test)]
mod tests;
