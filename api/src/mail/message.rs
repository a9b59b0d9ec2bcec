//! What the mails say. Plain text, short lines, nothing that a client wrote.

use std::net::IpAddr;

use crate::base::clock::Timestamp;
use crate::base::device::Device;
use crate::tokens::secret::EmailToken;

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

/// Where something happened.
pub struct Scene {
    /// On what.
    pub device: Device,
    /// From where.
    pub ip: IpAddr,
}

impl Scene {
    fn text(&self, now: Timestamp) -> String {
        let Device { browser, os, .. } = &self.device;
        format!("When: {}\nDevice: {browser} on {os}\nAddress: {}\n", now.rfc3339(), self.ip)
    }
}

impl Message {
    /// Subject and body.
    pub(super) fn text(&self, app: &str, site: &str, now: Timestamp) -> (String, String) {
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
                format!("Your password was changed.\n\n{}\n{NOT_YOU}", scene.text(now)),
            ),
            Self::TokenReuse(scene) => (
                format!("One of your sessions at {app} was ended"),
                format!(
                    "One of your logins was used in two places, which happens when a login is\n\
                     stolen, so we ended that session.\n\n{}\n{NOT_YOU}",
                    scene.text(now)
                ),
            ),
            Self::NewDevice(scene) => (
                format!("New login at {app}"),
                format!("Somebody logged in from a new device.\n\n{}\n{NOT_YOU}", scene.text(now)),
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
