//! `AUTH.CONFIRM`: somebody who knows the truth says that the ledgers here are up to date, up to what,
//! and before when everything has ended.
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
//! AUTH.CONFIRM IF another mark                  unchanged: somebody else has been at it
//! AUTH.CONFIRM NOTE                             unchanged: it only notes mark and watermark, or nothing
//! AUTH.CONFIRM found in an AOF while loading    unchanged: it was said in another life
//! AUTH.CONFIRM FORGET                           no
//! AUTH.CONFIRM from the primary                 yes
//! a replica comes online                        it is told, if this primary is confirmed
//! the link to the primary is lost               no
//! a replica becomes a primary                   no
//! FLUSHALL, FLUSHDB or SWAPDB                   no
//! a ledger comes that nobody vouched for        no: by RESTORE, or with a slot or a data set
//! ```
//!
//! Replicas and the AOF are told the whole of it in one command: who is confirmed, the lease as the
//! instant at which it ends (a replica must not answer longer because it has heard of it late), the mark
//! and the watermark of everybody. Where there is nothing of these, it is told in the words that every
//! version knows. A log confirms nobody when it is loaded, but mark and watermark hold: they are older
//! than whatever follows them there.
//!
//! Replicas are told at once, or when that does no harm any more: a server whose writes are paused
//! (`CLIENT PAUSE`, a failover, a shutdown that waits for a replica) ends itself if something is
//! replicated, and Valkey 9 gives up moving a slot if something without a key is. Nobody but this
//! file replicates outside a client's command, which the server itself holds back meanwhile.

use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;

use portcullis_core::{Mark, UnixMs};

use crate::commands::errors::{
    BEFORE, CHANGED, INTEGER, LEASE, LIFE, MARK, RUN_ID, SLOT_LEAVES, SYNTAX,
};
use crate::ledger::endings;
use crate::server::arg::Arg;
use crate::server::call::{Call, Origin};
use crate::server::reply::Reply;
use crate::server::{all_ledgers, confirmed, ffi, life};
use crate::{config, counters};

/// Whether a timer is set; however much there is to tell, one is enough.
static TIMER_SET: AtomicBool = AtomicBool::new(false);
/// What it is set for: to tell the replicas, and to log mark and watermark again.
static TO_TELL: AtomicBool = AtomicBool::new(false);
static TO_LOG: AtomicBool = AtomicBool::new(false);
/// Whether the watermark has moved since replicas were told.
static HAS_MOVED: AtomicBool = AtomicBool::new(false);
/// The timer for the end of a lease. Its number is the instant of its end, so never 0.
static LEASE_TIMER: AtomicU64 = AtomicU64::new(NO_TIMER);
const NO_TIMER: u64 = 0;
/// Milliseconds until it looks again whether they may be told.
const LOOK_AGAIN_MS: i64 = 100;

/// The longest lease: a day.
const LONGEST_MS: u64 = 86_400_000;

/// `AUTH.CONFIRM run-id [LIFE life] [PX milliseconds | NOTE] [MARK mark [IF mark]] [BEFORE milliseconds]`
/// or `AUTH.CONFIRM run-id FORGET`, and with `PXAT instant` from a primary.
pub(crate) fn confirm(call: &Call<'_>) -> Reply {
    let Some(run_id) = call.arg(1) else { return Reply::WrongArity };
    let options = match parse(call) {
        Ok(options) => options,
        Err(refusal) => return counters::rejected(refusal),
    };
    let origin = call.origin();
    if origin == Origin::Client
        && let Err(refusal) = judge(call, run_id, &options)
    {
        return counters::rejected(refusal);
    }
    if options.forgets {
        return forget(call, run_id);
    }
    if let Some(mark) = options.mark {
        all_ledgers::set_mark(mark);
    }
    if options.before.is_some_and(all_ledgers::raise_watermark) {
        // Whoever keeps answers is told of no key.
        life::rise();
        HAS_MOVED.store(true, Ordering::Relaxed);
    }
    if origin != Origin::Log {
        if !options.notes {
            confirmed::set(options.lease);
            if let Some(lease) = options.lease {
                look_at_its_end(call.ctx(), lease);
            }
        }
        tell_replicas(call, || run_id.bytes().to_vec());
    }
    Reply::Simple(c"OK")
}

/// What a client asks for takes effect as a whole or not at all.
fn judge(call: &Call<'_>, run_id: Arg<'_>, options: &Options<'_>) -> Result<(), Reply> {
    if call.run_id().as_deref() != Some(run_id.bytes()) {
        return Err(RUN_ID);
    }
    if options.life.is_some_and(|life| !endings::is_present_life(life.bytes())) {
        return Err(LIFE);
    }
    if options.expected.is_some_and(|mark| !all_ledgers::has_mark(mark.bytes())) {
        return Err(CHANGED);
    }
    let latest = call.exact_now().plus(config::max_ttl());
    if options.before.is_some_and(|before| before > latest) {
        return Err(BEFORE);
    }
    // Whoever notes nothing wants replicas to be told, and to wait for them.
    let has_to_be_told = options.forgets || options.notes && options.is_empty();
    let is_late = has_to_be_told && !call.may_replicate_keyless();
    if is_late { Err(SLOT_LEAVES) } else { Ok(()) }
}

/// The way back for an operator, who removes the module or has put the watermark too far ahead. What has
/// ended may be alive again, so nobody vouches for it.
fn forget(call: &Call<'_>, run_id: Arg<'_>) -> Reply {
    all_ledgers::forget();
    confirmed::void();
    endings::begin_life();
    call.replicate(c"AUTH.CONFIRM", [run_id.bytes(), b"FORGET"]);
    Reply::Simple(c"OK")
}

