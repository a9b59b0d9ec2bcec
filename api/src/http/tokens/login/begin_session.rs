//! From a password to a session.

use axum::http::HeaderMap;

use super::account::{Attempted, Stored, check_again, check_password, refused};
use crate::App;
use crate::accounts::new_device;
use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::base::error::Result;
use crate::base::role::Role;
use crate::base::session_id::SessionId;
use crate::http::caller::bearer;
use crate::http::cookies;
use crate::http::held_sessions::in_cookies;
use crate::ledger::change::Propagation;
use crate::ledger::fence::Fence;
use crate::mail::queue::Caused;
use crate::mail::{Kind, Scene};
use crate::sessions::deed::Deed;
use crate::sessions::ending::Reason;
use crate::sessions::opening::Opened;
use crate::store::audit::{Event, What};
use crate::store::held_rows::{self as held, Checked};

/// A login that is done.
pub(super) struct Begun {
    pub(super) user: Stored,
    pub(super) role: Role,
    pub(super) now: Timestamp,
    pub(super) opened: Opened,
    pub(super) propagation: Propagation,
}

/// Begins a session if the password is good, and still is when the session begins: hashing takes
/// its time, and whoever changes a password wants everybody out who had the old one.
pub(super) async fn begin(
    app: &App,
    client: &Client,
    headers: &HeaderMap,
    attempted: Attempted<'_>,
) -> Result<Option<Begun>> {
    // Asked for now, a fence costs no time: whatever ends the session comes after it.
    let (checked, fence) =
        tokio::join!(check_password(app, client, &attempted), app.ledgers.fence());
    let (Some(mut user), fence) = (checked?, fence.ok()) else { return Ok(None) };
    let cookie = cookies::value(headers, cookies::DEVICE);
    let asked = Asked {
        presented: presented_sessions(app, headers, user.id).await,
        fence,
        may_be_news: app.settings.accounts.notify_new_device
            && !app.limits.knows(&user.email, cookie),
    };
    loop {
        let begun = app.store.repeat(|| begin_session(app, client, &asked, &user));
        let in_force = match begun.await? {
            Checked::Replaced(in_force) => in_force,
            Checked::Done(Some((role, now, opened, propagation))) => {
                return Ok(Some(Begun { user, role, now, opened, propagation }));
            }
            Checked::Done(None) => {
                refused(app, client, Some(user.id)).await?;
                return Ok(None);
            }
        };
        let checked = check_again(app, client, user, in_force, &attempted).await?;
        let Some(still) = checked else { return Ok(None) };
        user = still;
    }
}

/// What is known of a login before its session begins.
struct Asked {
    presented: Vec<SessionId>,
    fence: Option<Fence>,
    /// Whether the owner may have to be told of it.
    may_be_news: bool,
}

/// Begins a session in place of those that the client may still hold, and tells when it began;
/// none, if the user may not log in any more.
async fn begin_session(
    app: &App,
    client: &Client,
    asked: &Asked,
    user: &Stored,
) -> Result<Checked<Option<(Role, Timestamp, Opened, Propagation)>>> {
    let mut tx = app.store.begin().await?;
    let held = held::user(&mut tx, user.id).await?;
    let Some(held) =
        held.filter(|held| held.may_log_in(!app.settings.accounts.email_verification_required))
    else {
        return Ok(Checked::Done(None));
    };
    if held.password_hash != user.password_hash {
        return Ok(Checked::Replaced(held.password_hash));
    }
    let deed = Deed::within(tx, &app.ledgers, client, user.id);
    let mut deed = deed.behind(asked.fence.clone());
    if !asked.presented.is_empty() {
        deed.end(&asked.presented, Reason::Replaced).await?;
    }
    let now = deed.at;
    if asked.may_be_news && new_device::is_new(&mut deed.tx, user.id, client, now).await? {
        let mail = Caused::notice(Kind::NewDevice, user.id, &user.email, Scene::of(client));
        app.mails.put(&mut deed.tx, now, mail).await?;
    }
    let begun = held.next_beginning(&mut deed.tx, now).await?;
    let opened = deed.open(&app.opening, begun).await?;
    let event = Event::of(What::LoginSucceeded, user.id).in_session(opened.session.as_str());
    let propagation = deed.commit(event).await?;
    Ok(Checked::Done(Some((held.role, now, opened, propagation))))
}

/// The sessions of the tokens that came with the login, as far as they are the same user's.
async fn presented_sessions(app: &App, headers: &HeaderMap, user_id: u64) -> Vec<SessionId> {
    let mut presented = in_cookies(app, headers).await.unwrap_or_default();
    if let Ok(Some(token)) = bearer(headers)
        && let Ok(caller) = app.bearer.check(token).await
    {
        presented.push(caller.into());
    }
    let own = presented.into_iter().filter(|held| held.user_id == user_id);
    let mut own: Vec<SessionId> = own.map(|held| held.session).collect();
    own.sort_unstable();
    own.dedup();
    own
}
