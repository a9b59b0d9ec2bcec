//! What is written in an afternoon: ask, keep the answer for a second. The kit shows what that accepts.

use std::collections::HashMap;
use std::io::{self, BufReader};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::Question;
use crate::resp::{self, Value};

const KEPT: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_millis(250);

/// A cache by time alone.
pub(crate) struct Naive {
    address: String,
    prefix: String,
    connection: Option<BufReader<TcpStream>>,
    kept: HashMap<String, (String, Instant)>,
}

impl Naive {
    pub(crate) fn new(url: &str, prefix: &str) -> Self {
        let address = url.trim_start_matches("redis://").to_owned();
        Self { address, prefix: prefix.to_owned(), connection: None, kept: HashMap::new() }
    }

    pub(crate) fn cached(&self, token: &str) -> Option<String> {
        let (word, asked) = self.kept.get(token)?;
        (asked.elapsed() < KEPT).then(|| word.clone())
    }

    pub(crate) fn check(&mut self, question: &Question<'_>) -> String {
        if let Some(word) = self.cached(question.token) {
            return word;
        }
        match self.ask(question) {
            Ok(word) => {
                self.kept.insert(question.token.to_owned(), (word.clone(), Instant::now()));
                word
            }
            Err(cause) => {
                self.connection = None;
                format!("ERROR {cause}")
            }
        }
    }

    fn ask(&mut self, question: &Question<'_>) -> io::Result<String> {
        if self.connection.is_none() {
            let stream = TcpStream::connect(&self.address)?;
            stream.set_read_timeout(Some(DEADLINE))?;
            self.connection = Some(BufReader::new(stream));
        }
        let Some(connection) = &mut self.connection else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let key = format!("{}{}", self.prefix, question.subject);
        let words = ["AUTH.CHECK", &key, question.token, "SESSION", question.session];
        resp::write(connection.get_mut(), &words)?;
        match resp::read(connection)? {
            Value::Text(word) => Ok(String::from_utf8_lossy(&word).into_owned()),
            other => Err(io::Error::other(format!("{other:?}"))),
        }
    }
}
