//! Until when a verdict stands: each bound by itself, and all of them against every instant.

use proptest::prelude::*;

use super::*;
use crate::ledger::tests::{ledger_with, session};
use crate::{Digest, Facts, Present, TokenRef};

const TOKENS: [&[u8]; 3] = [b"t0", b"t1", b"t2"];

fn ask(session: Option<&'static str>, issued_ms: Option<i64>) -> Question<'static> {
    let token = TokenRef::Token(TOKENS[0]);
    Question { token, session: session.map(str::as_bytes), issued_ms }
}

/// What is answered at an instant, by a ledger that is gone from another one on.
fn verdict_at(ledger: &Ledger, question: &Question<'_>, gone: UnixMs, now: Present) -> Verdict {
    if now.now < gone {
        ledger.verdict(question, now)
    } else {
        question.verdict_without_ledger(now)
    }
}

fn until(ledger: &Ledger, question: &Question<'_>, now: u64, gone: u64) -> (Verdict, u64) {
    let standing = ledger.standing(question, UnixMs(now), UnixMs(gone));
    (standing.verdict, standing.until.0)
}

#[test]
fn a_good_token_is_good_until_the_first_end_of_session_idle_limit_and_key() {
    let late = Facts { expires: UnixMs(9_000), ..session("s") };
    let ledger = ledger_with(&[late, Facts { id: b"idle", idle_s: 2, ..late }]);
    for (id, gone, ends) in
        [("s", 10_000, 9_000), ("s", 8_000, 8_000), ("idle", 10_000, 2_010), ("idle", 500, 500)]
    {
        assert_eq!(until(&ledger, &ask(Some(id), None), 100, gone), (Verdict::Ok, ends), "{id}");
    }
    assert_eq!(until(&ledger, &ask(None, None), 100, 10_000), (Verdict::Ok, 10_000));
    assert_eq!(until(&ledger, &ask(None, None), 100, u64::MAX), (Verdict::Ok, UnixMs::MAX.0));
}

#[test]
fn a_revoked_token_is_revoked_until_its_own_revocation_ends_and_not_that_of_others() {
    let mut ledger = ledger_with(&[session("s")]);
    for (token, expires) in TOKENS.iter().zip([300, 5_000, 700]) {
        ledger.revoke(Digest::of(token), UnixMs(expires), UnixMs(0));
    }
    assert_eq!(until(&ledger, &ask(None, None), 100, 9_000), (Verdict::Revoked, 300));
    assert_eq!(until(&ledger, &ask(Some("s"), None), 100, 9_000), (Verdict::Revoked, 300));
    let other = Question { token: TokenRef::Token(TOKENS[1]), ..ask(Some("s"), None) };
    assert_eq!(until(&ledger, &other, 100, 9_000), (Verdict::Revoked, 1_000), "the session ends");
    let no_session = Question { token: TokenRef::Token(TOKENS[1]), ..ask(None, None) };
    assert_eq!(until(&ledger, &no_session, 100, 2_000), (Verdict::Revoked, 2_000), "the key goes");
}

#[test]
fn a_logout_stands_until_the_session_or_the_key_is_gone() {
    let mut ledger = ledger_with(&[Facts { idle_s: 1, expires: UnixMs(5_000), ..session("s") }]);
    ledger.raise_watermark(UnixMs(20));
    let (ended, gone) = (Verdict::LoggedOut, 9_000);
    assert_eq!(until(&ledger, &ask(Some("s"), None), 100, gone), (ended, 1_010));
    assert_eq!(until(&ledger, &ask(None, Some(20)), 100, gone), (ended, gone));
    assert_eq!(until(&ledger, &ask(None, Some(21)), 100, gone), (Verdict::Ok, gone));
}

#[test]
fn what_only_a_write_changes_stands_for_ever() {
    let ledger = ledger_with(&[Facts { idle_s: 1, expires: UnixMs(5_000), ..session("s") }]);
    let ever = UnixMs::MAX.0;
    assert_eq!(until(&ledger, &ask(Some("none"), None), 100, 5_000), (Verdict::NoSession, ever));
    assert_eq!(until(&ledger, &ask(Some("s"), None), 4_999, 5_000), (Verdict::Idle, ever));
    let without = |question: Question<'_>| question.standing_without_ledger(UnixMs(0));
    let (verdict, until) = (Verdict::NoSession, UnixMs::MAX);
    assert_eq!(without(ask(Some("s"), None)), Standing { verdict, until });
    assert_eq!(without(ask(None, Some(1))), Standing { verdict: Verdict::Ok, until });
}

#[test]
fn what_everybody_began_until_an_instant_is_dead_with_a_ledger_and_without() {
    let begun = |id, at| Facts { created: UnixMs(at), expires: UnixMs(5_000), ..session(id) };
    let mut ledger = ledger_with(&[begun("old", 20), begun("new", 21)]);
    let at = |watermark| Present { now: UnixMs(100), watermark: UnixMs(watermark) };
    for (question, verdict) in [
        (ask(Some("old"), None), Verdict::LoggedOut),
        (ask(Some("new"), None), Verdict::Ok),
        (ask(Some("new"), Some(20)), Verdict::LoggedOut),
        (ask(None, Some(-1)), Verdict::LoggedOut),
        (ask(None, Some(21)), Verdict::Ok),
        (ask(None, None), Verdict::Ok),
    ] {
        assert_eq!(ledger.verdict(&question, at(20)), verdict);
        if question.session.is_none() {
            assert_eq!(question.verdict_without_ledger(at(20)), verdict);
        }
        let spared = if question.issued_ms == Some(-1) { Verdict::LoggedOut } else { Verdict::Ok };
        assert_eq!(ledger.verdict(&question, at(1)), spared, "an earlier one");
        assert_eq!(ledger.verdict(&question, at(0)), Verdict::Ok, "none");
    }
    assert_eq!(ask(Some("s"), Some(1)).verdict_without_ledger(at(20)), Verdict::NoSession);
    // The later one of both counts.
    ledger.raise_watermark(UnixMs(21));
    assert_eq!(ledger.verdict(&ask(Some("new"), None), at(20)), Verdict::LoggedOut);
}

prop_compose! {
    fn any_ledger()(
        sessions in prop::collection::vec((0..40_u64, 0..40_u64, 0..60_u64, 0..3_u32), 0..3),
        revoked in prop::collection::vec((0..3_usize, 1..60_u64), 0..4),
        watermark in 0..40_u64,
    ) -> Ledger {
        let mut ledger = Ledger::default();
        // Coarse, so that instants often coincide.
        let at = |tick: u64| UnixMs(tick * 100);
        for (id, (created, seen, expires, idle_s)) in ["a", "b"].into_iter().zip(sessions) {
            let (created, seen, expires) = (at(created), at(seen), at(expires));
            ledger.put(&Facts { created, seen, expires, idle_s, ..session(id) });
        }
        for (token, expires) in revoked {
            ledger.revoke(Digest::of(TOKENS[token]), at(expires), UnixMs(0));
        }
        ledger.raise_watermark(at(watermark));
        ledger
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// The rule itself. The one liberty: who is idle may hear later that the session is unknown.
    #[test]
    fn a_verdict_stands_at_every_instant_before_its_end_and_not_at_it(
        ledger in any_ledger(),
        id in prop::option::of(prop::sample::select(vec!["a", "b", "c"])),
        issued_ms in prop::option::of(-100..5_000_i64),
        token in prop::sample::select(TOKENS.to_vec()),
        now in 0..6_000_u64,
        everybody in 0..40_u64,
        left in prop::option::of(1..6_000_u64),
    ) {
        let question = Question { token: TokenRef::Token(token), ..ask(id, issued_ms) };
        let gone = left.map_or(UnixMs::MAX, |left| UnixMs(now + left));
        let watermark = UnixMs(everybody.saturating_sub(20) * 100);
        let at = |now| Present { now, watermark };
        let Standing { verdict, until } = ledger.standing(&question, at(UnixMs(now)), gone);
        prop_assert_eq!(verdict, ledger.verdict(&question, at(UnixMs(now))), "the plain answer");
        prop_assert!(until > UnixMs(now));
        // Everything happens at a whole tick, or is the end of the key.
        let ticks = (0..100).flat_map(|tick: u64| [tick * 100, tick * 100 + 99]).map(UnixMs);
        let last = UnixMs(until.0 - 1);
        for then_at in ticks.chain([last]).filter(|at| UnixMs(now) <= *at && *at < until) {
            let then = verdict_at(&ledger, &question, gone, at(then_at));
            let is_same = then == verdict
                || (verdict, then) == (Verdict::Idle, Verdict::NoSession);
            prop_assert!(is_same, "{:?} is {:?} at {:?} of {:?}", verdict, then, then_at, until);
        }
        // Not a moment too early either, but for a key that goes and had nothing else to say.
        if until < UnixMs::MAX && question.verdict_without_ledger(at(until)) != verdict {
            prop_assert_ne!(verdict_at(&ledger, &question, gone, at(until)), verdict);
        }
    }
}
