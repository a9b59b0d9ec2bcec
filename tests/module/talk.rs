//! Talking to a server as one would by hand: a line in, what `redis-cli` would show out.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use portcullis_tests::Redis;
use redis::{Client, Cmd, Connection, RedisError, Value};

/// One connection.
pub(crate) struct Talk(pub(crate) Connection);

/// Speaks RESP2 over the unix socket.
pub(crate) fn to(redis: &Redis) -> Talk {
    Talk(redis.connection())
}

/// Speaks RESP3.
pub(crate) fn resp3(redis: &Redis) -> Talk {
    let url = format!("unix://{}?protocol=resp3", redis.socket().display());
    let connection = Client::open(url).and_then(|client| client.get_connection());
    Talk(connection.expect("a running server accepts RESP3"))
}

impl Talk {
    /// Sends the words of a line.
    #[track_caller]
    pub(crate) fn say(&mut self, line: &str) -> String {
        shown(&self.answer(line))
    }

    /// Sends a line whose `%` words stand for `values`, which may be any bytes.
    #[track_caller]
    pub(crate) fn tell(&mut self, line: &str, values: &[&[u8]]) -> String {
        let mut values = values.iter();
        let mut command = Cmd::new();
        for word in line.split_whitespace() {
            match word {
                "%" => command.arg(*values.next().expect("a value for each %")),
                _ => command.arg(word),
            };
        }
        assert!(values.next().is_none(), "a % for each value");
        shown(&self.run(&command))
    }

    /// Sends exactly these arguments.
    #[track_caller]
    pub(crate) fn send(&mut self, arguments: &[impl AsRef<[u8]>]) -> String {
        let mut command = Cmd::new();
        for argument in arguments {
            command.arg(argument.as_ref());
        }
        shown(&self.run(&command))
    }

    /// Sends the words of a line and gives the answer as it came.
    #[track_caller]
    pub(crate) fn answer(&mut self, line: &str) -> Value {
        let mut command = Cmd::new();
        for word in line.split_whitespace() {
            command.arg(word);
        }
        self.run(&command)
    }

    /// The server's clock.
    #[track_caller]
    pub(crate) fn now_ms(&mut self) -> u64 {
        let (seconds, micros): (u64, u64) =
            redis::cmd("TIME").query(&mut self.0).expect("TIME answers");
        seconds * 1000 + micros / 1000
    }

    /// A field of `INFO`.
    #[track_caller]
    pub(crate) fn info(&mut self, section: &str, field: &str) -> String {
        let info = self.say(&format!("INFO {section}"));
        let mut lines = info.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(name, _)| *name == field);
        found.unwrap_or_else(|| panic!("no {field} in {info}")).1.to_owned()
    }

    #[track_caller]
    fn run(&mut self, command: &Cmd) -> Value {
        match command.query(&mut self.0) {
            Ok(value) => value,
            Err(error) => Value::SimpleString(refusal(&error)),
        }
    }
}

#[track_caller]
fn refusal(error: &RedisError) -> String {
    let code = error.code().unwrap_or_else(|| panic!("the server went away: {error}"));
    format!("{code} {}", error.detail().unwrap_or_default()).trim_end().to_owned()
}

fn shown(value: &Value) -> String {
    let all = |values: &[Value]| values.iter().map(shown).collect::<Vec<_>>().join(" ");
    match value {
        Value::Nil => "nil".into(),
        Value::Int(number) => number.to_string(),
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        Value::Okay => "OK".into(),
        Value::Array(values) | Value::Set(values) => format!("[{}]", all(values)),
        Value::Map(pairs) => {
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(key, value)| format!("{}={}", shown(key), shown(value)))
                .collect();
            format!("{{{}}}", pairs.join(" "))
        }
        other => format!("{other:?}"),
    }
}

/// A JWT with this payload; whose signature it is matters to nobody here.
pub(crate) fn jwt(payload: &str) -> String {
    format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(payload))
}

/// `n` as the 64 hex digits of a digest.
pub(crate) fn digest(n: u64) -> String {
    format!("{n:064x}")
}
