//! Which new passwords are taken: long enough, not everybody's, not about their owner.
//!
//! Nothing is asked of their letters (NIST SP 800-63B-4 §3.1.1.2, R-42 to R-44). `common.txt` holds
//! the most frequent passwords of public leaks in lower case; what people add to such a word to
//! make it longer (digits, signs, the word again) does not make it their own.

use std::collections::HashSet;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;

use crate::tokens::secret::Password;

/// The longest password that is taken, in code points.
pub(super) const LONGEST: usize = 128;
/// Shorter words stand in too many good passwords to mean anything.
const SHORTEST_WORD: usize = 4;

/// Why a new password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Fewer code points than this.
    #[error("must have at least {0} characters")]
    TooShort(usize),
    /// More code points than any password needs.
    #[error("must have at most {LONGEST} characters")]
    TooLong,
    /// One of the first that anybody tries.
    #[error("is one of the passwords attackers try first; choose several unrelated words")]
    TooCommon,
    /// The one that is to be replaced.
    #[error("is the current password; choose another one")]
    Unchanged,
    /// Made of the user's or the product's name.
    #[error("must not be based on your name, your e-mail address or the name of this service")]
    TooPersonal,
}

impl Weakness {
    /// A stable name for clients.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooShort(_) => "password_too_short",
            Self::TooLong => "password_too_long",
            Self::TooCommon => "password_too_common",
            Self::Unchanged => "password_unchanged",
            Self::TooPersonal => "password_too_personal",
        }
    }
}

/// Judges a new password; `about` is what the account says of its owner, and the product's name.
pub(super) fn judge(password: &Password, shortest: usize, about: &[&str]) -> Result<(), Weakness> {
    match password.code_points() {
        length if length < shortest => return Err(Weakness::TooShort(shortest)),
        length if length > LONGEST => return Err(Weakness::TooLong),
        _ => {}
    }
    let folded = fold(password.expose());
    if is_common(&folded) || is_common(&without_disguise(&folded)) {
        return Err(Weakness::TooCommon);
    }
    if is_about(&folded, about) { Err(Weakness::TooPersonal) } else { Ok(()) }
}

fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

/// Signs that stand for the letter they look like.
fn without_disguise(folded: &str) -> String {
    let letter = |sign| match sign {
        '@' | '4' => 'a',
        '3' => 'e',
        '1' | '!' => 'i',
        '0' => 'o',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    };
    folded.chars().map(letter).collect()
}

/// A listed password, or one with so little around it that it is still the larger part, or repeated.
fn is_common(folded: &str) -> bool {
    static COMMON: LazyLock<HashSet<&str>> =
        LazyLock::new(|| include_str!("common.txt").lines().collect());
    let bare = folded.trim_matches(|letter: char| !letter.is_alphabetic());
    [folded, bare].into_iter().any(|word| {
        let word = repeated_part(word);
        let remains = folded.chars().count() - folded.matches(word).count() * word.chars().count();
        COMMON.contains(word) && remains * 2 <= folded.chars().count()
    })
}

/// `abc` of `abcabc`; the whole of anything else.
fn repeated_part(word: &str) -> &str {
    let ends = word.char_indices().map(|(at, _)| at).skip(SHORTEST_WORD);
    ends.take_while(|end| end * 2 <= word.len())
        .find(|end| word.len().is_multiple_of(*end) && word[*end..] == word[..word.len() - end])
        .map_or(word, |end| &word[..end])
}

/// Whether the words about the owner make up at least half of it.
fn is_about(folded: &str, about: &[&str]) -> bool {
    let mut words: Vec<String> = about.iter().map(|word| fold(word.trim())).collect();
    let local_parts: Vec<String> = words
        .iter()
        .filter_map(|word| word.split_once('@'))
        .map(|(local, _)| local.to_owned())
        .collect();
    words.extend(local_parts);
    words.retain(|word| word.chars().count() >= SHORTEST_WORD);
    words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
    let rest = words.iter().fold(folded.to_owned(), |rest, word| rest.replace(word.as_str(), ""));
    rest.len() < folded.len() && rest.chars().count() * 2 <= folded.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: [&str; 4] = ["alice.liddell@example.com", "Alice", "Liddell", "Portcullis"];

    fn verdict(password: &str) -> Result<(), Weakness> {
        judge(&Password::from(password.to_owned()), 15, &ALICE)
    }

    #[test]
    fn length_is_counted_in_characters_and_has_two_ends() {
        assert_eq!(verdict("five red kites"), Err(Weakness::TooShort(15)));
        assert_eq!(verdict("five red kites!"), Ok(()));
        assert_eq!(verdict(&"🦀🎈".repeat(7)), Err(Weakness::TooShort(15)));
        assert_eq!(verdict(&"🦀🎈".repeat(8)), Ok(()));
        assert_eq!(verdict(&"kite ".repeat(25)), Ok(()));
        assert_eq!(verdict(&"x".repeat(128)), Ok(()));
        assert_eq!(verdict(&"x".repeat(129)), Err(Weakness::TooLong));
    }

    #[test]
    fn nothing_is_asked_of_its_letters() {
        for password in [
            "fivekitesoverlondonb",
            "correct horse battery staple",
            "FIVE KITES OVER L",
            "пять змеев над рекой",
        ] {
            assert_eq!(verdict(password), Ok(()), "{password}");
        }
    }

    #[test]
    fn the_first_that_anybody_tries_are_refused_however_they_are_dressed() {
        for password in [
            "123456789987654321",
            "passwordpassword",
            "Password12345678",
            "P@ssw0rdP@ssw0rd",
            "!!!!Passw0rd!!!!",
            "qwerty123456789",
            "ＰＡＳＳＷＯＲＤ１２３４５６７８",
        ] {
            assert_eq!(verdict(password), Err(Weakness::TooCommon), "{password}");
        }
    }

    #[test]
    fn what_is_about_its_owner_is_refused() {
        for password in [
            "alice.liddell@example.com",
            "Alice.Liddell@example.com1",
            "alicealicealice",
            "AliceLiddell1862",
            "portcullis-2026",
            "1862 alice.liddell 1862",
        ] {
            assert_eq!(verdict(password), Err(Weakness::TooPersonal), "{password}");
        }
        assert_eq!(verdict("alice went down a rabbit hole"), Ok(()));
    }

    #[test]
    fn a_short_name_forbids_nothing() {
        let password = Password::from("five kites over a lake".to_owned());
        assert_eq!(judge(&password, 15, &["a@b", "", "e", "ki"]), Ok(()));
    }

    #[test]
    fn the_list_holds_more_than_the_three_thousand_that_the_standard_wants() {
        let words: Vec<&str> = include_str!("common.txt").lines().collect();
        assert!(words.len() >= 3000);
        assert!(words.iter().all(|word| word.len() >= SHORTEST_WORD && fold(word) == *word));
    }
}
