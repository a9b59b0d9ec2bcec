//! What a watch tells about itself, and why it has no answer.

use std::fmt;
use std::time::Instant;

/// What a [`Watch`](crate::Watch) is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no connection. It is tried again, after pauses that grow up to a second.
    Away,
    /// There is a connection, and nothing has been answered on it yet.
    Joining,
    /// What is known may be used until this instant; usually it will have moved on by then.
    Watching {
        /// The end of the lease as it stands.
        until: Instant,
    },
    /// The server has not answered in time. Every check asks it until it does.
    Lapsed,
    /// The server answers with errors, or is one that must not be asked. Nothing is taken from what
    /// is known, and the watch goes on trying.
    Doubtful(Why),
}

/// Why a server's answers are not used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// `NOTREADY`: nobody has confirmed its ledgers (`AUTH.CONFIRM`).
    NotReady,
    /// `LOADING`: it is reading its data.
    Loading,
    /// `MASTERDOWN`: a replica without its primary that is told to be silent then.
    PrimaryDown,
    /// A replica without `portcullis.require-confirm yes`: nothing would tell when it falls behind.
    Replica,
    /// It is a node of a cluster: one that was not expected, a replica, or one that has lost the slot that
    /// beats ask about.
    Cluster,
    /// It is a sentinel, not a server with data.
    Sentinel,
    /// Most of the sentinels, or of the cluster's primaries, have not named it for a while; or there is
    /// none that they name.
    NoMajority,
    /// It does not take the user name and password of the address, or wants some.
    Credentials,
    /// The user may not do what is needed.
    NoPermission,
    /// It does not have the module `portcullis`.
    NoModule,
    /// Its module does not know `AUTH.CHECK … UNTIL`.
    OldModule,
    /// The key that beats ask about, the prefix and `0`, is no ledger.
    WrongType,
    /// Another error; this is the word that it began with.
    Other(Box<str>),
}

impl fmt::Display for Why {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::NotReady => {
                "nobody vouches for its ledgers now; whoever keeps them up to date does so with AUTH.CONFIRM, the service by itself"
            }
            Self::Loading => "it is loading its data; wait until it has",
            Self::PrimaryDown => {
                "it is a replica that has lost its primary; bring that back, or ask the primary"
            }
            Self::Replica => {
                "it is a replica without portcullis.require-confirm; set that to yes, or give the primary's address"
            }
            Self::Cluster => {
                "it is a node of a cluster, and not, or not any more, the primary of what it is asked about; the address of a whole cluster, redis+cluster://one,two,three, leads to whoever is"
            }
            Self::Sentinel => {
                "it is a sentinel; give the address of the server that holds the ledgers, or redis+sentinel://one,two,three/name"
            }
            Self::NoMajority => {
                "most of the sentinels, or of the cluster's primaries, do not name it now; look at which of them run and can be reached from here, and whether their primary is called as in the address"
            }
            Self::Credentials => {
                "it refuses the user name or the password; look at the address and at ACL LIST"
            }
            Self::NoPermission => {
                "its user may not ask; allow AUTH.CHECK, CLIENT TRACKING and the ledgers' keys (+auth.check +client|tracking %R~user:*), SELECT for another database, INFO on a replica, CLUSTER NODES in a cluster, and SENTINEL GET-MASTER-ADDR-BY-NAME of a sentinel"
            }
            Self::NoModule => "it does not have the module portcullis; load it",
            Self::OldModule => "its module does not know AUTH.CHECK … UNTIL; upgrade it",
            Self::WrongType => {
                "the key of the prefix and 0 is no ledger; delete it, or choose another prefix"
            }
            Self::Other(word) => {
                return write!(out, "it answers with the error {word}; look at its log");
            }
        };
        out.write_str(text)
    }
}

/// Why there is no verdict. Whoever gets this must refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// There is no connection.
    #[error("Redis is out of reach; look at its address and whether it runs")]
    Away,
    /// The server answers with errors, or is one that must not be asked.
    #[error("the server cannot be relied on: {0}")]
    Doubtful(Why),
    /// There was no answer within the deadline.
    #[error("Redis did not answer within the deadline; look at its load and at the network")]
    Deadline,
    /// There was an answer, but as old as the lease by the time it was to be handed on.
    #[error("the answer of Redis came too late to be used; look at the load of both machines")]
    Late,
    /// The connection was lost twice while the question was on its way.
    #[error("the connection to Redis was lost; ask again")]
    Lost,
    /// More questions are waiting than anybody will have answered in time.
    #[error("too many questions wait for Redis; look at its load")]
    Busy,
    /// The token has more bytes than `longest_token`, or subject or session have more than 4,096.
    #[error(
        "the token, its subject or its session is too long; refuse it, or raise `longest_token`"
    )]
    TooLong,
    /// The token's own time is over by the server's clock.
    #[error("the token has expired; its holder needs a new one")]
    Expired,
    /// Another node of the cluster has the subject's ledger, or is about to. A watch of a whole cluster
    /// looks for it.
    #[error(
        "the subject's ledger is on another node of the cluster; ask that one, or again in a moment"
    )]
    Elsewhere,
    /// The subject's key is no ledger.
    #[error("the subject's key holds something else than a ledger; look at it and delete it")]
    WrongType,
    /// The server's answer is none that is known here.
    #[error("the server's answer is not understood; upgrade portcullis-client")]
    Unknown,
    /// The watch's thread has ended, which it never should.
    #[error("the watch has ended; connect another and report this")]
    Gone,
}

/// What a [`Watch`](crate::Watch) has done since it was connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Verdicts given from what was known.
    pub hits: u64,
    /// Questions that were sent to the server, beats not counted.
    pub asked: u64,
    /// Beats that were sent.
    pub beats: u64,
    /// Questions that got no verdict.
    pub unavailable: u64,
    /// Changes of single ledgers that the server has told.
    pub changes: u64,
    /// How often everything that was known was let go: another life of the ledgers, a flush, an
    /// error, a lost connection, [`Watch::forget_all`](crate::Watch::forget_all).
    pub eras: u64,
    /// Connections that were made.
    pub connections: u64,
    /// Tokens that something is held of, stale or not.
    pub tokens: usize,
}
