//! `DELETE /me` and `GET /me/export`: people take their data with them, and leave.

use std::time::Duration;

use portcullis_tests::{PASSWORD, Service, send};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::personal_data::{ADDRESS, behind_a_proxy, hers, lived};

#[tokio::test(flavor = "multi_thread")]
async fn f_47_whoever_deletes_their_account_is_out_everywhere_for_good() {
    let auth = Service::start().await;
    let (here, there) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    let answer = auth.delete_as(&here.access, "/me").await.must_be(200);
    assert_eq!(answer.json, json!({ "status": "success", "message": "Account deleted" }));
    for _ in 0..2 {
        for login in [&here, &there] {
            assert!(!auth.is_good(&login.access).await);
            assert_ne!(auth.verdict(login), "OK");
            auth.refresh(&login.refresh).await.must_be(401);
        }
        redis::cmd("FLUSHALL").exec(&mut auth.redis.connection()).unwrap();
    }
    auth.log_in("alice").await.must_be(401);
    auth.delete_as(&here.access, "/me").await.must_be(401);
    let anew = auth.logged_in("alice").await;
    assert_ne!(anew.user_id, here.user_id, "the address is free, the number is not");
    assert!(!auth.is_good(&here.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_47_export_and_deletion_want_a_recent_login() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    auth.clock.advance(Duration::from_mins(16));
    let refreshed = auth.refresh(&alice.refresh).await.must_be(200);
    let access = refreshed.text_at("/data/access/token");
    let export = auth.get_as(&access, "/me/export").await;
    for answer in [export, auth.delete_as(&access, "/me").await] {
        let answer = answer.must_be(401);
        assert_eq!(answer.json["code"], "insufficient_user_authentication");
        assert!(answer.header("www-authenticate").contains("max_age=900"));
    }
    assert!(auth.is_good(&access).await);
    let again = auth.logged_in("alice").await;
    auth.get_as(&again.access, "/me/export").await.must_be(200);
    auth.delete_as(&again.access, "/me").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_47_the_last_administrator_who_can_log_in_stays() {
    let auth = Service::start().await;
    let (root, other) = (auth.admin("root").await, auth.admin("other").await);
    let unverify = "update users set email_verified_at = null where id = ?";
    sqlx::query(unverify).bind(other.user_id).execute(auth.db()).await.unwrap();
    let path = format!("/admin/users/{}", root.user_id);
    let user = json!({ "role": "user" });
    for answer in [
        auth.delete_as(&root.access, "/me").await,
        auth.delete_as(&root.access, &path).await,
        auth.post_as(&root.access, &format!("{path}/disable"), json!({})).await,
        auth.post_as(&root.access, &format!("{path}/role"), user.clone()).await,
    ] {
        assert_eq!(answer.must_be(409).json["code"], "last_admin");
    }
    assert!(auth.is_good(&root.access).await, "nothing was done");
    let other = format!("/admin/users/{}/role", other.user_id);
    auth.post_as(&root.access, &other, user).await.must_be(200);
    let third = auth.admin("third").await;
    auth.delete_as(&root.access, "/me").await.must_be(200);
    auth.delete_as(&third.access, "/me").await.must_be(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_47_where_nobody_need_verify_an_unverified_administrator_counts() {
    let auth =
        Service::with(|settings| settings.accounts.email_verification_required = false).await;
    let (root, other) = (auth.admin("root").await, auth.admin("other").await);
    sqlx::query("update users set email_verified_at = null").execute(auth.db()).await.unwrap();
    auth.delete_as(&root.access, "/me").await.must_be(200);
    auth.delete_as(&other.access, "/me").await.must_be(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_47_two_administrators_who_leave_at_once_do_not_both_go() {
    let auth = Service::start().await;
    let (root, other) = (auth.admin("root").await, auth.admin("other").await);
    let (one, two) =
        tokio::join!(auth.delete_as(&root.access, "/me"), auth.delete_as(&other.access, "/me"));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_47_in_cookie_mode_a_deletion_must_be_meant() {
    let auth = Service::start().await;
    auth.user("alice").await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD, "mode": "cookie" });
    let login = auth.post("/login-enhanced", body).await.must_be(200);
    let set = login.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok());
    let pairs = set.filter_map(|line| line.split(';').next()).filter(|it| it.contains("__Host"));
    let cookies = pairs.collect::<Vec<_>>().join("; ");
    let csrf = login.text_at("/data/tokens/csrf_token");
    let delete = |site: &str| {
        let request = auth.request(Method::DELETE, "/me").header("cookie", &cookies);
        request.header("sec-fetch-site", site)
    };
    let refused = send(delete("same-origin")).await.must_be(403);
    assert_eq!(refused.json["code"], "csrf_failed");
    send(delete("cross-site").header("x-csrf-token", &csrf)).await.must_be(403);
    let done = send(delete("same-origin").header("x-csrf-token", &csrf)).await.must_be(200);
    let cleared: Vec<&str> =
        done.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok()).collect();
    for name in ["__Host-access=;", "__Host-refresh=;", "__Host-csrf=;"] {
        assert!(cleared.iter().any(|line| line.starts_with(name)), "{cleared:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_47_everything_that_is_kept_about_the_caller_is_exported_and_nothing_of_others() {
    let auth = behind_a_proxy().await;
    let (alicia, root) = (lived(&auth).await, auth.admin("root").await);
    let enable = format!("/admin/users/{}/enable", alicia.user_id);
    auth.post_as(&root.access, &enable, json!({})).await.must_be(200);
    let trail = "insert into audit_events (at, event, user_id, detail)
                 with recursive n as (select 1 as i union all select i + 1 from n where i < 900)
                 select now(3), 'authn_token_created', ?, '{}' from n";
    sqlx::query(trail).bind(alicia.user_id).execute(auth.db()).await.unwrap();
    let export = hers(&auth, Method::GET, "/me/export", &alicia.access, &json!({})).await;
    let export = export.must_be(200);
    assert_eq!(export.header("content-type"), "application/json");
    assert_eq!(export.header("content-disposition"), "attachment; filename=\"export.json\"");
    assert_eq!(export.header("cache-control"), "no-store");
    let data = &export.json["data"];
    assert_eq!(data["account"]["email"], "alicia@example.com");
    assert_eq!(data["account"]["id"], alicia.user_id);
    for (name, table) in [
        ("sessions", "user_sessions"),
        ("refresh_tokens", "refresh_tokens"),
        ("revocations", "token_blacklist_enhanced"),
        ("mailed_tokens", "email_tokens"),
        ("mails", "mails"),
        ("audit_events", "audit_events"),
    ] {
        let exported = data[name].as_array().unwrap_or_else(|| panic!("{name}: {data}")).len();
        let sql = format!("select cast(count(*) as unsigned) from {table} where user_id = ?");
        let kept = sqlx::query_scalar(AssertSqlSafe(sql)).bind(alicia.user_id);
        let kept: u64 = kept.fetch_one(auth.db()).await.unwrap();
        assert!(exported > 0 && exported as u64 == kept, "{name}: {exported} of {kept}");
    }
    let events = data["audit_events"].as_array().unwrap();
    assert!(events.windows(2).all(|two| two[0]["id"].as_u64() < two[1]["id"].as_u64()));
    assert_eq!(events.last().unwrap()["event"], "user_exported");
    assert_eq!(data["sessions"][0]["ip_address"], ADDRESS);
    let enabled = events.iter().find(|event| event["event"] == "user_enabled").unwrap();
    assert_eq!((&enabled["ip_address"], &enabled["user_agent"]), (&Value::Null, &Value::Null));
    for secret in ["\"password", "$argon2", "token_hash", "127.0.0.1"] {
        assert!(!export.text.contains(secret), "{secret}");
    }
    let bob = auth.logged_in("bob").await;
    let other = auth.get_as(&bob.access, "/me/export").await.must_be(200);
    assert!(!other.text.contains("alicia") && !other.text.contains(ADDRESS));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_47_an_administrator_also_gets_what_they_did_to_others() {
    let auth = Service::start().await;
    let (root, bob) = (auth.admin("root").await, auth.logged_in("bob").await);
    let disable = format!("/admin/users/{}/disable", bob.user_id);
    auth.post_as(&root.access, &disable, json!({})).await.must_be(200);
    let export = auth.get_as(&root.access, "/me/export").await.must_be(200);
    let events = export.json["data"]["audit_events"].as_array().unwrap();
    let deed = events.iter().find(|event| event["event"] == "user_disabled").expect("it is there");
    assert_eq!((&deed["user_id"], &deed["ip_address"]), (&json!(bob.user_id), &json!("127.0.0.1")));
}
