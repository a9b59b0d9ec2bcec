//! `DEBUG DIGEST-VALUE`: equal for ledgers that say the same, whenever each of them was last swept.

use portcullis_core::{Ledger, UnixMs};
use redis_module::raw;

use crate::server::ffi;

/// Where the elements go.
pub(crate) struct Sink(pub(crate) *mut raw::RedisModuleDigest);

/// Adds the watermark, each live session, and each unexpired revocation. Elements
/// are combined without regard to order.
pub(crate) fn of_live(ledger: &Ledger, now: UnixMs, sink: &Sink) {
    sink.element(b"watermark", &[ledger.watermark().unwrap_or_default().0]);
    for session in ledger.sessions().iter().filter(|it| ledger.is_live(it, now)) {
        let facts = session.facts();
        let id_length = u64::try_from(facts.id.len()).unwrap_or(0);
        let text = [facts.id, facts.device].concat();
        let times = [facts.created.0, facts.seen.0, facts.expires.0, facts.idle_s.into()];
        sink.element(&text, &[[id_length].as_slice(), &times].concat());
    }
    for row in ledger.revocations().filter(|row| now < row.expires) {
        sink.element(row.digest.as_bytes(), &[row.expires.0]);
    }
}

impl Sink {
    fn element(&self, bytes: &[u8], numbers: &[u64]) {
        // SAFETY: Redis's digest is good during its callback; bytes are read at once.
        unsafe { ffi::digest_bytes(self.0, bytes.as_ptr().cast(), bytes.len()) };
        for number in numbers {
            // SAFETY: as above.
            unsafe { ffi::digest_number(self.0, number.cast_signed()) };
        }
        // SAFETY: as above.
        unsafe { ffi::digest_end(self.0) };
    }
}
