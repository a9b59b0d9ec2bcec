//! Verdicts that this instance keeps, because Redis tells of every change (`portcullis-client`).
//!
//! What is kept has a connection of its own. After a failover, or behind an address that has moved, it
//! may lead to another server than the line does, or to the same one in another state. So a verdict
//! counts only if it is about the very life of the ledgers that the line believes in, which both
//! servers would have to be in (it has the millisecond of a server's start in it, and a random number);
//! asked before and afterwards, because it may move
//! in between and never moves back. What was kept before the line was believed is forgotten, and so is
//! what was kept of a user whom this instance has told something about: nobody is answered here from
//! before an ending that was answered here.
//!
//! In a cluster each primary is watched by itself, and of a slot that comes to one, or comes back, nothing
//! counts that was kept before.
//!
//! Whatever is the matter with it, the line is asked instead, as though there were nothing kept.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use portcullis_client::{Options, Question, State, Unavailable, Watch};
use portcullis_core::Verdict;
use redis::{RedisError, RedisResult};
use secrecy::ExposeSecret as _;

use super::way::Place;
use crate::base::log_targets as log;
use crate::base::session_id::SessionId;
use crate::settings::Stores;

/// How many tokens something is kept of at most: some 30 MB, with what is known of their signatures.
const MOST: usize = 32_768;

/// A token that is asked about; its signature was verified.
pub(crate) struct Asked<'a> {
    pub(crate) user_id: u64,
    /// The same as text.
    pub(crate) subject: &'a str,
    pub(crate) token: &'a str,
    pub(crate) session: &'a SessionId,
}

/// How verdicts are kept, if they are to be.
pub(crate) fn options(stores: &Stores) -> Option<Options> {
    (stores.verdict_lease > Duration::ZERO).then(|| Options {
        lease: stores.verdict_lease,
        beat: stores.verdict_lease / 4,
        deadline: stores.redis_deadline,
        most_tokens: MOST,
        prefix: stores.ledger_key_prefix.clone(),
        ..Options::default()
    })
}

/// What is kept, if anything is to be.
pub(crate) struct Kept {
    options: Option<Options>,
    watched: RwLock<Option<Arc<Watched>>>,
}

/// What is kept of one server.
struct Watched {
    place: Place,
    /// Whom a node is asked about to see whether it is there.
    beat: Option<String>,
    /// Nothing if it cannot be watched.
    watch: Option<Watch>,
}

impl Kept {
    /// Keeps nothing before it knows of which server, and nothing at all without options.
    pub(crate) fn new(options: Option<Options>) -> Self {
        Self { options, watched: RwLock::default() }
    }

    /// Begins to watch the server there, unless it is watched already. What was kept of another one goes.
    /// A node of a cluster has to have what a beat asks about.
    pub(crate) fn watch_over(&self, place: &Place, beat: Option<String>) {
        let Some(options) = &self.options else { return };
        if self.watched().is_some_and(|it| it.beat == beat && it.place.leads_where(place)) {
            return;
        }
        let url = place.url.expose_secret();
        let watch = match &beat {
            Some(beat) => Watch::connect_node(url, beat, options.clone()),
            None => Watch::connect(url, options.clone()),
        };
        let watch = watch.inspect_err(|cause| {
            tracing::warn!(
                target: log::LEDGER_CHECK,
                %cause,
                "no verdict is kept, and each check asks Redis"
            );
        });
        let watched = Watched { place: place.clone(), beat, watch: watch.ok() };
        *self.watched.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(watched));
    }

    fn watched(&self) -> Option<Arc<Watched>> {
        self.watched.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What Redis says of a token, kept or asked for, if that is about this life of its ledgers. An
    /// error means that Redis does not answer at all.
    pub(crate) async fn verdict(
        &self,
        asked: &Asked<'_>,
        life: Option<i64>,
    ) -> RedisResult<Option<Verdict>> {
        let Some(watched) = self.watched() else { return Ok(None) };
        let Some(watch) = watched.watch.as_ref().filter(|watch| is_about(watch, life)) else {
            return Ok(None);
        };
        let verdict = match watch.cached(asked.token.as_bytes()) {
            Some(verdict) => Some(verdict),
            // Should it have heard nothing for a while, the line is asked whether Redis is there.
            None if matches!(watch.state(), State::Watching { .. }) => ask(watch, asked).await?,
            None => None,
        };
        Ok(verdict.filter(|_| is_about(watch, life)))
    }

    /// Whom the node that is watched is asked about.
    pub(crate) fn beat(&self) -> Option<String> {
        self.watched()?.beat.clone()
    }

    /// Nothing that was kept of this user counts any more.
    pub(crate) fn forget(&self, user_id: u64) {
        if let Some(watch) = self.watched().as_ref().and_then(|it| it.watch.as_ref()) {
            watch.forget(&user_id.to_string());
        }
    }

    /// Nothing that was kept counts any more.
    pub(crate) fn forget_all(&self) {
        if let Some(watch) = self.watched().as_ref().and_then(|it| it.watch.as_ref()) {
            watch.forget_all();
        }
    }
}

fn is_about(watch: &Watch, life: Option<i64>) -> bool {
    life.is_some() && watch.life() == life
}

async fn ask(watch: &Watch, asked: &Asked<'_>) -> RedisResult<Option<Verdict>> {
    let question = Question {
        subject: asked.subject,
        token: asked.token.as_bytes(),
        session: Some(asked.session.as_str()),
        issued_ms: None,
        // Judged by the clock of this instance, at each use.
        expires: None,
    };
    match watch.check(&question).await {
        Ok(verdict) => Ok(Some(verdict)),
        Err(Unavailable::Deadline) => {
            Err(RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut)))
        }
        Err(cause) => {
            tracing::debug!(target: log::LEDGER_CHECK, %cause, "nothing is kept of a token");
            Ok(None)
        }
    }
}
