//! Where one value of the Redis protocol ends and the next begins. What is in it matters to nobody here.

/// How long the first value is; `None` while it has not arrived to its end.
pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
    let line = line(bytes)?;
    let count = || number(bytes.get(1..line.checked_sub(2)?)?);
    match bytes.first()? {
        b'$' | b'=' | b'!' => match usize::try_from(count()?) {
            Ok(body) => Some(line + body + 2).filter(|end| *end <= bytes.len()),
            Err(_) => Some(line),
        },
        b'*' | b'~' | b'>' => values(bytes, line, count()?),
        b'%' => values(bytes, line, count()?.saturating_mul(2)),
        // An attribute stands before what it is about.
        b'|' => values(bytes, line, count()?.saturating_mul(2).saturating_add(1)),
        _ => Some(line),
    }
}

/// Whether a value was not asked for.
pub(crate) fn is_push(frame: &[u8]) -> bool {
    frame.first() == Some(&b'>')
}

/// Whether the value is about this.
pub(crate) fn mentions(frame: &[u8], what: &str) -> bool {
    frame.windows(what.len()).any(|part| part == what.as_bytes())
}

fn values(bytes: &[u8], mut end: usize, count: i64) -> Option<usize> {
    for _ in 0..count.max(0) {
        end += length(bytes.get(end..)?)?;
    }
    Some(end)
}

fn line(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
}

fn number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_where_the_next_begins_and_no_sooner() {
        let values = [
            "+OK\r\n",
            "-NOTREADY no\r\n",
            ":7\r\n",
            "_\r\n",
            "$5\r\na\r\nbc\r\n",
            "$-1\r\n",
            "*-1\r\n",
            "*0\r\n",
            "*4\r\n+OK\r\n:1\r\n:2\r\n:3\r\n",
            ">2\r\n$10\r\ninvalidate\r\n*1\r\n$6\r\nuser:1\r\n",
            ">2\r\n$10\r\ninvalidate\r\n_\r\n",
            "%1\r\n+a\r\n*1\r\n:1\r\n",
            "|1\r\n+ttl\r\n:9\r\n+OK\r\n",
        ];
        for value in values {
            let bytes = value.as_bytes();
            assert_eq!(length(&[bytes, b"+next\r\n"].concat()), Some(bytes.len()), "{value:?}");
            for end in 0..bytes.len() {
                assert_eq!(length(&bytes[..end]), None, "{value:?} cut at {end}");
            }
        }
    }

    #[test]
    fn a_push_is_known_by_its_first_byte_and_what_it_is_about() {
        let push = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$6\r\nuser:1\r\n";
        assert!(is_push(push) && mentions(push, "user:1"));
        assert!(!is_push(b"*1\r\n+OK\r\n") && !mentions(push, "user:2"));
    }
}
