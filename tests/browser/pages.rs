//! The service's own pages, as people see and use them.

use std::time::Duration;

use portcullis_tests::{Database, PASSWORD};
use reqwest::Url;
use serde_json::{Value, json};

use crate::chromium::{Browser, Tab};
use crate::site::Site;
use crate::users::QUARTER;

/// A site whose mails and logins lead to the service's own pages, with alice.
pub(crate) async fn site() -> Option<Site> {
    let site = Site::with(|settings| settings.accounts.frontend_url.clear()).await?;
    site.user("alice").await;
    Some(site)
}

/// Fills the login form in and sends it.
pub(crate) fn log_in(tab: &Tab<'_>, name: &str, password: &str) {
    tab.fill("#login [name=email]", &format!("{name}@example.com"));
    tab.fill("#login [name=password]", password);
    tab.click("#login button[name=login]");
}

/// A tab on the sessions page after a login by its form.
fn logged_in<'a>(site: &Site, browser: &'a Browser, name: &str) -> Tab<'a> {
    let tab = browser.tab(&format!("{}/account/login", site.www));
    log_in(&tab, name, PASSWORD);
    tab.is_at("/account/sessions$");
    tab
}

/// Nothing serious stands in anybody's way, nothing broke, and a picture is kept.
#[track_caller]
fn look(tab: &Tab<'_>, name: &str) {
    assert_eq!(tab.barriers(), [] as [Value; 0], "{name}");
    assert_eq!(tab.faults(), json!([]), "{name}");
    tab.shot(name);
}

/// Pages for whoever is not logged in.
pub(crate) const OPEN: [&str; 6] = [
    "login",
    "register",
    "verify-email",
    "verify-email?token=x",
    "forgot-password",
    "reset-password?token=x",
];
/// Pages of somebody's own account.
pub(crate) const OWN: [&str; 3] = ["sessions", "password", "profile"];
/// Pages of administrators, beside those about one user.
pub(crate) const ADMIN: [&str; 3] = ["admin", "admin/users", "admin/audit"];

