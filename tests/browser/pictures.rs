//! The pictures in the README: pages as they are, with somebody's sessions and a day's logins. `make
//! pictures` makes them anew.

use std::fs;

use portcullis_tests::{PASSWORD, send, target};
use reqwest::Method;
use serde_json::json;

use crate::chromium::{Browser, Tab};
use crate::pages::log_in;
use crate::site::Site;

/// Where Ada has logged in, oldest first.
const DEVICES: [(&str, &str); 2] = [
    (
        "203.0.113.7",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
         Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    ),
    (
        "198.51.100.24",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0",
    ),
];
/// What a picture may weigh.
const MOST_BYTES: u64 = 60_000;

async fn site() -> Option<Site> {
    let site = Site::with(|settings| {
        settings.accounts.frontend_url.clear();
        "Example Shop".clone_into(&mut settings.server.app_name);
    })
    .await?;
    let ada = site.user("ada").await;
    let named =
        "update users set first_name = 'Ada', last_name = 'Lovelace', role = 'admin' where id = ?";
    sqlx::query(named).bind(ada).execute(site.db()).await.unwrap();
    for (address, agent) in DEVICES {
        let body = json!({ "email": "ada@example.com", "password": PASSWORD });
        let login =
            site.request(Method::POST, "/login-enhanced").header("x-forwarded-for", address);
        send(login.header("user-agent", agent).json(&body)).await.must_be(200);
    }
    Some(site)
}

/// Logins of a day: few at night, most in the morning.
async fn a_days_logins(site: &Site) {
    const SUCCEEDED: [u32; 24] =
        [3, 2, 1, 1, 2, 5, 12, 24, 38, 41, 36, 30, 27, 29, 33, 31, 28, 24, 21, 19, 16, 12, 8, 5];
    for (hours_ago, count) in (1..).zip(SUCCEEDED.iter().rev()) {
        for number in 0..*count {
            let event = if number % 12 == 7 { "authn_login_fail" } else { "authn_login_success" };
            let insert = "insert into audit_events (at, event, detail)
                          values (? - interval ? hour, ?, '{}')";
            let insert = sqlx::query(insert).bind(site.clock.now()).bind(hours_ago).bind(event);
            insert.execute(site.db()).await.unwrap();
        }
    }
}

fn taken(tab: &Tab<'_>, name: &str) {
    assert_eq!(tab.faults(), json!([]), "{name}");
    tab.shot(&format!("readme/{name}.webp"));
    let file = target().join(format!("screenshots/readme/{name}.webp"));
    let bytes = fs::metadata(&file).expect("it was written").len();
    assert!(bytes <= MOST_BYTES, "{name} has {bytes} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pictures_of_the_readme_are_taken_and_small() {
    let Some(site) = site().await else { return };
    a_days_logins(&site).await;
    let window = |width: u32, height: u32| json!({ "width": width, "height": height });
    let phone = json!({ "viewport": window(360, 640), "locale": "en", "colorScheme": "dark" });
    let desk = json!({ "viewport": window(800, 500), "locale": "en", "colorScheme": "light" });
    let (Some(phone), Some(desk)) = (Browser::with(&phone), Browser::with(&desk)) else { return };
    taken(&phone.tab(&format!("{}/account/login", site.www)), "login");
    let tab = desk.tab(&format!("{}/account/login", site.www));
    log_in(&tab, "ada", PASSWORD);
    tab.is_at("/account/sessions$");
    taken(&tab, "sessions");
    tab.go(&format!("{}/account/admin", site.www));
    taken(&tab, "admin");
}
