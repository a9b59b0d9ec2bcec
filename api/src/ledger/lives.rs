//! Which life of which server is vouched for in which slots, as MySQL has it: the judge between two
//! primaries.
//!
//! Both may be confirmed, and the mark on each may name it. But of two servers for the same users only
//! one has a row that says so: whoever brings a server up to date puts it there, in place of the other.
//! An instance that is connected to the other one learns of it by looking (`watch.rs`), and stops
//! believing. The other one does not get its place back by being brought up to date once more, which
//! the two would do in turn: where there is no cluster, only in another life, as a replica that was
//! promoted, say; in one, only with a claim that is newer than the one that took its place.
//!
//! A slot that changes servers is on its new server as it was on the old one, whatever that was worth.
//! So nobody vouches for it there until its ledgers were brought up to date there.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use portcullis_core::{Claim, Slots};
use sqlx::{Executor, MySql, MySqlConnection};

use super::sentinel::Sight;
pub(crate) use super::vouching::Standing;
use super::vouching::{self, Life, Row};
use crate::base::clock::Timestamp;
use crate::store::transaction::Repetitions;

/// How long a life is remembered whose place another one has taken.
const KEPT: Duration = Duration::from_hours(24 * 30);
/// How long somebody tries to be vouched for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of all lives; nothing before MySQL was asked.
#[derive(Default)]
pub(crate) struct Lives(RwLock<Option<Vec<Row>>>);

/// A life that somebody sees, and which slots it says are its own.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'s> {
    pub(crate) sight: &'s Sight,
    pub(crate) claim: &'s Claim,
    /// Whether others have other slots.
    pub(crate) is_of_a_cluster: bool,
}

impl Lives {
    /// Looks anew, and says what is known of this life now.
    pub(crate) async fn look<'d>(
        &self,
        db: impl Executor<'d, Database = MySql>,
        seen: Seen<'_>,
    ) -> sqlx::Result<Standing> {
        let rows = rows(db).await?;
        let standing = Standing::of(seen.life(), &rows);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(rows);
        Ok(standing)
    }

    /// Whether a life was vouched for lately, when somebody looked last.
    pub(crate) fn knows(&self, run_id: &str) -> bool {
        let rows = self.0.read().unwrap_or_else(PoisonError::into_inner);
        rows.iter().flatten().any(|row| row.run_id == run_id)
    }

    /// Where a life is vouched for, as far as somebody has looked.
    pub(crate) fn slots_of(&self, run_id: &str) -> Slots {
        let rows = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let own = rows.iter().flatten().find(|row| row.run_id == run_id);
        own.map(|row| row.slots.clone()).unwrap_or_default()
    }

    /// Whether it had all of these slots up to date before that instant, and has given none of them away.
    pub(crate) fn had(&self, run_id: &str, slots: &Slots, before: Timestamp) -> bool {
        let rows = self.0.read().unwrap_or_else(PoisonError::into_inner);
        rows.as_deref().is_some_and(|rows| vouching::had(rows, run_id, slots, before))
    }

    /// What was known of this life when somebody looked last; nothing if nobody did.
    pub(crate) fn known(&self, seen: Seen<'_>) -> Option<Standing> {
        let rows = self.0.read().unwrap_or_else(PoisonError::into_inner);
        rows.as_deref().map(|rows| Standing::of(seen.life(), rows))
    }
}

async fn rows<'d>(db: impl Executor<'d, Database = MySql>) -> sqlx::Result<Vec<Row>> {
    sqlx::query!(
        r#"select run_id, ledgers_life, coalesce(slots, if(is_vouched, '0-16383', ''))
                        as "slots!: String", epoch, vouched_at as "vouched_at: Timestamp"
                 from ledger_lives"#
    )
    .map(|row| Row {
        run_id: row.run_id,
        ledgers_life: row.ledgers_life,
        slots: Slots::parse(&row.slots),
        epoch: row.epoch,
        vouched_at: row.vouched_at,
    })
    .fetch_all(db)
    .await
}

impl Seen<'_> {
    fn life(&self) -> Life<'_> {
        let Self { sight, claim, is_of_a_cluster } = *self;
        Life { run_id: &sight.run_id, ledgers: &sight.life, claim, is_of_a_cluster }
    }
}

/// What becomes of whom in some slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Nobody else is vouched for there any more.
    Withdraw,
    /// The same, and this life is.
    Replace,
    /// This life is, unless somebody else is.
    Join,
}

