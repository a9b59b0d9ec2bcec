//! What the tests ask the service and wait for.

use std::collections::HashSet;

use portcullis_tests::{Client, Login, Redis, RedisOptions, Service, captured_log, wait_until};
use redis::Connection;
use reqwest::Method;

/// A Redis that vouches for nothing until it is told that it may, and takes no session that might
/// come late.
pub(crate) fn confirming() -> RedisOptions {
    Redis::options().module_arguments(&["require-confirm", "yes", "require-fence", "yes"])
}

/// Waits, without keeping the runtime from its work.
pub(crate) fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| wait_until(what, || runtime.block_on(holds())));
}

/// The service says that it lacks nothing.
pub(crate) fn ready(auth: &Client) {
    eventually("the service is ready", async || is_ready(auth).await);
}

/// The same after Redis has lost what it had or was started anew: until then what the service says may be
/// of before.
pub(crate) fn ready_again(auth: &Service) {
    eventually("Redis is vouched for", async || info(&auth.redis, "portcullis_confirmed") == "1");
    ready(auth);
}

/// Whether it says so now.
pub(crate) async fn is_ready(auth: &Client) -> bool {
    auth.raw(Method::GET, "/readyz").send().await.unwrap().status() == 200
}

/// The status that a proxy gets for this token: anything but 200 opens nothing.
pub(crate) async fn status(auth: &Service, login: &Login) -> u16 {
    auth.get_as(&login.access, "/verify").await.status.as_u16()
}

/// How many of these are accepted.
pub(crate) async fn accepted(auth: &Service, logins: &[Login]) -> usize {
    let mut accepted = 0;
    for login in logins {
        accepted += usize::from(status(auth, login).await == 200);
    }
    accepted
}

/// How many changes Redis has not confirmed.
pub(crate) async fn waiting(auth: &Service) -> i64 {
    let waiting = "select count(*) from revocation_outbox where delivered_at is null";
    sqlx::query_scalar(waiting).fetch_one(auth.db()).await.unwrap()
}

/// Waits until nothing is on its way, and each session is in its ledger if and only if it is live in
/// MySQL.
pub(crate) async fn agree(auth: &Service) {
    eventually("the outbox is empty", async || waiting(auth).await == 0);
    let all: Vec<(u64, String, bool)> = sqlx::query_as(
        "select s.user_id, s.id, s.is_active and e.id is null
               from user_sessions s
               left join everybody e on e.id = 1 and e.tokens_valid_after >= s.created_at
              order by s.id",
    )
    .fetch_all(auth.db())
    .await
    .unwrap();
    let users: HashSet<u64> = all.iter().map(|(user_id, ..)| *user_id).collect();
    eventually("each session is where it belongs", async || {
        let held: HashSet<String> =
            users.iter().flat_map(|user_id| auth.ledger_sessions(*user_id)).collect();
        all.iter().all(|(_, session, is_live)| held.contains(session) == *is_live)
    });
}

/// What a service hears that asks the module itself; an error is no OK.
pub(crate) fn ask(auth: &Service, login: &Login) -> String {
    verdict(&auth.redis, login)
}

/// The same of any server.
pub(crate) fn verdict(redis: &Redis, login: &Login) -> String {
    let mut check = redis::cmd("AUTH.CHECK");
    check.arg(format!("user:{}", login.user_id)).arg(&login.access);
    check.arg("SESSION").arg(&login.session);
    check.query(&mut redis.connection()).unwrap_or_else(|error| error.to_string())
}

/// The mark of whoever brought the ledgers up to date; nothing if there is none.
pub(crate) fn mark(redis: &Redis) -> String {
    info(redis, "portcullis_mark")
}

/// Puts another one in its place, whatever it is.
pub(crate) fn set_mark(redis: &Redis, mark: &str) {
    let run_id = info(redis, "run_id");
    let mut note = redis::cmd("AUTH.CONFIRM");
    note.arg(run_id).arg("NOTE").arg("MARK").arg(mark);
    note.exec(&mut redis.connection()).unwrap();
}

/// Another instance takes its place that knows of no commits: some have been deleted by the test.
pub(crate) async fn start_anew(auth: &mut Service) {
    forget_commits(&auth.redis);
    auth.restart().await;
    ready(auth);
}

/// Nor does Redis, from now on.
pub(crate) fn forget_commits(redis: &Redis) {
    redis::cmd("DEL").arg("portcullis:commits:user:").exec(&mut redis.connection()).unwrap();
}

/// How often a server has been given a command, whatever it answered.
pub(crate) fn calls(redis: &mut Connection, command: &str) -> usize {
    let info: String = redis::cmd("INFO").arg("commandstats").query(redis).unwrap();
    let start = format!("cmdstat_{command}:calls=");
    let calls = info.lines().find_map(|line| line.strip_prefix(&start)?.split(',').next());
    calls.map_or(0, |calls| calls.parse().unwrap())
}

/// How often anybody here has begun to bring the ledgers of this Redis up to date.
pub(crate) fn hydrations(redis: &Redis) -> usize {
    let (log, run_id) = (captured_log(), info(redis, "run_id"));
    let begun = log.lines().filter(|line| line.contains("bringing the ledgers up to date"));
    begun.filter(|line| line.contains(&run_id)).count()
}

/// What `INFO` says under this name; nothing if Redis does not answer.
pub(crate) fn info(redis: &Redis, name: &str) -> String {
    let Ok(mut connection) = redis.try_connection() else { return String::new() };
    let mut info = redis::cmd("INFO");
    let info: String =
        info.arg("server").arg("portcullis").query(&mut connection).unwrap_or_default();
    let field = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    field.unwrap_or_default().trim().to_owned()
}
