//! OAuth clients that nobody here wrote, at `/introspect`, `/revoke`, the metadata and the key set.
//! `tests/install` fetches what `tests/oauth` pins.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use portcullis_tests::{Directory, find_program, target, tell, workspace};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::keys;

/// As clients that discover a service want to have it.
const ISSUER: &str = "https://auth.example.com";
const ID: &str = "the gate";
/// Not the same form-encoded.
const SECRET: &str = "100% of 20+3=23: odd & secret";
const METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

/// A client that is installed: a program and its script.
struct Foreign {
    program: PathBuf,
    script: PathBuf,
    _directory: Directory,
}

impl Foreign {
    fn python() -> Option<Self> {
        let program = target().join("servers/oauth-python/bin/python");
        let directory = Directory::new();
        let script = workspace().join("tests/oauth/client.py");
        Self { program, script, _directory: directory }.if_installed("authlib")
    }

    fn node() -> Option<Self> {
        let Ok(modules) = fs::canonicalize(target().join("servers/oauth-node/node_modules")) else {
            skipped("openid-client");
            return None;
        };
        // A module is looked for from where its script is.
        let directory = Directory::new();
        let script = directory.path().join("client.mjs");
        fs::copy(workspace().join("tests/oauth/client.mjs"), &script).expect("it can be copied");
        let linked = std::os::unix::fs::symlink(modules, directory.path().join("node_modules"));
        linked.expect("the directory is empty");
        let program = find_program("node").unwrap_or_default();
        Self { program, script, _directory: directory }.if_installed("node")
    }

    fn if_installed(self, name: &str) -> Option<Self> {
        if self.program.is_file() || skipped(name) { Some(self) } else { None }
    }

    /// What it is told by a service whose keys are of this kind.
    async fn told(&self, kind: &str, method: &str) -> Value {
        let dir = Directory::new();
        let auth = keys::with_key_and(&dir, kind, |settings| {
            settings.tokens.jwt_issuer = ISSUER.into();
            settings.tokens.introspection_clients = Some(format!("{ID}:{SECRET}").into());
        })
        .await;
        let alice = auth.logged_in("alice").await;
        let given = json!({
            "url": auth.url, "issuer": ISSUER, "id": ID, "secret": SECRET, "method": method,
            "access": alice.access, "refresh": alice.refresh, "key": private_key(&dir),
            "alg": if kind == "p256" { "ES256" } else { "EdDSA" },
        });
        let told = self.run(&given).await;
        assert_eq!(told["sub"], alice.user_id.to_string());
        assert_eq!(told["typ"], "at+jwt");
        assert_eq!(auth.live_sessions(alice.user_id).await, 0, "its family was revoked");
        told
    }

    async fn run(&self, given: &Value) -> Value {
        let mut child = Command::new(&self.program)
            .arg(&self.script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the interpreter starts");
        let mut input = child.stdin.take().expect("its input is a pipe");
        input.write_all(given.to_string().as_bytes()).await.expect("it reads");
        drop(input);
        let output = child.wait_with_output().await.expect("it ends");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaint}");
        serde_json::from_slice(&output.stdout).expect("it tells JSON")
    }
}

fn private_key(dir: &Directory) -> String {
    let file = fs::read_dir(dir.path()).unwrap().next().expect("there is a key").unwrap().path();
    fs::read_to_string(Path::new(&file)).unwrap()
}

/// Says that a client is missing, where it may be.
fn skipped(client: &str) -> bool {
    assert!(!in_ci(), "{client} is missing: run `make install`");
    tell(&format!("skipped: {client} is not installed here, it was not tried"));
    false
}

#[expect(clippy::disallowed_methods, reason = "CI says by this variable that nothing may lack")]
fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// What every client is told, whichever way it authenticates.
fn must_be_right(told: &Value, case: &str) {
    for name in ["live", "refresh_by_hint", "still_live"] {
        assert_eq!(told[name]["active"], true, "{case}: {name}: {told}");
    }
    for name in ["refresh", "garbage", "dead", "dead_refresh"] {
        assert_eq!(told[name]["active"], false, "{case}: {name}: {told}");
    }
    for name in ["revocation", "family_revocation"] {
        assert_eq!(told[name], 200, "{case}: {name}: {told}");
    }
    assert_eq!(told["wrong"]["status"], 401, "{case}: {told}");
    assert_eq!(told["wrong_revocation"], 401, "{case}: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_15_authlib_introspects_revokes_and_reads_the_key_set() {
    let Some(authlib) = Foreign::python() else { return };
    for (kind, method) in keys::KINDS.into_iter().zip(METHODS) {
        let told = authlib.told(kind, method).await;
        must_be_right(&told, method);
        assert_eq!(told["wrong"]["error"], "invalid_client", "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_15_openid_client_and_jose_introspect_revoke_and_read_the_key_set() {
    let Some(openid_client) = Foreign::node() else { return };
    for (kind, method) in keys::KINDS.into_iter().zip(METHODS) {
        let told = openid_client.told(kind, method).await;
        must_be_right(&told, method);
        assert_eq!(told["theirs"]["active"], true, "a token that jose signed: {told}");
        if method == METHODS[0] {
            let refusal = json!({ "status": 400, "error": "invalid_request" });
            assert_eq!(told["two_ways"], refusal, "it reads what it is refused with");
        }
    }
}
