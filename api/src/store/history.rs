//! Whether MySQL still has what it once said it had.
//!
//! A database that is restored from a backup, or a replica that is promoted before it has heard everything,
//! lacks the last commits and says nothing about it. Logouts are undone there, and whoever decides by it
//! lets the dead back in. So every instance keeps **notes** of rows of the outbox that were committed, its
//! own and those that others have left in Redis (`ledger/noting.rs`), and each connection to MySQL is
//! asked for them before it is used. What is lost is the end of the history, so the newest notes are enough.
//!
//! While one is lacking no connection is handed out, and whatever needs MySQL is refused. That is over once
//! MySQL has all of them (it was a server that lagged behind), or has a row in `returns` that nobody knew:
//! somebody has logged everybody out then, and MySQL as it stands is the truth from there on.

mod compared;
mod known;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::MySqlConnection;
use tokio::sync::{Notify, watch};

pub(crate) use self::compared::{begin_anew, takes_changes, told_to_redis};
use self::compared::{lacking, undone};
pub(crate) use self::known::Note;
use self::known::{Known, Refresh, push};
use crate::base::clock::Timestamp;
use crate::store::told::{NO_SUCH_TABLE, number};

/// How many notes are kept: more than can be on their way at the same time.
pub(crate) const MOST: usize = 128;
/// And of refreshes, of which nobody else hears.
const MOST_REFRESHES: usize = 32;

/// What MySQL is while nobody has returned to anything.
pub(crate) const FIRST: u64 = 0;

/// What is known of the commits of a database; a clone is the same.
#[derive(Clone, Default)]
pub(crate) struct History(Arc<Parts>);

#[derive(Default)]
struct Parts {
    known: Mutex<Known>,
    /// Wakes whoever looks after it.
    wanted: Notify,
    /// Whether somebody looks whenever that is wanted.
    is_looked_after: AtomicBool,
    /// How far reading is of what others have noted.
    readings: watch::Sender<Readings>,
}

#[derive(Clone, Copy, Default)]
struct Readings {
    /// The number of the one that began last.
    begun: u64,
    /// The greatest of those that are over.
    done: u64,
}

/// One of them.
pub(crate) struct Reading(u64);

/// What a database is, seen from what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It has everything.
    Whole,
    /// It has lost something and somebody has seen to that: this is the sign of it.
    Returned(u64),
    /// It lacks this many commits of those that are known, or the last return.
    Lacks(usize),
}

impl History {
    /// A row was committed, by whomever.
    pub(crate) fn note(&self, note: Note) {
        let mut known = self.known();
        if known.notes.contains(&note) {
            return;
        }
        push(&mut known.unwritten, note, MOST);
        push(&mut known.notes, note, MOST);
    }

    /// A session has a token of this generation now, for which another was exchanged.
    pub(crate) fn note_refresh(&self, reference: [u8; 16], generation: u32) {
        let refresh = Refresh { reference, generation };
        let mut known = self.known();
        let known_already = known.refreshes.iter_mut().find(|it| it.reference == reference);
        match known_already {
            Some(earlier) => earlier.generation = earlier.generation.max(generation),
            None => push(&mut known.refreshes, refresh, MOST_REFRESHES),
        }
    }

    /// Everybody's sessions have ended up to there.
    pub(crate) fn note_everybody(&self, ended_until: Timestamp) {
        let mut known = self.known();
        known.ended_until = known.ended_until.max(ended_until);
    }

    /// Up to when they have, as far as anybody has heard.
    pub(crate) fn everybody_ended_until(&self) -> Timestamp {
        self.known().ended_until
    }

    /// What others have committed, the oldest first, each with the return since which it was.
    pub(crate) fn learn(&self, notes: impl IntoIterator<Item = (u64, Note)>) {
        let mut known = self.known();
        for (sign, note) in notes {
            known.claimed = Some(sign);
            let is_of_it = known.sign == Some(sign) && note != Note::OF_A_RETURN;
            if is_of_it && !known.notes.contains(&note) {
                push(&mut known.notes, note, MOST);
            }
        }
    }

    /// What of it is not in Redis any more, which has these, is to be written down again: it was restored, say.
    pub(crate) fn write_again(&self, there: &[Note]) {
        let mut known = self.known();
        let oldest = there.iter().map(|note| note.at).min().filter(|_| there.len() >= MOST);
        let missing =
            known.notes.iter().copied().filter(|note| {
                oldest.is_none_or(|oldest| note.at > oldest) && !there.contains(note)
            });
        let missing: Vec<Note> = missing.collect();
        for note in missing {
            if !known.unwritten.contains(&note) {
                push(&mut known.unwritten, note, MOST);
            }
        }
    }

    /// What is to be written down in Redis, and the return since which it was committed.
    pub(crate) fn take_unwritten(&self) -> (u64, Vec<Note>) {
        let mut known = self.known();
        let sign = known.sign.unwrap_or(FIRST);
        (sign, known.unwritten.drain(..).collect())
    }

    /// That could not be written down.
    pub(crate) fn put_back(&self, sign: u64, notes: Vec<Note>) {
        let mut known = self.known();
        if known.sign.unwrap_or(FIRST) == sign {
            for note in notes {
                push(&mut known.unwritten, note, MOST);
            }
        }
    }

