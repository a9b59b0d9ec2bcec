//! Whether an access token is live, and whose it is.
//!
//! The token's own claims are checked first (`signed.rs`), then Redis is asked whether it is still good,
//! or what it told lately is used, as long as it tells of every change (`ledger/kept.rs`). When
//! Redis cannot say or is not believed, MySQL can (`fallback.rs`). So it is when a believed Redis
//! does not know the session, or calls it idle or logged out: a session that is not in its ledger
//! yet is no dead one, nor is one of whose last use Redis has not heard. Only what it calls revoked
//! stays so. No verdict at all is a refusal.

use portcullis_core::Verdict;

use super::activity::Activity;
use super::caller::Caller;
use super::fallback::Fallback;
use super::signed::Signed;
use crate::base::clock::Clock;
use crate::base::error::{Error, Result};
use crate::base::log_targets as log;
use crate::base::role::Role;
use crate::ledger::kept::Asked;
use crate::ledger::ledgers::Ledgers;
use crate::ledger::repair;
use crate::store::database::Store;

/// Checks access tokens.
pub struct Bearer {
    pub(crate) signed: Signed,
    pub(crate) ledgers: Ledgers,
    pub(crate) store: Store,
    /// Lets some checks at a time ask MySQL while Redis is of no help.
    pub(crate) fallback: Fallback,
    pub(crate) activity: Activity,
    pub(crate) clock: Clock,
}

impl Bearer {
    /// Checks a token that came by way of somebody else, and tells whose it is. That counts as use.
    pub(crate) async fn authenticate(&self, token: &str) -> Result<Caller> {
        let caller = self.check(token).await?;
        self.activity.note(caller.user_id, &caller.session, None).await;
        Ok(caller)
    }

    /// Checks a token, and tells whose it is.
    pub(crate) async fn check(&self, token: &str) -> Result<Caller> {
        let now = self.clock.now();
        let read = self.signed.read(token, now).await.map_err(|refusal| {
            tracing::debug!(target: log::CALLER, ?refusal, "an access token is no good");
            Error::DeadToken
        })?;
        let mut caller = Caller::new(read.claims.claims.clone(), read.claims.digest);
        let (user_id, subject) = (caller.user_id, &*read.subject);
        let asked = Asked { user_id, subject, token, session: &caller.session };
        let verdict = self.ledgers.check(&asked, caller.digest).await;
        if let Ok(verdict) = &verdict {
            tracing::debug!(target: log::LEDGER_CHECK, user_id, ?verdict, "Redis judged");
        }
        // Whatever asks MySQL is apart from what most checks carry along.
        let must_live = || Box::pin(self.fallback.must_live(&caller, now));
        match verdict {
            Ok(Verdict::Ok) => {}
            Ok(Verdict::Revoked) => return Err(Error::DeadToken),
            Ok(Verdict::NoSession | Verdict::Idle) => {
                must_live().await?;
                repair::put_back_later(&self.ledgers, caller.user_id, &caller.session);
            }
            // Nothing is put back: a watermark in Redis never moves back.
            Ok(Verdict::LoggedOut) => must_live().await?,
            Err(cause) => {
                tracing::debug!(target: log::CALLER, %cause, "Redis gave no verdict");
                must_live().await?;
            }
        }
        if caller.role == Role::Admin {
            caller.role = Box::pin(self.role(caller.user_id)).await?;
        }
        Ok(caller)
    }

    /// What the user may do now. A token that says more was made before it was taken away (R-13), so
    /// the power of an administrator is never believed from a token.
    pub(crate) async fn role(&self, user_id: u64) -> Result<Role> {
        let role = sqlx::query_scalar!(
            r#"select role as "role: Role" from users where id = ? and is_active"#,
            user_id,
        );
        role.fetch_optional(&self.store.pool).await?.ok_or(Error::DeadToken)
    }
}
