//! `portcullis health`: what a container or a script asks. Needs neither secrets nor stores.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;

/// Longer than an answer takes with the longest deadlines there are.
const PATIENCE: Duration = Duration::from_secs(45);

/// Where the service on this host listens.
#[derive(Args)]
pub(crate) struct Health {
    /// Address that the service listens on.
    #[arg(long, env, default_value = "0.0.0.0")]
    host: IpAddr,
    /// Port that the service listens on.
    #[arg(long, env, default_value_t = 3000)]
    port: u16,
}

impl Health {
    /// Fails unless the service is ready, with what it says of itself.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let ip = if self.host.is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { self.host };
        let at = SocketAddr::new(ip, self.port);
        let ready = get(at, "/readyz")?;
        if status(&ready) == Some("200") {
            println!("ready");
            return Ok(());
        }
        let health = get(at, "/health")?;
        let (_, told) = health.split_once("\r\n\r\n").unwrap_or_default();
        bail!("not ready; the service at {at} says: {}", told.trim())
    }
}

/// The whole answer. The server closes the connection behind it.
fn get(at: SocketAddr, path: &str) -> anyhow::Result<String> {
    let no_answer = || format!("no answer from {at} (HOST, PORT): is the service running?");
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE).with_context(no_answer)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n")
        .with_context(no_answer)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(no_answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn status(answer: &str) -> Option<&str> {
    answer.split(' ').nth(1)
}
