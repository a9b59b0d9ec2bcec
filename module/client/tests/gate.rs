//! What a gate makes of a verifier and a watch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use portcullis_client::{Gate, Known, Refused, Remedy, Unavailable, Verdict, Verifier, Watch};

use crate::scripted::{Fake, patient};
use crate::waiting::block_on;

/// Knows tokens of the form `subject.session`, with a lifetime and keys that a test may change.
#[derive(Clone)]
pub(crate) struct Plain(Arc<Inner>);

struct Inner {
    verified: AtomicUsize,
    keys: AtomicU64,
    /// Which keys are needed, where the present ones do not suffice without a remedy.
    needed: AtomicU64,
    lives_ms: AtomicU64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Plain {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            verified: AtomicUsize::new(0),
            keys: AtomicU64::new(1),
            needed: AtomicU64::new(1),
            lives_ms: AtomicU64::new(3_600_000),
        }))
    }

    fn verified(&self) -> usize {
        self.0.verified.load(Ordering::SeqCst)
    }
}

impl Verifier for Plain {
    type Claims = usize;
    type Refusal = Malformed;

    #[expect(clippy::disallowed_methods, reason = "verifiers go by the clock on the wall")]
    fn verify(&self, token: &str) -> Result<Known<usize>, Malformed> {
        let times = self.0.verified.fetch_add(1, Ordering::SeqCst);
        if self.0.keys.load(Ordering::SeqCst) < self.0.needed.load(Ordering::SeqCst) {
            return Err(Malformed);
        }
        let (subject, session) = token.split_once('.').ok_or(Malformed)?;
        let lives = Duration::from_millis(self.0.lives_ms.load(Ordering::SeqCst));
        Ok(Known {
            subject: subject.into(),
            session: Some(session.into()),
            issued_ms: None,
            expires: SystemTime::now() + lives,
            claims: times,
        })
    }

    fn keys(&self) -> u64 {
        self.0.keys.load(Ordering::SeqCst)
    }

    fn remedy(&self, _refusal: &Malformed) -> Option<Remedy<'_>> {
        Some(Box::pin(async {
            let needed = self.0.needed.load(Ordering::SeqCst);
            self.0.keys.store(needed, Ordering::SeqCst);
        }))
    }
}

fn gate(fake: &Fake) -> (Gate<Plain>, Plain) {
    let verifier = Plain::new();
    let watch = Watch::connect(&fake.url(), patient()).unwrap();
    (Gate::new(watch, verifier.clone()), verifier)
}

#[test]
fn a_token_is_verified_once_and_watched_from_then_on() {
    let fake = Fake::start();
    let (gate, verifier) = gate(&fake);
    for _ in 0..5 {
        let known = block_on(gate.admit("42.s")).unwrap();
        assert_eq!((&*known.subject, known.session.as_deref()), ("42", Some("s")));
    }
    assert_eq!((verifier.verified(), fake.questions()), (1, 1));
    fake.world().word = "REVOKED";
    fake.push("user:42");
    portcullis_tests::wait_until("the revocation is heard", || {
        block_on(gate.admit("42.s")).is_err()
    });
    assert_eq!(block_on(gate.admit("42.s")).unwrap_err(), Refused::Dead(Verdict::Revoked));
    // Whether it is authentic has not changed.
    assert_eq!(verifier.verified(), 1);
}

#[test]
fn what_is_not_authentic_is_never_asked_about() {
    let fake = Fake::start();
    let (gate, verifier) = gate(&fake);
    for _ in 0..3 {
        assert_eq!(block_on(gate.admit("rubbish")).unwrap_err(), Refused::Invalid(Malformed));
    }
    // Twice each: once more after the remedy.
    assert_eq!((verifier.verified(), fake.questions()), (6, 0));
}

#[test]
fn other_keys_have_every_token_verified_again() {
    let fake = Fake::start();
    let (gate, verifier) = gate(&fake);
    block_on(gate.admit("42.s")).unwrap();
    verifier.0.keys.store(2, Ordering::SeqCst);
    verifier.0.needed.store(2, Ordering::SeqCst);
    assert_eq!(block_on(gate.admit("42.s")).unwrap().claims, 1);
    assert_eq!(verifier.verified(), 2);
    // A key has gone, and only its remedy brings another.
    verifier.0.needed.store(3, Ordering::SeqCst);
    verifier.0.keys.store(0, Ordering::SeqCst);
    assert_eq!(block_on(gate.admit("42.s")).unwrap().claims, 3);
    assert_eq!(block_on(gate.admit("42.s")).unwrap().claims, 3);
}

#[test]
fn forgetting_has_tokens_verified_and_asked_about_again() {
    let fake = Fake::start();
    let (gate, verifier) = gate(&fake);
    block_on(gate.admit("42.s")).unwrap();
    gate.forget_all();
    block_on(gate.admit("42.s")).unwrap();
    assert_eq!((verifier.verified(), fake.questions()), (2, 2));
}

#[test]
fn a_token_whose_time_has_passed_here_is_verified_again_whatever_redis_thinks_the_time_is() {
    let fake = Fake::start();
    let (gate, verifier) = gate(&fake);
    // The server lives in 1970.
    verifier.0.lives_ms.store(100, Ordering::SeqCst);
    let first = block_on(gate.admit("42.s")).unwrap().claims;
    portcullis_tests::wait_until("its time has passed", || {
        block_on(gate.admit("42.s")).unwrap().claims > first
    });
}

#[test]
fn what_nobody_can_tell_is_said_to_be_that() {
    let fake = Fake::start();
    let (gate, _) = gate(&fake);
    block_on(gate.admit("42.s")).unwrap();
    fake.world().error = Some("NOTREADY not confirmed");
    portcullis_tests::wait_until("it is refused", || {
        let refused = block_on(gate.admit("42.s")).err();
        matches!(refused, Some(Refused::Unavailable(Unavailable::Doubtful(_))))
    });
}
