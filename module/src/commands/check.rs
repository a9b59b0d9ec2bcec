//! `AUTH.CHECK`: the hot path. It only reads, so nothing is replicated and client-side caches work.

use portcullis_core::{Question, Verdict};

use crate::commands::errors::{INTEGER, NOT_READY, SYNTAX, WRONG_TYPE};
use crate::commands::token;
use crate::ledger::key::{ReadLedger, WrongType};
use crate::server::arg::Arg;
use crate::server::call::Call;
use crate::server::confirmed;
use crate::server::reply::Reply;
use crate::{config, counters};

/// `AUTH.CHECK key token|DIGEST hex64 [SESSION id] [IAT seconds | IATMS milliseconds]`
#[inline]
pub(crate) fn check(call: &Call<'_>) -> Reply {
    let Some(key) = call.arg(1) else { return Reply::WrongArity };
    if config::requires_confirm() && !confirmed::is_confirmed() {
        return counters::not_ready(NOT_READY);
    }
    let question = match parse(call) {
        Ok(question) => question,
        Err(refusal) => return counters::rejected(refusal),
    };
    let verdict = match ReadLedger::open(call, key) {
        Ok(Some(ledger)) => {
            let now = call.quick_now();
            let verdict = ledger.verdict(&question, now);
            counters::count_digest(&question, verdict, ledger.holds_unexpired_digests(now));
            verdict
        }
        Ok(None) => question.verdict_without_ledger(),
        Err(WrongType) => return counters::rejected(WRONG_TYPE),
    };
    counters::count(verdict);
    match verdict {
        Verdict::Ok => Reply::Ok,
        refusal => Reply::Simple(refusal.word()),
    }
}

#[inline]
fn parse<'a>(call: &Call<'a>) -> Result<Question<'a>, Reply> {
    let (token, mut options) = token::parse(call).ok_or(Reply::WrongArity)?;
    let mut question = Question { token, session: None, issued_ms: None };
    while let Some(option) = options.next() {
        let value = options.next().ok_or(SYNTAX)?;
        if option.is("SESSION") && question.session.is_none() {
            question.session = Some(value.bytes());
        } else if option.is("IATMS") && question.issued_ms.is_none() {
            question.issued_ms = Some(value.integer().ok_or(INTEGER)?);
        } else if option.is("IAT") && question.issued_ms.is_none() {
            question.issued_ms = Some(seconds(value).ok_or(INTEGER)?);
        } else {
            return Err(SYNTAX);
        }
    }
    Ok(question)
}

/// Whole seconds as the first millisecond of that second: when in doubt, refuse.
fn seconds(value: Arg<'_>) -> Option<i64> {
    value.integer()?.checked_mul(1000)
}
