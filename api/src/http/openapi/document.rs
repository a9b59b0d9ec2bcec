//! The document, put together from what handlers say of themselves.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::refusals;
use crate::http::accounts::change_email;
use crate::http::accounts::change_password;
use crate::http::accounts::deletion;
use crate::http::accounts::export;
use crate::http::accounts::me;
use crate::http::accounts::register;
use crate::http::accounts::reset_password;
use crate::http::admin;
use crate::http::admin::logout_everyone;
use crate::http::admin::users;
use crate::http::health;
use crate::http::problem::Problem;
use crate::http::services::introspect;
use crate::http::services::jwks;
use crate::http::services::metadata;
use crate::http::services::verify;
use crate::http::sessions;
use crate::http::sessions::logout;
use crate::http::tokens::blacklist;
use crate::http::tokens::login;
use crate::http::tokens::refresh;
use crate::http::tokens::refresh_tokens;

/// How everything works that is not said again at each operation.
const INTRODUCTION: &str = include_str!("introduction.txt");

#[derive(OpenApi)]
#[openapi(
    info(title = "Portcullis", description = INTRODUCTION, contact(), license(name = "MIT OR Apache-2.0")),
    tags(
        (name = "Accounts", description = "Registration, passwords and the caller's account."),
        (name = "Tokens", description = "Login, refresh and revoked tokens."),
        (name = "Sessions", description = "Listing and ending the caller's sessions."),
        (name = "For services", description = "Token checks and the public keys."),
        (name = "Administration", description = "For users with the role `admin`."),
        (name = "Health", description = "For people and for orchestrators."),
    ),
    paths(jwks::jwks, metadata::metadata, health::health, health::livez, health::readyz),
    nest((path = "/api/v1/auth", api = Auth), (path = "/api/v1/auth/admin", api = Admin)),
    components(schemas(Problem)),
)]
struct Everything;

#[derive(OpenApi)]
#[openapi(paths(
    register::register,
    register::verify_email,
    register::resend_verification,
    reset_password::forgot,
    reset_password::reset,
    change_password::change_password,
    change_email::change_email,
    change_email::confirm_email,
    me::me,
    me::change,
    deletion::delete,
    export::export,
    login::login_enhanced,
    login::login,
    refresh::refresh,
    refresh::way_back::way_back,
    refresh_tokens::revoke,
    refresh_tokens::stats,
    blacklist::list,
    logout::logout,
    logout::logout_all_devices,
    sessions::list,
    sessions::revoke_others,
    sessions::revoke,
    verify::verify,
    introspect::introspect,
    introspect::revoke,
))]
struct Auth;

#[derive(OpenApi)]
#[openapi(paths(
    admin::overview::overview,
    admin::blacklist_stats::blacklist_stats,
    logout_everyone::log_out_everyone,
    admin::audit::audit,
    users::listing::list,
    users::remove,
    users::sessions,
    users::log_out,
    users::disable,
    users::enable,
    users::set_role,
))]
struct Admin;

/// The document.
pub fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
        let mut document = serde_json::to_value(Everything::openapi()).unwrap_or_default();
        complete(&mut document);
        document
    });
    &DOCUMENT
}

fn complete(document: &mut Value) {
    name_data(&mut document["components"]["schemas"]);
    let mut shared = Map::new();
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for (path, item) in paths.iter_mut() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            operation["operationId"] = name(method, path).into();
            admit_cookies(operation, method);
            refusals::add(operation, &mut shared);
        }
    }
    let verify = paths["/api/v1/auth/verify"].clone();
    for below in ["/api/v1/auth/verify/", "/api/v1/auth/verify/{rest}"] {
        paths.insert(below.to_owned(), with_path(&verify, below));
    }

    let components = &mut document["components"];
    components["schemas"]["Problem"]["properties"]["error"] = json!({
        "type": "string", "example": "invalid_client",
        "description": "Only from `/introspect` and `/revoke`: the error as RFC 6749 §5.2 names it.",
    });
    components["examples"] = refusals::examples();
    components["headers"] = refusals::headers();
    components["responses"] = shared.into();
    components["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
        "cookie": { "type": "apiKey", "in": "cookie", "name": "__Host-access" },
        "old_cookie": {
            "type": "apiKey", "in": "cookie", "name": "jwt",
            "description": "Set by `/login`; valid for GET and HEAD, and ignored beside a bearer token.",
        },
        "refresh_cookie": { "type": "apiKey", "in": "cookie", "name": "__Host-refresh" },
        "csrf": {
            "type": "apiKey", "in": "header", "name": "X-CSRF-Token",
            "description": "The `csrf_token` of the login, sent from one of our pages.",
        },
        "client": {
            "type": "http", "scheme": "basic",
            "description": "Name and secret of a service in `INTROSPECTION_CLIENTS`, \
                            form-encoded or not; or `client_id` and `client_secret` in the form.",
        },
    });
}

/// The envelope refers to what is in it, and without a type of data holds none.
fn name_data(schemas: &mut Value) {
    for (name, schema) in schemas.as_object_mut().into_iter().flatten() {
        if let Some(data) = name.strip_prefix("Success_") {
            let data = json!({ "$ref": format!("#/components/schemas/{data}") });
            schema["properties"]["data"] = data;
        } else if name == "Success" {
            if let Some(fields) = schema["properties"].as_object_mut() {
                fields.remove("data");
            }
            schema["required"] = json!(["status"]);
        }
    }
}

/// `get_api_v1_auth_me`: unique, because method and path are.
fn name(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

/// Who may send a bearer token may send the cookie instead; to change something, with proof that
/// it is meant.
fn admit_cookies(operation: &mut Value, method: &str) {
    let Some(ways) = operation.pointer_mut("/security").and_then(Value::as_array_mut) else {
        return;
    };
    if !ways.iter().any(|way| way.get("bearer").is_some()) {
        return;
    }
    if ["get", "head", "options"].contains(&method) {
        ways.push(json!({ "cookie": [] }));
    } else {
        ways.push(json!({ "cookie": [], "csrf": [] }));
    }
    if ["get", "head"].contains(&method) {
        ways.push(json!({ "old_cookie": [] }));
    }
}

/// The same operations for every path below, as a proxy asks that passes its own path on.
fn with_path(item: &Value, path: &str) -> Value {
    let rest = json!({
        "name": "rest", "in": "path", "required": true, "schema": { "type": "string" },
        "description": "The path that the proxy was asked for; it is ignored.",
    });
    let again = |(method, operation): (&String, &Value)| {
        let mut operation = operation.clone();
        let is_root = path.ends_with('/');
        operation["operationId"] = (name(method, path) + if is_root { "_root" } else { "" }).into();
        if !is_root {
            let parameters = operation["parameters"].take();
            let mut parameters = parameters.as_array().cloned().unwrap_or_default();
            parameters.push(rest.clone());
            operation["parameters"] = parameters.into();
        }
        (method.clone(), operation)
    };
    item.as_object().into_iter().flatten().map(again).collect::<Map<_, _>>().into()
}
