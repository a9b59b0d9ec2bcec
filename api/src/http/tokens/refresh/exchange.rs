//! One refresh token becomes the next.
//!
//! A token of the present form is replaced in its session's row, whose generation tells how many there
//! have been. One of the earlier form is marked as spent and stays, because nothing else would show
//! that it came back; what follows it stands in a row of its own.

use serde_json::json;
use sqlx::MySql;
use sqlx::pool::PoolConnection;

use super::row::{Row, Spent, find};
use crate::App;
use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::base::error::{Error, Over, Result};
use crate::mail::queue::Caused;
use crate::mail::{Kind, Scene};
use crate::metrics;
use crate::sessions::deed::Deed;
use crate::sessions::ending::Reason;
use crate::sessions::rows::{self, NewRefreshToken, Source};
use crate::store::audit::{Event, What};
use crate::store::standing::standing;
use crate::store::transaction::Transaction;
use crate::tokens::issue::TokenPair;
use crate::tokens::place::Place;
use crate::tokens::secret::RefreshToken;

/// One refresh token that becomes the next.
pub(super) struct Exchange<'a> {
    pub(super) app: &'a App,
    pub(super) client: &'a Client,
    pub(super) token: &'a RefreshToken,
    pub(super) now: Timestamp,
}

/// What a token becomes.
struct Next {
    token: RefreshToken,
    /// None in the earlier form.
    place: Option<Place>,
}

