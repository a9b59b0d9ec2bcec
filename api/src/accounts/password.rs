//! Passwords: hashing, checking, and how many at a time.
//!
//! One hash costs memory and tens of milliseconds by design, so the number at work and the number
//! waiting are bounded; beyond that the answer is "busy", at once. An unknown user costs the same
//! hash as a known one.

pub(crate) mod equal_cost;
mod hasher;
mod memory;
mod old;
mod outcome;
mod policy;
mod queue;
mod stored;

pub use equal_cost::Work;
pub use hasher::Passwords;
pub use outcome::{Fault, Outcome};
pub use policy::Weakness;
pub use queue::Known;
pub use stored::Unusable;
