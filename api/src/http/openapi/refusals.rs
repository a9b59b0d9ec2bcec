//! Refusals in the description: made from [`Error`] itself, so that status, code, headers and text
//! are those that clients get.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use crate::base::allowance::Throttled;
use crate::base::clock::Timestamp;
use crate::base::error::{Error, Over, Violation};

/// Refusals of whoever must send an access token.
const OF_TOKENS: [&str; 5] =
    ["no_token", "invalid_token", "two_tokens", "empty_bearer", "session_mismatch"];
/// Refusals of every body.
const OF_BODIES: [&str; 3] = ["malformed_request", "slow_body", "body_too_large"];
/// Refusals of JSON bodies.
const OF_JSON: [&str; 2] = ["not_json", "unacceptable"];

/// One of each that a client can meet.
fn errors() -> Vec<Error> {
    let violation = |field, code, detail| vec![Violation::new(field, code, detail)];
    let throttled = Throttled {
        policy: "login",
        quota: 100,
        window: Duration::from_mins(15),
        retry_after: Duration::from_secs(42),
    };
    vec![
        Error::Malformed("The body is not JSON."),
        Error::Incomplete(violation("email", "required", "This is required.")),
        Error::Unacceptable(violation("email", "not_an_email", "must be an e-mail address")),
        Error::BadCredentials,
        Error::WrongPassword,
        Error::NoToken,
        Error::EmptyBearer,
        Error::DeadToken,
        Error::SessionOver(Over {
            reason: "password_change".into(),
            at: Timestamp::from_seconds(1_767_225_600),
        }),
        Error::DeadEmailToken,
        Error::StepUp(900),
        Error::BadClient,
        Error::TwoTokens,
        Error::SessionMismatch,
        Error::NoCsrfToken(Some("n3OqFgGpJvXlQ1cTtHnY0cVw2m6rKd8eZx4uBsLiA9o".to_owned())),
        Error::Forbidden,
        Error::LastAdmin,
        Error::NoSuchSession,
        Error::NotFound,
        Error::SlowBody,
        Error::TooLarge,
        Error::NotJson,
        Error::NotAForm,
        Error::from(throttled),
        Error::Late,
        Error::Internal("".into()),
    ]
}

/// Adds to an operation what it may be refused with. The refusals themselves go into `shared`, once
/// each, because most operations have the same ones.
pub(super) fn add(operation: &mut Value, shared: &mut Map<String, Value>) {
    let codes = codes(operation);
    if let Some(object) = operation.as_object_mut() {
        object.remove("x-problems");
    }
    let responses = operation.pointer_mut("/responses").and_then(Value::as_object_mut);
    let Some(responses) = responses else { return };
    let is_limited = codes.iter().any(|code| code == "throttled");
    for response in responses.values_mut() {
        refer_to_headers_of_all(response, is_limited);
    }
    let mut by_status = BTreeMap::<u16, Vec<Sample>>::new();
    for sample in samples().filter(|sample| codes.contains(&sample.code)) {
        by_status.entry(sample.status).or_default().push(sample);
    }
    for (status, samples) in by_status {
        responses.entry(status.to_string()).or_insert_with(|| {
            let name = name(&samples, is_limited);
            let reference = reference("responses", &name);
            shared.entry(name).or_insert_with(|| response(status, &samples, is_limited));
            reference
        });
    }
}

/// `no_token-invalid_token`, or `no_token-invalid_token-limited`.
fn name(samples: &[Sample], is_limited: bool) -> String {
    let codes = samples.iter().map(|sample| sample.code.as_str());
    codes.chain(is_limited.then_some("limited")).collect::<Vec<_>>().join("-")
}

fn refer_to_headers_of_all(response: &mut Value, is_limited: bool) {
    refer(response, "X-Request-Id");
    if is_limited {
        refer(response, "RateLimit");
        refer(response, "RateLimit-Policy");
    }
}

