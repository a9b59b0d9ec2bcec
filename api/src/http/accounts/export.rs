//! `GET /me/export`: everything that is kept about the caller, in one JSON document, after a recent
//! login.
//!
//! A trail may be long, so it is written while it is read, a page at a time: neither MySQL nor this
//! instance ever holds all of it. An export that breaks off is no JSON document.

mod account;
mod rows;

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::mpsc::{Sender, channel};
use utoipa::ToSchema;

use crate::App;
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::http::answer::Success;
use crate::http::caller::must_have_logged_in_lately;
use crate::sessions::caller::Caller;
use crate::store::audit::{self, Event, What};
use account::Account;
use rows::{Mail, MailedToken, Recorded, RefreshToken, Revocation, Row, Session};

/// How many pages wait for a client that reads slowly, and for how long.
const PAGES_AHEAD: usize = 2;
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything that is kept about the caller. Not in it: the password's hash, tokens and their digests,
/// which would let whoever reads it in, and the addresses of administrators, which are theirs.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is written piece by piece; this describes the whole")]
pub struct Export {
    account: Account,
    /// Sessions, those that have ended included, until they are cleaned up.
    sessions: Vec<Session>,
    refresh_tokens: Vec<RefreshToken>,
    /// Tokens that were revoked.
    revocations: Vec<Revocation>,
    /// Links that were mailed to verify the address or to reset the password.
    mailed_tokens: Vec<MailedToken>,
    /// Mails that wait or were sent lately.
    mails: Vec<Mail>,
    /// What the audit trail says about the caller, and what the caller did to others.
    audit_events: Vec<Recorded>,
}

/// Writes the export.
#[utoipa::path(
    get, path = "/me/export", tag = "Accounts",
    summary = "Exports everything that is kept about the caller",
    description = "After a recent login. The answer is as long as the records are; one that breaks off \
                   is not a JSON document.",
    security(("bearer" = [])),
    responses((
        status = 200,
        description = "Everything that is kept about the caller",
        body = Success<Export>,
        headers(("Content-Disposition" = String, description = "Names the document as a file")),
    )),
    extensions(("x-problems" = json!("insufficient_user_authentication")))
)]
pub async fn export(State(app): State<App>, client: Client, caller: Caller) -> Result<Response> {
    must_have_logged_in_lately(&app, &caller)?;
    let user_id = caller.user_id;
    let account = Account::of(&app.store, user_id).await?.ok_or(Error::DeadToken)?;
    let event = Event::of(What::UserExported, user_id).in_session(caller.session.as_str());
    audit::record_alone(&app.store.pool, &client, app.clock.now(), event).await?;
    let (pages, mut written) = channel::<Result<Bytes, &'static str>>(PAGES_AHEAD);
    let background = app.background.clone();
    background.spawn(async move {
        let stop = app.background.stop.clone();
        let writer = Writer { app, user_id, pages: pages.clone() };
        if !matches!(stop.run_until_cancelled(writer.write(&account)).await, Some(Ok(()))) {
            // Closes the connection, so that nobody takes what there is for the whole.
            drop(pages.try_send(Err("the export broke off")));
        }
    });
    let body = Body::from_stream(stream::poll_fn(move |context| written.poll_recv(context)));
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CONTENT_DISPOSITION, "attachment; filename=\"export.json\""),
    ];
    Ok((headers, body).into_response())
}

struct Writer {
    app: App,
    user_id: u64,
    pages: Sender<Result<Bytes, &'static str>>,
}

impl Writer {
    async fn write(&self, account: &Account) -> anyhow::Result<()> {
        let account = serde_json::to_string(account)?;
        self.send(format!(r#"{{"status":"success","data":{{"account":{account}"#)).await?;
        self.list::<Session>("sessions").await?;
        self.list::<RefreshToken>("refresh_tokens").await?;
        self.list::<Revocation>("revocations").await?;
        self.list::<MailedToken>("mailed_tokens").await?;
        self.list::<Mail>("mails").await?;
        self.list::<Recorded>("audit_events").await?;
        self.send("}}".to_owned()).await
    }

    async fn list<R: Row + Serialize>(&self, name: &str) -> anyhow::Result<()> {
        self.send(format!(r#","{name}":["#)).await?;
        let (mut after, mut comma) = (R::Key::default(), "");
        loop {
            let page = R::page(&self.app.store.pool, self.user_id, &after);
            let page = self.app.store.in_time(page).await?;
            let Some(last) = page.last() else { break };
            after = last.key();
            let mut text = String::new();
            for row in &page {
                text.push_str(std::mem::replace(&mut comma, ","));
                text.push_str(&serde_json::to_string(row)?);
            }
            self.send(text).await?;
        }
        self.send("]".to_owned()).await
    }

    async fn send(&self, text: String) -> anyhow::Result<()> {
        Ok(self.pages.send_timeout(Ok(text.into()), PATIENCE).await?)
    }
}
