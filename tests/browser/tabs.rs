//! Tabs of one browser: one refresh at a time, and a logout that all hear of.

use serde_json::json;

use crate::chromium::{Browser, Tab};
use crate::site::Site;
use crate::users::{QUARTER, log_in};

const TEN_CALLS: &str = "
    const answers = await Promise.all(Array.from({ length: 10 }, () => client.fetch('/orders')));
    return [...new Set(answers.map((answer) => answer.status))];";

fn refreshes(tabs: &[&Tab<'_>]) -> usize {
    tabs.iter().map(|tab| tab.sent_to("/api/v1/auth/refresh")).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_calls_at_once_with_a_dead_token_refresh_once() {
    let Some(site) = Site::open().await else { return };
    let Some(browser) = Browser::open() else { return };
    let alice = site.user("alice").await;
    let tab = browser.tab(&Site::page(&site.www));
    site.client(&tab);
    log_in(&tab, "alice");
    for is_forgotten in [false, true] {
        site.clock.advance(QUARTER);
        if is_forgotten {
            browser.forget("__Host-access");
        }
        tab.sent();
        assert_eq!(tab.run(TEN_CALLS), json!([200]));
        assert_eq!(refreshes(&[&tab]), 1);
    }
    assert_eq!(site.live_sessions(alice).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_that_find_their_token_dead_together_refresh_once() {
    let Some(site) = Site::open().await else { return };
    let Some(browser) = Browser::open() else { return };
    let alice = site.user("alice").await;
    let tabs = [browser.tab(&Site::page(&site.www)), browser.tab(&Site::page(&site.www))];
    let tabs = [&tabs[0], &tabs[1]];
    for tab in tabs {
        site.client(tab);
    }
    log_in(tabs[0], "alice");
    tabs[1].until("client.snapshot().status === 'in'");
    for _ in 0..5 {
        site.clock.advance(QUARTER);
        assert_eq!(browser.together(&tabs, TEN_CALLS), [json!([200]), json!([200])]);
        assert_eq!(refreshes(&tabs), 1, "the other tab hears that there is a new token");
    }
    assert_eq!(site.live_sessions(alice).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_locks_and_channels_tabs_still_refresh_one_after_the_other() {
    let Some(site) = Site::open().await else { return };
    let Some(browser) = Browser::open() else { return };
    let alice = site.user("alice").await;
    let tabs = [browser.tab(&Site::page(&site.www)), browser.tab(&Site::page(&site.www))];
    let tabs = [&tabs[0], &tabs[1]];
    for tab in tabs {
        tab.run(
            "Object.defineProperty(Navigator.prototype, 'locks', { get() {} });
             delete window.BroadcastChannel;",
        );
        site.client(tab);
    }
    log_in(tabs[0], "alice");
    tabs[1].until("client.snapshot().status === 'in'");
    for _ in 0..3 {
        site.clock.advance(QUARTER);
        assert_eq!(browser.together(&tabs, TEN_CALLS), [json!([200]), json!([200])]);
        assert_eq!(refreshes(&tabs), 1);
    }
    tabs[0].run("await client.logout()");
    tabs[1].until("ends.length === 1");
    assert_eq!(site.live_sessions(alice).await, 0);
    assert_eq!(tabs[0].run("return localStorage.length"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_in_one_tab_is_heard_in_the_others_and_on_pages_come_back_to() {
    let Some(site) = Site::open().await else { return };
    let Some(browser) = Browser::open() else { return };
    site.user("alice").await;
    let tabs = [browser.tab(&Site::page(&site.www)), browser.tab(&Site::page(&site.www))];
    for tab in &tabs {
        site.client(tab);
    }
    log_in(&tabs[0], "alice");
    tabs[1].until("client.snapshot().status === 'in'");
    tabs[1].run("await client.me()");
    // A call is under way there that will find its token dead.
    site.clock.advance(QUARTER);
    tabs[1].run("window.late = client.fetch('/orders').then(({ status }) => status); return 0");
    tabs[0].run("await client.logout()");
    tabs[1].until("ends.length === 1");
    tabs[1].run("await late");
    assert_eq!(tabs[1].run("return (await client.fetch('/orders')).status"), 401);
    assert_eq!(tabs[1].run("return [client.snapshot().status, ends.length]"), json!(["out", 1]));
    assert!(
        !browser.cookies().iter().any(|name| name == "__Host-refresh"),
        "nothing brings it back"
    );
    // And a login is heard as well.
    log_in(&tabs[0], "alice");
    tabs[1].until("client.snapshot().status === 'in'");
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_tokens_are_shared_by_tabs_and_gone_for_all_after_a_logout() {
    let Some(site) = Site::open().await else { return };
    let Some(browser) = Browser::open() else { return };
    let alice = site.user("alice").await;
    let tabs = [browser.tab(&Site::page(&site.app)), browser.tab(&Site::page(&site.app))];
    let tabs = [&tabs[0], &tabs[1]];
    for tab in tabs {
        site.client_with(tab, json!({ "mode": "bearer", "stored": true }));
    }
    log_in(tabs[0], "alice");
    assert_eq!(tabs[1].run("return (await client.me()).user.id"), alice);
    let calls = "const all = await Promise.all(Array.from({ length: 10 }, () => client.me()));
                 return all.length";
    for _ in 0..3 {
        site.clock.advance(QUARTER);
        assert_eq!(browser.together(&tabs, calls), [json!(10), json!(10)]);
        assert_eq!(refreshes(&tabs), 1);
    }
    assert_eq!(site.live_sessions(alice).await, 1);
    tabs[1].run("await client.logout()");
    tabs[0].until("ends.length === 1");
    assert_eq!(tabs[0].run("return [ends[0].by, localStorage.length]"), json!(["tab", 0]));
    assert_eq!(tabs[0].fault("await client.me()")["status"], 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_in_memory_are_each_tabs_own() {
    let Some(site) = Site::open().await else { return };
    let Some(browser) = Browser::open() else { return };
    site.user("alice").await;
    let tabs = [browser.tab(&Site::page(&site.app)), browser.tab(&Site::page(&site.app))];
    for tab in &tabs {
        site.client_with(tab, json!({ "mode": "bearer" }));
        log_in(tab, "alice");
    }
    tabs[0].run("await client.logout()");
    assert_eq!(tabs[1].run("return (await client.me()).user.first_name"), "alice");
    assert_eq!(tabs[1].run("return ends.length"), 0);
    assert_eq!(tabs[1].reload(), 200);
    site.client_with(&tabs[1], json!({ "mode": "bearer" }));
    assert_eq!(tabs[1].fault("await client.me()")["status"], 401);
}