impl Exchange<'_> {
    /// The tokens that the spent one is exchanged for.
    pub(super) fn pair(&self, row: &Row, successor: &RefreshToken) -> TokenPair {
        Event::of(What::TokenCreated, row.user_id)
            .in_session(row.session.as_str())
            .log(self.client);
        metrics::token_refreshed();
        self.app.issuer.pair(&row.grant(), successor, self.now)
    }

    /// Spends the token, or finds that its successor may be handed out again.
    pub(super) async fn spend(
        &self,
        mut db: PoolConnection<MySql>,
        mut row: Row,
    ) -> Result<(Row, RefreshToken)> {
        let Self { app, now, .. } = *self;
        let spent = loop {
            if !row.session_lives(app, now) {
                return Err(row.refusal(app, now));
            }
            db = self.admitted(db, &row).await?;
            if let Some(spent) = row.spent.take() {
                break spent;
            }
            let next = self.next(&row);
            let mut held = Some(db);
            if app.store.repeat(|| self.exchange(held.take(), &row, &next)).await? {
                app.activity.tell_redis(row.user_id, &row.session, now).await;
                return Ok((row, next.token));
            }
            // Somebody was faster, or what the user may do has changed: see what is so now.
            db = app.store.pool.acquire().await?;
            row = find(app, &mut db, self.token, now).await?.ok_or(Error::DeadRefreshToken)?;
        };
        drop(db);
        if spent.is_reused(app, now) {
            return self.end_family(&row, &spent).await;
        }
        // Where the key is gone the answer cannot be repeated, but nobody stole anything.
        let successor = spent.successor(app, self.token).ok_or(Error::DeadRefreshToken)?;
        Ok((row, successor))
    }

    /// The token that it becomes. One of the earlier form becomes the first in the present one.
    fn next(&self, row: &Row) -> Next {
        let keys = &self.app.refresh_keys;
        let place = match row.place {
            Some(place) => place.next(),
            None if self.app.settings.tokens.refresh_token_earlier_form => {
                return Next { token: keys.successor(self.token), place: None };
            }
            None => Place::first(&self.app.random),
        };
        Next { token: keys.token(place), place: Some(place) }
    }

    /// Asks the gates. They may need a connection, and whoever holds one must not wait for another.
    async fn admitted(
        &self,
        db: PoolConnection<MySql>,
        row: &Row,
    ) -> Result<PoolConnection<MySql>> {
        let app = self.app;
        if app.gate.is_open() {
            return Ok(db);
        }
        drop(db);
        if !app.gate.admits(self.client, row.user_id, &row.session).await? {
            return Err(Error::NotFromHere);
        }
        Ok(app.store.pool.acquire().await?)
    }

    /// Puts the next token in its place; false if the token or its session was ended or spent in the
    /// meantime, or the user may do something else now. Locks user, session and token in that order, as
    /// everybody does (`store/held_rows.rs`).
    async fn exchange(
        &self,
        db: Option<PoolConnection<MySql>>,
        row: &Row,
        next: &Next,
    ) -> Result<bool> {
        let mut tx = match db {
            Some(db) => Transaction::begin_on(db).await?,
            None => self.app.store.begin().await?,
        };
        let is_first = match next.place {
            Some(place) if row.place.is_some() => self.replace(&mut tx, row, next, place).await?,
            _ => self.succeed(&mut tx, row, next).await?,
        };
        if !is_first {
            return Ok(false);
        }
        tx.commit().await?;
        if let Some(Place { reference, generation }) = next.place {
            self.app.store.history.note_refresh(reference, generation);
        }
        Ok(true)
    }

    /// In the same row. Its device stays the one of the login: MariaDB would put the JSON of every refresh
    /// into a temporary table on disk.
    async fn replace(
        &self,
        tx: &mut Transaction,
        row: &Row,
        next: &Next,
        place: Place,
    ) -> Result<bool> {
        let Self { client, now, .. } = *self;
        let ip_address = client.ip.to_string();
        let (spent, successor) = (self.token.digest(), next.token.digest());
        let replaced = standing!(query!(
            "update users u straight_join user_sessions s on s.user_id = u.id
                straight_join refresh_tokens t on t.session_id = s.id
            set s.last_activity = greatest(s.last_activity, ?), s.last_ip_address = ?,
                t.token_hash = ?, t.generation = ?, t.exchanged_at = ?,
                t.ip_address = ?, t.user_agent = ?
          where u.id = ? and u.is_active and u.role = ? and s.id = ? and "
                + NOT_ENDED
                + " and t.id = ? and t.token_hash = ? and t.revoked_at is null",
            now,
            ip_address,
            successor.as_bytes().as_slice(),
            place.generation,
            now,
            ip_address,
            client.user_agent,
            row.user_id,
            row.role.as_str(),
            row.session,
            row.id,
            spent.as_bytes().as_slice(),
        ));
        Ok(replaced.execute(&mut **tx).await?.rows_affected() > 0)
    }

    /// In a row of its own, because the spent one has one that is kept.
    async fn succeed(&self, tx: &mut Transaction, row: &Row, next: &Next) -> Result<bool> {
        let Self { client, now, .. } = *self;
        let ip_address = client.ip.to_string();
        let spent = standing!(query!(
            "update users u straight_join user_sessions s on s.user_id = u.id
                straight_join refresh_tokens t on t.session_id = s.id
            set s.last_activity = greatest(s.last_activity, ?), s.last_ip_address = ?, t.spent_at = ?
          where u.id = ? and u.is_active and u.role = ? and s.id = ? and "
                + NOT_ENDED
                + " and t.id = ? and t.spent_at is null and t.revoked_at is null",
            now,
            ip_address,
            now,
            row.user_id,
            row.role.as_str(),
            row.session,
            row.id,
        ));
        if spent.execute(&mut **tx).await?.rows_affected() == 0 {
            return Ok(false);
        }
        let successor = NewRefreshToken {
            digest: next.token.digest(),
            user_id: row.user_id,
            session: &row.session,
            parent: Some(row.id),
            reference: next.place.map(|place| place.reference),
            source: Source {
                device: &client.device,
                ip_address: &ip_address,
                user_agent: &client.user_agent,
            },
            created_at: now,
            expires_at: row.expires_at,
        };
        rows::insert_refresh_token(tx, &successor).await?;
        Ok(true)
    }

    /// Ends the session of a token that came back, with everything issued in it.
    async fn end_family<T>(&self, row: &Row, spent: &Spent) -> Result<T> {
        let Self { app, client, .. } = *self;
        let label = if spent.successor_is_live { "late_retry" } else { "stale_lineage" };
        let end = || async {
            let mut deed = Deed::begin(&app.ledgers, client, row.user_id).await?.at(self.now);
            let ended = deed.end(std::slice::from_ref(&row.session), Reason::TokenReuse).await?;
            // Whoever repeats it tells the owner nothing new.
            if ended.sessions > 0 {
                let scene = Scene::of(client);
                let mail = Caused::notice(Kind::TokenReuse, row.user_id, &row.email, scene);
                app.mails.put(&mut deed.tx, self.now, mail).await?;
            }
            let event = Event::of(What::TokenReused, row.user_id)
                .in_session(row.session.as_str())
                .with(json!({ "label": label }));
            deed.commit(event).await?;
            Ok::<_, Error>(ended.sessions > 0)
        };
        let is_over = app.store.repeat(end).await?;
        let over = Over { reason: Reason::TokenReuse.as_str().into(), at: self.now };
        Err(if is_over { Error::SessionOver(over) } else { Error::DeadRefreshToken })
    }
}
