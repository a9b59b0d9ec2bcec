//! The client that `api/docs/clients.md` shows, run as it stands there.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use portcullis_tests::{Directory, PASSWORD, Service, find_program, workspace};
use serde_json::{Value, json};

use crate::site::{own, skip};

/// A browser's jar and page around the client; each line is a burst of ten calls.
const DRIVER: &str = "
import { createInterface } from 'node:readline';
const base = process.env.BASE;
const jar = new Map();
let refreshes = 0, ends = 0;
async function browser(url, options) {
  if (url.endsWith('/refresh')) refreshes += 1;
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  const headers = { ...options.headers, cookie, origin: base };
  const answer = await fetch(url, { ...options, headers });
  for (const line of answer.headers.getSetCookie()) {
    const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
    if (line.includes('Max-Age=0')) jar.delete(name); else jar.set(name, value);
  }
  return answer;
}
const login = await browser(`${base}/api/v1/auth/login-enhanced`, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ email: 'alice@example.com', password: process.env.SECRET, mode: 'cookie' }),
});
const csrf = (await login.json()).data.tokens.csrf_token;
const call = portcullis({ base, csrf, loggedOut: () => { ends += 1; }, fetch: browser });
console.log('ready');
for await (const _ of createInterface({ input: process.stdin })) {
  const calls = Array.from({ length: 10 }, () =>
    call('/api/v1/auth/me').then((answer) => answer.status, (error) => error.message));
  const seen = [...new Set(await Promise.all(calls))];
  console.log(JSON.stringify({ seen, refreshes, ends }));
  refreshes = 0;
}
";

/// A page in a browser of its own.
struct Page {
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _directory: Directory,
}

impl Page {
    /// Opens the page and logs in.
    fn open(auth: &Service) -> Option<Self> {
        let node = find_program("node")?;
        let shown = fs::read_to_string(workspace().join("api/docs/clients.md")).unwrap();
        let shown = shown.split("```js page\n").nth(1).and_then(|rest| rest.split("```").next());
        let directory = Directory::new();
        let file = directory.path().join("page.mjs");
        fs::write(&file, shown.unwrap().to_owned() + DRIVER).unwrap();
        let mut child = Command::new(node)
            .arg(file)
            .envs([("BASE", auth.url.as_str()), ("SECRET", PASSWORD)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let questions = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut page = Self { child, questions, answers, _directory: directory };
        assert_eq!(page.answers.next().unwrap().unwrap(), "ready");
        Some(page)
    }

    /// Ten calls at once: what they saw, how often a refresh was sent, how often the page was told
    /// that the session is over.
    fn burst(&mut self) -> Value {
        writeln!(self.questions).unwrap();
        serde_json::from_str(&self.answers.next().unwrap().unwrap()).unwrap()
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
    let Some(mut page) = Page::open(&auth) else { return skip("node is not installed here") };
    assert_eq!(page.burst(), json!({ "seen": [200], "refreshes": 0, "ends": 0 }));

    auth.clock.advance(Duration::from_mins(16));
    assert_eq!(page.burst(), json!({ "seen": [200], "refreshes": 1, "ends": 0 }));
    assert_eq!(auth.live_sessions(user_id).await, 1);

    auth.app.store.pool.close().await;
    auth.clock.advance(Duration::from_mins(16));
    let seen = page.burst();
    assert_eq!((&seen["seen"], &seen["ends"]), (&json!(["no new token: 503"]), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_27_the_example_client_ends_when_the_refresh_itself_is_refused() {
    let Some(auth) = own(|_| ()).await else { return };
    let alice = auth.logged_in("alice").await;
    let Some(mut page) = Page::open(&auth) else { return skip("node is not installed here") };
    auth.post_as(&alice.access, "/logout-all-devices", json!({})).await.must_be(200);
    assert_eq!(page.burst(), json!({ "seen": ["no new token: 401"], "refreshes": 1, "ends": 1 }));
}
