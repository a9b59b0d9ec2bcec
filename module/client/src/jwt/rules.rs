//! What a token must say beside its signature.

use std::time::{Duration, SystemTime};

use jsonwebtoken::{Header, Validation};
use serde::Deserialize;

use super::refusal::JwtRefusal;

/// Who may have made a token, for whom, and when.
#[derive(Clone, Default)]
pub(super) struct Rules {
    pub(super) issuer: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) r#type: Option<String>,
    pub(super) leeway: Duration,
}

impl Rules {
    /// `application/` before it may be left out (RFC 7515 §4.1.9), and letters may be small or not.
    pub(super) fn takes_type(&self, header: &Header) -> bool {
        let bare = |text: &str| {
            let text = text.to_ascii_lowercase();
            text.strip_prefix("application/").map(str::to_owned).unwrap_or(text)
        };
        let Some(wanted) = &self.r#type else { return true };
        header.typ.as_deref().is_some_and(|typ| bare(typ) == bare(wanted))
    }

    /// The header's algorithm is one of the key's: that was looked at before.
    pub(super) fn validation(&self, header: &Header) -> Validation {
        let mut validation = Validation::new(header.alg);
        // The library asks the system for the time; that is done here, in one place.
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        validation.validate_aud = self.audience.is_some();
        let mut required = Vec::new();
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        validation
    }

    /// From when on the token is dead, if it is good now.
    pub(super) fn in_time(&self, wire: &Wire, now: SystemTime) -> Result<SystemTime, JwtRefusal> {
        let expires = instant(wire.exp)?.checked_add(self.leeway).ok_or(JwtRefusal::Malformed)?;
        if now >= expires {
            return Err(JwtRefusal::Expired);
        }
        let latest = now.checked_add(self.leeway).ok_or(JwtRefusal::Malformed)?;
        for begins in [wire.nbf, wire.iat].into_iter().flatten() {
            if latest < instant(begins)? {
                return Err(JwtRefusal::NotYet);
            }
        }
        Ok(expires)
    }
}

/// The claims that are looked at here. One that is repeated is refused, not guessed at.
#[derive(Deserialize)]
pub(super) struct Wire {
    pub(super) sub: String,
    pub(super) sid: Option<String>,
    pub(super) exp: f64,
    pub(super) iat: Option<f64>,
    pub(super) nbf: Option<f64>,
}

/// Seconds since the epoch, perhaps with a fraction (RFC 7519 §2), rounded down.
#[expect(clippy::cast_possible_truncation, reason = "what is out of bounds becomes the bound")]
pub(super) fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).floor() as i64
}

fn instant(seconds: f64) -> Result<SystemTime, JwtRefusal> {
    let since = Duration::try_from_secs_f64(seconds).map_err(|_| JwtRefusal::Malformed)?;
    SystemTime::UNIX_EPOCH.checked_add(since).ok_or(JwtRefusal::Malformed)
}
