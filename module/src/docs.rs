//! The commands as `COMMAND INFO`, `COMMAND DOCS` and ACL rules see them.
//!
//! One table holds everything; `register` turns it into the structures Redis copies from.

use core::ffi::{CStr, c_int};
use core::ptr;

use redis_module::raw;

use crate::{blacklist, check, confirm, ffi, session};

/// The version in which every command here appeared.
const SINCE: &CStr = c"0.1.0";
/// The category that servers since Redis 7.4 and Valkey 8 let modules add.
const CATEGORY: &CStr = c"auth-ledger";

const RO: u32 = raw::REDISMODULE_CMD_KEY_RO | raw::REDISMODULE_CMD_KEY_ACCESS;
const UPDATE: u32 = raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_UPDATE;
const INSERT: u32 = raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_INSERT;
const DELETE: u32 = raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_DELETE;

const READ_FLAGS: &CStr = c"readonly fast no-monitor no-slowlog";
const WRITE_FLAGS: &CStr = c"write fast no-monitor no-slowlog";
const GROW_FLAGS: &CStr = c"write deny-oom fast no-monitor no-slowlog";
const SLOW_READ_FLAGS: &CStr = c"readonly no-monitor no-slowlog";
const SLOW_WRITE_FLAGS: &CStr = c"write no-monitor no-slowlog";

/// A command or subcommand.
struct Command {
    name: &'static CStr,
    run: raw::RedisModuleCmdFunc,
    flags: &'static CStr,
    categories: &'static CStr,
    /// Where the key is and what is done to it.
    key: Option<(c_int, u32)>,
    arity: c_int,
    summary: &'static CStr,
    complexity: &'static CStr,
    args: &'static [Arg],
}

/// An argument, possibly with a keyword before it or parts inside.
struct Arg {
    name: &'static CStr,
    kind: raw::RedisModuleCommandArgType,
    token: Option<&'static CStr>,
    flags: u32,
    parts: &'static [Arg],
}

const fn arg(name: &'static CStr, kind: raw::RedisModuleCommandArgType) -> Arg {
    Arg { name, kind, token: None, flags: raw::REDISMODULE_CMD_ARG_NONE, parts: &[] }
}

const KEY: raw::RedisModuleCommandArgType = raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_KEY;
const TEXT: raw::RedisModuleCommandArgType =
    raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_STRING;
const INTEGER: raw::RedisModuleCommandArgType =
    raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_INTEGER;
const UNIX_TIME: raw::RedisModuleCommandArgType =
    raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_UNIX_TIME;
const ONE_OF: raw::RedisModuleCommandArgType =
    raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_ONEOF;

impl Arg {
    const fn after(self, keyword: &'static CStr) -> Self {
        Self { token: Some(keyword), ..self }
    }

    const fn optional(self) -> Self {
        Self { flags: raw::REDISMODULE_CMD_ARG_OPTIONAL, ..self }
    }

    const fn repeated(self) -> Self {
        Self { flags: raw::REDISMODULE_CMD_ARG_MULTIPLE, ..self }
    }

    const fn of(self, parts: &'static [Self]) -> Self {
        Self { parts, ..self }
    }
}

