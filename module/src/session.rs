//! `AUTH.SESSION`: begins, shows, touches and ends the sessions of a subject. Here is what its
//! subcommands share.

mod create;
mod end;
mod read;
mod touch;

use core::ffi::c_int;

use portcullis_core::UnixMs;
use redis_module::raw;

use crate::arg::Arg;
use crate::call::{self, Call};
use crate::errors::{INTEGER, SYNTAX};
use crate::reply::Reply;

/// Declares the C entry of each subcommand.
macro_rules! entries {
    ($($entry:ident => $run:path),* $(,)?) => {
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
    create_entry => create::create,
    get_entry => read::get,
    list_entry => read::list,
    touch_entry => touch::touch,
    revoke_entry => end::revoke,
    revokeall_entry => end::revokeall,
    help_entry => help,
}

fn set_once<T>(slot: &mut Option<T>, value: T) -> Result<(), Reply> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(SYNTAX),
    }
}

/// Milliseconds since the epoch, not negative.
fn instant(value: Arg<'_>) -> Result<UnixMs, Reply> {
    let ms = value.integer().and_then(|ms| u64::try_from(ms).ok()).ok_or(INTEGER)?;
    Ok(UnixMs(ms).min(UnixMs::MAX))
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
    c"CREATE <key> <id> EX <s>|PX <ms>|EXAT <s>|PXAT <ms> [IDLE <s>] [MAX <n>] [DEVICE <bytes>] [CREATED <ms>] [SEEN <ms>] [FENCE <token>]",
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
