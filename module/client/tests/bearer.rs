//! What the layer answers, and what it lets through.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use portcullis_client::{BearerLayer, Gate, Known, Watch};
use portcullis_tests::wait_until;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::gate::Plain;
use crate::scripted::{Fake, patient};
use crate::waiting::block_on;

async fn subject(request: Request<()>) -> Result<Response<String>, Infallible> {
    let known = request.extensions().get::<Arc<Known<usize>>>().unwrap();
    Ok(Response::new(known.subject.clone().into()))
}

/// Status, `WWW-Authenticate` and body of a request with these headers.
fn answer(gate: &Gate<Plain>, headers: &[(&str, &str)]) -> (u16, String, String) {
    let service = BearerLayer::new(gate.clone()).layer(service_fn(subject));
    let mut request = Request::new(());
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let response = block_on(service.oneshot(request)).unwrap();
    let header = |name| response.headers().get(name).map(|it| it.to_str().unwrap().to_owned());
    let (status, header) = (response.status().as_u16(), header("www-authenticate"));
    (status, header.unwrap_or_default(), response.into_body())
}

#[test]
fn every_request_gets_the_answer_of_rfc_6750() {
    let fake = Fake::start();
    let watch = Watch::connect(&fake.url(), patient()).unwrap();
    let gate = Gate::new(watch, Plain::new());
    let one = |value| answer(&gate, &[("authorization", value)]);
    let challenge = |error: &str| format!("Bearer error=\"{error}\"");
    assert_eq!(one("Bearer 42.s"), (200, String::new(), "42".into()));
    assert_eq!(one("bearer   42.s"), (200, String::new(), "42".into()));
    assert_eq!(answer(&gate, &[]), (401, "Bearer".into(), String::new()));
    assert_eq!(one("Basic YTpi"), (401, "Bearer".into(), String::new()));
    for malformed in ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer \"a\""] {
        let expected = (400, challenge("invalid_request"), String::new());
        assert_eq!(one(malformed), expected, "{malformed}");
    }
    let twice =
        answer(&gate, &[("authorization", "Bearer 42.s"), ("authorization", "Bearer 42.s")]);
    assert_eq!(twice, (400, challenge("invalid_request"), String::new()));
    let (status, header, body) = one("Bearer rubbish");
    assert_eq!((status, &*body), (401, ""));
    assert!(header.starts_with(&challenge("invalid_token")), "{header}");
    fake.world().word = "LOGGED_OUT";
    fake.push("user:42");
    wait_until("the logout is heard", || one("Bearer 42.s").0 == 401);
    fake.world().error = Some("NOTREADY not confirmed");
    wait_until("nobody can tell", || one("Bearer 42.s").0 == 503);
}
