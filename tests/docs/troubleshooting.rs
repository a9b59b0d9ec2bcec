//! The page on troubleshooting, by somebody who has trouble: its commands are typed on a host where the
//! service runs, its SQL is asked of every database.

use portcullis_tests::{Database, DatabaseKind, PASSWORD};
use serde_json::{Value, json};

use crate::host::Host;
use crate::pages::{Fence, Page, service_page};

/// What the SQL of the page is asked about: one digest of a refresh token and of a revoked one, one
/// session, which is live.
const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const SESSION: &str = "session_of_alice";

fn page() -> Page {
    service_page("troubleshooting.md")
}

#[test]
fn f_54_the_commands_of_the_troubleshooting_page_say_what_it_says() {
    let mut host = Host::serving();
    let (access, refresh) = log_in(&host);
    host.set("TOKEN", &access);
    host.set("REFRESH", &refresh);

    let blocks = page().fences();
    let told: Vec<String> =
        blocks.iter().filter(|block| block.kind == "sh").map(|block| host.run(block)).collect();
    let [first, cookies, inspected, claims, verdict, digests, redis, mysql] = &told[..] else {
        panic!("{} blocks of commands", told.len())
    };
    for part in ["\"status\":\"healthy\"", "\n200\n", "applied", "portcullis_confirmed:1"] {
        assert!(first.contains(part), "no {part} in\n{first}");
    }
    for cookie in ["__Host-access", "__Host-refresh", "__Host-csrf"] {
        let line = cookies.lines().find(|line| line.starts_with(cookie));
        let line = line.unwrap_or_else(|| panic!("no {cookie} in\n{cookies}"));
        assert!(line.contains("Path=/") && line.contains("Secure"), "{line}");
        let site = if cookie == "__Host-access" { "SameSite=Lax" } else { "SameSite=Strict" };
        assert!(line.contains(site), "{line}");
    }
    assert!(claims.contains("\"iss\": \"portcullis\"") && claims.contains("\"sid\""), "{claims}");
    assert!(verdict.starts_with("OK\n"), "{verdict}");
    for part in ["noeviction", "evicted_keys:0", "role:master", "portcullis"] {
        assert!(redis.contains(part), "no {part} in\n{redis}");
    }
    assert!(mysql.contains("idx_user_session_user_id"), "{mysql}");

    // And once the user has logged out, it says that as well.
    assert_eq!(host.ask("POST", "/logout", &access, &json!({})).0, 200);
    let asked = blocks.iter().find(|block| block.text.contains("AUTH.CHECK"));
    let verdict = host.run(asked.expect("the page asks Redis"));
    assert!(verdict.starts_with("NO_SESSION\n"), "{verdict}");
    digests_are_those_that_are_stored(&host, digests);
    let digest = digests.split(' ').next().expect("a digest was printed");
    assert!(inspected.contains(digest), "no {digest} in\n{inspected}");
}

/// The access token's among what was revoked by the logout, the refresh token's among its kind.
fn digests_are_those_that_are_stored(host: &Host, printed: &str) {
    let digests: Vec<&str> = printed.lines().filter_map(|line| line.split(' ').next()).collect();
    let [access, refresh] = digests[..] else { panic!("{printed}") };
    for (digest, table) in [(access, "token_blacklist_enhanced"), (refresh, "refresh_tokens")] {
        let stored = format!("select lower(hex(token_hash)) from portcullis.{table}");
        let stored = host.mariadb.execute(&stored);
        assert!(
            stored.lines().any(|line| line == digest),
            "{table}: {digest} is none of\n{stored}"
        );
    }
}

fn log_in(host: &Host) -> (String, String) {
    let body = json!({ "email": "root@example.com", "password": PASSWORD });
    let (status, told) = host.ask("POST", "/login-enhanced", "", &body);
    assert_eq!(status, 200, "{told}");
    let text = |pointer: &str| told.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    (text("/data/tokens/access/token"), text("/data/tokens/refresh/token"))
}

#[test]
fn f_54_the_sql_of_the_troubleshooting_page_finds_what_it_looks_for() {
    let statements: Vec<Fence> =
        page().fences().into_iter().filter(|fence| fence.kind == "sql").collect();
    assert!(statements.len() > 7, "only {} statements", statements.len());
    for kind in DatabaseKind::present() {
        let database = Database::start_kind(kind);
        database.migrated_database("portcullis");
        database.execute(&format!("use portcullis; {}", alice()));
        for statement in &statements {
            let sql = statement.text.replace("<digest>", DIGEST).replace("<session>", SESSION);
            let told = database.execute(&format!("use portcullis; {sql}"));
            let (place, name) = (&statement.place, kind.name());
            assert!(!told.trim().is_empty(), "{place}: nothing on {name}");
            if sql.contains("as is_live") {
                assert!(told.trim_end().ends_with("\t1"), "{place}: not live on {name}: {told}");
            }
            if sql.contains("as waiting") {
                assert!(told.starts_with("1\t"), "{place}: nothing waits on {name}: {told}");
            }
        }
    }
}

/// Alice, and one row about her in every table.
fn alice() -> String {
    let (now, later) = ("utc_timestamp(3)", "utc_timestamp(3) + interval 1 day");
    format!(
        "insert into users (id, email, password_hash, first_name, last_name, created_at, updated_at)
         values (7, 'alice@example.com', '$argon2id$v=19$m=19456', 'Alice', 'Tester', {now}, {now});
         insert into user_sessions (id, user_id, device_info, ip_address, user_agent, last_activity,
             created_at, authenticated_at, expires_at, idle_timeout_s)
         values ('{SESSION}', 7, '{{}}', '203.0.113.7', 'curl', {now}, {now}, {now}, {later}, 600);
         insert into user_sessions (id, user_id, device_info, ip_address, user_agent, last_activity,
             created_at, authenticated_at, expires_at, idle_timeout_s, is_active, ended_at, ended_reason)
         values ('another', 7, '{{}}', '203.0.113.7', 'curl', {now}, {now}, {now}, {later}, 600,
             false, {now}, 'evicted');
         insert into refresh_tokens (user_id, session_id, token_hash, device_info, ip_address, user_agent,
             created_at, expires_at)
         values (7, '{SESSION}', unhex('{DIGEST}'), '{{}}', '203.0.113.7', 'curl', {now}, {later});
         insert into token_blacklist_enhanced (token_hash, token_type, token_expiry, blacklisted_at,
             reason, user_id, session_id)
         values (unhex('{DIGEST}'), 'access', {later}, {now}, 'logout', 7, '{SESSION}');
         insert into email_tokens (user_id, token_hash, purpose, created_at, expires_at)
         values (7, unhex('{DIGEST}'), 'reset_password', {now}, {later});
         insert into mails (kind, recipient, user_id, reference, created_at, next_try_at)
         values ('reset_password', 'alice@example.com', 7, repeat('r', 16), {now}, {now});
         insert into audit_events (at, event, user_id, detail)
         values ({now}, 'authn_login_success', 7, '{{}}');
         insert into revocation_outbox (user_id, change_set, created_at) values (7, '{{}}', {now})"
    )
}
