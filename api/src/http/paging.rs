//! Lists that are shown a page at a time: how much of it, and where the next page begins.

/// How many entries a page has if nobody says, and at most.
const USUAL: u32 = 50;
const MOST: u32 = 200;

/// How many entries are shown of those that were asked for.
pub(super) fn size(asked: Option<u32>) -> u32 {
    asked.unwrap_or(USUAL).clamp(1, MOST)
}

/// What to give as `after` to see more; nothing on the last page.
pub(super) fn next<T>(entries: &[T], size: u32, id: impl Fn(&T) -> u64) -> Option<u64> {
    let is_full = u32::try_from(entries.len()).is_ok_and(|length| length == size);
    entries.last().filter(|_| is_full).map(id)
}
