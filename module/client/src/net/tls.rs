//! TLS, with the certificates of the system or of a file.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::address::Files;
use crate::options::BadOptions;

/// Whom to believe, and who we are.
#[derive(Clone)]
pub(crate) struct Papers(TlsConnector);

pub(crate) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Papers {
    pub(crate) fn new(files: &Files) -> Result<Self, BadOptions> {
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let versions =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let versions = versions.map_err(|cause| bad("TLS", &cause))?;
        let builder = versions.with_root_certificates(roots(files)?);
        let config = match (&files.certificate, &files.key) {
            (Some(certificate), Some(key)) => {
                let chain = certificates(certificate)?;
                let secret = PrivateKeyDer::from_pem_file(key).map_err(|cause| at(key, &cause))?;
                builder
                    .with_client_auth_cert(chain, secret)
                    .map_err(|cause| at(certificate, &cause))?
            }
            _ => builder.with_no_client_auth(),
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(crate) fn for_host(&self, host: &str) -> Result<Tls, BadOptions> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|cause| BadOptions::Address(format!("{host}: {cause}")))?;
        Ok(Tls { connector: self.0.clone(), name })
    }
}

impl Tls {
    pub(crate) async fn over(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}

fn roots(files: &Files) -> Result<RootCertStore, BadOptions> {
    let mut roots = RootCertStore::empty();
    if let Some(ca) = &files.ca {
        for certificate in certificates(ca)? {
            roots.add(certificate).map_err(|cause| at(ca, &cause))?;
        }
    } else {
        // Some of a system's list may be unreadable to us; that is its business.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(bad(
                "the system's list of certificates",
                &"it is empty; install ca-certificates, or give ca=",
            ));
        }
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BadOptions> {
    let all: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|cause| at(path, &cause))?.collect();
    let all = all.map_err(|cause| at(path, &cause))?;
    if all.is_empty() { Err(at(path, &"there is no certificate in it")) } else { Ok(all) }
}

fn at(path: &Path, cause: &dyn std::fmt::Display) -> BadOptions {
    bad(&path.display().to_string(), cause)
}

fn bad(path: &str, cause: &dyn std::fmt::Display) -> BadOptions {
    BadOptions::Certificate { path: path.to_owned(), cause: cause.to_string() }
}
