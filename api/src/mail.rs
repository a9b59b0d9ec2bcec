//! The few mails about an account: by SMTP, or as files while there is no mail server.
//!
//! A mail may carry the one secret that it is for, and nothing else that is secret.
//!
//! May use `base`, `settings`, `store` and `tokens`. Knows no axum.

mod message;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, Mailbox};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use tokio::fs;
use unicode_normalization::UnicodeNormalization as _;

pub use message::{Message, Scene};

use crate::base::background::Background;
use crate::base::clock::{Clock, Timestamp};
use crate::base::email_address;
use crate::base::log_targets as log;
use crate::settings::Settings;

/// How long a mail server may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A setting about mail cannot be used.
    #[error("{0}: {1}")]
    Setting(&'static str, String),
    /// The address is none.
    #[error("the address cannot be used: {0}")]
    Address(#[from] lettre::address::AddressError),
    /// The mail could not be put together.
    #[error("the mail could not be composed: {0}")]
    Text(#[from] lettre::error::Error),
    /// The mail server did not take it.
    #[error("the mail server rejected it: {0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
    /// The file could not be written.
    #[error("MAIL_DIR: {0}")]
    File(#[from] std::io::Error),
}

/// Sends mail; a clone is the same sender.
#[derive(Clone)]
pub struct Mail(Arc<Parts>);

struct Parts {
    way: Way,
    from: Mailbox,
    app_name: String,
    frontend_url: String,
    clock: Clock,
    background: Background,
    /// Keeps the files of one millisecond in order.
    sent: AtomicU64,
}

enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Files(PathBuf),
}

impl Mail {
    /// Prepares the way that the settings name; nothing is sent or written yet.
    pub fn new(settings: &Settings, clock: Clock, background: Background) -> Result<Self, Fault> {
        let accounts = &settings.accounts;
        let way = match accounts.smtp_url() {
            Some(url) => Way::Smtp(smtp(url)?),
            None => Way::Files(accounts.mail_dir.clone()),
        };
        Ok(Self(Arc::new(Parts {
            way,
            from: sender(&accounts.mail_from).ok_or_else(|| {
                Fault::Setting("MAIL_FROM", "must be like Name <name@example.com>".into())
            })?,
            app_name: settings.server.app_name.clone(),
            frontend_url: accounts.frontend_url.trim_end_matches('/').to_owned(),
            clock,
            background,
            sent: AtomicU64::new(0),
        })))
    }

    /// The clock by which mails are dated.
    pub(crate) fn clock(&self) -> Clock {
        self.0.clock.clone()
    }

    /// Behind which answers mails are sent.
    pub(crate) fn background(&self) -> Background {
        self.0.background.clone()
    }

    /// Sends a mail that the answer does not wait for, so that its time tells nothing.
    pub(crate) fn send_later(&self, to: String, message: Message) {
        let mail = self.clone();
        self.0.background.spawn(async move {
            if let Err(cause) = mail.send(&to, message).await {
                tracing::error!(target: log::STATE, %cause, "a mail could not be sent");
            }
        });
    }

    /// Sends one mail to one address.
    pub async fn send(&self, to: &str, message: Message) -> Result<(), Fault> {
        let Parts { way, from, app_name, frontend_url, clock, .. } = &*self.0;
        let now = clock.now();
        let (subject, body) = message.text(app_name, frontend_url, now);
        let mail = lettre::Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to.parse()?))
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(now.0))
            .message_id(None)
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(readable(body))?;
        match way {
            Way::Smtp(server) => server.send(mail).await.map(drop)?,
            Way::Files(dir) => self.write(dir, now, &mail.formatted()).await?,
        }
        Ok(())
    }

    /// Writes a file that sorts after those before it, and shows it only when it is whole.
    async fn write(&self, dir: &Path, now: Timestamp, mail: &[u8]) -> Result<(), Fault> {
        let number = self.0.sent.fetch_add(1, Ordering::Relaxed);
        let name = format!("{:013}-{number:06}-{}", now.0, std::process::id());
        let unfinished = dir.join(format!("{name}.part"));
        fs::create_dir_all(dir).await?;
        fs::write(&unfinished, mail).await?;
        fs::rename(&unfinished, dir.join(format!("{name}.eml"))).await?;
        Ok(())
    }
}

/// Keeps links in one piece for those who read mails as files: RFC 5322 allows 998 letters a line,
/// the library would break them after 76.
fn readable(body: String) -> Body {
    if body.is_ascii() && body.lines().all(|line| line.len() <= 998) {
        let lines = body.replace('\n', "\r\n").into_bytes();
        return Body::dangerous_pre_encoded(lines, ContentTransferEncoding::SevenBit);
    }
    Body::new(body)
}

/// With its domain as DNS has it: not every mail server takes another spelling.
fn sender(given: &str) -> Option<Mailbox> {
    let Mailbox { name, email } = given.parse().ok()?;
    if email.domain().is_ascii() {
        return Some(Mailbox::new(name, email));
    }
    let local: String = email.user().nfc().collect();
    let domain = email_address::domain_in_ascii(email.domain())?;
    Some(Mailbox::new(name, Address::new(local, domain).ok()?))
}

fn smtp(url: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, Fault> {
    // The library's own words would repeat the password.
    let wrong = |_| {
        Fault::Setting("SMTP_URL", "must be like smtps://user:password@mail.example.com".into())
    };
    let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(wrong)?;
    Ok(builder.timeout(Some(PATIENCE)).build())
}

#[cfg(test)]
mod tests;
