//! `AUTH.SESSION`: begins, shows, touches and ends the sessions of a subject.

use core::ffi::c_int;

use portcullis_core::{Create, Created, Facts, Session, State, Touched, UnixMs};
use redis_module::raw;

use crate::call::{self, Arg, Call, Reply};
use crate::errors::{AT, CREATE_EXPIRE, DEVICE, ID, INTEGER, MAX, SYNTAX, TOO_MANY, WRONG_TYPE};
use crate::expiry::{self, Clock};
use crate::ledger_type::{ReadLedger, WriteLedger, WrongType};
use crate::{config, info};

/// Declares the C entry of each subcommand.
macro_rules! entries {
    ($($entry:ident => $run:ident),* $(,)?) => {
        $(
            pub(crate) unsafe extern "C" fn $entry(
                ctx: *mut raw::RedisModuleCtx,
                first: *mut *mut raw::RedisModuleString,
                count: c_int,
            ) -> c_int {
                // SAFETY: the arguments are what Redis gave.
                unsafe { call::run_command(ctx, first, count, $run) }
            }
        )*
    };
}

entries! {
    create_entry => create,
    get_entry => get,
    list_entry => list,
    touch_entry => touch,
    revoke_entry => revoke,
    revokeall_entry => revokeall,
    help_entry => help,
}

/// `AUTH.SESSION CREATE key id EX s | PX ms | EXAT s | PXAT ms [IDLE s] [MAX n] [DEVICE bytes]
/// [CREATED ms] [SEEN ms]`
fn create(call: &Call<'_>) -> Reply {
    let (Some(key), Some(id)) = (call.arg(2), call.arg(3)) else { return Reply::WrongArity };
    let clock = Clock { now: call.now(), replay: call.is_replay() };
    let request = match parse_create(call, id, clock) {
        Ok(request) => request,
        Err(refusal) => return info::rejected(refusal),
    };
    let Ok(mut ledger) = WriteLedger::open(call, key) else { return info::rejected(WRONG_TYPE) };

    let created = if clock.replay {
        // What is replayed says everything and is stored as it says.
        ledger.put(&replayed(&request, clock.now));
        Created::default()
    } else {
        match ledger.create(&request, clock.now) {
            Ok(created) => created,
            Err(_) => return info::rejected(TOO_MANY),
        }
    };
    let stored = ledger.find(request.id).map(|session| create_args(&session.facts()));
    ledger.settle(clock.now);
    info::SESSIONS_CREATED.add(usize::from(created.is_new));
    info::SESSIONS_EVICTED.add(created.evicted.len());

    propagate_ends(call, key, created.forgotten.iter().chain(&created.evicted));
    if let Some(stored) = &stored {
        let args = stored.each_ref().map(AsRef::as_ref);
        call.replicate(
            c"AUTH.SESSION",
            &[&[b"CREATE".as_slice(), key.bytes()], args.as_slice()].concat(),
        );
    }
    call.announce(c"auth.session.create", key);
    reply_with_evicted(call, key, &created)
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

/// The arguments after the key that make exactly this session again, whenever they are replayed.
pub(crate) fn create_args(session: &Facts<'_>) -> [Vec<u8>; 11] {
    let number = |number: u64| number.to_string().into_bytes();
    [
        session.id.to_vec(),
        b"PXAT".to_vec(),
        number(session.expires.0),
        b"IDLE".to_vec(),
        number(session.idle_s.into()),
        b"CREATED".to_vec(),
        number(session.created.0),
        b"SEEN".to_vec(),
        number(session.seen.0),
        b"DEVICE".to_vec(),
        session.device.to_vec(),
    ]
}

fn replayed<'a>(request: &Create<'a>, now: UnixMs) -> Facts<'a> {
    Facts {
        id: request.id,
        device: request.device.unwrap_or_default(),
        created: request.created.unwrap_or(now),
        seen: request.seen.unwrap_or(now),
        expires: request.expires,
        idle_s: request.idle_s.unwrap_or_default(),
    }
}

fn propagate_ends<'a>(call: &Call<'_>, key: Arg<'a>, ids: impl Iterator<Item = &'a Box<[u8]>>) {
    let mut args: Vec<&[u8]> = vec![b"REVOKE", key.bytes()];
    let fixed = args.len();
    args.extend(ids.map(AsRef::as_ref));
    if args.len() > fixed {
        call.replicate(c"AUTH.SESSION", &args);
    }
}

