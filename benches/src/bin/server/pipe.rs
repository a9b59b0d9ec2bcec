//! A connection that carries commands by the thousand: written as bytes, answered in one line each.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use anyhow::{Result, ensure};
use portcullis_tests::Redis;

/// Commands sent together while a server is filled.
const BATCH: usize = 10_000;

/// The connection.
pub(crate) struct Pipe {
    stream: UnixStream,
    answers: Vec<u8>,
}

impl Pipe {
    pub(crate) fn to(redis: &Redis) -> Result<Self> {
        let stream = UnixStream::connect(redis.socket())?;
        Ok(Self { stream, answers: vec![0; 1 << 16] })
    }

    /// Sends what `write` makes of each number below `count`; `lines` answers come for each.
    pub(crate) fn fill(
        &mut self,
        count: usize,
        lines: usize,
        write: impl Fn(usize, &mut Vec<u8>),
    ) -> Result<()> {
        let mut batch = Vec::new();
        for first in (0..count).step_by(BATCH) {
            let last = (first + BATCH).min(count);
            batch.clear();
            (first..last).for_each(|n| write(n, &mut batch));
            self.stream.write_all(&batch)?;
            self.wait((last - first) * lines)?;
        }
        Ok(())
    }

    fn wait(&mut self, lines: usize) -> Result<()> {
        let mut left = lines;
        while left > 0 {
            let length = self.stream.read(&mut self.answers)?;
            ensure!(length > 0, "the server closed the connection");
            let answers = &self.answers[..length];
            let error = answers.iter().position(|byte| *byte == b'-');
            ensure!(
                error.is_none(),
                "refused: {}",
                String::from_utf8_lossy(&answers[error.unwrap_or(0)..])
            );
            left -= answers.split(|byte| *byte == b'\n').count() - 1;
        }
        Ok(())
    }
}

/// Adds a command as the protocol spells it.
pub(crate) fn command(to: &mut Vec<u8>, arguments: &[&str]) {
    write!(to, "*{}\r\n", arguments.len()).expect("memory takes bytes");
    for argument in arguments {
        write!(to, "${}\r\n{argument}\r\n", argument.len()).expect("memory takes bytes");
    }
}
