//! Questions to the server's own commands. Nothing here changes anything.
//!
//! Every SAFETY note here rests on one fact: an answer is ours until it is freed, which is when it is
//! dropped, and its elements live as long as it does.

use core::ffi::CStr;
use core::marker::PhantomData;

use redis_module::raw;

use crate::server::ffi::{self, Ctx};

/// What `CONFIG GET name` says, if the server says anything.
pub(crate) fn config(ctx: Ctx, name: &CStr) -> Option<Vec<u8>> {
    let answer = Answer::to(ctx, c"CONFIG", [c"GET", name])?;
    answer.whole().text(1).map(<[u8]>::to_vec)
}

/// Whether a slot is leaving this node in one step, which only Valkey 9 and later do. Others do not
/// know the question.
pub(crate) fn is_slot_leaving(ctx: Ctx) -> bool {
    let Some(answer) = Answer::to(ctx, c"CLUSTER", [c"GETSLOTMIGRATIONS"]) else { return false };
    let migrations = answer.whole();
    (0..).map_while(|at| migrations.element(at)).any(|migration| {
        let is_over = |state| [b"success".as_slice(), b"cancelled", b"failed"].contains(&state);
        migration.field(b"operation") == Some(b"EXPORT")
            && !migration.field(b"state").is_some_and(is_over)
    })
}

/// The configuration epoch of this node. Whoever takes a slot over from another node has a greater
/// one afterwards, unless it has the greatest of all and had it while it held nothing of that slot.
pub(crate) fn config_epoch(ctx: Ctx) -> Option<u64> {
    let answer = Answer::to(ctx, c"CLUSTER", [c"INFO"])?;
    let info = core::str::from_utf8(answer.whole().own_text()?).ok()?;
    let epoch = info.lines().find_map(|line| line.strip_prefix("cluster_my_epoch:"))?;
    epoch.trim_end().parse().ok()
}

/// An answer in RESP2, not null.
struct Answer(*mut raw::RedisModuleCallReply);

impl Answer {
    /// Asks `command arguments…`; `None` if the server does not know such a command.
    fn to<const N: usize>(ctx: Ctx, command: &CStr, arguments: [&CStr; N]) -> Option<Self> {
        // SAFETY: written once by `RedisModule_Init`, before anything can be asked.
        let call = unsafe { raw::RedisModule_Call }?;
        let command = command.as_ptr();
        let reply = match arguments.as_slice() {
            // SAFETY: "c" announces one C string; `ctx` is that of a command, a timer or the load.
            [one] => unsafe { call(ctx, command, c"c".as_ptr(), one.as_ptr()) },
            // SAFETY: "cc" announces two.
            [one, two] => unsafe { call(ctx, command, c"cc".as_ptr(), one.as_ptr(), two.as_ptr()) },
            _ => return None,
        };
        // Not `then_some`: null is not to be freed.
        (!reply.is_null()).then(|| Self(reply))
    }

    const fn whole(&self) -> Part<'_> {
        Part(self.0, PhantomData)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { ffi::free_reply(self.0) };
    }
}

/// An answer or an element of one, of any type, an error too.
#[derive(Clone, Copy)]
struct Part<'a>(*mut raw::RedisModuleCallReply, PhantomData<&'a Answer>);

impl<'a> Part<'a> {
    /// An element of an array; `None` if there is no such element, or this is no array.
    fn element(self, at: usize) -> Option<Self> {
        // SAFETY: the answer is alive; an element it does not have is null.
        let element = unsafe { ffi::reply_element(self.0, at) };
        (!element.is_null()).then_some(Self(element, PhantomData))
    }

    /// An element that is a string.
    fn text(self, at: usize) -> Option<&'a [u8]> {
        self.element(at)?.own_text()
    }

    /// The string that this is.
    fn own_text(self) -> Option<&'a [u8]> {
        let mut length = 0;
        // SAFETY: it lives as long as the answer; null for what is no string.
        let text = unsafe { ffi::reply_text(self.0, &raw mut length) };
        if text.is_null() {
            return None;
        }
        // SAFETY: Redis told pointer and length.
        Some(unsafe { core::slice::from_raw_parts(text.cast::<u8>(), length) })
    }

    /// The value of a map, which in RESP2 is an array of names and values in turn.
    fn field(self, name: &[u8]) -> Option<&'a [u8]> {
        let mut names = (0..).step_by(2).map_while(|at| Some((at, self.text(at)?)));
        let (at, _) = names.find(|(_, found)| *found == name)?;
        self.text(at.checked_add(1)?)
    }
}
