//! Against a server whose every word is the test's.

mod answers;
mod cluster;
mod connections;
mod fake;
mod races;
mod sentinels;
mod times;

use std::time::Duration;

use portcullis_client::Options;

pub(crate) use fake::Fake;

/// So long that nothing ends by itself while a test runs.
pub(crate) fn patient() -> Options {
    Options {
        lease: Duration::from_mins(1),
        beat: Duration::from_millis(5),
        deadline: Duration::from_mins(1),
        ..Options::default()
    }
}
