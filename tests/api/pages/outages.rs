//! While a store is away, a page says what to do, and it is a page.

use std::time::Duration;

use portcullis_tests::{Database, Redis, Service};

use super::{Browser, service};

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_pages_go_on() {
    let mut auth = service().await;
    {
        let mut browser = Browser::of(&auth, "alice").await;
        browser.open("/account/sessions").await.must_be(200);
    }
    auth.redis.kill();
    let mut browser = Browser::of(&auth, "alice").await;
    let page = browser.open("/account/sessions").await.must_be(200);
    let ended = browser.send(&page, "end-others", &[("others", "1")]).await;
    let page = browser.follow(&ended).await.must_be(200).must_say("data-code=\"pending\"");
    assert_eq!(page.path, "/account/sessions?done=ended_others&pending=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_mysql_a_page_says_when_to_try_again() {
    let database = Database::start();
    let auth = Service::on(Redis::start(), &database.fresh_database("pages"), |settings| {
        settings.stores.db_deadline = Duration::from_millis(500);
    })
    .await;
    let mut browser = Browser::of(&auth, "alice").await;
    let login = {
        let mut stranger = Browser::new(&auth);
        (stranger.open("/account/login").await.must_be(200), stranger.cookies)
    };
    let profile = browser.open("/account/profile").await.must_be(200);
    drop(database);
    browser.open("/account/profile").await.must_be(503);
    // Its access token has died, and the next one is not to be had now.
    auth.clock.advance(Duration::from_mins(16));
    let shown = browser.open("/account/login?return_to=/account/profile").await.must_be(503);
    assert!(
        !shown.text().contains("type=\"password\""),
        "nobody is asked to log in again: {shown:?}"
    );
    for path in ["/account/sessions", "/account/password", "/account/profile", "/account/admin"] {
        let page = browser.open(path).await.must_be(503);
        let seconds: u64 = page.answer.header("retry-after").parse().unwrap();
        assert!(page.text().contains(&format!("Try again in {seconds} seconds.")), "{page:?}");
        assert!(page.text().contains("data-code=\"unavailable\""), "{page:?}");
        assert!(
            page.text().contains(&format!("href=\"{}\"", path.replace('/', "&#x2f;"))),
            "{page:?}"
        );
        assert!(
            browser.cookies.contains_key("__Host-refresh"),
            "nobody is logged out by an outage"
        );
    }
    let names = [("first_name", "A"), ("last_name", "B"), ("locale", "en")];
    browser.send(&profile, "names", &names).await.must_be(503);
    let mut stranger = Browser::new(&auth);
    stranger.cookies = login.1;
    let given = [("email", "alice@example.com"), ("password", "a password of somebody")];
    let page = stranger.send(&login.0, "login", &given).await.must_be(503);
    assert!(
        page.text().contains("value=\"alice@example.com\""),
        "the form is there again: {page:?}"
    );
    assert!(page.text().contains("data-retry-after=\""), "{page:?}");
}
