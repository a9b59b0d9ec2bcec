//! A ledger as the commands that would make it: what an AOF rewrite without RDB preamble writes.
//!
//! The logout comes first, because it ends every session begun before it.

use core::ffi::c_char;

use portcullis_core::Ledger;
use redis_module::raw;

use crate::ledger::effect::Effect;
use crate::server::ffi;

/// Where the commands go, and the key they are about.
pub(crate) struct Log {
    pub(crate) io: *mut raw::RedisModuleIO,
    pub(crate) key: ffi::Str,
}

/// Writes the whole ledger.
pub(crate) fn rewrite(ledger: &Ledger, log: &Log) {
    if let Some(watermark) = ledger.watermark() {
        log.emit(&Effect::revokeall(watermark, None));
    }
    for session in ledger.sessions() {
        log.emit(&Effect::create(&session.facts()));
    }
    for row in ledger.revocations() {
        log.emit(&Effect::blacklist(&row.digest, row.expires));
    }
}

impl Log {
    /// Writes `command [subcommand] key args…`.
    fn emit(&self, effect: &Effect<'_>) {
        // SAFETY: written once by `RedisModule_Init`.
        let Some(emit) = (unsafe { raw::RedisModule_EmitAOF }) else { return };
        let mut strings: Vec<_> = effect
            .args
            .iter()
            .map(|bytes| {
                // SAFETY: copies the bytes; a null context makes a string that we free ourselves.
                unsafe {
                    ffi::create_string(
                        core::ptr::null_mut(),
                        bytes.as_ptr().cast::<c_char>(),
                        bytes.len(),
                    )
                }
            })
            .collect();
        let (io, command, vector, count) =
            (self.io, effect.command.as_ptr(), strings.as_mut_ptr(), strings.len());
        match effect.subcommand {
            // SAFETY: "csv": a C string, a string, a vector and its length.
            Some(subcommand) => unsafe {
                emit(io, command, c"csv".as_ptr(), subcommand.as_ptr(), self.key, vector, count);
            },
            // SAFETY: "sv": a string, a vector and its length.
            None => unsafe { emit(io, command, c"sv".as_ptr(), self.key, vector, count) },
        }
        for string in strings {
            // SAFETY: created above, freed once.
            unsafe { ffi::free_string(core::ptr::null_mut(), string) };
        }
    }
}
