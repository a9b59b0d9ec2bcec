//! What mails say, from templates: our own, or the operator's in their place (`MAIL_TEMPLATES`).
//!
//! Each mail has a text in each language, `<kind>.<language>.txt`, whose first line is its subject. Its HTML
//! says the same in the look of `layout.html`, unless there is a `<kind>.<language>.html`. Templates are
//! read and filled in once at the start, so that a fault is told before anybody waits for a mail.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value};
use serde::Serialize;

use super::message::{Kind, Look, Message, Said, Scene};
use crate::base::clock::Timestamp;
use crate::base::language::Language;
use crate::tokens::secret::{EmailKey, EmailToken};

const LAYOUT: &str = "layout.html";

/// Templates of our own, all of which an operator can replace.
const OWN: [(&str, &str); 17] = [
    (LAYOUT, include_str!("templates/layout.html")),
    ("verify_email.en.txt", include_str!("templates/verify_email.en.txt")),
    ("verify_email.de.txt", include_str!("templates/verify_email.de.txt")),
    ("already_registered.en.txt", include_str!("templates/already_registered.en.txt")),
    ("already_registered.de.txt", include_str!("templates/already_registered.de.txt")),
    ("reset_password.en.txt", include_str!("templates/reset_password.en.txt")),
    ("reset_password.de.txt", include_str!("templates/reset_password.de.txt")),
    ("password_changed.en.txt", include_str!("templates/password_changed.en.txt")),
    ("password_changed.de.txt", include_str!("templates/password_changed.de.txt")),
    ("token_reuse.en.txt", include_str!("templates/token_reuse.en.txt")),
    ("token_reuse.de.txt", include_str!("templates/token_reuse.de.txt")),
    ("new_device.en.txt", include_str!("templates/new_device.en.txt")),
    ("new_device.de.txt", include_str!("templates/new_device.de.txt")),
    ("confirm_old_email.en.txt", include_str!("templates/confirm_old_email.en.txt")),
    ("confirm_old_email.de.txt", include_str!("templates/confirm_old_email.de.txt")),
    ("confirm_new_email.en.txt", include_str!("templates/confirm_new_email.en.txt")),
    ("confirm_new_email.de.txt", include_str!("templates/confirm_new_email.de.txt")),
];

/// The templates in force.
pub(super) struct Templates {
    environment: Environment<'static>,
    look: Look,
}

/// A mail as it is sent.
pub(super) struct Written {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// What the HTML of a mail is made of, beside what its text is.
#[derive(Serialize)]
struct Laid<'a> {
    #[serde(flatten)]
    said: &'a Said<'a>,
    subject: &'a str,
    /// The text again, in paragraphs and lines.
    paragraphs: Vec<Vec<&'a str>>,
}

impl Templates {
    /// Reads ours and what the operator has put in their place, and tries each.
    pub(super) fn new(look: Look, directory: Option<&Path>) -> Result<Self, String> {
        let mut sources: BTreeMap<String, String> =
            OWN.into_iter().map(|(name, source)| (name.to_owned(), source.to_owned())).collect();
        if let Some(directory) = directory {
            sources.extend(theirs(directory)?);
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, source) in sources {
            environment.add_template_owned(name.clone(), source).map_err(|it| told(&name, &it))?;
        }
        let templates = Self { environment, look };
        templates.try_all()?;
        Ok(templates)
    }

    /// A mail in a language; `at` is when what it tells of happened.
    pub(super) fn write(
        &self,
        message: &Message,
        language: Language,
        at: Timestamp,
    ) -> Result<Written, String> {
        let (kind, language) = (message.kind().as_str(), language.as_str());
        let said = message.said(&self.look, language, at);
        let name = format!("{kind}.{language}.txt");
        let whole = self.filled(&name, &said)?;
        let (first, text) = whole.split_once('\n').unwrap_or((&whole, ""));
        let subject = first.trim_end().strip_prefix("Subject: ").map(str::trim);
        let subject = subject.filter(|subject| !subject.is_empty());
        let subject =
            subject.ok_or_else(|| format!("{name}: its first line must be Subject: …"))?;
        let text = format!("{}\n", text.trim_matches(['\r', '\n']));
        let own = format!("{kind}.{language}.html");
        let html =
            if self.environment.get_template(&own).is_ok() { own } else { LAYOUT.to_owned() };
        let paragraphs = text.split("\n\n").filter(|it| !it.trim().is_empty());
        let paragraphs = paragraphs.map(|paragraph| paragraph.trim().lines().collect()).collect();
        let laid = Laid { said: &said, subject, paragraphs };
        let html = self.filled(&html, &laid)?;
        Ok(Written { subject: subject.to_owned(), html, text })
    }

    fn filled(&self, name: &str, said: &impl Serialize) -> Result<String, String> {
        let template = self.environment.get_template(name);
        let filled = template.and_then(|it| it.render(Value::from(Serde(said))));
        filled.map_err(|fault| told(name, &fault))
    }

    /// Writes one mail of each kind in each language.
    fn try_all(&self) -> Result<(), String> {
        for kind in Kind::ALL {
            for language in Language::ALL {
                self.write(&sample(kind), language, Timestamp(0))?;
            }
        }
        Ok(())
    }
}

/// A mail of a kind, for trying.
fn sample(kind: Kind) -> Message {
    let token = || EmailToken::derived(&EmailKey::from_secret(&"a sample".into()), &[0; 16]);
    let scene = || Scene { device: "Firefox on Linux".into(), ip: [127, 0, 0, 1].into() };
    let new_email = || "ada@example.org".to_owned();
    match kind {
        Kind::VerifyEmail => Message::Verify { token: token() },
        Kind::AlreadyRegistered => Message::AlreadyRegistered,
        Kind::ResetPassword => Message::ResetPassword { token: token() },
        Kind::PasswordChanged => Message::PasswordChanged(scene()),
        Kind::TokenReuse => Message::TokenReuse(scene()),
        Kind::NewDevice => Message::NewDevice(scene()),
        Kind::ConfirmOldEmail => {
            Message::ConfirmOldEmail { token: token(), new_email: new_email() }
        }
        Kind::ConfirmNewEmail => {
            Message::ConfirmNewEmail { token: token(), new_email: new_email() }
        }
    }
}

/// The operator's templates. A file that is none is a misspelt one.
fn theirs(directory: &Path) -> Result<BTreeMap<String, String>, String> {
    let unreadable = |cause| format!("{} cannot be read: {cause}", directory.display());
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if path.is_dir() || !matches!(ending, Some("txt" | "html")) {
            continue;
        }
        if !is_known(&name) {
            return Err(format!(
                "{name} is no template: it must be layout.html or like verify_email.en.txt or \
                 verify_email.en.html; api/docs/pages.md lists them"
            ));
        }
        let cause = |cause| format!("{name} cannot be read: {cause}");
        found.insert(name.clone(), fs::read_to_string(&path).map_err(cause)?);
    }
    Ok(found)
}

fn is_known(name: &str) -> bool {
    let text = name.strip_suffix(".html").map(|stem| format!("{stem}.txt"));
    OWN.iter().any(|(known, _)| *known == name || Some(*known) == text.as_deref())
}

/// What is wrong with a template, and where.
fn told(name: &str, fault: &minijinja::Error) -> String {
    let line = fault.line().map(|line| format!(", line {line}")).unwrap_or_default();
    let detail = fault.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{name}{line}: {}{detail}", fault.kind())
}
