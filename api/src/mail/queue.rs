//! Mails that wait in MySQL: written in the transaction that causes them, so that neither a crash nor
//! a mail server that is away loses one.
//!
//!     put      in the transaction of the deed; no token is kept, only what it will be derived from
//!     lease    whoever moves the next try ahead has the mail until then; nobody holds a lock or a
//!              connection while the mail server is talked to
//!     settle   sent, refused or too old; or put off, for longer each time
//!
//! Whoever dies after the mail server took a mail and before that is written down leaves it to be
//! sent once more, with the same Message-ID.

use std::sync::Arc;

use sqlx::types::Json;
use sqlx::{Executor, MySql, MySqlConnection};
use tokio::sync::Notify;

use super::message::{Kind, Scene};
use crate::base::clock::Timestamp;
use crate::base::random::Random;
use crate::store::database::Store;
use crate::store::transaction::Transaction;

/// A mail that something has caused.
pub(crate) struct Caused<'a> {
    pub(crate) kind: Kind,
    pub(crate) recipient: &'a str,
    /// Unknown where looking would tell, by the time it takes, whether there is an account.
    pub(crate) user_id: Option<u64>,
    pub(crate) scene: Option<Scene>,
}

impl<'a> Caused<'a> {
    /// One that tells a user of something that happened to the account.
    pub(crate) const fn notice(kind: Kind, user_id: u64, recipient: &'a str, scene: Scene) -> Self {
        Self { kind, recipient, user_id: Some(user_id), scene: Some(scene) }
    }
}

/// A mail that is due.
pub(crate) struct Waiting {
    pub(crate) id: u64,
    pub(crate) kind: String,
    pub(crate) recipient: String,
    pub(crate) user_id: Option<u64>,
    pub(crate) email_token_id: Option<u64>,
    pub(crate) reference: Vec<u8>,
    pub(crate) scene: Option<Json<Scene>>,
    pub(crate) created_at: Timestamp,
    pub(crate) admitted_at: Option<Timestamp>,
    /// How often it was taken; says as well who has it.
    pub(crate) tries: u32,
}

/// What became of a mail that nothing more is done about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The mail server has it.
    Sent,
    /// The mail server will not have it.
    Refused,
    /// It was tried for as long as mails are.
    TooOld,
}

impl Outcome {
    /// The word in the database and in the metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::TooOld => "too_old",
        }
    }
}

/// The mails that wait; a clone is about the same ones.
#[derive(Clone)]
pub struct Queue {
    store: Store,
    random: Random,
    wake: Arc<Notify>,
}

impl Queue {
    /// Those of this database.
    pub(crate) fn new(store: &Store, random: &Random) -> Self {
        Self { store: store.clone(), random: random.clone(), wake: Arc::default() }
    }

    /// Adds a mail in the transaction of what causes it.
    pub(crate) async fn put(
        &self,
        tx: &mut Transaction,
        now: Timestamp,
        mail: Caused<'_>,
    ) -> sqlx::Result<()> {
        self.insert(&mut **tx, now, mail).await?;
        let wake = self.wake.clone();
        tx.once_committed(move || wake.notify_one());
        Ok(())
    }

    /// Adds a mail that nothing else is done with.
    pub(crate) async fn put_alone(&self, now: Timestamp, mail: Caused<'_>) -> sqlx::Result<()> {
        self.insert(&self.store.pool, now, mail).await?;
        self.wake.notify_one();
        Ok(())
    }

    /// Ends when a mail was added here.
    pub(crate) async fn added(&self) {
        self.wake.notified().await;
    }

    async fn insert(
        &self,
        db: impl Executor<'_, Database = MySql>,
        now: Timestamp,
        mail: Caused<'_>,
    ) -> sqlx::Result<()> {
        let reference = self.random.bytes::<16>();
        sqlx::query!(
            "insert into mails
                (kind, recipient, user_id, reference, scene, created_at, next_try_at)
             values (?, ?, ?, ?, ?, ?, ?)",
            mail.kind.as_str(),
            mail.recipient,
            mail.user_id,
            reference.as_slice(),
            mail.scene.map(Json),
            now,
            now,
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// The mails that have been due for longest.
    pub(crate) async fn due(&self, now: Timestamp, limit: u32) -> sqlx::Result<Vec<Waiting>> {
        let due = sqlx::query_as!(
            Waiting,
            r#"select id, kind, recipient, user_id, email_token_id, reference,
                      scene as "scene: Json<Scene>", created_at as "created_at: Timestamp",
                      admitted_at as "admitted_at: Timestamp", tries
                 from mails where settled_at is null and next_try_at <= ?
                order by next_try_at, id limit ?"#,
            now,
            limit,
        );
        self.store.in_time(due.fetch_all(&self.store.pool)).await
    }

    /// Takes a mail until then; false if another instance was faster.
    pub(crate) async fn lease(&self, mail: &mut Waiting, until: Timestamp) -> sqlx::Result<bool> {
        let take = || {
            let taken = sqlx::query!(
                "update mails set tries = tries + 1, next_try_at = ?
                  where id = ? and tries = ? and settled_at is null",
                until,
                mail.id,
                mail.tries,
            );
            self.store.in_time(taken.execute(&self.store.pool))
        };
        let taken = self.store.repeat_beside(take).await?;
        mail.tries += 1;
        Ok(taken.rows_affected() > 0)
    }

    /// Puts a mail off, unless somebody else has it by now.
    pub(crate) async fn put_off(&self, mail: &Waiting, until: Timestamp) -> sqlx::Result<()> {
        let put_off = || {
            let put_off = sqlx::query!(
                "update mails set next_try_at = ? where id = ? and tries = ? and settled_at is null",
                until,
                mail.id,
                mail.tries,
            );
            self.store.in_time(put_off.execute(&self.store.pool))
        };
        self.store.repeat_beside(put_off).await.map(drop)
    }

    /// Writes down what became of a mail, whoever has it by now.
    pub(crate) async fn settle(
        &self,
        mail: &Waiting,
        outcome: Outcome,
        now: Timestamp,
    ) -> sqlx::Result<()> {
        let settle = || {
            let settled = sqlx::query!(
                "update mails set settled_at = ?, outcome = ?, scene = null
                  where id = ? and settled_at is null",
                now,
                outcome.as_str(),
                mail.id,
            );
            self.store.in_time(settled.execute(&self.store.pool))
        };
        self.store.repeat_beside(settle).await.map(drop)
    }

    /// Takes back a mail that nobody wants; nothing of it is kept, least of all an address that has no
    /// account.
    pub(crate) async fn take_back(&self, mail: &Waiting) -> sqlx::Result<()> {
        let take_back = || {
            let gone = sqlx::query!(
                "delete from mails where id = ? and tries = ? and settled_at is null",
                mail.id,
                mail.tries,
            );
            self.store.in_time(gone.execute(&self.store.pool))
        };
        self.store.repeat_beside(take_back).await.map(drop)
    }
}

/// Takes back every mail of a kind to an address that has not been sent. Its user is held.
pub(crate) async fn take_back_all(
    tx: &mut MySqlConnection,
    kind: Kind,
    recipient: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from mails where recipient = ? and kind = ? and settled_at is null",
        recipient,
        kind.as_str(),
    )
    .execute(tx)
    .await
    .map(drop)
}
