//! What a refusal or a fault says about Redis as a whole.

use redis::{ErrorKind, RedisError};

/// Whether a refusal concerns the server and not one key or one command.
pub(super) fn is_of_the_server(code: &str) -> bool {
    ["LOADING", "READONLY", "MASTERDOWN", "NOAUTH", "CLUSTERDOWN"].contains(&code)
}

/// Whether it takes no changes for now, whoever they are about, though it can be asked: it is no user's
/// ledger that refuses.
pub(super) fn takes_no_changes(code: &str) -> bool {
    ["NOREPLICAS", "MISCONF", "OOM", "BUSY"].contains(&code)
}

/// Whether a fault concerns the server, or the way to it. Of several commands that were sent together, or as
/// one transaction, each has its own refusal.
pub(super) fn breaks_line(cause: &RedisError) -> bool {
    if let Some(refusals) = cause.clone().into_server_errors() {
        return refusals.iter().any(|(_, refusal)| is_of_the_server(refusal.code()));
    }
    match (cause.kind(), cause.code()) {
        (_, Some(code)) => is_of_the_server(code),
        (ErrorKind::UnexpectedReturnType, None) => false,
        (_, None) => true,
    }
}

/// Redis cannot be asked, or is not believed.
pub(super) fn unavailable(why: &'static str) -> RedisError {
    RedisError::from((ErrorKind::Client, why))
}
