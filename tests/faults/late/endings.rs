//! How people end a session through an instance that nothing is wrong with, and what may happen to
//! Redis about then.

use std::time::Duration;

use portcullis_tests::{Answer, Login, PASSWORD, send};
use reqwest::Method;
use serde_json::json;

use super::cast::{ADMIN, Cast};
use crate::outside::email;
use crate::talk::eventually;

/// Who ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The same person, on another device.
    OwnOtherSession,
    /// The same person, everywhere.
    OwnLogoutOfAll,
    Administrator,
    PasswordReset,
    LogoutOfEverybody,
}

pub(crate) const EVERY_WAY: [By; 5] = [
    By::OwnOtherSession,
    By::OwnLogoutOfAll,
    By::Administrator,
    By::PasswordReset,
    By::LogoutOfEverybody,
];

impl By {
    /// Whether the person's other session lives on.
    pub(crate) fn spares_others(self) -> bool {
        self == Self::OwnOtherSession
    }

    /// Ends the session and waits until that is confirmed.
    pub(crate) async fn end(self, cast: &Cast<'_>, person: usize, other: &Login, session: &str) {
        let client = &cast.other.client;
        let answer = match self {
            Self::OwnOtherSession => {
                client.delete_as(&other.access, &format!("/sessions/{session}")).await
            }
            Self::OwnLogoutOfAll => {
                client.post_as(&other.access, "/logout", json!({ "logout_all": true })).await
            }
            Self::Administrator => {
                let admin = cast.log_in(ADMIN).await;
                let path = format!("/admin/users/{}/sessions", other.user_id);
                client.delete_as(&admin.access, &path).await
            }
            Self::PasswordReset => reset(cast, person).await,
            Self::LogoutOfEverybody => {
                let admin = cast.log_in(ADMIN).await;
                client.post_as(&admin.access, "/admin/logout-everyone", json!({})).await
            }
        };
        cast.is_confirmed(&answer);
    }
}

/// With the mailed token, to the password that everybody has.
async fn reset(cast: &Cast<'_>, person: usize) -> Answer {
    let address = email(person);
    cast.other.client.post("/forgot-password", json!({ "email": address })).await.must_be(200);
    let of_the_kind = |mail: &String| mail.contains(&address) && mail.contains("Choose a new");
    let mailed = || cast.other.mails().into_iter().rfind(of_the_kind);
    eventually("the mail is there", async || mailed().is_some());
    let mail = mailed().unwrap();
    let words = mail.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
    let token = words.max_by_key(|word| word.len()).unwrap();
    let body = json!({ "token": token, "new_password": PASSWORD });
    send(cast.other.client.request(Method::POST, "/reset-password").json(&body)).await
}

/// What happens to Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meanwhile {
    Nothing,
    /// Before the session ends.
    FlushedBefore,
    FlushedAfter,
    DeletedAfter,
    RestartedAfter,
    /// The route stays cut for a while.
    Cut(Duration),
}

pub(crate) const EVERY_MISHAP: [Meanwhile; 5] = [
    Meanwhile::Nothing,
    Meanwhile::FlushedBefore,
    Meanwhile::FlushedAfter,
    Meanwhile::DeletedAfter,
    Meanwhile::RestartedAfter,
];

impl Meanwhile {
    pub(crate) fn before(self, cast: &Cast<'_>) {
        if self == Self::FlushedBefore {
            cast.flush();
        }
    }

    pub(crate) fn after(self, cast: &mut Cast<'_>, user_id: u64) {
        match self {
            Self::Nothing | Self::FlushedBefore => {}
            Self::Cut(length) => cast.time_passes(length),
            Self::FlushedAfter => cast.flush(),
            Self::DeletedAfter => {
                let mut delete = redis::cmd("DEL");
                delete.arg(format!("user:{user_id}")).exec(&mut cast.redis.connection()).unwrap();
            }
            Self::RestartedAfter => {
                cast.redis.stop();
                cast.redis.start_again();
                cast.settles();
            }
        }
    }

    /// A server that has started anew knows nothing of connections to the one before.
    pub(crate) fn lets_late_ones_in(self) -> bool {
        self != Self::RestartedAfter
    }
}
