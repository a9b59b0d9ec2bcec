//! The mark that a Redis carries once its ledgers have been brought up to date.
//!
//! It holds the run id of the life it was written in, the outbox row up to which that life had
//! heard everything, and when that was. A snapshot takes it along, so that what comes out of the
//! snapshot later can be told how far behind it is. It is only ever replaced by whoever knows what
//! stood there before: a mark that was wiped out together with the ledgers does not come back.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult, Value};

use crate::base::clock::Timestamp;

use super::module_lack::Lack;
use super::redis_fault::unavailable;
use super::way::{NODE_OF_A_CLUSTER, is_node};

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
    is_primary: bool,
    /// Whether it is a node of a cluster.
    is_clustered: bool,
    /// What it lacks to be of any use.
    pub(crate) lack: Option<Lack>,
    /// The module was told in this life that its ledgers are up to date.
    is_confirmed: bool,
    /// Up to which instant it has heard that everything has ended.
    pub(crate) ended_until: Timestamp,
    /// Keys were thrown out for want of memory since it started, and ledgers perhaps among them.
    pub(crate) has_evicted: bool,
    /// The mark as it stands.
    pub(crate) mark: Option<String>,
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
}

impl Sight {
    /// Whether the ledgers here lack nothing. In a cluster the mark goes with its slot, so there it
    /// counts only if it says that work goes on.
    pub(crate) fn is_up_to_date(&self, is_of_a_cluster: bool) -> bool {
        let is_ours = |mark: &Mark| mark.run_id == self.run_id;
        let is_marked = match self.parsed() {
            Some(mark) if is_of_a_cluster => !mark.run_id.starts_with(HYDRATING),
            mark => is_of_a_cluster || mark.as_ref().is_some_and(is_ours),
        };
        self.is_primary && self.is_confirmed && is_marked
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
            is_primary: true,
            is_clustered: false,
            lack: None,
            is_confirmed: true,
            ended_until: Timestamp(0),
            has_evicted: false,
            mark: None,
        }
    }

    /// Whether it takes changes.
    pub(crate) fn is_primary(&self) -> bool {
        self.is_primary
    }

    pub(crate) fn parsed(&self) -> Option<Mark> {
        self.mark.as_deref().and_then(Mark::parse)
    }
}

impl Mark {
    /// What is written in this life. Where ledgers may have gone nobody knows how old they are.
    pub(crate) fn of(sight: &Sight, position: u64, at: Timestamp) -> Self {
        let (run_id, of) = (sight.run_id.clone(), sight.run_id.clone());
        Self { run_id, position, at: if sight.has_evicted { Timestamp(0) } else { at }, of }
    }

    /// An earlier version names no other life than the one it was written in.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (run_id, position, at) = (words.next()?, words.next()?, words.next()?);
        let at = Timestamp(at.parse().ok()?);
        let of = words.next().unwrap_or(run_id).to_owned();
        Some(Self { run_id: run_id.to_owned(), position: position.parse().ok()?, at, of })
    }

    /// As Redis keeps it.
    pub(crate) fn text(&self) -> String {
        format!("{} {} {} {}", self.run_id, self.position, self.at.0, self.of)
    }
}

/// Asks a server about itself.
pub(crate) async fn sight(redis: &mut MultiplexedConnection, key: &str) -> RedisResult<Sight> {
    let mut questions = redis::pipe();
    questions.cmd("INFO").arg("server").arg("replication").arg("stats").arg("portcullis");
    questions.cmd("GET").arg(key);
    questions.ignore_errors();
    let (info, mark): (Value, Value) = questions.query_async(redis).await?;
    let info: String = redis::from_redis_value(info.extract_error()?)?;
    let mark = match mark {
        // The slot of the mark has gone elsewhere, and the mark with it.
        Value::ServerError(refusal) if ["MOVED", "ASK"].contains(&refusal.code()) => None,
        mark => redis::from_redis_value(mark.extract_error()?)?,
    };
    let field = |name: &str| {
        info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
    };
    Ok(Sight {
        run_id: field("run_id").unwrap_or_default().to_owned(),
        life: field("portcullis_fence_life").unwrap_or_default().to_owned(),
        check_life: field("portcullis_check_life").and_then(|life| life.parse().ok()),
        is_primary: field("role") == Some("master"),
        is_clustered: is_node(&info),
        lack: Lack::seen_in(&info),
        is_confirmed: field("portcullis_confirmed") == Some("1"),
        ended_until: Timestamp(
            field("portcullis_before").and_then(|at| at.parse().ok()).unwrap_or(0),
        ),
        has_evicted: field("evicted_keys").is_none_or(|keys| keys != "0"),
        mark,
    })
}

/// Replaces the mark if it still is what it was; false if it is not.
pub(crate) async fn replace(
    redis: &mut MultiplexedConnection,
    key: &str,
    from: &str,
    to: &Mark,
) -> RedisResult<bool> {
    let script = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
        redis.call('SET', KEYS[1], ARGV[2])
        return 1";
    eval(script, key, from, to).query_async(redis).await
}

/// What is confirmed: that the mark is still there which said that work goes on, and that these are
/// still the ledgers it was done on.
#[derive(Clone, Copy)]
pub(crate) struct Confirmation<'a> {
    pub(crate) mark: &'a str,
    pub(crate) done: &'a Mark,
    pub(crate) life: &'a str,
}

/// Replaces the mark and tells the module that this life's ledgers are up to date, in one step; once
/// they are, that says nothing new. False if the mark has gone, an error if the ledgers have.
pub(crate) async fn confirm(
    redis: &mut MultiplexedConnection,
    key: &str,
    Confirmation { mark, done, life }: Confirmation<'_>,
) -> RedisResult<bool> {
    let script = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
        redis.call('AUTH.CONFIRM', ARGV[3], 'LIFE', ARGV[4])
        redis.call('SET', KEYS[1], ARGV[2])
        return 1";
    eval(script, key, mark, done).arg(&done.run_id).arg(life).query_async(redis).await
}

fn eval(script: &str, key: &str, from: &str, to: &Mark) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(script).arg(1).arg(key).arg(from).arg(to.text());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_as_it_was_written_and_rubbish_is_none() {
        let mark = Mark { run_id: "abc".into(), position: 7, at: Timestamp(9), of: "def".into() };
        assert_eq!(Mark::parse(&mark.text()), Some(mark));
        assert_eq!(Mark::parse("abc 7 9").map(|mark| mark.of), Some("abc".into()));
        for rubbish in ["", "abc", "abc 7", "abc x 9", "abc 7 -1"] {
            assert_eq!(Mark::parse(rubbish), None, "{rubbish}");
        }
    }
}
