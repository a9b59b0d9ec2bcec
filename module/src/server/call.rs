//! One command as it runs: its arguments, its keys, and ways to answer.
//!
//! Every SAFETY note here rests on two facts. (1) Redis hands a command pointers that stay valid
//! and unchanged until the command returns, and `Call` does not outlive it. (2) Commands run on the
//! server's main thread, one at a time.

use core::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use portcullis_core::{Present, UnixMs};
use redis_module::raw;

use crate::server::arg::Arg;
use crate::server::ask;
use crate::server::clock::{QuickNow, exact_now, exact_present, now, present};
use crate::server::ffi::{self, Ctx, Str};
use crate::server::open_key::OpenKey;
use crate::server::reply::Reply;
use crate::server::strings::Strings;

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
    // SAFETY: Redis gives `count` strings at `first` (fact 1).
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

    pub(crate) const fn ctx(&self) -> Ctx {
        self.ctx
    }

    /// Argument `at`, the command's name being 0.
    #[inline]
    pub(crate) fn arg(&self, at: usize) -> Option<Arg<'a>> {
        self.args.get(at).map(Arg::of)
    }

    /// All arguments from `at` on.
    pub(crate) fn args_from(&self, at: usize) -> impl Iterator<Item = Arg<'a>> + use<'a> {
        self.args.get(at..).unwrap_or_default().iter().map(Arg::of)
    }

    /// The instant at which this command began.
    #[inline]
    #[expect(clippy::unused_self, reason = "only a running command has a now")]
    pub(crate) fn now(&self) -> UnixMs {
        now()
    }

    /// The same, and what holds for every ledger then.
    #[expect(clippy::unused_self, reason = "only a running command has a now")]
    pub(crate) fn present(&self) -> Present {
        present()
    }

    /// The same, for a question.
    #[inline]
    #[expect(clippy::unused_self, reason = "only a running command has a now")]
    pub(crate) fn quick_now(&self) -> QuickNow {
        QuickNow::read()
    }

    /// The instant of this moment, later than [`Self::now`] within a script or a transaction.
    #[expect(clippy::unused_self, reason = "only a running command has a now")]
    pub(crate) fn exact_now(&self) -> UnixMs {
        exact_now()
    }

    /// The same, and what holds for every ledger then.
    #[expect(clippy::unused_self, reason = "only a running command has a now")]
    pub(crate) fn exact_present(&self) -> Present {
        exact_present()
    }

    /// Where this command comes from.
    pub(crate) fn origin(&self) -> Origin {
        if self.is_flagged(raw::REDISMODULE_CTX_FLAGS_LOADING) {
            Origin::Log
        } else if self.is_flagged(raw::REDISMODULE_CTX_FLAGS_REPLICATED) {
            Origin::Primary
        } else {
            Origin::Client
        }
    }

    pub(crate) fn is_on_primary(&self) -> bool {
        self.is_flagged(raw::REDISMODULE_CTX_FLAGS_MASTER)
    }

    pub(crate) fn is_in_cluster(&self) -> bool {
        self.is_flagged(raw::REDISMODULE_CTX_FLAGS_CLUSTER)
    }

    fn is_flagged(&self, flag: u32) -> bool {
        // SAFETY: `ctx` is this command's (fact 1).
        unsafe { ffi::context_flags(self.ctx) }.cast_unsigned() & flag != 0
    }

    /// Whether a command without a key may be sent to replicas: not while writes are paused or a
    /// slot leaves.
    pub(crate) fn may_replicate_keyless(&self) -> bool {
        // SAFETY: takes no pointers.
        let is_paused = unsafe { ffi::avoid_replication() } != 0;
        !(is_paused || self.is_in_cluster() && ask::is_slot_leaving(self.ctx))
    }

    /// Whether its AOF is rewritten as commands, which tell of ledgers and of nothing else.
    pub(crate) fn rewrites_as_commands(&self) -> bool {
        ask::config(self.ctx, c"aof-use-rdb-preamble").as_deref() == Some(b"no")
    }

    /// Whether this is an effect that already happened, elsewhere or earlier. Such a command obeys
    /// no client limit and never fails.
    pub(crate) fn is_replay(&self) -> bool {
        self.origin() != Origin::Client
    }

    /// The server's run id, as `INFO server` shows it.
    pub(crate) fn run_id(&self) -> Option<Vec<u8>> {
        ffi::server_field(self.ctx, c"run_id")
    }

    /// Opens a key for reading; `None` if there is none.
    #[inline]
    pub(crate) fn open_to_read(&self, name: Arg<'_>) -> Option<OpenKey> {
        // SAFETY: `ctx` and the name are this command's (fact 1).
        let key =
            unsafe { ffi::open_key(self.ctx, name.string(), raw::REDISMODULE_READ.cast_signed()) };
        (!key.is_null()).then_some(OpenKey(key))
    }

    /// Opens a key for writing, whether or not it exists.
    pub(crate) fn open_to_write(&self, name: Arg<'_>) -> OpenKey {
        let mode = raw::REDISMODULE_READ | raw::REDISMODULE_WRITE;
        // SAFETY: `ctx` and the name are this command's (fact 1).
        OpenKey(unsafe { ffi::open_key(self.ctx, name.string(), mode.cast_signed()) })
    }

    /// Sends an effect to replicas and to the AOF.
    pub(crate) fn replicate<'b>(&self, command: &CStr, args: impl IntoIterator<Item = &'b [u8]>) {
        self.propagate(command, c"v", args);
    }

    /// Sends it to the AOF only.
    pub(crate) fn log<'b>(&self, command: &CStr, args: impl IntoIterator<Item = &'b [u8]>) {
        self.propagate(command, c"Rv", args);
    }

    fn propagate<'b>(
        &self,
        command: &CStr,
        format: &CStr,
        args: impl IntoIterator<Item = &'b [u8]>,
    ) {
        // SAFETY: written once by `RedisModule_Init`, before any command can run.
        let Some(replicate) = (unsafe { raw::RedisModule_Replicate }) else { return };
        let mut strings = Strings::of(args);
        let (vector, count) = strings.as_vector();
        // SAFETY: "v" announces a vector of strings and its length, "R" nothing.
        unsafe { replicate(self.ctx, command.as_ptr(), format.as_ptr(), vector, count) };
    }

    /// Says that a key changed, to `WATCH`, to client-side caches and to keyspace subscribers.
    pub(crate) fn announce(&self, event: &CStr, key: Arg<'_>) {
        // SAFETY: `ctx` and the name are this command's (fact 1).
        unsafe { ffi::signal_modified(self.ctx, key.string()) };
        self.announce_to_subscribers(event, key);
    }

    /// Says so to keyspace subscribers only.
    pub(crate) fn announce_to_subscribers(&self, event: &CStr, key: Arg<'_>) {
        self.notify(raw::REDISMODULE_NOTIFY_MODULE, event, key);
    }

    /// Says, after another event, that the key went with the last thing in it; as Redis says of
    /// its own types.
    pub(crate) fn announce_deletion(&self, key: Arg<'_>) {
        self.notify(raw::REDISMODULE_NOTIFY_GENERIC, c"del", key);
    }

    fn notify(&self, class: c_int, event: &CStr, key: Arg<'_>) {
        // SAFETY: `ctx` and the name are this command's (fact 1).
        unsafe { ffi::notify(self.ctx, class, event.as_ptr(), key.string()) };
    }

    /// Begins an array of `length` elements.
    pub(crate) fn reply_array(&self, length: usize) {
        // SAFETY: `ctx` is this command's (fact 1).
        unsafe { ffi::reply_array(self.ctx, length.try_into().unwrap_or(0)) };
    }

    /// Begins a map of `length` pairs; a flat array for clients of RESP2.
    pub(crate) fn reply_map(&self, length: usize) {
        // SAFETY: `ctx` is this command's (fact 1).
        unsafe { ffi::reply_map(self.ctx, length.try_into().unwrap_or(0)) };
    }

    /// One element: any bytes.
    pub(crate) fn reply_bytes(&self, bytes: &[u8]) {
        // SAFETY: `ctx` is this command's (fact 1); `bytes` are copied.
        unsafe { ffi::reply_bytes(self.ctx, bytes.as_ptr().cast(), bytes.len()) };
    }

    /// One element, or the whole reply.
    #[inline]
    pub(crate) fn reply(&self, reply: Reply) -> c_int {
        // SAFETY: `ctx` is this command's (fact 1).
        unsafe { reply.send(self.ctx) }
    }

    #[cold]
    fn panicked(&self) -> Reply {
        ffi::log(
            self.ctx,
            c"warning",
            c"a command panicked; please report this. The server keeps running",
        );
        Reply::Error(c"ERR internal error")
    }
}
