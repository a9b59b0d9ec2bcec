//! `AUTH.SESSION CREATE`: begins a session, or prolongs a live one.

use portcullis_core::{
    Beginning, Create, Created, Facts, FenceToken, Ledger, Present, Refusal, UnixMs,
};

use crate::commands::errors::{
    CREATE_EXPIRE, DEVICE, ENDED, FENCE, ID, INTEGER, MAX, NO_FENCE, STALE, SYNTAX, TOO_MANY,
    WRONG_TYPE,
};
use crate::commands::expiry::{self, Moment};
use crate::commands::session::options::{instant, set_once};
use crate::ledger::effect::Effect;
use crate::ledger::endings;
use crate::ledger::key::WriteLedger;
use crate::server::arg::Arg;
use crate::server::call::Call;
use crate::server::clock::present_at;
use crate::server::reply::Reply;
use crate::{config, counters};

/// `AUTH.SESSION CREATE key id EX s | PX ms | EXAT s | PXAT ms [IDLE s] [MAX n] [DEVICE bytes]
/// [CREATED ms] [SEEN ms] [FENCE token]`
pub(crate) fn create(call: &Call<'_>) -> Reply {
    let (Some(key), Some(id)) = (call.arg(2), call.arg(3)) else { return Reply::WrongArity };
    let moment = Moment::of(call);
    let request = match parse(call, id, moment) {
        Ok(request) => request,
        Err(refusal) => return counters::rejected(refusal),
    };
    let Ok(mut ledger) = WriteLedger::open(call, key) else {
        return counters::rejected(WRONG_TYPE);
    };

    let created = if moment.replay {
        // What is replayed says everything and is stored as it says.
        ledger.put(&replayed(&request.session, moment.now));
        Created::default()
    } else {
        // One reading of the clock, or what is short would be over before it has begun.
        match begin(call, &mut ledger, key, &request, present_at(moment.now)) {
            Ok(created) => created,
            Err(refusal) => return counters::rejected(refusal),
        }
    };
    endings::remember(key.bytes(), created.evicted.iter().map(AsRef::as_ref));
    counters::SESSIONS_CREATED.add(usize::from(created.is_new));
    counters::SESSIONS_EVICTED.add(created.evicted.len());

    let gone = created.forgotten.iter().chain(&created.evicted);
    if let Some(ending) = Effect::revoke(gone.map(AsRef::as_ref)) {
        ending.replicate(call, key);
    }
    if let Some(session) = ledger.find(id.bytes()) {
        Effect::create(&session.facts()).replicate(call, key);
    }
    ledger.settle(c"auth.session.create", moment.now);
    reply_with_evicted(call, key, &created)
}

/// What a client asks for: the fence is asked first, then the watermarks, then the limits.
fn begin(
    call: &Call<'_>,
    ledger: &mut Ledger,
    key: Arg<'_>,
    request: &Request<'_>,
    present: Present,
) -> Result<Created, Reply> {
    let (session, now) = (&request.session, present.now);
    let wording = |refusal| match refusal {
        Refusal::Stale => STALE,
        Refusal::Ended => ENDED,
        Refusal::TooManySessions => TOO_MANY,
    };
    if let Some(token) = request.token {
        let created = session.created.filter(|at| *at <= now);
        let beginning = Beginning { key: key.bytes(), id: session.id, created };
        endings::judge(call, token, &beginning).map_err(wording)?;
    }
    if ledger.has_ended(session, present) {
        return Err(ENDED);
    }
    hold_to_limits(session, now)?;
    ledger.create(session, present).map_err(wording)
}

fn reply_with_evicted(call: &Call<'_>, key: Arg<'_>, created: &Created) -> Reply {
    if !created.evicted.is_empty() {
        call.announce(c"auth.session.evict", key);
    }
    call.reply_array(created.evicted.len());
    for id in &created.evicted {
        call.reply_bytes(id);
    }
    Reply::Sent
}

fn replayed<'a>(session: &Create<'a>, now: UnixMs) -> Facts<'a> {
    Facts {
        id: session.id,
        device: session.device.unwrap_or_default(),
        created: session.created.unwrap_or(now),
        seen: session.seen.unwrap_or(now),
        expires: session.expires,
        idle_s: session.idle_s.unwrap_or_default(),
    }
}

/// What the arguments say.
struct Request<'a> {
    session: Create<'a>,
    token: Option<FenceToken>,
}

fn parse<'a>(call: &Call<'a>, id: Arg<'a>, moment: Moment) -> Result<Request<'a>, Reply> {
    let (mut expires, mut token) = (None, None);
    let mut session = Create {
        id: id.bytes(),
        expires: UnixMs(0),
        idle_s: None,
        device: None,
        created: None,
        seen: None,
        keep: None,
        limit: config::max_sessions(),
    };
    let mut args = call.args_from(4);
    while let Some(option) = args.next() {
        let value = args.next();
        if let Some(at) = expiry::parse(option, value, CREATE_EXPIRE, moment)? {
            set_once(&mut expires, at)?;
            continue;
        }
        let value = value.ok_or(SYNTAX)?;
        if option.is("IDLE") {
            set_once(&mut session.idle_s, idle(value, moment)?)?;
        } else if option.is("MAX") {
            set_once(&mut session.keep, at_most(value, moment)?)?;
        } else if option.is("DEVICE") {
            set_once(&mut session.device, value.bytes())?;
        } else if option.is("CREATED") {
            set_once(&mut session.created, instant(value)?)?;
        } else if option.is("SEEN") {
            set_once(&mut session.seen, instant(value)?)?;
        } else if option.is("FENCE") {
            set_once(&mut token, FenceToken::parse(value.bytes()).ok_or(FENCE)?)?;
        } else {
            return Err(SYNTAX);
        }
    }
    session.expires = expires.ok_or(SYNTAX)?;
    if token.is_none() && !moment.replay && config::requires_fence() {
        return Err(NO_FENCE);
    }
    Ok(Request { session, token })
}

fn hold_to_limits(session: &Create<'_>, now: UnixMs) -> Result<(), Reply> {
    if session.expires <= now {
        return Err(CREATE_EXPIRE);
    }
    if session.id.is_empty() || session.id.len() > config::max_id_bytes() {
        return Err(ID);
    }
    if session.device.is_some_and(|device| device.len() > config::max_device_bytes()) {
        return Err(DEVICE);
    }
    Ok(())
}

/// Seconds; 0 for no idle limit.
fn idle(value: Arg<'_>, moment: Moment) -> Result<u32, Reply> {
    let seconds = value.integer().and_then(|seconds| u64::try_from(seconds).ok()).ok_or(INTEGER)?;
    if !moment.replay && seconds > config::max_ttl().as_secs() {
        return Err(CREATE_EXPIRE);
    }
    Ok(u32::try_from(seconds).unwrap_or(u32::MAX))
}

fn at_most(value: Arg<'_>, moment: Moment) -> Result<usize, Reply> {
    let most = value.integer().ok_or(INTEGER)?;
    let most = usize::try_from(most).ok().filter(|most| *most > 0).ok_or(MAX)?;
    if moment.replay || most <= config::max_sessions() { Ok(most) } else { Err(MAX) }
}
