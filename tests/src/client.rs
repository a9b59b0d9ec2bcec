//! A client of the HTTP service, wherever that runs: requests, and answers in one piece.
//!
//! Nothing here knows a clock, a database or a setting, so it also speaks to a service elsewhere.

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// The password of everybody in the tests.
pub const PASSWORD: &str = "correct horse battery staple";

/// Speaks to one service.
#[derive(Clone)]
pub struct Client {
    /// Where the service listens: `http://127.0.0.1:port`.
    pub url: String,
    /// Keeps no cookies and follows no redirects.
    pub http: reqwest::Client,
}

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user's id.
    pub user_id: u64,
    /// The session's id.
    pub session: String,
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
}

/// What the service answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as sent.
    pub text: String,
    /// The body as JSON; null if it is none.
    pub json: Value,
}

impl Answer {
    /// A header, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// What is at this pointer of the body, as text.
    #[track_caller]
    pub fn text_at(&self, pointer: &str) -> String {
        let value = self.json.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no text at {pointer}: {self:?}")).to_owned()
    }

    /// The same answer, if its status is this one.
    #[track_caller]
    #[expect(
        clippy::return_self_not_must_use,
        reason = "often the assertion is all that is wanted"
    )]
    pub fn must_be(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

impl From<Answer> for Login {
    fn from(answer: Answer) -> Self {
        Self {
            user_id: answer.json["data"]["user"]["id"].as_u64().expect("a login names the user"),
            session: answer.text_at("/data/session/id"),
            access: answer.text_at("/data/tokens/access/token"),
            refresh: answer.text_at("/data/tokens/refresh/token"),
        }
    }
}

impl Client {
    /// A client of the service at this address.
    pub fn of(url: impl Into<String>) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client needs nothing");
        Self { url: url.into(), http }
    }

    /// `POST` without a token.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    /// `POST` with an access token.
    pub async fn post_as(&self, access: &str, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).bearer_auth(access).json(&body)).await
    }

    /// `GET` with an access token.
    pub async fn get_as(&self, access: &str, path: &str) -> Answer {
        send(self.request(Method::GET, path).bearer_auth(access)).await
    }

    /// `DELETE` with an access token.
    pub async fn delete_as(&self, access: &str, path: &str) -> Answer {
        send(self.request(Method::DELETE, path).bearer_auth(access)).await
    }

    /// One refresh.
    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/refresh", json!({ "refresh_token": token })).await
    }

    /// Whether the access token is good, as a proxy asks.
    pub async fn is_good(&self, access: &str) -> bool {
        let answer = self.get_as(access, "/verify").await;
        assert!([200, 401].contains(&answer.status.as_u16()), "{answer:?}");
        answer.status == 200
    }

    /// A request to a path under `/api/v1/auth`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/api/v1/auth{path}", self.url))
    }

    /// A request to any path.
    pub fn raw(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }
}

/// Sends a request and reads all of the answer.
pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("the service answers");
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.expect("the answer is complete");
    let json = serde_json::from_str(&text).unwrap_or_default();
    Answer { status, headers, text, json }
}
