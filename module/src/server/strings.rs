//! Strings of the server's that are made for one of its functions and freed after it.

use core::ptr;

use crate::server::ffi::{self, Str};

/// Freed when dropped; whoever was given them has taken its own reference or copy.
pub(crate) struct Strings(Vec<Str>);

impl Strings {
    /// Copies the bytes.
    pub(crate) fn of<'a>(all: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let create = |bytes: &[u8]| {
            // SAFETY: copies `bytes`; without a context nobody but us frees the string.
            unsafe { ffi::create_string(ptr::null_mut(), bytes.as_ptr().cast(), bytes.len()) }
        };
        Self(all.into_iter().map(create).collect())
    }

    /// A vector and its length, as Redis takes them.
    pub(crate) const fn as_vector(&mut self) -> (*mut Str, usize) {
        (self.0.as_mut_ptr(), self.0.len())
    }
}

impl Drop for Strings {
    fn drop(&mut self) {
        for string in &self.0 {
            // SAFETY: made by `of`, freed once.
            unsafe { ffi::free_string(ptr::null_mut(), *string) };
        }
    }
}
