//! The adapter of `portcullis-client`: questions from standard input, answers to standard output.
#![forbid(unsafe_code)]

use std::io::{self, BufRead as _, Write as _};
use std::time::Duration;

use portcullis_client::{Options, Question, Verdict, Watch};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut watch = None;
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match (words.as_slice(), &watch) {
            (["connect", url, lease_ms, prefix], _) => {
                watch = Some(connect(url, lease_ms, prefix)?);
                "OK".to_owned()
            }
            (["check", subject, session, token], Some(watch)) => {
                check(watch, subject, session, token).await
            }
            (["cached", token], Some(watch)) => {
                watch.cached(token.as_bytes()).map_or_else(|| "MISS".to_owned(), word)
            }
            _ => "ERROR what is that?".to_owned(),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn connect(url: &str, lease_ms: &str, prefix: &str) -> io::Result<Watch> {
    let lease = Duration::from_millis(lease_ms.parse().map_err(io::Error::other)?);
    let beat = lease / 4;
    let options = Options { lease, beat, prefix: prefix.to_owned(), ..Options::default() };
    Watch::connect(url, options).map_err(io::Error::other)
}

async fn check(watch: &Watch, subject: &str, session: &str, token: &str) -> String {
    let question = Question {
        subject,
        token: token.as_bytes(),
        session: Some(session),
        issued_ms: None,
        expires: None,
    };
    match watch.check(&question).await {
        Ok(verdict) => word(verdict),
        Err(cause) => format!("ERROR {cause}"),
    }
}

fn word(verdict: Verdict) -> String {
    verdict.word().to_string_lossy().into_owned()
}
