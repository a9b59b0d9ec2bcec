//! The client for pages, `api/browser`, as a page of Node.js whose jar and cookies are the test's.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use portcullis_tests::{PASSWORD, Service, browser_package};
use serde_json::{Value, json};

use crate::site::own;

/// A browser's jar and page around the client; each line says what to call and how often.
const DRIVER: &str = "
const base = process.env.BASE;
const jar = new Map();
let sent = [], ends = [], origin = base, readable = true;
globalThis.location = { href: `${base}/shop`, origin: base };
globalThis.document = {
  baseURI: `${base}/shop`,
  get cookie() { return readable ? `a=b; __Host-csrf=${jar.get('__Host-csrf') ?? ''}; c=d` : 'a=b'; },
};
globalThis.addEventListener = globalThis.removeEventListener = () => {};
const { createInterface } = await import('node:readline');
const { createClient } = await import('@portcullis/browser');
async function browser(url, options = {}) {
  const headers = new Headers(options.headers);
  headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '));
  headers.set('origin', origin);
  const answer = await fetch(url, { ...options, headers });
  for (const line of answer.headers.getSetCookie()) {
    const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
    if (line.includes('Max-Age=0')) jar.delete(name); else jar.set(name, value);
  }
  sent.push(`${url.replace(base + '/api/v1/auth', '')} ${answer.status}`);
  return answer;
}
const login = () => browser(`${base}/api/v1/auth/login-enhanced`, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ email: 'alice@example.com', password: process.env.SECRET, mode: 'cookie' }),
});
let client;
const open = () => {
  client?.close();
  const onLoggedOut = ({ reason }) => ends.push(reason ?? null);
  client = createClient({ base, mode: 'cookie', onLoggedOut, fetch: browser });
};
open();
await client.login({ email: 'alice@example.com', password: process.env.SECRET });
console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line);
  sent = []; ends = []; origin = told.origin ?? base; readable = told.readable ?? true;
  if (told.login) await login();
  if (told.reload) open();
  sent = [];
  const body = told.body && JSON.stringify(told.body);
  const options = { method: told.method ?? 'GET', headers: { 'Content-Type': 'application/json' }, body };
  const calls = Array.from({ length: told.times ?? 1 }, () =>
    client.fetch(`/api/v1/auth${told.path}`, options)
      .then((answer) => answer.status, (error) => error.message));
  const seen = [...new Set(await Promise.all(calls))];
  await new Promise((done) => setTimeout(done));
  console.log(JSON.stringify({ seen, sent, ends }));
}
process.exit();
";

