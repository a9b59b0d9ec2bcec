//! The names of what is recorded.

/// What happened, by its name in the OWASP logging vocabulary. Rows and log lines carry the name, so it
/// never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Somebody logged in.
    LoginSucceeded,
    /// A password was wrong, or its account may not log in.
    LoginFailed,
    /// A user changed the password.
    PasswordChanged,
    /// The password that was to be changed was given wrongly.
    PasswordChangeFailed,
    /// A user chose a new password by mail.
    PasswordReset,
    /// A refresh token became the next.
    TokenCreated,
    /// A spent refresh token came back.
    TokenReused,
    /// A token was revoked by itself.
    TokenRevoked,
    /// What a user may do was changed.
    RoleChanged,
    /// Somebody tried what they may not do.
    Refused,
    /// A service could not authenticate itself.
    ClientRefused,
    /// A user ended a session.
    SessionEnded,
    /// A user ended all sessions, or all others.
    SessionsEnded,
    /// An administrator ended a user's sessions.
    SessionsEndedByAdmin,
    /// An administrator ended every session of everybody.
    EverybodyEnded,
    /// A session is used from another device.
    DeviceChanged,
    /// Somebody registered.
    UserCreated,
    /// Somebody registered an address that is taken.
    UserNotCreated,
    /// A user proved the address.
    EmailVerified,
    /// An administrator disabled a user.
    UserDisabled,
    /// An administrator enabled a user.
    UserEnabled,
    /// An administrator deleted a user, or a user deleted their own account.
    UserDeleted,
    /// A user asked for another address.
    EmailChangeAsked,
    /// Both addresses confirmed it, and it was changed.
    EmailChanged,
    /// A user changed their names or the language of their mails.
    UserUpdated,
    /// A user took a copy of everything that is kept about them.
    UserExported,
}

impl What {
    /// As rows and log lines have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoginSucceeded => "authn_login_success",
            Self::LoginFailed => "authn_login_fail",
            Self::PasswordChanged => "authn_password_change",
            Self::PasswordChangeFailed => "authn_password_change_fail",
            Self::PasswordReset => "authn_password_reset",
            Self::TokenCreated => "authn_token_created",
            Self::TokenReused => "authn_token_reuse",
            Self::TokenRevoked => "authn_token_revoked",
            Self::RoleChanged => "authz_change",
            Self::Refused => "authz_fail",
            Self::ClientRefused => "authn_client_fail",
            Self::SessionEnded => "session_ended",
            Self::SessionsEnded => "session_ended_all",
            Self::SessionsEndedByAdmin => "session_ended_by_admin",
            Self::EverybodyEnded => "session_ended_everyone",
            Self::DeviceChanged => "session_device_changed",
            Self::UserCreated => "user_created",
            Self::UserNotCreated => "user_create_fail",
            Self::EmailVerified => "user_email_verified",
            Self::UserDisabled => "user_disabled",
            Self::UserEnabled => "user_enabled",
            Self::UserDeleted => "user_deleted",
            Self::EmailChangeAsked => "user_email_change_asked",
            Self::EmailChanged => "user_email_changed",
            Self::UserUpdated => "user_updated",
            Self::UserExported => "user_exported",
        }
    }
}
