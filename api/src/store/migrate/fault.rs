//! Why the database's shape was not changed, for an operator.

use sqlx::migrate::MigrateError;

use crate::store::told::told;

/// Why the database's shape was not changed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// MySQL refused a statement of a step.
    #[error(
        "step {version} failed; once its cause is removed, `portcullis migrate up` continues it: {}",
        told(cause)
    )]
    Step {
        /// Which step.
        version: i64,
        /// What MySQL said.
        cause: sqlx::Error,
    },
    /// There is a table of that name that is somebody else's.
    #[error(
        "step {version} failed: there is a table `{table}` that Portcullis did not make; rename it, or \
         use another database, then run `portcullis migrate up` again"
    )]
    Foreign {
        /// Which step.
        version: i64,
        /// The table it would make.
        table: String,
    },
    /// What is half done cannot be taken back.
    #[error("step {0} failed before it was done: run `portcullis migrate up` first")]
    HalfDone(i64),
    /// The database has taken a step that is not compiled in.
    #[error("the database has step {0}, which this program does not know: use a newer portcullis")]
    Newer(i64),
    /// A step is not the one that was taken.
    #[error(
        "step {0} is not what this database has taken: use the portcullis that it was made with"
    )]
    Changed(i64),
    /// Anything else.
    #[error("{}", told(.0))]
    Database(#[from] sqlx::Error),
    /// What sqlx says of the steps themselves.
    #[error(transparent)]
    Steps(MigrateError),
}

impl From<MigrateError> for Fault {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(cause) => Self::Database(cause),
            MigrateError::ExecuteMigration(cause, version) => Self::Step { version, cause },
            MigrateError::VersionMissing(version) => Self::Newer(version),
            MigrateError::VersionMismatch(version) => Self::Changed(version),
            MigrateError::Dirty(version) => Self::HalfDone(version),
            other => Self::Steps(other),
        }
    }
}
