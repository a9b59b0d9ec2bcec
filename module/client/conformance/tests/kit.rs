//! The kit passes what is right and finds what is wrong: every guard that is taken out of the reference
//! is missed in the scenario that it is there for.

use std::path::Path;
use std::process::Command;
use std::thread;

use portcullis_tests::{module_path, servers};

const KIT: &str = env!("CARGO_BIN_EXE_portcullis-conformance");
const CLIENT: &str = env!("CARGO_BIN_EXE_conformance-client");
const REFERENCE: &str = env!("CARGO_BIN_EXE_conformance-reference");

/// What the kit printed, and its exit status.
fn judged(server: &Path, kit: &[&str], adapter: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(KIT);
    command.arg("--redis-server").arg(server).arg("--module").arg(module_path());
    command.args(kit).arg("--").args(adapter);
    let output = command.output().expect("the kit runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    (printed + &complaint, output.status.code())
}

fn usual() -> &'static Path {
    &servers()[0].program
}

/// A line of the table says this.
fn says(printed: &str, scenario: &str, verdict: &str) -> bool {
    printed.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.starts_with(&[scenario, verdict])
    })
}

#[test]
fn our_own_crate_holds_on_every_server() {
    holds_on_every_server(CLIENT, &[]);
}

/// Most of the time is spent in waiting, so all servers are asked at once.
fn holds_on_every_server(adapter: &str, named: &[&str]) {
    thread::scope(|scope| {
        for server in servers() {
            scope.spawn(|| {
                let (printed, status) = judged(&server.program, &["--rounds", "1"], &[adapter]);
                assert_eq!(status, Some(0), "{}:\n{printed}", server.name);
                assert!(
                    named.iter().all(|scenario| says(&printed, scenario, "holds")),
                    "{printed}"
                );
            });
        }
    });
}

#[test]
fn the_reference_holds_on_every_server() {
    holds_on_every_server(REFERENCE, &["overtaken"]);
}

#[test]
fn every_guard_that_is_taken_out_is_missed() {
    for (guard, scenario) in [
        ("beats", "kept-alive"),
        ("lease", "hang"),
        ("lease", "held"),
        ("sent", "late-answers"),
        ("pushes", "revoked"),
        ("pushes", "renamed"),
        ("order", "overtaken"),
        ("until", "session-end"),
        ("until", "idle"),
        ("until", "key-expiry"),
        ("life", "swapped"),
        ("life", "everybody"),
        ("era", "lost"),
        ("errors", "forbidden"),
        ("errors", "doubtful"),
        ("bytes", "other-token"),
        ("question", "other-question"),
    ] {
        let adapter = [REFERENCE, "--without", guard];
        let (printed, status) = judged(usual(), &["--only", scenario, "--rounds", "5"], &adapter);
        assert_eq!(status, Some(1), "without {guard} {scenario} holds:\n{printed}");
        assert!(says(&printed, scenario, "FAILED"), "{printed}");
    }
}

#[test]
fn a_cache_by_time_alone_accepts_what_is_dead() {
    let (printed, status) = judged(usual(), &["--rounds", "1"], &[REFERENCE, "--naive"]);
    assert_eq!(status, Some(1), "{printed}");
    for scenario in ["revoked", "token", "hang", "gone", "held", "session-end", "swapped"] {
        assert!(says(&printed, scenario, "FAILED"), "{scenario}:\n{printed}");
    }
}

#[test]
fn what_is_no_implementation_fails_and_what_cannot_be_judged_says_why() {
    let only = ["--only", "live"];
    // It repeats what it hears.
    let (printed, status) = judged(usual(), &only, &["cat"]);
    assert_eq!(status, Some(1), "{printed}");
    assert!(printed.contains("it answered \"connect"), "{printed}");
    let (printed, status) = judged(usual(), &only, &["true"]);
    assert_eq!(status, Some(1), "{printed}");
    let (printed, status) = judged(usual(), &only, &["/no/such/program"]);
    assert_eq!(status, Some(2), "{printed}");
    assert!(printed.contains("/no/such/program cannot be started"), "{printed}");
    let (printed, status) = judged(Path::new("/no/such/server"), &only, &[REFERENCE]);
    assert_eq!(status, Some(2), "{printed}");
    assert!(printed.contains("/no/such/server"), "{printed}");
    let (printed, status) = judged(usual(), &["--only", "nonsense"], &[REFERENCE]);
    assert_eq!(status, Some(2), "{printed}");
    assert!(printed.contains("--list"), "{printed}");
}
