//! Who plays: an instance behind a route that can be cut, another that always reaches Redis, and
//! whoever looks at what they do.

use std::time::Duration;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::{EncodingKey, decode_header};
use portcullis_tests::{Answer, Database, Login, Network, Process, Redis, running, wait_at_most};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, MySqlPool};

use super::tally::Tally;
use crate::outside::{Outside, SECRET};
use crate::talk::{calls, confirming, eventually, mark};

/// The route of the instance that is cut off.
pub(crate) const ROUTE: u8 = 0;
/// The route of the other one, where it has one.
pub(crate) const OTHER_ROUTE: u8 = 1;
/// Who administers.
pub(crate) const ADMIN: usize = 0;
/// What a beginning with all that belongs to it has at least, and a question never has.
const BEGINNING: u64 = 200;
/// The kernel tries again after twice as long each time, from a pause that grows with the load of the
/// machine.
const LONGEST_BACKOFF: Duration = Duration::from_mins(5);
/// The MySQL user of the instance that is cut off, by which its connections are known.
pub(crate) const CUT_OFF: &str = "cut_off";

/// A session, and the user it is of.
#[derive(Clone, Copy)]
pub(crate) struct Whose<'a> {
    pub(crate) user_id: u64,
    pub(crate) session: &'a str,
}

/// Two instances on the same stores.
pub(crate) struct Cast<'a> {
    pub(crate) network: &'a Network,
    pub(crate) redis: Redis,
    /// Behind the route. Started anew by each story.
    pub(crate) cut_off: Outside,
    pub(crate) other: Outside,
    pub(crate) db: MySqlPool,
    process: Option<Process>,
}

impl<'a> Cast<'a> {
    /// So many people, the first of whom administers. Nothing comes between the other instance and
    /// Redis.
    pub(crate) async fn with(network: &'a Network, people: usize) -> Self {
        Self::new(network, people, None).await
    }

    /// The other instance has a route of its own.
    pub(crate) async fn on_two_routes(network: &'a Network, people: usize) -> Self {
        Self::new(network, people, Some(OTHER_ROUTE)).await
    }

    async fn new(network: &'a Network, people: usize, other_route: Option<u8>) -> Self {
        let redis = confirming().within(network.there()).start();
        let over = |route| format!("redis://{}:{}", network.address(route), redis.port());
        let database = Database::shared().fresh_database("late");
        let socket = format!("unix://{}", redis.socket().display());
        let mut other = Outside::new(&database, &other_route.map_or(socket, over), people);
        let db = MySqlPool::connect(&database).await.unwrap();
        sqlx::query("update users set role = 'admin' where id = 1").execute(&db).await.unwrap();
        let mut cut_off = Outside::new(&with_user_of_its_own(&database), &over(ROUTE), 0);
        for instance in [&mut other, &mut cut_off] {
            // Neither what is cut off, held up nor busy may give up before its time.
            instance.set("REDIS_DEADLINE", "5s");
            instance.set("DB_DEADLINE", "10s");
            instance.within(network.here());
        }
        let process = Some(other.serve());
        Self { network, redis, cut_off, other, db, process }
    }

    /// The other instance is away until [`Self::the_other_comes`].
    pub(crate) fn the_other_goes(&mut self) {
        self.process = None;
    }

    pub(crate) fn the_other_comes(&mut self) {
        self.process = Some(self.other.serve());
    }

    /// A login at the instance that nothing is wrong with.
    pub(crate) async fn log_in(&self, person: usize) -> Login {
        self.other.log_in(person).await.must_be(200).into()
    }

    pub(crate) async fn log_out(&self, login: &Login) {
        let client = &self.other.client;
        client.post_as(&login.access, "/logout", json!({})).await.must_be(200);
    }

    /// An administrator ends all sessions of somebody.
    pub(crate) async fn log_out_by(&self, admin: &Login, user_id: u64) {
        let path = format!("/admin/users/{user_id}/sessions");
        self.is_confirmed(&self.other.client.delete_as(&admin.access, &path).await);
    }