/// A page in a browser of its own.
struct Page {
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Page {
    /// Opens the page and logs in.
    fn open(auth: &Service) -> Option<Self> {
        let package = browser_package()?;
        let mut child = package
            .command()
            .args(["--input-type=module", "--eval", DRIVER])
            .envs([("BASE", auth.url.as_str()), ("SECRET", PASSWORD)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let questions = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut page = Self { child, questions, answers };
        assert_eq!(page.answers.next().unwrap().unwrap(), "ready");
        Some(page)
    }

    /// Calls as told, and tells what was seen, what was sent for it, and why the page was told that
    /// the session is over.
    fn call(&mut self, told: &Value) -> Value {
        writeln!(self.questions, "{told}").unwrap();
        serde_json::from_str(&self.answers.next().unwrap().unwrap()).unwrap()
    }

    /// Ten calls at once: what they saw, how often a refresh was sent, how often the page was told
    /// that the session is over.
    fn burst(&mut self) -> Value {
        let told = self.call(&json!({ "path": "/me", "times": 10 }));
        let sent = told["sent"].as_array().unwrap().iter();
        let refreshes = sent.filter(|sent| sent.as_str().unwrap().starts_with("/refresh")).count();
        let ends = told["ends"].as_array().unwrap().len();
        json!({ "seen": told["seen"], "refreshes": refreshes, "ends": ends })
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_27_c_21_the_example_client_refreshes_once_retries_once_and_survives_an_outage() {
    let Some(auth) = own(|_| ()).await else { return };
    let user_id = auth.user("alice").await;
    let Some(mut page) = Page::open(&auth) else { return };
    assert_eq!(page.burst(), json!({ "seen": [200], "refreshes": 0, "ends": 0 }));

    auth.clock.advance(Duration::from_mins(16));
    assert_eq!(page.burst(), json!({ "seen": [200], "refreshes": 1, "ends": 0 }));
    assert_eq!(auth.live_sessions(user_id).await, 1);

    auth.app.store.pool.close().await;
    auth.clock.advance(Duration::from_mins(16));
    let seen = page.burst();
    assert_eq!((&seen["seen"], &seen["ends"]), (&json!([503]), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_27_the_example_client_ends_when_the_refresh_itself_is_refused() {
    let Some(auth) = own(|_| ()).await else { return };
    let alice = auth.logged_in("alice").await;
    let Some(mut page) = Page::open(&auth) else { return };
    auth.post_as(&alice.access, "/logout-all-devices", json!({})).await.must_be(200);
    assert_eq!(page.burst(), json!({ "seen": [401], "refreshes": 1, "ends": 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_33_the_example_client_repeats_only_what_a_new_token_can_mend() {
    let Some(auth) = own(|_| ()).await else { return };
    auth.user("alice").await;
    let Some(mut page) = Page::open(&auth) else { return };
    let passwords =
        json!({ "current_password": "not this one", "new_password": "quite another long one" });
    let change = json!({ "path": "/change-password", "method": "POST", "body": passwords });
    assert_eq!(page.call(&change)["sent"], json!(["/change-password 422"]));

    auth.clock.advance(Duration::from_mins(16));
    let sent = ["/change-password 401", "/refresh 200", "/change-password 401"];
    assert_eq!(page.call(&change)["sent"], json!(sent), "the login was too long ago");
    assert_eq!(page.call(&change)["sent"], json!(["/change-password 401"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_33_the_example_client_survives_a_login_in_another_tab() {
    let Some(auth) = own(|_| ()).await else { return };
    auth.user("alice").await;
    let Some(mut page) = Page::open(&auth) else { return };
    let elsewhere = json!({ "path": "/sessions", "method": "DELETE", "login": true });
    assert_eq!(page.call(&elsewhere)["sent"], json!(["/sessions 200"]));

    let unread =
        json!({ "path": "/sessions", "method": "DELETE", "login": true, "readable": false });
    assert_eq!(page.call(&unread)["sent"], json!(["/sessions 403", "/sessions 200"]));
    assert_eq!(page.call(&unread)["seen"], json!([200]));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_33_the_example_client_finds_its_way_back_after_a_reload_elsewhere_on_the_site() {
    let Some(auth) = own(|_| ()).await else { return };
    auth.user("alice").await;
    let Some(mut page) = Page::open(&auth) else { return };
    auth.clock.advance(Duration::from_mins(16));
    let reloaded =
        json!({ "path": "/logout", "method": "POST", "reload": true, "readable": false });
    let sent = ["/logout 403", "/logout 200"];
    let told = page.call(&reloaded);
    assert_eq!(told["sent"], json!(sent), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_33_the_example_client_takes_no_for_an_answer() {
    let Some(auth) = own(|_| ()).await else { return };
    auth.user("alice").await;
    let Some(mut page) = Page::open(&auth) else { return };
    let foreign =
        json!({ "path": "/sessions", "method": "DELETE", "origin": "https://evil.example" });
    for _ in 0..2 {
        let told = page.call(&foreign);
        assert_eq!(
            told["sent"],
            json!(["/sessions 403", "/me 200"]),
            "and the token was the right one"
        );
    }
    assert_eq!(page.call(&json!({ "path": "/me" }))["seen"], json!([200]));
}
