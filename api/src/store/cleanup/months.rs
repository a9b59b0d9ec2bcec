//! The audit trail by months: each is made before it begins, and goes as a whole once its last event is
//! past its days.
//!
//! A change of months waits for everybody who has the table in use, and everybody who comes later waits
//! behind it. So it waits a second at most; if somebody was in the way, the next cleanup tries again.
//! What happens before its month was made lies in the last part, which takes everything.
//!
//! An operator may have kept from the service the right to change tables. Then events go row by row, as
//! those do that were there before the months.

use std::time::Duration;

use sqlx::{AssertSqlSafe, MySqlConnection};

use crate::base::clock::Timestamp;
use crate::base::log_targets as log;
use crate::store::database;
use crate::store::told::number;

/// What a change of months may take, once it has begun: nobody waits for it.
const PATIENCE: Duration = Duration::from_mins(10);
/// What was there before the months.
const EARLIER: &str = "earlier";
/// The bound of the part that takes what no other does.
const NO_BOUND: &str = "MAXVALUE";

/// What has to go row by row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing: the rest are whole months that are not over.
    Nothing,
    /// What was there before the months.
    Earlier,
    /// Everything.
    Everything,
}

/// A part of the trail.
struct Part {
    name: String,
    /// The day before which its events lie.
    until: String,
}

/// The first days of months, as SQL spells them.
struct Days {
    /// What lies before this is past its days.
    over: String,
    /// Of the present month and those that follow it, as many as are made.
    first: [String; 4],
}

/// Drops the months whose events all lie before an instant and makes those that are to come; how many
/// events went, and what is left to do.
pub(super) async fn drop_and_make(
    db: &mut MySqlConnection,
    now: Timestamp,
    until: Timestamp,
) -> sqlx::Result<(u64, Left)> {
    let parts = parts(db).await?;
    if parts.is_empty() {
        return Ok((0, Left::Everything));
    }
    let days = days(db, now, until).await?;
    let dropped = match change(db, &parts, &days).await {
        Ok(dropped) => dropped,
        Err(cause) if is_in_use(&cause) => {
            tracing::info!(
                target: log::CLEANUP,
                %cause,
                "somebody has the audit trail in use; the next cleanup will see to its months"
            );
            return Ok((0, Left::Earlier));
        }
        Err(cause) if lacks_right(&cause) => {
            tracing::info!(
                target: log::CLEANUP,
                %cause,
                "audit events are deleted row by row: the MySQL user may not drop whole months"
            );
            return Ok((0, Left::Everything));
        }
        Err(cause) => return Err(cause),
    };
    let is_left = |part: &Part| part.name == EARLIER && !days.are_over(part);
    let left = if parts.iter().any(is_left) { Left::Earlier } else { Left::Nothing };
    Ok((dropped, left))
}

/// The parts of the trail in their order; none, if it has none.
async fn parts(db: &mut MySqlConnection) -> sqlx::Result<Vec<Part>> {
    let asked = sqlx::query_as::<_, (String, String)>(
        "select cast(partition_name as char), cast(partition_description as char)
           from information_schema.partitions
          where table_schema = database() and table_name = 'audit_events'
            and partition_name is not null
          order by partition_ordinal_position",
    );
    let parts = database::time(PATIENCE, asked.fetch_all(db)).await?;
    let part = |(name, until): (String, String)| Part { name, until: until.replace('\'', "") };
    Ok(parts.into_iter().map(part).collect())
}

async fn days(db: &mut MySqlConnection, now: Timestamp, until: Timestamp) -> sqlx::Result<Days> {
    let asked = sqlx::query_as::<_, (String, String, String, String, String)>(
        "select date_format(cast(? as datetime(3)), '%Y-%m-%d'),
                date_format(cast(? as datetime(3)), '%Y-%m-01'),
                date_format(cast(? as datetime(3)) + interval 1 month, '%Y-%m-01'),
                date_format(cast(? as datetime(3)) + interval 2 month, '%Y-%m-01'),
                date_format(cast(? as datetime(3)) + interval 3 month, '%Y-%m-01')",
    );
    let asked = asked.bind(until).bind(now).bind(now).bind(now).bind(now).fetch_one(db);
    let (over, this, next, second, third) = database::time(PATIENCE, asked).await?;
    Ok(Days { over, first: [this, next, second, third] })
}

impl Days {
    /// Whether all that can lie in this part is past its days. The spelling of days sorts as they do.
    fn are_over(&self, part: &Part) -> bool {
        part.until != NO_BOUND && part.until <= self.over
    }

    /// The months that are missing. If none was made for long, the first takes all the time between.
    fn missing(&self, parts: &[Part]) -> Vec<&String> {
        let bounds = || parts.iter().map(|part| &part.until).filter(|until| *until != NO_BOUND);
        self.first.iter().filter(|first| bounds().all(|until| until < *first)).collect()
    }
}

async fn change(db: &mut MySqlConnection, parts: &[Part], days: &Days) -> sqlx::Result<u64> {
    let mut dropped = 0;
    run(db, "set session lock_wait_timeout = 1").await?;
    for part in parts.iter().filter(|part| days.are_over(part)) {
        let Part { name, .. } = part;
        let count = format!("select count(*) from audit_events partition (`{name}`)");
        let count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(count)).fetch_one(&mut *db);
        let count = database::time(PATIENCE, count).await?;
        run(db, &format!("alter table audit_events drop partition `{name}`")).await?;
        dropped += u64::try_from(count).unwrap_or(0);
        tracing::info!(target: log::CLEANUP, name, count, "a month of the audit trail was dropped");
    }
    let missing = days.missing(parts);
    if let Some(last) =
        parts.iter().find(|part| part.until == NO_BOUND).filter(|_| !missing.is_empty())
    {
        let made = missing.iter().map(|until| {
            format!("partition before_{} values less than ('{until}')", until.replace('-', "_"))
        });
        let made = made.collect::<Vec<_>>().join(", ");
        let last = &last.name;
        run(
            db,
            &format!(
                "alter table audit_events reorganize partition `{last}` into
                   ({made}, partition `{last}` values less than (maxvalue))"
            ),
        )
        .await?;
    }
    run(db, "set session lock_wait_timeout = default").await?;
    Ok(dropped)
}

async fn run(db: &mut MySqlConnection, statement: &str) -> sqlx::Result<()> {
    let run = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(db);
    database::time(PATIENCE, run).await.map(drop)
}

/// Whether somebody had the table in use for longer than the change waits, or made the change first.
fn is_in_use(cause: &sqlx::Error) -> bool {
    /// A lock that was waited for too long; a part of the name that is there; one that is not there.
    const NUMBERS: [u16; 3] = [1205, 1517, 1507];
    number(cause).is_some_and(|number| NUMBERS.contains(&number))
}

fn lacks_right(cause: &sqlx::Error) -> bool {
    /// To the database, and to the table.
    const NUMBERS: [u16; 2] = [1044, 1142];
    number(cause).is_some_and(|number| NUMBERS.contains(&number))
}
