//! The Redis module: `AUTH.CHECK`, `AUTH.BLACKLIST`, `AUTH.SESSION` and the data type behind them.
//!
//! This file is the contents page: what is registered, and in which order. The rules are in
//! `core`; here is only glue.
//!
//! Each room may use those before it, and `core`; the head of its file says what it must not:
//!
//! ```text
//! server <- config, counters <- ledger <- commands <- info, events <- lib
//! ```

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unreachable
)]

mod commands;
mod config;
mod counters;
mod events;
mod info;
mod ledger;
mod server;

use core::ffi::{CStr, c_int};
use std::ffi::CString;

use redis_module::alloc::RedisAlloc;
use redis_module::raw;

use crate::commands::docs;
use crate::ledger::data_type;
use crate::server::{abilities, ask, ffi, load, reply};

/// Memory comes from Redis, so that `INFO memory` and `maxmemory` see it.
#[global_allocator]
static ALLOCATOR: RedisAlloc = RedisAlloc;

const NAME: &CStr = c"portcullis";
/// 0.1.0 as Redis lists it: major × 10,000 + minor × 100 + patch.
const VERSION: c_int = 100;
/// The oldest server that has all that is needed.
const OLDEST_SERVER: c_int = 0x0007_0000;

/// Called by Redis when the module is loaded.
///
/// # Safety
/// Only Redis calls this, with a context and `count` strings at `first`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn RedisModule_OnLoad(
    ctx: ffi::Ctx,
    first: *mut ffi::Str,
    count: c_int,
) -> c_int {
    // SAFETY: fetches the server's functions; has to come first, before anything allocates.
    unsafe { raw::Export_RedisModule_InitAPI(ctx) };
    let loaded = std::panic::catch_unwind(|| {
        refuse_unfit_server()?;
        // SAFETY: `ctx` is Redis's; the name is static.
        let status = unsafe { raw::Export_RedisModule_Init(ctx, NAME.as_ptr(), VERSION, 1) };
        if status != ffi::OK {
            return Err("it is already loaded".to_owned());
        }
        // SAFETY: the arguments are what Redis gave.
        register(ctx, &unsafe { load::load_args(first, count) }?)
    });
    match loaded.unwrap_or_else(|_| Err("it panicked; please report this".to_owned())) {
        Ok(()) => ffi::OK,
        Err(why) => {
            let line = CString::new(format!("portcullis is not loaded: {why}"));
            ffi::log(ctx, c"warning", &line.unwrap_or_default());
            ffi::ERR
        }
    }
}

fn refuse_unfit_server() -> Result<(), String> {
    // SAFETY: written by the initialisation above; absent on old servers.
    let version = unsafe { raw::RedisModule_GetServerVersion };
    // SAFETY: takes no pointers.
    let version = version.map_or(0, |version| unsafe { version() });
    if version < OLDEST_SERVER {
        return Err("it needs Redis 7.0, Valkey 8 or later; upgrade the server".to_owned());
    }
    match ffi::missing_function() {
        Some(name) => Err(format!("this server has no {name}; use Redis 7.0, Valkey 8 or later")),
        None => Ok(()),
    }
}

fn register(ctx: ffi::Ctx, args: &[load::LoadArg]) -> Result<(), String> {
    abilities::begin(ctx);
    if !data_type::register(ctx) {
        return Err("the server refused the data type authledgr".to_owned());
    }
    docs::register(ctx).map_err(|name| format!("the server refused the command {name:?}"))?;
    config::register(ctx, args)?;
    info::register(ctx);
    events::register(ctx);
    reply::prepare_ok(ctx);
    warn_of_forgetting(ctx);
    Ok(())
}

/// A server that evicts or forgets ledgers brings revoked tokens back to life.
fn warn_of_forgetting(ctx: ffi::Ctx) {
    let says = |name: &CStr, value: &[u8]| ask::config(ctx, name).as_deref() == Some(value);
    if !says(c"maxmemory-policy", b"noeviction") {
        ffi::log(
            ctx,
            c"warning",
            c"maxmemory-policy can evict ledgers, and an evicted ledger revokes nothing: \
              set maxmemory-policy noeviction",
        );
    }
    if says(c"appendonly", b"no") && says(c"save", b"") {
        ffi::log(
            ctx,
            c"warning",
            c"neither AOF nor RDB is on, so a restart forgets every revocation: \
              set appendonly yes",
        );
    }
}
