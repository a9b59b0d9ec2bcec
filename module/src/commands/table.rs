//! The table of the commands: what each is called, where its key is, what it takes.
//!
//! `COMMAND DOCS` and the pages in `docs/commands` say the same; a test compares them.

use core::ffi::{CStr, c_int};

use redis_module::raw;

use crate::commands::arguments::{
    ArgSpec, BLACKLIST_ARGS, CHECK_ARGS, CONFIRM_ARGS, CREATE_ARGS, GET_ARGS, LIST_ARGS,
    REVOKE_ARGS, REVOKEALL_ARGS, TOUCH_ARGS,
};
use crate::commands::entries;

const RO: u32 = raw::REDISMODULE_CMD_KEY_RO | raw::REDISMODULE_CMD_KEY_ACCESS;
const UPDATE: u32 = raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_UPDATE;
/// Ids of other sessions are told, and only who may read the key may learn those.
const UPDATE_AND_TELL: u32 = UPDATE | raw::REDISMODULE_CMD_KEY_ACCESS;
const INSERT: u32 = raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_INSERT;
const DELETE: u32 = raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_DELETE;

/// For clients that route and compare: what is answered depends on the clock.
const TIMED: &CStr = c"nondeterministic_output";

const READ_FLAGS: &CStr = c"readonly fast no-monitor no-slowlog";
const WRITE_FLAGS: &CStr = c"write fast no-monitor no-slowlog";
const GROW_FLAGS: &CStr = c"write deny-oom fast no-monitor no-slowlog";
const SLOW_READ_FLAGS: &CStr = c"readonly no-monitor no-slowlog";
const SLOW_WRITE_FLAGS: &CStr = c"write no-monitor no-slowlog";

/// A command or subcommand.
pub(crate) struct Command {
    pub(crate) name: &'static CStr,
    pub(crate) run: raw::RedisModuleCmdFunc,
    pub(crate) flags: &'static CStr,
    pub(crate) categories: &'static CStr,
    /// Where the key is and what is done to it.
    pub(crate) key: Option<(c_int, u32)>,
    pub(crate) arity: c_int,
    pub(crate) summary: &'static CStr,
    pub(crate) complexity: &'static CStr,
    /// Hints for clients, separated by spaces.
    pub(crate) tips: Option<&'static CStr>,
    pub(crate) args: &'static [ArgSpec],
}

pub(crate) static COMMANDS: [Command; 4] = [
    Command {
        name: c"auth.check",
        run: Some(entries::check),
        flags: READ_FLAGS,
        categories: c"read fast auth-ledger",
        key: Some((1, RO)),
        arity: -3,
        summary: c"Tells whether a token is still valid.",
        complexity: c"O(1); SHA-256 of the token if the ledger holds revoked tokens",
        tips: Some(TIMED),
        args: &CHECK_ARGS,
    },
    Command {
        name: c"auth.blacklist",
        run: Some(entries::blacklist),
        flags: WRITE_FLAGS,
        categories: c"write fast auth-ledger",
        key: Some((1, INSERT)),
        arity: -3,
        summary: c"Revokes a token until it would have expired.",
        complexity: c"O(1)",
        tips: Some(TIMED),
        args: &BLACKLIST_ARGS,
    },
    Command {
        name: c"auth.confirm",
        run: Some(entries::confirm),
        flags: c"write admin no-mandatory-keys",
        categories: c"write slow admin dangerous auth-ledger",
        key: None,
        arity: -2,
        summary: c"Confirms that the ledgers of this server are up to date.",
        complexity: c"O(1)",
        tips: Some(c"request_policy:special"),
        args: &CONFIRM_ARGS,
    },
    Command {
        name: c"auth.fence",
        run: Some(entries::fence),
        flags: c"readonly fast no-monitor no-slowlog",
        categories: c"read fast auth-ledger",
        key: None,
        arity: 1,
        summary: c"Returns a token that sessions created from data read afterwards must carry.",
        complexity: c"O(1)",
        tips: Some(c"nondeterministic_output request_policy:special"),
        args: &[],
    },
];

pub(crate) static SESSION: Command = Command {
    name: c"auth.session",
    run: None,
    flags: c"",
    categories: c"auth-ledger",
    key: None,
    arity: -2,
    summary: c"A container for commands that manage a subject's sessions.",
    complexity: c"Depends on the subcommand",
    tips: None,
    args: &[],
};

pub(crate) static SUBCOMMANDS: [Command; 7] = [
    Command {
        name: c"create",
        run: Some(entries::session_create),
        flags: GROW_FLAGS,
        categories: c"write fast auth-ledger",
        key: Some((2, UPDATE_AND_TELL)),
        arity: -6,
        summary: c"Begins a session, or extends a live one.",
        complexity: c"O(S) with S the number of sessions in the ledger, at most max-sessions",
        tips: Some(TIMED),
        args: &CREATE_ARGS,
    },
    Command {
        name: c"get",
        run: Some(entries::session_get),
        flags: READ_FLAGS,
        categories: c"read fast auth-ledger",
        key: Some((2, RO)),
        arity: 4,
        summary: c"Returns the details of a live session.",
        complexity: c"O(log S) with S the number of sessions in the ledger",
        tips: Some(TIMED),
        args: &GET_ARGS,
    },
    Command {
        name: c"list",
        run: Some(entries::session_list),
        flags: SLOW_READ_FLAGS,
        categories: c"read slow auth-ledger",
        key: Some((2, RO)),
        arity: 3,
        summary: c"Lists the live sessions, most recently seen first.",
        complexity: c"O(S log S) with S the number of sessions in the ledger",
        tips: Some(TIMED),
        args: &LIST_ARGS,
    },
    Command {
        name: c"touch",
        run: Some(entries::session_touch),
        flags: WRITE_FLAGS,
        categories: c"write fast auth-ledger",
        key: Some((2, UPDATE)),
        arity: -4,
        summary: c"Records that a live session was used.",
        complexity: c"O(S) with S the number of sessions in the ledger, at most max-sessions",
        tips: Some(TIMED),
        args: &TOUCH_ARGS,
    },
    Command {
        name: c"revoke",
        run: Some(entries::session_revoke),
        flags: WRITE_FLAGS,
        categories: c"write fast auth-ledger",
        key: Some((2, DELETE)),
        arity: -4,
        summary: c"Ends sessions.",
        complexity:
            c"O((N+S)*log(N+S)) with N ids given and S the number of sessions in the ledger",
        tips: Some(TIMED),
        args: &REVOKE_ARGS,
    },
    Command {
        name: c"revokeall",
        run: Some(entries::session_revokeall),
        flags: SLOW_WRITE_FLAGS,
        categories: c"write slow auth-ledger",
        key: Some((2, DELETE)),
        arity: -3,
        summary: c"Ends every session and, without EXCEPT, every token issued until now.",
        complexity: c"O(S) with S the number of sessions in the ledger",
        tips: Some(TIMED),
        args: &REVOKEALL_ARGS,
    },
    Command {
        name: c"help",
        run: Some(entries::session_help),
        flags: c"allow-loading allow-stale",
        categories: c"slow auth-ledger",
        key: None,
        arity: 2,
        summary: c"Describes the subcommands.",
        complexity: c"O(1)",
        tips: None,
        args: &[],
    },
];
