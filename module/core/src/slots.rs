//! Hash slots: which one a key is in, and sets of them. Where there is no cluster, one server has all.

use std::fmt;

/// How many there are.
pub const SLOTS: u16 = 16384;
const WORDS: usize = SLOTS as usize / 64;

/// The slot of a key (`CLUSTER KEYSLOT`): what stands in the first braces decides, if anything does.
#[must_use]
pub fn slot_of(key: &[u8]) -> u16 {
    crc16(tag_in(key).unwrap_or(key)) % SLOTS
}

fn tag_in(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|byte| *byte == b'{')?;
    let (_, rest) = key.get(open..)?.split_first()?;
    let close = rest.iter().position(|byte| *byte == b'}')?;
    rest.get(..close).filter(|tag| !tag.is_empty())
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| {
            (crc << 1) ^ (if crc & 0x8000 == 0 { 0 } else { 0x1021 })
        })
    })
}

/// Something short that is in this slot, to stand in the braces of a key.
#[must_use]
pub fn tag_of(slot: u16) -> String {
    let texts = (0_u64..).map(|number| number.to_string());
    texts.into_iter().find(|text| slot_of(text.as_bytes()) == slot).unwrap_or_default()
}

/// Some of the slots.
#[derive(Clone, PartialEq, Eq)]
pub struct Slots(Box<[u64; WORDS]>);

impl Default for Slots {
    fn default() -> Self {
        Self(Box::new([0; WORDS]))
    }
}

impl Slots {
    /// Every one.
    #[must_use]
    pub fn all() -> Self {
        Self(Box::new([u64::MAX; WORDS]))
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn has(&self, slot: u16) -> bool {
        self.0.get(usize::from(slot / 64)).is_some_and(|word| word & bit(slot) != 0)
    }

    /// One more.
    pub fn add(&mut self, slot: u16) {
        if let Some(word) = self.0.get_mut(usize::from(slot / 64)) {
            *word |= bit(slot);
        }
    }

    /// One less.
    pub fn remove(&mut self, slot: u16) {
        if let Some(word) = self.0.get_mut(usize::from(slot / 64)) {
            *word &= !bit(slot);
        }
    }

    /// Those and these.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        self.merged(other, |one, other| one | other)
    }

    /// Those but these.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.merged(other, |one, other| one & !other)
    }

    /// Those that are in both.
    #[must_use]
    pub fn also_in(&self, other: &Self) -> Self {
        self.merged(other, |one, other| one & other)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..SLOTS).filter(|slot| self.has(*slot))
    }

    /// `0-5460 7000`, as [`Self::parse`] reads it.
    fn ranges(&self) -> Vec<(u16, u16)> {
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for slot in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(slot) => *last = slot,
                _ => ranges.push((slot, slot)),
            }
        }
        ranges
    }

    /// What [`fmt::Display`] writes; nothing of what makes no sense.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut slots = Self::default();
        for word in text.split_ascii_whitespace() {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
                (first..=last).for_each(|slot| slots.add(slot));
            }
        }
        slots
    }

    fn merged(&self, other: &Self, merge: impl Fn(u64, u64) -> u64) -> Self {
        let mut merged = self.clone();
        for (word, other) in merged.0.iter_mut().zip(other.0.iter()) {
            *word = merge(*word, *other);
        }
        merged
    }
}

const fn bit(slot: u16) -> u64 {
    1_u64 << (slot % 64)
}

impl fmt::Display for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (first, last)) in self.ranges().into_iter().enumerate() {
            let gap = if place == 0 { "" } else { " " };
            if first == last {
                write!(f, "{gap}{first}")?;
            } else {
                write!(f, "{gap}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slots({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `CLUSTER KEYSLOT` says.
    #[test]
    fn a_key_is_in_the_slot_that_servers_say() {
        for (key, slot) in [
            ("123456789", 12739),
            ("foo", 12182),
            ("{foo}bar", 12182),
            ("a{foo}b{bar}", 12182),
            ("user:1", 10778),
            ("", 0),
        ] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
        assert_ne!(slot_of(b"{}foo"), slot_of(b"{}bar"), "empty braces decide nothing");
    }

    #[test]
    fn every_slot_has_something_in_it() {
        for slot in [0, 1, 8000, SLOTS - 1] {
            assert_eq!(slot_of(format!("a{{{}}}", tag_of(slot)).as_bytes()), slot);
        }
    }

    #[test]
    fn a_set_reads_as_it_was_written() {
        for text in ["", "0-16383", "0 2-3 16383", "64-128"] {
            assert_eq!(Slots::parse(text).to_string(), text);
        }
        assert_eq!(Slots::parse("1 x 3-y 70000 5-4"), Slots::parse("1"));
        assert_eq!(Slots::all().to_string(), "0-16383");
    }

    #[test]
    fn sets_are_joined_and_parted() {
        let (one, other) = (Slots::parse("0-100"), Slots::parse("50-200"));
        assert_eq!(one.with(&other).to_string(), "0-200");
        assert_eq!(one.without(&other).to_string(), "0-49");
        assert_eq!(one.also_in(&other).to_string(), "50-100");
        let mut less = one.clone();
        less.remove(3);
        assert!(!less.has(3) && less.has(4) && !less.is_empty());
    }
}
