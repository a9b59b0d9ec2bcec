//! What the hot statements cost in MySQL: each finds its rows by an index.

use portcullis_tests::{Login, Service, committed_queries};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row as _};

/// Others, so that reading everything would be dear.
const OTHERS: [&str; 4] = [
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
];

#[tokio::test(flavor = "multi_thread")]
async fn every_hot_statement_finds_its_rows_by_an_index() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    auth.refresh(&alice.refresh).await.must_be(200);
    for others in OTHERS {
        sqlx::query(others).execute(auth.db()).await.unwrap();
    }
    for statement in hot(&auth, &alice).await {
        assert_eq!(scans(&auth, &statement).await, [] as [String; 0], "{statement}");
    }
    let everything = "select id from user_sessions where user_agent = 'x'";
    assert_eq!(scans(&auth, everything).await.len(), 1, "a scan would be noticed");
}

/// The statements of login, refresh, the Bearer check without Redis, the gates and the list of
/// sessions, as the service sends them.
async fn hot(auth: &Service, alice: &Login) -> Vec<String> {
    let (user, session) = (alice.user_id.to_string(), format!("'{}'", alice.session));
    let (user, session) = (user.as_str(), session.as_str());
    let tokens = "select concat('x''', hex(token_hash), '''') from refresh_tokens
                   where user_id = ? order by id";
    let digests: Vec<String> =
        sqlx::query_scalar(tokens).bind(alice.user_id).fetch_all(auth.db()).await.unwrap();
    let [spent, successor] = [digests[0].as_str(), digests[1].as_str()];
    let statements: [(&str, &[&str]); 8] = [
        ("password_hash, first_name, last_name, role", &["'alice@example.com'"]),
        ("limit 18446744073709551615 offset ?", &[user, NOW, NOW, "4"]),
        ("left join refresh_tokens c", &[successor, spent]),
        ("straight_join refresh_tokens t", &[NOW, NOW, session, "2"]),
        (r#"select 1 as "live: i64""#, &[session, user, NOW, NOW, NOW, successor, NOW]),
        (r#"ip_address, last_activity as "last_activity: UnixMs""#, &[user, NOW]),
        (r#"select ip_address, device_info as "device: Json<Device>""#, &[session]),
        ("json_extract(s.device_info, '$.fingerprint')", &["'x'", user, user, session]),
    ];
    statements.iter().map(|(part, values)| filled_in(part, values)).collect()
}

const NOW: &str = "'2026-01-01 00:00:00.000'";

/// The one statement with this part, with values in place of its parameters.
fn filled_in(part: &str, values: &[&str]) -> String {
    let queries = committed_queries();
    let texts = queries.values().filter_map(|query| query["query"].as_str());
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
    let explain = AssertSqlSafe(format!("explain format=json {statement}"));
    let plan = sqlx::query(explain).fetch_one(auth.db()).await.unwrap();
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
            {
                found.push(table.to_owned());
            }
            fields.values().for_each(|field| collect_scans(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_scans(item, found)),
        _ => {}
    }
}
