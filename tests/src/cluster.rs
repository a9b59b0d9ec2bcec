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
}

impl Cluster {
    /// Starts nodes as `options` say and waits until each of them says `cluster_state:ok`.
    #[track_caller]
    pub fn start(options: &RedisOptions) -> Self {
        let nodes: Vec<Redis> = RANGES.iter().map(|_| node(options)).collect();
        for ((node, (first, last)), epoch) in nodes.iter().zip(RANGES).zip(1..) {
            let mut connection = node.connection();
            cluster(&mut connection, &["SET-CONFIG-EPOCH", &format!("{epoch}")]);
            cluster(&mut connection, &["ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
        }
        let mut first = nodes[0].connection();
        for node in &nodes[1..] {
            let (port, bus) = (node.port().to_string(), bus_port(node).to_string());
            cluster(&mut first, &["MEET", "127.0.0.1", &port, &bus]);
        }
        for node in &nodes {
            let mut connection = node.connection();
            wait_until("the cluster is whole", || {
                let state = cluster(&mut connection, &["INFO"]);
                state.contains("cluster_state:ok") && state.contains("cluster_known_nodes:3")
            });
        }
        Self { nodes }
    }

    /// Starts a replica of one of the nodes; waits until it has its primary's data, and its primary
    /// knows it as a replica.
    #[track_caller]
    pub fn replica_of(&self, primary: &Redis, options: &RedisOptions) -> Redis {
        let replica = node(options);
        let mut connection = replica.connection();
        let (port, bus) = (primary.port().to_string(), bus_port(primary).to_string());
        cluster(&mut connection, &["MEET", "127.0.0.1", &port, &bus]);
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
            self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
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

fn node(options: &RedisOptions) -> Redis {
    let bus = free_port().to_string();
    let clustered = ["--cluster-enabled", "yes", "--cluster-port", &bus];
    options.clone().tcp().arguments(&clustered).start()
}

fn bus_port(node: &Redis) -> u16 {
    let answer: (String, u16) = redis::cmd("CONFIG")
        .arg("GET")
        .arg("cluster-port")
        .query(&mut node.connection())
        .expect("CONFIG GET answers");
    answer.1
}

#[track_caller]
fn cluster(connection: &mut Connection, arguments: &[&str]) -> String {
    redis::cmd("CLUSTER").arg(arguments).query(connection).expect("the cluster command is accepted")
}
