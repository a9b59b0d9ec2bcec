//! A token from a mail, as a request brings it.

use crate::App;
use crate::accounts::email_token::{self, Purpose};
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::limits::Scope;
use crate::tokens::secret::EmailToken;

/// Reads a token that was mailed to somebody, whatever became of it. No limit refuses its holder; one
/// that nobody was sent counts against whoever sends it (F-16).
pub(super) async fn token(
    app: &App,
    client: &Client,
    text: &str,
    purpose: Purpose,
) -> Result<EmailToken> {
    token_of_any(app, client, text, &[purpose]).await.map(|(token, _)| token)
}

/// The same for one of several purposes.
pub(super) async fn token_of_any(
    app: &App,
    client: &Client,
    text: &str,
    purposes: &[Purpose],
) -> Result<(EmailToken, Purpose)> {
    let Some(token) = EmailToken::parse(text) else { return unknown(app, client).await };
    for purpose in purposes {
        let turn = app.limits.turn(Scope::Mail, client).await;
        let owner = email_token::owner(&app.store, &token, *purpose).await;
        drop(turn);
        match owner {
            Ok(_) => {
                app.limits.tell(Scope::Mail, client).await;
                return Ok((token, *purpose));
            }
            Err(Error::DeadEmailToken) => {}
            Err(outage) => return Err(outage),
        }
    }
    unknown(app, client).await
}

async fn unknown<T>(app: &App, client: &Client) -> Result<T> {
    Err(app.limits.unknown(Scope::Mail, client, Error::DeadEmailToken).await)
}
