//! How a ledger is written down: in RDB files, in `DUMP` payloads, between servers. What is known of
//! all ledgers at once is in `encoding/beside.rs`.
//!
//! A ledger is a row of **blocks**, so that a blacklist of any size is written and read in pieces:
//!
//! ```text
//! first block    flags (since version 2)                               1 byte
//!                watermark, number of sessions, number of digests      varints
//!                per session, by id: id, device                        varint length, bytes
//!                                    created, seen, expires, idle      varints
//!                digests, as many as fit                               32 bytes, 8 bytes expiry
//! other blocks   digests, as many as fit; ascending over all blocks
//! ```
//!
//! The one flag, 1, says that whoever wrote it was confirmed: that somebody vouched for its ledgers
//! (`AUTH.CONFIRM`). What version 1 wrote says nothing of that, which is as good as no. The others are
//! 0, so that what a later version means by them is not passed over.
//!
//! Times are milliseconds since the epoch, the idle limit is in seconds, the expiry of a digest is
//! little-endian; a varint is LEB128. Equal ledgers are written alike. What is read is trusted in
//! nothing: every length is checked against what is left, order and ranges are checked, and no
//! memory is reserved because a number says so.

mod beside;
mod bytes;

use core::fmt;

pub use self::beside::{decode_all, encode_all};
use self::bytes::{Bytes, in_range};
use crate::ledger::Ledger;
use crate::revoked::{Revocation, Row};
use crate::session::{Facts, Session};
use crate::{Digest, UnixMs};

/// The version of this encoding, which is what is written.
pub const VERSION: i32 = 2;
/// The first one, without flags, which is read as well.
const FIRST_VERSION: i32 = 1;

/// Whoever wrote it was confirmed.
const CONFIRMED: u8 = 1;

/// A ledger as it was written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The ledger.
    pub ledger: Ledger,
    /// Whether the server that wrote it was confirmed then.
    pub confirmed: bool,
}

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
    /// This version or flag is not known here.
    Newer,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "it is truncated",
            Self::Trailing => "it has trailing bytes",
            Self::Range => "a number is out of range",
            Self::Order => "its entries are out of order",
            Self::Empty => "it is empty",
            Self::Newer => "it was written by a newer version of the module; load that version",
        })
    }
}

/// Writes a ledger, block by block, and whether this server is confirmed.
pub fn encode(ledger: &Ledger, confirmed: bool, mut write: impl FnMut(&[u8])) {
    let mut rows: Vec<&Row> = ledger.revocations().collect();
    rows.sort_unstable_by_key(|row| row.digest);

    let mut block = vec![if confirmed { CONFIRMED } else { 0 }];
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

/// Reads a ledger that this version wrote; `next` gives one block after the other, `None` where there
/// is no further one.
pub fn decode<B: AsRef<[u8]>>(
    version: i32,
    mut next: impl FnMut() -> Option<B>,
) -> Result<Written, Damage> {
    let first = next().ok_or(Damage::Truncated)?;
    let mut block = Bytes(first.as_ref());
    let confirmed = match version {
        FIRST_VERSION => false,
        VERSION => read_flags(&mut block)?,
        _ => return Err(Damage::Newer),
    };
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
    Ok(Written { ledger: reader.ledger, confirmed })
}

fn read_flags(block: &mut Bytes<'_>) -> Result<bool, Damage> {
    let [flags] = block.array()?;
    if flags & !CONFIRMED == 0 { Ok(flags & CONFIRMED != 0) } else { Err(Damage::Newer) }
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
mod tests;
