//! A ledger as the commands that would make it: what an AOF rewrite without RDB preamble writes.
//!
//! The logout comes first, because it ends every session begun before it.

use portcullis_core::Ledger;

use crate::ledger::effect::Effect;
use crate::server::streams::Rewrite;

/// Writes the whole ledger.
pub(crate) fn rewrite(ledger: &Ledger, to: &Rewrite) {
    if let Some(watermark) = ledger.watermark() {
        Effect::revokeall(watermark, None).emit(to);
    }
    for session in ledger.sessions() {
        Effect::create(&session.facts()).emit(to);
    }
    for row in ledger.revocations() {
        Effect::blacklist(&row.digest, row.expires).emit(to);
    }
}
