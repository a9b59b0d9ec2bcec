//! From the old system to this one and, if need be, back: the import, the guide, backups.
#![forbid(unsafe_code)]

mod accounts;
mod flags;
mod old;
mod refusals;
mod roles;
mod rolling;
mod sessions;
