//! What commands refuse, in Redis's own words where it has words for it. One constant each.

use crate::server::reply::Reply;

/// An option is unknown, given twice, or lacks its value.
pub(crate) const SYNTAX: Reply = Reply::Error(c"ERR syntax error");
/// A number is none, or does not fit.
pub(crate) const INTEGER: Reply = Reply::Error(c"ERR value is not an integer or out of range");
/// The key holds another type.
pub(crate) const WRONG_TYPE: Reply =
    Reply::Error(c"WRONGTYPE Operation against a key holding the wrong kind of value");
/// An expiry is zero, negative, past where that makes no sense, or too far ahead.
pub(crate) const BLACKLIST_EXPIRE: Reply =
    Reply::Error(c"ERR invalid expire time in 'auth.blacklist' command");
/// The same for a session.
pub(crate) const CREATE_EXPIRE: Reply =
    Reply::Error(c"ERR invalid expire time in 'auth.session|create' command");
/// `AT` is zero, negative or in the future.
pub(crate) const AT: Reply = Reply::Error(c"ERR AT must be a past instant in milliseconds");
/// Nobody can tell how long the revocation must be remembered.
pub(crate) const NO_EXP: Reply =
    Reply::Error(c"ERR token carries no exp claim; give EX, PX, EXAT or PXAT");
/// The subject has as many live sessions as allowed, and no `MAX` says whom to evict.
pub(crate) const TOO_MANY: Reply = Reply::Error(c"ERR too many sessions");
/// The sender's knowledge may be out of date.
pub(crate) const STALE: Reply = Reply::Error(c"STALE ask for a new fence and read again");
/// The session is one of those that a logout of everything has ended.
pub(crate) const ENDED: Reply = Reply::Error(
    c"ENDED the session began at or before a logout of everything; do not begin it again",
);
/// What follows `FENCE` never came from `AUTH.FENCE`.
pub(crate) const FENCE: Reply = Reply::Error(c"ERR invalid fence");
/// `portcullis.require-fence` is on, and there is no `FENCE`.
pub(crate) const NO_FENCE: Reply =
    Reply::Error(c"ERR this server wants a fence; call AUTH.FENCE and pass its answer as FENCE");
/// `MAX` is not 1 to `portcullis.max-sessions`.
pub(crate) const MAX: Reply = Reply::Error(c"ERR MAX must be 1 to portcullis.max-sessions");
/// A session id is empty or longer than `portcullis.max-id-bytes`.
pub(crate) const ID: Reply =
    Reply::Error(c"ERR session id must have 1 to portcullis.max-id-bytes bytes");
/// A device is longer than `portcullis.max-device-bytes`.
pub(crate) const DEVICE: Reply =
    Reply::Error(c"ERR DEVICE must have at most portcullis.max-device-bytes bytes");
/// `AUTH.CONFIRM` was meant for another life of this server, or for another server.
pub(crate) const RUN_ID: Reply =
    Reply::Error(c"ERR this is not the run id of this server; read run_id from INFO server");
/// A lease is too short or too long.
pub(crate) const LEASE: Reply = Reply::Error(c"ERR PX must be 1 to 86400000 milliseconds");
/// A mark is empty, too long, or cannot be shown on a line.
pub(crate) const MARK: Reply =
    Reply::Error(c"ERR MARK must be 1 to 255 printable ASCII characters");
/// Somebody has set another mark since.
pub(crate) const CHANGED: Reply = Reply::Error(
    c"CHANGED the mark is not the one after IF; read portcullis_mark in INFO portcullis again",
);
/// A watermark of everybody lies where no session can be.
pub(crate) const BEFORE: Reply = Reply::Error(
    c"ERR BEFORE must be an instant in milliseconds, at most portcullis.max-ttl ahead",
);
/// Replicas cannot be told now, and must not be left with what is to be forgotten.
pub(crate) const SLOT_LEAVES: Reply =
    Reply::Error(c"TRYAGAIN a slot is leaving this node; repeat the command after it has left");
/// `AUTH.CONFIRM` was meant for an earlier life of this server's ledgers.
pub(crate) const LIFE: Reply = Reply::Error(
    c"STALE the ledgers were replaced or the role has changed; bring them up to date again",
);
/// Nobody has confirmed the ledgers since this server started or its role changed, or the lease is over.
pub(crate) const NOT_READY: Reply =
    Reply::Error(c"NOTREADY nobody vouches for the ledgers of this server now; refuse the token");
