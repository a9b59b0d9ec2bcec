//! What the options of several subcommands have in common.

use portcullis_core::UnixMs;

use crate::commands::errors::{INTEGER, SYNTAX};
use crate::server::arg::Arg;
use crate::server::reply::Reply;

/// Gives an option its value; twice is too often.
pub(super) fn set_once<T>(slot: &mut Option<T>, value: T) -> Result<(), Reply> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(SYNTAX),
    }
}

/// Milliseconds since the epoch, not negative.
pub(super) fn instant(value: Arg<'_>) -> Result<UnixMs, Reply> {
    let ms = value.integer().and_then(|ms| u64::try_from(ms).ok()).ok_or(INTEGER)?;
    Ok(UnixMs(ms).min(UnixMs::MAX))
}
