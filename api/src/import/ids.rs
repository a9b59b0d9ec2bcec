//! Which users are taken over at a time.

/// The users from one id to another, both included.
#[derive(Clone, Copy)]
pub(super) struct Ids {
    pub(super) first: u64,
    pub(super) last: u64,
}
