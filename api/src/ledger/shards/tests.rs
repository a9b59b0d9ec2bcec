//! Who has which slot.

use portcullis_core::Slots;

use super::*;
use crate::settings::Settings;

fn cluster() -> Shards {
    let stores = Settings::for_tests("mysql://unused", "redis+cluster://127.0.0.1:1").stores;
    Shards::new(&stores).unwrap()
}

fn node(shards: &Shards, name: &str, slots: &str, epoch: u64) -> Arc<Lines> {
    let lines = shards.add(name, &Host { name: "127.0.0.1".into(), port: 1 }).unwrap();
    lines.claims(Claim { epoch, slots: Slots::parse(slots), ..Claim::default() });
    shards.share_out();
    lines
}

#[test]
fn of_two_who_claim_a_slot_the_newer_has_it() {
    let shards = cluster();
    let old = node(&shards, "a", "0-16383", 1);
    assert!(Arc::ptr_eq(&shards.of(b"foo").unwrap(), &old));
    let new = node(&shards, "b", "12182", 2);
    assert!(Arc::ptr_eq(&shards.of(b"foo").unwrap(), &new));
    assert_eq!(shards.claim_of(&old).slots.to_string(), "0-12181 12183-16383");
    shards.remove("b");
    assert!(Arc::ptr_eq(&shards.of(b"{foo}x").unwrap(), &old));
}

#[test]
fn a_cluster_that_lacks_a_slot_is_not_whole_and_never_believed() {
    let shards = cluster();
    assert!(!shards.is_whole() && shards.of(b"foo").is_err());
    assert_eq!(shards.condition(), Condition::Unreachable);
    node(&shards, "a", "0-12181 12183-16383", 1);
    assert!(!shards.is_whole() && !shards.is_believed() && shards.of(b"foo").is_err());
    node(&shards, "b", "12182", 1);
    assert!(shards.is_whole() && !shards.is_believed());
    assert_eq!(shards.holders().len(), 2);
}

#[test]
fn whoever_hears_that_a_slot_is_elsewhere_is_not_believed_about_it_until_it_is_seen_again() {
    let shards = cluster();
    let lines = node(&shards, "a", "0-16383", 1);
    shards.doubt_slot(12182);
    assert!(lines.claim().leaving.has(12182) && lines.is_doubted_somewhere());
}
