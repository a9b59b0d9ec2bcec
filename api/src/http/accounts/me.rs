//! `GET /me` and `PATCH /me`: the caller's own account, as it is and as it is to be.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::accounts::user::fault_of_name;
use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::base::error::{Error, Result, Violation};
use crate::base::language::Language;
use crate::base::role::Role;
use crate::http::answer::Success;
use crate::http::body::Body;
use crate::http::our_pages;
use crate::sessions::caller::Caller;
use crate::store::audit::{self, Event, What};
use crate::store::held_rows as held;

/// Answer of `/me`.
#[derive(Serialize, ToSchema)]
pub struct Me {
    user: Account,
    /// Only in cookie mode: what calls that change something must send as `X-CSRF-Token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    csrf_token: Option<String>,
    /// How the user showed who they are (RFC 8176).
    #[schema(example = json!(["pwd"]))]
    amr: Vec<String>,
    /// When they last did, in seconds since 1970: the claim of the access token.
    auth_time: u64,
    /// When the access token expires.
    expires_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct Account {
    id: u64,
    email: String,
    first_name: String,
    last_name: String,
    is_active: bool,
    role: Role,
    /// The language of mails; null: nobody has chosen one, which means English.
    #[schema(value_type = Option<Language>)]
    locale: Option<String>,
    created_at: Timestamp,
}

/// The user behind the access token.
#[utoipa::path(
    get, path = "/me", tag = "Accounts",
    summary = "Shows the caller's account",
    security(("bearer" = [])),
    responses((status = 200, description = "The account", body = Success<Me>)),
)]
pub async fn me(State(app): State<App>, caller: Caller) -> Result<Success<Me>> {
    of(&app, caller).await
}

async fn of(app: &App, caller: Caller) -> Result<Success<Me>> {
    let user = sqlx::query_as!(
        Account,
        r#"select id, email, first_name, last_name, is_active as "is_active: bool",
                  role as "role: Role", locale,
                  created_at as "created_at: Timestamp"
             from users where id = ?"#,
        caller.user_id,
    )
    .fetch_optional(&app.store.pool)
    .await?;
    let csrf_token = our_pages::csrf_token(app, &caller);
    Ok(Success::data(Me {
        user: user.ok_or(Error::DeadToken)?,
        csrf_token,
        amr: caller.amr,
        auth_time: caller.auth_time_s,
        expires_at: Timestamp::from_seconds(caller.expires_at_s),
    }))
}

/// What is to be changed; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = AccountChange)]
pub struct Change {
    /// Shown only to the user.
    #[schema(min_length = 1, max_length = 100, example = "Ada")]
    first_name: Option<String>,
    /// Shown only to the user.
    #[schema(min_length = 1, max_length = 100, example = "Lovelace")]
    last_name: Option<String>,
    /// The language of mails. A region, as in `de-AT`, is left out.
    #[schema(value_type = Option<Language>)]
    locale: Option<String>,
}

/// `PATCH /me`: names, and the language of mails.
#[utoipa::path(
    patch, path = "/me", tag = "Accounts",
    summary = "Changes the caller's names or the language of mails",
    request_body = Change,
    security(("bearer" = [])),
    responses((status = 200, description = "The account as it is now", body = Success<Me>)),
)]
pub async fn change(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Body(change): Body<Change>,
) -> Result<Success<Me>> {
    let change = change.checked()?;
    app.store.repeat(|| make(&app, &client, &caller, &change)).await?;
    of(&app, caller).await
}

/// A change without faults.
struct Checked {
    first_name: Option<String>,
    last_name: Option<String>,
    language: Option<Language>,
}

impl Change {
    /// The same, tidied up, or every fault at once.
    fn checked(self) -> Result<Checked> {
        if self.first_name.is_none() && self.last_name.is_none() && self.locale.is_none() {
            return Err(Error::Malformed(
                "Name what is to change: first_name, last_name or locale.",
            ));
        }
        let mut violations = Vec::new();
        let mut name = |field, given: Option<String>| {
            let given = given.map(|name| name.trim().to_owned());
            violations.extend(given.as_deref().and_then(|name| fault_of_name(field, name)));
            given
        };
        let first_name = name("first_name", self.first_name);
        let last_name = name("last_name", self.last_name);
        let language = self.locale.as_deref().map(Language::of);
        if language == Some(None) {
            let detail = "must be en or de";
            violations.push(Violation::new("locale", "not_a_language", detail));
        }
        if !violations.is_empty() {
            return Err(Error::Unacceptable(violations));
        }
        Ok(Checked { first_name, last_name, language: language.flatten() })
    }
}

async fn make(app: &App, client: &Client, caller: &Caller, change: &Checked) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    held::caller(&mut tx, caller.user_id, &caller.session).await?;
    sqlx::query!(
        "update users
            set first_name = coalesce(?, first_name), last_name = coalesce(?, last_name),
                locale = coalesce(?, locale), updated_at = ?
          where id = ?",
        change.first_name,
        change.last_name,
        change.language.map(Language::as_str),
        now,
        caller.user_id,
    )
    .execute(&mut *tx)
    .await?;
    let event = Event::of(What::UserUpdated, caller.user_id).in_session(caller.session.as_str());
    audit::record(&mut tx, client, now, event).await?;
    Ok(tx.commit().await?)
}
