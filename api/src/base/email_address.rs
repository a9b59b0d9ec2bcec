//! The one form in which an e-mail address is stored, compared, counted and mailed to.
//!
//! The domain is as DNS has it (IDNA, A-labels), the local part is in NFC, both are in lower case. What
//! cannot be mailed has no such form, nor has what looks like another address: invisible characters,
//! those that change the direction, and letters of full or half width.

use icu_properties::props::{DefaultIgnorableCodePoint, EastAsianWidth};
use icu_properties::{CodePointMapData, CodePointSetData};
use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization as _;

/// How long an address may be, in octets (RFC 5321 §4.5.3.1, RFC 6531 §3.3).
const LONGEST: usize = 254;
const LONGEST_LOCAL_PART: usize = 64;

/// Braille without a dot, the one symbol that nobody sees.
const BLANK: char = '\u{2800}';

/// What is said of an address that has no canonical form.
pub(crate) const FAULT: &str =
    "must be an e-mail address, without invisible or full-width characters";

/// The canonical form, if there is one. That of a canonical form is itself.
#[must_use]
pub fn canonical(given: &str) -> Option<String> {
    let given = given.trim();
    if given.chars().any(misleads) {
        return None;
    }
    let (local, domain) = given.rsplit_once('@')?;
    let (local, domain) = (in_lower_case(local), domain_in_ascii(domain)?);
    let email = format!("{local}@{domain}");
    let is_address = local.len() <= LONGEST_LOCAL_PART
        && email.len() <= LONGEST
        && !local.contains('"')
        && domain.contains('.')
        && email.parse::<lettre::Address>().is_ok();
    is_address.then_some(email)
}

/// A domain as DNS has it.
pub(crate) fn domain_in_ascii(domain: &str) -> Option<String> {
    let (hyphens, length) = (Hyphens::CheckFirstLast, DnsLength::Verify);
    let ascii = Uts46::new().to_ascii(domain.as_bytes(), AsciiDenyList::STD3, hyphens, length);
    ascii.ok().map(Into::into)
}

fn in_lower_case(local: &str) -> String {
    let composed: String = local.nfc().collect();
    // Some letters have a lower case that is composed in another way.
    composed.to_lowercase().nfc().collect()
}

/// Whether a person would not see it, or would take it for another character.
fn misleads(c: char) -> bool {
    let width = CodePointMapData::<EastAsianWidth>::new().get(c);
    c.is_control()
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || c == BLANK
        || [EastAsianWidth::Fullwidth, EastAsianWidth::Halfwidth].contains(&width)
}

/// How the account may be stored that somebody means by an address.
pub(crate) struct Spellings {
    /// The canonical form; where there is none, what was typed.
    pub(crate) canonical: String,
    /// What was typed, in lower case. An account from before there was a canonical form may still have
    /// it, if another account has the canonical one. Whoever has such an account types what they always
    /// typed, so this spelling is looked for first.
    pub(crate) typed: String,
}

