//! Pages in hostile hands: forged forms, frames, names that are markup, links that lead elsewhere.

use portcullis_api::settings::Origin;
use portcullis_tests::{PASSWORD, Service, send};
use reqwest::Method;

use super::{Browser, Page, service, with};

/// Every form that changes something, with where it is sent.
const CHANGES: [(&str, &[(&str, &str)]); 12] = [
    ("/account/sessions", &[("all", "1")]),
    ("/account/logout", &[]),
    (
        "/account/password",
        &[("current_password", PASSWORD), ("new_password", "four unrelated words")],
    ),
    ("/account/profile", &[("first_name", "Mallory"), ("last_name", "M"), ("locale", "en")]),
    ("/account/profile/email", &[("email", "mallory@example.com")]),
    ("/account/profile/delete", &[("confirm", "yes")]),
    ("/account/admin/logout-everyone", &[("confirm", "yes")]),
    ("/account/admin/users/1", &[("do", "disable")]),
    ("/account/login", &[("email", "alice@example.com"), ("password", PASSWORD)]),
    (
        "/account/register",
        &[
            ("email", "a@example.com"),
            ("password", PASSWORD),
            ("first_name", "A"),
            ("last_name", "B"),
        ],
    ),
    ("/account/forgot-password", &[("email", "alice@example.com")]),
    ("/account/resend-verification", &[("email", "alice@example.com")]),
];

async fn admin(auth: &Service) -> Browser<'_> {
    let id = auth.user("alice").await;
    sqlx::query("update users set role = 'admin' where id = ?")
        .bind(id)
        .execute(auth.db())
        .await
        .unwrap();
    Browser::of(auth, "alice").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_counts_only_with_its_proof_and_from_our_pages() {
    let auth = service().await;
    let mut browser = admin(&auth).await;
    let page = browser.open("/account/sessions").await.must_be(200);
    let csrf = page.form("end-all").hidden[0].1.clone();
    let mut stranger = Browser::new(&auth);
    let login = stranger.open("/account/login").await;
    let form = login.form("login").hidden[0].1.clone();
    // The browser has both cookies, as one does that has been here before.
    browser.cookies.extend(stranger.cookies.clone());
    let mails = auth.mails().len();
    for (path, fields) in CHANGES {
        let is_signed_out =
            ["login", "register", "password", "verification"].iter().any(|end| path.ends_with(end))
                && path != "/account/password";
        let right = if is_signed_out { &form } else { &csrf };
        let wrong = if is_signed_out { &csrf } else { &form };
        for (proof, site, origin) in [
            (None, "same-origin", None),
            (Some(wrong), "same-origin", None),
            (Some(right), "cross-site", Some("https://evil.example")),
            (Some(right), "cross-site", Some("null")),
            (Some(right), "same-site", Some("https://other.example.com")),
        ] {
            let mut sent = fields.to_vec();
            sent.extend(proof.map(|proof| ("csrf", proof.as_str())));
            let request = browser.request(Method::POST, path).form(&sent);
            let request = reheadered(request, "sec-fetch-site", site);
            let request = origin.into_iter().fold(request, |it, from| it.header("origin", from));
            let answer = send(request).await.must_be(403);
            assert!(answer.text.contains("data-code=\"csrf_failed\""), "{path}: {answer:?}");
            assert!(answer.header("content-type").starts_with("text/html"));
        }
    }
    browser.open("/account/profile").await.must_be(200).must_not_say("Mallory");
    assert_eq!(auth.mails().len(), mails);
    assert_eq!(auth.live_sessions(auth.user("alice").await).await, 1);
}