/// Those that the handler names, and those that follow from what it takes.
fn codes(operation: &Value) -> Vec<String> {
    let named = operation["x-problems"].as_str().unwrap_or_default();
    let mut codes: Vec<&str> = named.split(' ').collect();
    codes.extend(["unavailable", "internal"]);
    let ways = || operation["security"].as_array().into_iter().flatten();
    if ways().any(|way| way.get("bearer").is_some()) {
        codes.extend(OF_TOKENS);
    }
    if ways().any(|way| way.get("csrf").is_some()) {
        codes.push("csrf_failed");
    }
    let body = &operation["requestBody"];
    if body.is_object() {
        codes.extend(OF_BODIES);
        let is_form = body["content"].get("application/json").is_none();
        codes.extend(if is_form { &["not_a_form"][..] } else { &OF_JSON[..] });
    }
    if body["required"] == true {
        codes.push("missing_fields");
    }
    codes.into_iter().map(str::to_owned).collect()
}

/// An error as it goes out.
struct Sample {
    status: u16,
    code: String,
    headers: Vec<(String, String)>,
    body: Value,
}

fn samples() -> impl Iterator<Item = Sample> {
    errors().into_iter().map(|error| {
        let (status, headers, body) = error.parts();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |value: &axum::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers = headers.iter().filter(|(name, _)| **name != CONTENT_TYPE);
        Sample {
            status: status.as_u16(),
            code: body["code"].as_str().unwrap_or_default().to_owned(),
            headers: headers.map(|(name, value)| (spelled(name.as_str()), text(value))).collect(),
            body,
        }
    })
}

fn response(status: u16, samples: &[Sample], is_limited: bool) -> Value {
    let codes: Vec<&str> = samples.iter().map(|sample| sample.code.as_str()).collect();
    let words = |sample: &Sample| {
        format!("`{}`: {}", sample.code, sample.body["detail"].as_str().unwrap_or_default())
    };
    let examples: Map<String, Value> =
        codes.iter().map(|code| ((*code).to_owned(), reference("examples", code))).collect();
    let mut response = json!({
        "description": samples.iter().map(words).collect::<Vec<_>>().join(" "),
        "content": { "application/problem+json": {
            "schema": { "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                { "properties": { "status": { "const": status }, "code": { "enum": codes } } },
            ] },
            "examples": examples,
        } },
    });
    for (name, _) in samples.iter().flat_map(|sample| &sample.headers) {
        refer(&mut response, name);
    }
    refer_to_headers_of_all(&mut response, is_limited);
    response
}

fn refer(response: &mut Value, header: &str) {
    response["headers"][header] = reference("headers", header);
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

/// `www-authenticate` as RFCs write it.
fn spelled(name: &str) -> String {
    match name {
        "www-authenticate" => "WWW-Authenticate",
        "retry-after" => "Retry-After",
        "ratelimit" => "RateLimit",
        "ratelimit-policy" => "RateLimit-Policy",
        other => other,
    }
    .to_owned()
}

/// Every problem document once.
pub(super) fn examples() -> Value {
    samples()
        .map(|sample| (sample.code, json!({ "value": sample.body })))
        .collect::<Map<_, _>>()
        .into()
}

/// Every header that an answer may carry because of a rule, with an example.
pub(super) fn headers() -> Value {
    let example = |name: &str| {
        let mut all = samples().flat_map(|sample| sample.headers);
        all.find(|(found, _)| found == name).map(|(_, value)| value)
    };
    let header = |name: &str, schema: Value, text: &str| json!({ "description": text, "schema": schema, "example": example(name) });
    let text = || json!({ "type": "string" });
    json!({
        "WWW-Authenticate": header("WWW-Authenticate", text(), "What authentication is required (RFC 6750, RFC 9470)."),
        "Retry-After": header("Retry-After", json!({ "type": "integer" }), "Seconds after which to try again."),
        "RateLimit": header("RateLimit", text(), "Remaining quota, and seconds until it grows. Absent if nothing is limited."),
        "RateLimit-Policy": header("RateLimit-Policy", text(), "Quota, and its window in seconds."),
        "X-Request-Id": {
            "description": "Identifies the request in the log.",
            "schema": { "type": "string", "maxLength": 64 },
            "example": "9f86d081884c7d65",
        },
    })
}
