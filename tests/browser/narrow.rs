//! The pages on a phone and magnified: nothing runs out of the window, nothing is too small to be hit.

use portcullis_tests::PASSWORD;
use serde_json::{Value, json};

use crate::chromium::{Browser, Tab};
use crate::pages::{ADMIN, OPEN, OWN, log_in, site};

/// As long as an address without a place to break it may well be.
const LONG: &str = "a-customer-with-a-really-long-name-in-the-address-of-the-mailbox";

/// What is wider than the window, and what is smaller than WCAG 2.2 wants of what is hit (2.5.8): links
/// within a sentence may be.
const MEASURED: &str = "
    const { scrollWidth, clientWidth } = document.documentElement;
    const named = (it) => `${it.localName} ${it.id || it.name || it.textContent.trim().slice(0, 40)}`;
    const is_wide = (it) => it.getBoundingClientRect().right > clientWidth + 0.5;
    const wide = [...document.querySelectorAll('body *')].filter((it) => is_wide(it) && !it.closest('.scroll'));
    const targets = [...document.querySelectorAll('a, button, input:not([type=hidden]), select, summary')];
    const small = targets.filter((it) => {
        const { width, height } = it.getBoundingClientRect();
        const is_in_a_sentence = it.localName === 'a' && it.parentElement.localName === 'p'
            && it.parentElement.textContent.trim() !== it.textContent.trim();
        return !it.closest('.sr, .skip') && !is_in_a_sentence && (width < 24 || height < 24);
    });
    return { wide: scrollWidth > clientWidth ? wide.map(named) : [], small: small.map(named) };";

/// Words of a state that stand on more than one line: they are what one looks for.
const BROKEN: &str = "
    const broken = [];
    for (const cell of document.querySelectorAll('#health td')) {
        const text = cell.firstChild;
        for (const word of text.data.matchAll(/\\S+/g)) {
            const range = document.createRange();
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            if (range.getClientRects().length > 1) broken.push(word[0]);
        }
    }
    return { broken, cells: document.querySelectorAll('#health td').length };";

#[track_caller]
fn fits(tab: &Tab<'_>, what: &str) {
    assert_eq!(tab.run(MEASURED), json!({ "wide": [], "small": [] }), "{what}");
}

/// Every page in a window of this width, with text so much larger than usual.
async fn every_page(language: &str, scheme: &str, width: u32, text: u32) {
    let Some(site) = site().await else { return };
    let options = json!({
        "locale": language, "colorScheme": scheme, "viewport": { "width": width, "height": 640 },
    });
    let Some(browser) = Browser::with(&options) else { return };
    for name in [LONG, "root"] {
        site.admin(name).await;
    }
    let customer = site.logged_in(LONG).await.user_id;
    let names =
        "update users set first_name = 'Bartholomäus-Maximilian', last_name = ? where id = ?";
    let last_name = "Hubschrauberlandeplatzwächter-".repeat(3);
    sqlx::query(names).bind(last_name).bind(customer).execute(site.db()).await.unwrap();

    let tab = browser.tab(&format!("{}/account/login", site.www));
    let shown = |path: &str, name: &str| {
        tab.go(&format!("{}/account/{path}", site.www));
        tab.run_with(
            "document.documentElement.style.fontSize = given; \
             for (const it of document.querySelectorAll('details')) it.open = true",
            &Value::from(format!("{text}%")),
        );
        tab.shot(&format!("narrow-{width}-{text}-{name}-{language}-{scheme}"));
        fits(&tab, path);
        if path == "admin" {
            assert_eq!(tab.run(BROKEN), json!({ "broken": [], "cells": 5 }), "{language}, {width}");
        }
    };
    let picture = |path: &str| path.replace(['/', '?', '='], "-");
    for path in OPEN.into_iter().chain(["confirm-email?token=x", "nothing-of-ours"]) {
        shown(path, &picture(path));
    }
    tab.go(&format!("{}/account/register", site.www));
    tab.click("#register button[name=register]");
    tab.run("document.querySelector('#register').noValidate = true");
    tab.click("#register button[name=register]");
    tab.until("document.querySelector('#problem')");
    tab.shot(&format!("narrow-{width}-{text}-register-refused-{language}-{scheme}"));
    fits(&tab, "a form that was refused");
    tab.go(&format!("{}/account/login", site.www));
    log_in(&tab, LONG, PASSWORD);
    tab.is_at("/account/sessions$");
    let user = format!("admin/users/{customer}");
    for path in OWN.into_iter().chain(ADMIN).chain([user.as_str(), "profile?done=change_mailed"]) {
        shown(path, &if path == user { "admin-user".to_owned() } else { picture(path) });
    }
}

/// As wide as a phone that is held upright, and as a window of 1280 pixels that is magnified four times.
#[tokio::test(flavor = "multi_thread")]
async fn no_page_runs_out_of_a_window_of_320_pixels_in_german() {
    every_page("de", "light", 320, 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_runs_out_of_a_phones_window_with_text_twice_as_large() {
    every_page("en", "dark", 360, 200).await;
}
