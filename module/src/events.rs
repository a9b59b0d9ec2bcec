//! What happens to the server as a whole, and who must hear of it. A module has one listener for
//! each event, so all of them are here, above whoever must hear of one, and nobody else subscribes.
//!
//! ```text
//! event                               confirmation    life of the fence    life of verdicts
//! the server's role changes           void            ends                 ends
//! a replica loses its primary         void            ends                 ends
//! FLUSHALL, FLUSHDB or SWAPDB         void            ends                 ends
//! a data set is loaded                                ends                 ends
//! a replica comes online              it is told
//! ```

use core::ffi::c_void;

use redis_module::raw;

use crate::commands::confirm;
use crate::ledger::endings;
use crate::server::ffi::{self, Ctx};
use crate::server::{confirmed, life};

/// Asks to be told, from the beginning of this start on.
pub(crate) fn register(ctx: Ctx) {
    life::begin();
    let events: [(u64, raw::RedisModuleEventCallback); 6] = [
        (raw::REDISMODULE_EVENT_REPLICATION_ROLE_CHANGED, Some(replaced)),
        (raw::REDISMODULE_EVENT_MASTER_LINK_CHANGE, Some(link_changed)),
        (raw::REDISMODULE_EVENT_FLUSHDB, Some(replaced)),
        (raw::REDISMODULE_EVENT_SWAPDB, Some(replaced)),
        (raw::REDISMODULE_EVENT_LOADING, Some(loading)),
        (raw::REDISMODULE_EVENT_REPLICA_CHANGE, Some(replica_changed)),
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
    _change: u64,
    _data: *mut c_void,
) {
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
