//! Three primaries with a replica each, two instances of the service, and people of whom it is known who
//! has logged out.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis_tests::{Cluster, Instance, Login, Redis, Server, Service};
use serde_json::json;

use crate::proxy::Proxy;
use crate::stage::database_behind_a_proxy;
use crate::talk::{confirming, eventually, ready, waiting};

pub(super) struct Spread {
    pub(super) name: String,
    pub(super) auth: Service,
    pub(super) other: Instance,
    pub(super) mysql: Proxy,
    /// The primaries, as they were at the start, and then their replicas.
    pub(super) nodes: Vec<Redis>,
    pub(super) people: Vec<Login>,
    gone: Vec<Login>,
    joined: usize,
    looks: usize,
}

impl Spread {
    pub(super) async fn start(server: &Server) -> Self {
        let timeout = ["--cluster-node-timeout", "1500", "--cluster-require-full-coverage", "no"];
        let options = confirming().server(server).arguments(&timeout);
        let cluster = Cluster::start(&options);
        let replicas: Vec<Redis> =
            cluster.nodes.iter().map(|primary| cluster.replica_of(primary, &options)).collect();
        let (url, mut nodes) = (cluster.url(), cluster.nodes);
        nodes.extend(replicas);
        let (mysql, _, database) = database_behind_a_proxy();
        // What a service of a test holds is of no use here.
        let auth = Service::on(Redis::start(), &database, |settings| {
            settings.stores.redis_url = Some(url.into());
            // Many servers share this machine.
            settings.stores.redis_deadline = Duration::from_secs(2);
            settings.stores.db_deadline = Duration::from_secs(5);
        })
        .await;
        ready(&auth);
        let other = auth.another(2, |_| {}).await;
        let name = server.name.clone();
        let (people, gone, joined, looks) = (Vec::new(), Vec::new(), 0, 0);
        Self { name, auth, other, mysql, nodes, people, gone, joined, looks }
    }

    pub(super) async fn join(&mut self, count: usize) {
        for _ in 0..count {
            self.people.push(self.auth.logged_in(&format!("user{}", self.joined)).await);
            self.joined += 1;
        }
    }

    /// Somebody leaves, by way of the instance that has not had them; what is said of the propagation.
    /// It refuses them from then on, and so does everybody who was not said to be *pending*: others hear
    /// of what waits at their next look at the outbox.
    pub(super) async fn log_out(&mut self, at: usize) -> String {
        let login = self.people.remove(at);
        let answer = self.other.post_as(&login.access, "/logout", json!({})).await.must_be(200);
        let told = answer.json["propagation"].as_str().unwrap_or("confirmed").to_owned();
        if told == "pending" {
            eventually("the other instance has heard of it", async || {
                self.auth.get_as(&login.access, "/verify").await.status != 200
            });
        }
        self.gone.push(login);
        told
    }

    /// Everybody leaves at once; what is said of the propagation.
    pub(super) async fn log_everybody_out(&mut self, root: &Login) -> String {
        let path = "/admin/logout-everyone";
        let answer = self.other.post_as(&root.access, path, json!({})).await.must_be(200);
        self.gone.append(&mut self.people);
        answer.json["propagation"].as_str().unwrap_or("confirmed").to_owned()
    }

    /// While a primary is away, and until a replica has taken its place, somebody is still to be told.
    pub(super) fn cannot_have_heard(&self, told: &str, replica: Option<usize>) {
        let is_replaced = replica.is_some_and(|at| role(&self.nodes[at]) == "master");
        assert!(told == "pending" || is_replaced, "{}: told {told}", self.name);
    }

    /// How many times any instance accepts any of these.
    pub(super) async fn accepted(&self, people: &[usize]) -> usize {
        let logins: Vec<&Login> = people.iter().map(|at| &self.people[*at]).collect();
        self.accepted_of(&logins).await
    }

    async fn accepted_of(&self, logins: &[&Login]) -> usize {
        let mut accepted = 0;
        for at in [&*self.auth, &*self.other] {
            for login in logins {
                let status = at.get_as(&login.access, "/verify").await.status.as_u16();
                accepted += usize::from(status == 200);
            }
        }
        accepted
    }

