//! What the mails say. Plain text, short lines; of what a client wrote nothing but the name that it
//! gives itself, which cannot be a link (`base/device.rs`).

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
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::VerifyEmail,
        Self::AlreadyRegistered,
        Self::ResetPassword,
        Self::PasswordChanged,
        Self::TokenReuse,
        Self::NewDevice,
    ];

    /// The word in the database, which an older or a newer instance reads.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::AlreadyRegistered => "already_registered",
            Self::ResetPassword => "reset_password",
            Self::PasswordChanged => "password_changed",
            Self::TokenReuse => "token_reuse",
            Self::NewDevice => "new_device",
        }
    }

    /// None for a word that only a newer instance knows.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
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

    fn text(&self, at: Timestamp) -> String {
        let Self { device, ip } = self;
        format!("When: {}\nDevice: {device}\nAddress: {ip}\n", at.rfc3339())
    }
}

impl Message {
    /// Subject and body; `at` is when what the mail tells of happened.
    pub(super) fn text(&self, app: &str, site: &str, at: Timestamp) -> (String, String) {
        let (subject, body) = match self {
            Self::Verify { token } => (
                format!("Confirm your address for {app}"),
                format!(
                    "Welcome to {app}.\n\nTo confirm that this address is yours, {}\n\
                     If you did not register, ignore this mail.\n",
                    with_token(site, "verify-email", token)
                ),
            ),
            Self::AlreadyRegistered => (
                format!("You already have an account at {app}"),
                "Somebody, perhaps you, tried to register with this address. You already have an\n\
                 account, so nothing was changed. If you forgot your password, reset it.\n"
                    .to_owned(),
            ),
            Self::ResetPassword { token } => (
                format!("Choose a new password for {app}"),
                format!(
                    "To choose a new password, {}\nIf you did not ask for this, ignore this mail:\n\
                     your password stays as it is.\n",
                    with_token(site, "reset-password", token)
                ),
            ),
            Self::PasswordChanged(scene) => (
                format!("Your password for {app} was changed"),
                format!("Your password was changed.\n\n{}\n{NOT_YOU}", scene.text(at)),
            ),
            Self::TokenReuse(scene) => (
                format!("One of your sessions at {app} was ended"),
                format!(
                    "One of your logins was used in two places, which happens when a login is\n\
                     stolen, so we ended that session.\n\n{}\n{NOT_YOU}",
                    scene.text(at)
                ),
            ),
            Self::NewDevice(scene) => (
                format!("New login at {app}"),
                format!("Somebody logged in from a new device.\n\n{}\n{NOT_YOU}", scene.text(at)),
            ),
        };
        (subject, body)
    }
}

const NOT_YOU: &str = "If this was not you, reset your password now: that ends every session.\n";

fn with_token(site: &str, page: &str, token: &EmailToken) -> String {
    let token = token.expose();
    if site.is_empty() {
        format!("use this token:\n\n{token}\n")
    } else {
        format!("open this page:\n\n{site}/{page}?token={token}\n")
    }
}
