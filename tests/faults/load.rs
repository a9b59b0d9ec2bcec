//! People who use the service without a pause: they log in, use their tokens, refresh, log out,
//! and look whether what they ended stays ended. Whatever they see that they should not, counts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use portcullis_tests::{Answer, Login, send};
use redis::Value;
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::outside::Outside;
use crate::talk::eventually;

/// How many ended tokens each person remembers.
const REMEMBERED: usize = 200;

/// Everybody at work.
pub(crate) struct Load {
    people: JoinSet<Tokens>,
    shared: Arc<Shared>,
}

struct Shared {
    service: Outside,
    redis: redis::Client,
    is_over: AtomicBool,
    seen: Seen,
}

/// What has been seen so far.
#[derive(Default)]
pub(crate) struct Seen {
    requests: AtomicUsize,
    /// A token was accepted, by the service or by the module, after its logout had been confirmed.
    revoked_accepted: AtomicUsize,
    /// A token was refused that nobody had ended.
    lost: AtomicUsize,
    /// Any other answer than the documented one.
    errors: AtomicUsize,
}

/// What a person holds at the end.
#[derive(Default)]
pub(crate) struct Tokens {
    pub(crate) live: Vec<Login>,
    pub(crate) ended: Vec<Login>,
}

impl Load {
    /// Sets everybody to work; each has a user of their own.
    pub(crate) fn begin(service: Outside, redis: &str, people: usize) -> Self {
        let shared = Arc::new(Shared {
            service,
            redis: redis::Client::open(redis).unwrap(),
            is_over: AtomicBool::new(false),
            seen: Seen::default(),
        });
        let mut load = Self { people: JoinSet::new(), shared };
        for number in 0..people {
            load.people.spawn(load.shared.clone().live(number));
        }
        load
    }

    pub(crate) fn service(&self) -> &Outside {
        &self.shared.service
    }

    /// Waits until so many more requests have been answered.
    pub(crate) fn goes_on(&self, requests: usize) {
        let answered = || self.shared.seen.requests.load(Ordering::SeqCst);
        let enough = answered() + requests;
        eventually("people are served", async || answered() >= enough);
    }

    /// Lets everybody come to an end, and looks once more at all that they hold.
    pub(crate) async fn end(mut self) -> String {
        self.shared.is_over.store(true, Ordering::SeqCst);
        while let Some(tokens) = self.people.join_next().await {
            let Tokens { live, ended } = tokens.unwrap();
            for login in &live {
                self.shared.must_be_good(login).await;
                self.shared.must_be_good_directly(login).await;
            }
            for login in &ended {
                self.shared.must_be_ended(login, true).await;
            }
        }
        let seen = &self.shared.seen;
        let faults = [&seen.revoked_accepted, &seen.lost, &seen.errors];
        let faults = faults.map(|it| it.load(Ordering::SeqCst));
        assert_eq!(faults, [0, 0, 0], "{seen}\n{}", self.service().warnings());
        seen.to_string()
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [requests, revoked, lost, errors] =
            [&self.requests, &self.revoked_accepted, &self.lost, &self.errors]
                .map(|it| it.load(Ordering::SeqCst));
        write!(
            f,
            "requests {requests}, revoked accepted {revoked}, sessions lost {lost}, errors {errors}"
        )
    }
}

impl Shared {
    async fn live(self: Arc<Self>, number: usize) -> Tokens {
        let mut tokens = Tokens::default();
        let Some(mut lasting) = self.log_in(number).await else { return tokens };
        while !self.is_over.load(Ordering::SeqCst) {
            self.must_be_good(&lasting).await;
            let Some(mut passing) = self.log_in(number).await else { continue };
            for login in [&mut lasting, &mut passing] {
                self.refresh(login).await;
                self.must_be_good(login).await;
            }
            if let Some(is_confirmed) = self.log_out(&passing).await {
                self.must_be_ended(&passing, is_confirmed).await;
                tokens.ended.push(passing);
            }
            let excess = tokens.ended.len().saturating_sub(REMEMBERED);
            tokens.ended.drain(..excess);
        }
        tokens.live.push(lasting);
        tokens
    }

    async fn log_in(&self, number: usize) -> Option<Login> {
        self.noted(self.service.log_in(number).await).map(Login::from)
    }

    async fn refresh(&self, login: &mut Login) {
        let Some(answer) = self.noted(self.service.client.refresh(&login.refresh).await) else {
            return;
        };
        login.access = answer.text_at("/data/access/token");
        login.refresh = answer.text_at("/data/refresh/token");
    }

    /// Whether Redis has confirmed it.
    async fn log_out(&self, login: &Login) -> Option<bool> {
        let answer = self.service.client.post_as(&login.access, "/logout", json!({})).await;
        self.noted(answer).map(|answer| answer.json["propagation"] != "pending")
    }

    /// The answer, if it is the one that everything but an ended token deserves.
    fn noted(&self, answer: Answer) -> Option<Answer> {
        count(&self.seen.requests);
        if answer.status == 200 {
            return Some(answer);
        }
        eprintln!("an error: {answer:?}");
        count(if answer.status == 401 { &self.seen.lost } else { &self.seen.errors });
        None
    }

    async fn must_be_good(&self, login: &Login) {
        self.noted(self.verified(login).await);
    }

    async fn must_be_good_directly(&self, login: &Login) {
        if self.module_says(login).await != Some(Value::Okay) {
            count(&self.seen.lost);
        }
    }

    async fn must_be_ended(&self, login: &Login, is_confirmed: bool) {
        count(&self.seen.requests);
        match self.verified(login).await.status.as_u16() {
            401 => {}
            200 => count(&self.seen.revoked_accepted),
            _ => count(&self.seen.errors),
        }
        if is_confirmed && self.module_says(login).await == Some(Value::Okay) {
            count(&self.seen.revoked_accepted);
        }
    }

    async fn verified(&self, login: &Login) -> Answer {
        send(self.service.client.request(Method::GET, "/verify").bearer_auth(&login.access)).await
    }

    /// What a service hears that asks the module itself; nothing while Redis is away.
    async fn module_says(&self, login: &Login) -> Option<Value> {
        let mut redis = self.redis.get_multiplexed_async_connection().await.ok()?;
        let mut check = redis::cmd("AUTH.CHECK");
        check.arg(format!("user:{}", login.user_id)).arg(&login.access);
        check.arg("SESSION").arg(&login.session).query_async(&mut redis).await.ok()
    }
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::SeqCst);
}