/// Every page, in one language and one colour scheme.
async fn every_page(language: &str, scheme: &str) {
    let Some(site) = site().await else { return };
    let options = json!({ "locale": language, "colorScheme": scheme });
    let Some(browser) = Browser::with(&options) else { return };
    site.admin("root").await;
    let picture =
        |path: &str| format!("{}-{language}-{scheme}", path.replace(['/', '?', '='], "-"));
    let tab = browser.tab(&format!("{}/account/login", site.www));
    for path in OPEN {
        assert_eq!(tab.go(&format!("{}/account/{path}", site.www)), 200, "{path}");
        assert_eq!(tab.run("return document.documentElement.lang"), language, "{path}");
        look(&tab, &picture(path));
    }
    tab.go(&format!("{}/account/login", site.www));
    log_in(&tab, "root", "wrong, but long enough");
    tab.until("document.querySelector('#problem')");
    look(&tab, &picture("login-refused"));
    log_in(&tab, "root", PASSWORD);
    tab.is_at("/account/sessions$");
    let alice = site.user("alice").await;
    let user = format!("admin/users/{alice}");
    for path in OWN.into_iter().chain(ADMIN).chain([user.as_str()]) {
        assert_eq!(tab.go(&format!("{}/account/{path}", site.www)), 200, "{path}");
        look(&tab, &picture(if path == user { "admin-user" } else { path }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_serious_on_any_page_in_english_by_day() {
    every_page("en", "light").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_serious_on_any_page_in_german_by_night() {
    every_page("de", "dark").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_by_the_page_is_the_clients_as_well() {
    let Some(site) = site().await else { return };
    let Some(browser) = Browser::open() else { return };
    let tab = logged_in(&site, &browser, "alice");
    assert!(tab.text("[data-current]").contains("This device"));
    let shop = browser.tab(&Site::page(&site.www));
    site.client(&shop);
    assert_eq!(shop.run("return (await client.me()).user.email"), "alice@example.com");
    tab.click("#logout button[name=logout]");
    tab.until("document.querySelector('#notice')?.dataset.code === 'logged_out'");
    assert_eq!(shop.fault("await client.me()")["status"], 401);
    shop.until("client.snapshot().status === 'out'");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_in_the_form_is_counted_once() {
    let Some(site) = site().await else { return };
    let Some(browser) = Browser::open() else { return };
    let alice = site.user("alice").await;
    let tab = browser.tab(&format!("{}/account/login", site.www));
    log_in(&tab, "alice", "wrong, but long enough");
    tab.until("document.querySelector('#problem')?.dataset.code === 'bad_credentials'");
    let trail = site.audit_trail(alice).await;
    assert_eq!(
        trail.iter().filter(|event| event.as_str() == "authn_login_fail").count(),
        1,
        "{trail:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_to_a_guarded_page_logs_in_and_is_there() {
    let Some(site) = site().await else { return };
    let Some(browser) = Browser::open() else { return };
    let tab = browser.tab(&format!("{}/orders?page=2", site.www));
    tab.is_at("/account/login");
    log_in(&tab, "alice", PASSWORD);
    tab.is_at(r"/orders\?page=2$");
    assert_eq!(tab.text("h1"), "Orders");
}

/// Addresses that look like paths of ours, and are read as another host by somebody.
const ELSEWHERE: [&str; 12] = [
    "//evil.shop.test/",
    "/\\evil.shop.test/",
    "/\t/evil.shop.test/",
    "/..//evil.shop.test/",
    "/%2e%2E//evil.shop.test/",
    "/account/..//evil.shop.test/",
    "/account/login/../..//evil.shop.test/",
    "/.//evil.shop.test/",
    "https:evil.shop.test/",
    "https://evil.shop.test/",
    "https://www.shop.test@evil.shop.test/",
    "javascript:document.title='evil'",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_form_and_no_link_of_ours_leads_to_another_origin() {
    let Some(site) = site().await else { return };
    let Some(browser) = Browser::open() else { return };
    let login = |wanted: &str| {
        let page = format!("{}/account/login", site.www);
        Url::parse_with_params(&page, [("return_to", wanted)]).unwrap().to_string()
    };
    let stays = |tab: &Tab<'_>, wanted: &str| {
        tab.is_at("/account/sessions$");
        assert!(tab.url().starts_with(&site.www), "{wanted}: {}", tab.url());
    };
    let tab = browser.tab(&login(ELSEWHERE[3]));
    // So it is read where it is followed, which is why none with dots is.
    let read = "return new URL('/..//evil.shop.test/', location).pathname";
    assert_eq!(tab.run(read), "//evil.shop.test/");
    for wanted in ELSEWHERE {
        tab.go(&login(wanted));
        log_in(&tab, "alice", PASSWORD);
        stays(&tab, wanted);
        // Whoever is logged in already is led on at once.
        tab.go(&login(wanted));
        stays(&tab, wanted);
        tab.click("#logout button[name=logout]");
        tab.is_at("/account/login");
    }
    assert_eq!(tab.faults(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_access_cookie_has_died_comes_back_by_itself() {
    let Some(site) = site().await else { return };
    let Some(browser) = Browser::open() else { return };
    let tab = logged_in(&site, &browser, "alice");
    for is_forgotten in [false, true] {
        site.clock.advance(QUARTER);
        if is_forgotten {
            browser.forget("__Host-access");
        }
        assert_eq!(tab.reload(), 200);
        assert!(tab.url().ends_with("/account/sessions"), "{}", tab.url());
    }
    // And so does one whose form is sent.
    site.clock.advance(QUARTER);
    site.logged_in("alice").await;
    tab.reload();
    site.clock.advance(QUARTER);
    tab.click("#end-others button[name=others]");
    tab.until("document.querySelectorAll('li[data-session]').length === 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_page_is_live_and_leaves_when_its_own_session_ends() {
    let Some(site) = site().await else { return };
    let Some(browser) = Browser::open() else { return };
    let tab = logged_in(&site, &browser, "alice");
    assert_eq!(tab.count("li[data-session]"), 1);
    let other = site.logged_in("alice").await;
    tab.until("document.querySelectorAll('li[data-session]').length === 2");
    let own = tab.run("return document.querySelector('[data-current]').dataset.session");
    let path = format!("/sessions/{}", own.as_str().unwrap());
    site.delete_as(&other.access, &path).await.must_be(200);
    tab.is_at("/account/login");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_disables_a_user_who_is_looking_at_a_page() {
    let Some(site) = site().await else { return };
    let (Some(browser), Some(office)) = (Browser::open(), Browser::open()) else { return };
    let alice = site.user("alice").await;
    site.admin("root").await;
    let tab = logged_in(&site, &browser, "alice");
    let desk = logged_in(&site, &office, "root");
    desk.go(&format!("{}/account/admin/users/{alice}", site.www));
    desk.click("#disable button");
    desk.until("document.querySelector('#enable')");
    tab.is_at("/account/login");
    log_in(&tab, "alice", PASSWORD);
    tab.until("document.querySelector('#problem')?.dataset.code === 'bad_credentials'");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_shown_as_one_and_the_session_is_there_after_it() {
    let mut database = Database::start();
    let url = database.fresh_database("pages");
    let site = Site::on(&url, |settings| settings.accounts.frontend_url.clear()).await;
    let Some(site) = site else { return };
    site.user("alice").await;
    let Some(browser) = Browser::open() else { return };
    let tab = logged_in(&site, &browser, "alice");
    database.stop();
    site.clock.advance(QUARTER);
    assert_eq!(tab.go(&format!("{}/account/password", site.www)), 503);
    look(&tab, "outage-en-light");
    database.start_again();
    let tries = "for (;;) {
        const { status } = await fetch('/account/password', { headers: { accept: 'text/html' } });
        if (status === 200) return status;
        await new Promise((done) => setTimeout(done, 200));
    }";
    assert_eq!(tab.run(tries), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_work_without_script_and_by_keyboard() {
    let Some(site) = site().await else { return };
    let Some(browser) = Browser::with(&json!({ "javaScriptEnabled": false })) else { return };
    let tab = logged_in(&site, &browser, "alice");
    assert_eq!(tab.count("li[data-session]"), 1);
    tab.click("#logout button[name=logout]");
    tab.is_at("/account/login");
    let Some(browser) = Browser::open() else { return };
    let tab = browser.tab(&format!("{}/account/login", site.www));
    tab.click("#login [name=email]");
    tab.press(&["alice@example.com", "\t", PASSWORD, "\n"]);
    tab.is_at("/account/sessions$");
    site.clock.advance(Duration::from_secs(1));
}
