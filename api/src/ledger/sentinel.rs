//! The mark that a Redis carries once its ledgers have been brought up to date.
//!
//! It holds the run id of the life it was written in, the outbox row up to which that life had
//! heard everything, and when that was. The module keeps it beside the ledgers, in no key: it is saved,
//! replicated and lost with them, and nobody can copy it to others. So what comes out of a snapshot later
//! can be told how far behind it is. It is only ever replaced by whoever knows what stood there before:
//! a mark that was wiped out together with the ledgers does not come back.
//!
//! Keys can also be deleted, one by one and with no word to anybody. So where one server has everybody,
//! there is a **witness** among them, a key that nobody needs: when it is gone, so may be any ledger. It
//! holds a copy of the mark, which is what earlier versions go by.

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value};
use sha2::{Digest as _, Sha256};

use crate::base::clock::Timestamp;

use super::module_lack::Lack;
use super::redis_fault::unavailable;
use super::way::{NODE_OF_A_CLUSTER, is_node};
use crate::store::history::FIRST;

/// What the run id in a mark begins with while ledgers are being brought up to date.
pub(crate) const HYDRATING: &str = "hydrating-";

/// What a server says of itself.
pub(crate) struct Sight {
    /// Names this life of the server.
    pub(crate) run_id: String,
    /// Names the life of its ledgers: they may be replaced while the server lives.
    pub(crate) life: String,
    /// The same for verdicts that are kept; a module of an earlier version names none.
    pub(crate) check_life: Option<i64>,
    state: State,
    /// Whether it is a node of a cluster.
    is_clustered: bool,
    /// What it lacks to be of any use.
    pub(crate) lack: Option<Lack>,
    /// The module was told in this life that its ledgers are up to date.
    is_confirmed: bool,
    /// Up to which instant it has heard that everything has ended.
    pub(crate) ended_until: Timestamp,
    /// How many keys were thrown out for want of memory since it started, ledgers perhaps among them.
    evicted_keys: u64,
    witness: Witness,
    /// The mark as it stands; nothing if there is none.
    pub(crate) mark: String,
    /// What marks of these ledgers are told by from those of others on the same server.
    which: String,
}

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Primary,
    Replica,
    /// It reads what it had before it was started, and answers about no key.
    Loading,
}

/// The key that is lost when keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Witness {
    There,
    Gone,
    /// A cluster has none.
    Needless,
}

/// What a mark says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The life it was written in; anything else while ledgers are being brought up to date.
    pub(crate) run_id: String,
    /// Every outbox row up to here had been heard.
    pub(crate) position: u64,
    /// When that was so; 0: never.
    pub(crate) at: Timestamp,
    /// The life in which that was so.
    pub(crate) of: String,
    /// Of which ledgers, should others have been on the server.
    which: String,
    /// Since which return of MySQL rows have had these numbers (`store/history.rs`).
    pub(crate) returned: u64,
}

impl Sight {
    /// Whether the ledgers here lack nothing.
    pub(crate) fn is_up_to_date(&self) -> bool {
        self.is_primary() && self.is_confirmed && self.own_mark().is_some()
    }

    /// Whether they would lack nothing if somebody vouched for them.
    pub(crate) fn lacks_a_word(&self) -> bool {
        self.is_primary() && !self.is_confirmed && self.own_mark().is_some()
    }

    /// Whether ledgers may have been thrown out since it started.
    pub(crate) fn has_evicted(&self) -> bool {
        self.evicted_keys > 0
    }

    /// Whether it is vouched for by somebody who has left no mark, as earlier versions do.
    pub(crate) fn lacks_a_mark(&self) -> bool {
        self.is_primary() && self.is_confirmed && self.mark.is_empty()
    }

    /// Refuses a node of a cluster where one server is expected to have all users, and the reverse.
    pub(crate) fn must_be(&self, is_of_a_cluster: bool) -> RedisResult<()> {
        match (self.is_clustered, is_of_a_cluster) {
            (true, false) => Err(unavailable(NODE_OF_A_CLUSTER)),
            (false, true) => {
                Err(unavailable("this Redis is in no cluster: write redis:// in REDIS_URL"))
            }
            (true, true) | (false, false) => Ok(()),
        }
    }

    /// The mark, if it was written in this life.
    pub(crate) fn own_mark(&self) -> Option<Mark> {
        self.parsed().filter(|mark| mark.run_id == self.run_id)
    }

    #[cfg(test)]
    pub(crate) fn of(run_id: &str, life: &str) -> Self {
        let (run_id, life) = (run_id.to_owned(), life.to_owned());
        Self {
            run_id,
            life,
            check_life: None,
            state: State::Primary,
            is_clustered: false,
            lack: None,
            is_confirmed: true,
            ended_until: Timestamp(0),
            evicted_keys: 0,
            witness: Witness::Needless,
            mark: String::new(),
            which: String::new(),
        }
    }

