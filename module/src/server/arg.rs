//! One argument, of a command or of the load.
//!
//! Every SAFETY note here rests on one fact: Redis hands a command, and the load function,
//! arguments that stay valid and unchanged until it returns, and an `Arg` does not outlive it.

use crate::server::ffi::{self, Str};

/// One argument.
#[derive(Clone, Copy)]
pub(crate) struct Arg<'a> {
    string: &'a Str,
}

impl<'a> Arg<'a> {
    /// A string of Redis's that outlives this.
    #[inline]
    pub(crate) const fn of(string: &'a Str) -> Self {
        Self { string }
    }

    /// The string itself, to be handed back to Redis.
    #[inline]
    pub(crate) const fn string(self) -> Str {
        *self.string
    }

    /// Its bytes, any bytes.
    #[inline]
    pub(crate) fn bytes(self) -> &'a [u8] {
        let mut length = 0;
        // SAFETY: the string is an argument, so it is valid.
        let bytes = unsafe { ffi::string_bytes(*self.string, &raw mut length) };
        if bytes.is_null() {
            return &[];
        }
        // SAFETY: Redis told pointer and length; they stay as long as the argument does.
        unsafe { core::slice::from_raw_parts(bytes.cast(), length) }
    }

    /// Its value, if it is an integer as Redis writes them.
    pub(crate) fn integer(self) -> Option<i64> {
        let mut value = 0;
        // SAFETY: the string is an argument, so it is valid.
        let status = unsafe { ffi::string_integer(*self.string, &raw mut value) };
        (status == ffi::OK).then_some(value)
    }

    /// Whether it is this keyword, in any case.
    #[inline]
    pub(crate) fn is(self, keyword: &str) -> bool {
        let (given, keyword) = (self.bytes(), keyword.as_bytes());
        given == keyword || given.eq_ignore_ascii_case(keyword)
    }
}
