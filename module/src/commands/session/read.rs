//! `AUTH.SESSION GET` and `LIST`: the live sessions as they are.

use portcullis_core::Session;

use crate::commands::errors::WRONG_TYPE;
use crate::counters;
use crate::ledger::key::{ReadLedger, WrongType};
use crate::server::call::Call;
use crate::server::reply::Reply;

/// `AUTH.SESSION GET key id`
pub(crate) fn get(call: &Call<'_>) -> Reply {
    let (Some(key), Some(id), None) = (call.arg(2), call.arg(3), call.arg(4)) else {
        return Reply::WrongArity;
    };
    let present = call.present();
    let ledger = match ReadLedger::open(call, key) {
        Ok(Some(ledger)) => ledger,
        Ok(None) => return Reply::Nil,
        Err(WrongType) => return counters::rejected(WRONG_TYPE),
    };
    match ledger.find(id.bytes()).filter(|session| ledger.is_live(session, present)) {
        Some(session) => reply_session(call, session),
        None => Reply::Nil,
    }
}

/// `AUTH.SESSION LIST key`
pub(crate) fn list(call: &Call<'_>) -> Reply {
    let (Some(key), None) = (call.arg(2), call.arg(3)) else { return Reply::WrongArity };
    let present = call.present();
    let ledger = match ReadLedger::open(call, key) {
        Ok(ledger) => ledger,
        Err(WrongType) => return counters::rejected(WRONG_TYPE),
    };
    let live = ledger.as_ref().map(|ledger| ledger.live_sessions(present)).unwrap_or_default();
    call.reply_array(live.len());
    for session in live {
        reply_session(call, session);
    }
    Reply::Sent
}

fn reply_session(call: &Call<'_>, session: &Session) -> Reply {
    let facts = session.facts();
    call.reply_map(6);
    call.reply_bytes(b"id");
    call.reply_bytes(facts.id);
    let times = [
        (b"created_ms".as_slice(), facts.created.0),
        (b"seen_ms", facts.seen.0),
        (b"expires_ms", facts.expires.0),
        (b"idle_s", facts.idle_s.into()),
    ];
    for (name, value) in times {
        call.reply_bytes(name);
        call.reply(Reply::Integer(value.cast_signed()));
    }
    call.reply_bytes(b"device");
    call.reply_bytes(facts.device);
    Reply::Sent
}
