//! What was counted, wherever that was.

use std::time::Duration;

/// A count and when it starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) count: u32,
    pub(super) resets_in: Duration,
    /// All instances count together.
    pub(super) is_shared: bool,
}
