//! Hashes of older days, and what their time must not tell.
//!
//! A bcrypt hash takes another time than ours. As long as any is kept, a refused login costs one
//! hash of either kind, the old one at the dearest cost that is kept, so that nobody can tell an
//! account that has not logged in since the move from one that has, or from none (R-46). A login
//! that succeeds costs what its own hash costs, and a new installation never pays for this. Hashes
//! that are too dear to be computed (`stored.rs`) count for nothing here.

use std::sync::atomic::Ordering;

use sqlx::MySqlPool;

use super::hasher::Passwords;
use super::outcome::{Fault, Kind, Outcome, failed};
use super::stored::COSTS;
use crate::tokens::secret::Password;

/// How many passwords were hashed since the start, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// In today's way.
    pub argon2id: u64,
    /// In the older one.
    pub bcrypt: u64,
}

impl Passwords {
    /// How much was hashed so far.
    #[must_use]
    pub fn work(&self) -> Work {
        Work {
            argon2id: self.old.argon2id.load(Ordering::Relaxed),
            bcrypt: self.old.bcrypt.load(Ordering::Relaxed),
        }
    }

    /// Does for a refused login what the other kind of hash would have cost.
    pub async fn even_out(&self, refused: &Outcome, given: Password) -> Result<(), Fault> {
        if matches!(refused.kind, Kind::Bcrypt { .. }) {
            return self.hash(given).await.map(drop);
        }
        let cost = self.old.cost.load(Ordering::Relaxed);
        if cost == 0 {
            return Ok(());
        }
        let (old, salt) = (self.old.clone(), self.random.bytes());
        self.run(move || {
            old.count(Kind::Bcrypt { cost });
            bcrypt::hash_with_salt(given.expose(), cost, salt).map(drop).map_err(failed)
        })
        .await?
    }

    /// Learns from the database whether old hashes are left that may be checked, and what the dearest
    /// of them costs.
    pub async fn look_for_old_hashes(&self, db: &MySqlPool) -> sqlx::Result<()> {
        let cost = sqlx::query_scalar!(
            r#"select cast(coalesce(max(substring(password_hash, 5, 2)), 0) as unsigned)
                          as "cost!: u32"
                 from users
                where password_hash like '$2_$__$%' and substring(password_hash, 5, 2) <= ?"#,
            COSTS.end().to_string(),
        )
        .fetch_one(db)
        .await?;
        let cost = if COSTS.contains(&cost) { cost } else { 0 };
        self.old.cost.store(cost, Ordering::Relaxed);
        Ok(())
    }
}
