//! The steps, in their order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::Slots;

use super::endings::Waiting;
use super::since::Since;
use super::work::{Counts, Fault, PATIENCE, Work, within};
use crate::base::clock::Timestamp;
use crate::base::log_targets as log;
use crate::ledger::confirming::{self, Replaced};
use crate::ledger::ledgers::Ledgers;
use crate::ledger::line::Lines;
use crate::ledger::lives::{Deed, Seen, vouch};
use crate::ledger::outbox::position::position;
use crate::ledger::redis_time::redis_now;
use crate::ledger::sentinel::{Mark, Sight};
use crate::store::lock::{Held, lock};

/// How much is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What this life of Redis may lack; nothing, if it was brought up to date before.
    WhatIsMissing,
    /// Everything, whatever Redis says of itself.
    Everything,
}

/// How much there is to fill in at most, counted without a look at each session's user.
pub async fn size(ledgers: &Ledgers) -> sqlx::Result<u64> {
    let now = ledgers.clock.now();
    let size = sqlx::query_scalar!(
        r#"select (select count(*) from users where tokens_valid_after is not null)
                + (select count(*) from token_blacklist_enhanced
                    where token_expiry > ? and token_type = 'access' and user_id is not null)
                + (select count(*) from user_sessions where is_active) as "size!: i64""#,
        now,
    )
    .fetch_one(&ledgers.store.pool)
    .await?;
    Ok(size.unsigned_abs())
}

/// Brings what one server has up to date; `None` if it is. Each time what is told then is reported.
pub(crate) async fn bring_up_to_date(
    ledgers: &Ledgers,
    lines: &Arc<Lines>,
    extent: Extent,
    report: &(dyn Fn(&Counts) + Send + Sync),
) -> Result<Option<Counts>, Fault> {
    let _turn = ledgers.hydrations.acquire().await;
    let name = ["hydrate", lines.name()].join(".");
    let name = name.trim_end_matches('.').chars().take(20).collect::<String>();
    let locked = tokio::time::timeout(PATIENCE, lock(&ledgers.store.pool, &name));
    let mut held = locked.await.map_err(|_| Fault::Late)??.ok_or(Fault::Elsewhere)?;
    // What waits in the outbox is delivered on the line.
    lines.connect().await?;
    ledgers.shards.share_out();
    let mut redis = lines.open(PATIENCE).await?;
    let sight = lines.look(&mut redis).await?;
    if sight.is_loading() {
        return Err(Fault::Loading);
    }
    lines.note(sight.lack)?;
    sight.must_be(lines.is_of_a_cluster())?;
    let (claim, is_of_a_cluster) = (ledgers.shards.claim_of(lines), lines.is_of_a_cluster());
    let seen = Seen { sight: &sight, claim: &claim, is_of_a_cluster };
    let standing = within(ledgers.lives.look(&mut *held.db, seen)).await?;
    let is_up_to_date = sight.is_up_to_date();
    let mut wanting = Wanting::All;
    let mut scope = claim.slots.clone();
    if extent == Extent::WhatIsMissing {
        if standing.is_replaced(&claim) {
            return Err(Fault::Replaced);
        }
        scope = scope.without(&standing.replaced);
        let is_vouched = !standing.vouched.also_in(&claim.slots).is_empty();
        if is_vouched && sight.lacks_a_mark() && lines.take_over(&mut redis, &sight).await? {
            return Ok(None);
        }
        if is_up_to_date && is_vouched {
            (wanting, scope) = (Wanting::Slots, standing.lacking(&claim));
            if scope.is_empty() {
                return Ok(None);
            }
        }
    }
    if !sight.is_primary() {
        return Err(Fault::Replica);
    }
    let Held { db, lease } = held;
    let (lines, counts, lost) = (lines.clone(), Counts::default(), Slots::default());
    let (run_id, noted) = (sight.run_id.clone(), Timestamp(0));
    let mut work = Work { ledgers, lines, run_id, db, redis, counts, report, scope, lost, noted };
    let done = match wanting {
        Wanting::All => Box::pin(lease.keep(work.run(seen, extent))).await,
        Wanting::Slots => Box::pin(lease.keep(work.take_over(seen))).await,
    };
    Held { db: work.db, lease }.release().await;
    done.unwrap_or(Err(Fault::Elsewhere)).map(Some)
}

