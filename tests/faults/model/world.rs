//! The steps taken on real servers, and the comparison after each.

use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use portcullis_api::base::clock::Timestamp;
use portcullis_tests::{Answer, Database, Service, send};
use redis::Value;
use reqwest::Method;

use super::reference::Reference;
use super::steps::{PEOPLE, Step};
use crate::everybody::told;
use crate::talk::{confirming, eventually, ready};

const INTROSPECTOR: &str = "model";
const INTROSPECTOR_SECRET: &str = "only ever used in this model";

/// The service, the reference, and every token by its number in the reference.
pub(super) struct World {
    pub(super) auth: Service,
    pub(super) reference: Reference,
    pub(super) people: Vec<u64>,
    pub(super) changes_of_password: Vec<usize>,
    pub(super) access: Vec<String>,
    pub(super) refresh: Vec<String>,
    redis_is_away: bool,
    pub(super) figures: Figures,
}

/// What was done and compared.
#[derive(Clone, Copy, Default)]
pub(super) struct Figures {
    sequences: usize,
    pub(super) requests: usize,
    faults: usize,
    verdicts: usize,
    asked_directly: usize,
}

impl Figures {
    pub(super) fn add(&mut self, more: &Self) {
        self.sequences += 1;
        self.requests += more.requests;
        self.faults += more.faults;
        self.verdicts += more.verdicts;
        self.asked_directly += more.asked_directly;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequences, requests, faults, verdicts, asked_directly } = self;
        write!(
            f,
            "sequences {sequences}, faults injected {faults}, requests {requests}, verdicts \
             compared {verdicts}, module asked directly {asked_directly}, revoked accepted 0, \
             sessions lost 0"
        )
    }
}

impl World {
    pub(super) async fn new() -> Self {
        let redis = confirming().start();
        let database = Database::shared().fresh_database("model");
        let auth = Service::on(redis, &database, |settings| {
            // On a busy machine Redis must not seem to be away that is not.
            settings.stores.redis_deadline = Duration::from_secs(5);
            // A look at a token shall not change what is looked at.
            settings.sessions.session_activity_tracking = false;
            settings.server.trusted_ip = "127.0.0.1".parse().unwrap();
            let clients = format!("{INTROSPECTOR}:{INTROSPECTOR_SECRET}");
            settings.tokens.introspection_clients = Some(clients.into());
        })
        .await;
        let mut people = Vec::new();
        for person in 0..PEOPLE {
            people.push(auth.user(&name(person)).await);
        }
        let reference = Reference::new(PEOPLE, auth.clock.now().0);
        Self {
            auth,
            reference,
            people,
            changes_of_password: vec![0; PEOPLE],
            access: Vec::new(),
            refresh: Vec::new(),
            redis_is_away: false,
            figures: Figures::default(),
        }
    }

    pub(super) async fn take(&mut self, step: &Step) {
        self.pass(10);
        self.figures.requests += 1;
        match *step {
            Step::LogIn(person) => self.log_in(person).await,
            Step::Disable(person) => {
                self.as_admin(&self.about(person, "disable"), "").await;
                self.reference.disable(person);
            }
            Step::Enable(person) => {
                self.as_admin(&self.about(person, "enable"), "").await;
                self.reference.enable(person);
            }
            Step::SetAdmin(person, is_admin) => {
                let role = if is_admin { "admin" } else { "user" };
                self.as_admin(&self.about(person, "role"), role).await;
                self.reference.set_admin(person, is_admin);
            }
            Step::LogOutEveryone => {
                self.as_admin("logout-everyone", "").await;
                self.reference.log_out_everyone();
            }
            Step::Refresh(age) => self.refresh(age, 1).await,
            Step::RefreshTwice(age) => self.refresh(age, 2).await,
            Step::LogOut(age)
            | Step::LogOutAnother(age, _)
            | Step::LogOutOthers(age)
            | Step::LogOutAll(age)
            | Step::ChangePassword(age) => {
                if let Some(token) = aged(&self.access, age) {
                    self.take_as(token, step).await;
                }
            }
            Step::Pass(seconds) => self.pass(seconds * 1_000),
            Step::Save | Step::Kill | Step::Start | Step::Wipe => self.disturb(step),
            Step::Restart => {
                self.figures.faults += 1;
                self.auth.restart().await;
            }
        }
    }

