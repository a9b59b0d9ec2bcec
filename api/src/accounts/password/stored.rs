//! What a stored hash would cost to check, and whether that is done.
//!
//! A hash says itself how dear it is, and one that was made elsewhere may say anything: bcrypt with a
//! cost of 17 takes some seconds, argon2 may ask for gigabytes. Whoever knows the address of such an
//! account could keep every core busy with a few wrong passwords. So there is a bound; its owner chooses
//! a new password by mail (F-19).

use std::ops::RangeInclusive;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Params};

/// The costs of bcrypt that are computed; 13 takes about half a second.
pub(super) const COSTS: RangeInclusive<u32> = 4..=13;
/// The most memory that argon2 is given, and the most it may write over all passes; about as dear as
/// bcrypt with a cost of 13. What the settings ask for may be more.
const LARGEST_KIB: u64 = 256 * 1024;
const MOST_WORK_KIB: u64 = 3 * LARGEST_KIB;

/// A hash that may be checked.
#[derive(Debug)]
pub(super) enum Stored<'h> {
    Argon2(Box<PasswordHash>),
    Bcrypt { hash: &'h str, cost: u32 },
}

/// Why no password is compared with a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is damaged, or of a kind that is not known here.
    Unknown,
    /// Checking it would cost too much.
    TooDear,
}

impl<'h> Stored<'h> {
    /// Reads a hash. What the settings ask for is never too dear.
    pub(super) fn read(hash: &'h str, live: &Params) -> Result<Self, Unusable> {
        if hash.starts_with("$2") { bcrypt(hash) } else { argon2(hash, live) }
    }
}

/// `$2b$12$…` costs 12.
fn bcrypt(hash: &str) -> Result<Stored<'_>, Unusable> {
    let is_of_a_kind = ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|kind| hash.starts_with(kind));
    let cost = hash.get(4..6).filter(|cost| cost.bytes().all(|digit| digit.is_ascii_digit()));
    let cost = cost.and_then(|cost| cost.parse().ok()).filter(|_| is_of_a_kind && hash.len() == 60);
    match cost {
        Some(cost) if COSTS.contains(&cost) => Ok(Stored::Bcrypt { hash, cost }),
        Some(cost) if (14..=31).contains(&cost) => Err(Unusable::TooDear),
        _ => Err(Unusable::Unknown),
    }
}

fn argon2<'h>(hash: &str, live: &Params) -> Result<Stored<'h>, Unusable> {
    let parsed = PasswordHash::new(hash).map_err(|_| Unusable::Unknown)?;
    Algorithm::new(parsed.algorithm.as_str()).map_err(|_| Unusable::Unknown)?;
    let params = Params::try_from(&parsed).map_err(|_| Unusable::Unknown)?;
    let memory = |params: &Params| u64::from(params.m_cost());
    let work = |params: &Params| memory(params).saturating_mul(params.t_cost().into());
    let is_affordable = memory(&params) <= LARGEST_KIB.max(memory(live))
        && work(&params) <= MOST_WORK_KIB.max(work(live));
    if is_affordable { Ok(Stored::Argon2(Box::new(parsed))) } else { Err(Unusable::TooDear) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(hash: &str) -> Option<Unusable> {
        Stored::read(hash, &Params::new(19_456, 2, 1, None).unwrap()).err()
    }

    #[rstest]
    #[case("04", None)]
    #[case("13", None)]
    #[case("14", Some(Unusable::TooDear))]
    #[case("17", Some(Unusable::TooDear))]
    #[case("31", Some(Unusable::TooDear))]
    #[case("03", Some(Unusable::Unknown))]
    #[case("32", Some(Unusable::Unknown))]
    #[case("+9", Some(Unusable::Unknown))]
    fn f_19_a_bcrypt_hash_may_cost_13_and_no_more(
        #[case] cost: &str,
        #[case] expected: Option<Unusable>,
    ) {
        let rest = "abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234";
        assert_eq!(read(&format!("$2b${cost}${rest}")), expected);
        assert_eq!(read(&format!("$2b${cost}${}", &rest[1..])), Some(Unusable::Unknown));
    }

    #[rstest]
    #[case::the_default("argon2id", "m=19456,t=2,p=1", None)]
    #[case::of_php("argon2id", "m=65536,t=4,p=1", None)]
    #[case::of_django("argon2id", "m=102400,t=2,p=8", None)]
    #[case::moderate("argon2i", "m=262144,t=3,p=1", None)]
    #[case::much_memory("argon2id", "m=4194304,t=1,p=1", Some(Unusable::TooDear))]
    #[case::all_memory("argon2d", "m=4294967295,t=1,p=1", Some(Unusable::TooDear))]
    #[case::many_passes("argon2id", "m=65536,t=4000,p=1", Some(Unusable::TooDear))]
    #[case::of_another_kind("scrypt", "ln=20,r=8,p=1", Some(Unusable::Unknown))]
    #[case::of_many_rounds("pbkdf2-sha256", "i=100000000", Some(Unusable::Unknown))]
    fn f_19_what_argon2_may_cost_is_bounded_and_other_kinds_are_not_computed(
        #[case] kind: &str,
        #[case] costs: &str,
        #[case] expected: Option<Unusable>,
    ) {
        let (salt, hash) =
            ("c29tZXNhbHRzb21lc2FsdA", "0123456789012345678901234567890123456789012");
        let version = if kind.starts_with("argon2") { "v=19$" } else { "" };
        let hash = hash.replace('2', "A");
        assert_eq!(read(&format!("${kind}${version}{costs}${salt}${hash}")), expected);
    }

    #[test]
    fn f_19_what_the_settings_ask_for_is_never_too_dear() {
        let hash = "$argon2id$v=19$m=1048576,t=9,p=1$c29tZXNhbHRzb21lc2FsdA$\
                    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(read(hash), Some(Unusable::TooDear));
        let dear = Params::new(1_048_576, 9, 1, None).unwrap();
        assert!(Stored::read(hash, &dear).is_ok());
    }
}
