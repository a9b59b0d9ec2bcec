//! `AUTH.SESSION`: begins, shows, touches and ends the sessions of a subject.

mod create;
mod end;
mod help;
mod options;
mod read;
mod touch;

use core::ffi::c_int;

use redis_module::raw;

use crate::call;

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
    help_entry => help::help,
}
