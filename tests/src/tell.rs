//! What a test run says to the person who started it.

use std::io::{Write, stderr};

/// Writes a line. Not `eprintln`, which the test runner would swallow.
pub fn tell(line: &str) {
    drop(writeln!(stderr(), "{line}"));
}
