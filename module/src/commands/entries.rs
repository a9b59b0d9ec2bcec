//! Where Redis enters: the C function of each command. Here is nothing but the way in; what a
//! command does is in its own file.

use core::ffi::c_int;

use crate::commands::session::{create, end, help, read, touch};
use crate::commands::{blacklist, check, confirm, fence};
use crate::server::call;
use crate::server::ffi::{Ctx, Str};

/// Declares the C entry of each command.
macro_rules! entries {
    ($($entry:ident => $run:path),* $(,)?) => {
        $(
            pub(crate) unsafe extern "C" fn $entry(
                ctx: Ctx,
                first: *mut Str,
                count: c_int,
            ) -> c_int {
                // SAFETY: the arguments are what Redis gave.
                unsafe { call::run_command(ctx, first, count, $run) }
            }
        )*
    };
}

entries! {
    check => check::check,
    blacklist => blacklist::blacklist,
    confirm => confirm::confirm,
    fence => fence::fence,
    session_create => create::create,
    session_get => read::get,
    session_list => read::list,
    session_touch => touch::touch,
    session_revoke => end::revoke,
    session_revokeall => end::revokeall,
    session_help => help::help,
}
