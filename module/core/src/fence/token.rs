//! A token as it travels: opaque to whoever carries it.

use super::MonotonicMs;

/// Says in which life of which server it was asked for, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FenceToken {
    pub(super) life: u64,
    pub(super) asked: MonotonicMs,
}

/// Hex digits of the life, a dash, hex digits of the instant.
const LENGTH: usize = 33;

impl FenceToken {
    /// Reads what [`Self::text`] wrote; anything else is no token.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(text).ok().filter(|text| text.len() == LENGTH)?;
        let (life, asked) = text.split_once('-').filter(|(life, _)| life.len() == 16)?;
        Some(Self { life: hex(life)?, asked: MonotonicMs(hex(asked)?) })
    }

    /// The same for one place out of several that share a life, or back again: a token from another
    /// place is one from another life. Place 0 changes nothing.
    #[must_use]
    pub const fn in_place(self, place: u64) -> Self {
        // An odd factor, so that no two places are alike.
        let mask = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { life: self.life ^ mask, asked: self.asked }
    }

    /// As it is answered and sent back.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{:016x}-{:016x}", self.life, self.asked.0)
    }
}

/// `from_str_radix` would take a sign as well.
fn hex(digits: &str) -> Option<u64> {
    let all_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if all_hex { u64::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_in_its_own_place_only() {
        let token = FenceToken { life: 7, asked: MonotonicMs(12) };
        for place in [0, 1, 2, u64::MAX] {
            for other in [0, 1, 2, u64::MAX] {
                let there = token.in_place(place).in_place(other);
                assert_eq!(there == token, place == other, "{place} {other}");
            }
        }
        assert_eq!(token.in_place(0), token);
    }

    #[test]
    fn a_token_reads_as_it_was_written_and_nothing_else_is_one() {
        let token = FenceToken { life: u64::MAX - 7, asked: MonotonicMs(12) };
        let text = token.text();
        assert_eq!(FenceToken::parse(text.as_bytes()), Some(token));
        for damaged in [
            "",
            "-",
            &text[1..],
            &text.replace('-', "0"),
            &text.replacen('f', "+", 1),
            &format!("{text} "),
            &"0".repeat(33),
        ] {
            assert_eq!(FenceToken::parse(damaged.as_bytes()), None, "{damaged:?}");
        }
        assert_eq!(FenceToken::parse(&[0xff; 33]), None);
    }
}
