//! The server's C functions, as safe calls. Nothing else in this crate calls them.
//!
//! Every SAFETY note here rests on three facts. (1) `Server::missing_function` is asked at load
//! time, and the module is refused where a function of the table below is missing, so each pointer
//! is present. (2) Redis hands a command pointers that stay valid and unchanged until the command
//! returns, and `Call` does not outlive it. (3) All commands and callbacks but `free` run on the
//! server's main thread.

use core::ffi::{CStr, c_char, c_int, c_longlong, c_void};
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind};

use portcullis_core::{Now, UnixMs};
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
                // SAFETY: present, as checked at load (fact 1).
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

type Ctx = *mut raw::RedisModuleCtx;
type Str = *mut raw::RedisModuleString;
type Key = *mut raw::RedisModuleKey;

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
    context_flags = RedisModule_GetContextFlags(ctx: Ctx) -> c_int;
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
    server_info = RedisModule_GetServerInfo(ctx: Ctx, section: *const c_char) -> *mut raw::RedisModuleServerInfoData;
    info_field = RedisModule_ServerInfoGetFieldC(info: *mut raw::RedisModuleServerInfoData, name: *const c_char) -> *const c_char;
    free_info = RedisModule_FreeServerInfo(ctx: Ctx, info: *mut raw::RedisModuleServerInfoData);
    register_switch = RedisModule_RegisterBoolConfig(ctx: Ctx, name: *const c_char, default: c_int, flags: core::ffi::c_uint, get: raw::RedisModuleConfigGetBoolFunc, set: raw::RedisModuleConfigSetBoolFunc, apply: raw::RedisModuleConfigApplyFunc, data: *mut c_void) -> c_int;
    free_reply = RedisModule_FreeCallReply(reply: *mut raw::RedisModuleCallReply);
}

/// A setting's name and value as given at load.
pub(crate) type LoadArg = (Vec<u8>, Vec<u8>);

/// Reads the name-value pairs given at load.
///
/// # Safety
/// The arguments are what Redis gave to the load function.
pub(crate) unsafe fn load_args(
    first: *mut *mut raw::RedisModuleString,
    count: c_int,
) -> Result<Vec<LoadArg>, String> {
    let count = usize::try_from(count).unwrap_or(0);
    if count == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: Redis gives `count` strings at `first`.
    let strings = unsafe { core::slice::from_raw_parts(first.cast_const(), count) };
    let (pairs, []) = strings.as_chunks::<2>() else {
        return Err("arguments come in pairs: a setting's name and its value".to_owned());
    };
    let read = |[name, value]: &[Str; 2]| {
        (Arg { string: name }.bytes().to_vec(), Arg { string: value }.bytes().to_vec())
    };
    Ok(pairs.iter().map(read).collect())
}

/// One command as it runs: its arguments, its clock, and ways to answer.
pub(crate) struct Call<'a> {
    ctx: Ctx,
    args: &'a [Str],
}

/// Where a command comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Somebody who asks for it now.
    Client,
    /// The primary of this replica, where it has happened.
    Primary,
    /// An AOF file that is being loaded.
    Log,
}

/// One argument.
#[derive(Clone, Copy)]
pub(crate) struct Arg<'a> {
    string: &'a Str,
}

