//! What is known of a token, for whoever looks after the service: what it says, whether it is ours, and
//! what MySQL and Redis say of it.
//!
//! The token itself is not among it, nor any part from which it could be made; its digest is, by which
//! it is found. Nothing is changed, and looking is no use of a session.

mod rows;

use std::fmt;

use portcullis_core::Digest;
use serde_json::{Map, Value};

use crate::App;
use crate::base::clock::Timestamp;
use crate::base::session_id::SessionId;
use crate::tokens::access::{self, Claims};
use crate::tokens::secret::{EmailToken, RefreshToken};
use rows::Known;

/// What the service would make of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is taken.
    Live,
    /// It is refused.
    Dead,
    /// It is none of ours, or those who know were not to be reached.
    Unknown,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Dead => "dead",
            Self::Unknown => "unknown",
        }
    }
}

/// What was found out, in the order in which it is told.
pub struct Finding {
    /// What it comes to.
    pub state: State,
    facts: Vec<(&'static str, Value)>,
}

impl Finding {
    fn of(kind: &'static str, token: &str) -> Self {
        let digest = Digest::of(token.as_bytes()).to_hex();
        let digest = String::from_utf8_lossy(&digest).into_owned();
        let facts = vec![("kind", kind.into()), ("digest", digest.into())];
        Self { state: State::Unknown, facts }
    }

    fn add(&mut self, name: &'static str, value: impl Into<Value>) {
        self.facts.push((name, value.into()));
    }

    /// The same as one JSON object.
    #[must_use]
    pub fn json(&self) -> Value {
        let state = ("state", Value::from(self.state.name()));
        let facts = self.facts.iter().cloned().chain([state]);
        facts.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.facts {
            match value {
                // Whoever made the token chose the letters.
                Value::String(text) => writeln!(f, "{name}: {}", text.escape_debug())?,
                other => writeln!(f, "{name}: {other}")?,
            }
        }
        write!(f, "state: {}", self.state.name())
    }
}

/// Finds out what there is to know.
pub async fn inspect(app: &App, token: &str) -> Finding {
    if let Some(token) = RefreshToken::parse(token) {
        return refresh_token(app, &token).await;
    }
    if let Some(token) = EmailToken::parse(token) {
        return mailed_token(app, &token).await;
    }
    match access::peek(token) {
        Some(claims) => access_token(app, token, &claims).await,
        None => Finding::of("unknown", token),
    }
}

/// The claims that say nothing that must not be seen.
const SHOWN: [&str; 11] =
    ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "auth_time", "role", "amr"];

async fn access_token(app: &App, token: &str, claims: &Value) -> Finding {
    let mut finding = Finding::of("access token", token);
    let signer = app.keys.signer(token);
    finding.add("signature", if signer.is_some() { "holds" } else { "does not hold" });
    finding.add("key", signer.unwrap_or_else(|| "none that is read here".to_owned()));
    for name in SHOWN {
        match (&claims[name], name) {
            (Value::Null, _) => {}
            (Value::Number(at), "iat" | "nbf" | "exp" | "auth_time") => {
                let at = at.as_u64().map(|at| Timestamp::from_seconds(at).rfc3339());
                finding.add(name, at.map_or_else(|| claims[name].clone(), Value::from));
            }
            (value, _) => finding.add(name, value.clone()),
        }
    }
    match app.keys.verify(token, app.clock.now()) {
        Ok(claims) => {
            finding.add("claims", "accepted");
            judge_access_token(app, &mut finding, token, &claims).await;
        }
        Err(refusal) => {
            finding.add("claims", refusal.to_string());
            finding.state = State::Dead;
        }
    }
    finding
}

async fn judge_access_token(app: &App, finding: &mut Finding, token: &str, claims: &Claims) {
    let digest = Digest::of(token.as_bytes());
    let mysql = rows::access_token(app, digest, claims).await;
    finding.add("mysql", mysql.to_string());
    let redis = ask_redis(app, finding, claims.user_id, digest, &claims.session_id).await;
    finding.state = match (&mysql, redis.as_deref()) {
        (_, Some("REVOKED")) | (Known::Dead(_), _) => State::Dead,
        // Redis hears of a use before MySQL does.
        (Known::Live, _) | (Known::Idle | Known::Unreachable(_), Some("OK")) => State::Live,
        (Known::Idle | Known::Nothing, _) => State::Dead,
        (Known::Unreachable(_), _) => State::Unknown,
    };
}

async fn refresh_token(app: &App, token: &RefreshToken) -> Finding {
    let mut finding = Finding::of("refresh token", token.expose());
    let found = match rows::refresh_token(app, token).await {
        Ok(Some(found)) => found,
        Ok(None) => {
            finding.add("mysql", Known::Nothing.to_string());
            return finding;
        }
        Err(cause) => {
            finding.add("mysql", Known::Unreachable(cause).to_string());
            return finding;
        }
    };
    finding.add("sub", found.user_id.to_string());
    finding.add("sid", found.session.as_str());
    if let Some(issued_at) = found.issued_at {
        finding.add("iat", issued_at.rfc3339());
    }
    finding.add("exp", found.expires_at.rfc3339());
    let mysql = rows::state_of(app, &found).await;
    finding.add("mysql", mysql.to_string());
    let redis = ask_redis(app, &mut finding, found.user_id, token.digest(), &found.session).await;
    finding.state = match mysql {
        Known::Live => State::Live,
        Known::Idle if redis.as_deref() == Some("OK") => State::Live,
        Known::Dead(_) | Known::Idle | Known::Nothing => State::Dead,
        Known::Unreachable(_) => State::Unknown,
    };
    finding
}

async fn mailed_token(app: &App, token: &EmailToken) -> Finding {
    let found = rows::mailed_token(app, token.digest()).await;
    let kind = if matches!(found, Ok(Some(_))) { "mailed token" } else { "unknown" };
    let mut finding = Finding::of(kind, token.expose());
    match found {
        Ok(Some(found)) => {
            finding.add("purpose", found.purpose.as_str());
            finding.add("sub", found.user_id.to_string());
            finding.add("iat", found.created_at.rfc3339());
            finding.add("exp", found.expires_at.rfc3339());
            let mysql = found.state(app.clock.now());
            finding.add("mysql", mysql.to_string());
            finding.state = if mysql == Known::Live { State::Live } else { State::Dead };
        }
        Ok(None) => finding.add("mysql", Known::Nothing.to_string()),
        Err(cause) => finding.add("mysql", Known::Unreachable(cause).to_string()),
    }
    finding
}

/// The verdict of Redis, if there is one.
async fn ask_redis(
    app: &App,
    finding: &mut Finding,
    user_id: u64,
    digest: Digest,
    session: &SessionId,
) -> Option<String> {
    match app.ledgers.hearsay(user_id, digest, session).await {
        Ok(verdict) => {
            finding.add("redis", verdict.clone());
            Some(verdict)
        }
        Err(cause) => {
            finding.add("redis", format!("no verdict: {cause}"));
            None
        }
    }
}
