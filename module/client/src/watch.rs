//! The watch, as it is used.

use std::fmt;
use std::sync::Arc;

use portcullis_core::Verdict;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::address::{Address, Login, Several};
use crate::answers::{State, Stats, Unavailable};
use crate::clock::Moment;
use crate::line::{self, Ask, Open, Roster, Route, Sentinels};
use crate::net::{Door, Way};
use crate::options::{BadOptions, Options};
use crate::question::{Fingerprint, Question, Written};
use crate::shared::{Kind, Post, Shared};

/// So many questions may be without an outcome at once.
const MOST_OPEN: usize = 65_536;
/// So many bytes may a subject or a session have.
const LONGEST_NAME: usize = 4096;

/// Verdicts on the tokens of one server's ledgers.
///
/// Clones are the same watch. Its thread and its connection end with the last of them.
#[derive(Clone)]
pub struct Watch {
    shared: Arc<Shared>,
    asks: UnboundedSender<Ask>,
}

impl Watch {
    /// Begins to watch the server at `url`, which need not be there yet. Returns at once.
    ///
    /// | address | |
    /// |---|---|
    /// | `redis://user:password@host:6379/0` | TCP; all but the host may be left out. Whatever is no letter or digit in user and password is written with `%`. A name is looked up for each new connection; an IPv6 address stands in brackets |
    /// | `rediss://…?ca=/path/ca.pem` | TLS; without `ca`, the system's certificates are believed. `cert=` and `key=` are for servers that want to know who asks |
    /// | `unix:///path/redis.sock?db=0&user=…&pass=…` | a socket of this machine |
    /// | `redis+sentinel://user:password@one:26379,two,three/name/0` | the primary that more than half of these sentinels call `name`; `rediss+sentinel` is TLS to all of them, with `ca=`, `cert=` and `key=`. `sentinel_user=` and `sentinel_pass=` are for sentinels that want some |
    /// | `redis+cluster://user:password@one:6379,two,three` | all primaries of the cluster that these nodes are in; `rediss+cluster` is TLS |
    ///
    /// The user needs `AUTH.CHECK`, `CLIENT TRACKING` and the ledgers' keys: `+auth.check
    /// +client|tracking %R~user:*`; `+select` for another database than 0, `+info` on a replica,
    /// `+cluster|nodes` in a cluster. That of sentinels needs `+sentinel|get-master-addr-by-name`.
    ///
    /// # Errors
    ///
    /// [`BadOptions`] if the address is none, if an option is out of its bounds, or if certificates
    /// cannot be read. That the server is away is no error: see [`Self::state`].
    pub fn connect(url: &str, options: Options) -> Result<Self, BadOptions> {
        Self::begin(url, options, None)
    }

    /// The same for one node of a cluster, for whoever knows which node has which slots and asks each of
    /// them about its own only.
    ///
    /// Beats ask about `beat`, a subject whose ledger would be in a slot of this node; nobody need have
    /// that name. Should its slot go elsewhere, the watch is doubtful and another one has to be connected.
    /// Of a slot that comes here, or comes back, nothing must count that was known before: say
    /// [`Self::forget_all`]. Of one that leaves, what was known counts for a lease at most: a node tells of
    /// the ledgers that leave it, and an `Ok` about a subject who has none is kept no longer than that.
    ///
    /// # Errors
    ///
    /// As those of [`Self::connect`].
    pub fn connect_node(url: &str, beat: &str, options: Options) -> Result<Self, BadOptions> {
        Self::begin(url, options, Some(beat))
    }

    fn begin(url: &str, options: Options, node: Option<&str>) -> Result<Self, BadOptions> {
        let address = Address::parse(url)?;
        let options = options.checked()?;
        match address {
            Address::One(place, login) => {
                let kind = if node.is_some() { Kind::Node } else { Kind::Any };
                let route = Route::One(Way::new(&place)?);
                Self::of_one(options, kind, node, (route, login))
            }
            Address::Several(_) if node.is_some() => {
                Err(BadOptions::ManyServers("an address of several servers".into()))
            }
            Address::Several(several) => Self::of_several(options, several),
        }
    }

    fn of_one(
        options: Options,
        kind: Kind,
        beat: Option<&str>,
        there: (Route, Login),
    ) -> Result<Self, BadOptions> {
        let key = [&options.prefix, beat.unwrap_or("0")].concat();
        let post = Arc::new(Post::new(kind, there.0.to_string(), None, &key));
        let shared = Arc::new(Shared::new(options, false));
        shared.post(vec![Arc::clone(&post)], State::Away);
        let (asks, inbox) = unbounded_channel();
        line::start(line::keep(Arc::clone(&shared), post, there, inbox))?;
        Ok(Self { shared, asks })
    }

