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

/// What a Redis needs that speaks TLS and asks nobody who they are.
#[must_use]
pub fn tls_arguments<'p>(certificate: &'p str, key: &'p str) -> [&'p str; 8] {
    [
        "--tls-cert-file",
        certificate,
        "--tls-key-file",
        key,
        "--tls-ca-cert-file",
        certificate,
        "--tls-auth-clients",
        "no",
    ]
}

/// The same as lines of a file of settings, as sentinels need them.
#[must_use]
pub fn tls_lines(certificate: &str, key: &str) -> Vec<String> {
    let arguments = tls_arguments(certificate, key);
    arguments.chunks(2).map(|pair| pair.join(" ").replacen("--", "", 1)).collect()
}
