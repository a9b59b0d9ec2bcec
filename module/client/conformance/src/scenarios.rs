//! What is played. Each row stands for one way in which a cached answer becomes wrong.

mod endings;
mod lives;
mod network;
mod order;
mod served;
mod silent;

use crate::fault::Played;
use crate::stage::Stage;

/// One scenario.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What must hold.
    pub(crate) what: &'static str,
    /// One round.
    pub(crate) play: fn(&mut Stage) -> Played,
}

/// All of them, the simplest first.
pub(crate) const ALL: &[Scenario] = &[
    row("live", "a live session is served, from the cache as well", served::live),
    row("kept-alive", "beats keep the lease while nobody checks", served::kept_alive),
    row("used", "a session that is touched outlives its first idle limit", served::used),
    row("other-token", "no other bytes are taken for a token", served::other_token),
    row("other-question", "no other session or subject is answered for", served::other_question),
    row("revoked", "its session ended", endings::revoked),
    row("everything", "everything of the subject ended", endings::everything),
    row("token", "this one token ended; its neighbour lives", endings::token),
    row("script", "a script ended the session", endings::script),
    row("deleted", "the ledger was deleted", endings::deleted),
    row("renamed", "the ledger was renamed", endings::renamed),
    row("overwritten", "another ledger was copied over it", endings::overwritten),
    row("no-ledger", "something else was stored in its place", endings::no_ledger),
    row("flushed", "FLUSHALL, FLUSHDB", endings::flushed),
    row("few-tracked", "the server tracks one key at most", endings::few_tracked),
    row("session-end", "the session's time was over: not one OK later", silent::session_end),
    row("idle", "the session went idle: not one OK later", silent::idle),
    row("key-expiry", "the key's own expiry: not one OK later", silent::key_expiry),
    row("swapped", "SWAPDB", silent::swapped),
    row("everybody", "everybody was logged out at once", silent::everybody),
    row("doubtful", "the server must be confirmed and is not", silent::doubtful),
    row("promoted", "the server was a replica and is a primary again", silent::promoted),
    row("demoted", "the server took over what another one has", lives::demoted),
    row("forbidden", "the right to check was taken away", lives::forbidden),
    row("hang", "the server hangs", lives::hang),
    row("gone", "the server died; another life begins without the session", lives::gone),
    row("elsewhere", "the address leads to another server", lives::elsewhere),
    row("lost", "the connection is gone while the session ends", network::lost),
    row("killed", "the server closes the connection while the session ends", network::killed),
    row("held", "all that the server says is held back", network::held),
    row("late-answers", "answers from before the end arrive long after it", network::late_answers),
    row(
        "overtaken",
        "a check's answer and the push that voids it arrive together",
        order::overtaken,
    ),
    row("storm", "sessions end while they are being checked", order::storm),
    row("suspended", "the client itself was suspended while the session ended", order::suspended),
];

const fn row(name: &'static str, what: &'static str, play: fn(&mut Stage) -> Played) -> Scenario {
    Scenario { name, what, play }
}
