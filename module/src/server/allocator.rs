//! What the server's allocator takes for a request: more than was asked for.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::server::ffi;

/// Small requests are rounded up to a multiple of this: 8 in the allocator that Redis ships, 16 in
/// most others.
static QUANTUM: AtomicUsize = AtomicUsize::new(8);
/// Bytes the allocator keeps for itself inside that multiple: glibc keeps 8, jemalloc none.
static KEPT: AtomicUsize = AtomicUsize::new(0);

/// Asks the allocator for two sizes and looks at what it gives.
pub(crate) fn learn_sizes() {
    let (mut small, mut large) = (Box::new([0_u8; 32]), Box::new([0_u8; 40]));
    // SAFETY: allocated by `RedisAlloc`, that is by the server, and alive.
    let small = unsafe { ffi::allocated_size(small.as_mut_ptr().cast()) };
    // SAFETY: as above.
    let large = unsafe { ffi::allocated_size(large.as_mut_ptr().cast()) };
    let (quantum, kept) = match (small, large) {
        (32, 40) => (8, 0),
        (40, 40) => (16, 8),
        _ => (16, 0),
    };
    QUANTUM.store(quantum, Ordering::Relaxed);
    KEPT.store(kept, Ordering::Relaxed);
}

/// What the allocator takes for a request. glibc rounds up to multiples of its quantum; so does
/// jemalloc up to 64 bytes, and has four sizes to every doubling beyond.
pub(crate) fn usable(bytes: usize) -> usize {
    let (quantum, kept) = (QUANTUM.load(Ordering::Relaxed), KEPT.load(Ordering::Relaxed));
    let step = if bytes <= 64 || kept > 0 {
        quantum
    } else {
        let doubling = bytes.saturating_sub(1).checked_ilog2().unwrap_or(0);
        1_usize.wrapping_shl(doubling.saturating_sub(2))
    };
    let taken = bytes.saturating_add(kept).checked_next_multiple_of(step).unwrap_or(bytes);
    taken.saturating_sub(kept)
}
