//! `EX s | PX ms | EXAT s | PXAT ms`: until when something is to be kept.

use core::time::Duration;

use portcullis_core::UnixMs;

use crate::commands::errors::{INTEGER, SYNTAX};
use crate::config;
use crate::server::arg::Arg;
use crate::server::call::Call;
use crate::server::reply::Reply;

/// Reads an expiry option. `None` if `option` is none; `invalid` is this command's own error for a
/// time that is not positive, overflows, or lies beyond `portcullis.max-ttl`. A replayed time is
/// taken as it is.
pub(crate) fn parse(
    option: Arg<'_>,
    value: Option<Arg<'_>>,
    invalid: Reply,
    moment: Moment,
) -> Result<Option<UnixMs>, Reply> {
    let (per_unit, relative) = if option.is("PXAT") {
        (1, false)
    } else if option.is("EX") {
        (1000, true)
    } else if option.is("PX") {
        (1, true)
    } else if option.is("EXAT") {
        (1000, false)
    } else {
        return Ok(None);
    };
    let value = value.ok_or(SYNTAX)?.integer().ok_or(INTEGER)?;
    if moment.replay {
        return Ok(Some(replayed(value, per_unit, relative, moment.now)));
    }
    let span = u64::try_from(value).ok().filter(|span| *span > 0).ok_or(invalid)?;
    let span = span.checked_mul(per_unit).ok_or(invalid)?;
    let from = if relative { moment.now.0 } else { 0 };
    let at = from.checked_add(span).map(UnixMs).ok_or(invalid)?;
    if at > moment.now.plus(config::max_ttl()) { Err(invalid) } else { Ok(Some(at)) }
}

/// When a command runs, and whether it happened already.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: UnixMs,
    pub(crate) replay: bool,
}

impl Moment {
    pub(crate) fn of(call: &Call<'_>) -> Self {
        Self { now: call.now(), replay: call.is_replay() }
    }
}

fn replayed(value: i64, per_unit: u64, relative: bool, now: UnixMs) -> UnixMs {
    let span = Duration::from_millis(u64::try_from(value).unwrap_or(0).saturating_mul(per_unit));
    if relative { now.plus(span) } else { UnixMs(0).plus(span) }
}
