//! Three MariaDB servers that form a group: each takes changes, and what one commits all have (Galera).

use std::env::{join_paths, split_paths};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::kind::copy;
use super::{Database, DatabaseKind};
use crate::node::skipped;
use crate::tell::tell;
use crate::wait::{free_port, wait_until};
use crate::workspace::target;

/// How many nodes a group has.
const NODES: usize = 3;
/// Nobody is put out of the group because this machine is busy.
const PATIENCE: &str = "evs.suspect_timeout=PT60S;evs.inactive_timeout=PT60S;\
                        evs.install_timeout=PT60S;evs.join_retrans_period=PT1S";

/// A running group.
pub struct Galera {
    /// Its servers.
    pub nodes: Vec<Database>,
}

impl Galera {
    /// The one that all tests of this process share. Where it is missing there is none; that is said, and
    /// on a CI machine it is a failure. Nor is there one while the tests run on MySQL, which has no part in
    /// it.
    #[track_caller]
    pub fn shared() -> Option<&'static Self> {
        static SHARED: LazyLock<Galera> = LazyLock::new(Galera::start);
        if DatabaseKind::chosen() == DatabaseKind::MySql {
            tell("a group of MariaDB servers is tried where the tests run on MariaDB");
            return None;
        }
        if !provider().is_file() {
            skipped("Galera");
            return None;
        }
        Some(&SHARED)
    }

    /// Makes a new database whose name starts with `name` and returns its URL at each node.
    #[track_caller]
    pub fn fresh_database(&self, name: &str) -> Vec<String> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("{name}_{}", MADE.fetch_add(1, Ordering::Relaxed));
        self.nodes[0].execute(&format!("create database `{name}`"));
        for node in &self.nodes {
            wait_until("every node has the database", || {
                node.execute("show databases").lines().any(|it| it == name)
            });
        }
        self.nodes.iter().map(|node| node.url(&name)).collect()
    }

    #[track_caller]
    fn start() -> Self {
        let ports: Vec<u16> = (0..NODES).map(|_| free_port()).collect();
        let mut nodes: Vec<Database> = ports.iter().map(|port| node(*port, &ports)).collect();
        let first = &mut nodes[0];
        first.kind.prepare(&first.data(), &first.temporary());
        first.found_group();
        first.stop();
        let data = first.data();
        for node in &nodes[1..] {
            copy(data.clone(), &node.data());
            drop(fs::remove_file(node.data().join("galera.cache")));
            drop(fs::remove_file(node.data().join("gvwstate.dat")));
        }
        nodes[0].found_group();
        for node in &mut nodes[1..] {
            node.launch();
        }
        for node in &nodes {
            wait_until("the group is whole", || {
                let size = node.execute("show status like 'wsrep_cluster_size'");
                let state = node.execute("show status like 'wsrep_local_state_comment'");
                size.trim().ends_with(&NODES.to_string()) && state.trim().ends_with("Synced")
            });
        }
        let version = nodes[0].execute("select version()");
        let provider = nodes[0].execute("show status like 'wsrep_provider_version'");
        let provider = provider.split_whitespace().last().unwrap_or_default();
        tell(&format!("group: {NODES} nodes of {}, Galera {provider}", version.trim()));
        Self { nodes }
    }
}

impl Database {
    /// Starts it as the first of its group, which has to be said once.
    fn found_group(&mut self) {
        self.further.push("--wsrep-new-cluster".to_owned());
        self.launch();
        self.further.pop();
    }
}

/// A node that listens to the others on this port.
fn node(port: u16, ports: &[u16]) -> Database {
    let (ist, sst) = (free_port(), free_port());
    let all: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let further = [
        "--wsrep-on=ON".to_owned(),
        format!("--wsrep-provider={}", provider().display()),
        format!("--wsrep-cluster-address=gcomm://{}", all.join(",")),
        format!("--wsrep-node-name=at{port}"),
        format!("--wsrep-node-address=127.0.0.1:{port}"),
        format!(
            "--wsrep-provider-options=base_host=127.0.0.1;base_port={port};\
             gmcast.listen_addr=tcp://127.0.0.1:{port};ist.recv_addr=127.0.0.1:{ist};\
             gcache.size=32M;{PATIENCE}"
        ),
        "--wsrep-sst-method=rsync".to_owned(),
        format!("--wsrep-sst-receive-address=127.0.0.1:{sst}"),
        "--binlog-format=ROW".to_owned(),
        "--innodb-autoinc-lock-mode=2".to_owned(),
    ];
    let further: Vec<&str> = further.iter().map(String::as_str).collect();
    let mut node = Database::empty(DatabaseKind::MariaDb, free_port(), &further);
    node.environment = vec![("PATH".to_owned(), path())];
    node
}

/// With what copies data from node to node.
#[expect(clippy::disallowed_methods, reason = "PATH is how programs are found")]
fn path() -> String {
    let usual = std::env::var_os("PATH").unwrap_or_default();
    let all = join_paths([place().join("usr/bin")].into_iter().chain(split_paths(&usual)));
    all.expect("no folder has a colon in its name").to_string_lossy().into_owned()
}

fn provider() -> PathBuf {
    place().join(Path::new("usr/lib/galera/libgalera_smm.so"))
}

/// Where `make install` puts it.
fn place() -> PathBuf {
    target().join("servers/galera")
}
