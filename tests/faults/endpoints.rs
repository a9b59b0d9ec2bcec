//! Every endpoint, what to send it, and what it answers without Redis and without MySQL.

use portcullis_api::http::openapi::document;
use portcullis_tests::{Login, PASSWORD, Service, wait_until};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

/// The name and secret of the service that introspects.
pub(crate) const INTROSPECTOR: &str = "gateway:a secret of no use elsewhere";

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Nobody in particular.
    Anyone,
    /// The person, in the first of two sessions.
    Bearer,
    /// An administrator.
    Admin,
    /// A service with a name and a secret; it sends a form.
    Gateway,
    /// Somebody who watches the service; the path is not under `/api/v1/auth`.
    Watcher,
    /// The same on the operations listener.
    Operator,
}

/// Which sessions of the person a success ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    Nothing,
    First,
    Second,
    Both,
}

/// One endpoint; `{…}` stands for something of the person's.
#[derive(Clone, Copy)]
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    who: Who,
    body: &'static str,
    /// The status while Redis is wounded.
    pub(crate) without_redis: u16,
    /// The status while MySQL is wounded.
    pub(crate) without_mysql: u16,
    pub(crate) ends: Ends,
}

/// What is answered while a store is wounded.
#[derive(Clone, Copy)]
struct Without {
    redis: u16,
    mysql: u16,
}

/// One that ends nothing.
const fn endpoint(
    method: &'static str,
    path: &'static str,
    who: Who,
    body: &'static str,
    without: Without,
) -> Endpoint {
    let Without { redis: without_redis, mysql: without_mysql } = without;
    Endpoint { method, path, who, body, without_redis, without_mysql, ends: Ends::Nothing }
}

/// The truth is needed; Redis is not.
const NEEDS_MYSQL: Without = Without { redis: 200, mysql: 503 };
const NEEDS_NEITHER: Without = Without { redis: 200, mysql: 200 };
const TELLS: Without = Without { redis: 503, mysql: 503 };

/// Ends everybody, so it is called after all others.
pub(crate) const LOGOUT_EVERYONE: Endpoint =
    endpoint("POST", "/admin/logout-everyone", Who::Admin, "{}", NEEDS_MYSQL).ending(Ends::Both);

