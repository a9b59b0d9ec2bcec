//! `DEBUG DIGEST-VALUE`: equal for ledgers that say the same, whenever each of them was last swept.

use portcullis_core::{Ledger, Present};

use crate::server::streams::Elements;

/// Adds the watermark, each live session, and each unexpired revocation.
pub(crate) fn of_live(ledger: &Ledger, present: Present, elements: &Elements) {
    elements.add(b"watermark", &[ledger.watermark().unwrap_or_default().0]);
    for session in ledger.sessions().iter().filter(|it| ledger.is_live(it, present)) {
        let facts = session.facts();
        let id_length = u64::try_from(facts.id.len()).unwrap_or(0);
        let text = [facts.id, facts.device].concat();
        let times = [facts.created.0, facts.seen.0, facts.expires.0, facts.idle_s.into()];
        elements.add(&text, &[[id_length].as_slice(), &times].concat());
    }
    for row in ledger.revocations().filter(|row| present.now < row.expires) {
        elements.add(row.digest.as_bytes(), &[row.expires.0]);
    }
}
