//! Sentinels put a replica in the primary's place, and the service goes where they say.

use portcullis_tests::{
    Client, Database, Login, Redis, Sentinels, Server, Service, servers, wait_until,
};
use serde_json::{Value, json};

use crate::talk::{confirming, eventually, ready, waiting};

/// A primary, a replica, and three who watch them.
struct Watched {
    auth: Service,
    replica: Redis,
    sentinels: Sentinels,
}

async fn watched(server: &Server) -> Watched {
    let options = confirming().server(server).tcp();
    let (primary, replica) = (options.clone().start(), options.start());
    replica.replica_of(&primary);
    let sentinels = Sentinels::watch(&primary, 3, 1);
    let url = sentinels.url();
    let database = Database::shared().fresh_database("watched");
    let auth = Service::on(primary, &database, |settings| {
        settings.stores.redis_url = Some(url.into());
    })
    .await;
    ready(&auth);
    Watched { auth, replica, sentinels }
}

async fn people(auth: &Service, from: usize, count: usize) -> Vec<Login> {
    let mut people = Vec::new();
    for number in from..from + count {
        people.push(auth.logged_in(&format!("user{number}")).await);
    }
    people
}

/// What the answer to a logout says of its propagation.
async fn log_out(at: &Client, login: &Login) -> Value {
    let answer = at.post_as(&login.access, "/logout", json!({})).await.must_be(200);
    answer.json["propagation"].clone()
}

/// How many of these an instance accepts.
async fn accepted(at: &Client, logins: &[Login]) -> usize {
    let mut accepted = 0;
    for login in logins {
        let status = at.get_as(&login.access, "/verify").await.status.as_u16();
        accepted += usize::from(status == 200);
    }
    accepted
}

/// What somebody hears who asks this server.
fn ask(server: &Redis, login: &Login) -> String {
    let mut check = redis::cmd("AUTH.CHECK");
    check.arg(format!("user:{}", login.user_id)).arg(&login.access);
    check.arg("SESSION").arg(&login.session);
    check.query(&mut server.connection()).unwrap_or_else(|error| error.to_string())
}

/// Nothing while sentinels close the connections of a server whose role they change.
fn role(server: &Redis) -> String {
    let asked = server.try_connection().and_then(|mut it| redis::cmd("ROLE").query(&mut it));
    let answer: Vec<redis::Value> = asked.unwrap_or_default();
    answer
        .into_iter()
        .next()
        .and_then(|role| redis::from_redis_value(role).ok())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_hangs_is_replaced_and_is_not_believed_when_it_wakes_up() {
    for server in servers() {
        let Watched { auth, replica, sentinels } = watched(server).await;
        let other = auth.another(2, |_| {}).await;
        let alive = people(&auth, 0, 3).await;
        let dead = people(&auth, 3, 6).await;
        assert_eq!(log_out(&auth, &dead[0]).await, Value::Null);

        auth.redis.freeze();
        for (instance, login) in [(&*auth, &dead[1]), (&*other, &dead[2])] {
            let told = log_out(instance, login).await;
            assert!(told == "pending" || role(&replica) == "master", "{}: {told}", server.name);
        }
        for instance in [&*auth, &*other] {
            assert_eq!(accepted(instance, &dead[..3]).await, 0, "{}", server.name);
            assert_eq!(accepted(instance, &alive).await, 3, "{}", server.name);
        }
        wait_until("the sentinels promote the replica", || role(&replica) == "master");
        ready(&auth);
        wait_until("the sentinels agree", || sentinels.primary(0) == replica.port());
        assert_eq!(log_out(&auth, &dead[3]).await, Value::Null, "the new primary is told");
        eventually("nothing waits", async || waiting(&auth).await == 0);
        assert!(dead[..4].iter().all(|login| ask(&replica, login) == "NO_SESSION"));
        assert!(alive.iter().all(|login| ask(&replica, login) == "OK"));

        auth.redis.thaw();
        let (mut looks, mut revoked_accepted, mut lost) = (0, 0, 0);
        // It calls itself the primary until the sentinels tell it otherwise.
        while role(&auth.redis) != "slave" || looks < 3 {
            let (here, there) = (accepted(&auth, &dead[..4]), accepted(&other, &dead[..4]));
            revoked_accepted += here.await + there.await;
            let (here, there) = (accepted(&auth, &alive), accepted(&other, &alive));
            lost += 2 * alive.len() - (here.await + there.await);
            looks += 1;
        }
        assert_eq!(log_out(&other, &dead[4]).await, Value::Null);
        assert_eq!(log_out(&auth, &dead[5]).await, Value::Null);
        revoked_accepted += accepted(&auth, &dead).await + accepted(&other, &dead).await;
        assert_eq!((revoked_accepted, lost), (0, 0), "{}", server.name);
        println!(
            "{}: sentinels, a primary that hangs: looks {looks}, revoked accepted 0, lost 0",
            server.name
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_failover_is_followed_though_no_connection_breaks() {
    let Watched { auth, replica, sentinels } = watched(&servers()[0]).await;
    let alive = people(&auth, 0, 2).await;
    // A sentinel that hangs must not be waited for.
    sentinels.freeze(0);
    let mut fail_over = redis::cmd("SENTINEL");
    fail_over.arg("FAILOVER").arg("ledgers").exec(&mut sentinels.connection(1)).unwrap();
    wait_until("the sentinels promote the replica", || role(&replica) == "master");
    eventually("the new primary is told of logouts", async || {
        let login = auth.logged_in("leaver").await;
        log_out(&auth, &login).await == Value::Null && ask(&replica, &login) == "NO_SESSION"
    });
    assert_eq!(accepted(&auth, &alive).await, 2);
    assert!(alive.iter().all(|login| ask(&replica, login) == "OK"));
}
