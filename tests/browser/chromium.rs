//! A real Chromium, one for all tests of this program, and the tabs of a test in it.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use portcullis_tests::{Directory, NodePart, find_program, skipped, tell};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::certificate::CERTIFICATE;

/// Longer than the driver waits for anything itself.
const PATIENCE: Duration = Duration::from_secs(150);

type Waiting = Arc<Mutex<HashMap<u64, Sender<Value>>>>;

/// The driver, which ends when this process does, because its input does.
struct Driver {
    orders: Mutex<ChildStdin>,
    waiting: Waiting,
    next: AtomicU64,
    _part: NodePart,
    _temporary: Directory,
}

static DRIVER: LazyLock<Option<Driver>> = LazyLock::new(Driver::start);

impl Driver {
    fn start() -> Option<Self> {
        let Some(chromium) = find_program("chromium") else {
            skipped("Chromium");
            return None;
        };
        let part = NodePart::copy_of("tests/browser")?;
        let temporary = Directory::new();
        let mut child = part
            .command()
            .arg("driver.mjs")
            .env("CHROMIUM", chromium)
            .env("CERTIFICATE", &CERTIFICATE.pin)
            .env("TMPDIR", temporary.path())
            .env("HOME", temporary.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let orders = Mutex::new(child.stdin.take().expect("its input is a pipe"));
        let lines = BufReader::new(child.stdout.take().expect("its output is a pipe")).lines();
        let waiting = Waiting::default();
        let (sender, started) = channel();
        waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(0, sender);
        let asked = waiting.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let told: Value = serde_json::from_str(&line).expect("it tells JSON");
                let id = told["id"].as_u64().unwrap_or_default();
                let sender = asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                sender.map(|sender| sender.send(told));
            }
            // Whoever still waits hears that there is nobody.
            asked.lock().unwrap_or_else(PoisonError::into_inner).clear();
            drop(child.wait());
        });
        let version = started.recv_timeout(PATIENCE).expect("Chromium starts: see above");
        tell(&format!("Chromium {}", version["value"]));
        Some(Self { orders, waiting, next: AtomicU64::new(1), _part: part, _temporary: temporary })
    }

    fn order(&self, order: &str, mut details: Value) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        (details["id"], details["order"]) = (json!(id), json!(order));
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(orders, "{details}").expect("the driver reads");
        drop(orders);
        let told = block_in_place(|| answer.recv_timeout(PATIENCE));
        let told = told.unwrap_or_else(|fault| panic!("{details}: {fault}"));
        assert!(
            told["fault"].is_null(),
            "{details}\n{}",
            told["fault"].as_str().unwrap_or_default()
        );
        told["value"].clone()
    }
}

/// A browser of a test's own: cookies, storage and tabs that no other test sees.
pub(crate) struct Browser {
    driver: &'static Driver,
    name: String,
}

/// A tab of it.
pub(crate) struct Tab<'a> {
    browser: &'a Browser,
    name: String,
}

impl Browser {
    /// A fresh one; none where there is no Chromium, which is said.
    pub(crate) fn open() -> Option<Self> {
        Self::with(&json!({}))
    }

    /// The same with what Playwright calls options of a context.
    pub(crate) fn with(options: &Value) -> Option<Self> {
        let Some(driver) = DRIVER.as_ref() else {
            skipped("Chromium, Node.js 20 and what tests/browser asks for");
            return None;
        };
        let browser = Self { driver, name: fresh("browser") };
        browser.order("profile", json!({ "name": browser.name, "options": options }));
        Some(browser)
    }

