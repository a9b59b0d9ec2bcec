//! All settings together: how they are parsed, and the rules that hold between them.

use std::time::Duration;

use clap::builder::Resettable;
use clap::{Args, Command, FromArgMatches as _};

use super::accounts::Accounts;
use super::invalid::Invalid;
use super::limits::Limits;
use super::pages::Pages;
use super::server::Server;
use super::sessions::Sessions;
use super::stores::Stores;
use super::tokens::Tokens;

/// Everything an operator can set.
#[derive(Args, Clone)]
pub struct Settings {
    /// Where the service listens, and what stands in front of it.
    #[command(flatten)]
    pub server: Server,
    /// MySQL and Redis.
    #[command(flatten)]
    pub stores: Stores,
    /// Access and refresh tokens.
    #[command(flatten)]
    pub tokens: Tokens,
    /// How long and from where a session lives.
    #[command(flatten)]
    pub sessions: Sessions,
    /// Passwords and mail.
    #[command(flatten)]
    pub accounts: Accounts,
    /// The pages for people.
    #[command(flatten)]
    pub pages: Pages,
    /// How often one address or one account may try.
    #[command(flatten)]
    pub limits: Limits,
}

impl Settings {
    /// The rules that hold between settings, and those of secrets.
    pub fn check(self) -> Result<Self, Invalid> {
        self.server.check()?;
        self.stores.check()?;
        self.tokens.check()?;
        self.sessions.check()?;
        self.accounts.check()?;
        self.pages.check()?;
        Ok(self)
    }

    /// How long a session lives, whatever happens: its refresh tokens end with it, so the shorter
    /// of the two settings ends both.
    #[must_use]
    pub fn session_lifetime(&self) -> Duration {
        self.sessions.session_expires_in.min(self.tokens.refresh_token_expires_in)
    }

    /// The defaults, with these two servers, the cheapest passwords and no environment; and with patience,
    /// for on a busy machine MySQL must not seem to be away that is not.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "the defaults are right, and a test says so")]
    pub fn for_tests(database_url: &str, redis_url: &str) -> Self {
        let given = ["test", "--database-url", database_url, "--redis-url", redis_url];
        let secret = ["--jwt-secret", "a secret for tests and of no use elsewhere"];
        let command =
            Self::augment_args(Command::new("test")).mut_args(|arg| arg.env(Resettable::Reset));
        let matches = command.get_matches_from(given.iter().chain(&secret));
        let mut settings = Self::from_arg_matches(&matches).expect("the defaults parse");
        settings.stores.db_deadline = Duration::from_secs(10);
        settings.accounts.password_memory_kib = 8;
        settings.accounts.password_iterations = 1;
        settings
    }
}
