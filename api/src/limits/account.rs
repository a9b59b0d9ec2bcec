//! Failed logins of one account: each costs a longer wait, and no stranger can make the owner wait.
//!
//! Devices that have logged in before are known, by their cookie or by their network and browser,
//! and each has a count of its own. All strangers share one. So whoever guesses from elsewhere uses
//! up the strangers' tries and nobody else's (R-47, BUG-17):
//!
//!     free tries, then 1 s, 2 s, 4 s … up to the longest wait; at the most failures a day: closed
//!
//! A try counts when it is let in, before the password is looked at; a success takes it all back.
//! A refused try does not count, or refusals would feed themselves.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;
use portcullis_core::Digest;

use super::address;
use super::store::Counts;
use crate::base::allowance::Throttled;
use crate::base::device::Device;
use crate::settings::Settings;
use crate::tokens::derived::Derived;

/// How long failures are remembered after the first of them.
const MEMORY: Duration = Duration::from_hours(24);
/// How long a network and browser are known after a login.
const KNOWN: Duration = Duration::from_hours(24 * 90);
const NONCE: usize = 16;

/// Whose password is tried, from where.
pub(super) struct Who<'a> {
    pub(super) email: &'a str,
    pub(super) ip: IpAddr,
    pub(super) device: &'a Device,
    /// The device that has proven itself, or the session of whoever is logged in.
    pub(super) known_as: Option<&'a str>,
}

/// A try at an account that was let in.
pub struct Attempt {
    failures: String,
    gate: String,
    seen: String,
    /// How long the gate stays shut.
    shut: Option<Duration>,
}

pub(super) struct AccountLimits {
    cookie_keys: Derived,
    free: u32,
    most: u32,
    longest: Duration,
}

impl AccountLimits {
    pub(super) fn new(settings: &Settings) -> Self {
        let limits = &settings.limits;
        Self {
            cookie_keys: Derived::new(
                &settings.tokens.refresh_secrets(),
                b"portcullis device cookie",
            ),
            free: limits.account_free_failures,
            most: limits.account_max_failures,
            longest: limits.account_max_delay,
        }
    }

    /// Finds out whose count a try belongs to, and whether more may be tried, in one question.
    pub(super) async fn attempt(&self, store: &Counts, who: &Who<'_>) -> Attempt {
        let account = short(who.email.as_bytes());
        let place = [address::prefix(who.ip).to_string(), who.device.fingerprint.clone()].join(" ");
        let place = short(place.as_bytes());
        let seen = key(&account, &["seen", &place]);
        if let Some(known) = who.known_as {
            let [failures, gate] = keys(&account, &short(known.as_bytes()));
            let [shut] = store.remaining([&gate]).await;
            return Attempt { failures, gate, seen, shut };
        }
        let (own, strangers) = (keys(&account, &place), keys(&account, STRANGERS));
        let [is_seen, own_shut, strangers_shut] =
            store.remaining([&seen, &own[1], &strangers[1]]).await;
        let ([failures, gate], shut) =
            if is_seen.is_some() { (own, own_shut) } else { (strangers, strangers_shut) };
        Attempt { failures, gate, seen, shut }
    }

    /// Lets a try in and counts it, or tells when the next may come.
    pub(super) async fn admit(&self, store: &Counts, attempt: &Attempt) -> Result<(), Throttled> {
        if let Some(wait) = attempt.shut {
            return Err(self.throttled(wait));
        }
        let counted = store.add(&attempt.failures, MEMORY).await;
        let delay = self.delay(counted.count);
        if delay.is_zero() {
            return Ok(());
        }
        // Of several tries at this moment the gate lets one in.
        let wait = if counted.count > self.most {
            Some(counted.resets_in)
        } else {
            let gate = store.add(&attempt.gate, delay).await;
            Some(gate.resets_in).filter(|_| gate.count > 1)
        };
        let Some(wait) = wait else { return Ok(()) };
        store.take_back(&attempt.failures, MEMORY).await;
        Err(self.throttled(wait))
    }

    pub(super) async fn withdraw(&self, store: &Counts, attempt: &Attempt) {
        store.take_back(&attempt.failures, MEMORY).await;
    }

    pub(super) async fn succeeded(&self, store: &Counts, attempt: &Attempt) {
        let forgotten = [attempt.failures.as_str(), attempt.gate.as_str()];
        tokio::join!(store.forget(&forgotten), store.add(&attempt.seen, KNOWN));
    }

    pub(super) async fn forgive(&self, store: &Counts, email: &str) {
        let [failures, gate] = keys(&short(email.as_bytes()), STRANGERS);
        store.forget(&[&failures, &gate]).await;
    }

    /// `nonce.mac`: says "this device has logged in to that account", and nothing to anybody else.
    pub(super) fn cookie(&self, email: &str, nonce: [u8; NONCE]) -> String {
        let mac = self.cookie_keys.signing().chain_update(nonce).chain_update(email);
        let mac = mac.finalize().into_bytes();
        [URL_SAFE_NO_PAD.encode(nonce), URL_SAFE_NO_PAD.encode(mac)].join(".")
    }

    pub(super) fn knows(&self, email: &str, cookie: &str) -> bool {
        let Some((nonce, mac)) = cookie.split_once('.').filter(|_| cookie.len() <= 128) else {
            return false;
        };
        match (URL_SAFE_NO_PAD.decode(nonce), URL_SAFE_NO_PAD.decode(mac)) {
            (Ok(nonce), Ok(mac)) if nonce.len() == NONCE => {
                self.cookie_keys.made(&[&nonce, email.as_bytes()].concat(), &mac)
            }
            _ => false,
        }
    }

    /// How long the next try must wait after this many.
    fn delay(&self, failures: u32) -> Duration {
        match failures.checked_sub(self.free) {
            None | Some(0) => Duration::ZERO,
            Some(beyond) => Duration::from_secs(1_u64.checked_shl(beyond - 1).unwrap_or(u64::MAX))
                .min(self.longest),
        }
    }

    const fn throttled(&self, retry_after: Duration) -> Throttled {
        Throttled { policy: "account", quota: self.most, window: MEMORY, retry_after }
    }
}

const STRANGERS: &str = "strangers";

fn keys(account: &str, bucket: &str) -> [String; 2] {
    ["failures", "gate"].map(|kind| key(account, &[bucket, kind]))
}

/// The braces keep all that is known of an account in one slot of a cluster.
fn key(account: &str, rest: &[&str]) -> String {
    format!("account:{{{account}}}:{}", rest.join(":"))
}

/// 128 bits of a digest: no address and no cookie stands in Redis.
pub(super) fn short(text: &[u8]) -> String {
    Digest::of(text).to_hex().iter().take(32).map(|digit| char::from(*digit)).collect()
}