static TOKEN: [Arg; 2] = [arg(c"token", TEXT), arg(c"hex64", TEXT).after(c"DIGEST")];
static EXPIRY: [Arg; 4] = [
    arg(c"seconds", INTEGER).after(c"EX"),
    arg(c"milliseconds", INTEGER).after(c"PX"),
    arg(c"unix-time-seconds", UNIX_TIME).after(c"EXAT"),
    arg(c"unix-time-milliseconds", UNIX_TIME).after(c"PXAT"),
];
static ISSUED: [Arg; 2] = [
    arg(c"iat-seconds", UNIX_TIME).after(c"IAT"),
    arg(c"iat-milliseconds", UNIX_TIME).after(c"IATMS"),
];
static CHECK_ARGS: [Arg; 4] = [
    arg(c"key", KEY),
    arg(c"subject-token", ONE_OF).of(&TOKEN),
    arg(c"id", TEXT).after(c"SESSION").optional(),
    arg(c"issued", ONE_OF).of(&ISSUED).optional(),
];
static BLACKLIST_ARGS: [Arg; 3] = [
    arg(c"key", KEY),
    arg(c"subject-token", ONE_OF).of(&TOKEN),
    arg(c"expiry", ONE_OF).of(&EXPIRY).optional(),
];
static CREATE_ARGS: [Arg; 8] = [
    arg(c"key", KEY),
    arg(c"id", TEXT),
    arg(c"expiry", ONE_OF).of(&EXPIRY),
    arg(c"idle-seconds", INTEGER).after(c"IDLE").optional(),
    arg(c"count", INTEGER).after(c"MAX").optional(),
    arg(c"bytes", TEXT).after(c"DEVICE").optional(),
    arg(c"created-milliseconds", UNIX_TIME).after(c"CREATED").optional(),
    arg(c"seen-milliseconds", UNIX_TIME).after(c"SEEN").optional(),
];
static GET_ARGS: [Arg; 2] = [arg(c"key", KEY), arg(c"id", TEXT)];
static LIST_ARGS: [Arg; 1] = [arg(c"key", KEY)];
static TOUCH_ARGS: [Arg; 3] = [
    arg(c"key", KEY),
    arg(c"id", TEXT),
    arg(c"unix-time-milliseconds", UNIX_TIME).after(c"AT").optional(),
];
static REVOKE_ARGS: [Arg; 2] = [arg(c"key", KEY), arg(c"id", TEXT).repeated()];
static REVOKEALL_ARGS: [Arg; 3] = [
    arg(c"key", KEY),
    arg(c"id", TEXT).after(c"EXCEPT").optional(),
    arg(c"unix-time-milliseconds", UNIX_TIME).after(c"AT").optional(),
];

static CONFIRM_ARGS: [Arg; 1] = [arg(c"run-id", TEXT)];

static COMMANDS: [Command; 3] = [
    Command {
        name: c"auth.check",
        run: Some(check::entry),
        flags: READ_FLAGS,
        categories: c"read fast auth-ledger",
        key: Some((1, RO)),
        arity: -3,
        summary: c"Tells whether a token is still good.",
        complexity: c"O(1); SHA-256 of the token where the ledger holds revoked tokens",
        args: &CHECK_ARGS,
    },
    Command {
        name: c"auth.blacklist",
        run: Some(blacklist::entry),
        flags: WRITE_FLAGS,
        categories: c"write fast auth-ledger",
        key: Some((1, INSERT)),
        arity: -3,
        summary: c"Revokes a token until it would have expired.",
        complexity: c"O(1)",
        args: &BLACKLIST_ARGS,
    },
    Command {
        name: c"auth.confirm",
        run: Some(confirm::entry),
        flags: c"write admin no-mandatory-keys",
        categories: c"write slow admin dangerous auth-ledger",
        key: None,
        arity: 2,
        summary: c"Says that the ledgers of this server are up to date.",
        complexity: c"O(1)",
        args: &CONFIRM_ARGS,
    },
];

static SESSION: Command = Command {
    name: c"auth.session",
    run: None,
    flags: c"",
    categories: c"auth-ledger",
    key: None,
    arity: -2,
    summary: c"A container for commands about the sessions of a subject.",
    complexity: c"Depends on the subcommand",
    args: &[],
};