fn parse_create<'a>(call: &Call<'a>, id: Arg<'a>, clock: Clock) -> Result<Create<'a>, Reply> {
    let mut expires = None;
    let mut request = Create {
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
        if let Some(at) = expiry::parse(option, value, CREATE_EXPIRE, clock)? {
            set_once(&mut expires, at)?;
            continue;
        }
        let value = value.ok_or(SYNTAX)?;
        if option.is("IDLE") {
            set_once(&mut request.idle_s, idle(value, clock)?)?;
        } else if option.is("MAX") {
            set_once(&mut request.keep, at_most(value, clock)?)?;
        } else if option.is("DEVICE") {
            set_once(&mut request.device, value.bytes())?;
        } else if option.is("CREATED") {
            set_once(&mut request.created, instant(value)?)?;
        } else if option.is("SEEN") {
            set_once(&mut request.seen, instant(value)?)?;
        } else {
            return Err(SYNTAX);
        }
    }
    request.expires = expires.ok_or(SYNTAX)?;
    if !clock.replay {
        hold_to_limits(&request, clock.now)?;
    }
    Ok(request)
}

fn hold_to_limits(request: &Create<'_>, now: UnixMs) -> Result<(), Reply> {
    if request.expires <= now {
        return Err(CREATE_EXPIRE);
    }
    if request.id.is_empty() || request.id.len() > config::max_id_bytes() {
        return Err(ID);
    }
    if request.device.is_some_and(|device| device.len() > config::max_device_bytes()) {
        return Err(DEVICE);
    }
    Ok(())
}

fn set_once<T>(slot: &mut Option<T>, value: T) -> Result<(), Reply> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(SYNTAX),
    }
}

/// Seconds; 0 for no idle limit.
fn idle(value: Arg<'_>, clock: Clock) -> Result<u32, Reply> {
    let seconds = value.integer().and_then(|seconds| u64::try_from(seconds).ok()).ok_or(INTEGER)?;
    if !clock.replay && seconds > config::max_ttl().as_secs() {
        return Err(CREATE_EXPIRE);
    }
    Ok(u32::try_from(seconds).unwrap_or(u32::MAX))
}

fn at_most(value: Arg<'_>, clock: Clock) -> Result<usize, Reply> {
    let most = value.integer().ok_or(INTEGER)?;
    let most = usize::try_from(most).ok().filter(|most| *most > 0).ok_or(MAX)?;
    if clock.replay || most <= config::max_sessions() { Ok(most) } else { Err(MAX) }
}

/// Milliseconds since the epoch, not negative.
fn instant(value: Arg<'_>) -> Result<UnixMs, Reply> {
    let ms = value.integer().and_then(|ms| u64::try_from(ms).ok()).ok_or(INTEGER)?;
    Ok(UnixMs(ms).min(UnixMs::MAX))
}

/// `AUTH.SESSION GET key id`
fn get(call: &Call<'_>) -> Reply {
    let (Some(key), Some(id), None) = (call.arg(2), call.arg(3), call.arg(4)) else {
        return Reply::WrongArity;
    };
    let now = call.now();
    let ledger = match ReadLedger::open(call, key) {
        Ok(Some(ledger)) => ledger,
        Ok(None) => return Reply::Nil,
        Err(WrongType) => return info::rejected(WRONG_TYPE),
    };
    match ledger.find(id.bytes()).filter(|session| session.is_live(now)) {
        Some(session) => reply_session(call, session),
        None => Reply::Nil,
    }
}

/// `AUTH.SESSION LIST key`
fn list(call: &Call<'_>) -> Reply {
    let (Some(key), None) = (call.arg(2), call.arg(3)) else { return Reply::WrongArity };
    let now = call.now();
    let ledger = match ReadLedger::open(call, key) {
        Ok(ledger) => ledger,
        Err(WrongType) => return info::rejected(WRONG_TYPE),
    };
    let live = ledger.as_ref().map(|ledger| ledger.live_sessions(now)).unwrap_or_default();
    call.reply_array(live.len());
    for session in live {
        reply_session(call, session);
    }
    Reply::Sent
}

fn reply_session(call: &Call<'_>, session: &Session) -> Reply {
    let facts = session.facts();
    call.reply_map(6);
    call.reply_bytes(b"id");
    call.reply_bytes(facts.id);
    let times = [
        (b"created_ms".as_slice(), facts.created.0),
        (b"seen_ms", facts.seen.0),
        (b"expires_ms", facts.expires.0),
        (b"idle_s", facts.idle_s.into()),
    ];
    for (name, value) in times {
        call.reply_bytes(name);
        call.reply(Reply::Integer(value.cast_signed()));
    }
    call.reply_bytes(b"device");
    call.reply_bytes(facts.device);
    Reply::Sent
}

