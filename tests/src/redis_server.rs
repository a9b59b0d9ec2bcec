//! A private `redis-server` with the module, on a unix socket in its own directory.
//!
//! Its data outlives [`Redis::kill`] and [`Redis::stop`], so that a test can start it again; the
//! value's end removes everything.

mod options;

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use redis::{Client, Connection, RedisResult};

use crate::network::Place;
use crate::process::Process;
use crate::servers::{Server, usual_server};
use crate::wait::{free_port, wait_until};
use crate::workspace::Directory;

pub use options::RedisOptions;

/// A test that hangs says nothing, so no answer may take longer.
const ANSWER: Duration = Duration::from_mins(1);

impl RedisOptions {
    /// Starts it and waits until it answers.
    #[track_caller]
    pub fn start(self) -> Redis {
        self.try_start().unwrap_or_else(|log| panic!("redis-server ended at its start:\n{log}"))
    }

    /// As [`Self::start`], for servers that may refuse; the error is what it logged.
    #[track_caller]
    pub fn try_start(self) -> Result<Redis, String> {
        let directory = Directory::new();
        let server = self.server.clone().unwrap_or_else(|| usual_server().clone());
        let port = if self.tcp { free_port() } else { 0 };
        let (arguments, place) = (Vec::new(), self.place.clone());
        let mut redis = Redis { arguments, process: None, server, port, place, directory };
        redis.arguments = self.command_line(port, &redis.socket(), redis.data());
        redis.launch()?;
        Ok(redis)
    }
}

/// A running (or stopped) server and its data.
pub struct Redis {
    // Fields drop in this order: the process must be gone before its directory.
    process: Option<Process>,
    arguments: Vec<String>,
    server: Server,
    port: u16,
    place: Option<Place>,
    directory: Directory,
}

impl Redis {
    /// The system's `redis-server` with the module and nothing written to disk.
    #[track_caller]
    pub fn start() -> Self {
        Self::options().start()
    }

    /// As [`Redis::start`], with settings: `Redis::with(&["--appendonly", "yes"])`.
    #[track_caller]
    pub fn with(arguments: &[&str]) -> Self {
        Self::options().arguments(arguments).start()
    }

    /// Everything that can be chosen.
    pub fn options() -> RedisOptions {
        RedisOptions::new()
    }

    /// A new connection over the unix socket.
    #[track_caller]
    pub fn connection(&self) -> Connection {
        self.try_connection().expect("a running redis-server accepts connections")
    }

    /// As [`Redis::connection`], for a server that may refuse.
    pub fn try_connection(&self) -> RedisResult<Connection> {
        let connection = Client::open(self.socket_url())?.get_connection_with_timeout(ANSWER)?;
        connection.set_read_timeout(Some(ANSWER))?;
        Ok(connection)
    }

    /// What a client is configured with: TCP if there is a port, else the socket.
    pub fn url(&self) -> String {
        if self.port == 0 { self.socket_url() } else { format!("redis://127.0.0.1:{}", self.port) }
    }

    /// The unix socket's path.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    /// The TCP port, 0 without one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps its RDB and AOF files.
    pub fn data(&self) -> &Path {
        self.directory.path()
    }

    /// Which program it is.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Its process id. Panics when it does not run.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.running().pid()
    }

    /// Whether it has been started and not been stopped.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// What it has logged, earlier lives included.
    pub fn log(&self) -> String {
        std::fs::read(self.log_file())
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .unwrap_or_default()
    }

    /// Ends it in good order without a snapshot: `SHUTDOWN NOSAVE`.
    #[track_caller]
    pub fn stop(&mut self) {
        self.shut_down("NOSAVE");
    }

    /// Ends it in good order with a snapshot: `SHUTDOWN SAVE`.
    #[track_caller]
    pub fn stop_and_save(&mut self) {
        self.shut_down("SAVE");
    }

    /// Asks it to end, as `systemctl stop` does; [`Redis::has_ended_well`] waits for that.
    #[track_caller]
    pub fn terminate(&self) {
        self.running().signal(Signal::SIGTERM);
    }

    /// Waits until it has ended; whether that was without a fault.
    #[track_caller]
    pub fn has_ended_well(&mut self) -> bool {
        self.process.take().expect("this redis-server has been stopped").wait()
    }

    /// `kill -9`, waited for.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops it where it stands, as a machine that hangs; [`Redis::thaw`] lets it go on.
    #[track_caller]
    pub fn freeze(&self) {
        self.running().signal(Signal::SIGSTOP);
    }

    /// Ends [`Redis::freeze`].
    #[track_caller]
    pub fn thaw(&self) {
        self.running().signal(Signal::SIGCONT);
    }

    /// Starts it again on the data, the socket and the port it had.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.try_start_again()
            .unwrap_or_else(|log| panic!("redis-server ended at its second start:\n{log}"));
    }

    /// As [`Self::start_again`], for servers that may refuse; the error is what it logged.
    #[track_caller]
    pub fn try_start_again(&mut self) -> Result<(), String> {
        assert!(self.process.is_none(), "stop or kill it first");
        self.launch()
    }

    /// Makes it a replica and waits until it has the primary's data. Both need [`RedisOptions::tcp`].
    #[track_caller]
    pub fn replica_of(&self, primary: &Self) {
        assert!(self.port != 0 && primary.port != 0, "replication needs Redis::options().tcp()");
        self.follow(primary.port);
    }

    /// The same, by whatever listens on a loopback port.
    #[track_caller]
    pub fn follow(&self, port: u16) {
        let mut connection = self.connection();
        let mut follow = redis::cmd("REPLICAOF");
        follow.arg("127.0.0.1").arg(port).exec(&mut connection).expect("REPLICAOF is accepted");
        wait_until("the replica is in step with its primary", || {
            let state: String =
                redis::cmd("INFO").arg("replication").query(&mut connection).unwrap_or_default();
            state.contains("master_link_status:up")
        });
    }

    fn socket_url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("redis.log")
    }

    #[track_caller]
    fn running(&self) -> &Process {
        self.process.as_ref().expect("this redis-server has been stopped")
    }

    #[track_caller]
    fn shut_down(&mut self, how: &str) {
        let mut connection = self.connection();
        // The answer to a SHUTDOWN that works is a closed connection.
        drop(redis::cmd("SHUTDOWN").arg(how).exec(&mut connection));
        let mut process = self.process.take().expect("this redis-server has been stopped");
        assert!(process.wait(), "SHUTDOWN {how} failed:\n{}", process.log());
    }

    /// Starts the program; the error is its log if it ends instead of answering.
    fn launch(&mut self) -> Result<(), String> {
        let (program, log) = (&self.server.program, self.log_file());
        let mut process = match &self.place {
            Some(place) => place.start(program, &self.arguments, &[], &log),
            None => Process::start(program, &self.arguments, &[], &log),
        };
        let mut ended = false;
        wait_until("redis-server answers PING", || {
            ended = process.has_ended();
            ended || self.try_connection().is_ok_and(|mut connection| answers(&mut connection))
        });
        if ended {
            return Err(process.log());
        }
        self.process = Some(process);
        Ok(())
    }
}

/// `LOADING` is no answer yet.
fn answers(connection: &mut Connection) -> bool {
    redis::cmd("PING").query::<String>(connection).is_ok()
}
