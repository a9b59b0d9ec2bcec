//! How a ledger is written down: in RDB files, in `DUMP` payloads, between servers.
//!
//! A ledger is a row of **blocks**, so that a blacklist of any size is written and read in pieces:
//!
//! ```text
//! first block    watermark, number of sessions, number of digests      varints
//!                per session, by id: id, device                        varint length, bytes
//!                                    created, seen, expires, idle      varints
//!                digests, as many as fit                               32 bytes, 8 bytes expiry
//! other blocks   digests, as many as fit; ascending over all blocks
//! ```
//!
//! Times are milliseconds since the epoch, the idle limit is in seconds, the expiry of a digest is
//! little-endian; a varint is LEB128. Equal ledgers are written alike. What is read is trusted in
//! nothing: every length is checked against what is left, order and ranges are checked, and no
//! memory is reserved because a number says so.

mod bytes;

use core::fmt;

use self::bytes::{Bytes, in_range};
use crate::ledger::Ledger;
use crate::revoked::{Revocation, Row};
use crate::session::{Facts, Session};
use crate::{Digest, UnixMs};

/// The version of this encoding, from the first release.
pub const VERSION: i32 = 1;

/// Digests in one block: 64 KiB.
const ROWS_PER_BLOCK: usize = 1638;
const ROW_BYTES: usize = 40;

/// Why some bytes are no ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The bytes end inside an entry, or a further block is missing.
    Truncated,
    /// Bytes are left after the last entry.
    Trailing,
    /// A number is out of range.
    Range,
    /// Entries are not in ascending order, or one stands twice.
    Order,
    /// Nothing is in it.
    Empty,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "it is truncated",
            Self::Trailing => "it has trailing bytes",
            Self::Range => "a number is out of range",
            Self::Order => "its entries are out of order",
            Self::Empty => "it is empty",
        })
    }
}

/// Writes a ledger, block by block.
pub fn encode(ledger: &Ledger, mut write: impl FnMut(&[u8])) {
    let mut rows: Vec<&Row> = ledger.revocations().collect();
    rows.sort_unstable_by_key(|row| row.digest);

    let mut block = Vec::new();
    put_varint(&mut block, ledger.watermark().map_or(0, |at| at.0));
    put_varint(&mut block, count(ledger.sessions().len()));
    put_varint(&mut block, count(rows.len()));
    for session in ledger.sessions() {
        put_session(&mut block, &session.facts());
    }
    let mut pieces = rows.chunks(ROWS_PER_BLOCK);
    put_rows(&mut block, pieces.next().unwrap_or_default());
    write(&block);
    for piece in pieces {
        block.clear();
        put_rows(&mut block, piece);
        write(&block);
    }
}

/// Reads a ledger; `next` gives one block after the other, `None` where there is no further one.
pub fn decode<B: AsRef<[u8]>>(mut next: impl FnMut() -> Option<B>) -> Result<Ledger, Damage> {
    let first = next().ok_or(Damage::Truncated)?;
    let mut block = Bytes(first.as_ref());
    let watermark = block.instant()?;
    let sessions = block.varint()?;
    let rows = block.varint()?;
    if sessions == 0 && rows == 0 && watermark == UnixMs(0) {
        return Err(Damage::Empty);
    }

    let mut ledger = Ledger::with_sessions(read_sessions(&mut block, sessions)?);
    ledger.raise_watermark(watermark);
    let mut reader = Rows { ledger, left: rows, last: None };
    reader.take(block.0)?;
    while reader.left > 0 {
        reader.take(next().ok_or(Damage::Truncated)?.as_ref())?;
    }
    Ok(reader.ledger)
}

/// Collected first and stored at once: a ledger that took them one by one would move all of them
/// each time.
fn read_sessions(block: &mut Bytes<'_>, count: u64) -> Result<Vec<Session>, Damage> {
    let mut sessions: Vec<Session> = Vec::new();
    for _ in 0..count {
        let facts = block.session()?;
        if sessions.last().is_some_and(|last| last.id() >= facts.id) {
            return Err(Damage::Order);
        }
        sessions.push(Session::new(&facts));
    }
    Ok(sessions)
}

/// Fills a ledger with digests, block by block.
struct Rows {
    ledger: Ledger,
    left: u64,
    last: Option<Digest>,
}

impl Rows {
    fn take(&mut self, block: &[u8]) -> Result<(), Damage> {
        let (rows, rest) = block.as_chunks::<ROW_BYTES>();
        let here = count(rows.len());
        if here > self.left || (self.left == 0 && !rest.is_empty()) {
            return Err(Damage::Trailing);
        }
        if !rest.is_empty() || (here == 0 && self.left > 0) {
            return Err(Damage::Truncated);
        }
        rows.iter().try_for_each(|row| self.add(row))?;
        self.left = self.left.saturating_sub(here);
        Ok(())
    }

