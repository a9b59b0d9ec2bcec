//! Thousands of requests made up from the description, by schemathesis, whose answers must be as
//! described. `schemathesis.py` logs in for it.

use std::path::PathBuf;

use portcullis_tests::{PASSWORD, Service, target, workspace};
use tokio::process::Command;

use crate::tokens::SECRET;

/// Requests a kind and operation.
const EXAMPLES: &str = "12";
/// What is looked at in every answer. Left out: whether good data is always taken, since the
/// description cannot say which password is right, and whether other methods are refused, since
/// `/verify` takes any and `OpenAPI` 3.1 cannot say so.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,\
    allow_header_conformance,ignored_auth,negative_data_rejection";

#[tokio::test(flavor = "multi_thread")]
async fn no_request_made_up_from_the_description_gets_an_answer_beside_it() {
    let Some(program) = schemathesis() else { return };
    let auth = Service::with(|settings| {
        settings.tokens.introspection_clients = Some(format!("gateway:{SECRET}").into());
        settings.limits.account_free_failures = 1_000_000;
        settings.limits.account_max_failures = 1_000_000;
        settings.accounts.notify_new_device = false;
    })
    .await;
    auth.admin("root").await;
    auth.user("alice").await;
    let output = Command::new(program)
        .args(["run", &(auth.operations().await + "/openapi.json"), "--url", &auth.url])
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", EXAMPLES, "--generation-deterministic", "--no-shrink"])
        .args(["--suppress-health-check", "all", "--continue-on-failure"])
        // One at a time: Python 3.11 miscounts how deep it parses where two threads do so at once.
        .args(["--workers", "1", "--warnings", "off", "--no-color"])
        .env("SCHEMATHESIS_HOOKS", workspace().join("tests/api/schemathesis.py"))
        .env("PORTCULLIS_URL", &auth.url)
        .env("PORTCULLIS_PASSWORD", PASSWORD)
        .env("PORTCULLIS_CLIENT_SECRET", SECRET)
        .current_dir(auth.redis.data())
        .kill_on_drop(true)
        .output()
        .await
        .expect("schemathesis runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Where it is; without it nothing is tried, except where everything must be.
fn schemathesis() -> Option<PathBuf> {
    let program = target().join("servers/bin/schemathesis");
    if program.is_file() {
        return Some(program);
    }
    #[expect(clippy::disallowed_methods, reason = "this is how a CI run says that it is one")]
    let must_be_there = std::env::var_os("CI").is_some();
    assert!(!must_be_there, "schemathesis not found: run `make install`");
    eprintln!("schemathesis not found, nothing was tried; `make install` fetches it");
    None
}
