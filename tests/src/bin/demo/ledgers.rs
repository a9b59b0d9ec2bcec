//! The private Redis: one, or a cluster of three primaries and their replicas.

use portcullis_tests::{Cluster, Redis, RedisOptions};

use crate::screen::Screen;

/// What a Redis that holds ledgers should have: every change on disk, nothing evicted.
const RECOMMENDED: &[&str] = &[
    "--appendonly",
    "yes",
    "--appendfsync",
    "everysec",
    "--maxmemory-policy",
    "noeviction",
    "--enable-debug-command",
    "no",
    "--enable-module-command",
    "no",
];

/// Nobody who watches waits for long until a replica takes over.
const SOON: &[&str] = &["--cluster-node-timeout", "2000"];

/// How much of a Redis there is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    One,
    /// Three primaries, each with a replica.
    Cluster,
}

/// The private Redis.
pub(crate) enum Ledgers {
    One(Redis),
    Cluster {
        // Fields drop in this order: replicas before whom they follow.
        replicas: Vec<Redis>,
        cluster: Cluster,
    },
}

impl Ledgers {
    /// Starts it.
    pub(crate) fn start(screen: Screen, size: Size) -> Self {
        match size {
            Size::One => {
                screen.progress(
                    "starting a private redis-server with the module, append-only file on",
                );
                Self::One(options().tcp().start())
            }
            Size::Cluster => {
                screen.progress("starting a private cluster: three primaries with the module");
                let options = options().arguments(SOON);
                let cluster = Cluster::start(&options);
                screen.progress("and a replica of each");
                let replicas =
                    cluster.nodes.iter().map(|node| cluster.replica_of(node, &options)).collect();
                Self::Cluster { replicas, cluster }
            }
        }
    }

    /// For the service.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::One(redis) => redis.url(),
            Self::Cluster { cluster, .. } => cluster.url(),
        }
    }

    /// How `redis-cli` is told where it is.
    pub(crate) fn redis_cli(&self) -> Vec<String> {
        let (first, follows): (_, &[&str]) = match self {
            Self::One(redis) => (redis, &[]),
            Self::Cluster { cluster, .. } => (&cluster.nodes[0], &["-c"]),
        };
        let port = first.port().to_string();
        follows.iter().copied().chain(["-p", &*port]).map(String::from).collect()
    }

    /// Says who is there of a cluster, and what can be tried with it.
    pub(crate) fn show_around(&self, screen: Screen) {
        let Self::Cluster { replicas, cluster } = self else { return };
        for (primary, replica) in cluster.nodes.iter().zip(replicas) {
            let ports = (primary.port(), replica.port());
            screen.answer(&format!("primary    {}, replica {}", ports.0, ports.1));
        }
        screen.note("kill a primary and log in again: its replica takes over within seconds");
        // Not the one that the commands below ask.
        screen.command(&format!("kill -9 {}", cluster.nodes[1].pid()));
    }
}

/// The module vouches for nothing before the service has confirmed it.
fn options() -> RedisOptions {
    let strict = ["require-confirm", "yes", "require-fence", "yes"];
    Redis::options().arguments(RECOMMENDED).module_arguments(&strict)
}
