//! Hashes of older days, and what their time must not tell.
//!
//! A bcrypt hash takes another time than ours. As long as any is kept, a refused login costs one
//! hash of either kind, the old one at the dearest cost that is kept, so that nobody can tell an
//! account that has not logged in since the move from one that has, or from none (R-46). A login
//! that succeeds costs what its own hash costs, and a new installation never pays for this.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use sqlx::MySqlPool;

use super::{Fault, Kind, Outcome, Passwords, failed};
use crate::App;
use crate::base::log;
use crate::tokens::secret::Password;

/// How often somebody looks whether old hashes are left.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// What bcrypt can be asked for.
pub(super) const COSTS: RangeInclusive<u32> = 4..=31;

/// What is known of old hashes, and how much was hashed.
#[derive(Default)]
pub(super) struct Old {
    /// The dearest cost that is kept; 0 when no old hash is left.
    cost: AtomicU32,
    argon2id: AtomicU64,
    bcrypt: AtomicU64,
}

impl Old {
    /// Counts a hash, and remembers what an old one costs.
    pub(super) fn count(&self, kind: Kind) {
        match kind {
            Kind::Argon2id => self.argon2id.fetch_add(1, Ordering::Relaxed),
            Kind::Bcrypt { cost } => {
                self.cost.fetch_max(cost, Ordering::Relaxed);
                self.bcrypt.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}

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

    /// Learns from the database whether old hashes are left, and what the dearest costs.
    pub async fn look_for_old_hashes(&self, db: &MySqlPool) -> sqlx::Result<()> {
        let cost = sqlx::query_scalar!(
            r#"select cast(coalesce(max(substring(password_hash, 5, 2)), 0) as unsigned)
                          as "cost!: u32"
                 from users where password_hash like '$2_$__$%'"#
        )
        .fetch_one(db)
        .await?;
        let cost = if COSTS.contains(&cost) { cost } else { 0 };
        self.old.cost.store(cost, Ordering::Relaxed);
        Ok(())
    }
}

/// Looks again from time to time until the service stops.
pub(crate) async fn run(app: App) {
    loop {
        if let Err(cause) = app.passwords.look_for_old_hashes(&app.store.pool).await {
            tracing::debug!(
                target: log::PASSWORD_OLD,
                %cause,
                "old password hashes could not be looked for"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.background.stop.cancelled() => return,
        }
    }
}
