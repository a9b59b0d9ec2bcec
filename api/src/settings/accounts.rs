//! Passwords, and the mails about an account.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use secrecy::SecretString;

use super::address;
use super::invalid::Invalid;
use super::values::{duration, given, secret};

/// Passwords and mail.
#[derive(Args, Clone)]
#[command(next_help_heading = "Accounts")]
pub struct Accounts {
    /// Minimum length of a new password, in characters (8 to 64); under 15 only with a second factor.
    #[arg(long, env, default_value_t = 15, value_parser = clap::value_parser!(u16).range(8..=64))]
    pub password_min_length: u16,
    /// Memory used per password hash, in KiB (19456 to 1048576).
    #[arg(long, env, default_value_t = 19_456, value_parser = clap::value_parser!(u32).range(19_456..=1_048_576))]
    pub password_memory_kib: u32,
    /// Passes per password hash (2 to 100).
    #[arg(long, env, default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..=100))]
    pub password_iterations: u32,
    /// Passwords hashed at the same time (1 to 256; 0 = one per core).
    #[arg(long, env, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=256))]
    pub password_workers: u16,
    /// Password hashes that may be queued, and as many again for known devices; beyond this the answer
    /// is 503 (1 to 10000).
    #[arg(long, env, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub password_queue: u16,
    /// Whether an address must be verified before its account can log in.
    #[arg(long, env, default_value_t = true, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub email_verification_required: bool,
    /// How long an address verification link is valid (5m to 7d).
    #[arg(long, env, default_value = "24h", value_parser = duration("5m", "7d"))]
    pub email_token_expires_in: Duration,
    /// How long a password reset link is valid (5m to 24h).
    #[arg(long, env, default_value = "1h", value_parser = duration("5m", "24h"))]
    pub password_reset_expires_in: Duration,
    /// Whether a login from a new device sends a mail.
    #[arg(long, env, default_value_t = true, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub notify_new_device: bool,
    /// Mail server, such as `smtps://user:password@mail.example.com`; without one, mails are written to
    /// files.
    #[arg(long, env, hide_env_values = true, value_parser = secret)]
    pub smtp_url: Option<SecretString>,
    /// Directory for mails if there is no mail server.
    #[arg(long, env, default_value = "mail")]
    pub mail_dir: PathBuf,
    /// Directory with templates of mails that take the place of ours, each by its name; without one, ours.
    #[arg(long, env)]
    pub mail_templates: Option<PathBuf>,
    /// How long a mail that could not be sent is tried again (1h to 7d).
    #[arg(long, env, default_value = "24h", value_parser = duration("1h", "7d"))]
    pub mail_retry_for: Duration,
    /// Sender of mails.
    #[arg(long, env, default_value = "Portcullis <no-reply@localhost>")]
    pub mail_from: String,
    /// Base URL for links in mails, such as `https://app.example.com`, to which `/verify-email?token=…`,
    /// `/reset-password?token=…` and `/confirm-email?token=…` are appended; without it links lead to our own
    /// pages, if `PUBLIC_URL` is set, and otherwise mails contain only the token.
    #[arg(long, env, default_value = "")]
    pub frontend_url: String,
}

impl Accounts {
    /// Refuses a mail server or a page address of another kind.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        self.smtp_url().map_or(Ok(()), |url| address::smtp("SMTP_URL", url))?;
        if !self.frontend_url.is_empty() {
            address::page("FRONTEND_URL", &self.frontend_url)?;
        }
        Ok(())
    }

    /// Where the mail server is, if there is one.
    #[must_use]
    pub fn smtp_url(&self) -> Option<&str> {
        given(self.smtp_url.as_ref())
    }
}
