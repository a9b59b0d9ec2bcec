//! The service that is judged: our own, or the one that `PORTCULLIS_URL` names.
//!
//! Of our own there is one for the whole run; each test has users of its own there. At a given one
//! there are only the users it was given, so the tests take turns.

use std::ops::Deref;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portcullis_api::settings::Settings;
use portcullis_tests::{Answer, Client, Login, PASSWORD, Service, tell};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, MutexGuard};

/// One test's view of the service.
pub(crate) struct Site {
    client: Client,
    people: People,
}

enum People {
    /// Made when they are first asked for; the number keeps them apart from other tests' people.
    Own(usize),
    /// Whoever is at their place in the list; the turn is held until the test is over.
    Given { _turn: MutexGuard<'static, ()> },
}

/// What somebody logs in with.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) email: String,
    pub(crate) password: String,
}

impl Account {
    /// The body of a login.
    pub(crate) fn body(&self) -> Value {
        json!({ "email": self.email, "password": self.password })
    }
}

impl Deref for Site {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// The service under judgement.
pub(crate) async fn site() -> Site {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    static TURN: Mutex<()> = Mutex::const_new(());
    let Some(url) = setting("PORTCULLIS_URL") else {
        let client = Client::of(OWN.service.url.clone());
        return Site { client, people: People::Own(NEXT.fetch_add(1, Ordering::Relaxed)) };
    };
    let people = People::Given { _turn: TURN.lock().await };
    let site = Site { client: Client::of(url.trim_end_matches('/')), people };
    for name in ["alice", "bob"] {
        let old = site.logged_in(name).await;
        site.post_as(&old.access, "/logout-all-devices", json!({})).await.must_be(200);
    }
    site
}

/// A service of the test's own, with settings, clock and stores to play with; none while a given
/// service is judged.
pub(crate) async fn own(adjust: impl FnOnce(&mut Settings)) -> Option<Service> {
    if setting("PORTCULLIS_URL").is_none() {
        return Some(Service::with(adjust).await);
    }
    skip("it needs a clock, a database or settings of its own");
    None
}

/// The body of an answer without word of how far Redis is: a busy machine is late at times.
pub(crate) fn without_propagation(answer: &Answer) -> Value {
    let mut body = answer.json.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("propagation");
    }
    body
}

/// Says why the running test does nothing.
pub(crate) fn skip(reason: &str) {
    let thread = std::thread::current();
    tell(&format!("skipped: {}: {reason}", thread.name().unwrap_or("a test")));
}

impl Site {
    /// What begins after this is younger: our own service's clock stands unless it is moved.
    pub(crate) fn a_moment_passes(&self) {
        if matches!(self.people, People::Own(_)) {
            OWN.service.clock.advance(Duration::from_millis(1));
        }
    }

    /// Where operators look; none if nobody said.
    pub(crate) fn operations(&self) -> Option<String> {
        match self.people {
            People::Own(_) => Some(OWN.operations.clone()),
            People::Given { .. } => setting("PORTCULLIS_OPS_URL"),
        }
    }

    /// Name and secret of a service that may introspect; none if nobody said.
    pub(crate) fn introspector(&self) -> Option<(String, String)> {
        let pair = match self.people {
            People::Own(_) => Some(INTROSPECTOR.to_owned()),
            People::Given { .. } => setting("PORTCULLIS_CLIENT"),
        };
        pair.map(|pair| halves(&pair))
    }

    fn account(&self, name: &str) -> Account {
        let (email, password) = match &self.people {
            People::Own(number) => (format!("{name}-{number}@example.com"), PASSWORD.to_owned()),
            People::Given { .. } => {
                let users = setting("PORTCULLIS_USERS").expect("PORTCULLIS_USERS names two users");
                let place = usize::from(name != "alice");
                let user = users.split(',').nth(place);
                halves(
                    user.expect("PORTCULLIS_USERS names two users: email:password,email:password"),
                )
            }
        };
        Account { email, password }
    }

    /// Somebody with a new session.
    pub(crate) async fn logged_in(&self, name: &str) -> Login {
        self.log_in(name).await.must_be(200).into()
    }

    /// A login.
    pub(crate) async fn log_in(&self, name: &str) -> Answer {
        self.log_in_as(&self.person(name).await).await
    }

    /// Somebody who can log in.
    pub(crate) async fn person(&self, name: &str) -> Account {
        if let People::Own(number) = self.people {
            let name = format!("{name}-{number}");
            OWN.run(async move { OWN.service.user(&name).await }).await;
        }
        self.account(name)
    }

    /// A login with what an account needs.
    pub(crate) async fn log_in_as(&self, account: &Account) -> Answer {
        self.post("/login-enhanced", account.body()).await
    }

    /// An administrator; none if nobody said who that is.
    pub(crate) async fn admin(&self) -> Option<Login> {
        if let People::Own(number) = self.people {
            let name = format!("root-{number}");
            return Some(OWN.run(async move { OWN.service.admin(&name).await }).await);
        }
        let Some(admin) = setting("PORTCULLIS_ADMIN") else {
            skip("PORTCULLIS_ADMIN is not set");
            return None;
        };
        let (email, password) = halves(&admin);
        Some(self.log_in_as(&Account { email, password }).await.must_be(200).into())
    }
}

const INTROSPECTOR: &str = "gateway:a secret of the gateway";

/// The service of this run, and the runtime that outlives every test's own.
struct Own {
    service: Service,
    operations: String,
    runtime: Runtime,
}

static OWN: LazyLock<Own> = LazyLock::new(|| {
    // Another thread, because a test's runtime does not let its thread wait for this one.
    std::thread::spawn(Own::start).join().expect("the service starts")
});

impl Own {
    fn start() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("threads can be started");
        let (service, operations) = runtime.block_on(async {
            let service = Service::with(|settings| {
                settings.tokens.introspection_clients = Some(INTROSPECTOR.into());
            })
            .await;
            let operations = service.operations().await;
            (service, operations)
        });
        Self { service, operations, runtime }
    }

    /// Does something there whose connections must outlive the test.
    async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        self.runtime.spawn(work).await.expect("the service's own side works")
    }
}

fn halves(pair: &str) -> (String, String) {
    let (name, secret) = pair.split_once(':').expect("name and secret have a colon between them");
    (name.to_owned(), secret.to_owned())
}

#[expect(clippy::disallowed_methods, reason = "the one place where the run's settings are read")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
