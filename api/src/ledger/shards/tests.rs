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
    assert!(lines.is_doubted_somewhere());
    assert!(lines.claim().leaving.is_empty(), "it has not said so itself");
}

#[test]
fn slots_are_on_their_way_while_anybody_gives_or_takes_them() {
    let slots = Slots::parse;
    for (other, is_so) in [
        (Claim { epoch: 1, slots: slots("50-99"), ..Claim::default() }, false),
        (Claim { epoch: 1, slots: slots("7"), ..Claim::default() }, false),
        (Claim { epoch: 2, slots: slots("7"), ..Claim::default() }, true),
        (Claim { epoch: 1, slots: slots("50-99"), arriving: slots("7"), ..Claim::default() }, true),
        (Claim { epoch: 1, slots: slots("7"), leaving: slots("7"), ..Claim::default() }, true),
        (
            Claim { epoch: 9, slots: slots("50-99"), arriving: slots("120"), ..Claim::default() },
            false,
        ),
    ] {
        let shards = cluster();
        let lines = node(&shards, "a", "0-49", 2);
        node(&shards, "b", "50-99", 1).claims(other.clone());
        assert_eq!(shards.are_on_their_way(&slots("0-49"), &lines), is_so, "{other:?}");
    }
}
