//! What Redis tells of its own accord.

use crate::lease::Lease;
use crate::resp::Value;
use crate::shared::Shared;

/// A ledger has changed, or everything may have: whatever is not understood is about everything.
pub(super) fn hear(words: &[Value<'_>], shared: &Shared, lease: &Lease) {
    let knowledge = &shared.knowledge;
    let [Value::Text(b"invalidate"), Value::List(keys)] = words else {
        lease.era.begin();
        return;
    };
    for key in keys {
        shared.counters.changes.add_one();
        let Value::Text(key) = key else {
            lease.era.begin();
            continue;
        };
        knowledge.changed(knowledge.cells.of(key));
    }
}
