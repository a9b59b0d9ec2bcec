//! `portcullis token inspect`: what is known of a token, and nothing of the token itself.

use std::io::Write as _;
use std::process::{Command, Stdio};

use portcullis_tests::{Database, Redis, Service, binary_path};
use serde_json::{Value, json};

use crate::tokens::{SECRET, ask};

const AWAY: [(&str, &str); 2] =
    [("DATABASE_URL", "mysql://nobody@127.0.0.1:1/none"), ("REDIS_URL", "redis://127.0.0.1:1")];

/// A service, and what the command must be told to look where that is.
struct Stage {
    auth: Service,
    database: String,
}

impl Stage {
    async fn new() -> Self {
        let database = Database::shared().fresh_database("inspected");
        let auth = Service::on(Redis::start(), &database, |settings| {
            settings.tokens.introspection_clients = Some(format!("gateway:{SECRET}").into());
        })
        .await;
        Self { auth, database }
    }

    /// The exit code and what was printed.
    fn run(&self, token: &str, arguments: &[&str], away: &[(&str, &str)]) -> (i32, String) {
        let mut child = Command::new(binary_path())
            .args(["token", "inspect"])
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", &self.database)
            .env("REDIS_URL", self.auth.redis.url())
            .env("JWT_SECRET", "a secret for tests and of no use elsewhere")
            // This machine may be busy.
            .env("DB_DEADLINE", "30s")
            .env("REDIS_DEADLINE", "10s")
            .envs(away.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        // It may refuse before it reads.
        drop(child.stdin.take().unwrap().write_all(token.as_bytes()));
        let output = child.wait_with_output().expect("it ends");
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8(told).unwrap();
        let parts = token.trim().split('.').filter(|part| part.len() > 20);
        for part in parts.skip(1).chain([token.trim()]).filter(|part| !part.is_empty()) {
            assert!(!told.contains(part), "it printed the token: {told}");
        }
        (output.status.code().expect("it was not killed"), told)
    }

    fn found(&self, token: &str) -> (i32, Value) {
        let (code, told) = self.run(token, &["--json"], &[]);
        (code, serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}")))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_54_an_access_token_is_told_with_its_claims_its_key_and_both_stores() {
    let stage = Stage::new().await;
    let alice = stage.auth.logged_in("alice").await;
    let (code, told) = stage.found(&format!("{}\n", alice.access));
    assert_eq!(code, 0, "{told}");
    let digest = told["digest"].as_str().unwrap();
    assert_eq!(digest.len(), 64);
    for (name, value) in [
        ("kind", json!("access token")),
        ("signature", json!("holds")),
        ("claims", json!("accepted")),
        ("iss", json!("portcullis")),
        ("sub", json!(alice.user_id.to_string())),
        ("sid", json!(alice.session)),
        ("role", json!("user")),
        ("amr", json!(["pwd"])),
        ("mysql", json!("live")),
        ("redis", json!("OK")),
        ("state", json!("live")),
    ] {
        assert_eq!(told[name], value, "{name}: {told}");
    }
    assert!(told["key"].as_str().unwrap().ends_with(" (HS256)"), "{told}");
    assert!(told["exp"].as_str().unwrap().ends_with('Z'), "{told}");

    let (code, lines) = stage.run(&alice.access, &[], &[]);
    assert_eq!(code, 0);
    for (name, value) in told.as_object().unwrap() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert!(lines.contains(&format!("{name}: {value}\n")), "{name}: {value}\n{lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_54_a_dead_token_is_told_with_what_killed_it() {
    let stage = Stage::new().await;
    let auth = &stage.auth;
    let dead = |token: &str, store: &str, words: &[&str]| {
        let (code, told) = stage.found(token);
        assert_eq!((code, &told["state"]), (1, &json!("dead")), "{told}");
        let said = told[store].as_str().unwrap_or_default();
        assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {told}");
    };
    let alice = auth.logged_in("alice").await;
    ask(auth, "/revoke", &alice.access).await.must_be(200);
    dead(&alice.access, "mysql", &["was revoked at", "(revoked)"]);
    dead(&alice.access, "redis", &["REVOKED"]);
    auth.refresh(&alice.refresh).await.must_be(200);
    dead(&alice.refresh, "mysql", &["was exchanged at", "the same successor"]);
    let next = auth.refresh(&alice.refresh).await.must_be(200).text_at("/data/refresh/token");
    auth.refresh(&next).await.must_be(200);
    dead(&alice.refresh, "mysql", &["was exchanged before", "as was its successor"]);

    let bob = auth.logged_in("bob").await;
    let (signed, _) = bob.access.rsplit_once('.').unwrap();
    dead(&format!("{signed}.AAAA"), "signature", &["does not hold"]);
    auth.post_as(&bob.access, "/logout-all-devices", json!({})).await.must_be(200);
    dead(&bob.access, "redis", &["NO_SESSION"]);
    dead(&bob.refresh, "mysql", &["was revoked at"]);

    let carol = auth.logged_in("carol").await;
    let disable = "update users set is_active = false where id = ?";
    sqlx::query(disable).bind(carol.user_id).execute(auth.db()).await.unwrap();
    dead(&carol.access, "mysql", &["its user is disabled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_54_refresh_and_mailed_tokens_are_told_and_what_is_none_of_ours_is_unknown() {
    let stage = Stage::new().await;
    let alice = stage.auth.logged_in("alice").await;
    let (code, told) = stage.found(&alice.refresh);
    assert_eq!((code, &told["kind"], &told["mysql"]), (0, &json!("refresh token"), &json!("live")));
    assert_eq!((&told["redis"], &told["sid"]), (&json!("OK"), &json!(alice.session)));

    let email = json!({ "email": "alice@example.com" });
    stage.auth.post("/forgot-password", email).await.must_be(200);
    let mailed = tokio::task::block_in_place(|| stage.auth.mailed_token(0));
    let (code, told) = stage.found(&mailed);
    assert_eq!((code, &told["kind"]), (0, &json!("mailed token")), "{told}");
    assert_eq!(told["purpose"], "reset_password");
    let reset = json!({ "token": mailed, "new_password": "another long password" });
    stage.auth.post("/reset-password", reset).await.must_be(200);
    let (code, told) = stage.found(&mailed);
    assert_eq!(code, 1, "{told}");

    let strange = [
        "garbage".to_owned(),
        format!("prt_{}", "a".repeat(43)),
        "b".repeat(43),
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl".to_owned(),
    ];
    for token in strange {
        let (code, told) = stage.found(&token);
        assert_eq!((code, &told["state"]), (2, &json!("unknown")), "{told}");
        assert_eq!(told["digest"].as_str().unwrap().len(), 64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_54_a_token_comes_from_standard_input_and_whoever_cannot_be_asked_is_named() {
    let stage = Stage::new().await;
    let alice = stage.auth.logged_in("alice").await;
    let (code, told) = stage.run(&alice.access, &[&alice.access], &[]);
    assert_eq!(code, 2);
    assert!(told.contains("portcullis token inspect < file"), "{told}");
    let (code, told) = stage.run("\n", &[], &[]);
    assert!(code == 2 && told.contains("no token on standard input"), "{told}");

    let short = [("DB_DEADLINE", "500ms"), ("REDIS_DEADLINE", "500ms")];
    let (code, told) = stage.run(&alice.access, &[], &[&AWAY[..1], &short[..]].concat());
    assert!(code == 0 && told.contains("mysql: no answer") && told.contains("redis: OK"), "{told}");
    let (code, told) = stage.run(&alice.access, &[], &[&AWAY[1..], &short[1..]].concat());
    assert!(code == 0 && told.contains("redis: no verdict"), "{told}");
    let (code, told) = stage.run(&alice.access, &[], &[&AWAY[..], &short[..]].concat());
    assert!(code == 2 && told.ends_with("state: unknown\n"), "{told}");
}
