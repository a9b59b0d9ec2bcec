//! `AUTH.CHECK`: the hot path. It only reads, so nothing is replicated and client-side caches work.

use portcullis_core::{Question, UnixMs, Verdict};

use crate::commands::errors::{INTEGER, NOT_READY, SYNTAX, WRONG_TYPE};
use crate::commands::token;
use crate::ledger::key::{ReadLedger, WrongType};
use crate::server::arg::Arg;
use crate::server::call::Call;
use crate::server::reply::Reply;
use crate::server::{confirmed, life};
use crate::{config, counters};

/// `AUTH.CHECK key token|DIGEST hex64 [SESSION id] [IAT seconds | IATMS milliseconds] [UNTIL]`
#[inline]
pub(crate) fn check(call: &Call<'_>) -> Reply {
    let Some(key) = call.arg(1) else { return Reply::WrongArity };
    if config::requires_confirm() && !confirmed::is_confirmed() {
        return counters::not_ready(NOT_READY);
    }
    let question = match parse(call) {
        Ok((question, false)) => question,
        Ok((question, true)) => return check_until(call, key, &question),
        Err(refusal) => return counters::rejected(refusal),
    };
    let verdict = match ReadLedger::open(call, key) {
        Ok(Some(ledger)) => {
            let now = call.quick_now();
            let verdict = ledger.verdict(&question, now);
            counters::count_digest(&question, verdict, ledger.holds_unexpired_digests(now));
            verdict
        }
        Ok(None) => question.verdict_without_ledger(call.quick_now()),
        Err(WrongType) => return counters::rejected(WRONG_TYPE),
    };
    counters::count(verdict);
    word(verdict)
}

/// For whoever keeps the answer: until when it stands, what time it is, and which life of the
/// ledgers this is. The time is exact, because what is kept is kept by it: one that was read before
/// a script began would let a verdict live too long by as much.
fn check_until(call: &Call<'_>, key: Arg<'_>, question: &Question<'_>) -> Reply {
    let present = call.exact_present();
    let now = present.now;
    let standing = match ReadLedger::open(call, key) {
        Ok(Some(ledger)) => {
            let standing = ledger.standing(question, present, ledger.gone());
            let anything_revoked = ledger.holds_unexpired_digests(now);
            counters::count_digest(question, standing.verdict, anything_revoked);
            standing
        }
        Ok(None) => question.standing_without_ledger(present),
        Err(WrongType) => return counters::rejected(WRONG_TYPE),
    };
    counters::count(standing.verdict);
    // Nobody may answer once the confirmation has ended.
    let confirmed = if config::requires_confirm() { confirmed::until(now) } else { UnixMs::MAX };
    call.reply_array(4);
    call.reply(word(standing.verdict));
    call.reply(Reply::Integer(standing.until.min(confirmed).0.cast_signed()));
    call.reply(Reply::Integer(now.0.cast_signed()));
    call.reply(Reply::Integer(life::present()));
    Reply::Sent
}

#[inline]
const fn word(verdict: Verdict) -> Reply {
    match verdict {
        Verdict::Ok => Reply::Ok,
        refusal => Reply::Simple(refusal.word()),
    }
}

/// The question, and whether it is also asked until when the answer stands.
#[inline]
fn parse<'a>(call: &Call<'a>) -> Result<(Question<'a>, bool), Reply> {
    let (token, mut options) = token::parse(call).ok_or(Reply::WrongArity)?;
    let mut question = Question { token, session: None, issued_ms: None };
    let mut until = false;
    while let Some(option) = options.next() {
        if option.is("SESSION") && question.session.is_none() {
            question.session = Some(options.next().ok_or(SYNTAX)?.bytes());
        } else if option.is("IATMS") && question.issued_ms.is_none() {
            let value = options.next().ok_or(SYNTAX)?;
            question.issued_ms = Some(value.integer().ok_or(INTEGER)?);
        } else if option.is("IAT") && question.issued_ms.is_none() {
            let value = options.next().ok_or(SYNTAX)?;
            question.issued_ms = Some(seconds(value).ok_or(INTEGER)?);
        } else if option.is("UNTIL") && !until {
            until = true;
        } else {
            return Err(SYNTAX);
        }
    }
    Ok((question, until))
}

/// Whole seconds as the first millisecond of that second: when in doubt, refuse.
fn seconds(value: Arg<'_>) -> Option<i64> {
    value.integer()?.checked_mul(1000)
}