impl Spellings {
    /// Of whatever was typed.
    pub(crate) fn of(given: &str) -> Self {
        let typed = given.trim().to_lowercase();
        Self { canonical: canonical(given).unwrap_or_else(|| typed.clone()), typed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_in_lower_case() {
        assert_eq!(canonical(" Ada.L+x@Example.COM ").unwrap(), "ada.l+x@example.com");
    }

    #[test]
    fn f_28_every_spelling_of_an_address_has_the_same_form() {
        for (form, spellings) in [
            ("jos\u{e9}@example.com", &["Jose\u{301}@example.com", "JOS\u{c9}@EXAMPLE.com"][..]),
            (
                "ada@xn--bcher-kva.example",
                &[
                    "ada@b\u{fc}cher.example",
                    "Ada@BU\u{308}CHER.Example",
                    "ada@XN--BCHER-KVA.example",
                    "ada@b\u{fc}cher\u{3002}example",
                ],
            ),
            ("\u{3b1}\u{3b4}\u{3b1}@example.com", &["\u{391}\u{394}\u{391}@example.com"]),
            (
                "\u{431}\u{43e}\u{440}\u{438}\u{441}@xn--e1afmkfd.xn--p1ai",
                &[
                    "\u{411}\u{43e}\u{440}\u{438}\u{441}@\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}.\u{440}\u{444}",
                ],
            ),
            ("stra\u{df}e@xn--strae-oqa.de", &["Stra\u{df}e@stra\u{df}e.de"]),
        ] {
            for spelling in spellings.iter().chain([&form]) {
                assert_eq!(canonical(spelling).as_deref(), Some(form), "{spelling:?}");
            }
        }
    }

    #[test]
    fn f_28_whatever_one_letter_becomes_stays_what_it_is() {
        for letter in ('\0'..='\u{1ffff}').filter(|c| c.is_alphanumeric()) {
            let given = [format!("a{letter}b@example.com"), format!("a@x{letter}.example.com")];
            for form in given.iter().filter_map(|given| canonical(given)) {
                assert_eq!(canonical(&form).as_deref(), Some(&*form), "{given:?}");
            }
        }
    }

    #[test]
    fn f_28_what_nobody_sees_or_what_looks_like_something_else_is_no_address() {
        let unseen = [
            "\u{200b}",
            "\u{200c}",
            "\u{200d}",
            "\u{2060}",
            "\u{feff}",
            "\u{ad}",
            "\u{34f}",
            "\u{180e}",
            "\u{3164}",
            "\u{115f}",
            "\u{ffa0}",
            "\u{fe0f}",
            "\u{e0061}",
            "\u{e0100}",
        ];
        let directions =
            ["\u{200e}", "\u{200f}", "\u{202a}", "\u{202e}", "\u{2066}", "\u{2069}", "\u{61c}"];
        let others = [
            "\u{ff41}", "\u{ff0e}", "\u{ff71}", "\u{7f}", "\u{85}", "\0", "\t", "\u{a0}",
            "\u{3000}", "\u{2028}", "\u{e000}", "\u{2800}",
        ];
        for odd in unseen.into_iter().chain(directions).chain(others) {
            for given in [format!("a{odd}b@example.com"), format!("ab@exa{odd}mple.com")] {
                assert_eq!(canonical(&given), None, "{given:?}");
            }
        }
        for at in ["\u{ff20}", "\u{fe6b}", "@@"] {
            assert_eq!(canonical(&format!("ada{at}example.com")), None, "{at:?}");
            assert_eq!(canonical(&format!("ada{at}x@example.com")), None, "{at:?}");
        }
    }

    #[test]
    fn f_28_lengths_are_those_of_the_canonical_form() {
        let accents = |n: usize| "e\u{301}".repeat(n) + "@example.com";
        assert_eq!(canonical(&accents(32)).map(|it| it.len()), Some(64 + 12));
        assert_eq!(canonical(&accents(33)), None);
        let umlauts = |n: usize| format!("ada@{}.example", "\u{fc}".repeat(n));
        assert!(canonical(&umlauts(50)).is_some_and(|it| it.len() <= 4 + 63 + 8));
        assert_eq!(canonical(&umlauts(64)), None);
        let long = |n: usize| format!("ada@{}com", "abcdefghi.".repeat(n));
        assert!(canonical(&long(24)).is_some() && canonical(&long(25)).is_none());
    }

    #[test]
    fn what_no_mail_could_reach_is_no_address() {
        let long = format!("{}@example.com", "a".repeat(65));
        for wrong in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a b@example.com",
            "a@b@example.com",
            "ada@example..com",
            "ada@-example.com",
            "ada@example.com.",
            "ada@exam_ple.com",
            "ada@xn--a.example",
            ".ada@example.com",
            "ada..l@example.com",
            "\"ada l\"@example.com",
            "ada@example.com\r\nBcc: x@example.com",
            "<ada@example.com>",
            "e\u{301}\u{301}@example.com",
            "\u{1f600}@example.com",
            &long,
        ] {
            assert_eq!(canonical(wrong), None, "{wrong:?}");
        }
    }
}
