//! What holds on every page: language, landmarks, files, and what an operator may choose.

use portcullis_tests::send;
use reqwest::Method;

use super::{Browser, service, with};

const OPEN: [&str; 5] = ["login", "register", "verify-email", "forgot-password", "reset-password"];
const OWN: [&str; 3] = ["sessions", "password", "profile"];

#[tokio::test(flavor = "multi_thread")]
async fn pages_speak_the_language_that_is_wanted_and_remember_a_choice() {
    let auth = service().await;
    let mut browser = Browser::new(&auth);
    for (language, tag, title) in [
        ("de-AT,de;q=0.9,en;q=0.1", "de", "Anmelden"),
        ("fr", "en", "Log in"),
        ("en,de", "en", "Log in"),
    ] {
        browser.language = language;
        let page = browser.open("/account/login").await.must_be(200);
        assert!(page.text().contains(&format!("<html lang=\"{tag}\">")), "{language}");
        assert!(page.text().contains(&format!("<h1>{title}</h1>")), "{language}");
    }
    let page = browser.open("/account/login?return_to=/orders").await;
    let link = page.element("<li><a href=\"", "\" lang=\"de\"").rsplit('"').next().unwrap();
    let link = super::plain(link);
    assert_eq!(link, "/account/login?return_to=%2Forders&lang=de");
    let page = browser.open(&link).await.must_be(200).must_say("<html lang=\"de\">");
    assert!(page.text().contains("name=\"return_to\" value=\"&#x2f;orders\""), "{page:?}");
    browser.open("/account/register").await.must_be(200).must_say("<html lang=\"de\">");
    browser.open("/account/nothing").await.must_be(404).must_say("<html lang=\"de\">");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_landmarks_one_heading_and_labels() {
    let auth = service().await;
    let mut browser = Browser::new(&auth);
    let mut member = Browser::of(&auth, "alice").await;
    for (path, is_open) in OPEN.map(|it| (it, true)).into_iter().chain(OWN.map(|it| (it, false))) {
        let who = if is_open { &mut browser } else { &mut member };
        let page = who.open(&format!("/account/{path}")).await.must_be(200);
        let text = page.text();
        for part in ["<header>", "<main id=\"main\"", "<footer>", "href=\"#main\"", "<title>"] {
            assert_eq!(text.matches(part).count(), 1, "{path}: {part}");
        }
        assert_eq!(text.matches("<h1>").count(), 1, "{path}");
        for input in text.split("<input id=\"").skip(1) {
            let id = input.split('"').next().unwrap();
            assert!(text.contains(&format!("<label for=\"{id}\">")), "{path}: {id} has no label");
            assert!(input.contains("autocomplete=\""), "{path}: {id}");
        }
        assert!(
            !text.contains("http://") && !text.contains("//fonts"),
            "{path} loads nothing foreign"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_pages_are_small_kept_and_in_the_operators_colour() {
    let auth = with(|settings| settings.pages.brand_color = "#ffd500".parse().unwrap()).await;
    let mut browser = Browser::new(&auth);
    let page = browser.open("/account/login").await;
    let mut total = page.text().len();
    for (begins, media_type) in [
        ("<script src=\"", "text/javascript; charset=utf-8"),
        ("<link rel=\"stylesheet\" href=\"", "text/css; charset=utf-8"),
        ("<link rel=\"icon\" href=\"", "image/svg+xml"),
    ] {
        let path = super::plain(page.element(begins, "\""));
        let file = send(auth.raw(Method::GET, &path)).await.must_be(200);
        assert_eq!(file.header("content-type"), media_type);
        assert_eq!(file.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        total += file.text.len();
        let old = send(auth.raw(Method::GET, path.split('?').next().unwrap())).await.must_be(200);
        assert_eq!(old.header("cache-control"), "no-cache");
        if media_type.starts_with("text/css") {
            assert!(file.text.starts_with(":root{--brand:#ffd500;--on-brand:#000000}"), "{file:?}");
        }
    }
    assert!(total < 50_000, "{total} bytes with everything");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_moves_the_pages_renames_them_or_has_none() {
    let auth = with(|settings| {
        settings.pages.pages_path = "/my/pages".parse().unwrap();
        "Shop & <Co>".clone_into(&mut settings.server.app_name);
    })
    .await;
    let mut browser = Browser::new(&auth);
    let page = browser.open("/my/pages/sessions").await;
    let login = browser.follow(&page).await.must_be(200).must_say("Shop &amp; &lt;Co&gt;");
    assert_eq!(login.path, "/my/pages/login?return_to=/my/pages/sessions");
    browser.open("/my/pages/nothing").await.must_be(404);
    let json = send(auth.raw(Method::GET, "/account/login")).await.must_be(404);
    assert_eq!(json.header("content-type"), "application/problem+json");
    let json = send(auth.raw(Method::GET, "/my/pagesandmore")).await.must_be(404);
    assert_eq!(json.header("content-type"), "application/problem+json");

    let auth = with(|settings| settings.pages.pages = false).await;
    for path in ["/account/login", "/account", "/.well-known/change-password"] {
        send(auth.raw(Method::GET, path)).await.must_be(404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slash_behind_a_page_leads_to_the_page_and_what_is_none_is_a_page_all_the_same() {
    let auth = service().await;
    let mut browser = Browser::of(&auth, "alice").await;
    for (typed, page) in [
        ("/account/", "/account/sessions"),
        ("/account//", "/account"),
        ("/account/login/", "/account/login"),
        ("/account/profile//", "/account/profile"),
        ("/account/profile/export/", "/account/profile/export"),
        ("/account/admin/", "/account/admin"),
        ("/account/admin/users/", "/account/admin/users"),
        ("/account/admin/users/7/", "/account/admin/users/7"),
        ("/account/login/?return_to=/orders&lang=de", "/account/login?return_to=/orders&lang=de"),
        ("/account//evil.example/", "/account//evil.example"),
    ] {
        browser.open(typed).await.must_lead_to(page);
        let head = send(browser.request(Method::HEAD, typed)).await.must_be(303);
        assert_eq!(head.header("location"), page);
    }
    for nothing in ["/account/nothing", "/account/login/more", "/account//evil.example"] {
        browser.open(nothing).await.must_be(404).must_say("data-code=\"not_found\"");
    }
    let form = browser.request(Method::POST, "/account/logout/").form(&[("a", "b")]);
    send(form).await.must_be(404);
    browser.open("/account/profile").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_refused_below_the_pages_is_a_page() {
    let auth = service().await;
    let browser = Browser::new(&auth);
    let form = |path: &str| browser.request(Method::POST, path);
    for (request, status) in [
        (form("/account/nothing").form(&[("a", "b")]), 404),
        (form("/account/assets/pages.js").form(&[("a", "b")]), 405),
        (browser.request(Method::DELETE, "/account/login"), 405),
        (form("/account/login").json(&serde_json::json!({})), 415),
        (form("/account/login").body("x".repeat(20_000)), 413),
        (browser.request(Method::GET, "/account/admin/users/x"), 404),
        (browser.request(Method::GET, "/account/%ff"), 404),
    ] {
        let answer = send(request).await.must_be(status);
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{answer:?}");
        assert!(answer.text.contains("id=\"problem\""), "{answer:?}");
        assert!(answer.header("content-security-policy").contains("style-src 'self'"));
    }
    let api = send(auth.request(Method::GET, "/nothing")).await.must_be(404);
    assert_eq!(api.header("content-type"), "application/problem+json");
    assert!(api.header("content-security-policy").starts_with("default-src 'none'; object-src"));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_26_without_a_front_end_the_way_back_leads_to_our_own_login() {
    let auth = service().await;
    let answer = send(auth.request(Method::GET, "/return?rd=/orders?page=2")).await.must_be(303);
    assert_eq!(answer.header("location"), "/account/login?return_to=/orders%3Fpage%3D2");
}
