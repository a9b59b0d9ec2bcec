//! A ledger as it comes out of an RDB file or `RESTORE`: any bytes. Damage is an error, or makes
//! another well-formed ledger that is written and read alike. The same for what stands beside them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_core::encoding::{VERSION, decode, decode_all, encode, encode_all};

fuzz_target!(|stored: Vec<Vec<u8>>| {
    for block in &stored {
        let Ok(read) = decode_all(block) else { continue };
        assert_eq!(decode_all(&encode_all(&read)), Ok(read));
    }
    for version in 1..=VERSION {
        let mut blocks = stored.iter();
        let Ok(read) = decode(version, || blocks.next()) else { continue };
        let mut written = Vec::new();
        encode(&read.ledger, read.confirmed, |block| written.push(block.to_vec()));
        let mut blocks = written.iter();
        assert_eq!(decode(VERSION, || blocks.next()), Ok(read));
    }
});
