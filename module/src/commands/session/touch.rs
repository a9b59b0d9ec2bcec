//! `AUTH.SESSION TOUCH`: a live session was used.
//!
//! It is by far the most frequent write, and no verdict is another one because of it: what was kept
//! of the session only ends too early. So client-side caches and `WATCH` do not hear of it, unless
//! somebody may keep that the session is idle, which is not so any more.

use portcullis_core::{Touched, UnixMs};

use crate::commands::errors::{SYNTAX, WRONG_TYPE};
use crate::commands::session::options::instant;
use crate::counters;
use crate::ledger::effect::Effect;
use crate::ledger::key::WriteLedger;
use crate::server::call::Call;
use crate::server::reply::Reply;

/// `AUTH.SESSION TOUCH key id [AT ms]`
pub(crate) fn touch(call: &Call<'_>) -> Reply {
    let (Some(key), Some(id)) = (call.arg(2), call.arg(3)) else { return Reply::WrongArity };
    let present = call.present();
    let at = match parse_at(call, 4) {
        Ok(at) => at,
        Err(refusal) => return counters::rejected(refusal),
    };
    let Ok(mut ledger) = WriteLedger::open(call, key) else {
        return counters::rejected(WRONG_TYPE);
    };

    // By the clock that verdicts are kept by, which may be ahead of the one that this is judged by.
    let exact = call.exact_present();
    let was_live = ledger.find(id.bytes()).is_some_and(|it| ledger.is_live(it, exact));
    let touched = if call.is_replay() {
        // It happened, even if the session looks idle by now.
        let at = at.unwrap_or(present.now);
        if ledger.touch(id.bytes(), at) { Touched::To(at) } else { Touched::Unmoved }
    } else {
        ledger.touch_live(id.bytes(), at, present)
    };
    if let Touched::To(at) = touched {
        Effect::touch(id.bytes(), at).replicate(call, key);
        if was_live {
            ledger.settle_unseen(c"auth.session.touch", present.now);
        } else {
            ledger.settle(c"auth.session.touch", present.now);
        }
    }
    Reply::Integer(i64::from(touched != Touched::Dead))
}

/// An optional `AT ms` at argument `place`, and nothing after it.
fn parse_at(call: &Call<'_>, place: usize) -> Result<Option<UnixMs>, Reply> {
    let mut options = call.args_from(place);
    match (options.next(), options.next(), options.next()) {
        (None, ..) => Ok(None),
        (Some(option), Some(value), None) if option.is("AT") => instant(value).map(Some),
        _ => Err(SYNTAX),
    }
}
