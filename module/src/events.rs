//! What happens to the server as a whole, and who must hear of it. A module has one listener for
//! each event, so all of them are here, above whoever must hear of one, and nobody else subscribes.
//!
//! ```text
//! event                          confirmation    mark          life of the fence    life of verdicts
//! the server's role changes      void            stays         ends                 ends
//! a replica loses its primary    void            stays         ends                 ends
//! FLUSHALL, FLUSHDB or SWAPDB    void            lost          ends                 ends
//! a data set is loaded                           comes with it ends                 ends
//! a replica comes online         it is told
//! the server forks                               logged again
//! ```
//!
//! The watermark of everybody comes with a data set like the mark, is logged again with it, and is lost
//! with nothing: a `FLUSHDB` of one database must not bring back what has ended in another.
//!
//! It forks to rewrite its AOF, among other things. If that is rewritten as commands, these tell of
//! ledgers only; but whatever is logged from before the fork on comes behind them, so mark and watermark
//! are logged once more then.

use core::ffi::c_void;

use redis_module::raw;

use crate::commands::confirm;
use crate::ledger::endings;
use crate::server::ffi::{self, Ctx};
use crate::server::{all_ledgers, confirmed, life};

/// Asks to be told, from the beginning of this start on.
pub(crate) fn register(ctx: Ctx) {
    life::begin();
    let events: [(u64, raw::RedisModuleEventCallback); 7] = [
        (raw::REDISMODULE_EVENT_REPLICATION_ROLE_CHANGED, Some(replaced)),
        (raw::REDISMODULE_EVENT_MASTER_LINK_CHANGE, Some(link_changed)),
        (raw::REDISMODULE_EVENT_FLUSHDB, Some(emptied)),
        (raw::REDISMODULE_EVENT_SWAPDB, Some(emptied)),
        (raw::REDISMODULE_EVENT_LOADING, Some(loading)),
        (raw::REDISMODULE_EVENT_REPLICA_CHANGE, Some(replica_changed)),
        (raw::REDISMODULE_EVENT_FORK_CHILD, Some(forked)),
    ];
    for (id, run) in events {
        let event = raw::RedisModuleEvent { id, dataver: 1 };
        // SAFETY: `ctx` is that of the load.
        unsafe { ffi::subscribe(ctx, event, run) };
    }
}

/// The ledgers may be others from here on.
fn start_anew() {
    confirmed::void();
    endings::begin_life();
}

unsafe extern "C" fn replaced(
    _ctx: Ctx,
    _event: raw::RedisModuleEvent,
    _change: u64,
    _data: *mut c_void,
) {
    start_anew();
}

unsafe extern "C" fn emptied(
    _ctx: Ctx,
    _event: raw::RedisModuleEvent,
    _change: u64,
    _data: *mut c_void,
) {
    all_ledgers::lose_mark();
    start_anew();
}

unsafe extern "C" fn link_changed(
    _ctx: Ctx,
    _event: raw::RedisModuleEvent,
    change: u64,
    _data: *mut c_void,
) {
    if change == raw::REDISMODULE_SUBEVENT_MASTER_LINK_DOWN {
        start_anew();
    }
}

unsafe extern "C" fn loading(
    _ctx: Ctx,
    _event: raw::RedisModuleEvent,
    change: u64,
    _data: *mut c_void,
) {
    match change {
        raw::REDISMODULE_SUBEVENT_LOADING_ENDED => all_ledgers::end_loading(true),
        raw::REDISMODULE_SUBEVENT_LOADING_FAILED => all_ledgers::end_loading(false),
        _ => all_ledgers::begin_loading(),
    }
    endings::begin_life();
    life::rise();
}

unsafe extern "C" fn replica_changed(
    ctx: Ctx,
    _event: raw::RedisModuleEvent,
    change: u64,
    _data: *mut c_void,
) {
    if change == raw::REDISMODULE_SUBEVENT_REPLICA_CHANGE_ONLINE {
        confirm::tell_replicas_soon(ctx);
    }
}

unsafe extern "C" fn forked(
    ctx: Ctx,
    _event: raw::RedisModuleEvent,
    change: u64,
    _data: *mut c_void,
) {
    if change == raw::REDISMODULE_SUBEVENT_FORK_CHILD_BORN {
        confirm::log_again_soon(ctx);
    }
}
