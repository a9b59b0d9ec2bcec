//! `AUTH.SESSION REVOKE` and `REVOKEALL`: ends some sessions, or everything issued until now.

use portcullis_core::{Session, State, UnixMs};

use crate::commands::errors::{AT, INTEGER, SYNTAX, WRONG_TYPE};
use crate::commands::session::options::set_once;
use crate::counters;
use crate::ledger::effect::Effect;
use crate::ledger::endings;
use crate::ledger::key::WriteLedger;
use crate::server::arg::Arg;
use crate::server::call::Call;
use crate::server::reply::Reply;

/// `AUTH.SESSION REVOKE key id [id …]`
pub(crate) fn revoke(call: &Call<'_>) -> Reply {
    let (Some(key), Some(_)) = (call.arg(2), call.arg(3)) else { return Reply::WrongArity };
    let present = call.present();
    let Ok(mut ledger) = WriteLedger::open(call, key) else {
        return counters::rejected(WRONG_TYPE);
    };

    let is_replay = call.is_replay();
    if !is_replay {
        endings::remember(key.bytes(), call.args_from(3).map(Arg::bytes));
    }
    let ended = ledger.end(call.args_from(3).map(Arg::bytes), present);
    let live = ended.iter().filter(|(_, state)| *state == State::Live).count();
    if let Some(ending) = Effect::revoke(ended.iter().map(|(id, _)| *id)) {
        counters::SESSIONS_REVOKED.add(if is_replay { 0 } else { live });
        ending.replicate(call, key);
        ledger.settle(c"auth.session.revoke", present.now);
    }
    Reply::count(live)
}

/// `AUTH.SESSION REVOKEALL key [EXCEPT id] [AT ms]`
pub(crate) fn revokeall(call: &Call<'_>) -> Reply {
    let Some(key) = call.arg(2) else { return Reply::WrongArity };
    let present = call.present();
    let (except, at) = match parse_revokeall(call, present.now) {
        Ok(options) => options,
        Err(refusal) => return counters::rejected(refusal),
    };
    let Ok(mut ledger) = WriteLedger::open(call, key) else {
        return counters::rejected(WRONG_TYPE);
    };

    let outcome = ledger.log_out(at, except, present);
    if !call.is_replay() {
        counters::SESSIONS_REVOKED.add(outcome.live);
        endings::remember(key.bytes(), outcome.ended.iter().map(Session::id));
        endings::remember_all(key.bytes(), except, outcome.until);
    }
    if outcome.changed {
        Effect::revokeall(outcome.until, except).replicate(call, key);
        ledger.settle(c"auth.session.revokeall", present.now);
    }
    Reply::count(outcome.live)
}

type Options<'a> = (Option<&'a [u8]>, Option<UnixMs>);

fn parse_revokeall<'a>(call: &Call<'a>, now: UnixMs) -> Result<Options<'a>, Reply> {
    let (mut except, mut at) = (None, None);
    let mut args = call.args_from(3);
    while let Some(option) = args.next() {
        let value = args.next().ok_or(SYNTAX)?;
        if option.is("EXCEPT") {
            set_once(&mut except, value.bytes())?;
        } else if option.is("AT") {
            set_once(&mut at, value.integer().ok_or(INTEGER)?)?;
        } else {
            return Err(SYNTAX);
        }
    }
    let Some(at) = at else { return Ok((except, None)) };
    let at = UnixMs(u64::try_from(at).unwrap_or(0)).min(UnixMs::MAX);
    if !call.is_replay() && (at == UnixMs(0) || at > now) {
        return Err(AT);
    }
    Ok((except, Some(at)))
}