/// `AUTH.SESSION TOUCH key id [AT ms]`
fn touch(call: &Call<'_>) -> Reply {
    let (Some(key), Some(id)) = (call.arg(2), call.arg(3)) else { return Reply::WrongArity };
    let now = call.now();
    let at = match parse_at(call, 4) {
        Ok(at) => at,
        Err(refusal) => return info::rejected(refusal),
    };
    let Ok(mut ledger) = WriteLedger::open(call, key) else { return info::rejected(WRONG_TYPE) };

    let touched = if call.is_replay() {
        // It happened, even if the session looks idle by now.
        let at = at.unwrap_or(now);
        if ledger.touch(id.bytes(), at) { Touched::To(at) } else { Touched::Unmoved }
    } else {
        ledger.touch_live(id.bytes(), at, now)
    };
    if let Touched::To(at) = touched {
        ledger.settle(now);
        let at = at.0.to_string();
        call.replicate(c"AUTH.SESSION", &[b"TOUCH", key.bytes(), id.bytes(), b"AT", at.as_bytes()]);
        call.announce(c"auth.session.touch", key);
    }
    Reply::Integer(i64::from(touched != Touched::Dead))
}

/// An optional `AT ms` at argument `place`, and nothing after it.
fn parse_at(call: &Call<'_>, place: usize) -> Result<Option<UnixMs>, Reply> {
    let mut options = call.args_from(place);
    match (options.next(), options.next(), options.next()) {
        (None, ..) => Ok(None),
        (Some(option), Some(value), None) if option.is("AT") => instant(value).map(Some),
        _ => Err(SYNTAX),
    }
}

/// `AUTH.SESSION REVOKE key id [id …]`
fn revoke(call: &Call<'_>) -> Reply {
    let (Some(key), Some(_)) = (call.arg(2), call.arg(3)) else { return Reply::WrongArity };
    let now = call.now();
    let Ok(mut ledger) = WriteLedger::open(call, key) else { return info::rejected(WRONG_TYPE) };

    let mut live = 0_usize;
    let mut args: Vec<&[u8]> = vec![b"REVOKE", key.bytes()];
    let fixed = args.len();
    for id in call.args_from(3).map(Arg::bytes) {
        if let Some(state) = ledger.end(id, now) {
            live = live.saturating_add(usize::from(state == State::Live));
            args.push(id);
        }
    }
    if args.len() > fixed {
        ledger.settle(now);
        info::SESSIONS_REVOKED.add(if call.is_replay() { 0 } else { live });
        call.replicate(c"AUTH.SESSION", &args);
        call.announce(c"auth.session.revoke", key);
    }
    Reply::count(live)
}

/// `AUTH.SESSION REVOKEALL key [EXCEPT id] [AT ms]`
fn revokeall(call: &Call<'_>) -> Reply {
    let Some(key) = call.arg(2) else { return Reply::WrongArity };
    let now = call.now();
    let (except, at) = match parse_revokeall(call, now) {
        Ok(options) => options,
        Err(refusal) => return info::rejected(refusal),
    };
    let Ok(mut ledger) = WriteLedger::open(call, key) else { return info::rejected(WRONG_TYPE) };

    let outcome = ledger.log_out(at, except, now);
    if outcome.changed {
        ledger.settle(now);
        info::SESSIONS_REVOKED.add(if call.is_replay() { 0 } else { outcome.ended });
        let until = outcome.until.0.to_string();
        let mut args = vec![b"REVOKEALL", key.bytes(), b"AT", until.as_bytes()];
        args.extend(except.iter().flat_map(|id| [b"EXCEPT".as_slice(), id]));
        call.replicate(c"AUTH.SESSION", &args);
        call.announce(c"auth.session.revokeall", key);
    }
    Reply::count(outcome.ended)
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

/// `AUTH.SESSION HELP`
fn help(call: &Call<'_>) -> Reply {
    call.reply_array(HELP.len());
    for line in HELP {
        call.reply(Reply::Simple(line));
    }
    Reply::Sent
}

const HELP: [&core::ffi::CStr; 16] = [
    c"AUTH.SESSION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    c"CREATE <key> <id> EX <s>|PX <ms>|EXAT <s>|PXAT <ms> [IDLE <s>] [MAX <n>] [DEVICE <bytes>] [CREATED <ms>] [SEEN <ms>]",
    c"    Begin a session, or prolong a live one. Return the ids evicted to keep at most MAX.",
    c"GET <key> <id>",
    c"    Return what is known of a live session.",
    c"LIST <key>",
    c"    Return the live sessions, most recently seen first.",
    c"TOUCH <key> <id> [AT <ms>]",
    c"    Note that a live session was used. Return 1, or 0 if it is not live.",
    c"REVOKE <key> <id> [<id> ...]",
    c"    End sessions. Return how many of them were live.",
    c"REVOKEALL <key> [EXCEPT <id>] [AT <ms>]",
    c"    End all sessions begun until AT or now; without EXCEPT every token issued until then",
    c"    is dead as well. Return how many sessions were live.",
    c"HELP",
    c"    Print this help.",
];
