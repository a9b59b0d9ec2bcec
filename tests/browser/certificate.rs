//! The certificate of `*.shop.test`, made for one run and trusted by one browser.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_tests::{Directory, find_program};
use sha2::{Digest as _, Sha256};

pub(crate) struct Certificate {
    directory: Directory,
    /// By which the browser knows its key.
    pub(crate) pin: String,
}

pub(crate) static CERTIFICATE: LazyLock<Certificate> = LazyLock::new(|| {
    let directory = Directory::new();
    let openssl = |arguments: &str| {
        let program = find_program("openssl").expect("openssl not found: run `make install`");
        let output = Command::new(program)
            .args(arguments.split(' '))
            .current_dir(directory.path())
            .output()
            .expect("openssl runs");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {complaint}");
        output.stdout
    };
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out \
         certificate.pem -days 2 -subj /CN=shop.test -addext subjectAltName=DNS:*.shop.test",
    );
    let key = openssl("pkey -in key.pem -pubout -outform DER");
    Certificate { directory, pin: STANDARD.encode(Sha256::digest(key)) }
});

impl Certificate {
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }
}
