//! What the hot statements cost in MySQL: each finds its rows by an index.

use portcullis_tests::{Login, Service, committed_queries};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row as _};

/// Others, so that reading everything would be dear.
const OTHERS: [&str; 9] = [
    "insert into users (email, password_hash, first_name, last_name, created_at, updated_at)
     with recursive n as (select 1 as i union all select i + 1 from n where i < 900)
     select concat('n', i, '@example.org'), '', '', '', now(3), now(3) from n",
    "insert into user_sessions
        (id, user_id, device_info, ip_address, user_agent, last_activity, created_at,
         authenticated_at, expires_at, idle_timeout_s)
     select concat('session_', lpad(u.id, 43, '0')), u.id, s.device_info, s.ip_address,
            s.user_agent, s.last_activity, s.created_at, s.authenticated_at, s.expires_at,
            s.idle_timeout_s
       from users u join (select * from user_sessions limit 1) s
      where u.email like '%@example.org'",
    "insert into refresh_tokens
        (user_id, session_id, token_hash, device_info, ip_address, user_agent, created_at,
         expires_at)
     select user_id, id, unhex(sha2(id, 256)), device_info, ip_address, user_agent, created_at,
            expires_at
       from user_sessions where id like 'session_0000%'",
    "insert into token_blacklist_enhanced
        (token_hash, token_type, token_expiry, blacklisted_at, reason, user_id, session_id,
         device_info, ip_address)
     select token_hash, 'refresh', expires_at, created_at, 'logout', user_id, session_id,
            device_info, ip_address
       from refresh_tokens where session_id like 'session_0000%'",
    "insert into email_tokens (user_id, token_hash, purpose, created_at, expires_at)
     select id, unhex(sha2(email, 256)), 'verify_email', created_at, now(3) + interval 1 day
       from users",
    "insert into audit_events (at, event, user_id, detail)
     select now(3), 'authn_login_success', id, '{}' from users",
    "insert into revocation_outbox (user_id, change_set, created_at, delivered_at)
     select id, '[]', now(3), now(3) from users",
    "insert into mails
        (kind, recipient, user_id, reference, created_at, admitted_at, next_try_at, settled_at)
     select 'new_device', email, id, '0123456789abcdef', now(3), now(3), now(3), now(3) from users",
    "analyze table users, user_sessions, refresh_tokens, token_blacklist_enhanced, email_tokens,
                   mails, audit_events, revocation_outbox",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_hot_statement_finds_its_rows_by_an_index() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    auth.refresh(&alice.refresh).await.must_be(200);
    for others in OTHERS {
        sqlx::query(others).execute(auth.db()).await.unwrap();
    }
    let requests = of_requests(&auth, &alice).await.into_iter();
    for statement in requests.chain(of_mails(&alice)).chain(of_the_background()) {
        assert_eq!(scans(&auth, &statement).await, [] as [String; 0], "{statement}");
    }
    let everything = "select id from user_sessions where user_agent = 'x'";
    assert_eq!(scans(&auth, everything).await.len(), 1, "a scan would be noticed");
}

