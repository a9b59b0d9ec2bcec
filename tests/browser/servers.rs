//! The samples of the guide that are for servers and apps, in Node.js.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use portcullis_tests::{Answer, PASSWORD, Service, send};
use reqwest::Client;
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use crate::guide::{beside_the_package, script};
use crate::users::QUARTER;

const ORIGIN: &str = "https://app.example.com";

/// The server of the guide, which ends with its input.
struct Pages {
    child: Child,
    url: String,
    http: Client,
}

impl Pages {
    fn start(auth: &Service) -> Option<Self> {
        let runner = script(
            "serve.mjs",
            "import { app } from './server.js';
             process.stdin.on('end', () => process.exit()).resume();
             const listening = app.listen(0, '127.0.0.1', () => console.log(listening.address().port));",
        )?;
        let (package, _) = beside_the_package()?;
        let mut child = package
            .command()
            .arg(runner)
            .env("PORTCULLIS", &auth.url)
            .env("ORIGIN", ORIGIN)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let mut lines = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
        let port = lines.next().expect("it says its port").expect("as text");
        let http = Client::builder().redirect(Policy::none()).build().expect("it needs nothing");
        Some(Self { child, url: format!("http://127.0.0.1:{port}/"), http })
    }

    async fn visit(&self, cookies: &str) -> Answer {
        send(self.http.get(&self.url).header("cookie", cookies)).await
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The cookies that an answer sets, as they are sent back; those that it ends are left out.
fn kept(answer: &Answer) -> String {
    let lines = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    let live = lines.filter(|line| !line.contains("Max-Age=0"));
    live.filter_map(|line| line.split(';').next()).collect::<Vec<_>>().join("; ")
}

async fn service() -> Service {
    Service::with(|settings| {
        settings.server.cors_origins = ORIGIN.parse().unwrap();
        settings.server.trusted_proxies = "127.0.0.1".parse().unwrap();
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_server_knows_who_asks_and_renews_their_cookies() {
    let auth = service().await;
    let Some(pages) = Pages::start(&auth) else { return };
    let alice = auth.user("alice").await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD, "mode": "cookie" });
    let cookies = kept(&auth.post("/login-enhanced", body).await.must_be(200));
    let hello = format!("<h1>Hello {alice}</h1>");

    let shown = pages.visit(&cookies).await.must_be(200);
    assert_eq!((shown.text.as_str(), shown.header("cache-control")), (hello.as_str(), "no-store"));
    assert!(!shown.headers.contains_key("set-cookie"));
    assert_eq!(pages.visit("a=b").await.must_be(303).header("location"), "/login?return_to=/");

    auth.clock.advance(QUARTER);
    let together: Vec<_> =
        futures_util::future::join_all((0..8).map(|_| pages.visit(&cookies))).await;
    for shown in &together {
        assert_eq!((shown.status.as_u16(), &shown.text), (200, &hello));
        assert_eq!(kept(shown).matches("__Host-").count(), 3, "{shown:?}");
    }
    assert_eq!(auth.live_sessions(alice).await, 1);
    let cookies = kept(&together[0]);
    // By a link from another site a browser sends the access cookie alone.
    auth.clock.advance(QUARTER);
    let access = cookies.split("; ").find(|it| it.starts_with("__Host-access")).unwrap();
    pages.visit(access).await.must_be(303);
    assert_eq!(pages.visit(&cookies).await.must_be(200).text, hello);

    auth.app.store.pool.close().await;
    auth.clock.advance(QUARTER);
    let outage = pages.visit(&cookies).await.must_be(503);
    assert_eq!((outage.header("retry-after"), kept(&outage).as_str()), ("2", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_server_hands_on_that_a_session_is_over() {
    let auth = service().await;
    let Some(pages) = Pages::start(&auth) else { return };
    auth.user("alice").await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD, "mode": "cookie" });
    let cookies = kept(&auth.post("/login-enhanced", body).await.must_be(200));
    let other = auth.logged_in("alice").await;
    auth.post_as(&other.access, "/logout-all-devices", json!({})).await.must_be(200);
    let over = pages.visit(&cookies).await.must_be(303);
    let ended = over.headers.get_all("set-cookie").iter().filter(|line| {
        line.to_str()
            .is_ok_and(|line| line.starts_with("__Host-refresh=;") && line.contains("Max-Age=0"))
    });
    assert_eq!(ended.count(), 1, "{over:?}");
}

/// An app with a keychain, started anew for each thing that its user does.
fn app(auth: &Service, deed: &str) -> Option<Value> {
    let runner = script(
        "app.mjs",
        "import { readFileSync, writeFileSync } from 'node:fs';
         import { open } from './app.js';
         const file = process.env.KEYCHAIN;
         const read = () => { try { return JSON.parse(readFileSync(file)); } catch { return {}; } };
         const write = (items) => writeFileSync(file, JSON.stringify(items), { mode: 0o600 });
         const named = (key) => { if (!/^[\\w.-]+$/.test(key)) throw new Error(key); return key; };
         const secrets = {
           getItemAsync: async (key) => read()[named(key)] ?? null,
           setItemAsync: async (key, value) => write({ ...read(), [named(key)]: value }),
           deleteItemAsync: async (key) => { const { [named(key)]: gone, ...rest } = read(); write(rest); },
         };
         const ends = [];
         const client = open(process.env.BASE, secrets, (why) => ends.push(why));
         const deed = new (Object.getPrototypeOf(async () => {}).constructor)('client', process.env.DEED);
         const told = await deed(client).catch(({ code, status }) => ({ code, status }));
         await new Promise((done) => setTimeout(done));
         console.log(JSON.stringify({ told: told ?? null, ends, kept: Object.keys(read()).length }));",
    )?;
    let (package, folder) = beside_the_package()?;
    let output = package
        .command()
        .arg(runner)
        .env("BASE", &auth.url)
        .env("DEED", deed)
        .env("KEYCHAIN", folder.join(format!("keychain {}", auth.url.rsplit(':').next().unwrap())))
        .output()
        .expect("node runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    Some(serde_json::from_slice(&output.stdout).expect("it tells JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_app_stays_logged_in_until_its_user_or_the_service_says_otherwise() {
    let auth = Service::start().await;
    let alice = auth.user("alice").await;
    let login = format!(
        "const {{ user, tokens, session }} = await client.login({{ email: 'alice@example.com', \
         password: '{PASSWORD}' }}); return [user.id, tokens.access.expires_in, tokens.refresh.expires_in, \
         session.device_info.ip]"
    );
    let Some(told) = app(&auth, &login) else { return };
    assert_eq!(told["told"], json!([alice, 900, 2_592_000, "127.0.0.1"]));
    let me = "return (await client.me()).user.id";
    for days in [0, 1, 6] {
        auth.clock.advance(Duration::from_hours(24 * days));
        assert_eq!(app(&auth, me).unwrap(), json!({ "told": alice, "ends": [], "kept": 1 }));
    }
    auth.clock.advance(Duration::from_hours(24 * 8));
    let told = app(&auth, me).unwrap();
    assert_eq!((&told["told"]["status"], &told["ends"][0]["by"]), (&json!(401), &json!("idle")));
    assert_eq!(told["kept"], 0, "nothing dead is left in the keychain");
    app(&auth, &login).unwrap();
    let told = app(&auth, "await client.logout({ everywhere: true })").unwrap();
    assert_eq!((&told["ends"][0]["by"], &told["kept"]), (&json!("user"), &json!(0)));
    assert_eq!(auth.live_sessions(alice).await, 0);
}
