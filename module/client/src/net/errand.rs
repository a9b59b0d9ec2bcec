//! A server that is asked one thing now and then, and waited for.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::{Stream, Way};
use crate::address::Login;
use crate::resp::{self, Value};

/// What a cluster of a thousand nodes says of all of them is less.
const LONGEST: usize = 4 * 1024 * 1024;

/// Whoever goes there, and the connection from the last time.
pub(crate) struct Errand {
    way: Way,
    login: Login,
    stream: Option<Box<dyn Stream>>,
}

/// Why there is no answer.
pub(crate) enum Failed {
    /// The server does not answer in time, or in nothing that is understood.
    Lost,
    /// It answers with this error.
    Refused(Box<[u8]>),
}

impl Errand {
    pub(crate) const fn new(way: Way, login: Login) -> Self {
        Self { way, login, stream: None }
    }

    /// Asks, within this time; `read` makes something of the answer.
    pub(crate) async fn ask<R>(
        &mut self,
        words: &[&[u8]],
        limit: Duration,
        read: impl Fn(&Value<'_>) -> Option<R>,
    ) -> Result<R, Failed> {
        timeout(limit, self.try_ask(words, limit, read)).await.unwrap_or(Err(Failed::Lost))
    }

    async fn try_ask<R>(
        &mut self,
        words: &[&[u8]],
        limit: Duration,
        read: impl Fn(&Value<'_>) -> Option<R>,
    ) -> Result<R, Failed> {
        let (mut out, mut input) = (Vec::new(), Vec::new());
        // Taken, so that one that is given up midway is never asked again.
        let mut stream = if let Some(stream) = self.stream.take() {
            stream
        } else {
            let mut stream = self.way.open(limit).await.map_err(|_| Failed::Lost)?;
            self.login.introduce(&mut out);
            send(&mut stream, &out).await?;
            receive(&mut stream, &mut input, |_| Some(())).await?;
            out.clear();
            stream
        };
        resp::command(&mut out, words);
        send(&mut stream, &out).await?;
        let answer = receive(&mut stream, &mut input, read).await;
        if matches!(answer, Ok(_) | Err(Failed::Refused(_))) {
            self.stream = Some(stream);
        }
        answer
    }
}

impl Login {
    /// The first thing that is said to a server.
    pub(crate) fn introduce(&self, out: &mut Vec<u8>) {
        let mut hello: Vec<&[u8]> = vec![b"HELLO", b"3"];
        if let Some(password) = &self.password {
            let user = self.user.as_deref().unwrap_or("default");
            hello.extend([b"AUTH".as_slice(), user.as_bytes(), password.as_bytes()]);
        }
        hello.extend([b"SETNAME".as_slice(), b"portcullis-client"]);
        resp::command(out, &hello);
    }
}

async fn send(stream: &mut Box<dyn Stream>, out: &[u8]) -> Result<(), Failed> {
    stream.write_all(out).await.map_err(|_| Failed::Lost)?;
    stream.flush().await.map_err(|_| Failed::Lost)
}

async fn receive<R>(
    stream: &mut Box<dyn Stream>,
    input: &mut Vec<u8>,
    read: impl Fn(&Value<'_>) -> Option<R>,
) -> Result<R, Failed> {
    loop {
        if let Some((value, rest)) = resp::read_within(input, LONGEST).map_err(|_| Failed::Lost)? {
            let answer = match &value {
                Value::Error(text) => Err(Failed::Refused((*text).into())),
                value => read(value).ok_or(Failed::Lost),
            };
            let done = input.len().saturating_sub(rest.len());
            input.drain(..done);
            return answer;
        }
        if stream.read_buf(input).await.map_err(|_| Failed::Lost)? == 0 {
            return Err(Failed::Lost);
        }
    }
}
