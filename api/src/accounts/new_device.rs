//! The mail about a login from a device that the account has not been used from (R-50).
//!
//! A device is known by its cookie or by an earlier session with the same fingerprint. The first
//! login to a young account is no news.

use std::time::Duration;

use crate::App;
use crate::base::client::Client;
use crate::base::clock::UnixMs;
use crate::base::error::Result;
use crate::base::log;
use crate::base::session_id::SessionId;
use crate::mail::{Message, Scene};

/// How long the owner of a new account may take for the first login.
const YOUNG: Duration = Duration::from_hours(24);

/// Looks and sends after the answer, which waits for neither.
pub(crate) fn tell_later(
    app: &App,
    client: &Client,
    user_id: u64,
    email: String,
    session: SessionId,
) {
    let (app, client) = (app.clone(), client.clone());
    app.clone().background.do_later(async move {
        match is_new(&app, &client, user_id, &session).await {
            Ok(true) => {
                let scene = Scene { device: client.device, ip: client.ip };
                app.mail.send_later(email, Message::NewDevice(scene));
            }
            Ok(false) => {}
            Err(cause) => tracing::error!(
                target: log::NEW_DEVICE,
                ?cause,
                "nobody can tell whether a device is new"
            ),
        }
    });
}

async fn is_new(app: &App, client: &Client, user_id: u64, session: &SessionId) -> Result<bool> {
    let known = sqlx::query!(
        r#"select count(*) as "sessions!: i64",
                  coalesce(sum(json_unquote(json_extract(s.device_info, '$.fingerprint')) = ?), 0) > 0
                      as "seen!: bool",
                  (select created_at from users where id = ?) as "joined: UnixMs"
             from user_sessions s
            where s.user_id = ? and s.id <> ?"#,
        client.device.fingerprint,
        user_id,
        user_id,
        session,
    )
    .fetch_one(&app.store.pool)
    .await?;
    let young = known.joined.is_some_and(|joined| app.clock.now().since(joined) < YOUNG);
    let first_ever = known.sessions == 0 && young;
    Ok(!known.seen && !first_ever)
}