/// What a command handler gives back. Redis has been told already where it is `Sent`.
#[derive(Clone, Copy)]
pub(crate) enum Reply {
    /// The simple string `OK`, the answer that has to be quick.
    Ok,
    /// Any other simple string.
    Simple(&'static CStr),
    /// An error, its code first.
    Error(&'static CStr),
    /// An integer.
    Integer(i64),
    /// The error that Redis words for a wrong number of arguments.
    WrongArity,
    /// Nil.
    Nil,
    /// Answered piece by piece with the methods of [`Call`].
    Sent,
}

impl Reply {
    /// An integer reply that counts something.
    pub(crate) fn count(count: usize) -> Self {
        Self::Integer(count.try_into().unwrap_or(i64::MAX))
    }
}

/// Runs a command handler so that no panic leaves it. Every command enters here.
///
/// # Safety
/// The arguments are what Redis gave to the command.
#[inline]
pub(crate) unsafe fn run_command(
    ctx: Ctx,
    first: *mut Str,
    count: c_int,
    run: impl FnOnce(&Call<'_>) -> Reply,
) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: Redis gives `count` strings at `first` (fact 2).
    let args = unsafe { core::slice::from_raw_parts(first.cast_const(), count) };
    let call = Call { ctx, args };
    let reply = catch_unwind(AssertUnwindSafe(|| run(&call))).unwrap_or_else(|_| call.panicked());
    call.reply(reply)
}

impl<'a> Call<'a> {
    /// For callbacks that are no command but speak as one.
    pub(crate) const fn without_args(ctx: Ctx) -> Self {
        Self { ctx, args: &[] }
    }

    /// Argument `at`, the command's name being 0.
    #[inline]
    pub(crate) fn arg(&self, at: usize) -> Option<Arg<'a>> {
        self.args.get(at).map(|string| Arg { string })
    }

    /// All arguments from `at` on.
    pub(crate) fn args_from(&self, at: usize) -> impl Iterator<Item = Arg<'a>> + use<'a> {
        self.args.get(at..).unwrap_or_default().iter().map(|string| Arg { string })
    }

    /// The instant at which this command began.
    #[inline]
    #[expect(clippy::unused_self, reason = "only a running command has a now")]
    pub(crate) fn now(&self) -> UnixMs {
        now()
    }

    /// The same, for a question.
    #[inline]
    #[expect(clippy::unused_self, reason = "only a running command has a now")]
    pub(crate) fn quick_now(&self) -> QuickNow {
        QuickNow::read()
    }

    /// Where this command comes from.
    pub(crate) fn origin(&self) -> Origin {
        // SAFETY: `ctx` is this command's (fact 2).
        let flags = unsafe { context_flags(self.ctx) }.cast_unsigned();
        if flags & raw::REDISMODULE_CTX_FLAGS_LOADING != 0 {
            Origin::Log
        } else if flags & raw::REDISMODULE_CTX_FLAGS_REPLICATED != 0 {
            Origin::Primary
        } else {
            Origin::Client
        }
    }

    /// Whether this is an effect that already happened, elsewhere or earlier. Such a command obeys
    /// no client limit and never fails.
    pub(crate) fn is_replay(&self) -> bool {
        self.origin() != Origin::Client
    }

    /// The server's run id, as `INFO server` shows it.
    pub(crate) fn run_id(&self) -> Option<Vec<u8>> {
        // SAFETY: `ctx` is this command's (fact 2).
        let info = unsafe { server_info(self.ctx, c"server".as_ptr()) };
        // SAFETY: the info is ours until freed.
        let field = unsafe { info_field(info, c"run_id".as_ptr()) };
        let run_id = (!field.is_null()).then(|| {
            // SAFETY: a C string inside the info.
            unsafe { CStr::from_ptr(field) }.to_bytes().to_vec()
        });
        // SAFETY: ours, freed once.
        unsafe { free_info(self.ctx, info) };
        run_id
    }

    /// Opens a key for reading; `None` if there is none.
    #[inline]
    pub(crate) fn open_to_read(&self, name: Arg<'_>) -> Option<OpenKey> {
        // SAFETY: `ctx` and the name are this command's (fact 2).
        let key = unsafe { open_key(self.ctx, *name.string, raw::REDISMODULE_READ.cast_signed()) };
        (!key.is_null()).then_some(OpenKey(key))
    }

    /// Opens a key for writing, whether or not it exists.
    pub(crate) fn open_to_write(&self, name: Arg<'_>) -> OpenKey {
        let mode = raw::REDISMODULE_READ | raw::REDISMODULE_WRITE;
        // SAFETY: `ctx` and the name are this command's (fact 2).
        OpenKey(unsafe { open_key(self.ctx, *name.string, mode.cast_signed()) })
    }

    /// Sends an effect to replicas and to the AOF.
    pub(crate) fn replicate(&self, command: &CStr, args: &[&[u8]]) {
        let create = |bytes: &&[u8]| {
            // SAFETY: copies `bytes`; freed below.
            unsafe { create_string(self.ctx, bytes.as_ptr().cast(), bytes.len()) }
        };
        let mut strings: Vec<Str> = args.iter().map(create).collect();
        // SAFETY: written once by `RedisModule_Init`, before any command can run.
        if let Some(replicate) = unsafe { raw::RedisModule_Replicate } {
            // SAFETY: "v" announces a vector of strings and its length.
            unsafe {
                replicate(
                    self.ctx,
                    command.as_ptr(),
                    c"v".as_ptr(),
                    strings.as_mut_ptr(),
                    strings.len(),
                )
            };
        }
        for string in strings {
            // SAFETY: created above; Redis has taken its own reference.
            unsafe { free_string(self.ctx, string) };
        }
    }

    /// Says that a key changed, to `WATCH`, to client-side caches and to keyspace subscribers.
    pub(crate) fn announce(&self, event: &CStr, key: Arg<'_>) {
        let class = raw::REDISMODULE_NOTIFY_MODULE;
        // SAFETY: `ctx` and the name are this command's (fact 2).
        unsafe { signal_modified(self.ctx, *key.string) };
        // SAFETY: as above.
        unsafe { notify(self.ctx, class, event.as_ptr(), *key.string) };
    }

    /// Begins an array of `length` elements.
    pub(crate) fn reply_array(&self, length: usize) {
        // SAFETY: `ctx` is this command's (fact 2).
        unsafe { reply_array(self.ctx, length.try_into().unwrap_or(0)) };
    }

    /// Begins a map of `length` pairs; a flat array for clients of RESP2.
    pub(crate) fn reply_map(&self, length: usize) {
        // SAFETY: `ctx` is this command's (fact 2).
        unsafe { reply_map(self.ctx, length.try_into().unwrap_or(0)) };
    }

    /// One element: any bytes.
    pub(crate) fn reply_bytes(&self, bytes: &[u8]) {
        // SAFETY: `ctx` is this command's (fact 2); `bytes` are copied.
        unsafe { reply_bytes(self.ctx, bytes.as_ptr().cast(), bytes.len()) };
    }

    /// One element, or the whole reply.
    #[inline]
    pub(crate) fn reply(&self, reply: Reply) -> c_int {
        let ctx = self.ctx;
        match reply {
            Reply::Ok => reply_ok(ctx),
            // SAFETY: `ctx` is this command's (fact 2); the text is static.
            Reply::Simple(text) => unsafe { reply_simple(ctx, text.as_ptr()) },
            // SAFETY: as above.
            Reply::Error(text) => unsafe { reply_error(ctx, text.as_ptr()) },
            // SAFETY: as above.
            Reply::Integer(value) => unsafe { reply_integer(ctx, value) },
            // SAFETY: as above.
            Reply::WrongArity => unsafe { reply_arity(ctx) },
            // SAFETY: as above.
            Reply::Nil => unsafe { reply_null(ctx) },
            Reply::Sent => OK,
        }
    }

    #[cold]
    fn panicked(&self) -> Reply {
        log(self.ctx, c"warning", c"a command panicked; please report this. The server goes on");
        Reply::Error(c"ERR internal error")
    }
}

impl<'a> Arg<'a> {
    /// Its bytes, any bytes.
    #[inline]
    pub(crate) fn bytes(self) -> &'a [u8] {
        let mut length = 0;
        // SAFETY: the string is an argument of the running command (fact 2).
        let bytes = unsafe { string_bytes(*self.string, &raw mut length) };
        if bytes.is_null() {
            return &[];
        }
        // SAFETY: Redis told pointer and length; they stay while the command runs (fact 2).
        unsafe { core::slice::from_raw_parts(bytes.cast(), length) }
    }

