//! Waiting for a state, never for a time: looked at until it is so, with a deadline.

use std::net::TcpListener;
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

/// A loopback TCP port that nobody listens on at the moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