    /// Somebody ends their session, without revoking a token.
    pub(crate) async fn end_own(&self, model: &Login, user_id: u64, session: &str) {
        let token = token_of(&model.access, user_id, session);
        let path = format!("/sessions/{session}");
        self.is_confirmed(&self.other.client.delete_as(&token, &path).await);
    }

    /// What the module says of a session; an error is no OK.
    pub(crate) fn verdict(&self, user_id: u64, session: &str) -> String {
        let mut check = redis::cmd("AUTH.CHECK");
        check.arg(format!("user:{user_id}")).arg("a token").arg("SESSION").arg(session);
        check.query(&mut self.redis.connection()).unwrap_or_else(|error| error.to_string())
    }

    /// Whether the service takes a token of this session for good.
    pub(crate) async fn is_accepted(&self, model: &Login, whose: Whose<'_>) -> bool {
        self.other.client.is_good(&token_of(&model.access, whose.user_id, whose.session)).await
    }

    /// The same, by the instance that was cut off.
    pub(crate) async fn is_accepted_there(&self, model: &Login, whose: Whose<'_>) -> bool {
        self.cut_off.client.is_good(&token_of(&model.access, whose.user_id, whose.session)).await
    }

    /// Counts a session that must be dead.
    pub(crate) async fn must_be_dead(&self, tally: &mut Tally, model: &Login, whose: Whose<'_>) {
        let Whose { user_id, session } = whose;
        tally.dead_in_redis += usize::from(self.verdict(user_id, session) == "OK");
        let accepted = self.is_accepted(model, whose).await;
        tally.dead_in_service += usize::from(accepted);
    }

    /// Counts a session that nobody has ended. Redis may have lost it, and is told when it is asked for.
    pub(crate) async fn must_be_live(&self, tally: &mut Tally, model: &Login, whose: Whose<'_>) {
        let Whose { user_id, session } = whose;
        if self.is_accepted(model, whose).await {
            eventually("Redis has it as well", async || self.verdict(user_id, session) == "OK");
        } else {
            tally.live_lost += 1;
        }
    }

    /// Something was done, and Redis has it, at once or soon.
    pub(crate) fn is_confirmed(&self, answer: &Answer) {
        assert_eq!(answer.status, 200, "{answer:?}");
        if answer.json["propagation"] == "pending" {
            self.settles();
        }
    }

    /// Nothing waits, and Redis is confirmed.
    pub(crate) fn settles(&self) {
        let waiting = "select count(*) from revocation_outbox where delivered_at is null";
        eventually("nothing waits for Redis", async || self.number(waiting).await == 0);
        eventually("Redis is confirmed", async || self.is_filled());
        self.other.becomes_ready();
    }

    fn is_filled(&self) -> bool {
        let mark = mark(&self.redis);
        !mark.is_empty() && !mark.starts_with("hydrating-")
    }

    /// How often Redis has been told to begin a session, whatever it answered.
    fn begun(&self) -> usize {
        calls(&mut self.redis.connection(), "auth.session|create")
    }

    /// Waits until the instance that is cut off begins sessions itself. Nobody is logged in afterwards.
    pub(crate) fn begins_itself(&self, person: usize) {
        eventually("it is seen who begins", async || {
            let login = Login::from(self.cut_off.log_in(person).await.must_be(200));
            let has_begun = has_begun(self.network, &self.redis);
            self.log_out(&login).await;
            has_begun
        });
    }

    /// Heals the route and waits until Redis has taken all that was held; tells how many beginnings
    /// it was given meanwhile.
    pub(crate) fn late_ones_arrive(&self, at_least: usize) -> usize {
        let before = self.begun();
        self.network.heal(ROUTE);
        let is_gone = || self.network.held(ROUTE).iter().all(|held| held.bytes == 0);
        tokio::task::block_in_place(|| {
            wait_at_most(LONGEST_BACKOFF, "nothing is held any more", is_gone);
        });
        eventually("Redis has read it", async || self.network.unread(ROUTE) == 0);
        let late = self.begun() - before;
        assert!(late >= at_least, "what was held has arrived");
        late
    }

