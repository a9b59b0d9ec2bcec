//! A mail server that does as it is told, one connection after the other.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Lines, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What the server does with the next mail.
#[derive(Clone, Debug)]
pub enum Fate {
    /// Takes it.
    Take,
    /// Answers the recipient with this line, such as `451 later`.
    Say(&'static str),
    /// Closes the connection in the middle of the mail.
    HangUp,
    /// Takes it and closes the connection before it says so.
    TakeInSilence,
    /// Says nothing at all, and keeps the connection; its end stands among the mails.
    Hold,
}

/// The least of RFC 5321. What it was not told about it takes.
#[derive(Clone)]
pub struct MailServer {
    port: u16,
    fates: Arc<Mutex<VecDeque<Fate>>>,
    taken: Arc<Mutex<Vec<String>>>,
    tries: Arc<Mutex<usize>>,
}

impl MailServer {
    /// Listens on a free port.
    pub fn start(fates: &[Fate]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let fates = Arc::new(Mutex::new(fates.iter().cloned().collect()));
        let server = Self { port, fates, taken: Arc::default(), tries: Arc::default() };
        let own = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                // Whoever hangs up early has said what there was to say.
                thread::spawn(move || own.play(&stream).unwrap_or_default());
            }
        });
        server
    }

    /// For `SMTP_URL`.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// The mails that it took, as they came.
    pub fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many mails were tried.
    pub fn tries(&self) -> usize {
        *self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_fate(&self) -> Fate {
        *self.tries.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let next = self.fates.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        next.unwrap_or(Fate::Take)
    }

    fn play(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut write = stream.try_clone()?;
        let mut say = move |line: &str| write.write_all(format!("{line}\r\n").as_bytes());
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let fate = self.next_fate();
        if matches!(fate, Fate::Hold) {
            // Until the other side has had enough.
            let end = lines.next().transpose();
            self.note("held in vain".to_owned());
            return end.map(drop);
        }
        say("220 test")?;
        while let Some(line) = lines.next().transpose()? {
            match (line.as_str(), &fate) {
                ("DATA", Fate::HangUp) => return stream.shutdown(Shutdown::Both),
                ("DATA", _) => {
                    say("354 go on")?;
                    self.take(&mut lines);
                    match fate {
                        Fate::TakeInSilence => return stream.shutdown(Shutdown::Both),
                        _ => say("250 taken")?,
                    }
                }
                (line, Fate::Say(refusal)) if line.starts_with("RCPT") => say(refusal)?,
                ("QUIT", _) => return say("221 bye"),
                _ => say("250 ok")?,
            }
        }
        Ok(())
    }

    fn take(&self, lines: &mut Lines<BufReader<TcpStream>>) {
        let mail = lines.map_while(Result::ok).take_while(|line| line != ".");
        let mail: Vec<String> = mail.collect();
        self.note(mail.join("\n"));
    }

    fn note(&self, what: String) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}