    /// Its value, if it is an integer as Redis writes them.
    pub(crate) fn integer(self) -> Option<i64> {
        let mut value = 0;
        // SAFETY: the string is an argument of the running command (fact 2).
        let status = unsafe { string_integer(*self.string, &raw mut value) };
        (status == OK).then_some(value)
    }

    /// Whether it is this keyword, in any case.
    #[inline]
    pub(crate) fn is(self, keyword: &str) -> bool {
        let (given, keyword) = (self.bytes(), keyword.as_bytes());
        given == keyword || given.eq_ignore_ascii_case(keyword)
    }
}

/// An open key; closed when dropped. A null pointer, which is a missing key, is fine throughout.
pub(crate) struct OpenKey(pub(crate) Key);

impl OpenKey {
    /// Whether nothing is stored there.
    pub(crate) fn is_empty(&self) -> bool {
        const EMPTY: c_int = 0;
        // SAFETY: open until dropped.
        unsafe { key_type(self.0) == EMPTY }
    }

    /// Deletes what is stored.
    pub(crate) fn delete(&self) {
        // SAFETY: open for writing.
        unsafe { delete_key(self.0) };
    }

    /// Sets the instant from which the key does not exist any more.
    pub(crate) fn expire_at(&self, at: UnixMs) {
        let at_ms = c_longlong::try_from(at.0).unwrap_or(c_longlong::MAX);
        // SAFETY: open until dropped.
        if unsafe { abs_expire(self.0) } != at_ms {
            // SAFETY: open for writing.
            unsafe { set_abs_expire(self.0, at_ms) };
        }
    }
}

impl Drop for OpenKey {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: opened by `Call`, closed once.
        unsafe { close_key(self.0) };
    }
}

/// Now. Servers since Redis 7.2 have read the clock already when a command begins.
#[inline]
pub(crate) fn now() -> UnixMs {
    // SAFETY: written once by `RedisModule_Init`, before any command can run.
    let now_ms = match unsafe { raw::RedisModule_CachedMicroseconds } {
        // SAFETY: takes no pointers.
        Some(cached_us) => (unsafe { cached_us() }) / 1000,
        // SAFETY: takes no pointers.
        None => unsafe { clock_ms() },
    };
    UnixMs(u64::try_from(now_ms).unwrap_or(0))
}

