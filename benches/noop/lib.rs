//! A Redis module whose commands take anything: `BENCH.NOOP …` answers `OK`, and `BENCH.FOUR …` an
//! array of that and three numbers, as `AUTH.CHECK … UNTIL` does.
//!
//! What the server spends on them, it spends on every module command that answers the like: this is
//! the ceiling that `AUTH.CHECK` is measured against. Not part of the product.

use core::ffi::{c_int, c_longlong};

use redis_module::raw;

/// Called by Redis when the module is loaded.
///
/// # Safety
/// Only Redis calls this, with a context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn RedisModule_OnLoad(
    ctx: *mut raw::RedisModuleCtx,
    _arguments: *mut *mut raw::RedisModuleString,
    _count: c_int,
) -> c_int {
    // SAFETY: fetches the server's functions; the name is static.
    let status = unsafe { raw::Export_RedisModule_Init(ctx, c"noop".as_ptr(), 1, 1) };
    // SAFETY: written by the initialisation above.
    let Some(create) = (unsafe { raw::RedisModule_CreateCommand }) else { return 1 };
    let flags = c"readonly fast".as_ptr();
    // SAFETY: the context is that of the load, the texts are static.
    let one = unsafe { create(ctx, c"BENCH.NOOP".as_ptr(), Some(noop), flags, 1, 1, 1) };
    // SAFETY: as above.
    let four = unsafe { create(ctx, c"BENCH.FOUR".as_ptr(), Some(noop_of_four), flags, 1, 1, 1) };
    status | one | four
}

unsafe extern "C" fn noop(
    ctx: *mut raw::RedisModuleCtx,
    _arguments: *mut *mut raw::RedisModuleString,
    _count: c_int,
) -> c_int {
    // SAFETY: written by the initialisation, which `RedisModule_OnLoad` saw succeed.
    let Some(reply) = (unsafe { raw::RedisModule_ReplyWithSimpleString }) else { return 1 };
    // SAFETY: the context is this command's, the text is static.
    unsafe { reply(ctx, c"OK".as_ptr()) }
}

unsafe extern "C" fn noop_of_four(
    ctx: *mut raw::RedisModuleCtx,
    _arguments: *mut *mut raw::RedisModuleString,
    _count: c_int,
) -> c_int {
    /// As long in decimal as the instants that the check answers, in milliseconds, and the ledgers' life.
    const INSTANT: c_longlong = 1_740_000_000_000;
    const LIFE: c_longlong = 1_740_000_000_000_000;
    // SAFETY: written by the initialisation, which `RedisModule_OnLoad` saw succeed.
    let Some(array) = (unsafe { raw::RedisModule_ReplyWithArray }) else { return 1 };
    // SAFETY: as above.
    let Some(number) = (unsafe { raw::RedisModule_ReplyWithLongLong }) else { return 1 };
    // SAFETY: the context is this command's; as much follows as is said.
    let mut status = unsafe { array(ctx, 4) };
    // SAFETY: the context is this command's.
    status |= unsafe { noop(ctx, core::ptr::null_mut(), 0) };
    for value in [INSTANT, INSTANT, LIFE] {
        // SAFETY: the context is this command's.
        status |= unsafe { number(ctx, value) };
    }
    status
}
