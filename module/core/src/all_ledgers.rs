//! What a server knows of all its ledgers at once, and in no ledger: the mark, and the watermark of
//! everybody.
//!
//! The **mark** is a word of whoever brings the ledgers up to date, which says what they are complete
//! up to; nothing here reads it. It speaks of the ledgers that are there, so it is lost with them. The
//! **watermark of everybody** is that of a ledger, for all of them: what began at or before it has
//! ended. It only moves forward, and is lost with nothing but the server's memory and files.

use crate::UnixMs;

/// Both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllLedgers {
    mark: Option<Mark>,
    /// 0 for none.
    watermark: UnixMs,
}

/// A mark: printable ASCII, so that it can be shown on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark(Box<str>);

/// Bytes of a mark.
const LONGEST_MARK: usize = 255;

impl Mark {
    /// Reads a mark; `None` for what is none.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        let is_printable = text.iter().all(|byte| matches!(byte, b' '..=b'~'));
        if text.is_empty() || text.len() > LONGEST_MARK || !is_printable {
            return None;
        }
        core::str::from_utf8(text).ok().map(|text| Self(text.into()))
    }

    /// As it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl AllLedgers {
    /// Neither.
    pub const NONE: Self = Self { mark: None, watermark: UnixMs(0) };

    /// As they were written down.
    pub(crate) const fn of(mark: Option<Mark>, watermark: UnixMs) -> Self {
        Self { mark, watermark }
    }

    /// The mark, if there is one.
    #[must_use]
    pub const fn mark(&self) -> Option<&Mark> {
        self.mark.as_ref()
    }

    /// Whether the mark is this one; nothing stands for none.
    #[must_use]
    pub fn has_mark(&self, text: &[u8]) -> bool {
        self.mark().map_or("", Mark::text).as_bytes() == text
    }

    /// Puts a mark in place of the one that is there.
    pub fn set_mark(&mut self, mark: Mark) {
        self.mark = Some(mark);
    }

    /// The ledgers it spoke of are there no more.
    pub fn lose_mark(&mut self) {
        self.mark = None;
    }

    /// The watermark of everybody; 0 for none.
    #[must_use]
    pub const fn watermark(&self) -> UnixMs {
        self.watermark
    }

    /// Moves the watermark forward, never back. Answers whether it moved.
    pub fn raise_watermark(&mut self, to: UnixMs) -> bool {
        let moves = self.watermark < to;
        self.watermark = self.watermark.max(to);
        moves
    }

    /// Whether there is nothing to be kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(text: &str) -> Mark {
        Mark(text.into())
    }

    #[test]
    fn a_mark_is_anything_that_can_be_shown_on_a_line() {
        let longest = [b'x'; LONGEST_MARK];
        for text in [b"m".as_slice(), b" ~", b"0123 7 9", &longest] {
            let mark = Mark::new(text);
            assert_eq!(mark.as_ref().map(|mark| mark.text().as_bytes()), Some(text));
        }
        for text in
            [b"".as_slice(), b"a\r\nb", b"\0", b"\x7f", b"\xc3\xa4", &[b'x'; LONGEST_MARK + 1]]
        {
            assert_eq!(Mark::new(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_mark_is_compared_with_all_of_it_and_with_nothing_where_there_is_none() {
        let mut all = AllLedgers::default();
        assert!(all.has_mark(b"") && !all.has_mark(b"m"));
        all.set_mark(mark("mark"));
        assert!(all.has_mark(b"mark"));
        for other in [b"".as_slice(), b"mar", b"marks", b"MARK"] {
            assert!(!all.has_mark(other), "{other:?}");
        }
        all.lose_mark();
        assert!(all.has_mark(b"") && all.is_empty());
    }

    #[test]
    fn the_watermark_of_everybody_only_moves_forward() {
        let mut all = AllLedgers::default();
        assert!(all.raise_watermark(UnixMs(5)) && !all.raise_watermark(UnixMs(5)));
        assert!(!all.raise_watermark(UnixMs(4)) && all.raise_watermark(UnixMs(6)));
        all.set_mark(mark("m"));
        all.lose_mark();
        assert_eq!(all.watermark(), UnixMs(6));
        assert!(!all.is_empty());
    }
}
