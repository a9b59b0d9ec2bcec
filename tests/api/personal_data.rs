//! What is kept about people goes with them, in every table.

use portcullis_api::store::{cleanup, migrate};
use portcullis_tests::{Answer, Login, PASSWORD, Service, send, wait_until};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// What nobody else in a test has.
pub(crate) const ADDRESS: &str = "203.0.113.77";
const AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0 Alicia/7";
const OF_HERS: [&str; 4] = [ADDRESS, "Alicia/7", "alicia", "Firefox"];
/// Entries of somebody's trail that name them.
const NAMED: &str = "select count(*) from audit_events
   where user_id = ? and (ip_address is not null or user_agent is not null)";

pub(crate) async fn behind_a_proxy() -> Service {
    Service::with(|settings| settings.server.trusted_proxies = "127.0.0.1".parse().unwrap()).await
}

/// A request of hers, from where she is and with what she has.
pub(crate) async fn hers(
    auth: &Service,
    method: Method,
    path: &str,
    access: &str,
    body: &Value,
) -> Answer {
    let request = auth.request(method, path).header("X-Forwarded-For", ADDRESS);
    let request = request.header("User-Agent", AGENT).json(body);
    send(if access.is_empty() { request } else { request.bearer_auth(access) }).await
}

async fn her_login(auth: &Service) -> Login {
    let body = json!({ "email": "alicia@example.com", "password": PASSWORD });
    hers(auth, Method::POST, "/login", "", &body).await.must_be(200).into()
}

/// Alicia with two sessions, after some of everything that is written down.
pub(crate) async fn lived(auth: &Service) -> Login {
    auth.user("alicia").await;
    let (login, gone) = (her_login(auth).await, her_login(auth).await);
    hers(auth, Method::POST, "/logout", &gone.access, &json!({})).await.must_be(200);
    let wrong = json!({ "email": "alicia@example.com", "password": "wrong" });
    hers(auth, Method::POST, "/login", "", &wrong).await.must_be(401);
    let forgot = json!({ "email": "alicia@example.com" });
    hers(auth, Method::POST, "/forgot-password", "", &forgot).await.must_be(200);
    let refresh = json!({ "refresh_token": login.refresh });
    hers(auth, Method::POST, "/refresh", "", &refresh).await.must_be(200);
    wait_until("the mail is there", || !auth.mails().is_empty());
    login
}

/// Every value of every table, as text.
async fn everything(auth: &Service) -> String {
    let columns = sqlx::query(
        "select cast(table_name as char), cast(column_name as char), cast(data_type as char)
           from information_schema.columns where table_schema = database() order by 1, 2",
    );
    let mut all = String::new();
    for column in columns.fetch_all(auth.db()).await.unwrap() {
        let (table, name, kind): (String, String, String) =
            (column.get(0), column.get(1), column.get(2));
        let is_binary = kind.contains("binary") || kind.contains("blob");
        let value =
            if is_binary { format!("hex(`{name}`)") } else { format!("cast(`{name}` as char)") };
        let sql = format!("select coalesce({value}, '') from `{table}`");
        let values: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(auth.db()).await.unwrap();
        all.extend(values.iter().map(|value| format!("{table}.{name}: {value}\n")));
    }
    all
}

