//! One connection, on which everything is asked and pushed, in one order.

use std::collections::VecDeque;
use std::io::{self, BufReader, ErrorKind};
use std::net::TcpStream;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::cache::{Answer, Cache, Stamp};
use crate::resp::{self, Value};
use crate::{Guard, Guards};

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_millis(250);
const REST: Duration = Duration::from_millis(20);

/// A token, and in whose name it comes.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) subject: &'a str,
    pub(crate) session: &'a str,
    pub(crate) token: &'a str,
}

/// A caching client.
pub(crate) struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    address: String,
    prefix: String,
    lease: Duration,
    guards: Guards,
    state: Mutex<State>,
}

/// All that changes is behind one lock: what is read on the connection and what is looked up.
struct State {
    cache: Cache,
    stream: Option<TcpStream>,
    /// Whoever waits for an answer, in the order in which it was asked.
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    sent: Instant,
    /// Nobody, for a beat.
    asker: Option<Asker>,
}

struct Asker {
    key: String,
    session: String,
    token: String,
    stamp: Stamp,
    answer: Sender<Option<Answer>>,
}

impl Client {
    pub(crate) fn start(
        url: &str,
        lease: Duration,
        prefix: &str,
        guards: Guards,
    ) -> io::Result<Self> {
        let address =
            url.strip_prefix("redis://").ok_or_else(|| io::Error::other("what is that?"))?;
        let state =
            State { cache: Cache::new(lease, guards), stream: None, waiting: VecDeque::new() };
        let shared = Arc::new(Shared {
            address: address.to_owned(),
            prefix: prefix.to_owned(),
            lease,
            guards,
            state: Mutex::new(state),
        });
        let (listens, beats) = (Arc::clone(&shared), Arc::clone(&shared));
        thread::spawn(move || listens.keep_connected());
        if guards.have(Guard::Beats) {
            thread::spawn(move || beats.keep_beating());
        }
        Ok(Self { shared })
    }

    /// A word without asking.
    pub(crate) fn cached(&self, token: &str) -> Option<&'static str> {
        self.shared.lock().cache.find(token, None)
    }

    /// A word, kept or asked for.
    pub(crate) fn check(&self, question: &Question<'_>) -> &'static str {
        let key = format!("{}{}", self.shared.prefix, question.subject);
        let (answer, heard) = channel();
        {
            let mut state = self.shared.lock();
            let known = state.cache.find(question.token, Some((&key, question.session)));
            if let Some(word) = known {
                return word;
            }
            let asker = Asker {
                key: key.clone(),
                session: question.session.to_owned(),
                token: question.token.to_owned(),
                stamp: state.cache.stamp(&key),
                answer,
            };
            let words = ["AUTH.CHECK", &key, question.token, "SESSION", question.session, "UNTIL"];
            if state.ask(&words, Some(asker)).is_err() {
                return "ERROR no connection";
            }
        }
        let Ok(Some(answer)) = heard.recv_timeout(DEADLINE) else { return "ERROR no answer" };
        if !self.shared.guards.have(Guard::Order) {
            // The mistake: by now whatever voids the answer may have been read.
            thread::sleep(Duration::from_millis(5));
            let mut state = self.shared.lock();
            let stamp = state.cache.stamp(&key);
            state.cache.keep(question, key, answer, stamp);
        }
        answer.word
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whatever ends a connection, the next one begins from nothing.
    fn keep_connected(&self) {
        loop {
            drop(self.live());
            self.hang_up();
            thread::sleep(REST);
        }
    }

    fn keep_beating(&self) {
        loop {
            thread::sleep(self.lease / 4);
            drop(self.beat());
        }
    }

    /// From one connection's beginning to its end.
    fn live(&self) -> io::Result<()> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        // Silence for longer than this is an end as well.
        stream.set_read_timeout(Some(self.lease * 4))?;
        let mut from = BufReader::new(stream.try_clone()?);
        for words in [["HELLO", "3"].as_slice(), &["CLIENT", "TRACKING", "ON"]] {
            resp::write(&mut stream, words)?;
            if matches!(resp::read(&mut from)?, Value::Error) {
                return Err(ErrorKind::Unsupported.into());
            }
        }
        {
            let mut state = self.lock();
            state.cache.begin_connection();
            state.stream = Some(stream);
        }
        self.beat()?;
        loop {
            let value = resp::read(&mut from)?;
            self.lock().take(value, self.guards)?;
        }
    }

    fn beat(&self) -> io::Result<()> {
        // A question that passes every gate that a real one passes.
        let key = format!("{}0", self.prefix);
        self.lock().ask(&["AUTH.CHECK", &key, "beat", "UNTIL"], None)
    }

    fn hang_up(&self) {
        let mut state = self.lock();
        state.stream = None;
        // Nobody gets an answer any more.
        state.waiting.clear();
        state.cache.begin_connection();
    }
}

impl State {
    fn ask(&mut self, words: &[&str], asker: Option<Asker>) -> io::Result<()> {
        let stream = self.stream.as_mut().ok_or(ErrorKind::NotConnected)?;
        let sent = Instant::now();
        resp::write(stream, words)?;
        self.waiting.push_back(Waiting { sent, asker });
        Ok(())
    }

    /// Keys have changed, or everything may have.
    fn take_push(&mut self, push: &[Value]) {
        let Some(Value::List(keys)) = push.get(1) else { return self.cache.void_all() };
        for key in keys {
            if let Value::Text(key) = key {
                self.cache.changed(&String::from_utf8_lossy(key));
            }
        }
    }

    /// In the order in which the server has said it.
    fn take(&mut self, value: Value, guards: Guards) -> io::Result<()> {
        if let Value::Push(push) = value {
            self.take_push(&push);
            return Ok(());
        }
        let Waiting { sent, asker } = self.waiting.pop_front().ok_or(ErrorKind::InvalidData)?;
        let answer = match value {
            Value::Error => {
                self.cache.doubt(sent);
                None
            }
            value => Some(answer_in(&value).ok_or(ErrorKind::InvalidData)?),
        };
        if let Some(answer) = answer {
            self.cache.heard(sent, answer);
        }
        let Some(asker) = asker else { return Ok(()) };
        let Asker { key, session, token, stamp, answer: to } = asker;
        if let Some(answer) = answer.filter(|_| guards.have(Guard::Order)) {
            let question = Question { subject: "", session: &session, token: &token };
            self.cache.keep(&question, key, answer, stamp);
        }
        // Whoever has given up waiting needs no answer.
        let _ = to.send(answer);
        Ok(())
    }
}

fn answer_in(value: &Value) -> Option<Answer> {
    let Value::List(parts) = value else { return None };
    let [Value::Text(word), Value::Number(until), Value::Number(now), Value::Number(life)] =
        parts.as_slice()
    else {
        return None;
    };
    let words = ["OK", "NO_SESSION", "IDLE", "LOGGED_OUT", "REVOKED"];
    let word = words.into_iter().find(|known| known.as_bytes() == word)?;
    Some(Answer { word, until_ms: *until, now_ms: *now, life: *life })
}