    fn pass(&mut self, ms: i64) {
        self.reference.now = self.reference.now.checked_add_signed(ms).unwrap();
        self.auth.clock.set(Timestamp(self.reference.now));
    }

    fn disturb(&mut self, step: &Step) {
        let redis = &mut self.auth.redis;
        match step {
            Step::Start if self.redis_is_away => {
                redis.start_again();
                self.redis_is_away = false;
            }
            Step::Start => {}
            _ if self.redis_is_away => {}
            Step::Kill => {
                redis.kill();
                self.redis_is_away = true;
                self.figures.faults += 1;
            }
            Step::Wipe => {
                redis::cmd("FLUSHALL").exec(&mut redis.connection()).unwrap();
                self.figures.faults += 1;
            }
            _ => redis::cmd("SAVE").exec(&mut redis.connection()).unwrap(),
        }
    }

    /// Every token that was ever issued.
    pub(super) async fn compare(&mut self) {
        let answers = join_all(self.access.iter().map(|it| self.auth.get_as(it, "/verify"))).await;
        for (token, answer) in answers.iter().enumerate() {
            if let_in(&self.reference, token, answer) {
                assert_eq!(Some(answer.header("x-auth-role")), self.reference.access(token));
            }
        }
        let answers = join_all(self.refresh.iter().map(|it| self.introspect(it))).await;
        for (token, answer) in answers.into_iter().enumerate() {
            let expected = self.reference.refresh_is_live(token);
            assert_eq!(answer.must_be(200).json["active"], expected, "refresh token {token}");
        }
        self.figures.verdicts += self.access.len() + self.refresh.len();
        if !self.redis_is_away && !self.access.is_empty() && self.waiting().await == 0 {
            for (token, verdict) in self.ask_module().iter().enumerate() {
                let accepted = *verdict == Value::Okay;
                assert!(!accepted || !self.reference.was_ended(token), "accepted {token}");
            }
            self.figures.asked_directly += self.access.len();
        }
    }

    /// Nobody is left without what is theirs.
    pub(super) fn end(&mut self) {
        self.disturb(&Step::Start);
        ready(&self.auth);
        eventually("the module accepts every live token", async || {
            if self.access.is_empty() {
                return true;
            }
            let verdicts = self.ask_module();
            verdicts.iter().enumerate().all(|(token, verdict)| {
                *verdict == Value::Okay || self.reference.access(token).is_none()
            })
        });
    }

    async fn introspect(&self, token: &str) -> Answer {
        let request = self.auth.request(Method::POST, "/introspect");
        let request = request.basic_auth(INTROSPECTOR, Some(INTROSPECTOR_SECRET));
        send(request.form(&[("token", token), ("token_type_hint", "refresh_token")])).await
    }

    /// Changes that Redis has not confirmed: until then an answer has said `pending`.
    async fn waiting(&self) -> i64 {
        let waiting = "select (select count(*) from revocation_outbox where delivered_at is null)
                            + (select count(*) from everybody where redis_valid_after > ?)";
        let told = Timestamp(told(&self.auth.redis));
        sqlx::query_scalar(waiting).bind(told).fetch_one(self.auth.db()).await.unwrap()
    }

    /// What a service hears that asks the module itself, token by token.
    fn ask_module(&self) -> Vec<Value> {
        let mut questions = redis::pipe();
        questions.ignore_errors();
        for (token, text) in self.access.iter().enumerate() {
            let key = format!("user:{}", self.people[self.reference.owner(token)]);
            let session = self.reference.session_id(token);
            questions.cmd("AUTH.CHECK").arg(key).arg(text).arg("SESSION").arg(session);
        }
        questions.query(&mut self.auth.redis.connection()).unwrap()
    }
}

/// Whether the token should have opened the door; panics if the service saw it otherwise.
pub(super) fn let_in(reference: &Reference, token: usize, answer: &Answer) -> bool {
    let expected = reference.access(token).is_some();
    assert_eq!(answer.status, if expected { 200 } else { 401 }, "token {token}: {answer:?}");
    expected
}

/// The number of a token, counted from the newest.
pub(super) fn aged<T>(tokens: &[T], age: usize) -> Option<usize> {
    (!tokens.is_empty()).then(|| tokens.len() - 1 - age % tokens.len())
}

pub(super) fn name(person: usize) -> String {
    format!("person{person}")
}
