//! The server's C functions: one table of all that are used.
//!
//! Every SAFETY note here rests on one fact: `missing_function` is asked at load time, and the
//! module is refused where a function of the table is missing, so each pointer is present.

use core::ffi::{CStr, c_char, c_int, c_longlong, c_void};

use redis_module::raw;

/// Declares the functions that are used: a name of ours, Redis's name, and the signature.
macro_rules! functions {
    ($($name:ident = $raw:ident($($arg:ident: $type:ty),*) $(-> $out:ty)?;)*) => {
        $(
            /// The server's function of the same name.
            ///
            /// # Safety
            /// Pointers are as the server handed them out and still valid.
            #[inline]
            #[expect(clippy::allow_attributes, reason = "the signatures are Redis's")]
            #[allow(clippy::too_many_arguments, clippy::type_complexity, reason = "as above")]
            pub(crate) unsafe fn $name($($arg: $type),*) $(-> $out)? {
                // SAFETY: written once by `RedisModule_Init`, before any command can run.
                let function = unsafe { raw::$raw };
                // SAFETY: present, as checked at load.
                let function = unsafe { function.unwrap_unchecked() };
                // SAFETY: the caller vouches for the arguments.
                unsafe { function($($arg),*) }
            }
        )*

        /// The first function that this server does not have, if any.
        pub(crate) fn missing_function() -> Option<&'static str> {
            $(
                // SAFETY: written once by `RedisModule_Init`, before this is asked.
                if unsafe { raw::$raw }.is_none() {
                    return Some(stringify!($raw));
                }
            )*
            None
        }
    };
}

/// What the server's functions answer when all is well.
pub(crate) const OK: c_int = 0;
/// What they answer otherwise.
pub(crate) const ERR: c_int = 1;

pub(crate) type Ctx = *mut raw::RedisModuleCtx;
pub(crate) type Str = *mut raw::RedisModuleString;
pub(crate) type Key = *mut raw::RedisModuleKey;

