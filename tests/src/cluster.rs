//! Three primaries that share all slots.

use redis::Connection;

use crate::redis_server::{Redis, RedisOptions};
use crate::wait::{free_port, wait_until};

/// Hash slots per node, the last one taking the rest.
const RANGES: [(u16, u16); 3] = [(0, 5460), (5461, 10922), (10923, 16383)];

/// A running cluster of three primaries; [`Cluster::replica_of`] adds replicas.
pub struct Cluster {
    /// The nodes, in the order of their slots.
    pub nodes: Vec<Redis>,
    ways: Vec<Way>,
}

/// Where a node listens: for clients, and for other nodes.
#[derive(Clone, Copy)]
struct Way {
    port: u16,
    bus: u16,
}

impl Cluster {
    /// Starts nodes as `options` say and waits until each of them says `cluster_state:ok`.
    #[track_caller]
    pub fn start(options: &RedisOptions) -> Self {
        let (nodes, ways) = RANGES.iter().map(|_| node(options)).unzip();
        Self { nodes, ways }.made_whole()
    }

    /// The same, of nodes that speak nothing but TLS to anybody, each other included: as these arguments
    /// say. Tests reach them by their sockets.
    #[track_caller]
    pub fn behind_tls(options: &RedisOptions, arguments: &[&str]) -> Self {
        let options = options.clone().arguments(arguments);
        let options = options.arguments(&["--tls-cluster", "yes", "--tls-replication", "yes"]);
        let node = || {
            let way = Way { port: free_port(), bus: free_port() };
            let tls = ["--tls-port".to_owned(), way.port.to_string()];
            (
                clustered(&options, way.bus).arguments(&tls.each_ref().map(String::as_str)).start(),
                way,
            )
        };
        let (nodes, ways) = RANGES.iter().map(|_| node()).unzip();
        Self { nodes, ways }.made_whole()
    }

    #[track_caller]
    fn made_whole(self) -> Self {
        let Self { nodes, ways } = &self;
        for ((node, (first, last)), epoch) in nodes.iter().zip(RANGES).zip(1..) {
            let mut connection = node.connection();
            cluster(&mut connection, &["SET-CONFIG-EPOCH", &format!("{epoch}")]);
            cluster(&mut connection, &["ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
        }
        let mut first = nodes[0].connection();
        for way in &ways[1..] {
            meet(&mut first, *way);
        }
        for node in nodes {
            let mut connection = node.connection();
            wait_until("the cluster is whole", || {
                let state = cluster(&mut connection, &["INFO"]);
                state.contains("cluster_state:ok") && state.contains("cluster_known_nodes:3")
            });
        }
        self
    }

    /// Starts so many nodes that know nobody, for whoever makes a cluster of them; and where each listens, as
    /// `redis-cli --cluster` is told.
    #[track_caller]
    pub fn strangers(options: &RedisOptions, count: usize) -> Vec<(Redis, String)> {
        let nodes = (0..count).map(|_| node(options));
        nodes.map(|(node, way)| (node, format!("127.0.0.1:{}@{}", way.port, way.bus))).collect()
    }

    /// Starts a replica of one of the nodes; waits until it has its primary's data, and its primary
    /// knows it as a replica.
    #[track_caller]
    pub fn replica_of(&self, primary: &Redis, options: &RedisOptions) -> Redis {
        let (replica, _) = node(options);
        let mut connection = replica.connection();
        let at = self.nodes.iter().position(|node| node.pid() == primary.pid());
        meet(&mut connection, self.ways[at.expect("it is one of them")]);
        let mut of_primary = primary.connection();
        let id = cluster(&mut of_primary, &["MYID"]);
        wait_until("the new node knows its primary", || {
            cluster(&mut connection, &["NODES"]).contains(&id)
                && cluster(&mut connection, &["INFO"]).contains("cluster_state:ok")
        });
        cluster(&mut connection, &["REPLICATE", &id]);
        wait_until("the replica is in step with its primary", || {
            let state: String =
                redis::cmd("INFO").arg("replication").query(&mut connection).unwrap_or_default();
            let nodes = cluster(&mut of_primary, &["NODES"]);
            state.contains("master_link_status:up") && nodes.contains(&format!("slave {id}"))
        });
        replica
    }

    /// What a client is configured with: some of the nodes.
    pub fn url(&self) -> String {
        let hosts: Vec<String> =
            self.ways.iter().map(|way| format!("127.0.0.1:{}", way.port)).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The node that holds `key`.
    #[track_caller]
    pub fn node_of(&self, key: &str) -> &Redis {
        let slot: u16 = redis::cmd("CLUSTER")
            .arg("KEYSLOT")
            .arg(key)
            .query(&mut self.nodes[0].connection())
            .expect("CLUSTER KEYSLOT answers");
        let at = RANGES.iter().position(|(first, last)| (*first..=*last).contains(&slot));
        &self.nodes[at.expect("every slot is in a range")]
    }
}

fn node(options: &RedisOptions) -> (Redis, Way) {
    let bus = free_port();
    let node = clustered(options, bus).tcp().start();
    let port = node.port();
    (node, Way { port, bus })
}

fn clustered(options: &RedisOptions, bus: u16) -> RedisOptions {
    options.clone().arguments(&["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()])
}

#[track_caller]
fn meet(connection: &mut Connection, way: Way) {
    cluster(connection, &["MEET", "127.0.0.1", &way.port.to_string(), &way.bus.to_string()]);
}

#[track_caller]
fn cluster(connection: &mut Connection, arguments: &[&str]) -> String {
    redis::cmd("CLUSTER").arg(arguments).query(connection).expect("the cluster command is accepted")
}
