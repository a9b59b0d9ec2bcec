//! Hashing and checking, at the lowest cost unless the cost is the question.

use super::*;
use crate::config::Settings;

fn settings() -> Accounts {
    Settings::for_tests("mysql://unused", "redis://unused").accounts
}

fn passwords() -> Passwords {
    Passwords::new(&settings(), Random::seeded(1)).unwrap()
}

fn typed(text: &str) -> Password {
    Password::from(text.to_owned())
}

#[tokio::test]
async fn a_password_matches_its_own_hash_only() {
    let passwords = passwords();
    let stored = passwords.hash(typed("five red kites")).await.unwrap();
    assert_eq!(passwords.check(Some(&stored), typed("five red kites")).await.unwrap(), Match::Yes);
    assert_eq!(passwords.check(Some(&stored), typed("five red kite")).await.unwrap(), Match::No);
    assert_ne!(passwords.hash(typed("five red kites")).await.unwrap(), stored, "salts differ");
}

#[tokio::test]
async fn nobody_has_a_password_not_even_the_decoys() {
    assert_eq!(passwords().check(None, typed("nobody's password")).await.unwrap(), Match::No);
}

#[tokio::test]
async fn the_default_cost_is_what_the_standard_wants() {
    let mut defaults = settings();
    (defaults.password_memory_kib, defaults.password_iterations) = (19_456, 2);
    let passwords = Passwords::new(&defaults, Random::seeded(1)).unwrap();
    let stored = passwords.hash(typed("five red kites")).await.unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert!(passwords.decoy.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
}

#[tokio::test]
async fn a_cheaper_hash_than_now_is_outdated() {
    let stored = passwords().hash(typed("five red kites")).await.unwrap();
    let mut dearer = settings();
    dearer.password_memory_kib *= 2;
    let dearer = Passwords::new(&dearer, Random::seeded(1)).unwrap();
    assert_eq!(
        dearer.check(Some(&stored), typed("five red kites")).await.unwrap(),
        Match::Outdated
    );
}

#[tokio::test]
async fn old_bcrypt_hashes_match_and_are_outdated() {
    let hash = bcrypt::hash("five red kites", 4).unwrap();
    for prefix in ["$2a$", "$2b$", "$2y$"] {
        let stored = [prefix, &hash[4..]].concat();
        let check = async |text| passwords().check(Some(&stored), typed(text)).await.unwrap();
        assert_eq!(check("five red kites").await, Match::Outdated, "{prefix}");
        assert_eq!(check("five red kite").await, Match::No, "{prefix}");
    }
}

#[tokio::test]
async fn nothing_after_byte_72_is_lost() {
    let long = "k".repeat(100);
    let stored = passwords().hash(typed(&long)).await.unwrap();
    let other = [&long[..72], "another end, as long or not"].concat();
    assert_eq!(passwords().check(Some(&stored), typed(&other)).await.unwrap(), Match::No);
    let old = bcrypt::hash(&long, 4).unwrap();
    assert_eq!(passwords().check(Some(&old), typed(&long)).await.unwrap(), Match::Outdated);
}

#[tokio::test]
async fn a_letter_typed_in_two_pieces_is_the_same_letter() {
    let stored = passwords().hash(typed("caf\u{e9} au lait")).await.unwrap();
    assert_eq!(
        passwords().check(Some(&stored), typed("cafe\u{301} au lait")).await.unwrap(),
        Match::Yes
    );
}

#[tokio::test]
async fn a_damaged_hash_matches_nothing() {
    for stored in ["", "x", "$2b$", "$2b$99$aaaa", "$argon2id$v=19$m=1", "$5$rounds=1$x$y"] {
        assert_eq!(
            passwords().check(Some(stored), typed("x")).await.unwrap(),
            Match::No,
            "{stored}"
        );
    }
}

#[tokio::test]
async fn beyond_the_queue_the_answer_is_busy_and_the_place_comes_back() {
    let mut narrow = settings();
    (narrow.password_workers, narrow.password_queue) = (1, 1);
    let passwords = Passwords::new(&narrow, Random::seeded(1)).unwrap();
    let turn = Arc::clone(&passwords.turns).acquire_owned().await.unwrap();
    let waiting = [passwords.hash(typed("one")), passwords.hash(typed("two"))].map(Box::pin);
    let mut waiting = futures_util::future::join_all(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    assert!(matches!(passwords.hash(typed("three")).await, Err(Fault::Busy)));
    drop(turn);
    assert!(waiting.await.iter().all(Result::is_ok));
    assert!(passwords.hash(typed("four")).await.is_ok());
}
