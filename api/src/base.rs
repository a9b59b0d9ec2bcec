//! What everything stands on: plain data, the clock, randomness, work behind answers.
//!
//! May use the core and nothing else of ours. No I/O.

pub mod allowance;
pub mod background;
pub mod client;
pub mod clock;
pub mod device;
pub mod email_address;
pub mod error;
pub mod language;
pub(crate) mod last_use;
pub(crate) mod log_targets;
pub mod random;
pub mod role;
pub mod said;
pub mod session_id;