/// How much of a server is to be brought up to date.
enum Wanting {
    /// All that it has; nobody believes it meanwhile.
    All,
    /// Slots that came to a server that lacks nothing else.
    Slots,
}

impl Work<'_> {
    async fn run(&mut self, seen: Seen<'_>, extent: Extent) -> Result<Counts, Fault> {
        let sight = seen.sight;
        let started = std::time::Instant::now();
        let now = self.ledgers.clock.now();
        let newest = self.newest().await?;
        let known = sight.parsed().filter(|mark| {
            let counts = extent == Extent::WhatIsMissing && self.counts(mark, sight);
            let is_of_now = mark.returned == self.ledgers.returned() && mark.position <= newest;
            counts && self.is_recent(mark, now) && is_of_now
        });
        tracing::info!(
            target: log::HYDRATE,
            run_id = sight.run_id,
            shard = self.lines.name(),
            from = known.as_ref().map(|mark| mark.position),
            "bringing the ledgers up to date"
        );
        let mark = self.mark(sight, known.as_ref()).await?;
        self.note_everybody().await?;

        let waiting = self.waiting().await?;
        let from = known.as_ref().map_or(newest, |mark| mark.position);
        let known_of_all = known.as_ref().filter(|mark| self.is_of_all(mark, seen, now));
        let mut since = known_of_all.map(Since::new);
        let changed = match &mut since {
            Some(since) => self.changed(since, &waiting).await?,
            None => None,
        };
        let before_sessions = match &changed {
            Some(users) => self.catch_up(users, now).await?,
            // With slots came ledgers that may be older than the mark, so they are swept as well.
            None => self.fill_all(since.is_none(), now).await?,
        };
        // First: what another server is told after this does not count, and what it was told is seen now.
        self.vouch(seen, Deed::Replace).await?;
        if let (Some(since), Some(_)) = (&mut since, &changed) {
            let mut users = BTreeSet::new();
            if !self.newly_changed(since, &mut users).await? {
                // Whoever begins anew fills in everybody.
                return Err(Fault::Disturbed);
            }
            self.compare(&users, before_sessions, now).await?;
        }
        self.tell_endings(from, &waiting, before_sessions).await?;
        self.mark_delivered(&waiting).await?;
        self.tell_waiting(before_sessions).await?;
        let late_since = known.as_ref().map_or(now, |mark| mark.at);
        self.tell_late_endings(late_since, from, before_sessions).await?;
        self.note_everybody().await?;
        self.confirm(sight, &mark).await?;
        tracing::info!(
            target: log::HYDRATE,
            shard = self.lines.name(),
            counts = %self.counts,
            changed = changed.map(|users| users.len()),
            took = ?started.elapsed(),
            "the ledgers are up to date"
        );
        Ok(self.counts)
    }

    /// What came with slots may be older than anybody knows.
    async fn take_over(&mut self, seen: Seen<'_>) -> Result<Counts, Fault> {
        let started = std::time::Instant::now();
        let now = self.ledgers.clock.now();
        self.note_everybody().await?;
        let waiting = self.waiting().await?;
        let newest = self.newest().await?;
        self.sweep(now).await?;
        let before_sessions = self.fill(now).await?;
        // As above. But this server is believed already: it is vouched for last.
        self.vouch(seen, Deed::Withdraw).await?;
        self.tell_endings(newest, &waiting, before_sessions).await?;
        self.tell_waiting(before_sessions).await?;
        self.tell_late_endings(now, newest, before_sessions).await?;
        self.note_everybody().await?;
        let after = self.lines.look(&mut self.redis).await?;
        let is_same = after.run_id == seen.sight.run_id && after.life == seen.sight.life;
        if !is_same || !after.is_up_to_date() {
            return Err(Fault::Disturbed);
        }
        self.vouch(seen, Deed::Join).await?;
        self.mark_delivered(&waiting).await?;
        tracing::info!(
            target: log::HYDRATE,
            shard = self.lines.name(),
            counts = %self.counts,
            took = ?started.elapsed(),
            "the ledgers of slots that came here are up to date"
        );
        Ok(self.counts)
    }

    /// The ledgers of these users, and nobody else's. From when on sessions were filled in.
    async fn catch_up(
        &mut self,
        users: &BTreeSet<u64>,
        now: Timestamp,
    ) -> Result<Timestamp, Fault> {
        let before_sessions = redis_now(&mut self.redis).await?.minus(Duration::from_millis(1));
        self.compare(users, before_sessions, now).await?;
        Ok(before_sessions)
    }

    /// Everybody's; ends first what MySQL does not have, unless the outbox says so.
    async fn fill_all(&mut self, sweeps: bool, now: Timestamp) -> Result<Timestamp, Fault> {
        if sweeps {
            self.sweep(now).await?;
        }
        self.fill(now).await
    }

    /// From when on sessions were filled in.
    async fn fill(&mut self, now: Timestamp) -> Result<Timestamp, Fault> {
        self.fill_watermarks().await?;
        self.fill_revocations(now).await?;
        let before_sessions = redis_now(&mut self.redis).await?.minus(Duration::from_millis(1));
        self.fill_sessions(now).await?;
        Ok(before_sessions)
    }

    /// For whatever is still here.
    async fn vouch(&mut self, seen: Seen<'_>, deed: Deed) -> Result<(), Fault> {
        let now = self.ledgers.clock.now();
        let slots = self.scope.without(&self.lost);
        let is_done = within(vouch(&mut self.db, seen, (deed, &slots), now)).await?;
        if is_done { Ok(()) } else { Err(Fault::Disturbed) }
    }

    /// Whether a mark says something of these ledgers: it is about a life that this database knows, and
    /// no ledger can have gone since.
    fn counts(&self, mark: &Mark, sight: &Sight) -> bool {
        self.ledgers.lives.knows(&mark.of) && !sight.has_evicted()
    }

    /// Whether the outbox still has everything that happened since. Half of its retention, so that
    /// a clock that has stepped does no harm.
    fn is_recent(&self, mark: &Mark, now: Timestamp) -> bool {
        mark.at > now.minus(self.ledgers.outbox_retention / 2)
    }

    /// Says in Redis that work goes on, and keeps there what is known of its age.
    async fn mark(&mut self, sight: &Sight, known: Option<&Mark>) -> Result<Mark, Fault> {
        let nonce = u64::from_le_bytes(self.ledgers.random.bytes::<8>());
        let mark = Mark::of_work(sight, nonce, known).since(self.ledgers.returned());
        if !confirming::note(&mut self.redis, sight, &mark).await? {
            return Err(Fault::Disturbed);
        }
        self.lines.bear_witness(&mut self.redis, &mark, true).await?;
        Ok(mark)
    }

    async fn confirm(&mut self, sight: &Sight, mark: &Mark) -> Result<(), Fault> {
        let position = position(self.ledgers, mark.position).await?;
        let done = Mark::of(sight, position, self.ledgers.clock.now()).since(mark.returned);
        let lease = self.ledgers.confirm_lease;
        let replaced = Replaced { from: &mark.text(), to: &done, lease };
        let confirmed = confirming::confirm(&mut self.redis, sight, replaced).await?;
        if !confirmed {
            // The ledgers that were brought up to date are not those that are there now.
            return Err(Fault::Disturbed);
        }
        Ok(self.lines.bear_witness(&mut self.redis, &done, false).await?)
    }

    /// The rows of users here that wait already. What they say is in what is read from now on.
    async fn waiting(&mut self) -> Result<Vec<Waiting>, Fault> {
        let asked = sqlx::query_as!(
            Waiting,
            "select id, user_id from revocation_outbox where delivered_at is null order by id"
        )
        .fetch_all(&mut *self.db);
        let mut rows = within(asked).await?;
        rows.retain(|row| self.holds(row.user_id));
        Ok(rows)
    }

    /// The outbox' newest row.
    async fn newest(&mut self) -> Result<u64, Fault> {
        let asked =
            sqlx::query_scalar!(r#"select max(id) as "newest: u64" from revocation_outbox"#)
                .fetch_one(&mut *self.db);
        Ok(within(asked).await?.unwrap_or(0))
    }
}