    fn of_several(options: Options, several: Several) -> Result<Self, BadOptions> {
        let Several { hosts, login, tls, sentinels } = several;
        let door = Door::new(tls.as_ref())?;
        if let Some(called) = sentinels {
            let route = Route::Sentinels(Sentinels::new(&hosts, called, door)?);
            return Self::of_one(options, Kind::Primary, None, (route, login));
        }
        // What cannot be a name in a certificate is told at once.
        for host in &hosts {
            door.way(&host.name, host.port)?;
        }
        let shared = Arc::new(Shared::new(options, true));
        let (asks, inbox) = unbounded_channel();
        line::start(Roster::new(Arc::clone(&shared), (hosts, door, login)).keep(inbox))?;
        Ok(Self { shared, asks })
    }

    /// The verdict on a token, if it is known and good to use now; never waits.
    ///
    /// This is for tokens that were verified and checked before, with [`Self::check`]: the bytes are
    /// all that is compared. None of it says anything about a token; ask then.
    #[inline]
    #[must_use]
    pub fn cached(&self, token: &[u8]) -> Option<Verdict> {
        self.shared.knowledge.verdict(token, None)
    }

    /// The verdict on a token: known, or asked for.
    ///
    /// Works in any async runtime, and may be dropped at any time.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if there is no verdict; whoever gets it must refuse.
    pub async fn check(&self, question: &Question<'_>) -> Result<Verdict, Unavailable> {
        let fingerprint = self.shared.fingerprints.of(question);
        match self.shared.knowledge.verdict(question.token, Some(fingerprint)) {
            Some(verdict) => Ok(verdict),
            None => self.ask(question, fingerprint).await.inspect_err(|_| {
                self.shared.counters.unavailable.add_one();
            }),
        }
    }

    async fn ask(
        &self,
        question: &Question<'_>,
        fingerprint: Fingerprint,
    ) -> Result<Verdict, Unavailable> {
        let shared = &self.shared;
        let names = [Some(question.subject), question.session];
        if question.token.len() > shared.options.longest_token
            || names.into_iter().flatten().any(|name| name.len() > LONGEST_NAME)
        {
            return Err(Unavailable::TooLong);
        }
        let open = Open::new(shared, MOST_OPEN).ok_or(Unavailable::Busy)?;
        let deadline = Moment::now().plus(shared.options.deadline);
        let written =
            Written::new(question, &shared.options.prefix, &shared.knowledge.cells, fingerprint);
        let (ask, outcome) = Ask::new(written, deadline, open);
        self.asks.send(ask).map_err(|_| Unavailable::Gone)?;
        let answered = outcome.await.map_err(|_| Unavailable::Gone)??;
        if Moment::now() >= answered.until {
            return Err(Unavailable::Late);
        }
        Ok(answered.verdict)
    }

    /// What it is doing. Of a cluster, what the line does that is worst off: it is watching if all are, and
    /// if each slot has a server.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// What it has done.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Which life of its ledgers the server was in when it last answered, as `check_life` in
    /// `INFO portcullis` names it; no two servers are ever in the same one, and none comes back to one.
    ///
    /// None where several servers share the slots of a cluster.
    ///
    /// For whoever has another way of knowing which server is to be believed: what [`Self::check`] says
    /// is about this life if it is the same before and afterwards.
    #[inline]
    #[must_use]
    pub fn life(&self) -> Option<i64> {
        self.shared.knowledge.lease.life()
    }

    /// Has everything about this subject asked again.
    ///
    /// For whoever changes ledgers: once Redis has acknowledged a change to this process, say this, and
    /// no later check here is answered from before it. Others are told by Redis.
    pub fn forget(&self, subject: &str) {
        let knowledge = &self.shared.knowledge;
        let key = [self.shared.options.prefix.as_bytes(), subject.as_bytes()].concat();
        knowledge.changed(knowledge.cells.of(&key));
    }

    /// Has everything asked again: what is known, and answers that are on their way, are not used for
    /// any later check.
    pub fn forget_all(&self) {
        self.shared.knowledge.begin_eras();
    }

    /// How many tokens it holds at most.
    pub(crate) fn most_tokens(&self) -> usize {
        self.shared.options.most_tokens
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("Watch");
        shown.field("state", &self.state()).field("stats", &self.stats()).finish()
    }
}
