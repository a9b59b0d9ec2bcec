//! Delivers what could not be delivered at once, for however many users, again and again.
//!
//! One round goes through all that waits, a page of rows at a time, so that whoever is stuck stops
//! nobody else: a row that somebody else is delivering is passed over, and a user whose ledger
//! refuses is set aside for a while that grows. Everybody for whom something waits is doubted.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Undelivered;
use super::reading::{self, Fate, Row};
use crate::App;
use crate::base::clock::UnixMs;
use crate::base::log;
use crate::ledger::change::Propagation;

/// How often the worker looks for what could not be delivered at once.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many waiting rows are read at a time.
const PAGE: u32 = 500;
/// How long somebody else may be busy with a row.
const HELD_TOO_LONG: Duration = Duration::from_secs(2);
/// How long a user is left alone whose ledger refuses, at first and at most.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_mins(1);

/// Users whose ledgers refuse.
#[derive(Default)]
pub(crate) struct Worker(Mutex<HashMap<u64, Aside>>);

/// A user who is left alone for a while.
struct Aside {
    until: Instant,
    rest: Duration,
    /// The last row that was tried. What is written after it does not rest.
    newest: u64,
    /// When the ending was written that their ledger refuses, if it is one.
    lacks_since: Option<UnixMs>,
}

impl Worker {
    /// Since when an ending waits that Redis does not take.
    pub(crate) fn lacks_since(&self) -> Option<UnixMs> {
        self.aside().values().filter_map(|aside| aside.lacks_since).min()
    }

    /// Whether this row of a user has been tried lately, in vain.
    fn rests(&self, row: u64, user_id: u64) -> bool {
        let now = Instant::now();
        self.aside().get(&user_id).is_some_and(|aside| now < aside.until && row <= aside.newest)
    }

    fn set_aside(&self, user_id: u64, Refused { newest, lacks_since }: Refused) {
        let mut aside = self.aside();
        let rest = aside.get(&user_id).map_or(FIRST_REST, |it| it.rest * 2).min(LONGEST_REST);
        let until = Instant::now() + rest;
        aside.insert(user_id, Aside { until, rest, newest, lacks_since });
    }

    fn keep_aside(&self, waiting: &HashSet<u64>) {
        self.aside().retain(|user_id, _| waiting.contains(user_id));
    }

