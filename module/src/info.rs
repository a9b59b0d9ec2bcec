//! `INFO portcullis`: what this server was asked and what it answered, since it started.
//!
//! May use every room below `lib`, and only reads.

use core::ffi::c_int;
use std::ffi::CString;

use portcullis_core::Mark;
use redis_module::raw;

use crate::ledger::endings;
use crate::server::{all_ledgers, confirmed, ffi, life};
use crate::{config, counters};

/// This module's version, as a C string.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
/// How it was built; where tests and debug builds must not be taken for the real thing.
const BUILD: &str = if cfg!(debug_assertions) { "debug\0" } else { "release\0" };

/// Registers the section.
pub(crate) fn register(ctx: ffi::Ctx) {
    // SAFETY: `ctx` is that of the load.
    unsafe { ffi::register_info(ctx, Some(write)) };
}

unsafe extern "C" fn write(ctx: *mut raw::RedisModuleInfoCtx, _for_crash_report: c_int) {
    // SAFETY: `ctx` is good during this callback; an empty name is the module's own section.
    unsafe { ffi::info_section(ctx, c"".as_ptr()) };
    for (name, text) in [(c"version", VERSION), (c"build", BUILD)] {
        // SAFETY: as above; the text ends with NUL.
        unsafe { ffi::info_text(ctx, name.as_ptr(), text.as_ptr().cast()) };
    }
    let all = all_ledgers::shown();
    let mark = CString::new(all.mark().map_or("", Mark::text)).unwrap_or_default();
    // SAFETY: as above.
    unsafe { ffi::info_text(ctx, c"mark".as_ptr(), mark.as_ptr()) };
    let (fence_life, endings, overflows) = endings::figures();
    let left = confirmed::left().unwrap_or_default();
    let lease_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    let states = [
        (c"confirmed", u64::from(confirmed::is_confirmed())),
        (c"require_confirm", u64::from(config::requires_confirm())),
        (c"lease_ms", lease_ms),
        (c"before", all.watermark().0),
        (c"check_life", u64::try_from(life::present()).unwrap_or(0)),
        (c"fence_life", fence_life),
        (c"fence_endings", u64::try_from(endings).unwrap_or(u64::MAX)),
        (c"fence_overflows", overflows),
    ];
    for (name, value) in states.into_iter().chain(counters::all()) {
        // SAFETY: as above.
        unsafe { ffi::info_number(ctx, name.as_ptr(), value) };
    }
}
