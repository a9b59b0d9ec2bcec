//! Delivers what could not be delivered at once, for however many users, again and again.
//!
//! One round goes through all that waits, a page of rows at a time, so that whoever is stuck stops
//! nobody else: a row that somebody else is delivering is passed over, and a user whose own ledger
//! refuses is set aside for a while that grows. Everybody for whom something waits is doubted.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::join_all;

use super::marking;
use super::reading::{self, Fate, Row, Undelivered};
use super::refusing_users::Refused;
use crate::base::log_targets as log;
use crate::ledger::by_server::ByServer;
use crate::ledger::ledgers::Ledgers;
use crate::ledger::line::Lines;
use crate::ledger::lives::Counting;
use crate::store::transaction::Repetitions;

/// How many waiting rows are read at a time.
const PAGE: u32 = 500;
/// How long somebody else may be busy with a row.
const HELD_TOO_LONG: Duration = Duration::from_secs(2);

/// Tries to deliver everything, but to those who are set aside; tells for how many users something
/// waits still.
pub(crate) async fn deliver_due(ledgers: &Ledgers) -> sqlx::Result<usize> {
    deliver_all(ledgers, true).await
}

/// Tries to deliver everything, also to those who are set aside; tells for how many users
/// something waits still.
pub async fn deliver_waiting(ledgers: &Ledgers) -> sqlx::Result<usize> {
    deliver_all(ledgers, false).await
}

/// One round; tells for how many users something waits still. `spares` leaves those alone who are
/// set aside.
async fn deliver_all(ledgers: &Ledgers, spares: bool) -> sqlx::Result<usize> {
    // Also what nobody saw to, because it had to be given up.
    marking::mark_now(ledgers).await;
    let shards = &ledgers.shards;
    let (mut seen, mut tried) = (HashSet::new(), HashSet::new());
    let (mut behind, mut after) = (0, 0);
    loop {
        let page = page(ledgers, after).await?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().map_or(after, |(id, _)| *id);
        // What this instance has told already waits for its mark only.
        let page: Vec<_> =
            page.into_iter().filter(|(row, _)| !ledgers.unmarked.has(*row)).collect();
        let users: Vec<u64> =
            page.iter().map(|(_, user_id)| *user_id).filter(|id| seen.insert(*id)).collect();
        shards.doubt_about(&users);
        let due = page.into_iter().filter(|(row, id)| !(spares && ledgers.aside.rests(*row, *id)));
        let due: Vec<u64> = due.map(|(_, id)| id).filter(|id| tried.insert(*id)).collect();
        behind += deliver(ledgers, &due).await;
        if is_last {
            break;
        }
    }
    behind += seen.len() - tried.len();
    // Whose changes others have delivered meanwhile, or nobody can have heard of yet.
    let unseen: Vec<u64> =
        shards.behind_now().into_iter().filter(|id| !seen.contains(id)).collect();
    for some in unseen.chunks(PAGE as usize) {
        behind += deliver(ledgers, some).await;
    }
    ledgers.aside.keep_aside(&seen);
    if behind == 0 {
        ledgers.background.said.is_over(reading::REFUSAL);
    }
    Ok(behind)
}

/// The next waiting rows and whose they are.
async fn page(ledgers: &Ledgers, after: u64) -> sqlx::Result<Vec<(u64, u64)>> {
    let asked = sqlx::query!(
        "select id, user_id from revocation_outbox
          where delivered_at is null and id > ? order by id limit ?",
        after,
        PAGE,
    )
    .map(|row| (row.id, row.user_id))
    .fetch_all(&ledgers.store.pool);
    ledgers.store.in_time(asked).await
}

/// Delivers to some users, to those of each server at once; for how many of them something waits
/// still. A server that takes too long, or that nobody reaches, holds up nobody else's users.
async fn deliver(ledgers: &Ledgers, users: &[u64]) -> usize {
    let (mut servers, mut behind) = (ByServer::new(), 0);
    for user_id in users {
        match ledgers.shards.of(ledgers.key(*user_id).as_bytes()) {
            Ok(lines) => servers.add(lines, *user_id),
            Err(_) => behind += 1,
        }
    }
    let servers = servers.into_vec();
    let delivered = servers.iter().map(|(lines, users)| deliver_to(ledgers, lines, users));
    behind + join_all(delivered).await.into_iter().sum::<usize>()
}

