//! Access tokens, refresh tokens, and who may ask about them.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use secrecy::SecretString;

use super::invalid::Invalid;
use super::values::{duration, given, secret};

/// The upper bound of `JWT_LEEWAY`: so much longer than its `exp` some service may take a token.
pub(crate) const LONGEST_LEEWAY: Duration = Duration::from_mins(1);

/// Access and refresh tokens.
#[derive(Args, Clone)]
#[command(next_help_heading = "Tokens")]
pub struct Tokens {
    /// Secret that signs access tokens (HS256), at least 32 bytes: `openssl rand -base64 48`.
    #[arg(long, env, hide_env_values = true, value_parser = secret)]
    pub jwt_secret: Option<SecretString>,
    /// Earlier secrets, comma separated: no longer used for signing, but their tokens are still accepted.
    #[arg(long, env, hide_env_values = true, value_parser = secret)]
    pub jwt_secrets_old: Option<SecretString>,
    /// Directory of PEM private keys, `<kid>.pem`, Ed25519 or P-256. Used instead of `JWT_SECRET`; the
    /// last by name signs, tokens of all are accepted.
    #[arg(long, env)]
    pub jwt_keys_dir: Option<PathBuf>,
    /// Issuer (`iss`) of access tokens.
    #[arg(long, env, default_value = "portcullis")]
    pub jwt_issuer: String,
    /// Audience (`aud`) of access tokens.
    #[arg(long, env, default_value = "portcullis")]
    pub jwt_audience: String,
    /// How long an access token lives (1s to 24h).
    #[arg(long, env, default_value = "15m", value_parser = duration("1s", "24h"))]
    pub jwt_expires_in: Duration,
    /// Tolerated clock difference (0s to 60s); must not exceed the module's `portcullis.leeway`.
    #[arg(long, env, default_value = "5s", value_parser = duration("0s", "60s"))]
    pub jwt_leeway: Duration,
    /// How long a chain of refresh tokens lives (1s to 400d). It never outlives its session, and when
    /// it ends the session ends too.
    #[arg(long, env, default_value = "30d", value_parser = duration("1s", "400d"))]
    pub refresh_token_expires_in: Duration,
    /// Key that derives refresh, CSRF and device tokens, at least 32 bytes; by default `JWT_SECRET`.
    #[arg(long, env, hide_env_values = true, value_parser = secret)]
    pub refresh_token_key: Option<SecretString>,
    /// Earlier keys of this kind, comma separated: what was derived from them is still accepted. So it
    /// is for those in `JWT_SECRET` and `JWT_SECRETS_OLD`.
    #[arg(long, env, hide_env_values = true, value_parser = secret)]
    pub refresh_token_keys_old: Option<SecretString>,
    /// How long a repeated refresh gets the same answer (0s to 5m).
    #[arg(long, env, default_value = "30s", value_parser = duration("0s", "5m"))]
    pub refresh_grace: Duration,
    /// Hand out refresh tokens in their earlier form, one row each: while instances of an earlier
    /// version, which do not know the present form, share the database.
    #[arg(long, env, default_value_t = false, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub refresh_token_earlier_form: bool,
    /// Always on: without rotation, the theft of a refresh token cannot be detected.
    #[arg(long, env, default_value_t = true, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub refresh_token_rotation: bool,
    /// Who may introspect and revoke tokens: `id:secret,id2:secret2`, secrets of at least 16 bytes.
    #[arg(long, env, hide_env_values = true, value_parser = secret)]
    pub introspection_clients: Option<SecretString>,
}

/// A service that may introspect and revoke tokens.
#[derive(Clone)]
pub struct KnownService {
    /// The name it gives.
    pub id: String,
    /// The secret it gives.
    pub secret: SecretString,
}

/// What refresh tokens and their like are derived from.
pub struct RefreshSecrets {
    /// Makes new ones.
    pub current: SecretString,
    /// What was made from these is still read.
    pub old: Vec<SecretString>,
}

