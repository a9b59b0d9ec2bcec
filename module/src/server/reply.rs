//! What a command answers.

use core::ffi::{CStr, c_int};
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use redis_module::raw;

use crate::server::ffi::{self, Ctx};

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
    /// Answered piece by piece with the methods of `Call`.
    Sent,
}

impl Reply {
    /// An integer reply that counts something.
    pub(crate) fn count(count: usize) -> Self {
        Self::Integer(count.try_into().unwrap_or(i64::MAX))
    }

    /// Tells Redis.
    ///
    /// # Safety
    /// `ctx` is that of the running command.
    #[inline]
    pub(crate) unsafe fn send(self, ctx: Ctx) -> c_int {
        match self {
            Self::Ok => reply_ok(ctx),
            // SAFETY: `ctx` is the running command's; the text is static.
            Self::Simple(text) => unsafe { ffi::reply_simple(ctx, text.as_ptr()) },
            // SAFETY: as above.
            Self::Error(text) => unsafe { ffi::reply_error(ctx, text.as_ptr()) },
            // SAFETY: as above.
            Self::Integer(value) => unsafe { ffi::reply_integer(ctx, value) },
            // SAFETY: as above.
            Self::WrongArity => unsafe { ffi::reply_arity(ctx) },
            // SAFETY: as above.
            Self::Nil => unsafe { ffi::reply_null(ctx) },
            Self::Sent => ffi::OK,
        }
    }
}

/// An `OK` that the server has formatted already. Redis checks and copies the text of a simple
/// string each time it is sent, which takes longer than everything this module does in a check.
static OK_REPLY: AtomicPtr<raw::RedisModuleCallReply> = AtomicPtr::new(ptr::null_mut());

/// Prepares the reply `OK`, by a command that changes nothing and answers so on every server.
pub(crate) fn prepare_ok(ctx: Ctx) {
    // SAFETY: written once by `RedisModule_Init`.
    let Some(call) = (unsafe { raw::RedisModule_Call }) else { return };
    // SAFETY: an empty format announces no arguments.
    let reply = unsafe { call(ctx, c"UNWATCH".as_ptr(), c"".as_ptr()) };
    if reply.is_null() {
        return;
    }
    let mut length = 0;
    // SAFETY: the reply is ours, and never freed.
    let text = unsafe { ffi::reply_text(reply, &raw mut length) }.cast::<u8>();
    // SAFETY: Redis told pointer and length.
    if !text.is_null() && unsafe { core::slice::from_raw_parts(text, length) } == b"OK" {
        OK_REPLY.store(reply, Ordering::Relaxed);
    }
}

#[inline]
fn reply_ok(ctx: Ctx) -> c_int {
    let prepared = OK_REPLY.load(Ordering::Relaxed);
    if prepared.is_null() {
        // SAFETY: `ctx` is the running command's; the text is static.
        return unsafe { ffi::reply_simple(ctx, c"OK".as_ptr()) };
    }
    // SAFETY: as above; the prepared reply is never freed.
    unsafe { ffi::reply_copy(ctx, prepared) }
}