    fn aside(&self) -> MutexGuard<'_, HashMap<u64, Aside>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one attempt at a user's rows came to, if Redis refused any.
#[derive(Clone, Copy, Default)]
struct Refused {
    newest: u64,
    /// When the oldest ending among them was written.
    lacks_since: Option<UnixMs>,
}

impl Refused {
    fn add(&mut self, row: &Row, is_ending: bool) {
        self.newest = self.newest.max(row.id);
        let since = is_ending.then_some(row.created_at);
        self.lacks_since = self.lacks_since.into_iter().chain(since).min();
    }
}

/// Delivers what waits, again and again, until the service stops.
pub(crate) async fn run(app: App) {
    loop {
        let delivered = tokio::select! {
            delivered = deliver_all(&app, true) => delivered,
            () = app.background.stop.cancelled() => return,
        };
        if let Err(cause) = delivered {
            tracing::warn!(target: log::OUTBOX_WORKER, %cause, "the outbox could not be read");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.ledger.lines.up.notified() => {}
            () = app.background.stop.cancelled() => return,
        }
    }
}

/// Delivers what waits for however many users, until an answer has to be given.
pub(crate) async fn deliver_everybodys(app: &App, until: Instant) -> Propagation {
    match tokio::time::timeout_at(until, deliver_all(app, false)).await {
        Ok(Ok(0)) => Propagation::Confirmed,
        Ok(Ok(_) | Err(_)) | Err(_) => Propagation::Pending,
    }
}

/// Tries to deliver everything, also to those who are set aside; tells for how many users
/// something waits still.
pub async fn deliver_waiting(app: &App) -> sqlx::Result<usize> {
    deliver_all(app, false).await
}

/// One round; tells for how many users something waits still. `spares` leaves those alone who are
/// set aside.
async fn deliver_all(app: &App, spares: bool) -> sqlx::Result<usize> {
    let lines = &app.ledger.lines;
    let (mut seen, mut tried) = (HashSet::new(), HashSet::new());
    let (mut behind, mut after) = (0, 0);
    loop {
        let page = page(app, after).await?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().map_or(after, |(id, _)| *id);
        let users: Vec<u64> =
            page.iter().map(|(_, user_id)| *user_id).filter(|id| seen.insert(*id)).collect();
        lines.doubt_about(&users);
        let due = page.into_iter().filter(|(row, id)| !(spares && app.worker.rests(*row, *id)));
        let due: Vec<u64> = due.map(|(_, id)| id).filter(|id| tried.insert(*id)).collect();
        behind += deliver(app, &due).await;
        if is_last {
            break;
        }
    }
    behind += seen.len() - tried.len();
    // Whose changes others have delivered meanwhile, or nobody can have heard of yet.
    let unseen: Vec<u64> = lines.behind().into_iter().filter(|id| !seen.contains(id)).collect();
    for some in unseen.chunks(PAGE as usize) {
        behind += deliver(app, some).await;
    }
    app.worker.keep_aside(&seen);
    Ok(behind)
}

/// The next waiting rows and whose they are.
async fn page(app: &App, after: u64) -> sqlx::Result<Vec<(u64, u64)>> {
    let asked = sqlx::query!(
        "select id, user_id from revocation_outbox
          where delivered_at is null and id > ? order by id limit ?",
        after,
        PAGE,
    )
    .map(|row| (row.id, row.user_id))
    .fetch_all(&app.store.pool);
    app.store.in_time(asked).await
}

/// Delivers to some users at once; for how many of them something waits still. Without a line, or
/// if anything goes wrong, that is all.
async fn deliver(app: &App, users: &[u64]) -> usize {
    if users.is_empty() || app.ledger.lines.any().is_err() {
        return users.len();
    }
    let delivered =
        tokio::time::timeout(app.settings.stores.deadline() * 2, try_deliver(app, users));
    delivered.await.unwrap_or(Err(Undelivered::Late)).unwrap_or_else(|cause| {
        tracing::warn!(
            target: log::OUTBOX_WORKER,
            %cause,
            "ledgers are behind; delivery will be repeated"
        );
        users.len()
    })
}

async fn try_deliver(app: &App, users: &[u64]) -> Result<usize, Undelivered> {
    let lines = &app.ledger.lines;
    let deliveries: Vec<_> = users.iter().map(|id| (*id, lines.begin_delivery(*id))).collect();
    let fence = app.ledger.fence().await?;
    let mut tx = app.store.begin().await?;
    let rows = reading::waiting(&mut tx, users).await?;
    let (mine, held) = reading::taken(&mut tx, rows).await?;
    let mut behind: HashSet<u64> = held.iter().map(|row| row.user_id).collect();
    let fates = reading::tell(app, &mut tx, &mine, Some(&fence)).await?;
    let (mut told, mut refused) = (Vec::new(), HashMap::<u64, Refused>::new());
    for (row, fate) in mine.iter().zip(fates) {
        match fate {
            Fate::Told => told.push(row.id),
            Fate::Stale => drop(behind.insert(row.user_id)),
            Fate::Refused { is_ending } => {
                behind.insert(row.user_id);
                refused.entry(row.user_id).or_default().add(row, is_ending);
            }
        }
    }
    for (user_id, refused) in refused {
        app.worker.set_aside(user_id, refused);
    }
    reading::mark(&mut tx, &told, app.clock.now()).await?;
    tx.commit().await?;
    tell_endings_held(app, held).await?;
    for (user_id, delivery) in deliveries {
        if !behind.contains(&user_id) {
            lines.delivered(user_id, delivery);
        }
    }
    Ok(behind.len())
}

/// Whoever holds a row tells it. One who has stopped in the middle of that keeps it until MySQL
/// notices, and no ending may wait so long: it may be told by anybody.
async fn tell_endings_held(app: &App, held: Vec<Row>) -> Result<(), Undelivered> {
    let long_ago = app.clock.now().minus(HELD_TOO_LONG);
    let late: Vec<Row> = held.into_iter().filter(|row| row.created_at < long_ago).collect();
    let endings: Vec<_> = late
        .iter()
        .flat_map(|row| row.changes.iter().flatten().map(|change| (row.user_id, change)))
        .filter(|(_, change)| change.is_ending())
        .collect();
    app.ledger.tell(&endings, None).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64, created_at: u64) -> Row {
        Row { id, user_id: 1, created_at: UnixMs(created_at), changes: None }
    }

    #[test]
    fn f_08_what_is_written_later_does_not_rest_with_what_was_refused() {
        let (worker, mut refused) = (Worker::default(), Refused::default());
        refused.add(&row(7, 0), false);
        worker.set_aside(1, refused);
        assert!(worker.rests(6, 1) && worker.rests(7, 1));
        assert!(!worker.rests(8, 1), "an ending, say");
        assert!(!worker.rests(7, 2), "somebody else");
    }

    #[test]
    fn f_08_the_oldest_ending_that_was_refused_counts_whatever_else_was() {
        let (worker, mut refused) = (Worker::default(), Refused::default());
        for (id, created_at, is_ending) in
            [(5, 1, false), (6, 20, true), (7, 10, true), (8, 30, false)]
        {
            refused.add(&row(id, created_at), is_ending);
        }
        worker.set_aside(1, refused);
        assert_eq!(worker.lacks_since(), Some(UnixMs(10)));
    }
}
