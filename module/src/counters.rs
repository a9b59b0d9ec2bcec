//! What is counted since this server started. Here is only the counting; `info.rs` shows it.
//!
//! May use `server`, and knows nobody who counts.

use core::ffi::CStr;
use core::sync::atomic::{AtomicU64, Ordering};

use portcullis_core::{Question, TokenRef, Verdict};

use crate::server::reply::Reply;

/// A number that only grows. Only the main thread writes it, so no locked instruction is needed.
pub(crate) struct Counter {
    name: &'static CStr,
    value: AtomicU64,
}

static CHECKS_OK: Counter = Counter::new(c"checks_ok");
static CHECKS_NO_SESSION: Counter = Counter::new(c"checks_no_session");
static CHECKS_IDLE: Counter = Counter::new(c"checks_idle");
static CHECKS_LOGGED_OUT: Counter = Counter::new(c"checks_logged_out");
static CHECKS_REVOKED: Counter = Counter::new(c"checks_revoked");
/// Tokens newly revoked.
pub(crate) static REVOCATIONS: Counter = Counter::new(c"revocations");
/// Sessions begun; one that is prolonged counts once.
pub(crate) static SESSIONS_CREATED: Counter = Counter::new(c"sessions_created");
/// Sessions ended to make room for another.
pub(crate) static SESSIONS_EVICTED: Counter = Counter::new(c"sessions_evicted");
/// Live sessions ended by `REVOKE` or `REVOKEALL`.
pub(crate) static SESSIONS_REVOKED: Counter = Counter::new(c"sessions_revoked");
/// Expired sessions met and dropped while writing.
pub(crate) static SESSIONS_EXPIRED_SEEN: Counter = Counter::new(c"sessions_expired_seen");
/// SHA-256 computations; a check needs none while nothing of its subject is revoked.
pub(crate) static DIGESTS_COMPUTED: Counter = Counter::new(c"digests_computed");
/// Checks that nobody may answer before `AUTH.CONFIRM`.
static CHECKS_NOT_READY: Counter = Counter::new(c"checks_not_ready");
/// Beginnings refused because what their sender knew may have been out of date.
pub(crate) static FENCE_STALE: Counter = Counter::new(c"fence_stale");
/// Ledgers that came from a server for which nobody vouched.
pub(crate) static LEDGERS_UNCONFIRMED: Counter = Counter::new(c"ledgers_unconfirmed");
static REJECTED_ARGUMENTS: Counter = Counter::new(c"rejected_arguments");

static ALL: [&Counter; 15] = [
    &CHECKS_OK,
    &CHECKS_NO_SESSION,
    &CHECKS_IDLE,
    &CHECKS_LOGGED_OUT,
    &CHECKS_REVOKED,
    &CHECKS_NOT_READY,
    &REVOCATIONS,
    &SESSIONS_CREATED,
    &SESSIONS_EVICTED,
    &SESSIONS_REVOKED,
    &SESSIONS_EXPIRED_SEEN,
    &DIGESTS_COMPUTED,
    &FENCE_STALE,
    &LEDGERS_UNCONFIRMED,
    &REJECTED_ARGUMENTS,
];

impl Counter {
    const fn new(name: &'static CStr) -> Self {
        Self { name, value: AtomicU64::new(0) }
    }

    #[inline]
    pub(crate) fn add(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(0);
        let value = self.value.load(Ordering::Relaxed).wrapping_add(count);
        self.value.store(value, Ordering::Relaxed);
    }
}

/// Counts a verdict.
#[inline]
pub(crate) fn count(verdict: Verdict) {
    let counter = match verdict {
        Verdict::Ok => &CHECKS_OK,
        Verdict::NoSession => &CHECKS_NO_SESSION,
        Verdict::Idle => &CHECKS_IDLE,
        Verdict::LoggedOut => &CHECKS_LOGGED_OUT,
        Verdict::Revoked => &CHECKS_REVOKED,
    };
    counter.add(1);
}

/// Counts the digest of a check: made only if a verdict got that far and anything is revoked.
#[inline]
pub(crate) fn count_digest(question: &Question<'_>, verdict: Verdict, anything_revoked: bool) {
    let got_there = matches!(verdict, Verdict::Ok | Verdict::Revoked);
    if anything_revoked && got_there && matches!(question.token, TokenRef::Token(_)) {
        DIGESTS_COMPUTED.add(1);
    }
}

/// Counts a check that had to go unanswered.
#[cold]
pub(crate) fn not_ready(refusal: Reply) -> Reply {
    CHECKS_NOT_READY.add(1);
    refusal
}

/// Counts a refusal and passes it on.
#[cold]
pub(crate) fn rejected(refusal: Reply) -> Reply {
    REJECTED_ARGUMENTS.add(1);
    refusal
}

/// Every counter, by name.
pub(crate) fn all() -> impl Iterator<Item = (&'static CStr, u64)> {
    ALL.iter().map(|counter| (counter.name, counter.value.load(Ordering::Relaxed)))
}
