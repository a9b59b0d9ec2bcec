//! *Live* means the same wherever it is asked.

use std::time::Duration;

use portcullis_api::ledger::hydrate::Extent;
use portcullis_api::ledger::hydrate::bring_all_up_to_date;
use portcullis_api::sessions::live;
use portcullis_tests::{Client, Instance, Login, Service, send, wait_until};
use reqwest::Method;
use sqlx::AssertSqlSafe;

const ID: &str = "gateway";
const SECRET: &str = "only the gateway knows this secret";

/// What may be the matter with a session `s` of a user `u`; it began when its password was given.
struct State {
    name: &'static str,
    set: &'static str,
    /// Used a moment ago, and MySQL has not heard of it yet.
    seen_here: bool,
    lives: bool,
}

const fn state(name: &'static str, set: &'static str, lives: bool) -> State {
    State { name, set, seen_here: false, lives }
}

const IDLE: &str = "s.last_activity = s.authenticated_at - interval s.idle_timeout_s second";
const STATES: [State; 10] = [
    state("nothing", "s.is_active = true", true),
    state("ended", "s.is_active = false", false),
    state("expired", "s.expires_at = s.authenticated_at", false),
    state("idle", IDLE, false),
    state("almost_idle", "s.last_activity = s.authenticated_at - interval 6 day", true),
    State { seen_here: true, ..state("idle_but_seen_here", IDLE, true) },
    state(
        "without_an_idle_limit",
        "s.idle_timeout_s = 0, s.last_activity = s.authenticated_at - interval 20 day",
        true,
    ),
    state("of_a_disabled_user", "u.is_active = false", false),
    state("begun_at_the_watermark", "u.tokens_valid_after = s.created_at", false),
    state(
        "begun_after_the_watermark",
        "u.tokens_valid_after = s.created_at - interval 1000 microsecond",
        true,
    ),
];

