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
    /// Only report what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Treat all addresses as verified, for a system that never verified any.
    #[arg(long)]
    pub verified: bool,
    /// Do not import sessions; everybody logs in again.
    #[arg(long)]
    pub without_sessions: bool,
    /// Table or view of the users; a view can rename columns to the expected names.
    #[arg(long, value_name = "NAME", default_value = "users")]
    pub users_table: String,
}
