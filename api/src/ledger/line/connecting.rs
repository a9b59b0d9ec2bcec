//! How lines are made, and what is asked on them that is about the server as a whole.

use std::sync::Arc;
use std::time::Duration;

use portcullis_core::slot_of;
use redis::aio::MultiplexedConnection;
use redis::{Client, RedisResult};

use super::{Line, Lines};
use crate::ledger::confirming::{bear_witness, take_over};
use crate::ledger::ended_until::Heard;
use crate::ledger::redis_fault::unavailable;
use crate::ledger::sentinel::{Mark, Sight, sight};
use crate::ledger::way::{Place, connected, view};

impl Lines {
    /// Makes the current line, or a new one that is not believed yet.
    pub(crate) async fn connect(&self) -> RedisResult<Arc<Line>> {
        if let Ok(line) = self.beside() {
            return Ok(line);
        }
        let place = self.way.place(self.deadline).await?;
        let (ask, tell, sight) = self.open_both(&place.client).await?;
        self.watch_over(&place);
        let mut state = self.write();
        state.lack = sight.lack;
        let id = state.belief.begin_line();
        let (run_id, heard_of_everybody) = (sight.run_id.into(), Heard::default());
        let line = Arc::new(Line { ask, tell, place, run_id, heard_of_everybody, id });
        state.line = Some(line.clone());
        Ok(line)
    }

    /// Has what is asked there kept. A node is watched once it has said what it has.
    fn watch_over(&self, place: &Place) {
        if !self.is_of_a_cluster() {
            return self.kept.watch_over(place, None);
        }
        let (known, state) = (self.kept.beat(), self.read());
        let is_there = |subject: &String| {
            let slot = slot_of([&self.prefix, subject.as_str()].concat().as_bytes());
            state.ground.has(slot)
        };
        // Nobody's name, in any slot that stays.
        let named = state.ground.tag().map(|tag| format!("beat{{{tag}}}"));
        if let Some(beat) = known.into_iter().chain(named).find(is_there) {
            self.kept.watch_over(place, Some(beat));
        }
    }

    /// Two connections to the same life of one server.
    async fn open_both(
        &self,
        client: &Client,
    ) -> RedisResult<(MultiplexedConnection, MultiplexedConnection, Sight)> {
        let mut ask = self.open_at(client, self.deadline).await?;
        let mut tell = self.open_at(client, self.deadline).await?;
        if self.is_of_a_cluster() {
            self.look_around(&mut ask).await?;
        }
        let (asked, told) = (self.look(&mut ask).await?, self.look(&mut tell).await?);
        if asked.run_id != told.run_id {
            return Err(unavailable("the two connections reached different servers"));
        }
        Ok((ask, tell, told))
    }

    /// A connection of one's own, to where the line leads, or to wherever Redis is now.
    pub(crate) async fn open(&self, deadline: Duration) -> RedisResult<MultiplexedConnection> {
        match self.beside() {
            Ok(line) => self.open_at(&line.place.client, deadline).await,
            Err(_) => self.open_at(&self.way.place(self.deadline).await?.client, deadline).await,
        }
    }

    async fn open_at(
        &self,
        client: &Client,
        deadline: Duration,
    ) -> RedisResult<MultiplexedConnection> {
        connected(client, self.deadline, deadline).await
    }

    /// Sees anew what a node claims. Where sentinels name the primary, ends a line that leads to another
    /// one; whoever does not answer ends nothing.
    pub(crate) async fn follow(&self, line: &Arc<Line>) {
        if self.is_of_a_cluster() {
            let seen = self.look_around(&mut line.ask.clone()).await;
            drop(self.heard(line, seen));
            return;
        }
        let Some(named) = self.way.names(self.deadline).await else { return };
        if line.place.named.as_ref() != Some(&named) {
            self.end(line, &unavailable("the sentinels name another primary"));
        }
    }

    /// What the server at the other end says of itself.
    pub(crate) async fn look(&self, redis: &mut MultiplexedConnection) -> RedisResult<Sight> {
        sight(redis, &self.prefix, self.is_of_a_cluster()).await
    }

    /// Has the witness say what the mark says. In a cluster there is none.
    pub(crate) async fn bear_witness(
        &self,
        redis: &mut MultiplexedConnection,
        mark: &Mark,
        begins: bool,
    ) -> RedisResult<()> {
        if self.is_of_a_cluster() {
            return Ok(());
        }
        bear_witness(redis, &self.prefix, mark, begins).await
    }

    /// Takes over what a service of an earlier version has left. A node of a cluster has it somewhere, and
    /// is brought up to date instead.
    pub(crate) async fn take_over(
        &self,
        redis: &mut MultiplexedConnection,
        sight: &Sight,
    ) -> RedisResult<bool> {
        Ok(!self.is_of_a_cluster() && take_over(redis, sight, &self.prefix).await?)
    }

    /// What a node says of its cluster; its own claim is taken to heart.
    pub(crate) async fn look_around(&self, redis: &mut MultiplexedConnection) -> RedisResult<()> {
        let Some(there) = self.way.node() else { return Ok(()) };
        let view = view(redis, there, self.way.is_by_name()).await?;
        let own = view.speaker().filter(|it| it.is_primary && Some(&it.id) == self.name.as_ref());
        let claim = own.map(|own| own.claim.clone()).unwrap_or_default();
        self.change_ground(|ground| ground.seen(claim, view));
        if let Ok(line) = self.beside() {
            self.watch_over(&line.place);
        }
        Ok(())
    }

    /// Says a word on the connection for changes. A server with `timeout` closes one on which nothing
    /// is said, and the next change would be the first to notice.
    pub(crate) async fn keep(&self, line: &Line) -> RedisResult<()> {
        redis::cmd("ECHO").arg("portcullis").exec_async(&mut line.tell.clone()).await
    }
}
