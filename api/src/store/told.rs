//! What MySQL's refusals mean to whoever runs the service, and the one thing that mends each.

use std::io;

use sqlx::mysql::MySqlDatabaseError;

/// MySQL's number for a table that is not there.
pub(crate) const NO_SUCH_TABLE: u16 = 1146;

/// The number that MySQL gave its refusal.
pub(crate) fn number(cause: &sqlx::Error) -> Option<u16> {
    let refusal = cause.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(refusal.number())
}

/// One sentence with what to do about it, as far as that is known.
pub fn told(cause: &sqlx::Error) -> String {
    let Some(meaning) = number(cause).and_then(meaning) else { return unknown(cause) };
    let said = cause.as_database_error().map(|refusal| refusal.message().to_owned());
    format!("{meaning} (MySQL says: {})", said.unwrap_or_default())
}

/// Whether the database lacks tables or columns that this program needs.
pub(crate) fn lacks_steps(cause: &sqlx::Error) -> bool {
    /// A column that is not there.
    const NO_SUCH_COLUMN: u16 = 1054;
    matches!(number(cause), Some(NO_SUCH_TABLE | NO_SUCH_COLUMN))
}

fn meaning(number: u16) -> Option<&'static str> {
    Some(match number {
        NO_SUCH_TABLE | 1054 => "the database is not migrated: run `portcullis migrate up`",
        1046 => "no database is named: set DB_NAME, or end DATABASE_URL with /name",
        1049 => {
            "there is no such database: run `create database portcullis character set utf8mb4` in \
             MySQL, with the name from DATABASE_URL or DB_NAME"
        }
        1045 | 1698 => {
            "MySQL refuses the user or the password: correct DATABASE_URL, or DB_USERNAME and \
             DB_PASSWORD"
        }
        1044 | 1142 | 1143 | 1227 | 1370 => {
            "the MySQL user lacks a right: run `grant all on portcullis.* to` this user in MySQL, with \
             the name from DATABASE_URL or DB_NAME"
        }
        1040 | 1203 | 1226 => {
            "MySQL has no connection left: raise its max_connections, or lower DB_POOL_SIZE"
        }
        1047 => {
            "this node takes no part in its group: see why it has left the others (`show status like \
             'wsrep_%'`), or set DATABASE_URL, or DB_HOST, to one that does"
        }
        1290 | 1836 | 3100 => {
            "this MySQL only reads: set DATABASE_URL, or DB_HOST, to the server that takes changes"
        }
        _ => return None,
    })
}

fn unknown(cause: &sqlx::Error) -> String {
    match cause {
        sqlx::Error::Io(fault) if fault.kind() == io::ErrorKind::TimedOut => {
            "MySQL did not answer in time: check that it runs, or raise DB_DEADLINE".to_owned()
        }
        sqlx::Error::PoolTimedOut => {
            "MySQL did not answer in time: check that it runs, or raise DB_DEADLINE".to_owned()
        }
        sqlx::Error::Io(fault) => {
            format!(
                "MySQL cannot be reached: check that it runs where DATABASE_URL, or DB_HOST and DB_PORT, say ({fault})"
            )
        }
        other => other.to_string(),
    }
}
