//! A server on loopback that answers as it is told, can hold back what it says, and push.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// The end of the year 9999.
pub(crate) const NEVER: i64 = 253_402_300_799_999;

/// What it answers.
pub(crate) struct World {
    pub(crate) word: &'static str,
    pub(crate) until: i64,
    pub(crate) now: i64,
    pub(crate) life: i64,
    pub(crate) role: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) info: &'static str,
    /// Instead of an answer to `AUTH.CHECK`.
    pub(crate) error: Option<&'static str>,
    /// The same, but to questions only and not to beats.
    pub(crate) question_error: Option<&'static str>,
    /// Instead of an answer to `HELLO`.
    pub(crate) hello_error: Option<&'static str>,
    /// What `CLUSTER NODES` says.
    pub(crate) nodes: String,
    /// On which port of this machine a sentinel says that the primary is.
    pub(crate) named: Option<u16>,
    /// Nothing is said from now on; it all waits in line.
    pub(crate) is_held: bool,
    /// All that was said to it.
    pub(crate) heard: Vec<Vec<String>>,
    lines: Vec<Line>,
}

struct Line {
    stream: TcpStream,
    held: VecDeque<Vec<u8>>,
}

/// The server.
pub(crate) struct Fake {
    port: u16,
    world: Arc<Mutex<World>>,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let world = Arc::new(Mutex::new(World {
            word: "OK",
            until: NEVER,
            now: 1_000_000,
            life: 7,
            role: "master",
            mode: "standalone",
            info: "",
            error: None,
            question_error: None,
            hello_error: None,
            nodes: String::new(),
            named: None,
            is_held: false,
            heard: Vec::new(),
            lines: Vec::new(),
        }));
        let shared = Arc::clone(&world);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let world = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &world));
            }
        });
        Self { port, world }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Says this on every connection, after all that is held back.
    pub(crate) fn say(&self, bytes: &[u8]) {
        let mut world = self.world();
        let is_held = world.is_held;
        world.lines.iter_mut().for_each(|line| line.say(bytes.to_vec(), is_held));
    }

    pub(crate) fn push(&self, key: &str) {
        let text = format!(">2\r\n$10\r\ninvalidate\r\n*1\r\n${}\r\n{key}\r\n", key.len());
        self.say(text.as_bytes());
    }

    /// The same, before whatever is held back.
    pub(crate) fn push_ahead(&self, key: Option<&str>) {
        let what = key.map_or("_".into(), |key| format!("*1\r\n${}\r\n{key}", key.len()));
        let text = format!(">2\r\n$10\r\ninvalidate\r\n{what}\r\n");
        let mut world = self.world();
        world.lines.iter_mut().for_each(|line| line.say(text.clone().into_bytes(), false));
    }

    /// Says what it has held back, in order.
    pub(crate) fn release(&self) {
        let mut world = self.world();
        world.is_held = false;
        for line in &mut world.lines {
            while let Some(bytes) = line.held.pop_front() {
                line.say(bytes, false);
            }
        }
    }

    /// Ends every connection.
    pub(crate) fn hang_up(&self) {
        for line in self.world().lines.drain(..) {
            let _ = line.stream.shutdown(Shutdown::Both);
        }
    }

    /// How many questions it has heard that were no beats.
    pub(crate) fn questions(&self) -> usize {
        let world = self.world();
        world.heard.iter().filter(|words| words[0] == "AUTH.CHECK" && words[2] != "beat").count()
    }

    pub(crate) fn beats(&self) -> usize {
        let world = self.world();
        world.heard.iter().filter(|words| words[0] == "AUTH.CHECK" && words[2] == "beat").count()
    }
}

impl Line {
    fn say(&mut self, bytes: Vec<u8>, is_held: bool) {
        if is_held {
            self.held.push_back(bytes);
        } else {
            let _ = self.stream.write_all(&bytes);
        }
    }
}

fn serve(stream: TcpStream, world: &Mutex<World>) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let name = stream.peer_addr().unwrap();
    world.lock().unwrap().lines.push(Line { stream, held: VecDeque::new() });
    while let Some(words) = command(&mut reader) {
        let mut world = world.lock().unwrap();
        let answer = world.answer(&words);
        world.heard.push(words);
        let is_held = world.is_held;
        let mut lines = world.lines.iter_mut();
        let line = lines.find(|line| line.stream.peer_addr().is_ok_and(|it| it == name));
        let Some(line) = line else { return };
        line.say(answer.into_bytes(), is_held);
    }
}

impl World {
    fn answer(&self, words: &[String]) -> String {
        match &*words[0] {
            "HELLO" => match self.hello_error {
                Some(error) => format!("-{error}\r\n"),
                None => format!(
                    "%4\r\n+server\r\n+redis\r\n+modules\r\n*1\r\n%1\r\n+args\r\n*0\r\n+mode\r\n+{}\r\n+role\r\n+{}\r\n",
                    self.mode, self.role
                ),
            },
            "INFO" => format!("${}\r\n{}\r\n", self.info.len(), self.info),
            "CLUSTER" => format!("={}\r\ntxt:{}\r\n", self.nodes.len() + 4, self.nodes),
            "SENTINEL" => match self.named {
                Some(port) => format!("*2\r\n$9\r\n127.0.0.1\r\n+{port}\r\n"),
                None => "_\r\n".into(),
            },
            "AUTH.CHECK" => {
                let mine = if words[2] == "beat" { None } else { self.question_error };
                if let Some(error) = mine.or(self.error) {
                    return format!("-{error}\r\n");
                }
                let mut text = format!("*4\r\n+{}\r\n", self.word);
                for number in [self.until, self.now, self.life] {
                    write!(text, ":{number}\r\n").unwrap();
                }
                text
            }
            _ => "+OK\r\n".into(),
        }
    }
}

/// The next command, in words; `None` at the end.
fn command(reader: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let count = number(reader)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let mut bytes = vec![0; number(reader)? + 2];
        reader.read_exact(&mut bytes).ok()?;
        bytes.truncate(bytes.len() - 2);
        words.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    Some(words)
}

fn number(reader: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    line.trim_end().get(1..)?.parse().ok()
}
