//! What a user does: logs in, comes back, is logged out by themselves and by others.

use std::time::Duration;

use portcullis_tests::PASSWORD;
use serde_json::json;

use crate::chromium::{Browser, Tab};
use crate::site::Site;

pub(crate) const QUARTER: Duration = Duration::from_mins(16);

/// Logs in by the page's client.
pub(crate) fn log_in(tab: &Tab<'_>, name: &str) {
    let email = format!("{name}@example.com");
    tab.run_with("await client.login(given)", &json!({ "email": email, "password": PASSWORD }));
}

/// A page of this host, with its client, on which alice has logged in.
pub(crate) async fn page_of_alice<'b>(site: &Site, browser: &'b Browser, host: &str) -> Tab<'b> {
    site.user("alice").await;
    let tab = browser.tab(&Site::page(host));
    site.client(&tab);
    log_in(&tab, "alice");
    tab
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_login_no_script_sees_a_token_and_calls_are_let_in() {
    let Some(site) = Site::open().await else { return };
    let Some(browser) = Browser::open() else { return };
    site.user("alice").await;
    let tab = browser.tab(&Site::page(&site.www));
    site.client(&tab);
    assert_eq!(tab.fault("await client.me()")["status"], 401);
    assert_eq!(tab.run("return client.snapshot().status"), "out");
    assert_eq!(tab.run("return ends.length"), 0, "nobody was logged in");
    log_in(&tab, "alice");
    assert_eq!(tab.run("return (await client.me()).user.email"), "alice@example.com");
    assert_eq!(tab.run("return (await client.fetch('/orders')).status"), 200);
    let seen =
        tab.run("return document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })");
    let seen = seen.as_str().unwrap();
    assert!(seen.contains("__Host-csrf=") && !seen.contains("__Host-access"), "{seen}");
    assert!(!seen.contains("prt_") && !seen.contains("eyJ"), "{seen}");
    assert!(browser.cookies().contains(&"__Host-access".to_owned()));
    assert_eq!(tab.faults(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_on_the_other_host_of_the_site_goes_on_and_may_change_things() {
    let Some(site) = Site::open().await else { return };
    let Some(browser) = Browser::open() else { return };
    let tab = page_of_alice(&site, &browser, &site.app).await;
    for dead in [false, true] {
        if dead {
            site.clock.advance(QUARTER);
        }
        assert_eq!(tab.reload(), 200);
        site.client(&tab);
        assert_eq!(tab.run("return document.cookie"), "", "the token is not for this host to read");
        tab.run("await client.sessions.endOthers()");
        assert_eq!(tab.run("return (await client.me()).user.first_name"), "alice");
    }
    assert_eq!(tab.reload(), 200);
    site.clock.advance(QUARTER);
    browser.forget("__Host-access");
    site.client(&tab);
    tab.run("await client.logout()");
    assert!(!browser.cookies().contains(&"__Host-refresh".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_ended_elsewhere_ends_here_with_its_reason() {
    let Some(site) = Site::open().await else { return };
    let Some(browser) = Browser::open() else { return };
    let tab = page_of_alice(&site, &browser, &site.www).await;
    let other = site.logged_in("alice").await;
    let body = json!({ "current_password": PASSWORD, "new_password": "quite another long one" });
    site.post_as(&other.access, "/change-password", body).await.must_be(200);
    assert_eq!(tab.run("return (await client.fetch('/orders')).status"), 401);
    tab.until("ends.length > 0");
    assert_eq!(
        tab.run("return [ends[0].by, ends[0].reason]"),
        json!(["service", "password_change"])
    );
    assert!(tab.run("return ends[0].at instanceof Date").as_bool().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_everywhere_ends_every_device_and_keeps_the_shops_storage() {
    let Some(site) = Site::open().await else { return };
    let (Some(browser), Some(phone)) = (Browser::open(), Browser::open()) else { return };
    site.user("alice").await;
    let (tab, far) = (browser.tab(&Site::page(&site.www)), phone.tab(&Site::page(&site.app)));
    for tab in [&tab, &far] {
        site.client(tab);
        log_in(tab, "alice");
    }
    tab.run("localStorage.setItem('cart', 'three apples'); sessionStorage.setItem('step', '2')");
    let ended = tab.run("return client.logout({ everywhere: true })");
    assert_eq!(ended["sessions_revoked"], 2);
    let kept = "return [localStorage.getItem('cart'), sessionStorage.getItem('step'), localStorage.length]";
    assert_eq!(tab.run(kept), json!(["three apples", "2", 1]));
    assert_eq!(far.fault("await client.me()")["status"], 401);
    far.until("ends.length > 0");
    assert_eq!(far.run("return ends[0].reason"), "logout_all");
    assert_eq!(tab.run("return ends"), json!([{ "by": "user" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_sent_and_counted_once() {
    let Some(site) = Site::open().await else { return };
    let Some(browser) = Browser::open() else { return };
    let alice = site.user("alice").await;
    let tab = browser.tab(&Site::page(&site.www));
    site.client(&tab);
    log_in(&tab, "alice");
    tab.sent();
    let wrong = "await client.changePassword({ current_password: 'not this one at all', \
                 new_password: 'quite another long one' })";
    let fault = tab.fault(wrong);
    assert_eq!(
        (&fault["code"], &fault["name"]),
        (&json!("wrong_password"), &json!("PortcullisError"))
    );
    assert_eq!(tab.sent(), ["POST /api/v1/auth/change-password 422"]);
    let violation =
        "try { await client.changePassword({ current_password: 'x', new_password: 'y' }) }
                     catch (fault) { return fault.violations[0].pointer }";
    assert_eq!(tab.run(violation), "#/current_password");
    let login =
        "await client.login({ email: 'alice@example.com', password: 'wrong as well, quite' })";
    assert_eq!(tab.fault(login)["code"], "bad_credentials");
    assert_eq!(tab.sent_to("/refresh"), 0);
    let trail = site.audit_trail(alice).await;
    let failed = trail.iter().filter(|event| event.as_str() == "authn_login_fail").count();
    assert_eq!(failed, 1, "{trail:?}");
    assert_eq!(tab.run("return (await client.me()).user.id"), alice, "and the session goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_page_behind_nginx_comes_back_by_itself() {
    let Some(site) = Site::open().await else { return };
    let Some(browser) = Browser::open() else { return };
    let tab = page_of_alice(&site, &browser, &site.www).await;
    let orders = format!("{}/orders?page=2", site.www);
    for expired in [false, true] {
        site.clock.advance(QUARTER);
        if expired {
            browser.forget("__Host-access");
        }
        assert_eq!(tab.go(&orders), 200);
        assert_eq!((tab.url(), tab.text("h1")), (orders.clone(), "Orders".to_owned()));
    }
    // Its scripts come back on their own.
    site.clock.advance(QUARTER);
    site.client(&tab);
    let post = "return (await client.fetch('/orders', { method: 'POST', body: 'x' })).status";
    assert_ne!(tab.run(post), 401);
    assert_eq!(tab.sent_to("POST /api/v1/auth/refresh 200"), 1);
    // Who has logged out is led to the login page, and back again after it.
    tab.run("await client.logout()");
    tab.go(&orders);
    tab.is_at(r"/login\?return_to=(/|%2F)orders%3Fpage%3D2$");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_disabled_while_looking_at_a_page_is_out_with_the_next_call() {
    let Some(site) = Site::open().await else { return };
    let Some(browser) = Browser::open() else { return };
    let alice = site.user("alice").await;
    let root = site.admin("root").await;
    let tab = browser.tab(&Site::page(&site.www));
    site.client(&tab);
    log_in(&tab, "alice");
    assert_eq!(tab.run("return (await client.fetch('/orders')).status"), 200);
    site.post_as(&root.access, &format!("/admin/users/{alice}/disable"), json!({}))
        .await
        .must_be(200);
    assert_eq!(tab.run("return (await client.fetch('/orders')).status"), 401);
    tab.until("ends.length === 1");
    assert_eq!(tab.run("return client.snapshot().status"), "out");
    assert!(!browser.cookies().contains(&"__Host-refresh".to_owned()));
    let again = json!({ "email": "alice@example.com", "password": PASSWORD });
    let again =
        tab.run_with("try { await client.login(given) } catch ({ code }) { return code }", &again);
    assert_eq!(again, "bad_credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_session_goes_idle_the_page_is_warned_and_may_stay() {
    let Some(site) = Site::with(|settings| {
        settings.sessions.session_idle_timeout = Duration::from_mins(30);
    })
    .await
    else {
        return;
    };
    let Some(browser) = Browser::open() else { return };
    site.user("alice").await;
    let tab = browser.tab(&Site::page(&site.www));
    tab.hold_clock();
    tab.reload();
    site.client_with(&tab, json!({ "mode": "cookie", "idle": true }));
    log_in(&tab, "alice");
    tab.run("await client.stay()");
    let pass = |minutes| {
        site.clock.advance(Duration::from_mins(minutes));
        tab.sleep(Duration::from_mins(minutes));
    };
    pass(27);
    assert_eq!(tab.run("return warnings"), json!([]));
    pass(2);
    tab.until("warnings.length === 1");
    assert!(tab.run("return warnings[0].endsAt - Date.now() < 120_000").as_bool().unwrap());
    tab.run("await client.stay()");
    tab.sleep(Duration::from_secs(1));
    tab.until("warnings.at(-1) === null");
    assert_eq!(tab.run("return client.snapshot().status"), "in");
    // The lid is closed for an hour.
    pass(60);
    tab.sleep(Duration::from_secs(1));
    tab.until("client.snapshot().status === 'out'");
    tab.sleep(Duration::from_secs(1));
    tab.until("ends.length === 1");
    assert_eq!(tab.run("return ends[0].by"), "idle");
}