/// Vouches for a life in these slots. Others may be vouched for at the same time: whoever MySQL sends away
/// for that begins again, for all that was filled in before would be in vain. False if somebody else is
/// vouched for there and is to keep that.
pub(super) async fn vouch(
    db: &mut MySqlConnection,
    seen: Seen<'_>,
    (deed, slots): (Deed, &Slots),
    now: Timestamp,
) -> sqlx::Result<bool> {
    let mut repetitions = Repetitions::within(PATIENCE);
    loop {
        match try_to_vouch(db, seen, (deed, slots), now).await {
            Err(cause) if repetitions.may_follow(&cause) => {}
            vouched => return vouched,
        }
    }
}

async fn try_to_vouch(
    db: &mut MySqlConnection,
    seen: Seen<'_>,
    (deed, slots): (Deed, &Slots),
    now: Timestamp,
) -> sqlx::Result<bool> {
    // An earlier try may have stopped in the midst of it.
    db.execute("rollback").await?;
    db.execute("start transaction").await?;
    // One after the other: where there are no rows yet, all would hold the room for them, and nobody could
    // add one.
    sqlx::query!(
        "insert into leases (work, holder, expires_at) values ('vouch', '', utc_timestamp(3))
             on duplicate key update expires_at = utc_timestamp(3)"
    )
    .execute(&mut *db)
    .await?;
    let rows = sqlx::query!(
        r#"select run_id, coalesce(slots, if(is_vouched, '0-16383', '')) as "slots!: String"
             from ledger_lives order by run_id for update"#
    )
    .fetch_all(&mut *db)
    .await?;
    let mut own = slots.clone();
    for row in rows {
        let had = Slots::parse(&row.slots);
        if row.run_id == seen.sight.run_id {
            own = own.with(&had);
            continue;
        }
        let left = had.without(slots);
        if left == had {
            continue;
        }
        if deed == Deed::Join {
            db.execute("rollback").await?;
            return Ok(false);
        }
        sqlx::query!(
            "update ledger_lives set slots = ?, is_vouched = ? where run_id = ?",
            left.to_string(),
            !left.is_empty(),
            row.run_id,
        )
        .execute(&mut *db)
        .await?;
    }
    if deed != Deed::Withdraw {
        write_down(db, seen, &own, now).await?;
    }
    db.execute("commit").await?;
    Ok(true)
}

/// Where this life is vouched for, of what it claims.
async fn write_down(
    db: &mut MySqlConnection,
    Seen { sight, claim, .. }: Seen<'_>,
    own: &Slots,
    now: Timestamp,
) -> sqlx::Result<()> {
    let own = own.also_in(&claim.kept()).to_string();
    sqlx::query!(
        "insert into ledger_lives (run_id, ledgers_life, is_vouched, slots, epoch, vouched_at)
         values (?, ?, true, ?, ?, ?)
         on duplicate key update ledgers_life = ?, is_vouched = true, slots = ?, epoch = ?,
                                 vouched_at = ?",
        sight.run_id,
        sight.life,
        own,
        claim.epoch,
        now,
        sight.life,
        own,
        claim.epoch,
        now,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "delete from ledger_lives where not is_vouched and vouched_at < ?",
        now.minus(KEPT),
    )
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Who is vouched for where, for whoever has told something: what a server was told does not count if
/// another one has taken its place, which has not heard of it or did so before it was vouched for.
pub(super) struct Counting(Vec<Row>);

impl Counting {
    pub(super) async fn look(db: &mut MySqlConnection) -> sqlx::Result<Self> {
        Ok(Self(rows(db).await?))
    }

    /// Whether what this life was told about a ledger in this slot counts.
    pub(super) fn is_told(&self, run_id: &str, slot: u16) -> bool {
        vouching::counts(&self.0, run_id, slot)
    }

    /// Whether what this life was told about everybody in these slots does.
    pub(super) fn is_told_of_all(&self, run_id: &str, slots: &Slots) -> bool {
        slots.iter().all(|slot| self.is_told(run_id, slot))
    }
}

/// Vouches for no slot that this life has given away: what comes back with one may be older than what
/// went. Nothing is written over what somebody else has written meanwhile.
pub(crate) async fn relinquish<'d>(
    db: impl Executor<'d, Database = MySql>,
    sight: &Sight,
    (had, kept): (&str, &str),
) -> sqlx::Result<()> {
    sqlx::query!(
        "update ledger_lives set slots = ?
          where run_id = ? and is_vouched and coalesce(slots, '0-16383') = ?",
        kept,
        sight.run_id,
        had,
    )
    .execute(db)
    .await
    .map(drop)
}

/// Says that the ledgers of a life that is vouched for have another life now.
pub(crate) async fn renew<'d>(
    db: impl Executor<'d, Database = MySql>,
    sight: &Sight,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update ledger_lives set ledgers_life = ? where run_id = ? and is_vouched",
        sight.life,
        sight.run_id,
    )
    .execute(db)
    .await
    .map(drop)
}

#[cfg(test)]
mod tests;
