//! The samples of the guide that are for pages, and those for what pages of the older system did by hand.

use std::time::Duration;

use portcullis_tests::{PASSWORD, Service, wait_until};
use serde_json::json;

use crate::chromium::{Browser, Tab};
use crate::guide::bundle;
use crate::site::Site;
use crate::users::QUARTER;

const LOG_IN: &str = "return (await s.client.login(given)).user.email";

/// The page on this host with these samples as `s`.
fn show<'a>(site: &Site, browser: &'a Browser, samples: &[&str]) -> Tab<'a> {
    let script = bundle(samples).expect("the package was built");
    site.publish("samples.js", &script);
    let tab = browser.tab(&Site::page(&site.www));
    tab.run("window.s = await import('/open/samples.js')");
    tab
}

fn log_in(tab: &Tab<'_>) {
    let alice = json!({ "email": "alice@example.com", "password": PASSWORD });
    assert_eq!(tab.run_with(LOG_IN, &alice), "alice@example.com");
}

async fn site() -> Option<(Site, Browser)> {
    let site = Site::open().await?;
    let browser = Browser::open()?;
    site.user("alice").await;
    Some((site, browser))
}

/// Alice somewhere else.
async fn elsewhere(auth: &Service) -> String {
    auth.logged_in("alice").await.session
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_guide_shows_what_is_guarded_and_leads_to_the_login() {
    let Some((site, browser)) = site().await else { return };
    let tab = show(&site, &browser, &["client.js", "page.js"]);
    log_in(&tab);
    site.clock.advance(QUARTER);
    let told = tab.run(
        "const { user, orders, order } = await s.start(); return [user.first_name, orders.status, order.status]",
    );
    assert_eq!(told, json!(["alice", 200, 405]), "the application has nothing for POST");
    let root = site.admin("root").await;
    site.post_as(&root.access, "/admin/logout-everyone", json!({})).await.must_be(200);
    tab.run("await s.client.me().catch(() => {})");
    tab.is_at(r"/login\?return_to=%2Fopen%2Fpage\.html&why=admin$");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_errors_say_what_to_show() {
    let Some((site, browser)) = site().await else { return };
    let tab = show(&site, &browser, &["client.js", "errors.js"]);
    let say = "const told = await s.tryToLogIn(...given); return told && [told.text, told.fields]";
    let told = tab.run_with(say, &json!(["alice@example.com", "wrong, but long enough"]));
    assert_eq!(told, json!(["The address or the password is wrong.", []]));
    browser.offline(true);
    let told = tab.run_with(say, &json!(["alice@example.com", PASSWORD]));
    assert_eq!(told[0], "Please try again in a moment.");
    browser.offline(false);
    assert_eq!(tab.run_with(say, &json!(["alice@example.com", PASSWORD])), json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_devices_are_listed_and_logged_out() {
    let Some((site, browser)) = site().await else { return };
    let tab = show(&site, &browser, &["client.js", "devices.js", "checks.js"]);
    elsewhere(&site).await;
    log_in(&tab);
    let told =
        tab.run("return (await s.devices()).map(({ name, isThisOne }) => [name, isThisOne])");
    assert!(told[0][0].as_str().unwrap().ends_with("Chrome on Linux"), "{told}");
    assert_eq!(told[0][1], true);
    assert_eq!(told[1][1], false);
    assert_eq!(tab.run("return (await s.logOutOthers()).sessions_revoked"), 1);
    let told = tab.run("return s.check()");
    assert_eq!((&told["status"], told["session"].as_str().unwrap().len()), (&json!("in"), 12));
    assert!(told["ends"].is_string() && told["endsIfUnused"].is_string(), "{told}");
    // The page leaves meanwhile, and whoever waited in it would hear nothing.
    tab.run("s.logOutEverywhere().then((told) => sessionStorage.setItem('ended', told.sessions_revoked))");
    tab.is_at("why=user$");
    assert_eq!(tab.run("return sessionStorage.getItem('ended')"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_idle_dialog_is_shown_and_goes_away() {
    let Some(site) = Site::with(|settings| {
        settings.sessions.session_idle_timeout = Duration::from_mins(30);
    })
    .await
    else {
        return;
    };
    let Some(browser) = Browser::open() else { return };
    site.user("alice").await;
    site.publish("samples.js", &bundle(&["client.js"]).unwrap());
    site.publish("idle.js", &bundle(&["idle.js"]).unwrap());
    let tab = browser.tab(&Site::page(&site.www));
    tab.hold_clock();
    tab.reload();
    tab.run("window.s = await import('/open/samples.js')");
    log_in(&tab);
    // Of two clients on one page the other one would say that it was told.
    tab.reload();
    tab.run(
        "document.body.insertAdjacentHTML('beforeend', \
         '<dialog id=\"idle\">Still there? Until <time></time> <button>Yes</button></dialog>');
         await (await import('/open/idle.js')).watch()",
    );
    let pass = |minutes| {
        site.clock.advance(Duration::from_mins(minutes));
        tab.sleep(Duration::from_mins(minutes));
    };
    pass(29);
    tab.until("document.querySelector('#idle').open");
    assert!(tab.text("#idle time").contains(':'));
    tab.click("#idle button");
    tab.until("!document.querySelector('#idle').open");
    pass(31);
    tab.sleep(Duration::from_secs(1));
    tab.is_at(r"/login\?why=idle$");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_component_follows_login_logout_and_outages() {
    let Some((site, browser)) = site().await else { return };
    let tab = show(&site, &browser, &["client.js", "Hello.jsx"]);
    let render = "document.body.insertAdjacentHTML('beforeend', '<div id=\"root\"></div>');
                  s.createRoot(document.querySelector('#root')).render(s.createElement(s.Hello))";
    tab.run(render);
    tab.until("document.querySelector('#root').innerText === 'Nobody is logged in.'");
    log_in(&tab);
    tab.until("document.querySelector('#root').innerText.startsWith('Hello alice')");
    assert_eq!(tab.barriers(), [] as [serde_json::Value; 0]);
    // A reload in the middle of an outage.
    site.auth.app.store.pool.close().await;
    tab.reload();
    site.clock.advance(QUARTER);
    tab.run("window.s = await import('/open/samples.js')");
    tab.run(render);
    tab.until("document.querySelector('[role=alert]')?.innerText.includes('We go on trying')");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_axios_refreshes_once_and_tells_outages_from_dead_tokens() {
    let Some((site, browser)) = site().await else { return };
    let tab = show(&site, &browser, &["client.js", "api.js", "AuthManager.js"]);
    log_in(&tab);
    site.clock.advance(QUARTER);
    tab.sent();
    let ten = "const all = await Promise.all(Array.from({ length: 10 }, (_, n) => s.api.get(`/orders?n=${n}`)));
               return all.map(({ status }) => status)";
    assert_eq!(tab.run(ten), json!(vec![200; 10]));
    assert_eq!(tab.sent_to("/api/v1/auth/refresh"), 1);
    let change = "return s.api.post('/api/v1/auth/change-password', { current_password: 'wrong', \
                  new_password: 'quite another long one' }).catch(({ response }) => response.data.code)";
    site.clock.advance(QUARTER);
    // The body is sent again as it was.
    assert_eq!(tab.run(change), "insufficient_user_authentication");
    let sent = tab.sent();
    let changes = sent.iter().filter(|line| line.contains("/change-password")).count();
    assert_eq!(changes, 2, "{sent:?}");
    assert_eq!(tab.run("return (await s.api.delete('/api/v1/auth/sessions')).status"), 200);
    let manager = "const manager = new s.AuthManager(); await manager.refreshTokens();
                   return (await manager.axios.get('/api/v1/auth/me')).data.data.user.email";
    assert_eq!(tab.run(manager), "alice@example.com");
    site.auth.app.store.pool.close().await;
    site.clock.advance(QUARTER);
    let outage = "return s.api.get('/orders').catch(({ response, status }) => \
                  [status, response.status, response.headers['retry-after'], response.data.code])";
    assert_eq!(tab.run(outage), json!([503, 503, "2", "unavailable"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_bearer_client_survives_a_reload_of_a_page_on_another_host() {
    let Some((site, browser)) = site().await else { return };
    site.publish("samples.js", &bundle(&["bearer.js"]).unwrap());
    let tab = browser.tab(&Site::page(&site.app));
    let open = "window.s = { client: (await import('/open/samples.js')).connect(given) }; return 0";
    tab.run_with(open, &json!(site.www));
    log_in(&tab);
    tab.reload();
    site.clock.advance(QUARTER);
    tab.run_with(open, &json!(site.www));
    assert_eq!(tab.run("return (await s.client.me()).user.first_name"), "alice");
    assert_eq!(browser.cookies(), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_in_and_refreshing_as_pages_of_the_older_system_named_it() {
    let Some((site, browser)) = site().await else { return };
    let samples =
        ["client.js", "login.js", "useAuth.jsx", "handleTokenExpiration.js", "AuthErrorHandler.js"];
    let tab = show(&site, &browser, &samples);
    let user = tab
        .run_with("return (await s.login(...given)).user", &json!(["alice@example.com", PASSWORD]));
    assert_eq!(user["email"], "alice@example.com");
    assert_eq!(tab.run("return s.handleTokenExpiration()"), true);
    assert_eq!(tab.run("return localStorage.length"), 0, "no token lies where scripts can read it");
    // The hook, in a component.
    tab.run(
        "document.body.insertAdjacentHTML('beforeend', '<div id=\"root\"></div>');
         const Page = () => { window.auth = s.useAuth(); return null; };
         s.createRoot(document.querySelector('#root')).render(s.createElement(Page))",
    );
    tab.until("window.auth?.user?.first_name === 'alice'");
    tab.run("window.auth.login('alice@example.com', 'wrong, but long enough').catch(() => {})");
    tab.until("auth.error === 'The e-mail address or the password is wrong.' && !auth.loading");
    // What is shown for what.
    let handle = "const told = []; s.AuthErrorHandler.handleAuthError(given, (text) => told.push(text)); return told";
    for (error, told) in [
        (json!({ "status": 401, "code": "no_token" }), json!([])),
        (
            json!({ "status": 429, "retryAfter": 7 }),
            json!(["Too many tries. Please wait 7 seconds."]),
        ),
        (json!({ "status": 403 }), json!(["You may not do this."])),
        (json!({ "status": 503 }), json!(["That did not work. Please try again in a moment."])),
        (json!({ "code": "network" }), json!(["That did not work. Please try again in a moment."])),
    ] {
        assert_eq!(tab.run_with(handle, &error), told);
    }
    // An outage is not the end, a refused refresh is.
    browser.offline(true);
    assert_eq!(tab.run("return (await s.handleTokenExpiration()) ?? 'unknown'"), "unknown");
    browser.offline(false);
    let other = site.logged_in("alice").await;
    site.post_as(&other.access, "/logout-all-devices", json!({})).await.must_be(200);
    tab.run("void s.handleTokenExpiration()");
    tab.is_at("/login.*why=logout_all$");
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_and_idle_time_as_pages_of_the_older_system_named_them() {
    let Some((site, browser)) = site().await else { return };
    let samples =
        ["client.js", "SessionManager.jsx", "MultiDeviceManager.js", "SessionTimeoutManager.js"];
    let tab = show(&site, &browser, &samples);
    let ended = elsewhere(&site).await;
    for _ in 0..2 {
        elsewhere(&site).await;
    }
    log_in(&tab);
    tab.run(
        "document.body.insertAdjacentHTML('beforeend', '<div id=\"root\"></div>');
         s.createRoot(document.querySelector('#root')).render(s.createElement(s.SessionManager))",
    );
    tab.until("document.querySelectorAll('#root li').length === 3");
    assert_eq!(tab.barriers(), [] as [serde_json::Value; 0]);
    tab.shot("sample-session-manager");
    tab.click("#root li button");
    tab.until("document.querySelectorAll('#root li').length === 2");
    let devices = "return (await s.MultiDeviceManager.getActiveSessions()).other_sessions.map(({ id }) => id)";
    let devices = tab.run(devices);
    assert_eq!(devices.as_array().unwrap().len(), 2);
    if devices.as_array().unwrap().contains(&json!(ended)) {
        tab.run_with("await s.MultiDeviceManager.revokeSession(given)", &json!(ended));
    }
    tab.click("#root > section > button");
    tab.until("document.querySelectorAll('#root li').length === 0");
    assert_eq!(
        tab.run("return (await s.MultiDeviceManager.revokeAllOtherSessions()).sessions_revoked"),
        0
    );
    // Whoever moves uses the session, at most once a minute.
    tab.run("window.manager = new s.SessionTimeoutManager(s.client); return 0");
    tab.sent();
    tab.run("for (let many = 0; many < 50; many += 1) document.dispatchEvent(new MouseEvent('mousemove'))");
    tab.run("await s.client.me()");
    // Of two requests either may be answered first.
    let mut uses = 0;
    wait_until("the session is used", || {
        uses += tab.sent_to("GET /api/v1/auth/sessions 200");
        uses > 0
    });
    tab.run("await s.client.me()");
    assert_eq!(uses + tab.sent_to("GET /api/v1/auth/sessions 200"), 1);
    tab.run("manager.stop(); void s.MultiDeviceManager.logoutAllDevices()");
    tab.is_at("why=user$");
}
