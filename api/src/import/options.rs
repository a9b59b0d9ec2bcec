//! What an operator can say about an import.

use clap::Args;
use secrecy::SecretString;

use crate::settings::secret;

/// What is to be taken over, and how.
#[derive(Args)]
pub struct Options {
    /// The old database, as `mysql://user:password@host:port/name`. It is only read.
    #[arg(
        long,
        env = "OLD_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        value_parser = secret
    )]
    pub from: SecretString,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Take all addresses as verified, for a system that never verified any.
    #[arg(long)]
    pub verified: bool,
    /// Leave the sessions: everybody logs in once more.
    #[arg(long)]
    pub without_sessions: bool,
    /// Table or view of the users; a view can give columns the names that are looked for.
    #[arg(long, value_name = "NAME", default_value = "users")]
    pub users_table: String,
}
