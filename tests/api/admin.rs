//! `/admin`.

use portcullis_tests::{Login, Service, send};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn r_13_only_administrators_get_in_and_the_token_is_not_asked() {
    let auth = Service::start().await;
    let root = auth.admin("root").await;
    let alice = auth.logged_in("alice").await;
    let paths = [
        (Method::GET, "/admin/blacklist-stats".to_owned()),
        (Method::GET, "/admin/users".to_owned()),
        (Method::GET, "/admin/audit".to_owned()),
        (Method::GET, format!("/admin/users/{}/sessions", root.user_id)),
        (Method::DELETE, format!("/admin/users/{}/sessions", root.user_id)),
        (Method::DELETE, format!("/admin/users/{}", root.user_id)),
        (Method::POST, format!("/admin/users/{}/disable", root.user_id)),
        (Method::POST, format!("/admin/users/{}/enable", root.user_id)),
        (Method::POST, "/admin/logout-everyone".to_owned()),
    ];
    let status = async |access: &str, (method, path): &(Method, String)| {
        let request = auth.request(method.clone(), path).bearer_auth(access);
        request.send().await.unwrap().status().as_u16()
    };
    for path in &paths {
        assert_eq!(status(&alice.access, path).await, 403, "{path:?}");
        assert_eq!(status("x", path).await, 401, "{path:?}");
    }
    assert!(auth.is_good(&root.access).await);
    set_role(&auth, &root, alice.user_id, "admin").await;
    assert_eq!(status(&alice.access, &paths[0]).await, 200, "with the token from before");
    set_role(&auth, &root, alice.user_id, "user").await;
    assert_eq!(status(&alice.access, &paths[0]).await, 403, "with the token from before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demoted_administrator_is_no_administrator_to_a_proxy_either() {
    let auth = Service::start().await;
    let (root, other) = (auth.admin("root").await, auth.admin("other").await);
    let role = async |access: &str| {
        auth.get_as(access, "/verify").await.must_be(200).header("x-auth-role").to_owned()
    };
    assert_eq!(role(&other.access).await, "admin");
    set_role(&auth, &root, other.user_id, "user").await;
    assert_eq!(role(&other.access).await, "user");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_user_is_out_at_once_and_in_again_only_by_a_new_login() {
    let auth = Service::start().await;
    let (root, alice) = (auth.admin("root").await, auth.logged_in("alice").await);
    let act = async |deed: &str| {
        let path = format!("/admin/users/{}/{deed}", alice.user_id);
        auth.post_as(&root.access, &path, json!({})).await.must_be(200);
    };
    act("disable").await;
    assert!(!auth.is_good(&alice.access).await);
    assert_eq!(auth.verdict(&alice), "NO_SESSION");
    auth.refresh(&alice.refresh).await.must_be(401);
    auth.log_in("alice").await.must_be(401);
    act("enable").await;
    assert!(!auth.is_good(&alice.access).await);
    auth.refresh(&alice.refresh).await.must_be(401);
    auth.log_in("alice").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_07_bug_06_a_deleted_user_is_dead_and_their_revocations_stay() {
    let auth = Service::start().await;
    let (root, alice) = (auth.admin("root").await, auth.logged_in("alice").await);
    let gone = auth.logged_in("alice").await;
    auth.post_as(&gone.access, "/logout", json!({})).await.must_be(200);
    let path = format!("/admin/users/{}", alice.user_id);

    auth.delete_as(&root.access, &path).await.must_be(200);

    assert!(!auth.is_good(&alice.access).await && !auth.is_good(&gone.access).await);
    redis::cmd("FLUSHALL").exec(&mut auth.redis.connection()).unwrap();
    assert!(!auth.is_good(&alice.access).await && !auth.is_good(&gone.access).await);
    auth.refresh(&alice.refresh).await.must_be(401);
    auth.log_in("alice").await.must_be(401);
    let rows = "select count(*) from token_blacklist_enhanced where user_id = ?";
    assert_eq!(auth.count(rows, alice.user_id).await, 3);
    auth.delete_as(&root.access, &path).await.must_be(404);
    assert!(auth.audit_trail(alice.user_id).await.contains(&"user_deleted".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_sees_and_ends_a_persons_sessions() {
    let auth = Service::start().await;
    let (root, alice) = (auth.admin("root").await, auth.logged_in("alice").await);
    let path = format!("/admin/users/{}/sessions", alice.user_id);
    let seen = auth.get_as(&root.access, &path).await.must_be(200);
    assert_eq!(seen.json["data"]["sessions"][0]["id"], alice.session);
    let ended = auth.delete_as(&root.access, &path).await.must_be(200);
    assert_eq!(ended.json["data"], json!({ "sessions_revoked": 1, "tokens_revoked": 1 }));
    assert!(!auth.is_good(&alice.access).await && auth.is_good(&root.access).await);
    auth.get_as(&root.access, "/admin/users/999999/sessions").await.must_be(404);
    auth.get_as(&root.access, "/admin/users/x/sessions").await.must_be(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_09_logging_out_everyone_leaves_nobody() {
    let auth = Service::start().await;
    let root = auth.admin("root").await;
    let people = [auth.logged_in("alice").await, auth.logged_in("bob").await];
    let answer = auth.post_as(&root.access, "/admin/logout-everyone", json!({})).await.must_be(200);
    assert_eq!(answer.json["data"], json!({ "users": 3, "sessions_revoked": 3 }));
    assert!(answer.json.get("propagation").is_none());
    for person in people.iter().chain([&root]) {
        assert!(!auth.is_good(&person.access).await);
        assert_eq!(auth.verdict(person), "LOGGED_OUT");
        auth.refresh(&person.refresh).await.must_be(401);
    }
    let again = auth.logged_in("alice").await;
    assert!(auth.is_good(&again.access).await);
    assert_eq!(auth.verdict(&again), "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_the_audit_trail_and_the_blacklist_are_shown() {
    let auth = Service::start().await;
    let (root, alice) = (auth.admin("root").await, auth.logged_in("alice").await);
    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    let get = async |path: &str| auth.get_as(&root.access, path).await.must_be(200).json;

    let users = get("/admin/users?email=ALICE@example.com").await;
    assert_eq!(users["data"]["users"][0]["id"], alice.user_id);
    assert!(users["data"]["users"][0].get("password_hash").is_none());
    let first = get("/admin/users?limit=1").await;
    let rest = get(&format!("/admin/users?after={}", first["data"]["next"])).await;
    assert_eq!(rest["data"]["users"].as_array().unwrap().len(), 1);
    let trail = get(&format!("/admin/audit?user_id={}", alice.user_id)).await;
    let names: Vec<&str> = trail["data"]["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["session_ended", "authn_login_success"]);
    set_role(&auth, &root, alice.user_id, "admin").await;
    let trail = get(&format!("/admin/audit?user_id={}&limit=1", alice.user_id)).await;
    let (event, detail) =
        (&trail["data"]["events"][0], json!({ "by": root.user_id, "role": "admin" }));
    assert_eq!((&event["event"], &event["detail"]), (&json!("authz_change"), &detail));
    let stats = get("/admin/blacklist-stats").await;
    assert_eq!((&stats["data"]["total"], &stats["data"]["active"]), (&json!(2), &json!(2)));
    assert_eq!(stats["data"]["by_type"], json!({ "access": 1, "refresh": 1 }));
    assert_eq!(stats["data"]["by_reason"], json!({ "logout": 2 }));
    assert!(!stats["data"]["ledger"].as_object().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_active_administrator_stays_one() {
    let auth = Service::start().await;
    let root = auth.admin("root").await;
    let path = format!("/admin/users/{}", root.user_id);
    let demote = async || {
        auth.post_as(&root.access, &format!("{path}/role"), json!({ "role": "user" })).await
    };
    let other = auth.admin("other").await;
    let disable = format!("/admin/users/{}/disable", other.user_id);
    auth.post_as(&root.access, &disable, json!({})).await.must_be(200);
    let refused = [
        demote().await,
        auth.post_as(&root.access, &format!("{path}/disable"), json!({})).await,
        auth.delete_as(&root.access, &path).await,
    ];
    for answer in refused {
        assert_eq!(answer.must_be(409).json["code"], "last_admin");
    }
    set_role(&auth, &root, root.user_id, "admin").await;
    assert!(auth.is_good(&root.access).await);
    set_role(&auth, &root, auth.user("alice").await, "admin").await;
    demote().await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_34_an_administrator_who_cannot_log_in_yet_is_nobody_to_leave_it_to() {
    let auth = Service::start().await;
    let root = auth.admin("root").await;
    let other = auth.user("other").await;
    set_role(&auth, &root, other, "admin").await;
    let proven = async |proof: &'static str| {
        sqlx::query(proof).bind(other).execute(auth.db()).await.unwrap();
    };
    let path = format!("/admin/users/{}", root.user_id);
    let ways = [
        (Method::POST, format!("{path}/disable"), json!({})),
        (Method::POST, format!("{path}/role"), json!({ "role": "user" })),
        (Method::DELETE, path, Value::Null),
    ];
    proven("update users set email_verified_at = null where id = ?").await;
    for (method, path, body) in ways {
        let request = auth.request(method, &path).bearer_auth(&root.access).json(&body);
        assert_eq!(send(request).await.must_be(409).json["code"], "last_admin", "{path}");
    }
    auth.delete_as(&root.access, &format!("/admin/users/{other}")).await.must_be(200);
    let other = auth.user("another").await;
    set_role(&auth, &root, other, "admin").await;
    set_role(&auth, &root, root.user_id, "user").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_administrators_cannot_take_each_others_power_at_once() {
    let auth = Service::start().await;
    let (root, other) = (auth.admin("root").await, auth.admin("other").await);
    let demote = async |by: &Login, whom: &Login| {
        let path = format!("/admin/users/{}/role", whom.user_id);
        auth.post_as(&by.access, &path, json!({ "role": "user" })).await
    };
    tokio::join!(demote(&root, &other), demote(&other, &root));
    let left = "select count(*) from users where role = 'admin' and id > ?";
    assert!(auth.count(left, 0).await > 0);
}

async fn set_role(auth: &Service, root: &Login, user_id: u64, role: &str) {
    let path = format!("/admin/users/{user_id}/role");
    auth.post_as(&root.access, &path, json!({ "role": role })).await.must_be(200);
}
