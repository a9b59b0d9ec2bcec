//! Tokens that are mailed: made, sent behind the answer, used up once.

use std::time::Duration;

use sqlx::MySqlConnection;

use crate::base::background::Background;
use crate::base::clock::{Clock, Timestamp};
use crate::base::error::{Error, Result};
use crate::base::log_targets as log;
use crate::base::random::Random;
use crate::mail::{Mail, Message};
use crate::settings::Accounts;
use crate::store::database::Store;
use crate::store::held_rows as held;
use crate::tokens::secret::EmailToken;

/// What a token allows, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To prove an address.
    VerifyEmail,
    /// To choose a new password.
    ResetPassword,
}

impl Purpose {
    /// The word in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
        }
    }

    const fn message(self, token: EmailToken) -> Message {
        match self {
            Self::VerifyEmail => Message::Verify { token },
            Self::ResetPassword => Message::ResetPassword { token },
        }
    }
}

/// Makes mailed tokens; a clone is the same.
#[derive(Clone)]
pub struct EmailTokens {
    store: Store,
    mail: Mail,
    clock: Clock,
    random: Random,
    background: Background,
    verification_lasts: Duration,
    reset_lasts: Duration,
}

impl EmailTokens {
    /// They last as long as the settings say.
    pub(crate) fn new(settings: &Accounts, store: &Store, mail: &Mail, random: &Random) -> Self {
        Self {
            store: store.clone(),
            clock: mail.clock(),
            background: mail.background(),
            mail: mail.clone(),
            random: random.clone(),
            verification_lasts: settings.email_token_expires_in,
            reset_lasts: settings.password_reset_expires_in,
        }
    }

    /// Makes a token and mails it after the answer, whose time must not tell that there is an account.
    pub(crate) fn send_later(&self, user_id: u64, email: String, purpose: Purpose) {
        let own = self.clone();
        self.background.do_later(async move {
            match own.store.repeat(|| own.make_if_active(user_id, purpose)).await {
                Ok(Some(token)) => own.mail.send_later(email, purpose.message(token)),
                Ok(None) => {}
                Err(cause) => tracing::error!(
                    target: log::REGISTER,
                    ?cause,
                    "could not create a token for a mail"
                ),
            }
        });
    }

    async fn make_if_active(&self, user_id: u64, purpose: Purpose) -> Result<Option<EmailToken>> {
        let mut tx = self.store.begin().await?;
        let held = held::user(&mut tx, user_id).await?;
        if !held.is_some_and(|user| user.is_active) {
            return Ok(None);
        }
        let token = self.make(&mut tx, user_id, purpose).await?;
        tx.commit().await?;
        Ok(Some(token))
    }

    /// Whose token it is, whatever became of it.
    pub(crate) async fn owner(&self, token: &EmailToken) -> Result<u64> {
        let digest = token.digest();
        let owner = sqlx::query_scalar!(
            "select user_id from email_tokens where token_hash = ?",
            digest.as_bytes().as_slice(),
        );
        owner.fetch_optional(&self.store.pool).await?.ok_or(Error::DeadEmailToken)
    }

    /// Makes a token for a mail and withdraws the earlier ones of its purpose.
    pub(crate) async fn make(
        &self,
        tx: &mut MySqlConnection,
        user_id: u64,
        purpose: Purpose,
    ) -> Result<EmailToken> {
        let token = EmailToken::random(&self.random);
        let digest = token.digest();
        let now = self.clock.now();
        let lasts = match purpose {
            Purpose::VerifyEmail => self.verification_lasts,
            Purpose::ResetPassword => self.reset_lasts,
        };
        sqlx::query!(
            "update email_tokens set used_at = ?
              where user_id = ? and purpose = ? and used_at is null",
            now,
            user_id,
            purpose.as_str(),
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "insert into email_tokens (user_id, token_hash, purpose, created_at, expires_at)
             values (?, ?, ?, ?, ?)",
            user_id,
            digest.as_bytes().as_slice(),
            purpose.as_str(),
            now,
            now.plus(lasts),
        )
        .execute(tx)
        .await?;
        Ok(token)
    }
}

/// Uses a mailed token up. Its user is held.
pub(crate) async fn use_up(
    tx: &mut MySqlConnection,
    token: &EmailToken,
    purpose: Purpose,
    now: Timestamp,
) -> Result<()> {
    let digest = token.digest();
    let used = sqlx::query!(
        "update email_tokens set used_at = ?
          where token_hash = ? and purpose = ? and used_at is null and expires_at > ?",
        now,
        digest.as_bytes().as_slice(),
        purpose.as_str(),
        now,
    )
    .execute(tx)
    .await?
    .rows_affected();
    if used > 0 { Ok(()) } else { Err(Error::DeadEmailToken) }
}
