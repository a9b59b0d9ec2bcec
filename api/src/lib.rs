//! The HTTP service.

#![forbid(unsafe_code)]

pub mod clock;
pub mod secret;
pub mod session_id;
