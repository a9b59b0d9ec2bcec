//! MySQL: reached, of a version that is known to work, with the tables and the rights that it takes.

use std::time::Duration;

use portcullis_api::base::clock::Clock;
use portcullis_api::settings::Stores;
use portcullis_api::store::database::Store;
use portcullis_api::store::migrate;
use portcullis_api::store::told::told;
use sqlx::{ConnectOptions as _, MySqlConnection};

use super::report::{Report, told_of_clock};

/// What the service does, in statements that are only explained: one is refused without its right.
const DEEDS: [(&str, &str); 4] = [
    ("SELECT", "select id from users where id = 0"),
    (
        "INSERT",
        "explain insert into audit_events (at, event, detail) values ('2020-01-01', '', '{}')",
    ),
    ("UPDATE", "explain update users set role = role where id = 0"),
    ("DELETE", "explain delete from audit_events where id = 0"),
];

pub(super) async fn look(stores: &Stores, report: &mut Report) {
    let store = match Store::new(stores) {
        Ok(store) => store,
        Err(error) => return report.bad("MySQL", &error.to_string()),
    };
    let options = store.pool.connect_options();
    let connecting = tokio::time::timeout(stores.db_deadline, options.connect());
    let late = || Err(sqlx::Error::PoolTimedOut);
    let mut db = match connecting.await.unwrap_or_else(|_| late()) {
        Ok(db) => db,
        Err(cause) => return report.bad("MySQL", &told(&cause)),
    };
    if let Err(cause) = look_at(&mut db, &store, stores, report).await {
        report.bad("MySQL", &told(&cause));
    }
}

async fn look_at(
    db: &mut MySqlConnection,
    store: &Store,
    stores: &Stores,
    report: &mut Report,
) -> sqlx::Result<()> {
    let (version, name, user): (String, String, String) =
        sqlx::query_as("select version(), database(), current_user()").fetch_one(&mut *db).await?;
    let reached = format!("{version}, database {name}, as {user}");
    if is_known(&version) {
        report.good("MySQL", &reached);
    } else {
        report.bad("MySQL", &format!("{reached}: use MySQL 8.0 or MariaDB 10.6, or later"));
    }
    let (connections,): (u64,) =
        sqlx::query_as("select cast(@@max_connections as unsigned)").fetch_one(&mut *db).await?;
    if connections <= u64::from(stores.db_pool_size) {
        report.note(
            "DB_POOL_SIZE",
            &format!("is {}; MySQL takes {connections} connections in all", stores.db_pool_size),
        );
    }
    look_at_clock(db, report).await?;
    let steps = match migrate::status(&store.pool).await {
        Ok(steps) => steps,
        Err(fault) => {
            report.bad("tables", &fault.to_string());
            return Ok(());
        }
    };
    let (failed, missing) = (
        steps.iter().filter(|step| step.has_failed).count(),
        steps.iter().filter(|step| !step.is_applied).count(),
    );
    match (failed, missing) {
        (0, 0) => report.good("tables", &format!("all {} steps applied", steps.len())),
        (0, missing) => {
            let told =
                format!("{missing} of {} steps pending: run `portcullis migrate up`", steps.len());
            report.bad("tables", &told);
        }
        (failed, _) => {
            report.bad("tables", &format!("{failed} step failed: run `portcullis migrate up`"));
        }
    }
    if missing == 0 {
        look_at_rights(db, &name, &user, report).await;
        look_at_what_waits(db, stores, report).await?;
    }
    Ok(())
}

/// What was ended, and Redis has not heard of yet.
async fn look_at_what_waits(
    db: &mut MySqlConnection,
    stores: &Stores,
    report: &mut Report,
) -> sqlx::Result<()> {
    let (waiting, oldest_s): (u64, u64) = sqlx::query_as(
        "select cast(count(*) as unsigned),
                cast(coalesce(timestampdiff(second, min(created_at), utc_timestamp(3)), 0) as unsigned)
           from revocation_outbox where delivered_at is null",
    )
    .fetch_one(&mut *db)
    .await?;
    let told = format!("{waiting} wait for Redis, the oldest for {oldest_s} s");
    if waiting == 0 {
        report.good("changes", "Redis has heard of all");
    } else if Duration::from_secs(oldest_s) < stores.outbox_max_age
        && waiting < stores.outbox_limit.into()
    {
        report.note("changes", &told);
    } else {
        report.bad(
            "changes",
            &format!(
                "{told}: mend what is said of Redis below; if nothing is, see why the service cannot tell \
                 them in its log, under portcullis_api::outbox"
            ),
        );
    }
    Ok(())
}

async fn look_at_clock(db: &mut MySqlConnection, report: &mut Report) -> sqlx::Result<()> {
    let before = Clock::system().now();
    let (theirs,): (u64,) =
        sqlx::query_as("select cast(unix_timestamp(now(3)) * 1000 as unsigned)")
            .fetch_one(&mut *db)
            .await?;
    if let Some(told) = told_of_clock(Duration::from_millis(theirs.abs_diff(before.0))) {
        report.note("MySQL's clock", &told);
    }
    Ok(())
}

async fn look_at_rights(db: &mut MySqlConnection, name: &str, user: &str, report: &mut Report) {
    let mut lacking = Vec::new();
    for (right, deed) in DEEDS {
        if sqlx::raw_sql(deed).fetch_all(&mut *db).await.is_err() {
            lacking.push(right);
        }
    }
    if lacking.is_empty() {
        report.good("MySQL rights", "SELECT, INSERT, UPDATE, DELETE");
        return look_at_rights_to_months(db, report).await;
    }
    let (user, host) = user.rsplit_once('@').unwrap_or((user, "%"));
    let mend = format!("run `grant all on `{name}`.* to '{user}'@'{host}'` in MySQL");
    report.bad("MySQL rights", &format!("lacks {}: {mend}", lacking.join(", ")));
}

/// Rights are looked at before anything else, so this changes nothing: there is no such month.
async fn look_at_rights_to_months(db: &mut MySqlConnection, report: &mut Report) {
    let drop_none = "alter table audit_events drop partition no_such_month";
    let refusal = sqlx::raw_sql(drop_none).execute(&mut *db).await.err();
    if refusal.is_some_and(|cause| cause.to_string().contains("denied")) {
        report.note(
            "audit trail",
            "this MySQL user may not ALTER, CREATE and DROP: old events are deleted row by row, not \
             whole months at a time",
        );
    }
}

/// `11.4.2-MariaDB`, `9.7.4`.
fn is_known(version: &str) -> bool {
    let number = |part: Option<&str>| {
        let digits: String =
            part.unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().unwrap_or(0)
    };
    // Old clients were told this first, so that they take MariaDB for a MySQL that they know.
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let mut parts = version.split('.');
    let found = (number(parts.next()), number(parts.next()));
    let least = if version.to_lowercase().contains("mariadb") { (10, 6) } else { (8, 0) };
    found >= least
}

#[cfg(test)]
mod tests {
    use super::is_known;

    #[test]
    fn versions_are_compared_as_numbers() {
        for good in ["8.0.36", "9.7.4-1", "10.11.6-MariaDB-0+deb12u1", "5.5.5-10.6.1-MariaDB"] {
            assert!(is_known(good), "{good}");
        }
        for old in ["5.7.44", "10.5.9-MariaDB", "", "odd"] {
            assert!(!is_known(old), "{old}");
        }
    }
}
