//! `AUTH.FENCE`: a token for whoever is about to read the truth and to begin a session from it.

use crate::ledger::endings;
use crate::server::call::Call;
use crate::server::reply::Reply;

/// `AUTH.FENCE`
pub(crate) fn fence(call: &Call<'_>) -> Reply {
    if call.arg(1).is_some() {
        return Reply::WrongArity;
    }
    call.reply_bytes(endings::new_token(call).text().as_bytes());
    Reply::Sent
}
