//! What whoever connects a watch may choose, and within which bounds.

use std::fmt::Debug;
use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How a [`Watch`](crate::Watch) is to behave.
///
/// Written as a literal, usually with `..Options::default()`. [`Watch::connect`](crate::Watch::connect)
/// refuses what is out of bounds and says what to choose instead.
///
/// ```
/// use std::time::Duration;
/// use portcullis_client::Options;
///
/// let options = Options { lease: Duration::from_secs(1), ..Options::default() };
/// assert_eq!(options.beat, Duration::from_micros(62_500));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How old an answer may be at most, whatever fails: no `Ok` is given later than this after
    /// Redis has confirmed the change that makes the token dead. 10 ms to 60 s; 250 ms unless chosen.
    /// With sentinels or a cluster this is true of the server that is believed, and which one that is may
    /// be known up to 5 s late: see [the crate](crate#sentinels-and-clusters).
    pub lease: Duration,
    /// How often the lease is renewed, by a question that costs the server a few microseconds: 1 ms
    /// or more, and less than `lease`. A quarter of the lease is good, and 62.5 ms unless chosen: then
    /// three answers in a row have to be late before anything is asked again.
    pub beat: Duration,
    /// How long [`Watch::check`](crate::Watch::check) waits for an answer at most. 1 ms to 60 s;
    /// 250 ms unless chosen.
    pub deadline: Duration,
    /// How many tokens are kept at most. 1 to 50,000,000; 100,000 unless chosen. Each takes as many
    /// bytes as it has, and 110 at most.
    pub most_tokens: usize,
    /// How many bytes a token may have; longer ones are refused without being asked about. 1 to
    /// 1,048,576; 4,096 unless chosen.
    pub longest_token: usize,
    /// What a ledger's key begins with; the subject follows. At most 1,024 bytes; `user:` unless
    /// chosen.
    pub prefix: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lease: Duration::from_millis(250),
            beat: Duration::from_micros(62_500),
            deadline: Duration::from_millis(250),
            most_tokens: 100_000,
            longest_token: 4096,
            prefix: "user:".into(),
        }
    }
}

/// Why a [`Watch`](crate::Watch) cannot be connected with this address and these options. Each says
/// what to do; none repeats the address, since a password may stand in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadOptions {
    /// The address is not one.
    #[error(
        "the address is not understood: {0}; write redis://user:password@host:6379/0, redis+sentinel://one,two,three/name, redis+cluster://one,two,three, rediss for TLS, or unix:///path/to/redis.sock"
    )]
    Address(String),
    /// The address is that of a cluster or of sentinels, where one server is meant, or in a form that is
    /// not known.
    #[error(
        "{0}:// is not understood here; write redis+cluster://one:6379,two,three or redis+sentinel://one:26379,two,three/name, rediss+… for TLS, and for one node redis://host:6379"
    )]
    ManyServers(String),
    /// An option is out of its bounds.
    #[error("`{option}` is {given}; choose {bounds}")]
    OutOfBounds {
        /// The field's name.
        option: &'static str,
        /// What it was.
        given: String,
        /// What it may be.
        bounds: String,
    },
    /// A certificate or a key cannot be used.
    #[error("{path}: {cause}; give the path of a file in PEM that this process may read")]
    Certificate {
        /// Which file, or what was looked for.
        path: String,
        /// What is the matter with it.
        cause: String,
    },
    /// The system gives no thread.
    #[error(
        "the watch's thread cannot be started: {0}; raise the limit of threads or of open files"
    )]
    Thread(#[from] io::Error),
}

const MOST_TOKENS: RangeInclusive<usize> = 1..=50_000_000;
const LONGEST_TOKEN: RangeInclusive<usize> = 1..=1 << 20;
const LEASE: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_mins(1);
const DEADLINE: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_mins(1);
const SHORTEST_BEAT: Duration = Duration::from_millis(1);
const LONGEST_PREFIX: usize = 1024;

impl Options {
    /// That everything is within its bounds.
    pub(crate) fn checked(self) -> Result<Self, BadOptions> {
        within("lease", &self.lease, &LEASE)?;
        within("deadline", &self.deadline, &DEADLINE)?;
        within("most_tokens", &self.most_tokens, &MOST_TOKENS)?;
        within("longest_token", &self.longest_token, &LONGEST_TOKEN)?;
        if self.beat < SHORTEST_BEAT || self.beat >= self.lease {
            let quarter = self.lease / 4;
            let bounds = format!(
                "at least {SHORTEST_BEAT:?} and less than `lease`, which is {:?}; a quarter of it, {quarter:?}, is good",
                self.lease
            );
            return Err(BadOptions::OutOfBounds {
                option: "beat",
                given: format!("{:?}", self.beat),
                bounds,
            });
        }
        if self.prefix.len() > LONGEST_PREFIX {
            let (given, bounds) = (
                format!("{} bytes long", self.prefix.len()),
                format!("at most {LONGEST_PREFIX} bytes"),
            );
            return Err(BadOptions::OutOfBounds { option: "prefix", given, bounds });
        }
        Ok(self)
    }
}

fn within<T: PartialOrd + Debug>(
    option: &'static str,
    given: &T,
    bounds: &RangeInclusive<T>,
) -> Result<(), BadOptions> {
    if bounds.contains(given) {
        return Ok(());
    }
    let bounds = format!("{:?} to {:?}", bounds.start(), bounds.end());
    Err(BadOptions::OutOfBounds { option, given: format!("{given:?}"), bounds })
}
