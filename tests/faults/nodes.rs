//! A node of a cluster that starts from what it had saved, in which a mark is recent. What the mark says is
//! said of the slots that the node had had for a while by then.

use portcullis_core::{Slots, slot_of};
use portcullis_tests::{Cluster, Database, Login, Redis, Service};
use serde_json::json;

use crate::talk::{
    confirming, eventually, forget_commits, info, mark, ready, set_mark, verdict, waiting,
};

/// A service on a cluster, and three users on the same node of it. The ledger of one is gone: it comes back if
/// everybody's is filled in, and only then. One has ended, of which nobody was told.
struct Scene {
    auth: Service,
    cluster: Cluster,
    node: usize,
    alice: Login,
    bystander: Login,
    ended: Login,
}

impl Scene {
    async fn new() -> Self {
        let cluster = Cluster::start(&confirming());
        let url = cluster.url();
        let database = Database::shared().fresh_database("nodes");
        let auth = Service::on(Redis::start(), &database, |settings| {
            settings.stores.redis_url = Some(url.into());
        })
        .await;
        ready(&auth);
        let mut people = Vec::<Login>::new();
        let holder = |login: &Login| cluster.node_of(&format!("user:{}", login.user_id)).pid();
        for number in 0.. {
            let login = auth.logged_in(&format!("user{number}")).await;
            if people.first().is_none_or(|first| holder(first) == holder(&login)) {
                people.push(login);
            }
            if people.len() == 3 {
                break;
            }
        }
        let [alice, bystander, ended] = people.try_into().unwrap();
        let node = cluster.nodes.iter().position(|node| node.pid() == holder(&alice)).unwrap();
        eventually("nothing waits", async || waiting(&auth).await == 0);
        let mut scene = Self { auth, cluster, node, alice, bystander, ended };
        scene.forget_bystander();
        scene.end_unheard().await;
        scene
    }

    fn node(&self) -> &Redis {
        &self.cluster.nodes[self.node]
    }

    fn other(&self) -> &Redis {
        &self.cluster.nodes[(self.node + 1) % self.cluster.nodes.len()]
    }

    /// The bystander's ledger.
    fn key(&self) -> String {
        format!("user:{}", self.bystander.user_id)
    }

    fn forget_bystander(&self) {
        redis::cmd("DEL").arg(self.key()).exec(&mut self.node().connection()).unwrap();
    }

    /// Tells a node that the bystander's slot is on its way from or to another one, or stays.
    fn set_slot(&self, at: &Redis, state: &str, from_or_to: &Redis) {
        let id: String =
            redis::cmd("CLUSTER").arg("MYID").query(&mut from_or_to.connection()).unwrap();
        let mut set = redis::cmd("CLUSTER");
        set.arg("SETSLOT").arg(slot_of(self.key().as_bytes())).arg(state);
        let set = if state == "STABLE" { &mut set } else { set.arg(id) };
        set.exec(&mut at.connection()).unwrap();
    }

    /// Ends a session in MySQL, and deletes whatever would tell of it or of the bystander.
    async fn end_unheard(&mut self) {
        let db = self.auth.db();
        let end = "update user_sessions set is_active = false, ended_at = utc_timestamp(3), \
                          ended_reason = 'logout' where id = ?";
        sqlx::query(end).bind(&self.ended.session).execute(db).await.unwrap();
        let idle = "update user_sessions set last_activity = last_activity - interval 1 hour";
        sqlx::query(idle).execute(db).await.unwrap();
        sqlx::query("delete from revocation_outbox").execute(db).await.unwrap();
        forget_commits(self.cluster.node_of("portcullis:commits:user:"));
        self.auth.restart().await;
        ready(&self.auth);
    }

    /// `had` says for how many minutes the node has had its slots. What it is told meanwhile is lost.
    async fn starts_from_what_it_has_now(&mut self, had: i32) {
        let since = "update ledger_lives set vouched_at = utc_timestamp(3) - interval ? minute";
        sqlx::query(since).bind(had).execute(self.auth.db()).await.unwrap();
        redis::cmd("SAVE").exec(&mut self.node().connection()).unwrap();
        self.auth.post_as(&self.alice.access, "/logout", json!({})).await.must_be(200);
        eventually("it is told", async || waiting(&self.auth).await == 0);
        let node = &mut self.cluster.nodes[self.node];
        node.kill();
        node.start_again();
        eventually("it is confirmed", async || info(self.node(), "portcullis_confirmed") == "1");
        ready(&self.auth);
    }

    /// What the node says of alice, of the bystander, and of whoever has ended.
    fn verdicts(&self) -> [String; 3] {
        [&self.alice, &self.bystander, &self.ended].map(|login| verdict(self.node(), login))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_has_changed_is_compared_on_a_node_that_has_had_its_slots_for_a_while() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.verdicts(), ["OK", "NO_SESSION", "OK"]);
    scene.starts_from_what_it_has_now(60).await;
    assert_eq!(scene.verdicts(), ["NO_SESSION", "NO_SESSION", "OK"], "nothing told of the others");
}

/// With a slot may have come a ledger that is older than the mark.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_compared_where_slots_may_have_come_since_the_mark() {
    let mut scene = Scene::new().await;
    scene.starts_from_what_it_has_now(-60).await;
    assert_eq!(scene.verdicts(), ["NO_SESSION", "OK", "NO_SESSION"]);
}

/// Ledgers may have left, of which a replica that takes over knows nothing: only the other end says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_compared_while_a_slot_is_on_its_way() {
    let mut scene = Scene::new().await;
    scene.set_slot(scene.other(), "IMPORTING", scene.node());
    scene.starts_from_what_it_has_now(60).await;
    assert_eq!(scene.verdicts(), ["NO_SESSION", "OK", "NO_SESSION"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_is_leaving_is_vouched_for_again_when_it_was_compared() {
    let scene = Scene::new().await;
    let (node, other) = (scene.node(), scene.other());
    let slot = slot_of(scene.key().as_bytes());
    let is_vouched_for = async || {
        let slots = "select coalesce(slots, '') from ledger_lives where run_id = ?";
        let asked = sqlx::query_scalar::<_, String>(slots).bind(info(node, "run_id"));
        Slots::parse(&asked.fetch_one(scene.auth.db()).await.unwrap()).has(slot)
    };
    assert!(is_vouched_for().await);
    scene.set_slot(node, "MIGRATING", other);
    eventually("nobody vouches for it", async || !is_vouched_for().await);
    assert_eq!(verdict(node, &scene.alice), "OK", "others stay as they are");
    scene.set_slot(node, "STABLE", node);
    eventually("somebody does again", is_vouched_for);
    assert_eq!(scene.verdicts()[1], "OK", "its ledger is there again");
}

/// Who has moved it may not have seen what left since, and came back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_compared_where_nobody_has_moved_the_mark_for_a_minute() {
    let mut scene = Scene::new().await;
    let written = mark(scene.node());
    let mut words: Vec<String> = written.split(' ').map(str::to_owned).collect();
    words[2] = (words[2].parse::<u64>().unwrap() - 120_000).to_string();
    set_mark(scene.node(), &words.join(" "));
    scene.starts_from_what_it_has_now(60).await;
    assert_eq!(scene.verdicts(), ["NO_SESSION", "OK", "NO_SESSION"]);
}
