//! Beginnings that arrive late: TCP still delivers what a dead sender has written.
//!
//! The network is real. A route is cut while something is on its way, its sender dies or stands
//! still, others end what it began, and the route is healed. Each story makes sure that the bytes
//! were held by the sender's kernel and that Redis was given the command in the end.

mod alone;
mod cast;
mod clocks;
mod endings;
mod filling;
mod frozen;
mod held;
mod logins;
mod tally;
mod wandering;
