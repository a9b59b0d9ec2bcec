//! Answers, compared with their description.

use std::collections::BTreeSet;

use portcullis_tests::{Answer, Service, send};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// The document with a service, to be asked about its answers.
pub(super) struct Api {
    document: Value,
    pub(super) auth: Service,
    /// Operations that have succeeded.
    pub(super) tried: BTreeSet<String>,
}

impl Api {
    pub(super) fn new(document: Value, auth: Service) -> Self {
        Self { document: strict(document), auth, tried: BTreeSet::new() }
    }

    pub(super) async fn post(&mut self, path: &str, body: Value, status: u16) {
        let request = self.auth.request(Method::POST, path).json(&body);
        self.ask(request, status).await;
    }

    /// `GET /me` with an access token.
    pub(super) async fn as_user(
        &mut self,
        what: &str,
        access: &str,
        body: Option<Value>,
        status: u16,
    ) {
        let (method, path) = what.split_once(' ').unwrap();
        let request = self.auth.request(method.parse().unwrap(), path).bearer_auth(access);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        self.ask(request, status).await;
    }

    pub(super) async fn ask(&mut self, request: RequestBuilder, status: u16) {
        let copy = request.try_clone().unwrap().build().unwrap();
        let (method, path) = (copy.method().as_str().to_lowercase(), copy.url().path());
        let asked = format!("{method} {path}");
        let answer = send(request).await.must_be(status);
        let (template, operation) = self.operation(&method, path);
        let described = self.referred(&operation["responses"][status.to_string()]);
        assert!(described.is_object(), "{asked}: {status} is not described");
        must_describe_headers(&asked, described, &answer);
        self.must_describe_body(&asked, described, &answer);
        if status < 400 {
            self.tried.insert(format!("{method} {template}"));
        }
    }

    /// What is meant, where it may stand among the components.
    fn referred<'a>(&'a self, value: &'a Value) -> &'a Value {
        let place = value["$ref"].as_str().map(|at| at.trim_start_matches('#'));
        place.map_or(value, |place| self.document.pointer(place).expect("it is there"))
    }

    /// The operation of a path, with the path as the document writes it.
    fn operation(&self, method: &str, path: &str) -> (&str, &Value) {
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |template: &str| {
            let wanted: Vec<&str> = template.split('/').collect();
            let below = template.ends_with("{rest}") && parts.len() >= wanted.len();
            let equal = wanted.iter().zip(&parts).all(|(w, p)| w == p || w.starts_with('{'));
            equal && (below || parts.len() == wanted.len())
        };
        let paths = self.document["paths"].as_object().unwrap();
        let (template, item) = paths.iter().find(|(template, _)| fits(template)).unwrap();
        (template, &item[method])
    }

    pub(super) fn operations(&self) -> BTreeSet<String> {
        let paths = self.document["paths"].as_object().unwrap();
        let named = |(path, item): (&String, &Value)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(|method| format!("{method} {path}")).collect::<Vec<_>>()
        };
        paths.iter().flat_map(named).collect()
    }

    fn must_describe_body(&self, asked: &str, described: &Value, answer: &Answer) {
        let Some((kind, content)) =
            described["content"].as_object().and_then(|content| content.iter().next())
        else {
            assert!(answer.text.is_empty(), "{asked}: a body is not described: {}", answer.text);
            return;
        };
        assert_eq!(answer.header("content-type"), kind, "{asked}");
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "components": self.document["components"],
            "allOf": [content["schema"]],
        });
        let validator = jsonschema::validator_for(&schema).unwrap();
        let faults: Vec<String> = validator
            .iter_errors(&answer.json)
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{asked}: {faults:?} in {}", answer.text);
    }
}

fn must_describe_headers(asked: &str, described: &Value, answer: &Answer) {
    let headers = described["headers"].as_object().unwrap();
    let named = |name: &str| headers.keys().any(|key| key.eq_ignore_ascii_case(name));
    for name in ["www-authenticate", "retry-after", "ratelimit", "ratelimit-policy", "x-auth-user"]
    {
        assert!(answer.header(name).is_empty() || named(name), "{asked}: {name}");
    }
    assert!(!answer.header("x-request-id").is_empty() && named("x-request-id"), "{asked}");
}

/// The document, telling also fields that it does not describe. Types that are part of others
/// cannot, since they do not know the others' fields.
fn strict(mut document: Value) -> Value {
    let text = document["components"]["schemas"].to_string();
    for (name, schema) in document["components"]["schemas"].as_object_mut().unwrap() {
        let is_part =
            text.contains(&format!("\"allOf\":[{{\"$ref\":\"#/components/schemas/{name}\""));
        let is_open =
            is_part || ["Problem", "AuditEvent", "BlacklistStats"].contains(&name.as_str());
        if schema["type"] == "object" && !is_open {
            schema["additionalProperties"] = json!(false);
        }
    }
    document
}
