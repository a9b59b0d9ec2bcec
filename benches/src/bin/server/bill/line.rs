//! One connection to the service that stays open: a request, its answer, the next.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Connections at a time.
const LINES: usize = 6;

/// The connection.
pub(crate) struct Line(BufReader<TcpStream>);

/// A request.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    /// Below `/api/v1/auth`.
    pub(crate) path: &'static str,
    pub(crate) bearer: Option<String>,
    pub(crate) body: String,
}

impl Ask {
    pub(crate) fn get(path: &'static str, bearer: &str) -> Self {
        Self { method: "GET", path, bearer: Some(bearer.to_owned()), body: String::new() }
    }

    pub(crate) fn post(path: &'static str, bearer: Option<&str>, body: &Value) -> Self {
        let bearer = bearer.map(str::to_owned);
        Self { method: "POST", path, bearer, body: body.to_string() }
    }
}

impl Line {
    pub(crate) fn to(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The status and the body of the answer.
    pub(crate) fn ask(&mut self, ask: &Ask) -> Result<(u16, String)> {
        let Ask { method, path, bearer, body } = ask;
        let bearer = bearer.as_ref();
        let bearer = bearer.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let request = format!(
            "{method} /api/v1/auth{path} HTTP/1.1\r\nHost: localhost\r\n{}Content-Type: \
             application/json\r\nContent-Length: {}\r\n\r\n{body}",
            bearer.unwrap_or_default(),
            body.len()
        );
        self.0.get_mut().write_all(request.as_bytes())?;
        let status = self.line()?.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.context("an answer begins with its status")?;
        let mut length = 0;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(told) = line.strip_prefix("content-length:") {
                length = told.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.0.read_line(&mut line)? > 0, "the service closed the connection");
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}

/// Asks all of it over some connections at a time; each answer must have this status. Bodies come in the
/// order of the questions.
pub(crate) fn ask_all(port: u16, asks: &[Ask], status: u16) -> Result<Vec<String>> {
    let of_a_line = asks.len().div_ceil(LINES);
    let lines = asks.chunks(of_a_line.max(1)).map(<[Ask]>::to_vec);
    let lines: Vec<_> = lines
        .map(|asks| {
            thread::spawn(move || -> Result<Vec<String>> {
                let mut line = Line::to(port)?;
                let mut bodies = Vec::with_capacity(asks.len());
                for ask in &asks {
                    let (told, body) = line.ask(ask)?;
                    ensure!(told == status, "{} answered {told}: {body}", ask.path);
                    bodies.push(body);
                }
                Ok(bodies)
            })
        })
        .collect();
    let mut bodies = Vec::with_capacity(asks.len());
    for line in lines {
        bodies.extend(line.join().map_err(|_| anyhow::anyhow!("a line panicked"))??);
    }
    Ok(bodies)
}