    fn add(&mut self, row: &[u8; ROW_BYTES]) -> Result<(), Damage> {
        let mut row = Bytes(row);
        let digest = Digest::from_bytes(row.array()?);
        let expires = in_range(u64::from_le_bytes(row.array()?))?;
        if self.last.is_some_and(|last| last >= digest) {
            return Err(Damage::Order);
        }
        self.last = Some(digest);
        // An entry that expired while it lay in a file is kept until it is swept, like any other.
        match self.ledger.revoke(digest, expires, UnixMs(0)) {
            Revocation::New => Ok(()),
            Revocation::Extended | Revocation::Unchanged => Err(Damage::Range),
        }
    }
}

fn put_session(block: &mut Vec<u8>, session: &Facts<'_>) {
    for text in [session.id, session.device] {
        put_varint(block, count(text.len()));
        block.extend_from_slice(text);
    }
    for at in [session.created, session.seen, session.expires] {
        put_varint(block, at.0);
    }
    put_varint(block, session.idle_s.into());
}

fn put_rows(block: &mut Vec<u8>, rows: &[&Row]) {
    for row in rows {
        block.extend_from_slice(row.digest.as_bytes());
        block.extend_from_slice(&row.expires.0.to_le_bytes());
    }
}

fn put_varint(block: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        block.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    block.push(value.to_le_bytes()[0]);
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocks(ledger: &Ledger) -> Vec<Vec<u8>> {
        let mut blocks = Vec::new();
        encode(ledger, |block| blocks.push(block.to_vec()));
        blocks
    }

    fn read(blocks: &[Vec<u8>]) -> Result<Ledger, Damage> {
        let mut blocks = blocks.iter();
        decode(|| blocks.next())
    }

    fn sample(digests: u64) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.raise_watermark(UnixMs(7));
        for (id, device) in [(b"a".as_slice(), b"phone".as_slice()), (b"bb", b"")] {
            let (created, seen, expires) = (UnixMs(1), UnixMs(300), UnixMs::MAX);
            ledger.put(&Facts { id, device, created, seen, expires, idle_s: 60 });
        }
        for n in 0..digests {
            ledger.revoke(Digest::of(&n.to_le_bytes()), UnixMs(n + 1), UnixMs(0));
        }
        ledger
    }

    #[test]
    fn what_is_written_is_read_whatever_its_size() {
        for digests in [0, 1, 1638, 1639, 5000] {
            let ledger = sample(digests);
            let written = blocks(&ledger);
            assert_eq!(written.len() as u64, digests.div_ceil(1638).max(1));
            assert_eq!(read(&written), Ok(ledger));
        }
    }

    #[test]
    fn equal_ledgers_are_written_alike() {
        let mut backwards = Ledger::default();
        for n in (0..5000_u64).rev() {
            backwards.revoke(Digest::of(&n.to_le_bytes()), UnixMs(n + 1), UnixMs(0));
        }
        let mut forwards = Ledger::default();
        for n in 0..5000_u64 {
            forwards.revoke(Digest::of(&n.to_le_bytes()), UnixMs(n + 1), UnixMs(0));
        }
        assert_eq!(blocks(&backwards), blocks(&forwards));
    }

    #[test]
    fn every_truncation_is_noticed() {
        let whole = blocks(&sample(3));
        for length in 0..whole[0].len() {
            let result = read(&[whole[0][..length].to_vec()]);
            assert!(result.is_err(), "{length} bytes");
        }
        assert_eq!(read(&blocks(&sample(1639))[..1]), Err(Damage::Truncated));
        assert_eq!(read(&[]), Err(Damage::Truncated));
    }

    #[test]
    fn what_is_left_over_is_noticed() {
        let mut longer = blocks(&sample(3));
        longer[0].push(0);
        assert!(read(&longer).is_err());
        let mut row_too_many = blocks(&sample(3));
        row_too_many[0].extend([0xff; ROW_BYTES]);
        assert_eq!(read(&row_too_many), Err(Damage::Trailing));
    }

    #[test]
    fn nothing_is_no_ledger() {
        assert_eq!(read(&[vec![0, 0, 0]]), Err(Damage::Empty));
    }

    #[test]
    fn a_count_reserves_no_memory() {
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        let sessions = [[0].as_slice(), &most, &[0]].concat();
        assert_eq!(read(&[sessions]), Err(Damage::Truncated));
        let digests = [[0, 0].as_slice(), &most].concat();
        assert_eq!(read(&[digests]), Err(Damage::Truncated));
    }

    proptest! {
        /// Damage is an error, or it is invisible and makes another well-formed ledger.
        #[test]
        fn a_changed_byte_never_breaks_the_ledger(at in 0_usize..230, bits in 1_u8..) {
            let mut damaged = blocks(&sample(3));
            let place = at % damaged[0].len();
            damaged[0][place] ^= bits;
            if let Ok(ledger) = read(&damaged) {
                prop_assert_eq!(read(&blocks(&ledger)), Ok(ledger));
            }
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(ledger) = read(&[bytes]) {
                prop_assert_eq!(read(&blocks(&ledger)), Ok(ledger));
            }
        }
    }
}
