//! A ledger as the commands that would make it: what an AOF rewrite without RDB preamble writes.
//!
//! Only absolute times and digests, so the commands mean the same whenever they are replayed. The
//! logout comes first, because it ends every session begun before it.

use core::ffi::{CStr, c_char};

use portcullis_core::Ledger;
use redis_module::raw;

/// Where the commands go, and the key they are about.
pub(crate) struct Log {
    pub(crate) io: *mut raw::RedisModuleIO,
    pub(crate) key: *mut raw::RedisModuleString,
}

/// Writes the whole ledger.
pub(crate) fn rewrite(ledger: &Ledger, log: &Log) {
    if let Some(watermark) = ledger.watermark() {
        log.emit(c"AUTH.SESSION", Some(c"REVOKEALL"), &[b"AT", watermark.0.to_string().as_bytes()]);
    }
    for session in ledger.sessions() {
        let args = crate::session::create_args(&session.facts());
        log.emit(c"AUTH.SESSION", Some(c"CREATE"), &args.each_ref().map(AsRef::as_ref));
    }
    for row in ledger.revocations() {
        let (digest, expires) = (row.digest.to_hex(), row.expires.0.to_string());
        log.emit(c"AUTH.BLACKLIST", None, &[b"DIGEST", &digest, b"PXAT", expires.as_bytes()]);
    }
}

impl Log {
    /// Writes `command [subcommand] key args…`.
    fn emit(&self, command: &CStr, subcommand: Option<&CStr>, args: &[&[u8]]) {
        // SAFETY: written once by `RedisModule_Init`.
        let Some(emit) = (unsafe { raw::RedisModule_EmitAOF }) else { return };
        let mut strings: Vec<_> = args
            .iter()
            .map(|bytes| {
                // SAFETY: copies the bytes; a null context makes a string that we free ourselves.
                unsafe {
                    crate::ffi::create_string(
                        core::ptr::null_mut(),
                        bytes.as_ptr().cast::<c_char>(),
                        bytes.len(),
                    )
                }
            })
            .collect();
        let (io, command, vector, count) =
            (self.io, command.as_ptr(), strings.as_mut_ptr(), strings.len());
        match subcommand {
            // SAFETY: "csv": a C string, a string, a vector and its length.
            Some(subcommand) => unsafe {
                emit(io, command, c"csv".as_ptr(), subcommand.as_ptr(), self.key, vector, count);
            },
            // SAFETY: "sv": a string, a vector and its length.
            None => unsafe { emit(io, command, c"sv".as_ptr(), self.key, vector, count) },
        }
        for string in strings {
            // SAFETY: created above, freed once.
            unsafe { crate::ffi::free_string(core::ptr::null_mut(), string) };
        }
    }
}
