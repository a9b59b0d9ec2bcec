//! A key that a command has opened.

use core::ffi::{c_int, c_longlong};

use portcullis_core::UnixMs;

use crate::server::ffi::{self, Key};

/// An open key; closed when dropped. A null pointer, which is a missing key, is fine throughout.
pub(crate) struct OpenKey(pub(crate) Key);

impl OpenKey {
    /// Whether nothing is stored there.
    pub(crate) fn is_empty(&self) -> bool {
        const EMPTY: c_int = 0;
        // SAFETY: open until dropped.
        unsafe { ffi::key_type(self.0) == EMPTY }
    }

    /// Deletes what is stored.
    pub(crate) fn delete(&self) {
        // SAFETY: open for writing.
        unsafe { ffi::delete_key(self.0) };
    }

    /// The instant from which the key does not exist any more; [`UnixMs::MAX`] if there is none.
    pub(crate) fn expires(&self) -> UnixMs {
        // SAFETY: open until dropped; negative if it does not expire.
        let at_ms = unsafe { ffi::abs_expire(self.0) };
        u64::try_from(at_ms).map_or(UnixMs::MAX, UnixMs)
    }

    /// Sets the instant from which the key does not exist any more. Answers whether that is another
    /// one now.
    pub(crate) fn expire_at(&self, at: UnixMs) -> bool {
        let at_ms = c_longlong::try_from(at.0).unwrap_or(c_longlong::MAX);
        // SAFETY: open until dropped.
        let moves = unsafe { ffi::abs_expire(self.0) } != at_ms;
        if moves {
            // SAFETY: open for writing.
            unsafe { ffi::set_abs_expire(self.0, at_ms) };
        }
        moves
    }
}

impl Drop for OpenKey {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: opened by `Call`, closed once.
        unsafe { ffi::close_key(self.0) };
    }
}