    pub(crate) fn tab(&self, url: &str) -> Tab<'_> {
        let tab = Tab { browser: self, name: fresh("tab") };
        self.order("open", json!({ "profile": self.name, "tab": tab.name, "url": url }));
        tab
    }

    /// The names of its cookies.
    pub(crate) fn cookies(&self) -> Vec<String> {
        let cookies = self.order("cookies", json!({ "profile": self.name }));
        let names = cookies.as_array().expect("a list").iter();
        names.map(|cookie| cookie["name"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The browser drops a cookie, as it does when its time has come.
    pub(crate) fn forget(&self, cookie: &str) {
        self.order("forget", json!({ "profile": self.name, "cookie": cookie }));
    }

    pub(crate) fn offline(&self, is_offline: bool) {
        self.order("offline", json!({ "profile": self.name, "isOffline": is_offline }));
    }

    /// Runs a script in several tabs at once.
    pub(crate) fn together(&self, tabs: &[&Tab<'_>], script: &str) -> Vec<Value> {
        let tabs: Vec<&str> = tabs.iter().map(|tab| tab.name.as_str()).collect();
        let told = self.order("together", json!({ "tabs": tabs, "script": script }));
        told.as_array().expect("one for each").iter().map(value).collect()
    }

    fn order(&self, order: &str, details: Value) -> Value {
        self.driver.order(order, details)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.order("leave", json!({ "profile": self.name }));
        }
    }
}

impl Tab<'_> {
    /// Runs a script, the body of an `async` function, and tells what it returns; it must not throw.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> Value {
        self.run_with(script, &Value::Null)
    }

    /// The same with a value that the script calls `given`.
    #[track_caller]
    pub(crate) fn run_with(&self, script: &str, given: &Value) -> Value {
        value(&self.ask("run", json!({ "script": script, "given": given })))
    }

    /// What a script throws.
    #[track_caller]
    pub(crate) fn fault(&self, script: &str) -> Value {
        let told = self.ask("run", json!({ "script": script }));
        assert!(!told["thrown"].is_null(), "nothing was thrown: {script}\n{told}");
        told["thrown"].clone()
    }

    /// Waits until an expression is true.
    pub(crate) fn until(&self, expression: &str) {
        self.ask("until", json!({ "script": expression }));
    }

    /// Waits until the address is like this regular expression.
    pub(crate) fn is_at(&self, url: &str) {
        self.ask("at", json!({ "url": url }));
    }

    pub(crate) fn go(&self, url: &str) -> u64 {
        self.ask("goto", json!({ "url": url })).as_u64().expect("a status")
    }

    pub(crate) fn reload(&self) -> u64 {
        self.ask("reload", json!({})).as_u64().expect("a status")
    }

    pub(crate) fn url(&self) -> String {
        self.ask("url", json!({})).as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn text(&self, selector: &str) -> String {
        self.ask("text", json!({ "selector": selector })).as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn count(&self, selector: &str) -> u64 {
        self.ask("count", json!({ "selector": selector })).as_u64().expect("a number")
    }

    pub(crate) fn fill(&self, selector: &str, text: &str) {
        self.ask("fill", json!({ "selector": selector, "text": text }));
    }

    /// Types text; a tab and a line feed are keys.
    pub(crate) fn press(&self, texts: &[&str]) {
        self.ask("type", json!({ "texts": texts }));
    }

    /// Presses keys by their names: `Tab`, `Enter`, `Space`, `Shift+Tab`.
    pub(crate) fn keys(&self, keys: &[&str]) {
        self.ask("keys", json!({ "keys": keys }));
    }

    /// Goes on with Tab to something, as people do; whatever has the focus on the way must be seen.
    pub(crate) fn walk_to(&self, selector: &str) {
        self.ask("walk", json!({ "selector": selector, "most": 80 }));
    }

    pub(crate) fn click(&self, selector: &str) {
        self.ask("click", json!({ "selector": selector }));
    }

    /// What was sent since the last time that this was asked: `POST /api/v1/auth/refresh 200`.
    pub(crate) fn sent(&self) -> Vec<String> {
        let sent = self.ask("sent", json!({}));
        let sent = sent.as_array().expect("a list").iter();
        sent.map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// How often this was sent since the last time that was asked.
    pub(crate) fn sent_to(&self, path: &str) -> usize {
        self.sent().iter().filter(|line| line.contains(path)).count()
    }

    /// Errors that nobody caught, and what the page's policy forbade.
    pub(crate) fn faults(&self) -> Value {
        self.ask("faults", json!({}))
    }

    /// From the next page on, time passes when it is told to.
    pub(crate) fn hold_clock(&self) {
        self.ask("clock", json!({}));
    }

    /// So much time passes at once, as for a machine that slept.
    pub(crate) fn sleep(&self, time: Duration) {
        self.ask(
            "forward",
            json!({ "ms": u64::try_from(time.as_millis()).expect("not for ever") }),
        );
    }

    /// Keeps a picture of it under `target/`, as PNG unless the name says otherwise.
    pub(crate) fn shot(&self, name: &str) {
        let file = if name.contains('.') { name.to_owned() } else { format!("{name}.png") };
        self.ask(
            "shot",
            json!({ "file": portcullis_tests::target().join("screenshots").join(file) }),
        );
    }

    /// What axe finds serious or worse.
    pub(crate) fn barriers(&self) -> Vec<Value> {
        let mut found = self.ask("axe", json!({})).as_array().cloned().expect("a list");
        found.retain(|one| one["impact"] == "serious" || one["impact"] == "critical");
        found
    }

    #[track_caller]
    fn ask(&self, order: &str, mut details: Value) -> Value {
        details["tab"] = json!(self.name);
        self.browser.order(order, details)
    }
}

#[track_caller]
fn value(told: &Value) -> Value {
    assert!(told["thrown"].is_null(), "the script threw {}", told["thrown"]);
    told["value"].clone()
}

fn fresh(kind: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{kind} {}", NEXT.fetch_add(1, Ordering::Relaxed))
}