functions! {
    open_key = RedisModule_OpenKey(ctx: Ctx, name: Str, mode: c_int) -> Key;
    close_key = RedisModule_CloseKey(key: Key);
    key_type = RedisModule_KeyType(key: Key) -> c_int;
    delete_key = RedisModule_DeleteKey(key: Key) -> c_int;
    abs_expire = RedisModule_GetAbsExpire(key: Key) -> c_longlong;
    set_abs_expire = RedisModule_SetAbsExpire(key: Key, at: c_longlong) -> c_int;
    value_type = RedisModule_ModuleTypeGetType(key: Key) -> *mut raw::RedisModuleType;
    value = RedisModule_ModuleTypeGetValue(key: Key) -> *mut c_void;
    set_value = RedisModule_ModuleTypeSetValue(key: Key, kind: *mut raw::RedisModuleType, value: *mut c_void) -> c_int;
    string_bytes = RedisModule_StringPtrLen(string: *const raw::RedisModuleString, length: *mut usize) -> *const c_char;
    string_integer = RedisModule_StringToLongLong(string: *const raw::RedisModuleString, out: *mut c_longlong) -> c_int;
    create_string = RedisModule_CreateString(ctx: Ctx, bytes: *const c_char, length: usize) -> Str;
    free_string = RedisModule_FreeString(ctx: Ctx, string: Str);
    clock_ms = RedisModule_Milliseconds() -> core::ffi::c_longlong;
    monotonic_us = RedisModule_MonotonicMicroseconds() -> u64;
    context_flags = RedisModule_GetContextFlags(ctx: Ctx) -> c_int;
    avoid_replication = RedisModule_AvoidReplicaTraffic() -> c_int;
    signal_modified = RedisModule_SignalModifiedKey(ctx: Ctx, key: Str) -> c_int;
    notify = RedisModule_NotifyKeyspaceEvent(ctx: Ctx, class: c_int, event: *const c_char, key: Str) -> c_int;
    reply_simple = RedisModule_ReplyWithSimpleString(ctx: Ctx, text: *const c_char) -> c_int;
    reply_copy = RedisModule_ReplyWithCallReply(ctx: Ctx, reply: *mut raw::RedisModuleCallReply) -> c_int;
    reply_error = RedisModule_ReplyWithError(ctx: Ctx, text: *const c_char) -> c_int;
    reply_integer = RedisModule_ReplyWithLongLong(ctx: Ctx, value: c_longlong) -> c_int;
    reply_bytes = RedisModule_ReplyWithStringBuffer(ctx: Ctx, bytes: *const c_char, length: usize) -> c_int;
    reply_array = RedisModule_ReplyWithArray(ctx: Ctx, length: core::ffi::c_long) -> c_int;
    reply_map = RedisModule_ReplyWithMap(ctx: Ctx, length: core::ffi::c_long) -> c_int;
    reply_null = RedisModule_ReplyWithNull(ctx: Ctx) -> c_int;
    reply_arity = RedisModule_WrongArity(ctx: Ctx) -> c_int;
    create_command = RedisModule_CreateCommand(ctx: Ctx, name: *const c_char, run: raw::RedisModuleCmdFunc, flags: *const c_char, first: c_int, last: c_int, step: c_int) -> c_int;
    find_command = RedisModule_GetCommand(ctx: Ctx, name: *const c_char) -> *mut raw::RedisModuleCommand;
    create_subcommand = RedisModule_CreateSubcommand(parent: *mut raw::RedisModuleCommand, name: *const c_char, run: raw::RedisModuleCmdFunc, flags: *const c_char, first: c_int, last: c_int, step: c_int) -> c_int;
    set_command_info = RedisModule_SetCommandInfo(command: *mut raw::RedisModuleCommand, info: *const raw::RedisModuleCommandInfo) -> c_int;
    create_data_type = RedisModule_CreateDataType(ctx: Ctx, name: *const c_char, version: c_int, methods: *mut raw::RedisModuleTypeMethods) -> *mut raw::RedisModuleType;
    detached_context = RedisModule_GetDetachedThreadSafeContext(ctx: Ctx) -> Ctx;
    set_module_options = RedisModule_SetModuleOptions(ctx: Ctx, options: c_int);
    register_number = RedisModule_RegisterNumericConfig(ctx: Ctx, name: *const c_char, default: c_longlong, flags: core::ffi::c_uint, min: c_longlong, max: c_longlong, get: raw::RedisModuleConfigGetNumericFunc, set: raw::RedisModuleConfigSetNumericFunc, apply: raw::RedisModuleConfigApplyFunc, data: *mut c_void) -> c_int;
    load_configs = RedisModule_LoadConfigs(ctx: Ctx) -> c_int;
    register_info = RedisModule_RegisterInfoFunc(ctx: Ctx, run: raw::RedisModuleInfoFunc) -> c_int;
    info_section = RedisModule_InfoAddSection(ctx: *mut raw::RedisModuleInfoCtx, name: *const c_char) -> c_int;
    info_number = RedisModule_InfoAddFieldULongLong(ctx: *mut raw::RedisModuleInfoCtx, name: *const c_char, value: core::ffi::c_ulonglong) -> c_int;
    info_text = RedisModule_InfoAddFieldCString(ctx: *mut raw::RedisModuleInfoCtx, name: *const c_char, value: *const c_char) -> c_int;
    save_bytes = RedisModule_SaveStringBuffer(io: *mut raw::RedisModuleIO, bytes: *const c_char, length: usize);
    load_bytes = RedisModule_LoadStringBuffer(io: *mut raw::RedisModuleIO, length: *mut usize) -> *mut c_char;
    is_io_error = RedisModule_IsIOError(io: *mut raw::RedisModuleIO) -> c_int;
    free_bytes = RedisModule_Free(bytes: *mut c_void);
    allocated_size = RedisModule_MallocSize(bytes: *mut c_void) -> usize;
    digest_bytes = RedisModule_DigestAddStringBuffer(digest: *mut raw::RedisModuleDigest, bytes: *const c_char, length: usize);
    digest_number = RedisModule_DigestAddLongLong(digest: *mut raw::RedisModuleDigest, value: c_longlong);
    digest_end = RedisModule_DigestEndSequence(digest: *mut raw::RedisModuleDigest);
    defrag_alloc = RedisModule_DefragAlloc(ctx: *mut raw::RedisModuleDefragCtx, pointer: *mut c_void) -> *mut c_void;
    defrag_enough = RedisModule_DefragShouldStop(ctx: *mut raw::RedisModuleDefragCtx) -> c_int;
    defrag_cursor = RedisModule_DefragCursorGet(ctx: *mut raw::RedisModuleDefragCtx, cursor: *mut core::ffi::c_ulong) -> c_int;
    set_defrag_cursor = RedisModule_DefragCursorSet(ctx: *mut raw::RedisModuleDefragCtx, cursor: core::ffi::c_ulong) -> c_int;
    reply_element = RedisModule_CallReplyArrayElement(reply: *mut raw::RedisModuleCallReply, at: usize) -> *mut raw::RedisModuleCallReply;
    reply_text = RedisModule_CallReplyStringPtr(reply: *mut raw::RedisModuleCallReply, length: *mut usize) -> *const c_char;
    subscribe = RedisModule_SubscribeToServerEvent(ctx: Ctx, event: raw::RedisModuleEvent, run: raw::RedisModuleEventCallback) -> c_int;
    create_timer = RedisModule_CreateTimer(ctx: Ctx, period_ms: raw::mstime_t, run: raw::RedisModuleTimerProc, data: *mut c_void) -> raw::RedisModuleTimerID;
    stop_timer = RedisModule_StopTimer(ctx: Ctx, timer: raw::RedisModuleTimerID, data: *mut *mut c_void) -> c_int;
    server_info = RedisModule_GetServerInfo(ctx: Ctx, section: *const c_char) -> *mut raw::RedisModuleServerInfoData;
    info_field = RedisModule_ServerInfoGetFieldC(info: *mut raw::RedisModuleServerInfoData, name: *const c_char) -> *const c_char;
    free_info = RedisModule_FreeServerInfo(ctx: Ctx, info: *mut raw::RedisModuleServerInfoData);
    register_switch = RedisModule_RegisterBoolConfig(ctx: Ctx, name: *const c_char, default: c_int, flags: core::ffi::c_uint, get: raw::RedisModuleConfigGetBoolFunc, set: raw::RedisModuleConfigSetBoolFunc, apply: raw::RedisModuleConfigApplyFunc, data: *mut c_void) -> c_int;
    free_reply = RedisModule_FreeCallReply(reply: *mut raw::RedisModuleCallReply);
}

/// Writes a line to the server's log.
pub(crate) fn log(ctx: Ctx, level: &CStr, line: &CStr) {
    // SAFETY: written once by `RedisModule_Init`.
    let Some(log) = (unsafe { raw::RedisModule_Log }) else { return };
    // SAFETY: the format takes one C string.
    unsafe { log(ctx, level.as_ptr(), c"%s".as_ptr(), line.as_ptr()) };
}

/// A field of `INFO server`, if the server has it.
pub(crate) fn server_field(ctx: Ctx, name: &CStr) -> Option<Vec<u8>> {
    // SAFETY: the caller's context is that of a command, an event or the load.
    let info = unsafe { server_info(ctx, c"server".as_ptr()) };
    // SAFETY: the info is ours until freed.
    let field = unsafe { info_field(info, name.as_ptr()) };
    let text = (!field.is_null()).then(|| {
        // SAFETY: a C string inside the info.
        unsafe { CStr::from_ptr(field) }.to_bytes().to_vec()
    });
    // SAFETY: ours, freed once.
    unsafe { free_info(ctx, info) };
    text
}
