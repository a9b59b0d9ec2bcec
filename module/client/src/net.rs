//! A stream of bytes to the server, whichever way leads there.

mod all;
mod errand;
#[cfg(feature = "tls")]
mod tls;

use std::time::Duration;
use std::{fmt, io};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

pub(crate) use all::all;
pub(crate) use errand::{Errand, Failed};

use crate::address::{Files, Place};
use crate::options::BadOptions;

/// Whatever can be read from and written to.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The way to the server. Certificates have been read.
pub(crate) enum Way {
    Tcp {
        host: String,
        port: u16,
    },
    #[cfg(feature = "tls")]
    Tls {
        host: String,
        port: u16,
        tls: tls::Tls,
    },
    Unix(std::path::PathBuf),
}

/// How hosts are spoken to. Certificates have been read.
#[derive(Clone)]
pub(crate) struct Door {
    #[cfg(feature = "tls")]
    tls: Option<tls::Papers>,
}

impl Door {
    pub(crate) fn new(files: Option<&Files>) -> Result<Self, BadOptions> {
        #[cfg(feature = "tls")]
        return Ok(Self { tls: files.map(tls::Papers::new).transpose()? });
        #[cfg(not(feature = "tls"))]
        return match files {
            None => Ok(Self {}),
            Some(_) => {
                let text = "rediss:// needs the feature `tls` of portcullis-client";
                Err(BadOptions::Address(text.into()))
            }
        };
    }

    /// The way to a host.
    pub(crate) fn way(&self, host: &str, port: u16) -> Result<Way, BadOptions> {
        #[cfg(feature = "tls")]
        if let Some(papers) = &self.tls {
            return Ok(Way::Tls { host: host.to_owned(), port, tls: papers.for_host(host)? });
        }
        Ok(Way::Tcp { host: host.to_owned(), port })
    }

    /// Whether hosts are called by the names in their certificates.
    pub(crate) const fn is_by_name(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        return false;
    }
}

impl fmt::Display for Way {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(out),
            Self::Tcp { host, port } => write!(out, "{host}, port {port}"),
            #[cfg(feature = "tls")]
            Self::Tls { host, port, .. } => write!(out, "{host}, port {port}"),
        }
    }
}

impl Way {
    pub(crate) fn new(place: &Place) -> Result<Self, BadOptions> {
        match place {
            Place::Unix(path) => Ok(Self::Unix(path.clone())),
            Place::Tcp { host, port, tls } => Door::new(tls.as_ref())?.way(host, *port),
        }
    }

    /// A connection, within this time.
    pub(crate) async fn open(&self, limit: Duration) -> io::Result<Box<dyn Stream>> {
        timeout(limit, self.stream(limit)).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    async fn stream(&self, limit: Duration) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Self::Tcp { host, port } => Box::new(tcp(host, *port, limit).await?),
            #[cfg(feature = "tls")]
            Self::Tls { host, port, tls } => {
                Box::new(tls.over(tcp(host, *port, limit).await?).await?)
            }
        })
    }
}

/// The name is looked up every time, since it may lead elsewhere by now; each of its addresses gets
/// its share of the time.
async fn tcp(host: &str, port: u16, limit: Duration) -> io::Result<TcpStream> {
    let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut fault = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(cause)) => fault = cause,
            Err(_) => fault = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(fault)
}
