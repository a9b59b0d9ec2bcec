//! A ledger as it comes out of an RDB file or `RESTORE`: any bytes. Damage is an error, or makes
//! another well-formed ledger that is written and read alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_core::encoding::{VERSION, decode, encode};

fuzz_target!(|stored: Vec<Vec<u8>>| {
    for version in 1..=VERSION {
        let mut blocks = stored.iter();
        let Ok(read) = decode(version, || blocks.next()) else { continue };
        let mut written = Vec::new();
        encode(&read.ledger, read.confirmed, |block| written.push(block.to_vec()));
        let mut blocks = written.iter();
        assert_eq!(decode(VERSION, || blocks.next()), Ok(read));
    }
});
