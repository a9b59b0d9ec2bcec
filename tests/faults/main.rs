//! What happens when a store fails: real servers, killed, restored and cut off.
//!
//! Everything waits for states, never for a time. What is counted is printed (`--nocapture`).

mod kills;
mod load;
mod matrix;
mod model;
mod outside;
mod proxy;
mod races;
mod restarts;
mod sizes;
mod soak;
mod talk;
