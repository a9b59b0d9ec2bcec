//! One visit of a page: who asks, in which language, what the API says to them (`visit/calls.rs`), and the
//! page that comes of it (`visit/page.rs`).

mod calls;
mod page;

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use axum::response::Response;
use serde_json::Value;

use super::api::Answer;
use super::form::Form;
use super::jar::Jar;
use super::shared::Pages;
use crate::base::allowance::Allowance;
use crate::base::client::RequestId;
use crate::base::error::Error;
use crate::base::language::Language;
use crate::http::{cookies, our_pages};

/// Ties the forms of somebody who is not logged in to their browser, so that nobody else's page can log
/// them in as somebody else.
const FORM: &str = "__Host-form";
/// The language that somebody has chosen.
const LANGUAGE: &str = "__Host-lang";

/// A page, or the refusal that there is no page for.
pub(super) type Shown = Result<Response, Box<Answer>>;

/// Somebody who is logged in.
pub(super) struct Person {
    pub(super) user: Value,
    csrf: String,
}

/// One visit.
pub(super) struct Visit {
    pub(super) pages: Pages,
    pub(super) language: Language,
    /// The path below `PAGES_PATH`.
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    extensions: Extensions,
    jar: Jar,
    csrf: Option<String>,
    person: Option<Person>,
}

impl FromRequestParts<Pages> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let query: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
        let chosen = query.iter().find(|(name, _)| name == "lang").map(|(_, tag)| tag.clone());
        // What is nested does not see where: the whole path is kept beside.
        let whole =
            parts.extensions.get::<axum::extract::OriginalUri>().map(|it| it.path().to_owned());
        let whole = whole.unwrap_or_else(|| parts.uri.path().to_owned());
        let mut extensions = Extensions::new();
        extensions.insert(parts.extensions.get::<RequestId>().cloned().unwrap_or_default());
        extensions.insert(parts.extensions.get::<Allowance>().cloned().unwrap_or_default());
        if let Some(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>() {
            extensions.insert(*peer);
        }
        let mut visit = Self {
            pages: pages.clone(),
            language: language_of(&parts.headers),
            path: whole.strip_prefix(&pages.base).unwrap_or_default().to_owned(),
            jar: Jar::of(&parts.headers),
            query,
            headers: parts.headers.clone(),
            extensions,
            csrf: None,
            person: None,
        };
        if let Some(tag) = chosen {
            visit.speaks(&tag);
        }
        Ok(visit)
    }
}

/// What a browser has been told, or asks for.
pub(super) fn language_of(headers: &HeaderMap) -> Language {
    let chosen = cookies::value(headers, LANGUAGE).and_then(Language::of);
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    chosen.or_else(|| Language::preferred(accepted?)).unwrap_or_default()
}

impl Visit {
    /// A parameter of the query, empty if it was not sent.
    pub(super) fn asked(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// From now on the browser is spoken to in this language.
    pub(super) fn speaks(&mut self, tag: &str) {
        if let Some(language) = Language::of(tag) {
            self.language = language;
            self.jar.remember(LANGUAGE, language.as_str(), "; Max-Age=31536000");
        }
    }

    /// Takes the proof of a form along to the API, which judges it.
    pub(super) fn shows(&mut self, form: &Form) {
        self.csrf = Some(form.field("csrf").to_owned());
    }

    /// Refuses a form of somebody who is not logged in, unless this browser got it from us.
    pub(super) fn must_be_meant(&self, form: &Form) -> Result<(), Error> {
        if !our_pages::is_from_our_page(&self.pages.app, &self.headers) {
            return Err(Error::ForeignPage);
        }
        let nonce = cookies::value(&self.headers, FORM).unwrap_or_default();
        let is_ours = self.pages.app.csrf.is_of_form(nonce, form.field("csrf").as_bytes());
        if is_ours { Ok(()) } else { Err(Error::NoCsrfToken(None)) }
    }

    /// Whether the browser is left with an access token.
    pub(super) fn is_logged_in(&self) -> bool {
        self.jar.has_access()
    }
}
