//! `AUTH.BLACKLIST`: revokes one token for as long as it could live. Works on a full server.

use core::time::Duration;

use portcullis_core::{Digest, Revocation, TokenRef, UnixMs, exp_ms};

use crate::commands::errors::{BLACKLIST_EXPIRE, NO_EXP, SYNTAX, WRONG_TYPE};
use crate::commands::expiry::{self, Moment};
use crate::commands::token;
use crate::ledger::effect::Effect;
use crate::ledger::key::WriteLedger;
use crate::server::call::Call;
use crate::server::reply::Reply;
use crate::{config, counters};

/// `AUTH.BLACKLIST key token|DIGEST hex64 [EX s | PX ms | EXAT s | PXAT ms]`
pub(crate) fn blacklist(call: &Call<'_>) -> Reply {
    let Some(key) = call.arg(1) else { return Reply::WrongArity };
    let moment = Moment::of(call);
    let (digest, expires) = match parse(call, moment) {
        Ok(request) => request,
        Err(refusal) => return counters::rejected(refusal),
    };
    let Ok(mut ledger) = WriteLedger::open(call, key) else {
        return counters::rejected(WRONG_TYPE);
    };

    // What is replayed was stored when it happened, whatever the time is now.
    let from = if moment.replay { UnixMs(0) } else { moment.now };
    let change = ledger.revoke(digest, expires, from);
    if change == Revocation::Unchanged {
        return Reply::Integer(0);
    }
    // A replica repeats what its primary has counted.
    counters::REVOCATIONS.add(usize::from(change == Revocation::New && !moment.replay));

    Effect::blacklist(&digest, expires).replicate(call, key);
    ledger.settle(c"auth.blacklist", moment.now);
    Reply::Integer(i64::from(change == Revocation::New))
}

fn parse(call: &Call<'_>, moment: Moment) -> Result<(Digest, UnixMs), Reply> {
    let (token, mut options) = token::parse(call).ok_or(Reply::WrongArity)?;
    let expires = match (options.next(), options.next(), options.next()) {
        (None, ..) => expiry_of(&token, moment)?,
        (Some(option), value, None) => {
            expiry::parse(option, value, BLACKLIST_EXPIRE, moment)?.ok_or(SYNTAX)?
        }
        _ => return Err(SYNTAX),
    };
    counters::DIGESTS_COMPUTED.add(usize::from(matches!(token, TokenRef::Token(_))));
    Ok((token.digest(), expires))
}

/// The token's own expiry, and a little more for clocks that disagree.
fn expiry_of(token: &TokenRef<'_>, moment: Moment) -> Result<UnixMs, Reply> {
    let TokenRef::Token(token) = token else { return Err(NO_EXP) };
    let exp = exp_ms(token).ok_or(NO_EXP)?;
    let expires = UnixMs(0)
        .plus(Duration::from_millis(u64::try_from(exp).unwrap_or(0)))
        .plus(config::leeway());
    let latest = moment.now.plus(config::max_ttl());
    if expires > latest { Err(BLACKLIST_EXPIRE) } else { Ok(expires) }
}
