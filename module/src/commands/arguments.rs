//! What each command takes, as `COMMAND DOCS` tells it.

use core::ffi::CStr;

use redis_module::raw;

/// An argument, possibly with a keyword before it or parts inside.
pub(crate) struct ArgSpec {
    pub(crate) name: &'static CStr,
    pub(crate) kind: raw::RedisModuleCommandArgType,
    pub(crate) token: Option<&'static CStr>,
    pub(crate) flags: u32,
    pub(crate) parts: &'static [ArgSpec],
}

const fn arg(name: &'static CStr, kind: raw::RedisModuleCommandArgType) -> ArgSpec {
    ArgSpec { name, kind, token: None, flags: raw::REDISMODULE_CMD_ARG_NONE, parts: &[] }
}

pub(crate) const KEY: raw::RedisModuleCommandArgType =
    raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_KEY;
const TEXT: raw::RedisModuleCommandArgType =
    raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_STRING;
const INTEGER: raw::RedisModuleCommandArgType =
    raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_INTEGER;
const UNIX_TIME: raw::RedisModuleCommandArgType =
    raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_UNIX_TIME;
const WORD: raw::RedisModuleCommandArgType =
    raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_PURE_TOKEN;
const ONE_OF: raw::RedisModuleCommandArgType =
    raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_ONEOF;
const BLOCK: raw::RedisModuleCommandArgType =
    raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_BLOCK;

impl ArgSpec {
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

static TOKEN: [ArgSpec; 2] = [arg(c"token", TEXT), arg(c"hex64", TEXT).after(c"DIGEST")];
static EXPIRY: [ArgSpec; 4] = [
    arg(c"seconds", INTEGER).after(c"EX"),
    arg(c"milliseconds", INTEGER).after(c"PX"),
    arg(c"unix-time-seconds", UNIX_TIME).after(c"EXAT"),
    arg(c"unix-time-milliseconds", UNIX_TIME).after(c"PXAT"),
];
static ISSUED: [ArgSpec; 2] = [
    arg(c"iat-seconds", UNIX_TIME).after(c"IAT"),
    arg(c"iat-milliseconds", UNIX_TIME).after(c"IATMS"),
];
pub(super) static CHECK_ARGS: [ArgSpec; 5] = [
    arg(c"key", KEY),
    arg(c"subject-token", ONE_OF).of(&TOKEN),
    arg(c"id", TEXT).after(c"SESSION").optional(),
    arg(c"issued", ONE_OF).of(&ISSUED).optional(),
    arg(c"until", WORD).after(c"UNTIL").optional(),
];
pub(super) static BLACKLIST_ARGS: [ArgSpec; 3] = [
    arg(c"key", KEY),
    arg(c"subject-token", ONE_OF).of(&TOKEN),
    arg(c"expiry", ONE_OF).of(&EXPIRY).optional(),
];
pub(super) static CREATE_ARGS: [ArgSpec; 9] = [
    arg(c"key", KEY),
    arg(c"id", TEXT),
    arg(c"expiry", ONE_OF).of(&EXPIRY),
    arg(c"idle-seconds", INTEGER).after(c"IDLE").optional(),
    arg(c"count", INTEGER).after(c"MAX").optional(),
    arg(c"bytes", TEXT).after(c"DEVICE").optional(),
    arg(c"created-milliseconds", UNIX_TIME).after(c"CREATED").optional(),
    arg(c"seen-milliseconds", UNIX_TIME).after(c"SEEN").optional(),
    arg(c"token", TEXT).after(c"FENCE").optional(),
];
pub(super) static GET_ARGS: [ArgSpec; 2] = [arg(c"key", KEY), arg(c"id", TEXT)];
pub(super) static LIST_ARGS: [ArgSpec; 1] = [arg(c"key", KEY)];
pub(super) static TOUCH_ARGS: [ArgSpec; 3] = [
    arg(c"key", KEY),
    arg(c"id", TEXT),
    arg(c"unix-time-milliseconds", UNIX_TIME).after(c"AT").optional(),
];
pub(super) static REVOKE_ARGS: [ArgSpec; 2] = [arg(c"key", KEY), arg(c"id", TEXT).repeated()];
pub(super) static REVOKEALL_ARGS: [ArgSpec; 3] = [
    arg(c"key", KEY),
    arg(c"id", TEXT).after(c"EXCEPT").optional(),
    arg(c"unix-time-milliseconds", UNIX_TIME).after(c"AT").optional(),
];

static FORCE: [ArgSpec; 2] =
    [arg(c"milliseconds", INTEGER).after(c"PX"), arg(c"note", WORD).after(c"NOTE")];
static MARK: [ArgSpec; 2] =
    [arg(c"mark", TEXT).after(c"MARK"), arg(c"known-mark", TEXT).after(c"IF").optional()];
static CONFIRMATION: [ArgSpec; 4] = [
    arg(c"life", INTEGER).after(c"LIFE").optional(),
    arg(c"force", ONE_OF).of(&FORCE).optional(),
    arg(c"new-mark", BLOCK).of(&MARK).optional(),
    arg(c"unix-time-milliseconds", UNIX_TIME).after(c"BEFORE").optional(),
];
static CONFIRM_WHAT: [ArgSpec; 2] =
    [arg(c"confirmation", BLOCK).of(&CONFIRMATION), arg(c"forget", WORD).after(c"FORGET")];
pub(super) static CONFIRM_ARGS: [ArgSpec; 2] =
    [arg(c"run-id", TEXT), arg(c"what", ONE_OF).of(&CONFIRM_WHAT).optional()];