/// An `OK` that the server has formatted already. Redis checks and copies the text of a simple
/// string each time it is sent, which takes longer than everything this module does in a check.
static OK_REPLY: AtomicPtr<raw::RedisModuleCallReply> = AtomicPtr::new(ptr::null_mut());

/// Prepares the reply `OK`, by a command that changes nothing and answers so on every server.
pub(crate) fn prepare_ok_reply(ctx: Ctx) {
    // SAFETY: written once by `RedisModule_Init`.
    let Some(call) = (unsafe { raw::RedisModule_Call }) else { return };
    // SAFETY: an empty format announces no arguments.
    let reply = unsafe { call(ctx, c"UNWATCH".as_ptr(), c"".as_ptr()) };
    if reply.is_null() {
        return;
    }
    let mut length = 0;
    // SAFETY: the reply is ours, and never freed.
    let text = unsafe { reply_text(reply, &raw mut length) }.cast::<u8>();
    // SAFETY: Redis told pointer and length.
    if !text.is_null() && unsafe { core::slice::from_raw_parts(text, length) } == b"OK" {
        OK_REPLY.store(reply, Ordering::Relaxed);
    }
}

#[inline]
fn reply_ok(ctx: Ctx) -> c_int {
    let prepared = OK_REPLY.load(Ordering::Relaxed);
    if prepared.is_null() {
        // SAFETY: `ctx` is the running command's (fact 2); the text is static.
        return unsafe { reply_simple(ctx, c"OK".as_ptr()) };
    }
    // SAFETY: as above; the prepared reply is never freed.
    unsafe { reply_copy(ctx, prepared) }
}

/// Now for a question that compares it with a few instants, nearly always far from now. Redis 7.0
/// has no clock that was read already, and reading one takes a twentieth of a whole check: there
/// the kernel's last tick will do, and the clock is read only for an instant near it.
#[derive(Clone, Copy)]
pub(crate) enum QuickNow {
    Exact(UnixMs),
    /// Never later than now, and not much earlier.
    Tick(UnixMs),
}

/// Milliseconds within which a tick is not trusted: it is the begun second of a clock that moves
/// every 10 ms or more often, unless the whole machine is held up.
const NEAR_MS: u64 = 5000;

impl QuickNow {
    #[inline]
    fn read() -> Self {
        // SAFETY: written once by `RedisModule_Init`, before any command can run.
        if unsafe { raw::RedisModule_CachedMicroseconds }.is_some() {
            return Self::Exact(now());
        }
        let mut tick = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: writes to `tick`.
        let status = unsafe { libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &raw mut tick) };
        match (status, u64::try_from(tick.tv_sec)) {
            (0, Ok(seconds)) => Self::Tick(UnixMs(seconds.saturating_mul(1000))),
            _ => Self::Exact(now()),
        }
    }
}

impl Now for QuickNow {
    #[inline]
    fn has_reached(self, instant: UnixMs) -> bool {
        match self {
            Self::Exact(now) => now >= instant,
            Self::Tick(tick) if tick >= instant => true,
            Self::Tick(tick) => instant.0.abs_diff(tick.0) <= NEAR_MS && now() >= instant,
        }
    }
}

/// Writes a line to the server's log.
pub(crate) fn log(ctx: Ctx, level: &CStr, line: &CStr) {
    // SAFETY: written once by `RedisModule_Init`.
    let Some(log) = (unsafe { raw::RedisModule_Log }) else { return };
    // SAFETY: the format takes one C string.
    unsafe { log(ctx, level.as_ptr(), c"%s".as_ptr(), line.as_ptr()) };
}

/// What `CONFIG GET name` says, if the server says anything.
pub(crate) fn config(ctx: Ctx, name: &CStr) -> Option<Vec<u8>> {
    // SAFETY: written once by `RedisModule_Init`.
    let call = unsafe { raw::RedisModule_Call }?;
    // SAFETY: "cc" announces two C strings.
    let reply =
        unsafe { call(ctx, c"CONFIG".as_ptr(), c"cc".as_ptr(), c"GET".as_ptr(), name.as_ptr()) };
    if reply.is_null() {
        return None;
    }
    // SAFETY: the reply is ours until freed; an element it does not have is null.
    let element = unsafe { reply_element(reply, 1) };
    let mut length = 0;
    let text = if element.is_null() {
        ptr::null()
    } else {
        // SAFETY: the element lives as long as the reply.
        unsafe { reply_text(element, &raw mut length) }
    };
    let value = (!text.is_null()).then(|| {
        // SAFETY: Redis told pointer and length.
        unsafe { core::slice::from_raw_parts(text.cast::<u8>(), length) }.to_vec()
    });
    // SAFETY: ours, freed once.
    unsafe { free_reply(reply) };
    value
}
