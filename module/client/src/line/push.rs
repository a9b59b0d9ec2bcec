//! What Redis tells of its own accord.

use crate::resp::Value;
use crate::shared::Shared;

/// A ledger has changed, or everything may have: whatever is not understood is about everything.
pub(super) fn hear(words: &[Value<'_>], shared: &Shared) {
    let knowledge = &shared.knowledge;
    let [Value::Text(b"invalidate"), Value::List(keys)] = words else {
        knowledge.lease.era.begin();
        return;
    };
    for key in keys {
        shared.counters.changes.add_one();
        let Value::Text(key) = key else {
            knowledge.lease.era.begin();
            continue;
        };
        if knowledge.cells.changed(knowledge.cells.of(key)) {
            knowledge.lease.era.begin();
        }
    }
}
