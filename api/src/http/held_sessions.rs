//! The sessions that a browser has tokens of in its cookies. That is one, as a rule; but each cookie is
//! replaced by itself, and the older login has one of its own.

use axum::http::HeaderMap;

use super::cookies;
use crate::App;
use crate::base::error::{Error, Result};
use crate::sessions::family::Family;
use crate::sessions::leaver::Leaver;
use crate::tokens::secret::RefreshToken;

/// A browser sends no more of one name, unless somebody plants them.
const MOST: usize = 4;

/// Whose tokens lie in the cookies that a login replaces and a logout clears. Whatever is left alive then
/// nobody could end from this browser.
pub(crate) async fn in_cookies(app: &App, headers: &HeaderMap) -> Result<Vec<Leaver>> {
    let mut held = Vec::new();
    let access = cookies::values(headers, cookies::ACCESS).take(MOST);
    let old = cookies::values(headers, cookies::OLD).take(MOST);
    for token in access.chain(old.filter(|_| app.settings.server.legacy_login)) {
        match app.bearer.check(token).await {
            Ok(caller) => held.push(caller.into()),
            Err(Error::DeadToken) => {}
            Err(outage) => return Err(outage),
        }
    }
    let refresh = cookies::value(headers, cookies::REFRESH).and_then(RefreshToken::parse);
    if let Some(token) = refresh {
        let family = Family::of(&app.store, &app.refresh_keys, &token).await?;
        held.extend(family.map(Leaver::from));
    }
    Ok(held)
}
