//! The Redis protocol, version 3, as far as it is needed here.

use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

/// One value.
#[derive(Debug)]
pub(crate) enum Value {
    /// Words of any kind.
    Text(Vec<u8>),
    Error,
    Number(i64),
    Null,
    List(Vec<Value>),
    /// Nobody has asked for it.
    Push(Vec<Value>),
}

pub(crate) fn read(from: &mut impl BufRead) -> io::Result<Value> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    let (Some(kind), Some(rest)) = (line.first(), line.strip_suffix(b"\r\n")) else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let rest = rest.get(1..).unwrap_or_default();
    let number = || std::str::from_utf8(rest).ok().and_then(|text| text.parse::<i64>().ok());
    let count = || number().ok_or_else(|| io::Error::other("a length that is none"));
    Ok(match kind {
        b'-' => Value::Error,
        b':' => Value::Number(count()?),
        b'_' => Value::Null,
        b'$' | b'=' => match usize::try_from(count()?) {
            Ok(length) => {
                let mut bytes = vec![0; length + 2];
                from.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Value::Text(bytes)
            }
            Err(_) => Value::Null,
        },
        b'*' | b'~' => Value::List(values(from, count()?)?),
        b'>' => Value::Push(values(from, count()?)?),
        b'%' => Value::List(values(from, count()? * 2)?),
        _ => Value::Text(rest.to_vec()),
    })
}

fn values(from: &mut impl BufRead, count: i64) -> io::Result<Vec<Value>> {
    (0..count).map(|_| read(from)).collect()
}

pub(crate) fn write(to: &mut impl Write, words: &[&str]) -> io::Result<()> {
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        // A string takes whatever is written to it.
        let _ = write!(bytes, "${}\r\n{word}\r\n", word.len());
    }
    to.write_all(bytes.as_bytes())
}
