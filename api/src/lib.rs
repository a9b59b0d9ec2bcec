//! The HTTP service.

#![forbid(unsafe_code)]

pub mod clock;
pub mod config;
pub mod device;
pub mod keys;
pub mod mail;
pub mod password;
pub mod secret;
pub mod session_id;
pub mod token;
