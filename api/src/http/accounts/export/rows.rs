//! What is exported, table by table, in pages by key.

use serde::Serialize;
use serde_json::Value;
use sqlx::MySqlPool;
use sqlx::types::Json;
use utoipa::ToSchema;

use crate::base::clock::Timestamp;

/// How many rows are read at a time.
const PAGE: u32 = 500;

/// A row that can be read in pages.
pub(super) trait Row: Sized {
    /// By what the pages are ordered; the default comes before every row.
    type Key: Default;

    fn key(&self) -> Self::Key;

    async fn page(db: &MySqlPool, user_id: u64, after: &Self::Key) -> sqlx::Result<Vec<Self>>;
}

#[derive(Serialize, ToSchema)]
#[schema(as = ExportedSession)]
pub(super) struct Session {
    id: String,
    #[schema(value_type = Object)]
    device_info: Json<Value>,
    ip_address: String,
    /// Of the last request; null: none since the login.
    last_ip_address: Option<String>,
    user_agent: String,
    is_active: bool,
    last_activity: Timestamp,
    created_at: Timestamp,
    authenticated_at: Timestamp,
    expires_at: Timestamp,
    /// 0: no limit.
    idle_timeout_s: u32,
    ended_at: Option<Timestamp>,
    ended_reason: Option<String>,
}

impl Row for Session {
    type Key = String;

    fn key(&self) -> String {
        self.id.clone()
    }

    async fn page(db: &MySqlPool, user_id: u64, after: &String) -> sqlx::Result<Vec<Self>> {
        sqlx::query_as!(
            Self,
            r#"select s.id, s.device_info as "device_info: Json<Value>", s.ip_address,
                      s.last_ip_address, s.user_agent,
                      (s.is_active and e.id is null) as "is_active!: bool",
                      s.last_activity as "last_activity: Timestamp",
                      s.created_at as "created_at: Timestamp",
                      s.authenticated_at as "authenticated_at: Timestamp",
                      s.expires_at as "expires_at: Timestamp", s.idle_timeout_s,
                      coalesce(s.ended_at, e.ended_at) as "ended_at: Timestamp",
                      coalesce(s.ended_reason, if(e.id is null, null, 'admin')) as ended_reason
                 from user_sessions s
                 left join everybody e on e.id = 1 and e.tokens_valid_after >= s.created_at
                where s.user_id = ? and s.id > ? order by s.id limit ?"#,
            user_id,
            after,
            PAGE,
        )
        .fetch_all(db)
        .await
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ExportedRefreshToken)]
pub(super) struct RefreshToken {
    id: u64,
    session_id: String,
    #[schema(value_type = Object)]
    device_info: Json<Value>,
    ip_address: String,
    user_agent: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    /// How often it was exchanged for the next, which took its place.
    generation: u32,
    /// When that was last.
    last_used_at: Option<Timestamp>,
    /// Only of tokens in their earlier form, each of which stands by itself.
    spent_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl Row for RefreshToken {
    type Key = u64;

    fn key(&self) -> u64 {
        self.id
    }

    async fn page(db: &MySqlPool, user_id: u64, after: &u64) -> sqlx::Result<Vec<Self>> {
        sqlx::query_as!(
            Self,
            r#"select id, session_id, device_info as "device_info: Json<Value>", ip_address,
                      user_agent, created_at as "created_at: Timestamp",
                      expires_at as "expires_at: Timestamp", generation,
                      last_used_at as "last_used_at: Timestamp", spent_at as "spent_at: Timestamp",
                      revoked_at as "revoked_at: Timestamp"
                 from refresh_tokens where user_id = ? and id > ? order by id limit ?"#,
            user_id,
            after,
            PAGE,
        )
        .fetch_all(db)
        .await
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ExportedRevocation)]
pub(super) struct Revocation {
    id: u64,
    token_type: String,
    reason: String,
    blacklisted_at: Timestamp,
    token_expiry: Timestamp,
    session_id: Option<String>,
    #[schema(value_type = Option<Object>)]
    device_info: Option<Json<Value>>,
    ip_address: Option<String>,
}

impl Row for Revocation {
    type Key = u64;

