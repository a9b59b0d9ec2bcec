//! One connection through the proxy, cut into values of the protocol.

use std::collections::VecDeque;
use std::io::{self, Read, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::frames;

/// A client that does not read for so long is no client any more.
const STUCK: Duration = Duration::from_secs(20);

static NAMES: AtomicU64 = AtomicU64::new(0);

/// Both ends, and what is between them.
pub(super) struct Connection {
    name: u64,
    client: TcpStream,
    server: UnixStream,
    is_raw: bool,
    is_over: bool,
    /// The beginning of a value that has not arrived to its end, of either side.
    said: Vec<u8>,
    asked: Vec<u8>,
    /// What was asked, in order, and how much of that has been answered.
    questions: Vec<Vec<u8>>,
    answers: usize,
    /// What the server has said and the client has not heard.
    held: VecDeque<Vec<u8>>,
    /// The server has ended the connection, which is held as well.
    has_ended: bool,
}

impl Connection {
    /// A connection, and what the client and the server say on it.
    pub(super) fn between(
        client: TcpStream,
        target: &Path,
        is_raw: bool,
    ) -> io::Result<(Self, (TcpStream, UnixStream))> {
        let server = UnixStream::connect(target)?;
        client.set_nodelay(true)?;
        client.set_write_timeout(Some(STUCK))?;
        let ends = (client.try_clone()?, server.try_clone()?);
        let connection = Self {
            name: NAMES.fetch_add(1, Ordering::Relaxed),
            client,
            server,
            is_raw,
            is_over: false,
            said: Vec::new(),
            asked: Vec::new(),
            questions: Vec::new(),
            answers: 0,
            held: VecDeque::new(),
            has_ended: false,
        };
        Ok((connection, ends))
    }

    pub(super) fn name(&self) -> u64 {
        self.name
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What the client says goes to the server at once. False: nothing more of it is wanted.
    pub(super) fn ask(&mut self, bytes: &[u8]) -> bool {
        if !self.is_raw {
            self.asked.extend_from_slice(bytes);
            while let Some(question) = first(&mut self.asked) {
                self.questions.push(question);
            }
        }
        self.server.write_all(bytes).is_ok()
    }

    /// What the server says goes to the client, or is held.
    pub(super) fn answer(&mut self, bytes: &[u8], is_holding: bool) -> bool {
        if self.is_raw {
            return self.client.write_all(bytes).is_ok();
        }
        self.said.extend_from_slice(bytes);
        while let Some(value) = first(&mut self.said) {
            self.answers += usize::from(!frames::is_push(&value));
            self.held.push_back(value);
        }
        if !is_holding {
            self.let_through();
        }
        !self.is_over
    }

    pub(super) fn let_through(&mut self) {
        self.let_through_first(self.held.len());
        if self.has_ended {
            self.close();
            self.is_over = true;
        }
    }

    pub(super) fn let_through_before_push(&mut self) {
        let push = self.held.iter().position(|value| frames::is_push(value));
        self.let_through_first(push.unwrap_or(self.held.len()));
    }

    fn let_through_first(&mut self, count: usize) {
        let through: Vec<u8> = self.held.drain(..count).flatten().collect();
        if !through.is_empty() && self.client.write_all(&through).is_err() {
            self.is_over = true;
        }
    }

    pub(super) fn client_ended(&mut self) {
        drop(self.server.shutdown(Shutdown::Both));
        self.is_over = true;
    }

    pub(super) fn server_ended(&mut self, is_holding: bool) {
        self.has_ended = true;
        if !is_holding {
            self.let_through();
        }
    }

    pub(super) fn close(&self) {
        drop(self.client.shutdown(Shutdown::Both));
        drop(self.server.shutdown(Shutdown::Both));
    }

    pub(super) fn holds_a_push(&self) -> bool {
        self.held.iter().any(|value| frames::is_push(value))
    }

    pub(super) fn holds_push_about(&self, key: &str) -> bool {
        self.held.iter().any(|value| frames::is_push(value) && frames::mentions(value, key))
    }

    pub(super) fn held_answers(&self) -> usize {
        self.held.iter().filter(|value| !frames::is_push(value)).count()
    }

    /// Answers come in the order of their questions.
    pub(super) fn has_answered(&self, needle: &str) -> bool {
        let answered = self.questions.iter().take(self.answers);
        answered.rev().any(|question| frames::mentions(question, needle))
    }
}

/// Takes the first whole value.
fn first(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = frames::length(bytes)?;
    let rest = bytes.split_off(length);
    Some(std::mem::replace(bytes, rest))
}

/// Hands on what is said until either side has enough.
pub(super) fn pump(from: &mut impl Read, mut to: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !to(&buffer[..length]) {
            return;
        }
    }
}
