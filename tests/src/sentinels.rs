//! Sentinels that watch a primary and put a replica in its place.

use std::fs;

use nix::sys::signal::Signal;
use redis::{Client, Connection};

use crate::process::Process;
use crate::redis_server::Redis;
use crate::wait::{free_port, wait_until};
use crate::workspace::Directory;

/// What they call the primary.
const NAME: &str = "ledgers";

/// Running sentinels.
pub struct Sentinels {
    each: Vec<Sentinel>,
}

struct Sentinel {
    port: u16,
    // The process must be gone before its directory.
    process: Process,
    _directory: Directory,
}

impl Sentinels {
    /// Has some watch a primary whose replicas it knows already, and waits until all know each other
    /// and that many replicas. Most of them must agree on anything.
    #[track_caller]
    pub fn watch(primary: &Redis, count: usize, replicas: usize) -> Self {
        let quorum = count / 2 + 1;
        let monitor = format!("sentinel monitor {NAME} 127.0.0.1 {} {quorum}", primary.port());
        let each = (0..count).map(|_| Sentinel::start(primary, &monitor, "port", &[])).collect();
        let sentinels = Self { each };
        for sentinel in &sentinels.each {
            wait_until("the sentinels know what there is", || {
                let log = sentinel.process.log();
                let known = |what: &str| log.lines().filter(|line| line.contains(what)).count();
                known("+slave slave") >= replicas && known("+sentinel sentinel") + 1 >= count
            });
        }
        sentinels
    }

    /// One that speaks nothing but TLS, as these lines say, of a primary on that port.
    #[track_caller]
    pub fn behind_tls(primary: &Redis, port: u16, lines: &[&str]) -> Self {
        let monitor = format!("sentinel monitor {NAME} 127.0.0.1 {port} 1");
        let lines = [&["port 0"], lines].concat();
        Self { each: vec![Sentinel::start(primary, &monitor, "tls-port", &lines)] }
    }

    /// What a client is configured with.
    pub fn url(&self) -> String {
        let hosts: Vec<String> =
            self.each.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
        format!("redis+sentinel://{}/{NAME}", hosts.join(","))
    }

    /// A connection to one of them.
    #[track_caller]
    pub fn connection(&self, number: usize) -> Connection {
        let url = format!("redis://127.0.0.1:{}", self.each[number].port);
        let connection = Client::open(url).and_then(|client| client.get_connection());
        connection.expect("a running sentinel accepts connections")
    }

    /// Stops one where it stands, as a machine that hangs.
    pub fn freeze(&self, number: usize) {
        self.each[number].process.signal(Signal::SIGSTOP);
    }

    /// The port of the primary, as one of them has it.
    #[track_caller]
    pub fn primary(&self, number: usize) -> u16 {
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(NAME);
        let (_, port): (String, u16) =
            ask.query(&mut self.connection(number)).expect("a sentinel knows its primary");
        port
    }
}

impl Sentinel {
    fn start(primary: &Redis, monitor: &str, listens_on: &str, further: &[&str]) -> Self {
        let (port, directory) = (free_port(), Directory::new());
        let file = directory.path().join("sentinel.conf");
        let own = [
            format!("{listens_on} {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", directory.path().display()),
            monitor.to_owned(),
            format!("sentinel down-after-milliseconds {NAME} 500"),
            format!("sentinel failover-timeout {NAME} 3000"),
        ];
        let lines: Vec<&str> =
            own.iter().map(String::as_str).chain(further.iter().copied()).collect();
        fs::write(&file, lines.join("\n") + "\n").expect("the directory is writable");
        let arguments = [file.display().to_string(), "--sentinel".to_owned()];
        let log = directory.path().join("sentinel.log");
        let process = Process::start(&primary.server().program, &arguments, &[], &log);
        let sentinel = Self { port, process, _directory: directory };
        wait_until("a sentinel listens", || {
            std::net::TcpStream::connect(("127.0.0.1", sentinel.port)).is_ok()
        });
        sentinel
    }
}
