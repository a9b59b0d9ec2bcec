//! The server as the rest of the module sees it.

pub(crate) mod allocator;
pub(crate) mod arg;
pub(crate) mod ask;
pub(crate) mod call;
pub(crate) mod clock;
pub(crate) mod confirmed;
pub(crate) mod ffi;
pub(crate) mod load;
pub(crate) mod open_key;
pub(crate) mod reply;
pub(crate) mod streams;
mod strings;
