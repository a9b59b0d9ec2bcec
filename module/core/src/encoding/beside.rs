//! How is written down what a server knows of all its ledgers: one block beside them.
//!
//! ```text
//! version 1                1 byte
//! watermark of everybody   varint
//! mark                     varint length (0: none), bytes
//! ```

use super::bytes::Bytes;
use super::{Damage, count, put_varint};
use crate::{AllLedgers, Mark};

const VERSION: u8 = 1;

/// Writes it down.
#[must_use]
pub fn encode_all(all: &AllLedgers) -> Vec<u8> {
    let mark = all.mark().map_or("", Mark::text).as_bytes();
    let mut block = vec![VERSION];
    put_varint(&mut block, all.watermark().0);
    put_varint(&mut block, count(mark.len()));
    block.extend_from_slice(mark);
    block
}

/// Reads what some version wrote; trusted in nothing, as ledgers are.
pub fn decode_all(block: &[u8]) -> Result<AllLedgers, Damage> {
    let mut block = Bytes(block);
    if block.array()? != [VERSION] {
        return Err(Damage::Newer);
    }
    let watermark = block.instant()?;
    let mark = match block.varint()? {
        0 => None,
        length => Some(Mark::new(block.take(length)?).ok_or(Damage::Range)?),
    };
    if block.0.is_empty() { Ok(AllLedgers::of(mark, watermark)) } else { Err(Damage::Trailing) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::UnixMs;

    fn all(mark: Option<&str>, watermark: u64) -> AllLedgers {
        AllLedgers::of(mark.and_then(|mark| Mark::new(mark.as_bytes())), UnixMs(watermark))
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        for written in [
            all(None, 0),
            all(Some("a mark"), 0),
            all(None, UnixMs::MAX.0),
            all(Some(&"x".repeat(255)), 1_700_000_000_000),
        ] {
            assert_eq!(decode_all(&encode_all(&written)), Ok(written));
        }
    }

    /// What is in files, so it never changes.
    #[test]
    fn its_bytes_are_these() {
        assert_eq!(encode_all(&all(Some("m7"), 300)), [1, 0xac, 2, 2, b'm', b'7']);
        assert_eq!(encode_all(&all(None, 0)), [1, 0, 0]);
    }

    #[test]
    fn whatever_is_not_that_is_refused() {
        let whole = encode_all(&all(Some("mark"), 300));
        for length in 0..whole.len() {
            assert_eq!(decode_all(&whole[..length]), Err(Damage::Truncated), "{length}");
        }
        let mut beyond = vec![1];
        put_varint(&mut beyond, UnixMs::MAX.0 + 1);
        for (bytes, damage) in [
            ([&whole[..], b"x"].concat(), Damage::Trailing),
            ([&[2], &whole[1..]].concat(), Damage::Newer),
            ([&[1, 0, 1], b"\n".as_slice()].concat(), Damage::Range),
            ([&beyond[..], &[0]].concat(), Damage::Range),
        ] {
            assert_eq!(decode_all(&bytes), Err(damage), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_an_error_or_something_well_formed(
            bytes in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            if let Ok(read) = decode_all(&bytes) {
                prop_assert_eq!(decode_all(&encode_all(&read)), Ok(read));
            }
        }
    }
}
