//! What a limit has left for whoever asks, and what a refusal says. How headers spell it is HTTP's
//! business.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A limit that was asked, and what it has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The limit's name.
    pub policy: &'static str,
    /// How often within the window.
    pub quota: u32,
    /// How long the window is.
    pub window: Duration,
    /// How often still.
    pub left: u32,
    /// When the window begins anew.
    pub resets_in: Duration,
}

/// What a limit has left for the client of a request, once one was asked; the answer tells it.
#[derive(Clone, Default)]
pub struct Allowance(Arc<OnceLock<Quota>>);

impl Allowance {
    /// The first limit that was asked counts.
    pub fn note(&self, quota: Quota) {
        let _ = self.0.set(quota);
    }

    /// What there is to tell.
    pub fn get(&self) -> Option<Quota> {
        self.0.get().copied()
    }
}

/// A refusal: what the limit is, and when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Rounded up, so that whoever waits as told is let in.
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
