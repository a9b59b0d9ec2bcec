//! How sessions begin: at a login, and in place of the old one at a change of password.
//!
//! The user's row is held, so that no number of parallel logins leaves more sessions than the cap:
//! the least recently used ones beyond it end in the same transaction.

use serde_json::json;
use sqlx::MySqlConnection;
use sqlx::types::Json;

use crate::App;
use crate::base::client::Client;
use crate::base::clock::UnixMs;
use crate::base::device::Device;
use crate::base::error::Result;
use crate::base::session_id::SessionId;
use crate::ledger::change::Change;
use crate::ledger::outbox;
use crate::metrics;
use crate::sessions::ending::{self, Ending, Reason};
use crate::sessions::live;
use crate::store::standing::standing;
use crate::store::transaction::Transaction;
use crate::tokens::secret::RefreshToken;

/// A session that has just begun.
pub(crate) struct Opened {
    pub(crate) session: SessionId,
    pub(crate) refresh: RefreshToken,
    pub(crate) expires_at: UnixMs,
}

/// When a session begins.
#[derive(Clone, Copy)]
pub(crate) struct Beginning {
    /// The present: everything that lasts is measured from here.
    pub(crate) now: UnixMs,
    /// What the session counts as begun at (`held::User::next_beginning`).
    pub(crate) created_at: UnixMs,
}

/// Begins a session of a user whose row is held.
pub(crate) async fn open(
    app: &App,
    tx: &mut Transaction,
    user_id: u64,
    client: &Client,
    beginning: Beginning,
) -> Result<Opened> {
    make_room(app, tx, user_id, client, beginning.now).await?;
    let opened = Opened {
        session: SessionId::random(&app.random),
        refresh: RefreshToken::random(&app.random),
        expires_at: beginning.now.plus(app.settings.session_lifetime()),
    };
    insert_session(app, tx, user_id, client, (&opened, beginning)).await?;
    insert_refresh_token(tx, user_id, client, (&opened, beginning.now)).await?;
    tx.once_committed(metrics::session_created);
    Ok(opened)
}

/// Ends the least recently used sessions, so that one more keeps within the cap.
async fn make_room(
    app: &App,
    tx: &mut Transaction,
    user_id: u64,
    client: &Client,
    now: UnixMs,
) -> Result<()> {
    let beyond = app.settings.sessions.max_sessions_per_user.saturating_sub(1) as usize;
    let mut others = standing!(query!(
        r#"select s.id as "id: SessionId", s.last_activity as "last_used: UnixMs",
                  s.created_at as "created_at: UnixMs", s.idle_timeout_s
             from user_sessions s where s.user_id = ? and "#
            + STANDING,
        user_id,
        now,
    ))
    .fetch_all(&mut **tx)
    .await?;
    for other in &mut others {
        other.last_used = app.ledgers.uses.last_used(other.id.as_str(), other.last_used);
    }
    // An idle one takes nobody's place, and is not ended: it may be in use elsewhere.
    others.retain(|it| live::is_in_use(it.last_used, it.idle_timeout_s, now));
    others.sort_by(|a, b| {
        (b.last_used, b.created_at, &b.id).cmp(&(a.last_used, a.created_at, &a.id))
    });
    let evicted: Vec<SessionId> = others.into_iter().skip(beyond).map(|it| it.id).collect();
    if !evicted.is_empty() {
        let ending = Ending { reason: Reason::Evicted, at: now, client };
        ending::end(tx, user_id, &evicted, ending).await?;
    }
    Ok(())
}

async fn insert_session(
    app: &App,
    tx: &mut MySqlConnection,
    user_id: u64,
    client: &Client,
    (opened, Beginning { now, created_at }): (&Opened, Beginning),
) -> Result<()> {
    let idle_s = app.settings.sessions.idle_timeout_s();
    sqlx::query!(
        "insert into user_sessions
            (id, user_id, device_info, ip_address, user_agent, last_activity, created_at,
             authenticated_at, expires_at, idle_timeout_s)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        opened.session,
        user_id,
        Json(&client.device),
        client.ip.to_string(),
        client.user_agent,
        now,
        created_at,
        now,
        opened.expires_at,
        idle_s,
    )
    .execute(&mut *tx)
    .await?;
    let Device { browser, os, device, .. } = &client.device;
    let change = Change::Create {
        session: opened.session.clone(),
        created_at,
        seen_at: None,
        expires_at: opened.expires_at,
        idle_s,
        device: json!({ "browser": browser, "os": os, "device": device, "ip": client.ip })
            .to_string(),
    };
    outbox::add(tx, user_id, &[change], now).await?;
    Ok(())
}

async fn insert_refresh_token(
    tx: &mut MySqlConnection,
    user_id: u64,
    client: &Client,
    (opened, now): (&Opened, UnixMs),
) -> Result<()> {
    let digest = opened.refresh.digest();
    sqlx::query!(
        "insert into refresh_tokens
            (user_id, session_id, token_hash, device_info, ip_address, user_agent, created_at,
             expires_at)
         values (?, ?, ?, ?, ?, ?, ?, ?)",
        user_id,
        opened.session,
        digest.as_bytes().as_slice(),
        Json(&client.device),
        client.ip.to_string(),
        client.user_agent,
        now,
        opened.expires_at,
    )
    .execute(tx)
    .await?;
    Ok(())
}
