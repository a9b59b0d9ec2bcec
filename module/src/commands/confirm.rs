//! `AUTH.CONFIRM`: somebody who knows the truth says that the ledgers here are up to date.
//!
//! A server that starts from an old snapshot, or is promoted without its last replicated commands,
//! would say `OK` to tokens revoked since. With `portcullis.require-confirm yes`, `AUTH.CHECK`
//! answers `NOTREADY` until the truth has been applied again and `AUTH.CONFIRM` said so.
//!
//! ```text
//! event                                         confirmed afterwards
//! the server starts, from whatever data         no
//! AUTH.CONFIRM with this server's own run id    yes, until PX has passed; its replicas are told
//! that lease ends                               no
//! AUTH.CONFIRM with any other run id            unchanged: it was meant for another life
//! AUTH.CONFIRM with another LIFE of the fence   unchanged: what was brought up to date is gone
//! AUTH.CONFIRM found in an AOF while loading    unchanged: it was said in another life
//! AUTH.CONFIRM from the primary                 yes
//! a replica comes online                        it is told, if this primary is confirmed
//! the link to the primary is lost               no
//! a replica becomes a primary                   no
//! FLUSHALL, FLUSHDB or SWAPDB                   no
//! a ledger comes that nobody vouched for        no: by RESTORE, or with a slot or a data set
//! ```
//!
//! A replica is told of a lease as the instant at which it ends: it must not answer longer because it
//! has heard of it late. Without a lease it is told in the words that every version knows.
//!
//! Replicas are told at once, or when that does no harm any more: a server whose writes are paused
//! (`CLIENT PAUSE`, a failover, a shutdown that waits for a replica) ends itself if something is
//! replicated, and Valkey 9 gives up moving a slot if something without a key is. Nobody but this
//! file replicates outside a client's command, which the server itself holds back meanwhile.

use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use crate::commands::errors::{INTEGER, LEASE, LIFE, RUN_ID, SYNTAX};
use crate::counters;
use crate::ledger::endings;
use crate::server::arg::Arg;
use crate::server::call::{Call, Origin};
use crate::server::reply::Reply;
use crate::server::{confirmed, ffi};

/// Whether a timer is set that will tell the replicas; however many there are, one is enough.
static TIMER_SET: AtomicBool = AtomicBool::new(false);
/// Milliseconds until it looks again whether they may be told.
const LOOK_AGAIN_MS: i64 = 100;

/// The longest lease: a day.
const LONGEST_MS: u64 = 86_400_000;

/// `AUTH.CONFIRM run-id [LIFE life] [PX milliseconds]`, and `AUTH.CONFIRM run-id [PXAT instant]` from
/// a primary.
pub(crate) fn confirm(call: &Call<'_>) -> Reply {
    let Some(run_id) = call.arg(1) else { return Reply::WrongArity };
    let Options { life, lease } = match parse(call) {
        Ok(options) => options,
        Err(refusal) => return counters::rejected(refusal),
    };
    match call.origin() {
        Origin::Log => return Reply::Simple(c"OK"),
        Origin::Client if call.run_id().as_deref() != Some(run_id.bytes()) => {
            return counters::rejected(RUN_ID);
        }
        Origin::Client if life.is_some_and(|life| !endings::is_present_life(life.bytes())) => {
            return counters::rejected(LIFE);
        }
        Origin::Client | Origin::Primary => confirmed::set(lease),
    }
    tell_replicas(call, || run_id.bytes().to_vec());
    Reply::Simple(c"OK")
}

#[derive(Default)]
struct Options<'a> {
    life: Option<Arg<'a>>,
    lease: Option<Duration>,
}

fn parse<'a>(call: &Call<'a>) -> Result<Options<'a>, Reply> {
    let mut options = Options::default();
    let mut args = call.args_from(2);
    while let Some(option) = args.next() {
        let value = args.next().ok_or(SYNTAX)?;
        if option.is("LIFE") && options.life.is_none() {
            options.life = Some(value);
        } else if option.is("PX") && options.lease.is_none() {
            let ms = value.integer().ok_or(INTEGER)?;
            let ms = u64::try_from(ms).ok().filter(|ms| (1..=LONGEST_MS).contains(ms));
            options.lease = Some(Duration::from_millis(ms.ok_or(LEASE)?));
        } else if option.is("PXAT") && options.lease.is_none() && call.is_replay() {
            let end = u64::try_from(value.integer().ok_or(INTEGER)?).unwrap_or(0);
            let left = end.saturating_sub(call.exact_now().0);
            options.lease = Some(Duration::from_millis(left));
        } else {
            return Err(SYNTAX);
        }
    }
    Ok(options)
}

/// Tells the replicas, or looks again soon where that would do harm.
fn tell_replicas(call: &Call<'_>, run_id: impl FnOnce() -> Vec<u8>) {
    if !call.may_replicate_keyless() {
        return set_timer(call.ctx(), LOOK_AGAIN_MS);
    }
    let (run_id, now) = (run_id(), call.exact_now());
    let end = confirmed::left().map(|left| now.plus(left).0.to_string());
    let lease = end.iter().flat_map(|end| [b"PXAT".as_slice(), end.as_bytes()]);
    call.replicate(c"AUTH.CONFIRM", [run_id.as_slice()].into_iter().chain(lease));
}

/// Tells the replicas of a confirmed primary. Nothing may be replicated from within an event, but
/// from a timer.
pub(crate) fn tell_replicas_soon(ctx: ffi::Ctx) {
    if confirmed::is_confirmed() {
        set_timer(ctx, 0);
    }
}

/// Sets the timer, unless it is set.
fn set_timer(ctx: ffi::Ctx, ms: i64) {
    if !TIMER_SET.swap(true, Ordering::Relaxed) {
        // SAFETY: `ctx` is that of an event, a command or a timer; the timer needs no data.
        unsafe { ffi::create_timer(ctx, ms, Some(timer_has_run), core::ptr::null_mut()) };
    }
}

unsafe extern "C" fn timer_has_run(ctx: ffi::Ctx, _data: *mut c_void) {
    TIMER_SET.store(false, Ordering::Relaxed);
    let call = Call::without_args(ctx);
    if confirmed::is_confirmed() && call.is_on_primary() {
        tell_replicas(&call, || call.run_id().unwrap_or_default());
    }
}
