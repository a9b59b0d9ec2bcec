//! A ledger as it comes out of an RDB file or `RESTORE`: any bytes. Damage is an error, or makes
//! another well-formed ledger that is written and read alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_core::encoding::{decode, encode};

fuzz_target!(|stored: Vec<Vec<u8>>| {
    let mut blocks = stored.into_iter();
    let Ok(ledger) = decode(|| blocks.next()) else { return };
    let mut written = Vec::new();
    encode(&ledger, |block| written.push(block.to_vec()));
    let mut blocks = written.into_iter();
    assert_eq!(decode(|| blocks.next()), Ok(ledger));
});