static SUBCOMMANDS: [Command; 7] = [
    Command {
        name: c"create",
        run: Some(session::create_entry),
        flags: GROW_FLAGS,
        categories: c"write fast auth-ledger",
        key: Some((2, UPDATE)),
        arity: -6,
        summary: c"Begins a session, or prolongs a live one.",
        complexity: c"O(S) with S the number of sessions in the ledger, at most max-sessions",
        args: &CREATE_ARGS,
    },
    Command {
        name: c"get",
        run: Some(session::get_entry),
        flags: READ_FLAGS,
        categories: c"read fast auth-ledger",
        key: Some((2, RO)),
        arity: 4,
        summary: c"Returns what is known of a live session.",
        complexity: c"O(log S) with S the number of sessions in the ledger",
        args: &GET_ARGS,
    },
    Command {
        name: c"list",
        run: Some(session::list_entry),
        flags: SLOW_READ_FLAGS,
        categories: c"read slow auth-ledger",
        key: Some((2, RO)),
        arity: 3,
        summary: c"Lists the live sessions, most recently seen first.",
        complexity: c"O(S log S) with S the number of sessions in the ledger",
        args: &LIST_ARGS,
    },
    Command {
        name: c"touch",
        run: Some(session::touch_entry),
        flags: WRITE_FLAGS,
        categories: c"write fast auth-ledger",
        key: Some((2, UPDATE)),
        arity: -4,
        summary: c"Notes that a live session was used.",
        complexity: c"O(S) with S the number of sessions in the ledger, at most max-sessions",
        args: &TOUCH_ARGS,
    },
    Command {
        name: c"revoke",
        run: Some(session::revoke_entry),
        flags: WRITE_FLAGS,
        categories: c"write fast auth-ledger",
        key: Some((2, DELETE)),
        arity: -4,
        summary: c"Ends sessions.",
        complexity: c"O(N*S) with N ids given and S the number of sessions in the ledger",
        args: &REVOKE_ARGS,
    },
    Command {
        name: c"revokeall",
        run: Some(session::revokeall_entry),
        flags: SLOW_WRITE_FLAGS,
        categories: c"write slow auth-ledger",
        key: Some((2, DELETE)),
        arity: -3,
        summary: c"Ends every session and, without EXCEPT, every token issued until now.",
        complexity: c"O(S) with S the number of sessions in the ledger",
        args: &REVOKEALL_ARGS,
    },
    Command {
        name: c"help",
        run: Some(session::help_entry),
        flags: c"allow-loading allow-stale",
        categories: c"slow auth-ledger",
        key: None,
        arity: 2,
        summary: c"Describes the subcommands.",
        complexity: c"O(1)",
        args: &[],
    },
];

/// Registers every command; the name of the one that the server refused otherwise.
pub(crate) fn register(ctx: *mut raw::RedisModuleCtx) -> Result<(), &'static CStr> {
    add_category(ctx);
    for command in COMMANDS.iter().chain([&SESSION]) {
        let (first, last, step) = command.key_range();
        let (name, flags) = (command.name.as_ptr(), command.flags.as_ptr());
        // SAFETY: `ctx` is that of the load; Redis copies the texts.
        let status =
            unsafe { ffi::create_command(ctx, name, command.run, flags, first, last, step) };
        // SAFETY: as above; null if there is no such command.
        let handle = unsafe { ffi::find_command(ctx, name) };
        command.describe(handle, status)?;
    }
    // SAFETY: as above.
    let parent = unsafe { ffi::find_command(ctx, SESSION.name.as_ptr()) };
    for command in &SUBCOMMANDS {
        let (first, last, step) = command.key_range();
        let (name, flags) = (command.name.as_ptr(), command.flags.as_ptr());
        // SAFETY: as above.
        let status =
            unsafe { ffi::create_subcommand(parent, name, command.run, flags, first, last, step) };
        let full = [SESSION.name.to_bytes(), b"|", command.name.to_bytes_with_nul()].concat();
        // SAFETY: as above.
        let handle = unsafe { ffi::find_command(ctx, full.as_ptr().cast()) };
        command.describe(handle, status)?;
    }
    Ok(())
}

fn add_category(ctx: *mut raw::RedisModuleCtx) {
    // SAFETY: written once by `RedisModule_Init`; absent before Redis 7.4.
    if let Some(add) = unsafe { raw::RedisModule_AddACLCategory } {
        // SAFETY: `ctx` is that of the load; Redis copies the text.
        unsafe { add(ctx, CATEGORY.as_ptr()) };
    }
}

impl Command {
    fn key_range(&self) -> (c_int, c_int, c_int) {
        self.key.map_or((0, 0, 0), |(at, _)| (at, at, 1))
    }

