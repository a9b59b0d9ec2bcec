//! What the server may do with ledgers without asking, as it is told at the load and again later.
//!
//! One of these changes: Valkey 9 moves a slot in one step (`CLUSTER MIGRATESLOTS`) by sending commands
//! instead of ledgers, and commands do not tell whether anybody vouches for the server that they come
//! from. So a server that has to be confirmed and is not does not let that happen; to begin it, Valkey
//! looks at every module's options. `MIGRATE` sends ledgers, which tell it themselves.

use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use redis_module::raw;

use crate::server::ffi::{self, Ctx};

/// Without it Valkey 9 refuses `CLUSTER MIGRATESLOTS`. Redis may give this bit another meaning.
const VALKEY_HANDLE_ATOMIC_SLOT_MIGRATION: u32 = 1 << 5;

/// A context for what nobody asked for; only on servers that know of moves in one step.
static CTX: AtomicPtr<raw::RedisModuleCtx> = AtomicPtr::new(ptr::null_mut());
static NEEDS_CONFIRMATION: AtomicBool = AtomicBool::new(false);
static IS_CONFIRMED: AtomicBool = AtomicBool::new(false);

/// Tells it for the first time.
pub(crate) fn begin(ctx: Ctx) {
    if ffi::server_field(ctx, c"valkey_version").is_some() {
        // SAFETY: `ctx` is that of the load. What is made of it is never freed.
        CTX.store(unsafe { ffi::detached_context(ctx) }, Ordering::Relaxed);
    }
    // SAFETY: `ctx` is that of the load.
    unsafe { ffi::set_module_options(ctx, options().cast_signed()) };
}

/// Whether ledgers count only while somebody vouches for them.
pub(crate) fn need_confirmation(needed: bool) {
    if NEEDS_CONFIRMATION.swap(needed, Ordering::Relaxed) != needed {
        tell();
    }
}

/// Whether somebody does.
pub(crate) fn are_confirmed(confirmed: bool) {
    if IS_CONFIRMED.swap(confirmed, Ordering::Relaxed) != confirmed {
        tell();
    }
}

fn tell() {
    let ctx = CTX.load(Ordering::Relaxed);
    if !ctx.is_null() {
        // SAFETY: made in `begin` for as long as the server lives; commands, events and timers run on
        // the main thread.
        unsafe { ffi::set_module_options(ctx, options().cast_signed()) };
    }
}

fn options() -> u32 {
    let always = raw::REDISMODULE_OPTIONS_HANDLE_IO_ERRORS
        | raw::REDISMODULE_OPTION_NO_IMPLICIT_SIGNAL_MODIFIED
        | raw::REDISMODULE_OPTIONS_HANDLE_REPL_ASYNC_LOAD;
    let is_of_use = !CTX.load(Ordering::Relaxed).is_null();
    let is_vouched_for =
        IS_CONFIRMED.load(Ordering::Relaxed) || !NEEDS_CONFIRMATION.load(Ordering::Relaxed);
    let leaves = if is_of_use && is_vouched_for { VALKEY_HANDLE_ATOMIC_SLOT_MIGRATION } else { 0 };
    always | leaves
}