/// The statements of login, refresh, logout, the Bearer check without Redis, the gates and the
/// list of sessions, as the service sends them.
async fn of_requests(auth: &Service, alice: &Login) -> Vec<String> {
    let (user, session) = (alice.user_id.to_string(), format!("'{}'", alice.session));
    let (user, session) = (user.as_str(), session.as_str());
    let token = "select concat('x''', hex(token_hash), ''''), concat('x''', hex(reference), '''')
                   from refresh_tokens where user_id = ?";
    let (digest, reference): (String, String) =
        sqlx::query_as(token).bind(alice.user_id).fetch_one(auth.db()).await.unwrap();
    let (digest, reference) = (digest.as_str(), reference.as_str());
    let statements: [(&str, &[&str]); 23] = [
        (
            "select id, email, password_hash, first_name, last_name, is_active",
            &["'alice@example.com'", "'alice@example.com'", "'alice@example.com'"],
        ),
        (
            r#"tokens_valid_after as "watermark: Timestamp" from users where id = ? for update"#,
            &[user],
        ),
        ("from everybody where id = 1 lock in share mode", &[]),
        (r#"as "last_used: Timestamp""#, &[user, NOW]),
        ("e.tokens_valid_after >= s.created_at where t.token_hash = ?", &[NOW, digest]),
        ("t.reference = ? and t.generation >", &[NOW, reference, "0"]),
        (
            "t.token_hash = ?, t.generation = ?",
            &[NOW, "''", digest, "2", NOW, "''", "''", user, "'user'", session, "1", digest],
        ),
        ("t.spent_at = ? where u.id", &[NOW, "''", NOW, user, "'user'", session, "1"]),
        (
            r#"session_id as "session: SessionId" from refresh_tokens where token_hash = ?"#,
            &[digest],
        ),
        (
            r#"session_id as "session: SessionId" from refresh_tokens where reference = ?"#,
            &[reference, "0"],
        ),
        ("users set ledger_version = ledger_version + 1 where id =", &[user]),
        ("?), ledger_version = ledger_version + 1 where id =", &[NOW, NOW, user]),
        ("s.ended_reason = ?, t.revoked_at = ?", &[NOW, "'logout'", NOW, user, session]),
        ("refresh_tokens.expires_at)", &[NOW, "'logout'", "'{}'", "''", session, NOW]),
        (
            "ended.expires_at)",
            &[
                NOW, "'logout'", "'{}'", "''", session, NOW, digest, NOW, NOW, "'logout'", user,
                session, "'{}'", "''",
            ],
        ),
        (
            r#"s.device_info as "device: Json<Box<RawValue>>", s.ip_address, s.created_at as "created_at: Timestamp", s.last_activity as "last_activity: Timestamp", s.expires_at as "expires_at: Timestamp", s.idle_timeout_s from user_sessions s where s.user_id"#,
            &[user, NOW],
        ),
        ("from token_blacklist_enhanced where user_id = ? and token_type", &[user, NOW]),
        ("where s.id = ? and s.user_id = ? and not exists", &[session, user, digest, NOW, NOW]),
        (r#"role as "role: Role" from users where id = ? and is_active"#, &[user]),
        (r#"as "last_ip_address!: String""#, &[user, NOW]),
        (r#"as "tokens!: i64""#, &[NOW, user, NOW]),
        (r#"select ip_address, user_agent, device_info as "device: Json<Device>""#, &[session]),
        ("t.token_hash = ? and t.is_active", &[digest, NOW, NOW]),
    ];
    statements.iter().map(|(part, values)| filled_in(part, values)).collect()
}

/// The statements by which a mail is sent or not, such as that of a login from a new device.
fn of_mails(alice: &Login) -> Vec<String> {
    let user = alice.user_id.to_string();
    let user = user.as_str();
    let statements: [(&str, &[&str]); 7] = [
        ("json_extract(s.device_info, '$.fingerprint')", &[user]),
        (r#"created_at as "joined: Timestamp""#, &[user]),
        ("select id from users where email", &["'alice@example.com'"]),
        (r#"as "had!: i64" from mails"#, &[user, NOW]),
        (
            r#"as "earlier!: i64" from mails"#,
            &[user, "880", "'already_registered'", "'verify_email'", "true", NOW],
        ),
        ("delete from mails where recipient", &["'alice@example.com'", "'reset_password'"]),
        ("order by id desc limit 1 offset", &[user, "'reset_password'", "5"]),
    ];
    statements.iter().map(|(part, values)| filled_in(part, values)).collect()
}

/// The statements of cleanup, outbox, hydration, written down activity and a logout of everyone.
fn of_the_background() -> Vec<String> {
    let id = "'session_5'";
    let statements: [(&str, &[&str]); 33] = [
        ("delete from refresh_tokens where expires_at", &[LONG_AGO, "1000"]),
        ("delete from user_sessions where expires_at", &[LONG_AGO, "1000"]),
        ("delete from token_blacklist_enhanced where", &[LONG_AGO, "1000"]),
        ("delete from email_tokens where", &[LONG_AGO, "1000"]),
        ("delete from mails where settled_at", &[LONG_AGO, "1000"]),
        ("from mails where settled_at is null and next_try_at", &[LONG_AGO, "8"]),
        (r#"as "since: Timestamp" from mails"#, &[]),
        ("delete from revocation_outbox where", &[LONG_AGO, "1000"]),
        ("delete from audit_events where", &[LONG_AGO, "1000"]),
        ("delete from audit_events partition (earlier) where", &[LONG_AGO, "1000"]),
        (
            "select id, user_id from revocation_outbox where delivered_at is null and id >",
            &["880", "200"],
        ),
        (
            r#"as "changes: Json<Vec<Change>>" from revocation_outbox where delivered_at is null"#,
            &["880", "1000"],
        ),
        ("for update nowait", &["880", "890", "1000"]),
        (r#"as "first_waiting: u64""#, &[]),
        ("from (select 1 as one from revocation_outbox", &["1000"]),
        ("id > ? and tokens_valid_after is not null", &["880", "1000"]),
        ("id > ? and token_expiry > ? and token_type", &["880", NOW, "1000"]),
        ("where s.id > ? and s.id <= ? and s.is_active", &[id, "'session_6'", NOW, "1000"]),
        ("from user_sessions where id > ? order by id limit 1 offset", &[id, "9"]),
        ("select max(id) from user_sessions where id >", &[id]),
        ("from revocation_outbox where id > ? order by id", &["880", "1000"]),
        (r#"delivered_at as "at!: Timestamp", change"#, &[NOW, NOW, "880", "890", "1000"]),
        ("outbox force index (primary) where id > ? order by", &["880", "1000"]),
        (r#"select min(user_id) as "next: u64""#, &["880"]),
        ("user_id <= ? and is_active and last_activity >", &["880", "890", NOW]),
        (r#"select max(id) as "last: u64""#, &["880", "500"]),
        ("from everybody where id = 1 for update", &[]),
        ("everybody where id = 1 and recorded_at is null", &[]),
        ("update everybody set tokens_valid_after = ?", &[NOW, NOW, NOW]),
        ("update everybody set recorded_at", &[NOW, NOW]),
        ("max(created_at)", &[]),
        ("count(distinct user_id)", &["880", "890", NOW]),
        ("ended_reason = 'admin' where user_id > ?", &[NOW, "880", "890", NOW]),
    ];
    statements.iter().map(|(part, values)| filled_in(part, values)).collect()
}

/// When there was nothing yet, as a cleanup mostly finds it.
const LONG_AGO: &str = "'2000-01-01 00:00:00.000'";
const NOW: &str = "'2026-01-01 00:00:00.000'";

/// The one statement with this part, with values in place of its parameters.
fn filled_in(part: &str, values: &[&str]) -> String {
    let queries = committed_queries();
    let texts = queries.values().filter_map(|query| query["query"].as_str());
    // The name of a column that may be null ends with a question mark, which is no parameter.
    let texts = texts.map(|text| text.replace("?\"", "\""));
    let texts: Vec<String> =
        texts.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let mut found = texts.iter().filter(|text| text.contains(part));
    let statement = found.next().unwrap_or_else(|| panic!("no statement has {part}"));
    assert!(found.next().is_none(), "several statements have {part}");
    let pieces: Vec<&str> = statement.split('?').collect();
    assert_eq!(pieces.len(), values.len() + 1, "{statement}");
    let rest = pieces[1..].iter().zip(values).map(|(piece, value)| format!("{value}{piece}"));
    pieces[0].to_owned() + &rest.collect::<String>()
}

/// The tables that a statement reads without an index.
async fn scans(auth: &Service, statement: &str) -> Vec<String> {
    let mut db = auth.db().acquire().await.unwrap();
    // Of the two forms that a newer MySQL has, the one that MariaDB knows too; to it this is a comment.
    let form = "/*!80300 set explain_json_format_version = 1 */";
    sqlx::raw_sql(form).execute(&mut *db).await.unwrap();
    let explain = AssertSqlSafe(format!("explain format=json {statement}"));
    let plan = sqlx::query(explain).fetch_one(&mut *db).await.unwrap();
    let plan: String = plan.get(0);
    let mut found = Vec::new();
    collect_scans(&serde_json::from_str(&plan).unwrap(), &mut found);
    found
}

fn collect_scans(plan: &Value, found: &mut Vec<String>) {
    match plan {
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            if let (Some(table), Some("ALL" | "index")) = (text("table_name"), text("access_type"))
                // What a part of the statement itself has just found.
                && !table.starts_with("<derived")
                && !table.starts_with("<union")
                && !fields.contains_key("materialized_from_subquery")
                // Where MySQL writes, it does not look.
                && !fields.contains_key("insert")
            {
                found.push(table.to_owned());
            }
            fields.values().for_each(|field| collect_scans(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_scans(item, found)),
        _ => {}
    }
}
