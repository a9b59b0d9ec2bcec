//! `AUTH.SESSION`: begins, shows, touches and ends the sessions of a subject.

pub(crate) mod create;
pub(crate) mod end;
pub(crate) mod help;
mod options;
pub(crate) mod read;
pub(crate) mod touch;
