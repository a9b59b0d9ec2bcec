//! Stores and connections that are away for a while: nobody is logged out, and pages go on by themselves.

use portcullis_tests::Database;
use serde_json::json;

use crate::chromium::Browser;
use crate::site::Site;
use crate::users::{QUARTER, page_of_alice};

const STATE: &str = "return [client.snapshot().status, ends.length]";

/// Tries until it is let in, as long as the service asks to wait, and tells how often it was not.
const PATIENTLY: &str = "
    for (let tries = 0; ; tries += 1) {
        const answer = await client.fetch('/orders').catch(() => undefined);
        if (answer?.ok) return tries;
        if (answer && answer.status !== 503) throw new Error(`${answer.status}`);
        const wait = Number(answer?.headers.get('retry-after') ?? 1);
        await new Promise((done) => setTimeout(done, wait * 1000));
    }";

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_mysql_logs_nobody_out() {
    let mut database = Database::start();
    let Some(site) = Site::on(&database.fresh_database("outage"), |_| ()).await else { return };
    let Some(browser) = Browser::open() else { return };
    let tab = page_of_alice(&site, &browser, &site.www).await;
    database.stop();
    site.clock.advance(QUARTER);
    let answer = "const answer = await client.fetch('/orders');
                  return [answer.status, answer.headers.get('retry-after')]";
    assert_eq!(tab.run(answer), json!([503, "2"]));
    let fault = tab.run(
        "try { await client.me() } catch (fault) { return [fault.code, fault.retryAfter > 0] }",
    );
    assert_eq!(fault, json!(["unavailable", true]));
    assert_eq!(tab.fault("await client.logout()")["status"], 503, "an outage is no logout either");
    assert_eq!(tab.run(STATE), json!(["in", 0]));
    database.start_again();
    tab.run(PATIENTLY);
    assert_eq!(tab.run(STATE), json!(["in", 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_redis_logs_nobody_out() {
    let Some(mut site) = Site::open().await else { return };
    let Some(browser) = Browser::open() else { return };
    let tab = page_of_alice(&site, &browser, &site.www).await;
    site.auth.redis.kill();
    // Whatever the service can say without Redis, it is not that the session is over.
    assert!(
        [200, 503]
            .contains(&tab.run("return (await client.fetch('/orders')).status").as_u64().unwrap())
    );
    site.clock.advance(QUARTER);
    assert!(
        [200, 503]
            .contains(&tab.run("return (await client.fetch('/orders')).status").as_u64().unwrap())
    );
    assert_eq!(tab.run(STATE), json!(["in", 0]));
    site.auth.redis.start_again();
    tab.run(PATIENTLY);
    assert_eq!(tab.run(STATE), json!(["in", 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_logs_nobody_out() {
    let Some(site) = Site::open().await else { return };
    let Some(browser) = Browser::open() else { return };
    let tab = page_of_alice(&site, &browser, &site.www).await;
    site.clock.advance(QUARTER);
    browser.offline(true);
    assert_eq!(tab.fault("await client.me()")["code"], "network");
    assert_eq!(tab.fault("await client.fetch('/orders')")["name"], "TypeError", "as fetch does");
    browser.offline(false);
    assert_eq!(tab.run("return (await client.fetch('/orders')).status"), 200);
    assert_eq!(tab.run(STATE), json!(["in", 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_down_behind_nginx_logs_nobody_out() {
    let Some(site) = Site::open().await else { return };
    let Some(browser) = Browser::open() else { return };
    let tab = page_of_alice(&site, &browser, &site.www).await;
    site.auth.app.shut_down().await;
    let fault = tab.fault("await client.me()");
    assert_eq!(fault["code"], "http_502", "{fault}");
    assert_eq!(tab.run(STATE), json!(["in", 0]));
}