/// All others.
#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &{
    use Ends::{Both, First, Second};
    use Who::{Admin, Anyone, Bearer, Gateway, Operator, Watcher};
    [
        endpoint("POST", "/register", Anyone, r#"{"email":"new-{email}","password":"{password}","first_name":"New","last_name":"Comer"}"#, Without { redis: 201, ..NEEDS_MYSQL }),
        endpoint("POST", "/verify-email", Anyone, r#"{"token":"{verify}"}"#, NEEDS_MYSQL),
        endpoint("POST", "/resend-verification", Anyone, r#"{"email":"{email}"}"#, NEEDS_MYSQL),
        endpoint("POST", "/forgot-password", Anyone, r#"{"email":"{email}"}"#, NEEDS_MYSQL),
        endpoint("POST", "/reset-password", Anyone, r#"{"token":"{reset}","new_password":"another horse battery staple"}"#, NEEDS_MYSQL).ending(Both),
        endpoint("POST", "/change-password", Bearer, r#"{"current_password":"{password}","new_password":"another horse battery staple"}"#, NEEDS_MYSQL).ending(Both),
        endpoint("POST", "/login-enhanced", Anyone, r#"{"email":"{email}","password":"{password}"}"#, NEEDS_MYSQL),
        endpoint("POST", "/login", Anyone, r#"{"email":"{email}","password":"{password}"}"#, NEEDS_MYSQL),
        endpoint("POST", "/refresh", Anyone, r#"{"refresh_token":"{refresh}"}"#, NEEDS_MYSQL),
        endpoint("POST", "/revoke-refresh-token", Bearer, r#"{"refresh_token":"{second refresh}"}"#, NEEDS_MYSQL).ending(Second),
        endpoint("POST", "/logout", Bearer, "{}", NEEDS_MYSQL).ending(First),
        endpoint("POST", "/logout-all-devices", Bearer, "{}", NEEDS_MYSQL).ending(Both),
        endpoint("GET", "/return", Bearer, "", Without { redis: 303, mysql: 303 }),
        endpoint("GET", "/sessions", Bearer, "", NEEDS_MYSQL),
        endpoint("DELETE", "/sessions", Bearer, "", NEEDS_MYSQL).ending(Second),
        endpoint("DELETE", "/sessions/{second session}", Bearer, "", NEEDS_MYSQL).ending(Second),
        endpoint("POST", "/change-email", Bearer, r#"{"email":"another-{email}"}"#, NEEDS_MYSQL),
        endpoint("POST", "/confirm-email", Anyone, r#"{"token":"{confirm}"}"#, NEEDS_MYSQL),
        endpoint("GET", "/me", Bearer, "", NEEDS_MYSQL),
        endpoint("PATCH", "/me", Bearer, r#"{"first_name":"Al","locale":"de"}"#, NEEDS_MYSQL),
        endpoint("GET", "/me/export", Bearer, "", NEEDS_MYSQL),
        endpoint("DELETE", "/me", Bearer, "", NEEDS_MYSQL).ending(Both),
        endpoint("GET", "/blacklist", Bearer, "", NEEDS_MYSQL),
        endpoint("GET", "/token-stats", Bearer, "", NEEDS_MYSQL),
        endpoint("GET", "/verify", Bearer, "", NEEDS_NEITHER),
        endpoint("POST", "/verify/{rest}", Bearer, "", NEEDS_NEITHER),
        endpoint("POST", "/introspect", Gateway, "token={access}", NEEDS_NEITHER),
        endpoint("POST", "/introspect", Gateway, "token={refresh}&token_type_hint=refresh_token", NEEDS_MYSQL),
        endpoint("POST", "/revoke", Gateway, "token={access}", NEEDS_MYSQL).ending(First),
        endpoint("POST", "/revoke", Gateway, "token={refresh}", NEEDS_MYSQL).ending(First),
        endpoint("GET", "/admin/overview", Admin, "", NEEDS_MYSQL),
        endpoint("GET", "/admin/blacklist-stats", Admin, "", NEEDS_MYSQL),
        endpoint("GET", "/admin/users", Admin, "", NEEDS_MYSQL),
        endpoint("GET", "/admin/users/{user}/sessions", Admin, "", NEEDS_MYSQL),
        endpoint("GET", "/admin/audit", Admin, "", NEEDS_MYSQL),
        endpoint("DELETE", "/admin/users/{user}/sessions", Admin, "", NEEDS_MYSQL).ending(Both),
        endpoint("POST", "/admin/users/{user}/disable", Admin, "", NEEDS_MYSQL).ending(Both),
        endpoint("POST", "/admin/users/{user}/enable", Admin, "", NEEDS_MYSQL),
        endpoint("POST", "/admin/users/{user}/role", Admin, r#"{"role":"user"}"#, NEEDS_MYSQL),
        endpoint("DELETE", "/admin/users/{user}", Admin, "", NEEDS_MYSQL).ending(Both),
        endpoint("GET", "/.well-known/jwks.json", Watcher, "", NEEDS_NEITHER),
        endpoint("GET", "/.well-known/oauth-authorization-server", Watcher, "", NEEDS_NEITHER),
        endpoint("GET", "/health", Watcher, "", TELLS),
        endpoint("GET", "/livez", Watcher, "", NEEDS_NEITHER),
        endpoint("GET", "/readyz", Watcher, "", TELLS),
        endpoint("GET", "/metrics", Operator, "", NEEDS_NEITHER),
        endpoint("GET", "/openapi.json", Operator, "", NEEDS_NEITHER),
        endpoint("GET", "/docs", Operator, "", NEEDS_NEITHER),
    ]
};

/// Who an endpoint is called for or about: somebody with two sessions, and two mails to answer.
pub(crate) struct Person {
    pub(crate) first: Login,
    pub(crate) second: Login,
    email: String,
    verify: String,
    reset: String,
    confirm: String,
}

impl Person {
    pub(crate) async fn of(auth: &Service, name: &str) -> Self {
        let (first, second) = (auth.logged_in(name).await, auth.logged_in(name).await);
        let email = format!("{name}@example.com");
        let [verify, reset, confirm] = [const { String::new() }; 3];
        Self { first, second, email, verify, reset, confirm }
    }

    /// The same, with the mails that this endpoint wants answered.
    pub(crate) async fn for_endpoint(auth: &Service, name: &str, endpoint: &Endpoint) -> Self {
        let mut person = Self::of(auth, name).await;
        if endpoint.body.contains("{verify}") {
            let body = json!({ "email": format!("also-{name}@example.com"), "password": PASSWORD,
                               "first_name": "Al", "last_name": "So" });
            auth.post("/register", body).await.must_be(201);
            person.verify = mailed_to(auth, &format!("also-{name}@example.com"));
        }
        if endpoint.body.contains("{reset}") {
            auth.post("/forgot-password", json!({ "email": person.email })).await.must_be(200);
            person.reset = mailed_to(auth, &person.email);
        }
        if endpoint.body.contains("{confirm}") {
            let new = format!("changed-{name}@example.com");
            let change = json!({ "email": new });
            auth.post_as(&person.first.access, "/change-email", change).await.must_be(200);
            person.confirm = mailed_to(auth, &new);
        }
        person
    }

    fn fill(&self, text: &str) -> String {
        let Self { first, second, email, verify, reset, confirm } = self;
        text.replace("{email}", email)
            .replace("{password}", PASSWORD)
            .replace("{verify}", verify)
            .replace("{reset}", reset)
            .replace("{confirm}", confirm)
            .replace("{access}", &first.access)
            .replace("{refresh}", &first.refresh)
            .replace("{second refresh}", &second.refresh)
            .replace("{second session}", &second.session)
            .replace("{user}", &first.user_id.to_string())
    }

    /// Those of the two that this is about.
    pub(crate) fn logins(&self, ends: Ends) -> Vec<&Login> {
        match ends {
            Ends::Nothing => Vec::new(),
            Ends::First => vec![&self.first],
            Ends::Second => vec![&self.second],
            Ends::Both => vec![&self.first, &self.second],
        }
    }
}

/// Whom requests are sent to, and who administers.
pub(crate) struct Called<'a> {
    pub(crate) auth: &'a Service,
    pub(crate) admin: &'a Login,
    pub(crate) operations: &'a str,
}

impl Endpoint {
    const fn ending(self, ends: Ends) -> Self {
        Self { ends, ..self }
    }

    pub(crate) fn request(&self, called: &Called<'_>, person: &Person) -> RequestBuilder {
        let Called { auth, admin, operations } = called;
        let method = Method::from_bytes(self.method.as_bytes()).unwrap();
        let (path, body) = (person.fill(self.path), person.fill(self.body));
        let request = match self.who {
            Who::Watcher => auth.raw(method, &path),
            Who::Operator => auth.http.request(method, format!("{operations}{path}")),
            Who::Anyone | Who::Bearer | Who::Admin | Who::Gateway => auth.request(method, &path),
        };
        let request = match self.who {
            Who::Bearer => request.bearer_auth(&person.first.access),
            Who::Admin => request.bearer_auth(&admin.access),
            Who::Gateway => {
                let (name, secret) = INTROSPECTOR.split_once(':').unwrap();
                request.basic_auth(name, Some(secret))
            }
            Who::Anyone | Who::Watcher | Who::Operator => request,
        };
        let is_form = self.who == Who::Gateway;
        let kind = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
        if body.is_empty() { request } else { request.header("content-type", kind).body(body) }
    }
}

/// The longest word of the newest mail to an address: its token.
fn mailed_to(auth: &Service, email: &str) -> String {
    let to = format!("To: {email}");
    let found = || auth.mails().into_iter().rev().find(|mail| mail.contains(&to));
    wait_until("the mail is there", || found().is_some());
    let mail = found().unwrap();
    let words = mail.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
    words.max_by_key(|word| word.len()).unwrap_or_default().to_owned()
}

#[test]
fn every_operation_is_among_the_endpoints() {
    let blank = |path: &str| -> Vec<String> {
        let parts = path.strip_prefix("/api/v1/auth").unwrap_or(path).split('/');
        parts.map(|part| if part.starts_with('{') { "{}".into() } else { part.into() }).collect()
    };
    let listed: Vec<_> = ENDPOINTS
        .iter()
        .chain([&LOGOUT_EVERYONE])
        .map(|endpoint| (endpoint.method.to_lowercase(), blank(endpoint.path)))
        .collect();
    let paths = document()["paths"].as_object().unwrap();
    let described = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().keys().map(|method| (method.clone(), blank(path)))
    });
    // Whatever the method, `/verify` is one handler.
    let missing: Vec<_> = described
        .filter(|(_, path)| !path.contains(&"verify".to_owned()))
        .filter(|operation| !listed.contains(operation))
        .collect();
    assert!(missing.is_empty(), "not in the matrix: {missing:?}");
}
