//! What a visit comes to: a page, another one, or the login page.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::response::{Html, IntoResponse as _, Response};
use serde_json::{Value, json};

use super::{FORM, Shown, Visit};
use crate::base::error::Error;
use crate::base::language::Language;
use crate::http::cookies;
use crate::pages::links::{in_query, page_of, see_other};
use crate::pages::problem::Problem;
use crate::tokens::csrf;

impl Visit {
    /// To another page of ours, with what is to be said there.
    pub(in crate::pages) fn leads_to(&self, path: &str) -> Response {
        see_other(&format!("{}{path}", self.pages.base))
    }

    /// A page made of a template.
    pub(in crate::pages) fn page(
        &mut self,
        template: &str,
        status: StatusCode,
        own: &Value,
    ) -> Response {
        self.page_with(template, status, own, None)
    }

    /// The same with what was refused.
    pub(in crate::pages) fn page_with(
        &mut self,
        template: &str,
        status: StatusCode,
        own: &Value,
        problem: Option<&Problem>,
    ) -> Response {
        let csrf = match &self.person {
            Some(person) => person.csrf.clone(),
            None => self.form_token(),
        };
        let retry_after = problem.and_then(|problem| problem.retry_after);
        let context = json!({
            "page": template,
            "here": format!("{}{}", self.pages.base, self.path),
            "lang": self.language.as_str(),
            "languages": self.languages(),
            "person": self.person.as_ref().map(|person| &person.user),
            "csrf": csrf,
            "done": self.asked("done"),
            "pending": self.asked("pending") == "1",
            "retry_after": retry_after,
            "problem": problem,
            "own": own,
        });
        let file = format!("{template}.html");
        match self.pages.templates.render(self.language, &file, &context) {
            Ok(text) => {
                let wait = retry_after.map(|seconds| [("retry-after", seconds.to_string())]);
                (status, wait, Html(text)).into_response()
            }
            Err(fault) => Error::Internal(format!("{fault:#}").into()).into_response(),
        }
    }

    /// What a visit comes to: a page; the login page, if that is what is wanted; or the refusal, of
    /// which `routes.rs` makes a page.
    pub(in crate::pages) fn comes_to(mut self, shown: Shown) -> Response {
        let mut response = match shown {
            Ok(response) => response,
            Err(refusal) if refusal.is_signed_out() => see_other(&self.login("")),
            Err(refusal) if refusal.wants_a_new_login() => see_other(&self.login("again=1&")),
            Err(mut refusal) => {
                // Those are in the jar already.
                refusal.headers.remove(SET_COOKIE);
                let text = serde_json::to_vec(&refusal.json).unwrap_or_default();
                let mut response = (refusal.status, text).into_response();
                response.headers_mut().remove(CONTENT_TYPE);
                response.headers_mut().extend(refusal.headers);
                response
            }
        };
        self.jar.hand_out(response.headers_mut());
        response
    }

    /// The login page, which leads back here. Whoever sent a form goes on at the page that it stands on.
    fn login(&self, more: &str) -> String {
        let Self { pages, path, query, headers, .. } = self;
        let is_form = headers.contains_key(CONTENT_TYPE);
        let kept = query.iter().filter(|(name, _)| !is_form && name != "done");
        let query = serde_urlencoded::to_string(kept.collect::<Vec<_>>()).unwrap_or_default();
        let mark = if query.is_empty() { String::new() } else { format!("?{query}") };
        let back = in_query(&format!("{}{}{mark}", pages.base, page_of(path)));
        format!("{}/login?{more}return_to={back}", pages.base)
    }

    /// This page in every language.
    fn languages(&self) -> Vec<Value> {
        let page = format!("{}{}", self.pages.base, page_of(&self.path));
        let link = |language: &Language| {
            let kept = self.query.iter().filter(|(name, _)| name != "lang" && name != "done");
            let mut query: Vec<_> = kept.cloned().collect();
            query.push(("lang".into(), language.as_str().into()));
            let query = serde_urlencoded::to_string(query).unwrap_or_default();
            json!({ "tag": language.as_str(), "href": format!("{page}?{query}") })
        };
        Language::ALL.iter().map(link).collect()
    }

    /// The proof that a form of somebody who is not logged in carries.
    fn form_token(&mut self) -> String {
        let known = cookies::value(&self.headers, FORM).filter(|nonce| nonce.len() == 43);
        let nonce = known.map_or_else(|| csrf::nonce(&self.pages.app.random), str::to_owned);
        if known.is_none() {
            self.jar.remember(FORM, &nonce, "");
        }
        self.pages.app.csrf.token_of_form(&nonce)
    }
}
