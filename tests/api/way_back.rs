//! `/return`: where a browser is sent whose access cookie has died.

use portcullis_api::settings::Settings;
use portcullis_tests::{Answer, PASSWORD, Service, send};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

async fn service(adjust: impl FnOnce(&mut Settings)) -> Service {
    let auth = Service::with(|settings| {
        "https://www.example.com/".clone_into(&mut settings.accounts.frontend_url);
        adjust(settings);
    })
    .await;
    auth.user("alice").await;
    auth
}

async fn refresh_cookie(auth: &Service) -> String {
    let login = json!({ "email": "alice@example.com", "password": PASSWORD, "mode": "cookie" });
    let login = auth.post("/login-enhanced", login).await.must_be(200);
    let lines = login.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    let mut pairs = lines.filter_map(|line| line.split(';').next());
    pairs.find(|pair| pair.starts_with("__Host-refresh=")).unwrap().to_owned()
}

fn visit(auth: &Service, query: &str, cookie: &str) -> RequestBuilder {
    let request = auth.request(Method::GET, &format!("/return?{query}"));
    request.header("host", "app.example.com").header("cookie", cookie)
}

/// The cookies that an answer sets, with what they are set to.
fn set(answer: &Answer) -> Vec<&str> {
    let lines = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    lines.filter(|line| line.starts_with("__Host-")).collect()
}

const LOGIN: &str =
    "https://www.example.com/login?return_to=https%3A//app.example.com/orders%3Fpage%3D2";

#[tokio::test(flavor = "multi_thread")]
async fn f_26_a_link_of_another_site_renews_nothing() {
    let auth = service(|_| {}).await;
    let cookie = refresh_cookie(&auth).await;
    for (site, mode) in
        [("cross-site", "navigate"), ("same-site", "navigate"), ("same-origin", "cors")]
    {
        let request = visit(&auth, "rd=/orders?page=2", &cookie);
        let request = request.header("sec-fetch-site", site).header("sec-fetch-mode", mode);
        let answer = send(request).await.must_be(303);
        assert_eq!(answer.header("location"), LOGIN, "{site} {mode}");
        assert_eq!(set(&answer), Vec::<&str>::new());
    }
    for site in ["same-origin", "none"] {
        let request = visit(&auth, "rd=/orders?page=2", &cookie);
        let request = request.header("sec-fetch-site", site).header("sec-fetch-mode", "navigate");
        let answer = send(request).await.must_be(303);
        assert_eq!(answer.header("location"), "/orders?page=2", "{site}");
        assert_eq!(set(&answer).len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_26_a_dead_refresh_cookie_is_cleared_on_the_way_to_the_login_page() {
    let auth = service(|_| {}).await;
    let cookie = refresh_cookie(&auth).await;
    let token = cookie.trim_start_matches("__Host-refresh=").to_owned();
    let user = auth.user("alice").await;
    sqlx::query("update user_sessions set is_active = false where user_id = ?")
        .bind(user)
        .execute(auth.db())
        .await
        .unwrap();
    for cookie in [format!("__Host-refresh={token}"), "__Host-refresh=x".to_owned()] {
        let answer = send(visit(&auth, "rd=/orders?page=2", &cookie)).await.must_be(303);
        assert_eq!(answer.header("location"), LOGIN);
        let set = set(&answer);
        assert!(set.len() == 3 && set.iter().all(|line| line.contains("Max-Age=0")), "{set:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_26_the_way_back_leads_to_origins_of_ours_and_of_the_operator_only() {
    let auth = service(|settings| {
        settings.server.return_to = "https://Admin.example.com:443".parse().unwrap();
        settings.server.trusted_proxies = "127.0.0.1".parse().unwrap();
    })
    .await;
    let cookie = refresh_cookie(&auth).await;
    for page in [
        "https://app.example.com/orders",
        "http://app.example.com/orders",
        "https://www.example.com/",
        "https://admin.example.com/x?y=z",
        "/orders",
    ] {
        for name in ["return_to", "rd"] {
            let answer = send(visit(&auth, &format!("{name}={page}"), &cookie)).await.must_be(303);
            assert_eq!(answer.header("location"), page);
        }
    }
    let told = visit(&auth, "rd=https://pages.example.com/x", &cookie);
    let told = told.header("x-forwarded-host", "pages.example.com");
    assert_eq!(send(told).await.must_be(303).header("location"), "https://pages.example.com/x");
    for page in
        ["//evil.example", "https://evil.example/", "javascript:alert(1)", "%2F%5Cevil.example"]
    {
        for name in ["return_to", "rd"] {
            let answer = send(visit(&auth, &format!("{name}={page}"), &cookie)).await.must_be(400);
            assert!(answer.text_at("/detail").contains("RETURN_TO"), "{answer:?}");
            assert_eq!(set(&answer), Vec::<&str>::new());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_26_without_a_login_page_nobody_is_sent_to_one() {
    let auth = service(|settings| {
        settings.accounts.frontend_url = String::new();
        settings.pages.pages = false;
    })
    .await;
    let answer = send(visit(&auth, "rd=/orders", "")).await.must_be(401);
    assert_eq!(answer.json["code"], "no_token");
    let cookie = refresh_cookie(&auth).await;
    let answer = send(visit(&auth, "rd=/orders", &cookie)).await.must_be(303);
    assert_eq!(answer.header("location"), "/orders");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_26_tabs_that_come_back_together_all_come_back() {
    let auth = service(|_| {}).await;
    let cookie = refresh_cookie(&auth).await;
    for page in ["/one", "/two", "/three"] {
        let answer = send(visit(&auth, &format!("rd={page}"), &cookie)).await.must_be(303);
        assert_eq!(answer.header("location"), page);
    }
    assert_eq!(auth.live_sessions(auth.user("alice").await).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_26_only_a_proxy_of_the_operators_says_which_host_was_asked_and_says_it_once() {
    let forwarded = async |auth: &Service, hosts: &[&str]| {
        let cookie = refresh_cookie(auth).await;
        let wanted = visit(auth, "rd=https://evil.example/x", &cookie);
        let told = hosts.iter().fold(wanted, |asked, host| asked.header("x-forwarded-host", *host));
        send(told).await.status
    };
    let stranger = service(|_| {}).await;
    assert_eq!(forwarded(&stranger, &["evil.example"]).await, 400);
    let proxied =
        service(|settings| settings.server.trusted_proxies = "127.0.0.1".parse().unwrap()).await;
    assert_eq!(forwarded(&proxied, &["evil.example"]).await, 303);
    for odd in [&["evil.example, app.example.com"][..], &["evil.example", "app.example.com"]] {
        assert_eq!(forwarded(&proxied, odd).await, 400, "{odd:?}");
    }
    for odd in ["", "a/b@c"] {
        let cookie = refresh_cookie(&proxied).await;
        let told = visit(&proxied, "rd=/orders?page=2", &format!("other{cookie}"));
        let answer = send(told.header("x-forwarded-host", odd)).await.must_be(303);
        assert_eq!(answer.header("location"), LOGIN, "{odd:?}");
    }
}
