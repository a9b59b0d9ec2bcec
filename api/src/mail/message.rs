//! What the mails are about, and what a template may say of it. Of what a client wrote that is nothing but
//! the name that it gives itself, which cannot be a link (`base/device.rs`).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::tokens::secret::EmailToken;

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Asks for the proof of an address.
    VerifyEmail,
    /// Tells that the address has an account already.
    AlreadyRegistered,
    /// Lets the owner choose a new password.
    ResetPassword,
    /// Tells of a new password.
    PasswordChanged,
    /// Tells of a session that was ended because its token came back.
    TokenReuse,
    /// Tells of a login from a new device.
    NewDevice,
    /// Asks whoever has the present address to confirm another one.
    ConfirmOldEmail,
    /// Asks whoever has the new address the same.
    ConfirmNewEmail,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::VerifyEmail,
        Self::AlreadyRegistered,
        Self::ResetPassword,
        Self::PasswordChanged,
        Self::TokenReuse,
        Self::NewDevice,
        Self::ConfirmOldEmail,
        Self::ConfirmNewEmail,
    ];

    /// The word in the database, which an older or a newer instance reads, and in names of templates.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::AlreadyRegistered => "already_registered",
            Self::ResetPassword => "reset_password",
            Self::PasswordChanged => "password_changed",
            Self::TokenReuse => "token_reuse",
            Self::NewDevice => "new_device",
            Self::ConfirmOldEmail => "confirm_old_email",
            Self::ConfirmNewEmail => "confirm_new_email",
        }
    }

    /// None for a word that only a newer instance knows.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The page that a token of such a mail is for.
    const fn page(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify-email",
            Self::ConfirmOldEmail | Self::ConfirmNewEmail => "confirm-email",
            _ => "reset-password",
        }
    }
}

/// A mail about an account.
pub enum Message {
    /// Asks the owner of a new account to prove the address.
    Verify {
        /// Proves it.
        token: EmailToken,
    },
    /// Somebody registered an address that has an account.
    AlreadyRegistered,
    /// Lets the owner choose a new password.
    ResetPassword {
        /// Allows it once.
        token: EmailToken,
    },
    /// The password was changed or reset.
    PasswordChanged(Scene),
    /// A spent refresh token was used again, so its session was ended.
    TokenReuse(Scene),
    /// A login from a device not seen before.
    NewDevice(Scene),
    /// The address of the account is to change, and this is the present one.
    ConfirmOldEmail {
        /// Confirms it.
        token: EmailToken,
        /// The address to come.
        new_email: String,
    },
    /// The address of an account is to become this one.
    ConfirmNewEmail {
        /// Confirms it.
        token: EmailToken,
        /// The address to come.
        new_email: String,
    },
}

/// Where something happened, as it waits beside its mail.
#[derive(Clone, Serialize, Deserialize)]
pub struct Scene {
    /// The device, by its browser and operating system.
    pub device: String,
    /// From where.
    pub ip: IpAddr,
}

impl Scene {
    /// Where this client is.
    #[must_use]
    pub fn of(client: &Client) -> Self {
        Self { device: client.device.named(), ip: client.ip }
    }
}

/// What a template may say; what a mail has nothing of is empty.
#[derive(Serialize)]
pub(super) struct Said<'a> {
    /// `APP_NAME`.
    app: &'a str,
    /// `BRAND_COLOR`, and what can be read on it.
    color: &'a str,
    on_color: &'a str,
    /// The tag of the language.
    lang: &'a str,
    /// When what the mail tells of happened.
    at: String,
    /// From where.
    device: &'a str,
    ip: String,
    /// The address that is to take the place of the present one.
    new_email: &'a str,
    token: &'a str,
    /// The page that takes the token; empty if nobody knows where that is.
    link: String,
}

/// What all mails of an instance look like.
pub(super) struct Look {
    pub(super) app: String,
    pub(super) color: String,
    pub(super) on_color: String,
    /// Where pages are; empty if nobody knows.
    pub(super) site: String,
}

impl Message {
    /// What it is about.
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Verify { .. } => Kind::VerifyEmail,
            Self::AlreadyRegistered => Kind::AlreadyRegistered,
            Self::ResetPassword { .. } => Kind::ResetPassword,
            Self::PasswordChanged(_) => Kind::PasswordChanged,
            Self::TokenReuse(_) => Kind::TokenReuse,
            Self::NewDevice(_) => Kind::NewDevice,
            Self::ConfirmOldEmail { .. } => Kind::ConfirmOldEmail,
            Self::ConfirmNewEmail { .. } => Kind::ConfirmNewEmail,
        }
    }

    /// What a template may say of it; `at` is when what it tells of happened.
    pub(super) fn said<'a>(&'a self, look: &'a Look, lang: &'a str, at: Timestamp) -> Said<'a> {
        let (token, scene, new_email) = match self {
            Self::Verify { token } | Self::ResetPassword { token } => (token.expose(), None, ""),
            Self::ConfirmOldEmail { token, new_email }
            | Self::ConfirmNewEmail { token, new_email } => {
                (token.expose(), None, new_email.as_str())
            }
            Self::PasswordChanged(scene) | Self::TokenReuse(scene) | Self::NewDevice(scene) => {
                ("", Some(scene), "")
            }
            Self::AlreadyRegistered => ("", None, ""),
        };
        let has_link = !look.site.is_empty() && !token.is_empty();
        let link = || format!("{}/{}?token={token}", look.site, self.kind().page());
        Said {
            app: &look.app,
            color: &look.color,
            on_color: &look.on_color,
            lang,
            at: at.rfc3339(),
            device: scene.map_or("", |scene| scene.device.as_str()),
            ip: scene.map(|scene| scene.ip.to_string()).unwrap_or_default(),
            new_email,
            token,
            link: has_link.then(link).unwrap_or_default(),
        }
    }
}
