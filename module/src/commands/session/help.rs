//! `AUTH.SESSION HELP`: the subcommands in a few words.

use core::ffi::CStr;

use crate::server::call::Call;
use crate::server::reply::Reply;

/// `AUTH.SESSION HELP`
pub(crate) fn help(call: &Call<'_>) -> Reply {
    call.reply_array(HELP.len());
    for line in HELP {
        call.reply(Reply::Simple(line));
    }
    Reply::Sent
}

const HELP: [&CStr; 16] = [
    c"AUTH.SESSION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    c"CREATE <key> <id> EX <s>|PX <ms>|EXAT <s>|PXAT <ms> [IDLE <s>] [MAX <n>] [DEVICE <bytes>] [CREATED <ms>] [SEEN <ms>] [FENCE <token>]",
    c"    Begin a session, or extend a live one. Return the ids of sessions evicted because of MAX.",
    c"GET <key> <id>",
    c"    Return the details of a live session.",
    c"LIST <key>",
    c"    Return the live sessions, most recently seen first.",
    c"TOUCH <key> <id> [AT <ms>]",
    c"    Record that a live session was used. Return 1, or 0 if it is not live.",
    c"REVOKE <key> <id> [<id> ...]",
    c"    End sessions. Return how many of them were live.",
    c"REVOKEALL <key> [EXCEPT <id>] [AT <ms>]",
    c"    End all sessions begun by AT, or now; without EXCEPT every token issued by then dies",
    c"    as well. Return how many sessions were live.",
    c"HELP",
    c"    Print this help.",
];
