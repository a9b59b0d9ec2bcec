//! What replies say: an answer to a question, or why there is none.

use std::time::Duration;

use portcullis_core::{UnixMs, Verdict};

use super::flying::Flying;
use crate::answers::{Unavailable, Why};
use crate::clock::Moment;
use crate::resp::Value;
use crate::shared::Kind;

/// What a server says of an answer that no time ends. Of an `OK` that means: there is no ledger.
const NO_END_MS: i64 = UnixMs::MAX.0.cast_signed();

/// What `AUTH.CHECK … UNTIL` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// None for a word that is not known here.
    pub(super) verdict: Option<Verdict>,
    pub(super) until_ms: i64,
    pub(super) now_ms: i64,
    pub(super) life: i64,
}

/// What `HELLO` says of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    Replica,
    Node,
    Sentinel,
}

impl Reply {
    /// More elements than these are a later version's.
    pub(super) fn read(value: &Value<'_>) -> Result<Self, Why> {
        match value {
            Value::Error(text) => Err(why(text)),
            Value::List(values) => match values.as_slice() {
                [
                    Value::Text(word),
                    Value::Number(until),
                    Value::Number(now),
                    Value::Number(life),
                    ..,
                ] => {
                    let verdict = std::str::from_utf8(word).ok().and_then(Verdict::of_word);
                    Ok(Self { verdict, until_ms: *until, now_ms: *now, life: *life })
                }
                _ => Err(Why::OldModule),
            },
            _ => Err(Why::OldModule),
        }
    }

    /// Until when it may be kept as the answer to this question, by the server's clock.
    ///
    /// A node that loses a slot tells of the ledgers that leave it. Of a subject who has none it tells
    /// nothing, though another node may have heard of an end by then: a yes that rests on no ledger is asked
    /// for again once a lease has passed.
    pub(super) fn kept_until(&self, question: &Flying, lease: Duration, kind: Kind) -> i64 {
        let until_ms = self.until_ms.min(question.written.expires_ms);
        let is_told_of = self.verdict != Some(Verdict::Ok) || self.until_ms < NO_END_MS;
        if !kind.is_node() || is_told_of {
            return until_ms;
        }
        // The server's clock was read after the question was sent, and no more than this after it.
        let passed = Moment::now().since(question.sent).as_millis().saturating_add(1);
        let left = lease.as_millis().saturating_sub(passed);
        until_ms.min(self.now_ms.saturating_add(i64::try_from(left).unwrap_or(0)))
    }
}

impl Role {
    /// From the pairs that `HELLO` answers with; whether a node of a cluster is expected.
    pub(super) fn read(value: &Value<'_>, is_node: bool) -> Option<Self> {
        let Value::List(words) = value else { return None };
        let said = |name: &[u8]| {
            let mut pairs = words.chunks_exact(2);
            pairs.find_map(|pair| match pair {
                [Value::Text(key), Value::Text(value)] if *key == name => Some(*value),
                _ => None,
            })
        };
        match (said(b"mode")?, said(b"role")?) {
            (b"cluster", role) if !(is_node && is_primary(role)) => Some(Self::Node),
            (b"sentinel", _) => Some(Self::Sentinel),
            (_, role) if is_primary(role) => Some(Self::Primary),
            (_, _) => Some(Self::Replica),
        }
    }
}

fn is_primary(role: &[u8]) -> bool {
    [b"master".as_slice(), b"primary"].contains(&role)
}

/// What an error says, if it is about the key that was asked about and not about the server. A node says of
/// a key that another one has it, or is about to have it; so may be others that something is known of.
pub(super) fn about_one_key(error: &[u8], is_node: bool) -> Option<Unavailable> {
    let word = error.split(|byte| *byte == b' ').next().unwrap_or_default();
    match word {
        b"WRONGTYPE" => Some(Unavailable::WrongType),
        b"MOVED" | b"ASK" | b"TRYAGAIN" if is_node => Some(Unavailable::Elsewhere),
        _ => None,
    }
}

/// Whether `INFO portcullis` says that this server answers only while it is confirmed.
pub(super) fn is_vouched_for(value: &Value<'_>) -> Result<(), Why> {
    let text = match value {
        Value::Text(text) => text,
        Value::Error(text) => return Err(why(text)),
        _ => return Err(Why::Replica),
    };
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let is_so = lines.any(|line| line == b"portcullis_require_confirm:1");
    if is_so { Ok(()) } else { Err(Why::Replica) }
}

/// What an error means. Only its first word is kept, since servers repeat what they were sent, and
/// that was a token.
pub(super) fn why(error: &[u8]) -> Why {
    let word = error.split(|byte| *byte == b' ').next().unwrap_or_default();
    match word {
        b"NOTREADY" => Why::NotReady,
        b"LOADING" => Why::Loading,
        b"MASTERDOWN" => Why::PrimaryDown,
        b"NOAUTH" | b"WRONGPASS" => Why::Credentials,
        b"NOPERM" => Why::NoPermission,
        b"MOVED" | b"ASK" | b"CLUSTERDOWN" | b"CROSSSLOT" | b"TRYAGAIN" => Why::Cluster,
        b"WRONGTYPE" => Why::WrongType,
        b"ERR" if error.starts_with(b"ERR unknown command") => Why::NoModule,
        b"ERR" if error.starts_with(b"ERR syntax error") => Why::OldModule,
        _ => {
            let letters = word.iter().take(32).copied().filter(u8::is_ascii_alphanumeric);
            Why::Other(letters.map(char::from).collect::<String>().into_boxed_str())
        }
    }
}
