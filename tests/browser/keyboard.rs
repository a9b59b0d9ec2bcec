//! The pages by somebody who has a keyboard only: everything is reached with Tab, what has the focus is
//! always seen, and nothing holds it.

use portcullis_tests::PASSWORD;
use serde_json::json;

use crate::chromium::{Browser, Tab};
use crate::pages::site;

const FOCUSED: &str = "return document.activeElement.id";

/// A window as small as that of a magnified page: what has the focus has to be brought into it.
fn window() -> serde_json::Value {
    json!({ "viewport": { "width": 640, "height": 400 }, "reducedMotion": "reduce" })
}

/// From the form of the login page to the sessions.
fn log_in(tab: &Tab<'_>, name: &str) {
    tab.walk_to("#email");
    tab.press(&[&format!("{name}@example.com"), "\t", PASSWORD, "\n"]);
    tab.is_at("/account/sessions$");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_needs_nothing_but_a_keyboard() {
    let Some(site) = site().await else { return };
    let Some(browser) = Browser::with(&window()) else { return };
    let tab = browser.tab(&format!("{}/account/login", site.www));
    // What is first leads past what is the same on every page.
    tab.keys(&["Tab"]);
    assert_eq!(tab.run("return document.activeElement.className"), "skip");
    tab.keys(&["Enter"]);
    assert_eq!(tab.run(FOCUSED), "main");

    // What is wrong has the focus, and leads to the field.
    tab.walk_to("#email");
    tab.press(&["alice@example.com", "\t", "not her password at all", "\n"]);
    tab.until("document.activeElement.id === 'problem'");
    assert_eq!(tab.run("return document.querySelector('#email').value"), "alice@example.com");
    tab.walk_to("#password");
    tab.press(&[PASSWORD]);
    // The button that shows what was typed is one as well.
    tab.keys(&["Tab", "Space"]);
    assert_eq!(tab.run("return document.querySelector('#password').type"), "text");
    tab.walk_to("button[name=login]");
    tab.keys(&["Enter"]);
    tab.is_at("/account/sessions$");

    // The other session ends, and the focus is not lost with it.
    let other = site.logged_in("alice").await;
    tab.until("document.querySelectorAll('li[data-session]').length === 2");
    tab.walk_to("li:not([data-current]) button[name=end]");
    tab.keys(&["Space"]);
    tab.until("document.querySelector('#notice')?.dataset.code === 'ended_one'");
    assert!(!site.is_good(&other.access).await);

    // A profile with a fault in it: the summary's link leads to its field.
    tab.walk_to("[data-nav=profile]");
    tab.keys(&["Enter"]);
    tab.is_at("/account/profile$");
    tab.walk_to("#email-form #email");
    tab.press(&["alice@example.com", "\n"]);
    tab.until("document.activeElement.id === 'problem'");
    tab.walk_to("#problem a");
    tab.keys(&["Enter"]);
    assert_eq!(tab.run(FOCUSED), "email");
    // A box is ticked with the space bar, and unticked again; Escape does nothing.
    tab.walk_to("#confirm");
    tab.keys(&["Space", "Escape"]);
    assert_eq!(tab.run("return document.querySelector('#confirm').checked"), true);
    tab.keys(&["Space"]);
    tab.walk_to("[lang=de]");
    tab.keys(&["Enter"]);
    tab.until("document.documentElement.lang === 'de'");
    tab.walk_to("#logout button");
    tab.keys(&["Enter"]);
    tab.until("document.querySelector('#notice')?.dataset.code === 'logged_out'");
    assert_eq!(tab.faults(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_needs_nothing_but_a_keyboard() {
    let Some(site) = site().await else { return };
    let Some(browser) = Browser::with(&window()) else { return };
    site.admin("root").await;
    let alice = site.logged_in("alice").await;
    let tab = browser.tab(&format!("{}/account/login", site.www));
    log_in(&tab, "root");
    tab.walk_to("[data-nav=admin]");
    tab.keys(&["Enter"]);
    tab.is_at("/account/admin$");
    // Numbers that a chart draws stand in a table, which opens by keyboard.
    tab.walk_to("summary");
    tab.keys(&["Enter"]);
    assert_eq!(tab.run("return document.activeElement.parentElement.open"), true);
    tab.walk_to("#confirm");
    tab.walk_to("body");
    tab.walk_to("main a[href$=users]");
    tab.keys(&["Enter"]);
    tab.is_at("/account/admin/users$");
    tab.walk_to("#search-text");
    tab.press(&["lic", "\n"]);
    tab.is_at("search=lic");
    // A table that is wider than the window is scrolled by keyboard.
    tab.walk_to(".scroll");
    tab.walk_to("tr[data-user] a");
    tab.keys(&["Enter"]);
    tab.is_at("/account/admin/users/[0-9]+$");
    tab.walk_to("#log-out button");
    tab.keys(&["Enter"]);
    tab.until("document.querySelector('#notice')?.dataset.code === 'admin_done'");
    assert!(!site.is_good(&alice.access).await);
    tab.walk_to("#role-choice");
    tab.keys(&["ArrowDown"]);
    tab.walk_to("#role button");
    tab.keys(&["Space"]);
    tab.until("document.querySelector('.role')?.textContent === 'Administrator'");
    assert_eq!(tab.faults(), json!([]));
}

/// Tab leads out of every page again, forwards and backwards.
#[tokio::test(flavor = "multi_thread")]
async fn no_page_holds_the_focus() {
    let Some(site) = site().await else { return };
    let Some(browser) = Browser::with(&window()) else { return };
    site.admin("root").await;
    let user = format!("admin/users/{}", site.user("alice").await);
    let tab = browser.tab(&format!("{}/account/login", site.www));
    tab.walk_to("body");
    log_in(&tab, "root");
    for path in ["sessions", "password", "profile", "admin", "admin/users", &user, "admin/audit"] {
        tab.go(&format!("{}/account/{path}", site.www));
        tab.walk_to("footer li:last-child a");
        tab.walk_to("body");
        tab.keys(&["Shift+Tab", "Shift+Tab"]);
        let back = "return document.activeElement.closest('footer') !== null";
        assert_eq!(tab.run(back), true, "{path}");
    }
}
