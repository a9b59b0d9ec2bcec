//! Whom to trust instead of those whom the system trusts.

use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use redis::TlsCertificates;

use crate::settings::Invalid;

/// A file of certificates.
#[derive(Clone)]
pub(super) struct Authority {
    pem: Vec<u8>,
    path: PathBuf,
}

impl Authority {
    /// What a file holds. One that holds no certificate would trust nobody.
    pub(super) fn read(path: &Path) -> Result<Self, Invalid> {
        let unreadable = |cause: std::io::Error| {
            Invalid::new("REDIS_CA_FILE", format!("{} cannot be read: {cause}", path.display()))
        };
        let (pem, path) = (
            std::fs::read(path).map_err(unreadable)?,
            std::path::absolute(path).map_err(unreadable)?,
        );
        let blocks = pem::parse_many(&pem).unwrap_or_default();
        if blocks.iter().any(|block| block.tag() == "CERTIFICATE") {
            return Ok(Self { pem, path });
        }
        Err(Invalid::new(
            "REDIS_CA_FILE",
            format!(
                "{} holds no certificate: it must be a PEM file with BEGIN CERTIFICATE in it",
                path.display()
            ),
        ))
    }

    pub(super) fn certificates(&self) -> TlsCertificates {
        TlsCertificates { client_tls: None, root_cert: Some(self.pem.clone()) }
    }

    /// The address of a server that is to be trusted by it.
    pub(super) fn named_in(&self, url: &str) -> String {
        let path = self.path.to_string_lossy();
        let gap = if url.contains('?') { '&' } else { '?' };
        format!("{url}{gap}ca={}", utf8_percent_encode(&path, NON_ALPHANUMERIC))
    }

    #[cfg(test)]
    pub(super) fn of(path: &str) -> Self {
        Self { pem: Vec::new(), path: path.into() }
    }
}
