//! Whether a mail is still wanted when it is about to leave, and what it then says.

use std::time::Duration;

use sqlx::MySqlConnection;
use sqlx::types::Json;

use super::Outgoing;
use crate::accounts::email_change;
use crate::accounts::email_token::{Issue, Purpose, issue};
use crate::base::clock::Timestamp;
use crate::base::log_targets as log;
use crate::mail::queue::Waiting;
use crate::mail::{Kind, Message};
use crate::store::held_rows as held;
use crate::tokens::secret::EmailToken;

/// In which the mails of an account are counted.
const HOUR: Duration = Duration::from_hours(1);
/// A registration that is repeated this soon is the same one: a second click, an impatient client.
const SAME: Duration = Duration::from_mins(10);

impl Outgoing {
    /// What a mail says; none if there is no account that wants it.
    pub(super) async fn wanted(&self, mail: &Waiting, kind: Kind) -> sqlx::Result<Option<Message>> {
        let scene = mail.scene.clone().map(|Json(scene)| scene);
        match kind {
            Kind::PasswordChanged => Ok(scene.map(Message::PasswordChanged)),
            Kind::TokenReuse => Ok(scene.map(Message::TokenReuse)),
            Kind::NewDevice => Ok(scene.map(Message::NewDevice)),
            Kind::VerifyEmail
            | Kind::AlreadyRegistered
            | Kind::ResetPassword
            | Kind::ConfirmOldEmail
            | Kind::ConfirmNewEmail => self.store.in_time(self.admitted(mail, kind)).await,
        }
    }

    /// What anybody can have mailed to an account that they only know the address of.
    async fn admitted(&self, mail: &Waiting, kind: Kind) -> sqlx::Result<Option<Message>> {
        let Some(user_id) = self.addressee(mail).await? else { return Ok(None) };
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let Some(user) = held::user(&mut tx, user_id).await?.filter(|user| user.is_active) else {
            return Ok(None);
        };
        let is_pointless = kind == Kind::VerifyEmail && user.email_is_verified;
        if is_pointless
            || (mail.admitted_at.is_none() && !self.admits(&mut tx, mail, user_id).await?)
        {
            return Ok(None);
        }
        if kind == Kind::AlreadyRegistered
            && is_repeated(&mut tx, mail, user_id, user.email_is_verified).await?
        {
            return Ok(None);
        }
        let mut purpose = self.purpose(kind);
        let mut new_email = String::new();
        if matches!(kind, Kind::ConfirmOldEmail | Kind::ConfirmNewEmail) {
            let Some(new) = change_that_waits(&mut tx, mail, kind, user_id).await? else {
                return Ok(None);
            };
            if kind == Kind::ConfirmNewEmail && is_taken(&mut tx, &new).await? {
                purpose = None;
            }
            new_email = new;
        }
        let (message, token) = match purpose {
            None => (Message::AlreadyRegistered, None),
            Some((purpose, lasts)) => {
                let token = EmailToken::derived(&self.key, &mail.reference);
                let about = Issue { user_id, purpose, token: &token, now, lasts };
                let Some(id) = issue(&mut tx, &about, mail.email_token_id).await? else {
                    return Ok(None);
                };
                let message = match purpose {
                    Purpose::VerifyEmail => Message::Verify { token },
                    Purpose::ResetPassword => Message::ResetPassword { token },
                    Purpose::ConfirmOldEmail => Message::ConfirmOldEmail { token, new_email },
                    Purpose::ConfirmNewEmail => Message::ConfirmNewEmail { token, new_email },
                };
                (message, Some(id))
            }
        };
        if !keep(&mut tx, mail, user_id, token, now).await? {
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(message))
    }

    async fn addressee(&self, mail: &Waiting) -> sqlx::Result<Option<u64>> {
        if mail.user_id.is_some() {
            return Ok(mail.user_id);
        }
        let known = sqlx::query_scalar!("select id from users where email = ?", mail.recipient);
        known.fetch_optional(&self.store.pool).await
    }

    /// Whether the account has not had all its mails of this hour.
    async fn admits(
        &self,
        tx: &mut MySqlConnection,
        mail: &Waiting,
        user_id: u64,
    ) -> sqlx::Result<bool> {
        let had = sqlx::query_scalar!(
            r#"select count(*) as "had!: i64" from mails where user_id = ? and admitted_at > ?"#,
            user_id,
            self.clock.now().minus(HOUR),
        )
        .fetch_one(tx)
        .await?;
        let admits = had < i64::from(self.per_hour);
        if !admits {
            tracing::info!(
                target: log::MAIL,
                user_id,
                kind = mail.kind,
                "a mail was left out: its account has had ACCOUNT_MAILS_PER_HOUR"
            );
        }
        Ok(admits)
    }

    /// What the token in a mail is for, and how long it lasts.
    const fn purpose(&self, kind: Kind) -> Option<(Purpose, Duration)> {
        match kind {
            Kind::VerifyEmail => Some((Purpose::VerifyEmail, self.verification_lasts)),
            Kind::ResetPassword => Some((Purpose::ResetPassword, self.reset_lasts)),
            Kind::ConfirmOldEmail => Some((Purpose::ConfirmOldEmail, self.verification_lasts)),
            Kind::ConfirmNewEmail => Some((Purpose::ConfirmNewEmail, self.verification_lasts)),
            _ => None,
        }
    }
}

/// The address that is to come, if the change still waits that this mail is about.
async fn change_that_waits(
    tx: &mut MySqlConnection,
    mail: &Waiting,
    kind: Kind,
    user_id: u64,
) -> sqlx::Result<Option<String>> {
    let Some(new) = email_change::new_address(tx, user_id).await? else { return Ok(None) };
    let is_about_it = if kind == Kind::ConfirmNewEmail {
        new == mail.recipient
    } else {
        let present = sqlx::query_scalar!("select email from users where id = ?", user_id);
        present.fetch_optional(tx).await?.as_deref() == Some(mail.recipient.as_str())
    };
    Ok(is_about_it.then_some(new))
}

/// Whether an address has an account. Its owner is told so, and whoever wants it is not.
async fn is_taken(tx: &mut MySqlConnection, email: &str) -> sqlx::Result<bool> {
    let taken = sqlx::query_scalar!("select id from users where email = ?", email);
    Ok(taken.fetch_optional(tx).await?.is_some())
}

/// Whether the registration that this mail answers has been answered already.
async fn is_repeated(
    tx: &mut MySqlConnection,
    mail: &Waiting,
    user_id: u64,
    is_verified: bool,
) -> sqlx::Result<bool> {
    let earlier = sqlx::query_scalar!(
        r#"select count(*) as "earlier!: i64" from mails
            where user_id = ? and id < ? and (kind = ? or (kind = ? and not ?))
              and (settled_at is null or created_at > ?)"#,
        user_id,
        mail.id,
        Kind::AlreadyRegistered.as_str(),
        Kind::VerifyEmail.as_str(),
        is_verified,
        mail.created_at.minus(SAME),
    );
    Ok(earlier.fetch_one(tx).await? > 0)
}

/// Counts the mail among those of the account; false if it was taken back meanwhile.
async fn keep(
    tx: &mut MySqlConnection,
    mail: &Waiting,
    user_id: u64,
    token: Option<u64>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let kept = sqlx::query!(
        "update mails set user_id = ?, email_token_id = ?, admitted_at = coalesce(admitted_at, ?)
          where id = ? and tries = ? and settled_at is null",
        user_id,
        token,
        now,
        mail.id,
        mail.tries,
    );
    Ok(kept.execute(tx).await?.rows_affected() > 0)
}
