//! `POST /refresh`: one refresh token becomes the next, once.
//!
//! The gate is one conditional `update`: of many racing requests one spends the token. Its
//! successor is derived from it, so whoever repeats the request, because the answer was lost or
//! another tab was faster, gets the same successor for a short while. A token that comes back
//! later, or after its successor was spent, is in the wrong hands: its whole session ends.

mod presented;
mod row;
pub mod way_back;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;
use sqlx::pool::PoolConnection;
use sqlx::{MySql, MySqlConnection};
use utoipa::ToSchema;

use crate::App;
use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::base::error::{Error, Over, Result};
use crate::base::session_id::SessionId;
use crate::http::answer::Success;
use crate::http::body::{OptionalBody, pasted_if_any};
use crate::http::cookies;
use crate::http::our_pages;
use crate::limits::Scope;
use crate::mail::queue::Caused;
use crate::mail::{Kind, Scene};
use crate::metrics;
use crate::sessions::deed::Deed;
use crate::sessions::ending::Reason;
use crate::sessions::rows::{self, NewRefreshToken, Source};
use crate::store::audit::{self, Event, What};
use crate::store::transaction::Transaction;
use crate::tokens::issue::TokenPair;
use crate::tokens::secret::RefreshToken;
use presented::presented;
use row::{Row, find};

/// Body of `/refresh`.
#[derive(Deserialize, ToSchema)]
#[schema(as = RefreshRequest)]
pub struct Request {
    /// Omitted in cookie mode.
    #[serde(default, deserialize_with = "pasted_if_any")]
    refresh_token: Option<String>,
    /// If sent, it must be the id of the token's session.
    #[schema(value_type = Option<SessionId>)]
    session_id: Option<String>,
}

/// Exchanges a refresh token for a new pair, which goes where the token came from.
#[utoipa::path(
    post, path = "/refresh", tag = "Tokens",
    summary = "Exchanges a refresh token for the next pair",
    request_body = Option<Request>,
    security((), ("refresh_cookie" = [], "csrf" = [])),
    responses((
        status = 200,
        description = "The next pair; the old refresh token is spent",
        body = Success<TokenPair>,
    )),
    extensions(("x-problems" = json!("missing_fields invalid_grant session_mismatch two_tokens empty_bearer csrf_failed throttled")))
)]
pub async fn refresh(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    OptionalBody(request): OptionalBody<Request>,
) -> Result<Response> {
    let exchanged = exchanged(&app, &client, &headers, &request).await;
    exchanged.or_else(|refusal| Ok(cookies::with_refusal(&app, &headers, refusal)))
}

async fn exchanged(
    app: &App,
    client: &Client,
    headers: &HeaderMap,
    request: &Request,
) -> Result<Response> {
    let (token, by_cookie) = presented(headers, request.refresh_token.as_deref())?;
    let conditions =
        Conditions { meant: by_cookie.then_some(headers), session: request.session_id.as_deref() };
    let (row, mut pair) = exchange(app, client, token, conditions).await?;
    let cookies = by_cookie.then(|| cookies::move_tokens(app, &mut pair, &row.session));
    Ok((cookies, Success::data(pair)).into_response())
}

/// What must hold besides, if it is asked for.
#[derive(Default)]
struct Conditions<'a> {
    /// These are of a call that its user meant.
    meant: Option<&'a HeaderMap>,
    /// This is the token's session.
    session: Option<&'a str>,
}

/// The next pair of a token, if it may be exchanged.
async fn exchange(
    app: &App,
    client: &Client,
    token: &str,
    conditions: Conditions<'_>,
) -> Result<(Row, TokenPair)> {
    let Some(token) = RefreshToken::parse(token) else { return unknown(app, client).await };

    let turn = app.limits.turn(Scope::Refresh, client).await;
    let mut db = app.store.pool.acquire().await?;
    let now = app.clock.now();
    let Some(row) = find(&mut db, &token, now).await? else {
        drop((db, turn));
        return unknown(app, client).await;
    };
    drop(turn);
    if let Some(headers) = conditions.meant {
        // Nothing can be done with a dead cookie, meant or not, but to clear it.
        if !row.session_lives(app, now) {
            return Err(row.refusal(app, now));
        }
        our_pages::must_be_meant(app, headers, &row.session)?;
    }
    app.limits.take_in_session(Scope::Refresh, client, &row.session).await?;
    if conditions.session.is_some_and(|named| named != row.session.as_str()) {
        return refuse_mismatch(app, &mut db, client, &row).await;
    }
    let exchange = Exchange { app, client, token: &token, now };
    let (row, successor) = exchange.spend(db, row).await?;
    let pair = exchange.pair(&row, &successor);
    Ok((row, pair))
}

