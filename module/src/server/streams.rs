//! Where the server writes a value to and reads it from: an RDB file, an AOF that is rewritten, and
//! a digest.
//!
//! Every SAFETY note here rests on one fact: what these types wrap is what Redis gave to a callback
//! of a data type, and none of them outlives the callback.

use core::ffi::CStr;
use std::ffi::CString;

use redis_module::raw;

use crate::server::ffi::{self, Str};
use crate::server::strings::Strings;

/// An RDB file, or what a `DUMP` or a full sync consists of.
#[derive(Clone, Copy)]
pub(crate) struct Rdb(pub(crate) *mut raw::RedisModuleIO);

impl Rdb {
    pub(crate) fn save(self, block: &[u8]) {
        // SAFETY: good during the callback; the bytes are copied.
        unsafe { ffi::save_bytes(self.0, block.as_ptr().cast(), block.len()) };
    }

    /// The next block; `None` if there is none, or it cannot be read.
    pub(crate) fn load(self) -> Option<Block> {
        let mut length = 0;
        // SAFETY: good during the callback; null where there is no further string.
        let bytes = unsafe { ffi::load_bytes(self.0, &raw mut length) }.cast::<u8>();
        // SAFETY: as above.
        let failed = bytes.is_null() || unsafe { ffi::is_io_error(self.0) } != 0;
        let block = Block { bytes, length };
        (!failed).then_some(block)
    }

    /// Writes a line to the server's log, which adds what is being read.
    pub(crate) fn warn(self, line: &str) {
        let Ok(line) = CString::new(line) else { return };
        // SAFETY: written once by `RedisModule_Init`.
        let Some(log) = (unsafe { raw::RedisModule_LogIOError }) else { return };
        // SAFETY: the format takes one C string.
        unsafe { log(self.0, c"warning".as_ptr(), c"%s".as_ptr(), line.as_ptr()) };
    }
}

/// One string of an RDB file, freed when dropped.
pub(crate) struct Block {
    bytes: *mut u8,
    length: usize,
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `load` keeps only blocks with a pointer; Redis told its length.
        unsafe { core::slice::from_raw_parts(self.bytes, self.length) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: Redis made it for us; freed once, and null is nothing to free.
        unsafe { ffi::free_bytes(self.bytes.cast()) };
    }
}

/// An AOF that is rewritten, and the key whose turn it is.
pub(crate) struct Rewrite {
    pub(crate) io: *mut raw::RedisModuleIO,
    pub(crate) key: Str,
}

impl Rewrite {
    /// Writes `command [subcommand] key args…`.
    pub(crate) fn emit<'a>(
        &self,
        command: &CStr,
        subcommand: Option<&CStr>,
        args: impl IntoIterator<Item = &'a [u8]>,
    ) {
        // SAFETY: written once by `RedisModule_Init`.
        let Some(emit) = (unsafe { raw::RedisModule_EmitAOF }) else { return };
        let mut strings = Strings::of(args);
        let (io, command, (vector, count)) = (self.io, command.as_ptr(), strings.as_vector());
        match subcommand {
            // SAFETY: "csv": a C string, a string, a vector and its length.
            Some(subcommand) => unsafe {
                emit(io, command, c"csv".as_ptr(), subcommand.as_ptr(), self.key, vector, count);
            },
            // SAFETY: "sv": a string, a vector and its length.
            None => unsafe { emit(io, command, c"sv".as_ptr(), self.key, vector, count) },
        }
    }
}

/// What `DEBUG DIGEST-VALUE` is made of.
pub(crate) struct Elements(pub(crate) *mut raw::RedisModuleDigest);

impl Elements {
    /// Adds an element; they are combined without regard to order.
    pub(crate) fn add(&self, bytes: &[u8], numbers: &[u64]) {
        // SAFETY: good during the callback; bytes are read at once.
        unsafe { ffi::digest_bytes(self.0, bytes.as_ptr().cast(), bytes.len()) };
        for number in numbers {
            // SAFETY: as above.
            unsafe { ffi::digest_number(self.0, number.cast_signed()) };
        }
        // SAFETY: as above.
        unsafe { ffi::digest_end(self.0) };
    }
}