async fn with(auth: &Service, part: &str) -> Vec<String> {
    let all = everything(auth).await;
    all.lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn f_47_whoever_is_deleted_leaves_nothing_that_names_them_in_any_table() {
    for by_herself in [true, false] {
        let auth = behind_a_proxy().await;
        let alicia = lived(&auth).await;
        let root = auth.admin("root").await;
        // Nobody has looked yet whose address it is.
        let waiting = "insert into mails (kind, recipient, reference, created_at, next_try_at)
             values ('reset_password', 'alicia@example.com', 'x', now(3), now(3) + interval 1 day)";
        sqlx::query(waiting).execute(auth.db()).await.unwrap();
        for part in OF_HERS {
            assert_ne!(with(&auth, part).await, [] as [&str; 0], "{part}");
        }
        if by_herself {
            hers(&auth, Method::DELETE, "/me", &alicia.access, &json!({})).await.must_be(200);
        } else {
            let path = format!("/admin/users/{}", alicia.user_id);
            auth.delete_as(&root.access, &path).await.must_be(200);
        }
        for part in OF_HERS {
            assert_eq!(with(&auth, part).await, [] as [&str; 0], "{part}");
        }
        let trail = auth.audit_trail(alicia.user_id).await;
        assert_eq!(trail.last().map(String::as_str), Some("user_deleted"));
        assert!(trail.contains(&"authn_login_success".to_owned()), "{trail:?}");
        let revoked = "select count(*) from token_blacklist_enhanced where user_id = ?";
        assert!(auth.count(revoked, alicia.user_id).await > 0, "revocations outlive their user");
        assert_eq!(auth.count(NAMED, alicia.user_id).await, 0);
        assert!(auth.count(NAMED, root.user_id).await > 0, "nobody else's is touched");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_47_the_address_of_a_deleted_administrator_goes_from_what_they_did_to_others() {
    let auth = behind_a_proxy().await;
    let (alicia, root) = (lived(&auth).await, auth.admin("root").await);
    let role = format!("/admin/users/{}/role", alicia.user_id);
    auth.post_as(&root.access, &role, json!({ "role": "admin" })).await.must_be(200);
    let bob = auth.logged_in("bob").await;
    let out = format!("/admin/users/{}/sessions", bob.user_id);
    hers(&auth, Method::DELETE, &out, &alicia.access, &json!({})).await.must_be(200);
    assert_ne!(with(&auth, ADDRESS).await, [] as [&str; 0]);
    hers(&auth, Method::DELETE, "/me", &alicia.access, &json!({})).await.must_be(200);
    assert_eq!(with(&auth, ADDRESS).await, [] as [&str; 0]);
    let by = "select count(*) from audit_events
               where user_id = ? and event = 'session_ended_by_admin' and by_user_id is not null";
    assert_eq!(auth.count(by, bob.user_id).await, 1, "who it was is still known by number");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_47_of_a_very_long_trail_the_rest_goes_after_the_answer() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let trail = "insert into audit_events (at, event, user_id, ip_address, user_agent, detail)
         with recursive n as (select 1 as i union all select i + 1 from n where i < 120)
         select now(3), 'authn_token_created', ?, '192.0.2.1', 'x', '{}' from n a join n b";
    sqlx::query(trail).bind(alice.user_id).execute(auth.db()).await.unwrap();
    auth.delete_as(&alice.access, "/me").await.must_be(200);
    let runtime = Handle::current();
    let is_bare = || runtime.block_on(auth.count(NAMED, alice.user_id)) == 0;
    block_in_place(|| wait_until("the rest is gone", is_bare));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_47_what_is_written_during_a_deletion_goes_with_the_next_cleanup() {
    let auth = Service::start().await;
    let (deleted, bob) = (999, auth.logged_in("bob").await.user_id);
    let event = "insert into audit_events (at, event, user_id, ip_address, user_agent, detail)
                 values (?, ?, ?, '192.0.2.1', 'x', '{}')";
    for (what, user) in
        [("user_deleted", deleted), ("authn_login_fail", deleted), ("authn_login_fail", bob)]
    {
        let event = sqlx::query(event).bind(auth.clock.now()).bind(what).bind(user);
        event.execute(auth.db()).await.unwrap();
    }
    cleanup::clean(auth.db(), &auth.app.settings, auth.clock.now()).await.unwrap().unwrap();
    assert_eq!(auth.count(NAMED, deleted).await, 0);
    assert!(auth.count(NAMED, bob).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_47_users_who_were_deleted_earlier_are_forgotten_by_the_migration() {
    let auth = behind_a_proxy().await;
    let (alicia, bob) = (lived(&auth).await, auth.logged_in("bob").await);
    let steps = migrate::status(auth.db()).await.unwrap();
    let later = steps.iter().filter(|step| step.version >= 12).count();
    migrate::down(auth.db(), later).await.unwrap();
    // As it was done once.
    let delete = sqlx::query("delete from users where id = ?").bind(alicia.user_id);
    delete.execute(auth.db()).await.unwrap();
    assert_ne!(with(&auth, ADDRESS).await, [] as [&str; 0]);
    migrate::up(auth.db()).await.unwrap();
    for part in [ADDRESS, "Alicia/7", "Firefox"] {
        assert_eq!(with(&auth, part).await, [] as [&str; 0], "{part}");
    }
    assert!(auth.count(NAMED, bob.user_id).await > 0, "who is still there is not touched");
}