    fn describe(
        &self,
        handle: *mut raw::RedisModuleCommand,
        created: c_int,
    ) -> Result<(), &'static CStr> {
        if created != ffi::OK || handle.is_null() {
            return Err(self.name);
        }
        let specs = self.key_specs();
        let args = Args::build(self.args);
        let info = raw::RedisModuleCommandInfo {
            version: &raw const VERSION,
            summary: self.summary.as_ptr(),
            complexity: self.complexity.as_ptr(),
            since: SINCE.as_ptr(),
            history: ptr::null_mut(),
            tips: ptr::null(),
            arity: self.arity,
            key_specs: specs.as_ptr().cast_mut(),
            args: args.list.as_ptr().cast_mut(),
        };
        // SAFETY: everything `info` points to lives until the end of this function; Redis copies.
        let status = unsafe { ffi::set_command_info(handle, &raw const info) };
        self.categorise(handle);
        if status == ffi::OK { Ok(()) } else { Err(self.name) }
    }

    /// Redis 7.0 puts module commands into no category. A server that can, but has no category of
    /// ours, gets the others.
    fn categorise(&self, handle: *mut raw::RedisModuleCommand) {
        // SAFETY: written once by `RedisModule_Init`; absent before Redis 7.2.
        let Some(set) = (unsafe { raw::RedisModule_SetCommandACLCategories }) else { return };
        // SAFETY: `handle` is a command of ours; the text is read at once.
        if unsafe { set(handle, self.categories.as_ptr()) } == ffi::OK {
            return;
        }
        let own = CATEGORY.to_bytes().len();
        let all = self.categories.to_bytes();
        let rest = all.get(..all.len().saturating_sub(own)).unwrap_or_default().trim_ascii();
        let rest = [rest, b"\0"].concat();
        // SAFETY: as above; ends with NUL.
        unsafe { set(handle, rest.as_ptr().cast()) };
    }

    /// The key specification and the terminator, or only that.
    fn key_specs(&self) -> Vec<raw::RedisModuleCommandKeySpec> {
        let spec = |(at, flags): (c_int, u32)| raw::RedisModuleCommandKeySpec {
            notes: ptr::null(),
            flags: flags.into(),
            begin_search_type: raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_INDEX,
            bs: raw::RedisModuleCommandKeySpec__bindgen_ty_1 {
                index: raw::RedisModuleCommandKeySpec__bindgen_ty_1__bindgen_ty_1 { pos: at },
            },
            find_keys_type: raw::RedisModuleKeySpecFindKeysType_REDISMODULE_KSPEC_FK_RANGE,
            fk: raw::RedisModuleCommandKeySpec__bindgen_ty_2 {
                range: raw::RedisModuleCommandKeySpec__bindgen_ty_2__bindgen_ty_1 {
                    lastkey: 0,
                    keystep: 1,
                    limit: 0,
                },
            },
        };
        // SAFETY: all zero is the terminator Redis looks for, and valid for integers and pointers.
        let terminator = unsafe { core::mem::zeroed() };
        self.key.map(spec).into_iter().chain([terminator]).collect()
    }
}

static VERSION: raw::RedisModuleCommandInfoVersion = raw::RedisModuleCommandInfoVersion {
    version: 1,
    sizeof_historyentry: size_of::<raw::RedisModuleCommandHistoryEntry>(),
    sizeof_keyspec: size_of::<raw::RedisModuleCommandKeySpec>(),
    sizeof_arg: size_of::<raw::RedisModuleCommandArg>(),
};

/// C structures for arguments; the parts live as long as the list that points to them.
struct Args {
    list: Vec<raw::RedisModuleCommandArg>,
    _parts: Vec<Self>,
}

impl Args {
    fn build(args: &[Arg]) -> Self {
        let parts: Vec<Self> = args.iter().map(|arg| Self::build(arg.parts)).collect();
        let with_parts = args.iter().zip(&parts);
        let convert = |(arg, parts): (&Arg, &Self)| raw::RedisModuleCommandArg {
            name: arg.name.as_ptr(),
            type_: arg.kind,
            key_spec_index: if arg.kind == KEY { 0 } else { -1 },
            token: arg.token.map_or(ptr::null(), CStr::as_ptr),
            summary: ptr::null(),
            since: ptr::null(),
            flags: arg.flags.cast_signed(),
            deprecated_since: ptr::null(),
            subargs: if arg.parts.is_empty() {
                ptr::null_mut()
            } else {
                parts.list.as_ptr().cast_mut()
            },
            display_text: ptr::null(),
        };
        // SAFETY: all zero is the terminator Redis looks for, and valid for integers and pointers.
        let terminator = unsafe { core::mem::zeroed() };
        let list = with_parts.map(convert).chain([terminator]).collect();
        Self { list, _parts: parts }
    }
}
