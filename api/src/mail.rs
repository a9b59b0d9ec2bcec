//! The few mails about an account: how they wait in MySQL, and how they leave, by SMTP or as files
//! while there is no mail server.
//!
//! A mail may carry the one secret that it is for, and nothing else that is secret. Whether one that
//! waits is still wanted is decided above (`accounts/outgoing.rs`).
//!
//! May use `base`, `settings`, `metrics`, `store` and `tokens`. Knows no axum.

mod files;
mod message;
pub(crate) mod queue;
mod templates;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use unicode_normalization::UnicodeNormalization as _;

pub use message::{Kind, Message, Scene};

use crate::base::clock::Timestamp;
use crate::base::email_address;
use crate::base::language::Language;
use crate::settings::Settings;
use message::Look;
use templates::Templates;

/// How long a mail server may take for one step.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one try may take, whatever the server does.
pub(crate) const TRY: Duration = Duration::from_secs(30);
/// What a server says to whoever it does not know, and that it takes no mail at all: it concerns the
/// settings, not the mail, which waits until they are right.
const NOT_ABOUT_THE_MAIL: [u16; 5] = [521, 530, 534, 535, 538];

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
    #[error("the mail server did not take it: {0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
    /// The mail server let the time pass.
    #[error("the mail server did not take it within {} s", TRY.as_secs())]
    Late,
    /// The file could not be written.
    #[error("MAIL_DIR: {0}")]
    File(#[from] std::io::Error),
}

impl Fault {
    /// Whether trying again would be in vain (RFC 5321 §4.2.1).
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Address(_) | Self::Text(_) => true,
            Self::Smtp(cause) => {
                let code = cause.status().map(u16::from);
                cause.is_permanent() && !code.is_some_and(|it| NOT_ABOUT_THE_MAIL.contains(&it))
            }
            Self::Setting(..) | Self::Late | Self::File(_) => false,
        }
    }
}

/// What is the same however often a mail is tried.
pub struct Envelope<'a> {
    /// Where it goes.
    pub to: &'a str,
    /// When what it tells of happened, which is also its date.
    pub at: Timestamp,
    /// Its place among those of one instant.
    pub number: u64,
    /// What its reader wants to read.
    pub language: Language,
    /// What its Message-ID is made of, so that a mail that came twice is recognised.
    pub reference: &'a [u8],
}

/// Sends mail; a clone is the same sender.
#[derive(Clone)]
pub struct Mail(Arc<Parts>);

struct Parts {
    way: Way,
    from: Mailbox,
    templates: Templates,
}

enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Files(PathBuf),
}

impl Mail {
    /// Prepares the way that the settings name; nothing is sent or written yet.
    pub fn new(settings: &Settings) -> Result<Self, Fault> {
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
            templates: templates(settings)?,
        })))
    }

    /// Refuses a `MAIL_DIR` that is something else, and changes nothing.
    pub fn check(&self) -> Result<(), Fault> {
        self.with_directory(files::check)
    }

    /// Makes sure, before anybody relies on it, that mails can be written if that is their way.
    pub fn prepare(&self) -> Result<(), Fault> {
        self.with_directory(files::prepare)
    }

    fn with_directory(&self, look: fn(&Path) -> Result<(), String>) -> Result<(), Fault> {
        match &self.0.way {
            Way::Files(directory) => look(directory).map_err(|why| Fault::Setting("MAIL_DIR", why)),
            Way::Smtp(_) => Ok(()),
        }
    }

    /// Tries once to send a mail.
    pub async fn send(&self, envelope: &Envelope<'_>, message: &Message) -> Result<(), Fault> {
        let Parts { way, from, templates } = &*self.0;
        let Envelope { to, at, number, language, reference } = *envelope;
        let written = templates.write(message, language, at);
        let written = written.map_err(|fault| Fault::Setting("MAIL_TEMPLATES", fault))?;
        let reference = URL_SAFE_NO_PAD.encode(reference);
        let id = format!("<{reference}@{}>", from.email.domain());
        let part = |kind, text| SinglePart::builder().header(kind).body(readable(text));
        // The same mail again is the same to the letter.
        let parts = MultiPart::alternative().boundary(format!("part-{reference}"));
        let parts = parts
            .singlepart(part(ContentType::TEXT_PLAIN, written.text))
            .singlepart(part(ContentType::TEXT_HTML, written.html));
        let mail = lettre::Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to.parse()?))
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(at.0))
            .message_id(Some(id))
            .raw_header(auto_submitted())
            .subject(written.subject)
            .multipart(parts)?;
        match way {
            Way::Smtp(server) => {
                let sent = tokio::time::timeout(TRY, server.send(mail)).await;
                sent.map_err(|_| Fault::Late)?.map(drop)?;
            }
            Way::Files(directory) => {
                let name = format!("{:013}-{number:06}", at.0);
                files::write(directory, &name, &mail.formatted()).await?;
            }
        }
        Ok(())
    }
}

/// Our own or the operator's, in the look of the pages. Links lead to the front end, or else to our own
/// pages.
fn templates(settings: &Settings) -> Result<Templates, Fault> {
    let Settings { accounts, pages, server, .. } = settings;
    let front_end = accounts.frontend_url.trim_end_matches('/');
    let site =
        if front_end.is_empty() { pages.url().unwrap_or_default() } else { front_end.to_owned() };
    let color = pages.brand_color;
    let look = Look {
        app: server.app_name.clone(),
        color: color.css(),
        on_color: color.text_on_it().to_owned(),
        site,
    };
    Templates::new(look, accounts.mail_templates.as_deref())
        .map_err(|fault| Fault::Setting("MAIL_TEMPLATES", fault))
}

/// Tells other machines not to answer (RFC 3834 §5).
fn auto_submitted() -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    HeaderValue::new(name, "auto-generated".to_owned())
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
