//! Verdicts at the exact instants they speak of, and what ends.

use super::*;
use crate::{Question, TokenRef, Verdict};

pub(super) fn session(id: &str) -> Facts<'_> {
    let (created, seen, expires) = (UnixMs(10), UnixMs(10), UnixMs(1_000));
    Facts { id: id.as_bytes(), device: b"", created, seen, expires, idle_s: 0 }
}

pub(super) fn ledger_with(sessions: &[Facts<'_>]) -> Ledger {
    let mut ledger = Ledger::default();
    for facts in sessions {
        ledger.put(facts);
    }
    ledger
}

fn about(session: &str) -> Question<'_> {
    let token = TokenRef::Token(b"token");
    Question { token, session: Some(session.as_bytes()), issued_ms: None }
}

#[test]
fn a_session_is_dead_at_the_instant_it_expires() {
    let ledger = ledger_with(&[session("s1")]);
    assert_eq!(ledger.verdict(&about("s1"), UnixMs(999)), Verdict::Ok);
    assert_eq!(ledger.verdict(&about("s1"), UnixMs(1_000)), Verdict::NoSession);
}

#[test]
fn a_session_is_idle_at_the_instant_its_limit_passes() {
    let ledger = ledger_with(&[Facts { idle_s: 2, expires: UnixMs(9_000), ..session("s1") }]);
    assert_eq!(ledger.verdict(&about("s1"), UnixMs(2_009)), Verdict::Ok);
    assert_eq!(ledger.verdict(&about("s1"), UnixMs(2_010)), Verdict::Idle);
    assert_eq!(ledger.verdict(&about("s1"), UnixMs(9_000)), Verdict::NoSession);
}

#[test]
fn a_token_of_the_watermarks_instant_is_dead() {
    let mut ledger = ledger_with(&[Facts { created: UnixMs(501), ..session("s1") }]);
    ledger.raise_watermark(UnixMs(500));
    let issued = |at| Question { issued_ms: Some(at), ..about("s1") };
    for (at, verdict) in [(-1, Verdict::LoggedOut), (500, Verdict::LoggedOut), (501, Verdict::Ok)] {
        assert_eq!(ledger.verdict(&issued(at), UnixMs(600)), verdict, "issued at {at}");
    }
}

#[test]
fn a_session_begun_at_or_before_the_watermark_is_logged_out() {
    let mut ledger = ledger_with(&[
        session("s1"),
        Facts { created: UnixMs(11), ..session("s2") },
        Facts { idle_s: 1, expires: UnixMs(9_000), ..session("s3") },
    ]);
    ledger.raise_watermark(UnixMs(10));
    for (id, now, verdict) in [
        ("s1", 600, Verdict::LoggedOut),
        ("s1", 1_000, Verdict::NoSession),
        ("s2", 600, Verdict::Ok),
        ("s3", 600, Verdict::LoggedOut),
        ("s3", 2_000, Verdict::Idle),
    ] {
        assert_eq!(ledger.verdict(&about(id), UnixMs(now)), verdict, "{id} at {now}");
    }
}

#[test]
fn many_sessions_end_at_once_and_each_is_told_once() {
    let mut ledger = ledger_with(&[
        session("a"),
        Facts { idle_s: 1, ..session("b") },
        Facts { expires: UnixMs(20), ..session("c") },
        session("d"),
    ]);
    let ids = ["d", "b", "none", "c", "b"].map(str::as_bytes);
    let ended: [(&[u8], State); 3] =
        [(b"b", State::Live), (b"c", State::Expired), (b"d", State::Live)];
    assert_eq!(ledger.end(ids, UnixMs(20)), ended);
    assert_eq!(ledger.end(ids, UnixMs(20)), []);
    assert_eq!(ledger.sessions().iter().map(Session::id).collect::<Vec<_>>(), [b"a"]);
}

#[test]
fn the_session_is_asked_before_the_watermark_and_the_digest_last() {
    let mut ledger = ledger_with(&[Facts { created: UnixMs(501), ..session("s1") }]);
    ledger.raise_watermark(UnixMs(500));
    ledger.revoke(Digest::of(b"token"), UnixMs(900), UnixMs(0));
    let old = |id| Question { issued_ms: Some(1), ..about(id) };
    assert_eq!(ledger.verdict(&old("other"), UnixMs(600)), Verdict::NoSession);
    assert_eq!(ledger.verdict(&old("s1"), UnixMs(600)), Verdict::LoggedOut);
    assert_eq!(ledger.verdict(&about("s1"), UnixMs(600)), Verdict::Revoked);
    assert_eq!(ledger.verdict(&about("s1"), UnixMs(900)), Verdict::Ok);
}