    /// Forgets what may have been cleaned up by now.
    pub(crate) fn forget_before(&self, at: Timestamp) {
        let mut known = self.known();
        known.notes.retain(|note| note.at >= at);
        known.unwritten.retain(|note| note.at >= at);
    }

    /// The last return that counts.
    pub(crate) fn sign(&self) -> Option<u64> {
        self.known().sign
    }

    /// Whether MySQL is not to be asked.
    pub(crate) fn is_doubted(&self) -> bool {
        self.known().is_doubted
    }

    /// Has nobody ask MySQL any more.
    pub(crate) fn doubt(&self) {
        self.known().is_doubted = true;
    }

    /// Has somebody look at once.
    fn look_soon(&self) {
        self.0.wanted.notify_one();
    }

    /// MySQL lacks nothing after all.
    pub(crate) fn trust(&self) {
        self.known().is_doubted = false;
    }

    /// From now on the history is the one that began with this return, and nothing else is known of it.
    pub(crate) fn adopt(&self, sign: u64) {
        let (sign, unwritten) = (Some(sign), VecDeque::from([Note::OF_A_RETURN]));
        *self.known() = Known { sign, claimed: sign, unwritten, ..Known::default() };
    }

    /// Waits until somebody wants it to be looked at.
    pub(crate) async fn wanted(&self) {
        self.0.is_looked_after.store(true, Ordering::Relaxed);
        self.0.wanted.notified().await;
    }

    /// Somebody begins to read what others have noted; several may do so at the same time.
    pub(crate) fn begin_reading(&self) -> Reading {
        self.0.readings.send_modify(|readings| readings.begun += 1);
        Reading(self.0.readings.borrow().begun)
    }

    /// It was read, as far as Redis answered. That says nothing of what somebody began to read later.
    pub(crate) fn end_reading(&self, Reading(number): Reading) {
        self.0.readings.send_modify(|readings| readings.done = readings.done.max(number));
    }

    /// Waits until everything has been read that others have noted by now, if anybody reads it, and not
    /// for long.
    async fn is_read(&self, patience: Duration) {
        let mut readings = self.0.readings.subscribe();
        let Readings { begun, .. } = *readings.borrow();
        if self.0.is_looked_after.load(Ordering::Relaxed) {
            self.look_soon();
            let is_read = readings.wait_for(|it| it.done > begun);
            drop(tokio::time::timeout(patience, is_read).await);
        }
    }

    /// Compares a database with what is known. The first one that is asked says which return counts.
    pub(crate) async fn examine(&self, db: &mut MySqlConnection) -> sqlx::Result<Finding> {
        let returns = sqlx::query_scalar!("select sign from returns order by id desc");
        let signs = match returns.fetch_all(&mut *db).await {
            // Not migrated, and nothing can have been lost yet.
            Err(cause) if number(&cause) == Some(NO_SUCH_TABLE) => return Ok(Finding::Whole),
            signs => signs?,
        };
        let newest = signs.first().copied().unwrap_or(FIRST);
        let has = |sign: u64| sign == FIRST || signs.contains(&sign);
        let (sign, claimed, ended_until, notes, refreshes) = {
            let mut known = self.known();
            let sign = *known.sign.get_or_insert(newest);
            let (notes, refreshes) = (known.notes.clone(), known.refreshes.clone());
            (sign, known.claimed, known.ended_until, notes, refreshes)
        };
        if !has(sign) || claimed.is_some_and(|it| !has(it)) {
            return Ok(Finding::Lacks(1));
        }
        if sign != newest {
            return Ok(Finding::Returned(newest));
        }
        let is_behind = told_to_redis(&mut *db).await?.unwrap_or_default() < ended_until;
        let lacking = lacking(db, &notes).await? + undone(db, &refreshes).await?;
        let lacking = lacking + usize::from(is_behind);
        Ok(if lacking == 0 { Finding::Whole } else { Finding::Lacks(lacking) })
    }

    /// The same before a connection is used: refuses it if anything is wrong.
    pub(super) async fn must_be_whole(
        &self,
        db: &mut MySqlConnection,
        patience: Duration,
    ) -> sqlx::Result<()> {
        self.must_be_trusted()?;
        self.is_read(patience).await;
        if self.examine(db).await? != Finding::Whole {
            self.doubt();
            self.look_soon();
        }
        self.must_be_trusted()
    }

    /// Refuses while MySQL is not to be asked.
    pub(super) fn must_be_trusted(&self) -> sqlx::Result<()> {
        if self.is_doubted() { Err(sqlx::Error::Protocol(GONE_BACK.to_owned())) } else { Ok(()) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is said of it.
const GONE_BACK: &str = "MySQL lacks commits that it has confirmed before; it is not asked until everybody was logged out";

#[cfg(test)]
mod tests {
    use super::*;

    /// The first ends while the second, which may see more, is still at it.
    #[tokio::test]
    async fn whoever_waits_for_a_reading_waits_for_one_that_began_afterwards() {
        let history = History::default();
        history.0.is_looked_after.store(true, Ordering::Relaxed);
        let first = history.begin_reading();
        let waiting = history.clone();
        let waits = tokio::spawn(async move { waiting.is_read(Duration::from_mins(10)).await });
        tokio::task::yield_now().await;
        let second = history.begin_reading();
        history.end_reading(first);
        tokio::task::yield_now().await;
        assert!(!waits.is_finished(), "what began before is no answer");
        history.end_reading(second);
        waits.await.unwrap();
    }
}