/// The same for users of one server. Without a line, or if anything goes wrong, that is all.
async fn deliver_to(ledgers: &Ledgers, lines: &Lines, users: &[u64]) -> usize {
    if lines.any().is_err() {
        return users.len();
    }
    let limit = ledgers.stores_deadline * 2;
    let delivered = tokio::time::timeout(limit, async {
        let mut repetitions = Repetitions::within(limit);
        loop {
            match try_deliver(ledgers, lines, users).await {
                // Another node's instance has told the same rows and marked them first.
                Err(Undelivered::Database(cause)) if repetitions.may_follow(&cause) => {}
                outcome => return outcome,
            }
        }
    });
    delivered.await.unwrap_or(Err(Undelivered::Late)).unwrap_or_else(|cause| {
        tracing::warn!(
            target: log::OUTBOX_WORKER,
            %cause,
            "ledgers are behind; delivery will be retried"
        );
        users.len()
    })
}

async fn try_deliver(
    ledgers: &Ledgers,
    lines: &Lines,
    users: &[u64],
) -> Result<usize, Undelivered> {
    let shards = &ledgers.shards;
    let deliveries: Vec<_> = users.iter().map(|id| (*id, shards.begin_delivery(*id))).collect();
    let line = lines.any()?;
    let fence = ledgers.fence_of(lines).await?;
    let mut tx = ledgers.store.begin_beside().await?;
    let rows = reading::waiting(&mut tx, users).await?;
    let (mine, held) = reading::taken(&mut tx, rows).await?;
    let mut behind: HashSet<u64> = held.iter().map(|row| row.user_id).collect();
    let fates = reading::tell(ledgers, &mut tx, &mine, Some(&fence)).await?;
    let mut refused = HashMap::<u64, Refused>::new();
    for (row, fate) in mine.iter().zip(&fates) {
        match *fate {
            Fate::Told(_) => {}
            Fate::Stale => drop(behind.insert(row.user_id)),
            Fate::Refused(refusal) => {
                behind.insert(row.user_id);
                refused.entry(row.user_id).or_default().add(row.id, row.created_at, refusal);
            }
        }
    }
    for (user_id, refused) in refused {
        ledgers.aside.set_aside(user_id, refused);
    }
    // Without a line, what an earlier one was told may yet be heard: even nothing has to wait.
    if lines.any()?.run_id() != line.run_id() {
        return Err(Undelivered::Stale);
    }
    let counting = Counting::look(&mut tx).await?;
    let mut told = reading::told(ledgers, &mine, fates);
    told.retain(|row| row.counts(&counting));
    let told: Vec<u64> = told.into_iter().map(|row| row.id).collect();
    let is_unmarked = |row: &&Row| !told.contains(&row.id);
    behind.extend(mine.iter().filter(is_unmarked).map(|row| row.user_id));
    // Somebody of whom nothing waits may have been told something before, by a server that counts no more.
    let is_elsewhere = |id: &&u64| !counting.is_told(line.run_id(), ledgers.slot(**id));
    behind.extend(users.iter().filter(is_elsewhere));
    reading::mark(&mut tx, &told, ledgers.clock.now()).await?;
    tx.commit().await?;
    tracing::debug!(
        target: log::OUTBOX_WORKER,
        users = users.len(),
        behind = behind.len(),
        rows = told.len(),
        "delivered what waited"
    );
    tell_endings_held(ledgers, held).await?;
    for (user_id, delivery) in deliveries {
        if !behind.contains(&user_id) {
            shards.delivered(user_id, delivery);
        }
    }
    Ok(behind.len())
}

/// Whoever holds a row tells it. One who has stopped in the middle of that keeps it until MySQL
/// notices, and no ending may wait so long: it may be told by anybody.
async fn tell_endings_held(ledgers: &Ledgers, held: Vec<Row>) -> Result<(), Undelivered> {
    let long_ago = ledgers.clock.now().minus(HELD_TOO_LONG);
    let late: Vec<Row> = held.into_iter().filter(|row| row.created_at < long_ago).collect();
    let endings: Vec<_> = late
        .iter()
        .flat_map(|row| row.changes.iter().flatten().map(|change| (row.user_id, change)))
        .filter(|(_, change)| change.is_ending())
        .collect();
    ledgers.tell(&endings, None).await?;
    Ok(())
}
