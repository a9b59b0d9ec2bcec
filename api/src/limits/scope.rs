//! What is counted per address, by its name in keys and headers.

/// What is counted per address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Logins, successful or not.
    Login,
    /// Refreshes with tokens that nobody here gave out; others count for their session.
    Refresh,
    /// Logouts with such tokens.
    Logout,
    /// Registrations.
    Register,
    /// What sends a mail, or comes with a mailed token that is none.
    Mail,
    /// Services that could not authenticate themselves; those that can are not counted.
    Client,
}

impl Scope {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::Logout => "logout",
            Self::Register => "register",
            Self::Mail => "mail",
            Self::Client => "client",
        }
    }
}