/// A user in each state, with one session that is judged and one beside it that nothing ails.
struct Scene {
    auth: Service,
    /// An instance without Redis.
    alone: Instance,
    admin: Login,
    people: Vec<(&'static State, Login, Login)>,
    differences: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn f_07_whoever_asks_whether_a_session_is_live_hears_the_same() {
    let mut scene = Scene::new().await;
    scene.what_a_sweep_leaves().await;
    scene.what_a_hydration_fills_in().await;
    scene.what_is_listed_and_counted().await;
    scene.what_mysql_says().await;
    scene.what_a_repair_puts_back().await;
    scene.what_is_refreshed().await;
    scene.what_takes_a_place().await;
    assert_eq!(scene.differences, Vec::<String>::new());
}

impl Scene {
    async fn new() -> Self {
        let auth = Service::with(|settings| {
            settings.sessions.max_sessions_per_user = 2;
            // Each use is noted anew.
            settings.sessions.session_touch_interval = Duration::ZERO;
            settings.tokens.introspection_clients = Some(format!("{ID}:{SECRET}").into());
        })
        .await;
        ready(&auth).await;
        let nowhere = "redis://127.0.0.1:1".to_owned();
        let alone = auth.another(2, |it| it.stores.redis_url = Some(nowhere.into())).await;
        let admin = auth.admin("admin").await;
        let mut people = Vec::new();
        for state in &STATES {
            let judged = auth.logged_in(state.name).await;
            auth.clock.advance(Duration::from_millis(1));
            people.push((state, judged, auth.logged_in(state.name).await));
        }
        Self { auth, alone, admin, people, differences: Vec::new() }
    }

    /// Puts everybody into their state, again.
    async fn put(&self) {
        for (State { set, seen_here, .. }, judged, _) in &self.people {
            let update = format!(
                "update user_sessions s join users u on u.id = s.user_id set {set} where s.id = ?"
            );
            let update = sqlx::query(AssertSqlSafe(update)).bind(&judged.session);
            update.execute(self.auth.db()).await.unwrap();
            for app in [&self.auth.app, &self.alone.app].into_iter().filter(|_| *seen_here) {
                assert!(app.activity.due(&judged.session, self.auth.clock.now()));
            }
        }
    }

    fn note(&mut self, place: &str, state: &State, lives: bool) {
        if lives != state.lives {
            let says = if lives { "live" } else { "dead" };
            self.differences.push(format!("{place} calls a session {says}: {}", state.name));
        }
    }

    /// What Redis may know better, that a session was used, is left to it.
    async fn what_a_sweep_leaves(&mut self) {
        self.put().await;
        bring_all_up_to_date(&self.auth.app.ledgers, Extent::Everything, &|_| {}).await.unwrap();
        for (state, judged, _) in self.people.clone() {
            if state.name != "idle" {
                self.note("a sweep", state, self.auth.verdict(&judged) == "OK");
            }
        }
    }

    async fn what_a_hydration_fills_in(&mut self) {
        self.put().await;
        redis::cmd("FLUSHALL").exec(&mut self.auth.redis.connection()).unwrap();
        wait_until("the ledgers are there again", || self.auth.verdict(&self.admin) == "OK");
        ready(&self.auth).await;
        for (state, judged, _) in self.people.clone() {
            self.note("a hydration", state, self.auth.verdict(&judged) == "OK");
        }
    }

    async fn what_is_listed_and_counted(&mut self) {
        self.put().await;
        let mut expected = 1;
        for (state, judged, beside) in self.people.clone() {
            let path = format!("/admin/users/{}/sessions", judged.user_id);
            let all = self.auth.get_as(&self.admin.access, &path).await.must_be(200);
            self.note("an administrator's list", state, all.text.contains(&judged.session));
            if state.name == "of_a_disabled_user" {
                continue;
            }
            expected += 1 + u32::from(state.lives);
            let own = self.auth.get_as(&beside.access, "/sessions").await.must_be(200);
            self.note("a user's list", state, own.text.contains(&judged.session));
            let stats = self.auth.get_as(&beside.access, "/token-stats").await.must_be(200);
            for count in ["sessions_active", "refresh_tokens_active"] {
                self.note(count, state, stats.json["data"][count] == 2);
            }
        }
        self.put().await;
        // The sessions of everybody are counted by what MySQL has heard.
        self.auth.settle().await;
        let counted =
            live::count_patiently(&self.auth.app.store, self.auth.clock.now()).await.unwrap();
        if counted < f64::from(expected) || counted > f64::from(expected) {
            self.differences.push(format!("the gauge says {counted} instead of {expected}"));
        }
    }

    /// The checks of an instance without Redis, and what introspection says.
    async fn what_mysql_says(&mut self) {
        for (state, judged, _) in self.people.clone() {
            self.put().await;
            let good = self.alone.is_good(&judged.access).await;
            self.note("a check without Redis", state, good);
            self.put().await;
            for (kind, token) in [("access", &judged.access), ("refresh", &judged.refresh)] {
                let active = is_active(&self.alone, token).await;
                self.note(&format!("introspection of a {kind} token"), state, active);
            }
        }
    }

    async fn what_a_repair_puts_back(&mut self) {
        for (state, judged, beside) in self.people.clone() {
            if state.name == "of_a_disabled_user" {
                continue;
            }
            self.put().await;
            let key = format!("user:{}", judged.user_id);
            redis::cmd("DEL").arg(key).exec(&mut self.auth.redis.connection()).unwrap();
            assert!(self.auth.is_good(&beside.access).await);
            wait_until("the ledger is there again", || self.auth.verdict(&beside) == "OK");
            self.note("a repair", state, self.auth.verdict(&judged) == "OK");
        }
    }

    async fn what_is_refreshed(&mut self) {
        self.put().await;
        for (state, judged, _) in self.people.clone() {
            let answer = self.auth.refresh(&judged.refresh).await;
            self.note("a refresh", state, answer.status == 200);
        }
    }

    /// Two may live, so that a third one ends another if both do.
    async fn what_takes_a_place(&mut self) {
        self.put().await;
        let evicted = "select count(*) from user_sessions
                        where user_id = ? and ended_reason = 'evicted'";
        for (state, judged, _) in self.people.clone() {
            drop(self.auth.log_in(state.name).await);
            let evicted = self.auth.count(evicted, judged.user_id).await;
            self.note("the cap of sessions", state, evicted == 1);
        }
    }
}

async fn ready(auth: &Service) {
    while auth.raw(Method::GET, "/readyz").send().await.unwrap().status() != 200 {
        tokio::task::yield_now().await;
    }
}

async fn is_active(client: &Client, token: &str) -> bool {
    let ask = client.request(Method::POST, "/introspect").basic_auth(ID, Some(SECRET));
    let form = [("token", token), ("token_type_hint", "refresh_token")];
    let answer = send(ask.form(&form)).await.must_be(200);
    answer.json["active"] == true
}
