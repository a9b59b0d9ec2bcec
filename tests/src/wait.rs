//! Waiting for a state, never for a time: looked at until it is so, with a deadline.

use std::hash::{BuildHasher as _, RandomState};
use std::net::TcpListener;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Far beyond what any of it takes, since a loaded machine must not turn a test red.
const DEADLINE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(5);

/// Returns once `holds` says yes; panics with `what` when that takes a minute.
#[track_caller]
pub fn wait_until(what: &str, holds: impl FnMut() -> bool) {
    wait_at_most(DEADLINE, what, holds);
}

/// The same with another limit, for what waits long by its nature.
#[track_caller]
pub fn wait_at_most(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < limit, "waited {limit:?} in vain until {what}");
        sleep(PAUSE);
    }
}

/// A loopback TCP port that nobody listens on. It lies below those that the kernel gives to outgoing
/// connections, one of which could have it before the server does that it is meant for.
pub fn free_port() -> u16 {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 22_000;
    // Each process begins somewhere else, for several may run tests at the same time.
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| {
        let [low, high, ..] = RandomState::new().hash_one(()).to_ne_bytes();
        AtomicU16::new(u16::from_ne_bytes([low, high]))
    });
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (0..COUNT)
        .map(|_| FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT)
        .find(is_free)
        .expect("loopback has a free port")
}
