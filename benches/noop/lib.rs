//! A Redis module whose one command, `BENCH.NOOP …`, takes anything and answers `OK`.
//!
//! What the server spends on it, it spends on every module command: this is the ceiling that
//! `AUTH.CHECK` is measured against. Not part of the product.

use core::ffi::c_int;

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
    let (name, flags) = (c"BENCH.NOOP".as_ptr(), c"readonly fast".as_ptr());
    // SAFETY: the context is that of the load, the texts are static.
    status | unsafe { create(ctx, name, Some(noop), flags, 1, 1, 1) }
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
