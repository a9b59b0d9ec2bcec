//! This server's memory of what was ended lately, and the tokens that are judged by it.
//!
//! The rule is in `core/src/fence.rs`. The memory is in no key, so it outlives `DEL`, eviction and
//! a ledger's own end, and it goes with the process. It is not replicated: a server that is
//! promoted begins a new life, and so does one whose ledgers are replaced as a whole (`events.rs`).

use std::hash::{BuildHasher, RandomState};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use portcullis_core::{Beginning, Fence, FenceToken, LogOut, Refusal, UnixMs};

use crate::server::ask;
use crate::server::call::Call;
use crate::server::clock::monotonic_now;
use crate::{config, counters};

/// Only the main thread takes it, so nobody ever waits.
static FENCE: LazyLock<Mutex<Fence>> = LazyLock::new(|| {
    let random = RandomState::new();
    Mutex::new(Fence::new(random.hash_one(0), random.hash_one(1)))
});

fn fence() -> MutexGuard<'static, Fence> {
    FENCE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A token for a session that begins from what is read after this.
pub(crate) fn new_token(call: &Call<'_>) -> FenceToken {
    fence().token(monotonic_now()).in_place(place(call))
}

/// Where in a cluster this is: another number when slots have come since. 0 without a cluster.
fn place(call: &Call<'_>) -> u64 {
    let epoch = if call.is_in_cluster() { ask::config_epoch(call.ctx()) } else { None };
    epoch.map_or(0, |epoch| epoch.wrapping_add(1))
}

/// Whether a session may begin with this token. The memory does not travel with a slot, so a token
/// is void when any has come to this node since.
pub(crate) fn judge(
    call: &Call<'_>,
    token: FenceToken,
    beginning: &Beginning<'_>,
) -> Result<(), Refusal> {
    let token = token.in_place(place(call));
    let verdict = fence().judge(token, beginning, monotonic_now());
    counters::FENCE_STALE.add(usize::from(verdict == Err(Refusal::Stale)));
    verdict
}

/// Remembers sessions that a client has ended, known ones or not.
pub(crate) fn remember<'a>(key: &[u8], ids: impl IntoIterator<Item = &'a [u8]>) {
    fence().remember(key, ids, monotonic_now(), config::fence_endings());
}

/// Remembers that a client has ended all sessions begun until an instant, but one if so said.
pub(crate) fn remember_all(key: &[u8], except: Option<&[u8]>, until: UnixMs) {
    let ended = LogOut { key, except, until };
    fence().remember_all(&ended, monotonic_now(), config::fence_endings());
}

/// What `INFO` shows: the life, the endings remembered, and how often there were too many. Waits
/// for nobody: a crash report asks as well, wherever the server stood.
pub(crate) fn figures() -> (u64, usize, u64) {
    let Ok(fence) = FENCE.try_lock() else { return (0, 0, 0) };
    (fence.life(), fence.endings(), fence.overflows())
}

/// Whether this is the name of the present life, as `INFO` shows it.
pub(crate) fn is_present_life(name: &[u8]) -> bool {
    name == fence().life().to_string().as_bytes()
}

/// Makes every token void: ledgers were replaced as a whole, or the server's part in keeping them.
pub(crate) fn begin_life() {
    fence().begin_life();
}
