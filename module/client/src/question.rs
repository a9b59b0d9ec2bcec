//! What is asked about a token, and how it is put to the server.

use std::fmt;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::time::{SystemTime, UNIX_EPOCH};

use foldhash::quality::RandomState;

use portcullis_core::Digest;

use crate::cells::{Cell, Cells};
use crate::resp;

/// Is this token good? Whoever asks has verified it.
///
/// `Debug` does not print the token.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Whose token it is; with the prefix before it, the ledger's key.
    pub subject: &'a str,
    /// The token as it was presented, all of it.
    pub token: &'a [u8],
    /// The session that it belongs to. Without one, only what was revoked by token or by time counts.
    pub session: Option<&'a str>,
    /// When it was issued, in milliseconds since the epoch: a logout of everything at this instant or
    /// later covers it. For whole seconds, give the first millisecond of that second.
    pub issued_ms: Option<i64>,
    /// From when on it is dead by itself, judged by the server's clock.
    pub expires: Option<SystemTime>,
}

impl fmt::Debug for Question<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Question")
            .field("subject", &self.subject)
            .field("token", &format_args!("{} bytes", self.token.len()))
            .field("session", &self.session)
            .field("issued_ms", &self.issued_ms)
            .field("expires", &self.expires)
            .finish()
    }
}

/// Everything that was asked about a token but the token itself, which is compared byte by byte.
///
/// What verified claims say follows from the token's bytes, so nobody can choose two that meet; this is
/// against callers who ask two questions about one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([u64; 2]);

/// Makes fingerprints, with two random keys.
pub(crate) struct Fingerprints([RandomState; 2]);

impl Fingerprints {
    pub(crate) fn new() -> Self {
        Self([RandomState::default(), RandomState::default()])
    }

    #[inline]
    pub(crate) fn of(&self, question: &Question<'_>) -> Fingerprint {
        Fingerprint(self.0.each_ref().map(|keyed| {
            let mut hasher = keyed.build_hasher();
            question.subject.hash(&mut hasher);
            question.session.hash(&mut hasher);
            (question.issued_ms, expires_ms(question.expires)).hash(&mut hasher);
            hasher.finish()
        }))
    }
}

/// A question as it goes out, in bytes.
#[derive(Clone)]
pub(crate) struct Written {
    pub(crate) wire: Box<[u8]>,
    token: Box<[u8]>,
    pub(crate) cell: Cell,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) expires_ms: i64,
}

impl Written {
    pub(crate) fn new(
        question: &Question<'_>,
        prefix: &str,
        cells: &Cells,
        fingerprint: Fingerprint,
    ) -> Self {
        let key = [prefix.as_bytes(), question.subject.as_bytes()].concat();
        let session = question.session.map_or(0, |_| 2);
        let issued = question.issued_ms.map_or(0, |_| 2);
        let mut wire = Vec::with_capacity(key.len() + 320);
        resp::begin(&mut wire, 5 + session + issued);
        resp::word(&mut wire, b"AUTH.CHECK");
        resp::word(&mut wire, &key);
        // The token itself stays here: whoever listens on the way could use it.
        resp::word(&mut wire, b"DIGEST");
        resp::word(&mut wire, &Digest::of(question.token).to_hex());
        if let Some(session) = question.session {
            resp::word(&mut wire, b"SESSION");
            resp::word(&mut wire, session.as_bytes());
        }
        if let Some(issued) = question.issued_ms {
            resp::word(&mut wire, b"IATMS");
            resp::word(&mut wire, issued.to_string().as_bytes());
        }
        resp::word(&mut wire, b"UNTIL");
        Self {
            token: question.token.into(),
            wire: wire.into_boxed_slice(),
            cell: cells.of(&key),
            fingerprint,
            expires_ms: expires_ms(question.expires),
        }
    }

    /// Whether both ask the same about the same token.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.wire == other.wire
    }

    /// Whether the token's own time is over.
    pub(crate) const fn has_expired(&self, now_ms: i64) -> bool {
        self.expires_ms < i64::MAX && now_ms >= self.expires_ms
    }

    pub(crate) fn token(&self) -> &[u8] {
        &self.token
    }
}

/// In milliseconds since the epoch, rounded down; never, if the token does not say.
fn expires_ms(expires: Option<SystemTime>) -> i64 {
    let Some(expires) = expires else { return i64::MAX };
    let since = expires.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
