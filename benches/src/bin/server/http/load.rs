//! The load: wrk with 64 connections that stay open, each sending its next request when the last
//! one was answered.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use portcullis_tests::{Directory, workspace};

use crate::http::people::Person;
use crate::http::servers::Pinned;

const HOST: &str = "Host: localhost\r\n";

/// Requests that are sent in turn.
pub(crate) struct Requests {
    file: PathBuf,
    _directory: Directory,
}

impl Requests {
    /// `GET`s of a path with these tokens.
    pub(crate) fn get(path: &str, people: &[Person]) -> Result<Self> {
        let request = |person: &Person| {
            let token = &person.token;
            format!("GET {path} HTTP/1.1\r\n{HOST}Authorization: Bearer {token}\r\n\r\n")
        };
        Self::new(people.iter().map(request))
    }

    /// `POST`s of these bodies to a path; `header` is one or more lines.
    pub(crate) fn post(
        path: &str,
        header: &str,
        bodies: impl Iterator<Item = String>,
    ) -> Result<Self> {
        let request = |body: String| {
            let length = body.len();
            format!(
                "POST {path} HTTP/1.1\r\n{HOST}{header}\r\nContent-Length: {length}\r\n\r\n{body}"
            )
        };
        Self::new(bodies.map(request))
    }

    fn new(requests: impl Iterator<Item = String>) -> Result<Self> {
        let directory = Directory::new();
        let file = directory.path().join("requests");
        let requests: Vec<String> = requests.collect();
        std::fs::write(&file, requests.join("\x1e"))?;
        Ok(Self { file, _directory: directory })
    }
}

/// What one run came to.
#[derive(Clone, Copy)]
pub(crate) struct Reached {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Processor time of the program for one answer, in microseconds.
    pub(crate) cpu_us: f64,
    /// Half of the answers took no longer, in milliseconds.
    pub(crate) p50_ms: f64,
    /// 99 of 100 answers took no longer, in milliseconds.
    pub(crate) p99_ms: f64,
}

/// Sends for some seconds, over so many connections. Every answer must be a good one.
pub(crate) fn run(
    to: &Pinned,
    requests: &Requests,
    connections: u32,
    seconds: u32,
) -> Result<Reached> {
    let before = to.cpu_s()?;
    let out = Command::new("wrk")
        .args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "--timeout", "30s"])
        .arg("-s")
        .arg(workspace().join("benches/load.lua"))
        .arg(format!("http://127.0.0.1:{}", to.port))
        .arg(&requests.file)
        .output()
        .context("wrk runs; run tests/install bench")?;
    let cpu_s = to.cpu_s()? - before;
    let text = String::from_utf8_lossy(&out.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("told "));
    let told: Vec<f64> = line.unwrap_or_default().split(' ').flat_map(str::parse).collect();
    let [count, took_us, failed, p50_us, p99_us] = told[..] else {
        anyhow::bail!("wrk says {text}{}", String::from_utf8_lossy(&out.stderr));
    };
    ensure!(failed == 0.0 && count > 0.0, "not every answer was a good one: {text}");
    Ok(Reached {
        rate: count / took_us * 1e6,
        cpu_us: cpu_s / count * 1e6,
        p50_ms: p50_us / 1e3,
        p99_ms: p99_us / 1e3,
    })
}
