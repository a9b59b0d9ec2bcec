//! How sessions begin: at a login, and in place of the old one at a change of password.
//!
//! The user's row is held, so that no number of parallel logins leaves more sessions than the cap:
//! the least recently used ones beyond it end in the same transaction.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::ending::{self, Ending, Reason};
use super::live;
use super::rows::{self, NewRefreshToken, NewSession, Source};
use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::base::error::Result;
use crate::base::last_use::Uses;
use crate::base::random::Random;
use crate::base::session_id::SessionId;
use crate::ledger::change::{Change, device_text};
use crate::metrics;
use crate::settings::Settings;
use crate::store::standing::standing;
use crate::store::transaction::Transaction;
use crate::tokens::derived::RefreshKeys;
use crate::tokens::place::Place;
use crate::tokens::secret::RefreshToken;

/// Begins sessions.
pub struct Opening {
    random: Random,
    uses: Arc<Uses>,
    keys: Arc<RefreshKeys>,
    /// Whether refresh tokens are of the earlier form.
    in_earlier_form: bool,
    lifetime: Duration,
    idle_timeout_s: u32,
    /// How many a user may have.
    most: u32,
}

/// A session that has just begun.
pub(crate) struct Opened {
    pub(crate) session: SessionId,
    pub(crate) refresh: RefreshToken,
    place: Option<Place>,
    pub(crate) expires_at: Timestamp,
}

/// Whose session begins, where and when.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    pub(super) user_id: u64,
    pub(super) client: &'a Client,
    /// The present: everything that lasts is measured from here.
    pub(super) now: Timestamp,
    /// What the session counts as begun at (`held_rows::User::next_beginning`).
    pub(super) created_at: Timestamp,
}

impl Opening {
    /// As the settings say.
    pub(crate) fn new(
        settings: &Settings,
        random: Random,
        uses: Arc<Uses>,
        keys: Arc<RefreshKeys>,
    ) -> Self {
        Self {
            random,
            uses,
            keys,
            in_earlier_form: settings.tokens.refresh_token_earlier_form,
            lifetime: settings.session_lifetime(),
            idle_timeout_s: settings.sessions.idle_timeout_s(),
            most: settings.sessions.max_sessions_per_user.into(),
        }
    }

    /// Begins a session of a user whose row is held.
    pub(super) async fn open(
        &self,
        tx: &mut Transaction,
        start: Start<'_>,
        changes: &mut Vec<Change>,
    ) -> Result<Opened> {
        self.make_room(tx, start, changes).await?;
        let place = (!self.in_earlier_form).then(|| Place::first(&self.random));
        let opened = Opened {
            session: SessionId::random(&self.random),
            refresh: place
                .map_or_else(|| RefreshToken::random(&self.random), |place| self.keys.token(place)),
            place,
            expires_at: start.now.plus(self.lifetime),
        };
        // The first in its row, where its device is found when its user is deleted (`store/erasure.rs`).
        changes.insert(0, self.write(tx, start, &opened).await?);
        tx.once_committed(metrics::session_created);
        Ok(opened)
    }

    /// Ends the least recently used sessions, so that one more keeps within the cap.
    async fn make_room(
        &self,
        tx: &mut Transaction,
        start: Start<'_>,
        changes: &mut Vec<Change>,
    ) -> Result<()> {
        let Start { user_id, client, now, .. } = start;
        let beyond = self.most.saturating_sub(1) as usize;
        let mut others = standing!(query!(
            r#"select s.id as "id: SessionId", s.last_activity as "last_used: Timestamp",
                      s.created_at as "created_at: Timestamp", s.idle_timeout_s
                 from user_sessions s where s.user_id = ? and "#
                + STANDING,
            user_id,
            now,
        ))
        .fetch_all(&mut **tx)
        .await?;
        for other in &mut others {
            other.last_used = self.uses.last_used(other.id.as_str(), other.last_used);
        }
        // An idle one takes nobody's place, and is not ended: it may be in use elsewhere.
        others.retain(|it| live::is_in_use(it.last_used, it.idle_timeout_s, now));
        others.sort_by(|a, b| {
            (b.last_used, b.created_at, &b.id).cmp(&(a.last_used, a.created_at, &a.id))
        });
        let evicted: Vec<SessionId> = others.into_iter().skip(beyond).map(|it| it.id).collect();
        if !evicted.is_empty() {
            let ending = Ending { reason: Reason::Evicted, at: now, client };
            ending::end(tx, user_id, &evicted, ending, changes).await?;
        }
        Ok(())
    }

    /// Writes its rows, and tells what its ledger must be told.
    async fn write(
        &self,
        tx: &mut Transaction,
        start: Start<'_>,
        opened: &Opened,
    ) -> Result<Change> {
        let Start { user_id, client, now, created_at } = start;
        let Opened { session, refresh, place, expires_at } = opened;
        let (idle_timeout_s, expires_at) = (self.idle_timeout_s, *expires_at);
        let ip_address = client.ip.to_string();
        let source = Source {
            device: &client.device,
            ip_address: &ip_address,
            user_agent: &client.user_agent,
        };
        let row = NewSession {
            id: session,
            user_id,
            source,
            last_activity: now,
            created_at,
            authenticated_at: now,
            expires_at,
            idle_timeout_s,
        };
        rows::insert_session(tx, &row).await?;
        let row = NewRefreshToken {
            digest: refresh.digest(),
            user_id,
            session,
            parent: None,
            reference: place.map(|place| place.reference),
            source,
            created_at: now,
            expires_at,
        };
        rows::insert_refresh_token(tx, &row).await?;
        Ok(Change::Create {
            session: session.clone(),
            created_at,
            seen_at: None,
            expires_at,
            idle_s: idle_timeout_s,
            device: device_text(&json!(client.device).to_string(), &ip_address),
        })
    }
}