impl Tokens {
    /// Refuses secrets that anybody could guess, and switches that would be a hole.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        if !self.refresh_token_rotation {
            return Err(Invalid::new(
                "REFRESH_TOKEN_ROTATION",
                "cannot be turned off: without rotation, the theft of a refresh token cannot be detected",
            ));
        }
        let signer = given(self.jwt_secret.as_ref());
        if signer.is_none() && self.keys_dir().is_none() {
            return Err(Invalid::new(
                "JWT_SECRET",
                "must be set (or JWT_KEYS_DIR): openssl rand -base64 48",
            ));
        }
        if signer.is_none() && given(self.refresh_token_key.as_ref()).is_none() {
            return Err(Invalid::new(
                "REFRESH_TOKEN_KEY",
                "must be set when JWT_SECRET is not: openssl rand -base64 48",
            ));
        }
        signer.map_or(Ok(()), |secret| strong("JWT_SECRET", secret))?;
        given(self.refresh_token_key.as_ref())
            .map_or(Ok(()), |key| strong("REFRESH_TOKEN_KEY", key))?;
        self.old_secrets().try_for_each(|secret| strong("JWT_SECRETS_OLD", secret))?;
        self.old_refresh_keys().try_for_each(|key| strong("REFRESH_TOKEN_KEYS_OLD", key))?;
        for (setting, name) in
            [("JWT_ISSUER", &self.jwt_issuer), ("JWT_AUDIENCE", &self.jwt_audience)]
        {
            if name.is_empty() {
                return Err(Invalid::new(setting, "must not be empty"));
            }
        }
        self.introspection_clients().map(drop)
    }

    /// Where the private keys are, if keys are used.
    #[must_use]
    pub fn keys_dir(&self) -> Option<&PathBuf> {
        self.jwt_keys_dir.as_ref().filter(|dir| !dir.as_os_str().is_empty())
    }

    /// The secret that signs when no keys directory is set.
    #[must_use]
    pub fn signing_secret(&self) -> &str {
        given(self.jwt_secret.as_ref()).unwrap_or_default()
    }

    /// The secrets whose tokens are still read.
    pub fn old_secrets(&self) -> impl Iterator<Item = &str> {
        listed(self.jwt_secrets_old.as_ref())
    }

    /// The keys of refresh tokens that were replaced.
    pub fn old_refresh_keys(&self) -> impl Iterator<Item = &str> {
        listed(self.refresh_token_keys_old.as_ref())
    }

    /// What refresh tokens, CSRF tokens and the cookies of devices are derived from. `JWT_SECRET`,
    /// replaced or not, is among the old because they are derived from it while there is no key.
    #[must_use]
    pub fn refresh_secrets(&self) -> RefreshSecrets {
        let signer = given(self.jwt_secret.as_ref());
        let current = given(self.refresh_token_key.as_ref()).or(signer).unwrap_or_default();
        let old = signer.into_iter().chain(self.old_refresh_keys()).chain(self.old_secrets());
        let old = old.filter(|secret| *secret != current).map(SecretString::from);
        RefreshSecrets { current: current.into(), old: old.collect() }
    }

    /// Who may introspect and revoke tokens.
    pub fn introspection_clients(&self) -> Result<Vec<KnownService>, Invalid> {
        let written = given(self.introspection_clients.as_ref()).unwrap_or_default();
        let service = |pair: &str| match pair.trim().split_once(':') {
            Some((id, secret)) if !id.is_empty() && secret.len() >= 16 => {
                Ok(KnownService { id: id.to_owned(), secret: secret.into() })
            }
            _ => Err(Invalid::new(
                "INTROSPECTION_CLIENTS",
                "must be id:secret,id2:secret2, each secret of at least 16 bytes",
            )),
        };
        written.split(',').filter(|pair| !pair.trim().is_empty()).map(service).collect()
    }
}

/// The secrets of a list.
fn listed(secrets: Option<&SecretString>) -> impl Iterator<Item = &str> {
    let written = given(secrets).unwrap_or_default();
    written.split(',').map(str::trim).filter(|secret| !secret.is_empty())
}

/// Secrets from documents and templates, in part: everybody knows them (BUG-40).
const SAMPLES: [&str; 10] = [
    "your-super-secret",
    "your-secret",
    "your_secret",
    "your-256-bit-secret",
    "super-secret-key",
    "changeme",
    "change-me",
    "change_me",
    "replace-me",
    "placeholder",
];

/// At least 256 bits, no known sample, not one letter over and over.
fn strong(setting: &'static str, secret: &str) -> Result<(), Invalid> {
    let lower = secret.to_ascii_lowercase();
    let mut letters: Vec<u8> = secret.bytes().collect();
    letters.sort_unstable();
    letters.dedup();
    if secret.len() < 32 {
        return Err(Invalid::new(
            setting,
            "must be at least 32 bytes long: openssl rand -base64 48",
        ));
    }
    if letters.len() < 8 || SAMPLES.iter().any(|sample| lower.contains(sample)) {
        return Err(Invalid::new(
            setting,
            "is a well-known sample value; generate your own: openssl rand -base64 48",
        ));
    }
    Ok(())
}