#[derive(Default)]
struct Options<'a> {
    life: Option<Arg<'a>>,
    lease: Option<Duration>,
    mark: Option<Mark>,
    expected: Option<Arg<'a>>,
    before: Option<UnixMs>,
    notes: bool,
    forgets: bool,
}

impl Options<'_> {
    /// Whether there is nothing to note.
    const fn is_empty(&self) -> bool {
        self.mark.is_none() && self.before.is_none()
    }
}

fn parse<'a>(call: &Call<'a>) -> Result<Options<'a>, Reply> {
    let mut options = Options::default();
    if call.arg(2).is_some_and(|word| word.is("FORGET")) {
        options.forgets = true;
        return if call.arg(3).is_none() { Ok(options) } else { Err(SYNTAX) };
    }
    let mut args = call.args_from(2);
    while let Some(option) = args.next() {
        if option.is("NOTE") && !options.notes {
            options.notes = true;
            continue;
        }
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
        } else if option.is("MARK") && options.mark.is_none() {
            options.mark = Some(Mark::new(value.bytes()).ok_or(MARK)?);
        } else if option.is("IF") && options.expected.is_none() {
            options.expected = Some(value);
        } else if option.is("BEFORE") && options.before.is_none() {
            let ms = u64::try_from(value.integer().ok_or(INTEGER)?).ok().filter(|ms| *ms > 0);
            options.before = Some(UnixMs(ms.ok_or(BEFORE)?).min(UnixMs::MAX));
        } else {
            return Err(SYNTAX);
        }
    }
    let compares_nothing = options.expected.is_some() && options.mark.is_none();
    let is_no_note = options.notes && options.lease.is_some();
    if compares_nothing || is_no_note { Err(SYNTAX) } else { Ok(options) }
}

/// Tells the replicas, or looks again soon where that would do harm.
fn tell_replicas(call: &Call<'_>, run_id: impl FnOnce() -> Vec<u8>) {
    if !call.may_replicate_keyless() {
        TO_TELL.store(true, Ordering::Relaxed);
        return set_timer(call.ctx(), LOOK_AGAIN_MS);
    }
    let told = words(call, run_id());
    if HAS_MOVED.swap(false, Ordering::Relaxed)
        && let Some(run_id) = told.first()
    {
        // A replica of an earlier version refuses what it does not know, and must not go on.
        call.replicate(c"AUTH.CONFIRM", [run_id.as_slice(), b"PXAT", b"0"]);
    }
    call.replicate(c"AUTH.CONFIRM", told.iter().map(Vec::as_slice));
}

/// All that there is to tell.
fn words(call: &Call<'_>, run_id: Vec<u8>) -> Vec<Vec<u8>> {
    let mut words = vec![run_id];
    let decimal = |ms: u64| ms.to_string().into_bytes();
    if !confirmed::is_confirmed() {
        // A lease that has ended.
        words.extend([b"PXAT".to_vec(), decimal(0)]);
    } else if let Some(left) = confirmed::left() {
        words.extend([b"PXAT".to_vec(), decimal(call.exact_now().plus(left).0)]);
    }
    let all = all_ledgers::known();
    if let Some(mark) = all.mark() {
        words.extend([b"MARK".to_vec(), mark.text().into()]);
    }
    if all.watermark() > UnixMs(0) {
        words.extend([b"BEFORE".to_vec(), decimal(all.watermark().0)]);
    }
    words
}

/// Tells the replicas of a confirmed primary. Nothing may be replicated from within an event, but
/// from a timer.
pub(crate) fn tell_replicas_soon(ctx: ffi::Ctx) {
    if confirmed::is_confirmed() {
        TO_TELL.store(true, Ordering::Relaxed);
        set_timer(ctx, 0);
    }
}

/// Has mark and watermark logged behind a rewritten AOF, if there are any (`events.rs`).
pub(crate) fn log_again_soon(ctx: ffi::Ctx) {
    if !all_ledgers::known().is_empty() {
        TO_LOG.store(true, Ordering::Relaxed);
        set_timer(ctx, 0);
    }
}

/// Whoever asks sees that a lease has ended; a server that nobody asks must not let its slots leave either.
/// Only the newest lease can end, so there is one timer, however often it is renewed.
fn look_at_its_end(ctx: ffi::Ctx, lease: Duration) {
    let ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX).saturating_add(1);
    // SAFETY: `ctx` is that of a command; the timer needs no data.
    let timer =
        unsafe { ffi::create_timer(ctx, ms, Some(lease_may_be_over), core::ptr::null_mut()) };
    let earlier = LEASE_TIMER.swap(timer, Ordering::Relaxed);
    if earlier != NO_TIMER {
        // SAFETY: as above; it was set here and has not run, or that would have been noted.
        unsafe { ffi::stop_timer(ctx, earlier, core::ptr::null_mut()) };
    }
}

unsafe extern "C" fn lease_may_be_over(_ctx: ffi::Ctx, _data: *mut c_void) {
    LEASE_TIMER.store(NO_TIMER, Ordering::Relaxed);
    // Looking is enough.
    let _ = confirmed::is_confirmed();
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
    if !call.may_replicate_keyless() {
        return set_timer(ctx, LOOK_AGAIN_MS);
    }
    let run_id = || call.run_id().unwrap_or_default();
    if TO_TELL.swap(false, Ordering::Relaxed) && call.is_on_primary() {
        tell_replicas(&call, run_id);
    }
    if TO_LOG.swap(false, Ordering::Relaxed) && call.rewrites_as_commands() {
        let told = words(&call, run_id());
        call.log(c"AUTH.CONFIRM", told.iter().map(Vec::as_slice));
    }
}
