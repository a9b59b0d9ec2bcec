//! The implementation under test: a child process, one line for a question and one for its answer.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::fault::{Fault, failed};

/// An implementation that says nothing for so long hangs. Its own deadlines are shorter.
const PATIENCE: Duration = Duration::from_secs(20);

/// The implementation.
pub(crate) struct Adapter {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
    /// Questions that were put and whose answers have not been read.
    open: Vec<(String, Instant)>,
}

/// An answer, and when its question was put.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) word: String,
    pub(crate) asked: Instant,
}

impl Said {
    pub(crate) fn is_ok(&self) -> bool {
        self.word == "OK"
    }
}

impl Adapter {
    /// Starts it in a process group of its own, so that a signal reaches all of it.
    pub(crate) fn start(command: &[String]) -> Result<Self, Fault> {
        let (program, arguments) =
            command.split_first().context("no implementation was named, after --")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        let (Some(questions), Some(printed)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(anyhow::anyhow!("the implementation has no stdin or stdout").into());
        };
        let (heard, answers) = channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(printed).lines().map_while(Result::ok);
            // Until nobody listens any more.
            lines.all(|line| heard.send(line).is_ok());
        });
        Ok(Self { child, questions, answers, open: Vec::new() })
    }

    /// Tells it where the server is.
    pub(crate) fn connect(
        &mut self,
        url: &str,
        lease: Duration,
        prefix: &str,
    ) -> Result<(), Fault> {
        let said = self.ask(&format!("connect {url} {} {prefix}", lease.as_millis()))?;
        if said.word == "OK" { Ok(()) } else { Err(failed(format!("connect: {}", said.word))) }
    }

    /// Puts a question and reads its answer.
    pub(crate) fn ask(&mut self, question: &str) -> Result<Said, Fault> {
        self.put(question)?;
        self.hear()
    }

    /// Puts a question and does not wait.
    pub(crate) fn put(&mut self, question: &str) -> Result<(), Fault> {
        // Counted from before it is written: whoever answers cannot have been asked earlier.
        self.open.push((question.to_owned(), Instant::now()));
        let line = format!("{question}\n");
        let put = self.questions.write_all(line.as_bytes()).and_then(|()| self.questions.flush());
        put.map_err(|cause| failed(format!("it does not read its stdin any more: {cause}")))
    }

    /// The answer to the first question that has none yet.
    pub(crate) fn hear(&mut self) -> Result<Said, Fault> {
        if self.open.is_empty() {
            return Err(anyhow::anyhow!("nothing was asked").into());
        }
        let (question, asked) = self.open.remove(0);
        let word = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
        match self.answers.recv_timeout(PATIENCE) {
            Ok(text) if KNOWN.contains(&word(&text).as_str()) => {
                Ok(Said { word: word(&text), asked })
            }
            Ok(text) => Err(failed(format!("it answered {text:?} to {question:?}"))),
            Err(RecvTimeoutError::Timeout) => {
                Err(failed(format!("no answer to {question:?} within {PATIENCE:?}")))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(failed(format!("it ended instead of answering {question:?}")))
            }
        }
    }

    /// Stops it where it stands, as a machine that is suspended.
    pub(crate) fn suspend(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Ends [`Self::suspend`].
    pub(crate) fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if let Ok(group) = i32::try_from(self.child.id()) {
            // Fails only if it has just ended, which its next answer tells.
            let _ = killpg(Pid::from_raw(group), signal);
        }
    }
}

/// What may be answered.
const KNOWN: [&str; 7] = ["OK", "NO_SESSION", "IDLE", "LOGGED_OUT", "REVOKED", "ERROR", "MISS"];

impl Drop for Adapter {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        drop(self.child.wait());
    }
}