    /// Both instances refuse whoever left and accept everybody else.
    #[track_caller]
    pub(super) fn look(&mut self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            self.looks += 1;
            let gone: Vec<&Login> = self.gone.iter().collect();
            let there: Vec<&Login> = self.people.iter().collect();
            let (revoked, live) = (self.accepted_of(&gone).await, self.accepted_of(&there).await);
            assert_eq!((revoked, live), (0, 2 * there.len()), "{} at {caller}", self.name);
        }
    }

    /// All is well again, and every ledger is what it should be.
    pub(super) async fn settle(&mut self) {
        let (auth, other) = (&self.auth.app.ledgers, &self.other.app.ledgers);
        eventually("both instances believe all", async || {
            auth.is_believed() && other.is_believed()
        });
        self.nothing_waits();
        ready(&self.auth);
        self.look().await;
        for login in &self.people {
            eventually("whoever is there is known to Redis", async || self.ask(login) == "OK");
        }
        for login in &self.gone {
            let verdict = self.ask(login);
            assert!(["NO_SESSION", "LOGGED_OUT"].contains(&&*verdict), "{}: {verdict}", self.name);
        }
    }

    pub(super) fn nothing_waits(&self) {
        eventually("nothing waits", async || waiting(&self.auth).await == 0);
    }

    pub(super) fn eventually_reaches_mysql(&self) {
        eventually("both instances reach MySQL", async || {
            let mut reached = true;
            for at in [&*self.auth, &*self.other] {
                let health = at.raw(reqwest::Method::GET, "/health").send().await.unwrap();
                let health: serde_json::Value = health.json().await.unwrap();
                reached &= health["services"]["database"]["healthy"] == true;
            }
            reached
        });
    }

    pub(super) fn counts(&self) -> String {
        let (looks, gone, there) = (self.looks, self.gone.len(), self.people.len());
        format!("looks {looks}, logged out {gone}, there {there}, revoked accepted 0, lost 0")
    }

    /// What somebody hears who asks whichever server has the user.
    fn ask(&self, login: &Login) -> String {
        let Some(at) = self.owner(self.slot(login)) else { return "nobody has it".to_owned() };
        let mut check = redis::cmd("AUTH.CHECK");
        check.arg(key(login)).arg(&login.access).arg("SESSION").arg(&login.session);
        let asked = self.nodes[at].try_connection().and_then(|mut it| check.query(&mut it));
        asked.unwrap_or_else(|error| error.to_string())
    }

    // --- who has what ---

    pub(super) fn slot(&self, login: &Login) -> u16 {
        let running = self.nodes.iter().find(|node| node.is_running()).expect("a node runs");
        let mut ask = redis::cmd("CLUSTER");
        ask.arg("KEYSLOT").arg(key(login)).query(&mut running.connection()).unwrap()
    }

    /// Which node has a slot, as most of those say who run.
    pub(super) fn owner(&self, slot: u16) -> Option<usize> {
        let mut votes = BTreeMap::<usize, usize>::new();
        for node in self.nodes.iter().filter(|node| node.is_running()) {
            let Ok(mut connection) = node.try_connection() else { continue };
            let asked = redis::cmd("CLUSTER").arg("NODES").query(&mut connection);
            let nodes: String = asked.unwrap_or_default();
            let port = nodes.lines().find_map(|line| port_of_owner(line, slot));
            let at = port.and_then(|port| self.nodes.iter().position(|it| it.port() == port));
            if let Some(at) = at {
                *votes.entry(at).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(at, _)| at)
    }

    fn node_with(&self, login: &Login) -> Option<usize> {
        self.owner(self.slot(login))
    }

    /// A node that has more than one of those who are there.
    pub(super) fn node_of_somebody(&self) -> usize {
        let mut of_node = BTreeMap::<usize, usize>::new();
        for login in &self.people {
            *of_node.entry(self.node_with(login).expect("everybody is somewhere")).or_default() +=
                1;
        }
        of_node.into_iter().max_by_key(|(_, count)| *count).expect("somebody is there").0
    }

    /// Somebody whom this node has.
    pub(super) fn somebody_of(&self, node: usize) -> usize {
        self.anybody_of(node).expect("the node has somebody")
    }

    /// The same, if there is anybody.
    pub(super) fn anybody_of(&self, node: usize) -> Option<usize> {
        self.people.iter().position(|login| self.node_with(login) == Some(node))
    }

    pub(super) fn people_elsewhere(&self, node: usize) -> Vec<usize> {
        let elsewhere = |at: &usize| self.node_with(&self.people[*at]) != Some(node);
        (0..self.people.len()).filter(elsewhere).collect()
    }

    /// A running replica of this node.
    pub(super) fn replica_of(&self, node: usize) -> usize {
        self.find_replica_of(node).expect("the node has a replica")
    }

    /// Nothing once it has taken another's place.
    pub(super) fn find_replica_of(&self, node: usize) -> Option<usize> {
        let port = self.nodes[node].port();
        let is_replica = |at: &usize| {
            let node = &self.nodes[*at];
            node.is_running() && primary_of(node) == Some(port)
        };
        (0..self.nodes.len()).find(is_replica)
    }

    pub(super) fn another_primary(&self, than: usize) -> usize {
        let is_another = |at: &usize| {
            *at != than && self.nodes[*at].is_running() && role(&self.nodes[*at]) == "master"
        };
        (0..self.nodes.len()).find(is_another).expect("there are several")
    }
}

fn key(login: &Login) -> String {
    format!("user:{}", login.user_id)
}

/// The port of the primary that has the slot, if this line of `CLUSTER NODES` is about that one.
fn port_of_owner(line: &str, slot: u16) -> Option<u16> {
    let words: Vec<&str> = line.split(' ').collect();
    let has = words.iter().skip(8).any(|word| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let range = (first.parse::<u16>(), last.parse::<u16>());
        matches!(range, (Ok(first), Ok(last)) if (first..=last).contains(&slot))
    });
    let address = words.get(1).filter(|_| has)?;
    address.split('@').next()?.rsplit(':').next()?.parse().ok()
}

/// What a server calls itself; nothing while it does not answer.
pub(super) fn role(server: &Redis) -> String {
    roles(server)
        .and_then(|mut roles| redis::from_redis_value(roles.remove(0)).ok())
        .unwrap_or_default()
}

fn primary_of(server: &Redis) -> Option<u16> {
    let roles = roles(server)?;
    let role: String = redis::from_redis_value(roles.first()?.clone()).ok()?;
    (role == "slave").then(|| redis::from_redis_value(roles.get(2)?.clone()).ok())?
}

fn roles(server: &Redis) -> Option<Vec<redis::Value>> {
    let mut connection = server.try_connection().ok()?;
    redis::cmd("ROLE").query::<Vec<redis::Value>>(&mut connection).ok().filter(|it| !it.is_empty())
}

/// Whether a replica has its primary's data.
pub(super) fn is_in_step(server: &Redis) -> bool {
    let info = server.try_connection().and_then(|mut connection| {
        redis::cmd("INFO").arg("replication").query::<String>(&mut connection)
    });
    info.is_ok_and(|info| info.contains("master_link_status:up"))
}