    /// Waits until so much later, by the clock of Redis.
    pub(crate) fn time_passes(&self, length: Duration) {
        let mut redis = self.redis.connection();
        let mut now = || -> Duration {
            let (seconds, micros) = redis::cmd("TIME").query(&mut redis).unwrap();
            Duration::from_secs(seconds) + Duration::from_micros(micros)
        };
        let then = now() + length;
        eventually("that time has passed", async || now() >= then);
    }

    /// MySQL ends the sessions of the instance that is cut off, as it does with whoever is silent.
    pub(crate) async fn mysql_lets_go(&self) {
        for theirs in running(&self.db).await.iter().filter(|it| it.user == CUT_OFF) {
            // It may have ended by itself.
            let kill = format!("kill {}", theirs.id);
            drop(sqlx::query(AssertSqlSafe(kill)).execute(&self.db).await);
        }
    }

    /// A number from the database.
    pub(crate) async fn number(&self, select: &str) -> i64 {
        let select = AssertSqlSafe(select.to_owned());
        sqlx::query_scalar(select).fetch_one(&self.db).await.unwrap()
    }

    /// Redis loses everything and is filled again.
    pub(crate) fn flush(&self) {
        redis::cmd("FLUSHALL").exec(&mut self.redis.connection()).unwrap();
        self.settles();
    }

    /// The tally, with what has crashed meanwhile.
    pub(crate) fn counted(mut self, mut tally: Tally) -> Tally {
        let is_gone = self.process.as_mut().is_some_and(Process::has_ended);
        let redis_answers = self.redis.try_connection().is_ok();
        tally.crashes += usize::from(is_gone) + usize::from(!redis_answers);
        tally
    }
}

/// The database for a user who is known by name.
fn with_user_of_its_own(database: &str) -> String {
    let name = database.split('?').next().unwrap().rsplit('/').next().unwrap();
    Database::shared().execute(&format!(
        "create user if not exists {CUT_OFF}@localhost;
         grant all on `{name}`.* to {CUT_OFF}@localhost"
    ));
    database.replace("root@", &format!("{CUT_OFF}@"))
}

/// Whether a beginning was the last that somebody said over the route.
pub(crate) fn has_begun(network: &Network, redis: &Redis) -> bool {
    let mut list = redis::cmd("CLIENT");
    let clients: String = list.arg("LIST").query(&mut redis.connection()).unwrap();
    let origin = format!(" addr={}:", network.origin(ROUTE));
    let begins = |line: &str| line.contains("cmd=auth.session|create ") && line.contains(&origin);
    clients.lines().any(begins)
}

/// The kernel holds a beginning that nobody has confirmed; the port from which it was written.
pub(crate) fn beginning_is_held(network: &Network) -> u16 {
    let mut held = None;
    eventually("a beginning is on its way", async || {
        held = held_beginning(network);
        held.is_some()
    });
    held.unwrap_or_default()
}

/// That port, if it does so now.
pub(crate) fn held_beginning(network: &Network) -> Option<u16> {
    let held = network.held(ROUTE);
    held.iter().find(|held| held.bytes >= BEGINNING).map(|held| held.port)
}

/// What the kernel holds it holds for nobody.
pub(crate) fn beginning_is_orphaned(network: &Network, port: u16) {
    eventually("its sender has gone", async || {
        let held = network.held(ROUTE);
        held.iter().any(|held| held.port == port && held.bytes >= BEGINNING)
            && held.iter().all(|held| held.is_orphan)
    });
}

/// An access token like another one, of another session.
pub(crate) fn token_of(model: &str, user_id: u64, session: &str) -> String {
    let mut claims: Value = insecure_decode_claims(model).unwrap();
    claims["sub"] = json!(user_id.to_string());
    claims["sid"] = json!(session);
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&decode_header(model).unwrap(), &claims, &key).unwrap()
}
