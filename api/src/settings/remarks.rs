//! What is allowed but may not be meant: said by `portcullis check-config`.

use std::time::Duration;

use super::all::Settings;
use super::limits::Limit;

impl Settings {
    /// One sentence for each setting that deserves a second look.
    #[must_use]
    pub fn remarks(&self) -> Vec<&'static str> {
        let mut remarks = self.remarks_on_surroundings();
        remarks.extend(self.remarks_on_lifetimes());
        remarks
    }

    fn remarks_on_surroundings(&self) -> Vec<&'static str> {
        let Self { server, accounts, pages, limits, .. } = self;
        let mut remarks = Vec::new();
        if server.trusted_proxies.0.is_empty() {
            remarks.push("TRUSTED_PROXIES is empty: behind a proxy all clients share one limit");
        }
        if accounts.smtp_url().is_none() {
            remarks.push("SMTP_URL is not set: mails are written to files in MAIL_DIR");
        }
        if accounts.frontend_url.is_empty() && pages.url().is_none() {
            remarks.push(
                "FRONTEND_URL and PUBLIC_URL are not set: mails contain only a token, not a link",
            );
        }
        if !accounts.email_verification_required {
            remarks.push(
                "EMAIL_VERIFICATION_REQUIRED is off: anybody can register somebody else's address",
            );
        }
        if accounts.password_min_length < 15 {
            remarks.push("PASSWORD_MIN_LENGTH is under 15: do this only with a second factor");
        }
        if matches!(limits.rate_limit_login, Limit::Off) {
            remarks.push("RATE_LIMIT_LOGIN is off: one address may guess passwords without limit");
        }
        remarks
    }

    fn remarks_on_lifetimes(&self) -> Vec<&'static str> {
        let Self { tokens, sessions, .. } = self;
        let mut remarks = Vec::new();
        if tokens.old_secrets().next().is_some() {
            remarks.push(
                "JWT_SECRETS_OLD is set: clear it once JWT_EXPIRES_IN has passed since the change",
            );
        }
        if tokens.old_refresh_keys().next().is_some() {
            remarks.push(
                "REFRESH_TOKEN_KEYS_OLD is set: clear it once SESSION_EXPIRES_IN has passed since the change",
            );
        }
        if tokens.refresh_token_earlier_form {
            remarks.push(
                "REFRESH_TOKEN_EARLIER_FORM is on: turn it off once no instance of an earlier version is left",
            );
        }
        if tokens.jwt_expires_in > Duration::from_hours(1) {
            remarks.push(
                "JWT_EXPIRES_IN is over 1h: services that only verify signatures accept revoked tokens that long",
            );
        }
        if sessions.session_expires_in != tokens.refresh_token_expires_in {
            remarks.push(
                "SESSION_EXPIRES_IN and REFRESH_TOKEN_EXPIRES_IN differ: the shorter applies to both",
            );
        }
        if sessions.idle_timeout().is_some_and(|idle| idle >= self.session_lifetime()) {
            remarks.push("SESSION_IDLE_TIMEOUT is not below SESSION_EXPIRES_IN: it has no effect");
        }
        remarks
    }
}
