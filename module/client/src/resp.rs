//! RESP3 as far as it is needed, read in order and within bounds: a server that sends rubbish, or
//! without end, cannot make this process hold more than [`LONGEST`] bytes of it.

/// No reply that is waited for comes near this; an error, a push of one key, what `HELLO` or a section
/// of `INFO` tells.
pub(crate) const LONGEST: usize = 64 * 1024;
/// What `HELLO` tells of modules is nested so often.
const DEEPEST: usize = 6;

/// What a server says, in pieces of what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'b> {
    /// `+` `$` `=` and what else is text here.
    Text(&'b [u8]),
    /// `-` `!`
    Error(&'b [u8]),
    /// `:`
    Number(i64),
    /// `_`, and what RESP2 calls so.
    Null,
    /// `*` `~`, and `%` with keys and values in turn.
    List(Vec<Value<'b>>),
    /// `>`, at the top only.
    Push(Vec<Value<'b>>),
}

/// This is not RESP3, or more of it than anybody has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault;

/// The first value in the buffer and what is behind it; `None` if it has not all come yet.
pub(crate) fn read(buffer: &[u8]) -> Result<Option<(Value<'_>, &[u8])>, Fault> {
    read_within(buffer, LONGEST)
}

/// The same of a value that may be longer, or must be shorter.
pub(crate) fn read_within(
    buffer: &[u8],
    longest: usize,
) -> Result<Option<(Value<'_>, &[u8])>, Fault> {
    let mut rest = buffer;
    match value(&mut rest, longest, 0) {
        Ok(value) => Ok(Some((value, rest))),
        Err(Stop::Fault) => Err(Fault),
        Err(Stop::Incomplete) if buffer.len() >= longest => Err(Fault),
        Err(Stop::Incomplete) => Ok(None),
    }
}

enum Stop {
    Incomplete,
    Fault,
}

fn value<'b>(rest: &mut &'b [u8], longest: usize, depth: usize) -> Result<Value<'b>, Stop> {
    let (kind, line) = line(rest)?.split_first().ok_or(Stop::Fault)?;
    Ok(match kind {
        b'+' | b',' | b'(' | b'#' => Value::Text(line),
        b'-' => Value::Error(line),
        b':' => Value::Number(number(line)?),
        kind if *kind == b'_' || (line == b"-1" && b"$=*".contains(kind)) => Value::Null,
        b'$' | b'=' => Value::Text(bytes(rest, count(line, longest)?)?),
        b'!' => Value::Error(bytes(rest, count(line, longest)?)?),
        b'*' | b'~' => Value::List(values(rest, count(line, longest)?, longest, depth)?),
        b'%' => Value::List(values(rest, count(line, longest)?.saturating_mul(2), longest, depth)?),
        b'>' if depth == 0 => Value::Push(values(rest, count(line, longest)?, longest, depth)?),
        // Attributes say something about what follows, which counts alone.
        b'|' => {
            values(rest, count(line, longest)?.saturating_mul(2), longest, depth)?;
            return value(rest, longest, depth + 1);
        }
        _ => return Err(Stop::Fault),
    })
}

fn values<'b>(
    rest: &mut &'b [u8],
    count: usize,
    longest: usize,
    depth: usize,
) -> Result<Vec<Value<'b>>, Stop> {
    if depth >= DEEPEST {
        return Err(Stop::Fault);
    }
    // Not reserved: whoever announces many has not sent them yet.
    let mut values = Vec::new();
    for _ in 0..count {
        values.push(value(rest, longest, depth + 1)?);
    }
    Ok(values)
}

fn bytes<'b>(rest: &mut &'b [u8], count: usize) -> Result<&'b [u8], Stop> {
    let (bytes, behind) = rest.split_at_checked(count).ok_or(Stop::Incomplete)?;
    let (end, behind) = behind.split_at_checked(2).ok_or(Stop::Incomplete)?;
    if end != b"\r\n" {
        return Err(Stop::Fault);
    }
    *rest = behind;
    Ok(bytes)
}

fn line<'b>(rest: &mut &'b [u8]) -> Result<&'b [u8], Stop> {
    let end = rest.iter().position(|byte| *byte == b'\n').ok_or(Stop::Incomplete)?;
    let (line, behind) = rest.split_at_checked(end + 1).ok_or(Stop::Incomplete)?;
    *rest = behind;
    line.strip_suffix(b"\r\n").ok_or(Stop::Fault)
}

fn count(line: &[u8], longest: usize) -> Result<usize, Stop> {
    let count = usize::try_from(number(line)?).map_err(|_| Stop::Fault)?;
    if count <= longest { Ok(count) } else { Err(Stop::Fault) }
}

fn number(line: &[u8]) -> Result<i64, Stop> {
    std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()).ok_or(Stop::Fault)
}

/// A command of so many words begins; each follows by [`word`].
pub(crate) fn begin(out: &mut Vec<u8>, words: usize) {
    out.push(b'*');
    out.extend_from_slice(words.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// One word of a command.
pub(crate) fn word(out: &mut Vec<u8>, word: &[u8]) {
    out.push(b'$');
    out.extend_from_slice(word.len().to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

/// A whole command.
pub(crate) fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    begin(out, words.len());
    for it in words {
        word(out, it);
    }
}