/// Refuses a token that nobody here gave out.
async fn unknown<T>(app: &App, client: &Client) -> Result<T> {
    Err(app.limits.unknown(Scope::Refresh, client, Error::DeadRefreshToken).await)
}

async fn refuse_mismatch<T>(
    app: &App,
    db: &mut MySqlConnection,
    client: &Client,
    row: &Row,
) -> Result<T> {
    let event = Event::of(What::Refused, row.user_id)
        .in_session(row.session.as_str())
        .with(json!({ "reason": "session_mismatch" }));
    audit::record_news(db, client, app.clock.now(), event).await?;
    Err(Error::SessionMismatch)
}

/// One refresh token that becomes the next.
struct Exchange<'a> {
    app: &'a App,
    client: &'a Client,
    token: &'a RefreshToken,
    now: Timestamp,
}

impl Exchange<'_> {
    /// The tokens that the spent one is exchanged for.
    fn pair(&self, row: &Row, successor: &RefreshToken) -> TokenPair {
        Event::of(What::TokenCreated, row.user_id)
            .in_session(row.session.as_str())
            .log(self.client);
        metrics::token_refreshed();
        self.app.issuer.pair(&row.grant(), successor, self.now)
    }

    /// Spends the token, or finds that its successor may be handed out again.
    async fn spend(
        &self,
        mut db: PoolConnection<MySql>,
        mut row: Row,
    ) -> Result<(Row, RefreshToken)> {
        let Self { app, now, .. } = *self;
        let successor = app.refresh_keys.successor(self.token);
        loop {
            if !row.session_lives(app, now) {
                return Err(row.refusal(app, now));
            }
            db = self.admitted(db, &row).await?;
            if row.spent_at.is_some() {
                break;
            }
            let mut held = Some(db);
            if app.store.repeat(|| self.exchange(held.take(), &row, &successor)).await? {
                app.activity.tell_redis(row.user_id, &row.session, now).await;
                return Ok((row, successor));
            }
            // Somebody was faster, or what the user may do has changed: see what is so now.
            db = app.store.pool.acquire().await?;
            row = find(&mut db, self.token, now).await?.ok_or(Error::DeadRefreshToken)?;
        }
        drop(db);
        if row.is_reused(app, now) {
            return self.end_family(&row).await;
        }
        // Where the key is gone the answer cannot be repeated, but nobody stole anything.
        let successor = row.successor(app, self.token).ok_or(Error::DeadRefreshToken)?;
        Ok((row, successor))
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

    /// Spends the token and inserts its successor; false if the token or its session was ended or
    /// spent in the meantime, or the user may do something else now. Locks user, session and token in
    /// that order, as everybody does (`store/held_rows.rs`).
    async fn exchange(
        &self,
        db: Option<PoolConnection<MySql>>,
        row: &Row,
        successor: &RefreshToken,
    ) -> Result<bool> {
        let Self { client, now, .. } = *self;
        let mut tx = match db {
            Some(db) => Transaction::begin_on(db).await?,
            None => self.app.store.begin().await?,
        };
        let ip_address = client.ip.to_string();
        let spent = sqlx::query!(
            "update users u straight_join user_sessions s on s.user_id = u.id
                straight_join refresh_tokens t on t.session_id = s.id
            set s.last_activity = greatest(s.last_activity, ?), s.last_ip_address = ?, t.spent_at = ?
          where u.id = ? and u.is_active and u.role = ? and s.id = ? and s.is_active
            and t.id = ? and t.spent_at is null and t.revoked_at is null",
            now,
            ip_address,
            now,
            row.user_id,
            row.role.as_str(),
            row.session,
            row.id,
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if spent == 0 {
            return Ok(false);
        }
        let next = NewRefreshToken {
            digest: successor.digest(),
            user_id: row.user_id,
            session: &row.session,
            parent: Some(row.id),
            source: Source {
                device: &client.device,
                ip_address: &ip_address,
                user_agent: &client.user_agent,
            },
            created_at: now,
            expires_at: row.expires_at,
        };
        rows::insert_refresh_token(&mut tx, &next).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Ends the session of a token that came back, with everything issued in it.
    async fn end_family<T>(&self, row: &Row) -> Result<T> {
        let Self { app, client, .. } = *self;
        let label = if row.successor_is_live { "late_retry" } else { "stale_lineage" };
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