    fn key(&self) -> u64 {
        self.id
    }

    async fn page(db: &MySqlPool, user_id: u64, after: &u64) -> sqlx::Result<Vec<Self>> {
        sqlx::query_as!(
            Self,
            r#"select id, token_type, reason, blacklisted_at as "blacklisted_at: Timestamp",
                      token_expiry as "token_expiry: Timestamp", session_id,
                      device_info as "device_info: Json<Value>", ip_address
                 from token_blacklist_enhanced
                where user_id = ? and id > ? order by id limit ?"#,
            user_id,
            after,
            PAGE,
        )
        .fetch_all(db)
        .await
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ExportedMailedToken)]
pub(super) struct MailedToken {
    id: u64,
    purpose: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    used_at: Option<Timestamp>,
}

impl Row for MailedToken {
    type Key = u64;

    fn key(&self) -> u64 {
        self.id
    }

    async fn page(db: &MySqlPool, user_id: u64, after: &u64) -> sqlx::Result<Vec<Self>> {
        sqlx::query_as!(
            Self,
            r#"select id, purpose, created_at as "created_at: Timestamp",
                      expires_at as "expires_at: Timestamp", used_at as "used_at: Timestamp"
                 from email_tokens where user_id = ? and id > ? order by id limit ?"#,
            user_id,
            after,
            PAGE,
        )
        .fetch_all(db)
        .await
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ExportedMail)]
pub(super) struct Mail {
    id: u64,
    kind: String,
    recipient: String,
    /// Device and address that it tells of, until it is sent.
    #[schema(value_type = Option<Object>)]
    scene: Option<Json<Value>>,
    created_at: Timestamp,
    /// When it was sent or given up.
    settled_at: Option<Timestamp>,
    outcome: Option<String>,
}

impl Row for Mail {
    type Key = u64;

    fn key(&self) -> u64 {
        self.id
    }

    async fn page(db: &MySqlPool, user_id: u64, after: &u64) -> sqlx::Result<Vec<Self>> {
        sqlx::query_as!(
            Self,
            r#"select id, kind, recipient, scene as "scene: Json<Value>",
                      created_at as "created_at: Timestamp",
                      settled_at as "settled_at: Timestamp", outcome
                 from mails
                where (user_id = ? or recipient = (select email from users where id = ?)) and id > ?
                order by id limit ?"#,
            user_id,
            user_id,
            after,
            PAGE,
        )
        .fetch_all(db)
        .await
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ExportedEvent)]
pub(super) struct Recorded {
    id: u64,
    at: Timestamp,
    event: String,
    /// Whom it concerns: the caller, or whoever an administrator acted on.
    user_id: Option<u64>,
    session_id: Option<String>,
    ip_address: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    #[schema(value_type = Object)]
    detail: Json<Value>,
}

impl Row for Recorded {
    type Key = u64;

    fn key(&self) -> u64 {
        self.id
    }

    async fn page(db: &MySqlPool, user_id: u64, after: &u64) -> sqlx::Result<Vec<Self>> {
        sqlx::query_as!(
            Self,
            r#"select id, at as "at: Timestamp", event, user_id, session_id,
                      if(coalesce(by_user_id, ?) = ?, ip_address, null) as ip_address,
                      if(coalesce(by_user_id, ?) = ?, user_agent, null) as user_agent,
                      request_id, detail as "detail: Json<Value>"
                 from (select * from
                         (select * from audit_events where user_id = ? and id > ?
                           order by id limit ?) about
                       union all
                       select * from
                         (select * from audit_events where by_user_id = ? and id > ? and not (user_id <=> ?)
                           order by id limit ?) deeds) events
                order by id limit ?"#,
            user_id,
            user_id,
            user_id,
            user_id,
            user_id,
            after,
            PAGE,
            user_id,
            after,
            user_id,
            PAGE,
            PAGE,
        )
        .fetch_all(db)
        .await
    }
}