    /// Whether it takes changes.
    pub(crate) fn is_primary(&self) -> bool {
        self.state == State::Primary
    }

    /// Whether what it says of itself is not yet what it will be.
    pub(crate) fn is_loading(&self) -> bool {
        self.state == State::Loading
    }

    /// The mark, if it is about these ledgers.
    pub(crate) fn parsed(&self) -> Option<Mark> {
        let mark = Mark::parse(&self.mark).filter(|mark| mark.which == self.which);
        mark.filter(|_| self.witness != Witness::Gone)
    }
}

impl Mark {
    /// What is written in this life. Where ledgers may have gone nobody knows how old they are.
    pub(crate) fn of(sight: &Sight, position: u64, at: Timestamp) -> Self {
        let (run_id, of, which) = (&sight.run_id, &sight.run_id, &sight.which);
        let at = if sight.has_evicted() { Timestamp(0) } else { at };
        let (run_id, of, which) = (run_id.clone(), of.clone(), which.clone());
        Self { run_id, position, at, of, which, returned: FIRST }
    }

    /// Whether anybody knows how old it is.
    pub(crate) fn is_of_known_age(&self) -> bool {
        self.at > Timestamp(0)
    }

    /// Up to which of the rows that were numbered since this return: those of before had other numbers.
    pub(crate) fn position_since(&self, returned: u64) -> u64 {
        if self.returned == returned { self.position } else { 0 }
    }

    /// The same of rows that were numbered since this return.
    pub(crate) fn since(self, returned: u64) -> Self {
        Self { returned, ..self }
    }

    /// What is written while ledgers are being brought up to date, with what is known of their age.
    pub(crate) fn of_work(sight: &Sight, nonce: u64, known: Option<&Self>) -> Self {
        let age = known.cloned().unwrap_or_else(|| Self::of(sight, 0, Timestamp(0)));
        Self { run_id: format!("{HYDRATING}{nonce:016x}"), ..age }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut word = || words.next().map(str::to_owned);
        let (run_id, position, at, of, which) = (word()?, word()?, word()?, word()?, word()?);
        let (position, at) = (position.parse().ok()?, Timestamp(at.parse().ok()?));
        // Earlier versions did not say.
        let returned = words.next().map_or(Some(FIRST), |word| word.parse().ok())?;
        Some(Self { run_id, position, at, of, which, returned })
    }

    /// As Redis keeps it.
    pub(crate) fn text(&self) -> String {
        let Self { run_id, position, at: Timestamp(at), of, which, returned } = self;
        format!("{run_id} {position} {at} {of} {which} {returned}")
    }
}

/// What marks of ledgers with this prefix are told by.
fn which(prefix: &str) -> String {
    let digest = Sha256::digest(prefix);
    let first = digest.first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(first))
}

/// The key that is lost when keys are.
pub(crate) fn witness(prefix: &str) -> String {
    format!("portcullis:sentinel:{prefix}")
}

/// Asks a server about itself, and about the ledgers whose keys begin with this. In a cluster there is no
/// witness.
pub(crate) async fn sight(
    redis: &mut MultiplexedConnection,
    prefix: &str,
    is_of_a_cluster: bool,
) -> RedisResult<Sight> {
    let mut questions = redis::pipe();
    let sections = ["server", "persistence", "replication", "stats", "portcullis"];
    questions.cmd("INFO").arg(&sections);
    let (info, witness): (String, Witness) = if is_of_a_cluster {
        let (info,) = questions.query_async(redis).await?;
        (info, Witness::Needless)
    } else {
        questions.cmd("EXISTS").arg(witness(prefix)).ignore_errors();
        let (info, there): (Value, Value) = questions.query_async(redis).await?;
        // A node of a cluster may say that it is elsewhere, and is refused for what it is.
        let is_there = redis::from_redis_value(there).unwrap_or(false);
        let witness = if is_there { Witness::There } else { Witness::Gone };
        (redis::from_redis_value(info.extract_error()?)?, witness)
    };
    let field = |name: &str| {
        info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
    };
    Ok(Sight {
        run_id: field("run_id").unwrap_or_default().to_owned(),
        life: field("portcullis_fence_life").unwrap_or_default().to_owned(),
        check_life: field("portcullis_check_life").and_then(|life| life.parse().ok()),
        state: match (field("loading"), field("role")) {
            (Some("1"), _) => State::Loading,
            (_, Some("master")) => State::Primary,
            _ => State::Replica,
        },
        is_clustered: is_node(&info),
        lack: Lack::seen_in(&info),
        is_confirmed: field("portcullis_confirmed") == Some("1"),
        ended_until: Timestamp(
            field("portcullis_before").and_then(|at| at.parse().ok()).unwrap_or(0),
        ),
        evicted_keys: field("evicted_keys").and_then(|keys| keys.parse().ok()).unwrap_or(1),
        witness,
        mark: field("portcullis_mark").unwrap_or_default().to_owned(),
        which: which(prefix),
    })
}

#[cfg(test)]
mod tests;