/// The same request with another value of a header that it has.
fn reheadered(
    request: reqwest::RequestBuilder,
    name: &'static str,
    value: &str,
) -> reqwest::RequestBuilder {
    let (client, request) = request.build_split();
    let mut request = request.unwrap();
    request.headers_mut().insert(name, value.parse().unwrap());
    reqwest::RequestBuilder::from_parts(client, request)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_logged_in_as_somebody_else_by_a_foreign_form() {
    let auth = service().await;
    auth.user("mallory").await;
    // Whoever attacks has a form of their own, and its proof; the victim's browser does not.
    let mut attacker = Browser::new(&auth);
    let page = attacker.open("/account/login").await;
    let proof = page.form("login").hidden[0].1.clone();
    let mut victim = Browser::new(&auth);
    victim.open("/account/login").await;
    let fields = [("csrf", &*proof), ("email", "mallory@example.com"), ("password", PASSWORD)];
    let request = victim.request(Method::POST, "/account/login").form(&fields);
    let answer = victim.sent(request, "/account/login").await.must_be(403);
    assert!(!victim.cookies.contains_key("__Host-access"), "{answer:?}");
}

/// Every page that can be opened, for whoever is an administrator.
const PAGES: [&str; 13] = [
    "/account/login?again=1",
    "/account/register",
    "/account/verify-email",
    "/account/verify-email?token=x",
    "/account/forgot-password",
    "/account/reset-password?token=x",
    "/account/confirm-email?token=x",
    "/account/sessions",
    "/account/password",
    "/account/profile",
    "/account/admin",
    "/account/admin/users",
    "/account/admin/audit",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_page_can_be_framed_or_run_what_is_written_into_it() {
    let auth = service().await;
    let mut browser = admin(&auth).await;
    let user = format!("/account/admin/users/{}", auth.user("alice").await);
    for path in PAGES.iter().copied().chain([&*user, "/account/nothing", "/account/assets/x"]) {
        let page = browser.open(path).await;
        let header = |name: &str| page.answer.header(name).to_owned();
        assert_eq!(
            header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             connect-src 'self'; form-action 'self'; object-src 'none'; base-uri 'none'; \
             frame-ancestors 'none'",
            "{path}"
        );
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(header("x-robots-tag"), "noindex", "{path}");
        assert!(page.text().contains("<meta name=\"robots\" content=\"noindex\">"), "{path}");
        assert_eq!(page.text().matches("<script").count(), 1, "{path}");
        assert!(!page.text().contains("style=") && !page.text().contains("<style"), "{path}");
        assert!(page.text().len() < 50_000, "{path} has {} bytes", page.text().len());
        assert!(header("strict-transport-security").contains("max-age"), "{path}");
    }
}

const MARKUP: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

fn must_be_harmless(page: &Page) {
    let text = page.text();
    assert!(
        !text.contains("<script>") && !text.contains("<img") && !text.contains("\"'>"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_addresses_and_devices_are_never_markup() {
    let auth = service().await;
    let id = auth.user("alice").await;
    let mut browser = admin(&auth).await;
    sqlx::query("update users set first_name = ?, last_name = ? where id = ?")
        .bind(MARKUP)
        .bind(MARKUP)
        .bind(id)
        .execute(auth.db())
        .await
        .unwrap();
    let device =
        serde_json::json!({ "fingerprint": "", "browser": MARKUP, "os": MARKUP, "device": MARKUP });
    sqlx::query("update user_sessions set device_info = ?, user_agent = ?")
        .bind(device.to_string())
        .bind(MARKUP)
        .execute(auth.db())
        .await
        .unwrap();
    sqlx::query("update audit_events set user_agent = ?, detail = ?")
        .bind(MARKUP)
        .bind(serde_json::json!({ MARKUP: MARKUP }).to_string())
        .execute(auth.db())
        .await
        .unwrap();
    let encoded = "%3Cscript%3Ealert(1)%3C/script%3E%22%27%3E%3Cimg%20src=x%3E";
    for path in [
        "/account/sessions".to_owned(),
        "/account/profile".to_owned(),
        "/account/admin/users".to_owned(),
        format!("/account/admin/users/{id}"),
        "/account/admin/audit".to_owned(),
        format!("/account/admin/users?search={encoded}"),
        format!("/account/admin/audit?event={encoded}&user_id={encoded}"),
        format!(
            "/account/login?again=1&return_to={encoded}&email={encoded}&done={encoded}&lang={encoded}"
        ),
        format!("/account/verify-email?token={encoded}&x={encoded}"),
        format!("/account/reset-password?token={encoded}"),
        format!("/account/{encoded}"),
        format!("/account/admin/users/{encoded}"),
    ] {
        let page = browser.open(&path).await;
        assert_ne!(page.answer.status, 500, "{path}: {page:?}");
        must_be_harmless(&page);
    }
    let page = browser.open("/account/sessions").await;
    assert!(page.text().contains("&lt;script&gt;"), "it is shown as it is: {page:?}");
    let login = browser.open("/account/login?again=1").await;
    let fields =
        [("email", MARKUP), ("password", MARKUP), ("return_to", MARKUP), ("again", MARKUP)];
    must_be_harmless(&browser.send(&login, "login", &fields).await);
    let register = browser.open("/account/register").await;
    let fields =
        [("email", MARKUP), ("password", "x"), ("first_name", MARKUP), ("last_name", MARKUP)];
    must_be_harmless(&browser.send(&register, "register", &fields).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_26_a_login_leads_to_our_pages_and_to_listed_ones_only() {
    let listed = "https://shop.example.com";
    let auth = with(|settings| settings.server.return_to.0.push(Origin(listed.to_owned()))).await;
    auth.user("alice").await;
    for wanted in [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
        "https://shop.example.com.evil.example/",
        "https://shop.example.com@evil.example/",
        "/\t/evil.example\r\nSet-Cookie: a=b",
        "/..//evil.example",
        "/%2e%2E//evil.example",
        "/a/.//../..//evil.example",
        "/account/login/../..//evil.example",
        "data:text/html,x",
    ] {
        let mut browser = Browser::new(&auth);
        let login = browser.open("/account/login").await;
        let given = [("email", "alice@example.com"), ("password", PASSWORD), ("return_to", wanted)];
        let back = browser.send(&login, "login", &given).await;
        assert_eq!(back.answer.header("location"), "/account/sessions", "{wanted}");
        assert!(browser.cookies.contains_key("__Host-access"));
    }
    let mut browser = Browser::new(&auth);
    let login = browser.open("/account/login").await;
    assert!(
        login
            .answer
            .header("content-security-policy")
            .contains("form-action 'self' https://shop.example.com;")
    );
    let wanted = "https://shop.example.com/cart?x=1";
    let given = [("email", "alice@example.com"), ("password", PASSWORD), ("return_to", wanted)];
    browser.send(&login, "login", &given).await.must_lead_to(wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_a_mail_acts_on_nothing_by_itself() {
    let auth = service().await;
    let mut browser = Browser::of(&auth, "alice").await;
    let forgot = browser.open("/account/forgot-password").await;
    browser.send(&forgot, "forgot", &[("email", "alice@example.com")]).await;
    let token = auth.mailed_token(0);
    for page in ["verify-email", "reset-password", "confirm-email"] {
        for method in [Method::GET, Method::HEAD] {
            let path = format!("/account/{page}?token={token}");
            send(browser.request(method, &path)).await.must_be(200);
        }
    }
    let unused = "select count(*) from email_tokens where user_id = ? and used_at is null";
    assert_eq!(auth.count(unused, auth.user("alice").await).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_older_login_opens_no_page() {
    let auth = service().await;
    auth.user("alice").await;
    let body = serde_json::json!({ "email": "alice@example.com", "password": PASSWORD });
    let login = auth.post("/login", body).await.must_be(200);
    let mut browser = Browser::new(&auth);
    let old = login.text_at("/token");
    browser.cookies.insert("jwt".to_owned(), old.clone());
    assert_eq!(browser.open("/account/sessions").await.answer.status, 303);
    assert!(auth.is_good(&old).await);
    // But it is the browser's as well, and ends with what takes its place.
    browser.log_in("alice").await.must_be(303);
    assert!(!browser.cookies.contains_key("jwt") && !auth.is_good(&old).await);
}
