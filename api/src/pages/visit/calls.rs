//! Calls of the API in the name of a browser. Cookies that the API sets on the way count at once and go out
//! with the page.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_LANGUAGE, CONTENT_TYPE, HOST, HeaderName, LOCATION, ORIGIN, USER_AGENT,
};
use axum::http::{HeaderValue, Method, Request, StatusCode};
use axum::response::Response;
use serde_json::Value;
use tower::ServiceExt as _;

use super::{Person, Shown, Visit};
use crate::pages::api::Answer;
use crate::pages::links::in_query;

/// What the API wants to know of a browser, beside its cookies.
const PASSED_ON: [HeaderName; 9] = [
    HOST,
    ORIGIN,
    USER_AGENT,
    ACCEPT_LANGUAGE,
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("sec-fetch-mode"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-device-id"),
];
/// The longest answer that a page is made of.
const LONGEST: usize = 4 * 1024 * 1024;

impl Visit {
    /// Calls the API; if the access token has died, with the next one.
    pub(in crate::pages) async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        let answer = self.ask(&method, path, body).await;
        if !answer.is_signed_out() {
            return answer;
        }
        match self.is_renewed().await {
            Ok(true) => self.ask(&method, path, body).await,
            Ok(false) => answer,
            Err(not_now) => *not_now,
        }
    }

    /// Calls the API and hands on its document as it comes.
    pub(in crate::pages) async fn document(&mut self, path: &str) -> Shown {
        let request = self.request(&Method::GET, path, None);
        let Ok(response) = self.pages.api.clone().oneshot(request).await;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Box::new(read(response).await))
    }

    /// Who is logged in; none if nobody is.
    pub(in crate::pages) async fn person(&mut self) -> Result<&Person, Box<Answer>> {
        let me = self.call(Method::GET, "/me", None).await.served()?;
        let data = me.data();
        let csrf = data["csrf_token"].as_str().unwrap_or_default().to_owned();
        Ok(self.person.insert(Person { user: data["user"].clone(), csrf }))
    }

    /// Where a login leads: to the page that was wanted if it is one of ours, and otherwise to the
    /// sessions. Which ones are ours is for the way back to say.
    pub(in crate::pages) async fn way_back(&mut self, wanted: &str) -> String {
        if !wanted.is_empty() {
            let back = format!("/return?return_to={}", in_query(wanted));
            let answer = self.ask(&Method::GET, &back, None).await;
            let page = answer.headers.get(LOCATION).and_then(|page| page.to_str().ok());
            if let Some(page) = page.filter(|_| answer.status == StatusCode::SEE_OTHER) {
                return page.to_owned();
            }
        }
        format!("{}/sessions", self.pages.base)
    }

    /// Exchanges the refresh cookie, as the way back does for other pages, and under its rules. Where
    /// it cannot be exchanged now, nobody is signed out.
    async fn is_renewed(&mut self) -> Result<bool, Box<Answer>> {
        if !self.jar.has_refresh() {
            return Ok(false);
        }
        let request = self.request(&Method::GET, "/return?return_to=/", None);
        let Ok(response) = self.pages.api.clone().oneshot(request).await;
        let is_renewed = self.jar.keep_all(response.headers());
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Box::new(read(response).await));
        }
        Ok(is_renewed)
    }

    async fn ask(&mut self, method: &Method, path: &str, body: Option<&Value>) -> Answer {
        let request = self.request(method, path, body);
        let Ok(response) = self.pages.api.clone().oneshot(request).await;
        self.jar.keep_all(response.headers());
        read(response).await
    }

    fn request(&self, method: &Method, path: &str, body: Option<&Value>) -> Request<Body> {
        let text = body.map(Value::to_string).unwrap_or_default();
        let below = if path == "/health" { "" } else { "/api/v1/auth" };
        let mut request = Request::new(Body::from(text));
        *request.method_mut() = method.clone();
        *request.uri_mut() = format!("{below}{path}").parse().unwrap_or_default();
        *request.extensions_mut() = self.extensions.clone();
        let headers = request.headers_mut();
        for name in PASSED_ON {
            for value in self.headers.get_all(&name) {
                headers.append(&name, value.clone());
            }
        }
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        self.jar.send(method, headers);
        let csrf = self.csrf.as_ref().and_then(|token| HeaderValue::try_from(token).ok());
        headers.extend(csrf.map(|token| (HeaderName::from_static("x-csrf-token"), token)));
        request
    }
}

async fn read(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let text = axum::body::to_bytes(body, LONGEST).await.unwrap_or_default();
    let json = serde_json::from_slice(&text).unwrap_or_default();
    Answer { status: parts.status, headers: parts.headers, json }
}
