//! `DUMP` payloads taken apart and put together again, as Redis checks them in `RESTORE`.

use crc::{CRC_64_REDIS, Crc};

const CRC64: Crc<u64> = Crc::<u64>::new(&CRC_64_REDIS);
/// RDB version, two bytes, and checksum, eight.
const FOOTER: usize = 10;

/// The value inside a payload, and the RDB version it was written for.
pub(crate) fn opened(payload: &[u8]) -> (&[u8], [u8; 2]) {
    let (value, footer) = payload.split_at(payload.len() - FOOTER);
    (value, [footer[0], footer[1]])
}

/// A payload with a checksum that fits, whatever the value is.
pub(crate) fn sealed(value: &[u8], version: [u8; 2]) -> Vec<u8> {
    let mut payload = [value, &version].concat();
    payload.extend(CRC64.checksum(&payload).to_le_bytes());
    payload
}
