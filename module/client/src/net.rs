//! A stream of bytes to the server, whichever way leads there.

#[cfg(feature = "tls")]
mod tls;

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

use crate::address::{Address, Place};
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

impl Way {
    pub(crate) fn new(address: &Address) -> Result<Self, BadOptions> {
        Ok(match &address.place {
            Place::Unix(path) => Self::Unix(path.clone()),
            Place::Tcp { host, port, tls: None } => Self::Tcp { host: host.clone(), port: *port },
            #[cfg(feature = "tls")]
            Place::Tcp { host, port, tls: Some(files) } => {
                Self::Tls { host: host.clone(), port: *port, tls: tls::Tls::new(host, files)? }
            }
            #[cfg(not(feature = "tls"))]
            Place::Tcp { tls: Some(_), .. } => {
                let text = "rediss:// needs the feature `tls` of portcullis-client";
                return Err(BadOptions::Address(text.into()));
            }
        })
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
