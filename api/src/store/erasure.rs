//! What goes with a user: whatever names them in rows that outlive them. What proves security stays, with
//! the user's number, which names nobody any more: that something happened, when, in which session, and
//! that a token is revoked.
//!
//! It goes in the transaction that deletes the user. Of a trail that is very long the rest goes after
//! the answer, and what somebody else wrote or held at that moment goes with the next cleanup.

use std::time::Duration;

use sqlx::MySqlConnection;

use super::database::{self, Store};
use super::transaction::Repetitions;
use crate::base::clock::Timestamp;
use crate::base::log_targets as log;

/// How many rows of a table one statement changes: as many as an answer can wait for.
const BATCH: u32 = 5000;
/// What a batch may take where nobody waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Deletes a user, who is held, and strips what is kept.
pub(crate) async fn delete_user(tx: &mut MySqlConnection, user_id: u64) -> sqlx::Result<()> {
    // Of those that are not about an account yet: nobody has looked whether there is one.
    sqlx::query!(
        "delete m from mails m join users u on u.email = m.recipient where u.id = ?",
        user_id,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from users where id = ?", user_id).execute(&mut *tx).await?;
    strip(tx, user_id).await.map(drop)
}

/// Strips what the transaction has left.
pub(crate) async fn strip_the_rest(store: &Store, user_id: u64) {
    let strip = async || -> sqlx::Result<u64> {
        let mut db = store.pool.acquire().await?;
        store.in_time(strip(&mut db, user_id)).await
    };
    let all = async || -> sqlx::Result<()> {
        while store.repeat_beside(&strip).await? > 0 {}
        Ok(())
    };
    if let Err(cause) = all().await {
        tracing::warn!(
            target: log::CLEANUP,
            user_id,
            %cause,
            "some records of a deleted user still hold an address; the next cleanup will remove it"
        );
    }
}

/// Strips what was written about users while they were being deleted, since then.
pub(super) async fn sweep(db: &mut MySqlConnection, since: Timestamp) -> sqlx::Result<()> {
    let deleted = sqlx::query_scalar!(
        r#"select distinct user_id as "user_id!" from audit_events force index (idx_audit_event_at)
            where at > ? and event = 'user_deleted' and user_id is not null"#,
        since,
    );
    for user_id in database::time(PATIENCE, deleted.fetch_all(&mut *db)).await? {
        let mut repetitions = Repetitions::within(PATIENCE);
        loop {
            match database::time(PATIENCE, strip(db, user_id)).await {
                Ok(0) => break,
                Ok(_) => repetitions = Repetitions::within(PATIENCE),
                Err(cause) if repetitions.may_follow(&cause) => {}
                Err(cause) => return Err(cause),
            }
        }
    }
    Ok(())
}

/// Strips a batch of each table, and tells how many rows that were.
async fn strip(db: &mut MySqlConnection, user_id: u64) -> sqlx::Result<u64> {
    let own = sqlx::query!(
        "update audit_events set ip_address = null, user_agent = null
          where user_id = ? and (ip_address is not null or user_agent is not null)
          order by id limit ?",
        user_id,
        BATCH,
    );
    let own = own.execute(&mut *db).await?.rows_affected();
    // An administrator's address also stands where they did something to others.
    let deeds = sqlx::query!(
        "update audit_events set ip_address = null, user_agent = null
          where by_user_id = ? and (ip_address is not null or user_agent is not null)
          order by id limit ?",
        user_id,
        BATCH,
    );
    let deeds = deeds.execute(&mut *db).await?.rows_affected();
    let revocations = sqlx::query!(
        "update token_blacklist_enhanced set device_info = null, ip_address = null
          where user_id = ? and (device_info is not null or ip_address is not null)
          order by id limit ?",
        user_id,
        BATCH,
    );
    let revocations = revocations.execute(&mut *db).await?.rows_affected();
    Ok(own + deeds + revocations + strip_outbox(db, user_id).await?)
}

/// A login that was told, or waits to be, says on which device it was. Nobody waits for rows that are
/// being delivered.
async fn strip_outbox(db: &mut MySqlConnection, user_id: u64) -> sqlx::Result<u64> {
    let logins = sqlx::query_scalar!(
        r#"select id from revocation_outbox
            where user_id = ? and json_unquote(json_extract(change_set, '$[0].device')) <> ''
            limit ? for update skip locked"#,
        user_id,
        BATCH,
    );
    let logins = logins.fetch_all(&mut *db).await?;
    for id in &logins {
        sqlx::query!(
            "update revocation_outbox set change_set = json_replace(change_set, '$[0].device', '')
              where id = ?",
            id,
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(logins.len() as u64)
}
