//! Hashing and checking, at the lowest cost unless the cost is the question.

use super::*;
use crate::accounts::password::Work;
use crate::settings::Settings;

fn settings() -> Settings {
    Settings::for_tests("mysql://unused", "redis://unused")
}

/// What `passwords` says.
async fn check(passwords: &Passwords, stored: Option<&str>, given: &str) -> &'static str {
    let outcome = passwords.check(stored, typed(given)).await.unwrap();
    match (outcome.matches, outcome.is_outdated) {
        (false, false) => "no",
        (true, false) => "yes",
        (true, true) => "outdated",
        (false, true) => "wrong",
    }
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
    assert_eq!(check(&passwords, Some(&stored), "five red kites").await, "yes");
    assert_eq!(check(&passwords, Some(&stored), "five red kite").await, "no");
    assert_ne!(passwords.hash(typed("five red kites")).await.unwrap(), stored, "salts differ");
}

#[tokio::test]
async fn nobody_has_a_password_not_even_the_decoys() {
    assert_eq!(check(&passwords(), None, "nobody's password").await, "no");
}

#[tokio::test]
async fn the_default_cost_is_what_the_standard_wants() {
    let mut defaults = settings();
    (defaults.accounts.password_memory_kib, defaults.accounts.password_iterations) = (19_456, 2);
    let passwords = Passwords::new(&defaults, Random::seeded(1)).unwrap();
    let stored = passwords.hash(typed("five red kites")).await.unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert!(passwords.decoy.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
}

#[tokio::test]
async fn a_cheaper_hash_than_now_is_outdated() {
    let stored = passwords().hash(typed("five red kites")).await.unwrap();
    let mut dearer = settings();
    dearer.accounts.password_memory_kib *= 2;
    let dearer = Passwords::new(&dearer, Random::seeded(1)).unwrap();
    assert_eq!(check(&dearer, Some(&stored), "five red kites").await, "outdated");
}

#[tokio::test]
async fn memory_that_was_used_changes_no_verdict() {
    let mut dearer = settings();
    dearer.accounts.password_memory_kib *= 2;
    let dearer = Passwords::new(&dearer, Random::seeded(1)).unwrap();
    let cheap = passwords().hash(typed("five red kites")).await.unwrap();
    let dear = dearer.hash(typed("two grey owls")).await.unwrap();
    for _ in 0..2 {
        assert_eq!(check(&dearer, Some(&dear), "two grey owls").await, "yes");
        assert_eq!(check(&dearer, Some(&dear), "five red kites").await, "no");
        assert_eq!(check(&dearer, Some(&cheap), "five red kites").await, "outdated");
        assert_eq!(check(&dearer, Some(&cheap), "two grey owls").await, "no");
    }
}

#[tokio::test]
async fn old_bcrypt_hashes_match_and_are_outdated() {
    let hash = bcrypt::hash("five red kites", 4).unwrap();
    for prefix in ["$2a$", "$2b$", "$2y$"] {
        let stored = [prefix, &hash[4..]].concat();
        let said = check(&passwords(), Some(&stored), "five red kites").await;
        assert_eq!(said, "outdated", "{prefix}");
        assert_eq!(check(&passwords(), Some(&stored), "five red kite").await, "no", "{prefix}");
    }
}

#[tokio::test]
async fn nothing_after_byte_72_is_lost() {
    let long = "k".repeat(100);
    let stored = passwords().hash(typed(&long)).await.unwrap();
    let other = [&long[..72], "another end, as long or not"].concat();
    assert_eq!(check(&passwords(), Some(&stored), &other).await, "no");
    let old = bcrypt::hash(&long, 4).unwrap();
    assert_eq!(check(&passwords(), Some(&old), &long).await, "outdated");
}

#[tokio::test]
async fn a_letter_typed_in_two_pieces_is_the_same_letter() {
    let stored = passwords().hash(typed("caf\u{e9} au lait")).await.unwrap();
    assert_eq!(check(&passwords(), Some(&stored), "cafe\u{301} au lait").await, "yes");
}

#[tokio::test]
async fn a_damaged_hash_matches_nothing() {
    for stored in ["", "x", "$2b$", "$2b$99$aaaa", "$argon2id$v=19$m=1", "$5$rounds=1$x$y"] {
        assert_eq!(check(&passwords(), Some(stored), "x").await, "no", "{stored}");
    }
}

#[tokio::test]
async fn beyond_the_queue_the_answer_is_busy_and_the_place_comes_back() {
    let mut narrow = settings();
    (narrow.accounts.password_workers, narrow.accounts.password_queue) = (1, 1);
    let passwords = Passwords::new(&narrow, Random::seeded(1)).unwrap();
    let turn = Arc::clone(&passwords.queue.turns).acquire_owned().await.unwrap();
    let waiting = [passwords.hash(typed("one")), passwords.hash(typed("two"))].map(Box::pin);
    let mut waiting = futures_util::future::join_all(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    assert!(matches!(passwords.hash(typed("three")).await, Err(Fault::Busy)));
    drop(turn);
    assert!(waiting.await.iter().all(Result::is_ok));
    assert!(passwords.hash(typed("four")).await.is_ok());
}

#[test]
fn the_products_name_is_nobodys_password() {
    let weakness = passwords().acceptable(&typed("portcullis-portcullis"), &[]);
    assert_eq!(weakness.unwrap_err().code(), "password_too_personal");
}

#[tokio::test]
async fn f_19_a_hash_that_is_too_dear_costs_what_no_account_costs() {
    let passwords = passwords();
    // Nobody could wait for these.
    let bcrypt = bcrypt::hash("five red kites", 4).unwrap().replacen("$04$", "$31$", 1);
    let argon2 = passwords.hash(typed("five red kites")).await.unwrap();
    let argon2 = argon2.replacen("m=8,t=1", "m=4294967295,t=1000000", 1);
    assert!(argon2.contains("m=4294967295"), "{argon2}");
    for stored in [&bcrypt, &argon2] {
        let before = passwords.work();
        assert_eq!(check(&passwords, Some(stored), "five red kites").await, "no");
        let expected = Work { argon2id: before.argon2id + 1, bcrypt: before.bcrypt };
        assert_eq!(passwords.work(), expected, "{stored}");
    }
}
