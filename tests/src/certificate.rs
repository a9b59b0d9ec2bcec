//! Certificates for servers on this machine.

use std::path::PathBuf;
use std::process::Command;

use crate::Directory;

/// A certificate for the loopback address, signed by nobody but itself, and its key.
///
/// # Panics
///
/// Where `openssl` is missing.
#[must_use]
pub fn certificate(directory: &Directory) -> [PathBuf; 2] {
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| directory.path().join(name));
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]);
    command.args(["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]);
    command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    let made = command.arg("-keyout").arg(&key).arg("-out").arg(&certificate).output();
    assert!(made.expect("openssl is installed").status.success());
    [certificate, key]
}
