//! What all pages share: the API that they are a client of, their templates, and where they are.

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use serde_json::{Value, json};

use super::assets::Assets;
use super::templates::Templates;
use crate::App;
use crate::base::error::Error;
use crate::http::routes::api;
use crate::settings::Origin;

/// What all pages share; a clone is the same.
#[derive(Clone)]
pub(super) struct Pages(Arc<Parts>);

pub(super) struct Parts {
    pub(super) app: App,
    /// The routes of the API.
    pub(super) api: Router,
    pub(super) templates: Templates,
    pub(super) assets: Assets,
    /// `PAGES_PATH`.
    pub(super) base: String,
    /// `Content-Security-Policy` of every page.
    pub(super) policy: HeaderValue,
}

impl Deref for Pages {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Pages {
    /// Fails if a template is wrong, which a test would have found.
    pub(super) fn new(app: &App) -> Result<Self, Error> {
        let settings = &app.settings;
        let base = settings.pages.pages_path.as_str().to_owned();
        let assets = Assets::new(settings.pages.brand_color);
        let globals: [(&str, Value); 4] = [
            ("base", json!(base)),
            ("brand", json!(settings.server.app_name)),
            ("version", json!(assets.version)),
            ("shortest_password", json!(settings.accounts.password_min_length)),
        ];
        let internal = |fault: String| Error::Internal(fault.into());
        let templates = Templates::new(&globals).map_err(|fault| internal(format!("{fault:#}")))?;
        let policy = policy(app).map_err(internal)?;
        let api = api(app).with_state(app.clone());
        let app = app.clone();
        Ok(Self(Arc::new(Parts { app, api, templates, assets, base, policy })))
    }
}

/// Nothing but our own files, no script or style in a page, and no frame around it. A login may lead to
/// the origins of `RETURN_TO`: some browsers ask also where a form is redirected to.
fn policy(app: &App) -> Result<HeaderValue, String> {
    let front_end = app.settings.accounts.frontend_url.split('/').take(3).collect::<Vec<_>>();
    let front_end = front_end.join("/").parse::<Origin>().ok();
    let listed = app.settings.server.return_to.0.iter().chain(&front_end);
    let targets: Vec<&str> = ["'self'"].into_iter().chain(listed.map(|it| it.0.as_str())).collect();
    let targets = targets.join(" ");
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; form-action {targets}; object-src 'none'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).map_err(|fault| fault.to_string())
}
