//! Which key signs and which are read: secrets that follow one another, and what stands in a directory.

use serde_json::json;

use super::*;

#[test]
fn a_secret_that_was_replaced_is_still_read_and_no_longer_signs() {
    let before = hs256().sign(&claims());
    let mut settings = settings();
    settings.jwt_secret = Some("the secret that came after, as long".into());
    settings.jwt_secrets_old = Some(SECRET.into());
    let keys = Keys::new(&settings).unwrap();
    assert!(keys.verify(before.expose(), NOW).is_ok());
    assert_eq!(hs256().verify(keys.sign(&claims()).expose(), NOW), Err(Refusal::UnknownKey));
    settings.jwt_secrets_old = None;
    assert!(Keys::new(&settings).unwrap().verify(before.expose(), NOW).is_err());
}

#[test]
fn of_a_directory_the_last_key_by_name_signs_and_all_are_read() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("2026-01.pem"), ED25519_PEM).unwrap();
    let mut settings = settings();
    settings.jwt_keys_dir = Some(dir.path().to_owned());
    let before = Keys::new(&settings).unwrap().sign(&claims());
    std::fs::write(dir.path().join("2026-02.pem"), P256_PEM).unwrap();
    std::fs::write(dir.path().join("notes.txt"), "not a key").unwrap();
    let keys = Keys::new(&settings).unwrap();
    assert!(keys.verify(before.expose(), NOW).is_ok());
    let shown = serde_json::to_value(keys.jwks()).unwrap();
    assert_eq!((&shown[0]["kid"], shown.as_array().unwrap().len()), (&json!("2026-02"), 2));
    // A secret that is set beside the keys signs nothing and opens nothing.
    assert_eq!(keys.verify(hs256().sign(&claims()).expose(), NOW), Err(Refusal::UnknownKey));
}

#[test]
fn a_key_made_or_retired_elsewhere_counts_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("2026-01.pem"), dir.path().join("2026-02.pem"));
    std::fs::write(&old, ED25519_PEM).unwrap();
    let mut settings = settings();
    settings.jwt_keys_dir = Some(dir.path().to_owned());
    let (one, other) = (Keys::new(&settings).unwrap(), Keys::new(&settings).unwrap());
    let before = one.sign(&claims());
    std::fs::write(&new, P256_PEM).unwrap();
    one.reload().unwrap();
    assert!(other.verify(one.sign(&claims()).expose(), NOW).is_ok(), "found by its name");
    std::fs::remove_file(&old).unwrap();
    one.reload().unwrap();
    assert_eq!(one.verify(before.expose(), NOW), Err(Refusal::UnknownKey));
    std::fs::write(&new, "half a ke").unwrap();
    assert!(one.reload().is_err());
    assert!(one.verify(other.sign(&claims()).expose(), NOW).is_ok(), "what was read stays");
}

#[test]
fn f_04_keys_are_read_again_when_their_directory_looks_different_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("2026-01.pem"), dir.path().join("2026-02.pem"));
    std::fs::write(&old, ED25519_PEM).unwrap();
    let mut settings = settings();
    settings.jwt_keys_dir = Some(dir.path().to_owned());
    let keys = Keys::new(&settings).unwrap();
    let before = keys.sign(&claims());
    assert!(!keys.reload_if_changed().unwrap());
    std::fs::write(&new, P256_PEM).unwrap();
    assert!(keys.reload_if_changed().unwrap());
    assert!(!keys.reload_if_changed().unwrap());
    assert!(keys.verify(before.expose(), NOW).is_ok());
    std::fs::rename(&old, dir.path().join("2026-01.pem.retired")).unwrap();
    assert!(keys.reload_if_changed().unwrap());
    assert_eq!(keys.verify(before.expose(), NOW), Err(Refusal::UnknownKey));
    // What cannot be read is complained of once, and what was read before stays.
    std::fs::write(&new, "half a ke").unwrap();
    assert!(keys.reload_if_changed().is_err());
    assert!(!keys.reload_if_changed().unwrap());
    std::fs::remove_file(&new).unwrap();
    std::fs::write(&new, P256_PEM).unwrap();
    assert!(keys.reload_if_changed().unwrap());
    assert!(
        !Keys::new(&Tokens { jwt_keys_dir: None, ..settings })
            .unwrap()
            .reload_if_changed()
            .unwrap()
    );
}

#[test]
fn a_directory_without_a_usable_key_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Key::from_dir(dir.path()), Err(KeyFault::None(_))));
    std::fs::write(dir.path().join("bad name!.pem"), ED25519_PEM).unwrap();
    assert!(matches!(Key::from_dir(dir.path()), Err(KeyFault::BadName(_))));
    assert!(matches!(Key::from_pem("x", "nonsense"), Err(KeyFault::NotAKey(_))));
    let public = ED25519_PEM.replace("PRIVATE", "PUBLIC");
    assert!(matches!(Key::from_pem("x", &public), Err(KeyFault::NotAKey(_))));
    assert!(matches!(Key::from_dir(&dir.path().join("none")), Err(KeyFault::Unreadable(..))));
}
