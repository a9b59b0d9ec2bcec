//! The mail about a login from a device that the account has not been used from (R-50).
//!
//! A device is known by its cookie or by an earlier session with the same fingerprint. The first
//! login to a young account is no news.

use std::time::Duration;

use crate::base::client::Client;
use crate::base::clock::{Clock, Timestamp};
use crate::base::error::Result;
use crate::base::log_targets as log;
use crate::base::session_id::SessionId;
use crate::mail::{Mail, Message, Scene};
use crate::store::database::Store;

/// How long the owner of a new account may take for the first login.
const YOUNG: Duration = Duration::from_hours(24);

/// A login that has just succeeded.
pub(crate) struct Login {
    pub(crate) user_id: u64,
    pub(crate) email: String,
    pub(crate) session: SessionId,
    pub(crate) client: Client,
}

/// Looks and sends after the answer, which waits for neither.
pub(crate) fn tell_later(store: &Store, mail: &Mail, login: Login) {
    let (store, mail) = (store.clone(), mail.clone());
    mail.background().do_later(async move {
        match is_new(&store, &login, &mail.clock()).await {
            Ok(true) => {
                let scene = Scene { device: login.client.device, ip: login.client.ip };
                mail.send_later(login.email, Message::NewDevice(scene));
            }
            Ok(false) => {}
            Err(cause) => tracing::error!(
                target: log::NEW_DEVICE,
                ?cause,
                "could not determine whether a device is new"
            ),
        }
    });
}

async fn is_new(store: &Store, login: &Login, clock: &Clock) -> Result<bool> {
    let known = sqlx::query!(
        r#"select count(*) as "sessions!: i64",
                  coalesce(sum(json_unquote(json_extract(s.device_info, '$.fingerprint')) = ?), 0) > 0
                      as "seen!: bool",
                  (select created_at from users where id = ?) as "joined: Timestamp"
             from user_sessions s
            where s.user_id = ? and s.id <> ?"#,
        login.client.device.fingerprint,
        login.user_id,
        login.user_id,
        login.session,
    )
    .fetch_one(&store.pool)
    .await?;
    let young = known.joined.is_some_and(|joined| clock.now().since(joined) < YOUNG);
    let first_ever = known.sessions == 0 && young;
    Ok(!known.seen && !first_ever)
}
