//! The module alone, with senders that are no more than a shell and a socket.

use portcullis_tests::{
    Directory, Network, Process, Redis, Server, find_program, servers, wait_until,
};
use redis::{Cmd, Connection, Value};

use super::tally::Tally;
use crate::talk::calls;

const ROUTE: u8 = 0;
const KEY: &str = "user:1";
/// Writes what it finds in a file to a server, and then does nothing until it is killed.
const SENDER: &str = r#"exec 3<>"/dev/tcp/$1/$2"
until [ -s "$3" ]; do sleep 0.01; done
cat "$3" >&3
exec sleep 3600"#;

/// How a session ends while its beginning is under way.
#[derive(Clone, Copy, Debug)]
enum Ended {
    ByName,
    /// Nobody has told the ledger of it yet.
    BeforeItWasKnown,
    WithAll,
    WithAllButOne,
    ByEviction,
    ThenDeleted,
    ThenFlushed,
}

const ALL: [Ended; 7] = [
    Ended::ByName,
    Ended::BeforeItWasKnown,
    Ended::WithAll,
    Ended::WithAllButOne,
    Ended::ByEviction,
    Ended::ThenDeleted,
    Ended::ThenFlushed,
];

#[test]
fn f_01_what_a_dead_sender_began_stays_ended_on_every_server() {
    on_every_server(1);
}

#[test]
#[ignore = "minutes: the full count of dead senders"]
fn f_01_what_a_hundred_dead_senders_began_stays_ended_on_every_server() {
    on_every_server(15);
}

fn on_every_server(times: usize) {
    let Some(network) = Network::with_routes(1) else { return };
    // All of them before any is judged.
    let seen: Vec<Tally> = servers().iter().map(|server| on_one(&network, server, times)).collect();
    for tally in seen {
        tally.must_be_clean();
    }
}

fn on_one(network: &Network, server: &Server, times: usize) -> Tally {
    let stage = Stage::on(network, server);
    let mut tally = Tally::default();
    for round in 0..times * ALL.len() {
        stage.round(ALL[round % ALL.len()], round, &mut tally);
    }
    tally.crashes += usize::from(stage.life() != stage.first_life);
    tally.told(&format!("dead senders, {}", server.name))
}

struct Stage<'a> {
    network: &'a Network,
    redis: Redis,
    first_life: String,
}

impl<'a> Stage<'a> {
    fn on(network: &'a Network, server: &Server) -> Self {
        let redis = Redis::options().server(server).within(network.there()).start();
        let mut stage = Self { network, redis, first_life: String::new() };
        stage.first_life = stage.life();
        stage
    }

    fn round(&self, ended: Ended, round: usize, tally: &mut Tally) {
        let mut redis = self.redis.connection();
        let session = format!("session-{round}");
        let sender = Sender::connected(self.network, &self.redis);
        let begin = begin(&session, &fence(&mut redis), &[]);
        self.network.cut(ROUTE);
        sender.write(&begin.get_packed_command(), self.network);
        let is_known = !matches!(ended, Ended::BeforeItWasKnown);
        if is_known {
            // Somebody else has told the ledger as well, as the next instance does.
            done(&mut redis, &begin);
            assert_eq!(verdict(&mut redis, &session), "OK");
        }
        sender.die(self.network);

        let survivor = format!("survivor-{round}");
        end(&mut redis, ended, &session, &survivor);
        let after = begins_after(&mut redis, ended, &survivor);
        assert_eq!(verdict(&mut redis, &session), "NO_SESSION", "{ended:?}");

        let before = begun(&mut redis);
        self.network.heal(ROUTE);
        wait_until("Redis has been given what the dead sender wrote", || {
            begun(&mut redis) > before
        });
        tally.rounds += 1;
        tally.late += begun(&mut redis) - before;
        tally.dead_in_redis += usize::from(verdict(&mut redis, &session) == "OK");
        tally.live_lost += usize::from(verdict(&mut redis, &after) != "OK");
        redis::cmd("DEL").arg(KEY).exec(&mut redis).unwrap();
    }

    fn life(&self) -> String {
        let info: redis::InfoDict =
            redis::cmd("INFO").arg("server").query(&mut self.redis.connection()).unwrap();
        info.get("run_id").unwrap()
    }
}

fn end(redis: &mut Connection, ended: Ended, session: &str, survivor: &str) {
    let mut session_command = redis::cmd("AUTH.SESSION");
    let command = match ended {
        Ended::ByName | Ended::BeforeItWasKnown | Ended::ThenDeleted | Ended::ThenFlushed => {
            session_command.arg("REVOKE").arg(KEY).arg(session)
        }
        Ended::WithAll => session_command.arg("REVOKEALL").arg(KEY),
        Ended::WithAllButOne => {
            let fence = fence(redis);
            done(redis, &begin(survivor, &fence, &[]));
            session_command.arg("REVOKEALL").arg(KEY).arg("EXCEPT").arg(survivor)
        }
        Ended::ByEviction => &mut begin(survivor, &fence(redis), &["MAX", "1"]),
    };
    command.exec(redis).unwrap();
    match ended {
        Ended::ThenDeleted => redis::cmd("DEL").arg(KEY).exec(redis).unwrap(),
        Ended::ThenFlushed => redis::cmd("FLUSHALL").exec(redis).unwrap(),
        _ => {}
    }
}

/// A session that nothing has ended, whatever arrives.
fn begins_after(redis: &mut Connection, ended: Ended, survivor: &str) -> String {
    if !matches!(ended, Ended::WithAllButOne | Ended::ByEviction) {
        let fence = fence(redis);
        done(redis, &begin(survivor, &fence, &[]));
    }
    survivor.to_owned()
}

fn begin(session: &str, fence: &str, more: &[&str]) -> Cmd {
    let mut command = redis::cmd("AUTH.SESSION");
    command.arg("CREATE").arg(KEY).arg(session).arg("EX").arg(3600).arg("FENCE").arg(fence);
    command.arg(more);
    command
}

fn fence(redis: &mut Connection) -> String {
    redis::cmd("AUTH.FENCE").query(redis).unwrap()
}

fn done(redis: &mut Connection, command: &Cmd) {
    let told: Value = command.query(redis).unwrap();
    assert_eq!(told, Value::Array(Vec::new()), "nobody is evicted");
}

fn verdict(redis: &mut Connection, session: &str) -> String {
    let mut check = redis::cmd("AUTH.CHECK");
    check.arg(KEY).arg("a token").arg("SESSION").arg(session).query(redis).unwrap()
}

fn begun(redis: &mut Connection) -> usize {
    calls(redis, "auth.session|create")
}

/// A process that has written something.
struct Sender {
    process: Process,
    directory: Directory,
}

impl Sender {
    fn connected(network: &Network, redis: &Redis) -> Self {
        let directory = Directory::new();
        let [text, log] = ["text", "log"].map(|name| directory.path().join(name));
        let (address, port) = (network.address(ROUTE).to_string(), redis.port().to_string());
        let arguments = ["-c", SENDER, "sender", &address, &port, &text.display().to_string()];
        let bash = find_program("bash").expect("bash knows /dev/tcp");
        let process = network.here().start(&bash, &arguments, &[], &log);
        wait_until("the sender is connected", || {
            network.held(ROUTE).iter().any(|held| !held.is_orphan)
        });
        Self { process, directory }
    }

    /// Has it write, and waits until its kernel has all of it.
    fn write(&self, text: &[u8], network: &Network) {
        let [written, ready] = ["written", "text"].map(|name| self.directory.path().join(name));
        std::fs::write(&written, text).unwrap();
        std::fs::rename(&written, &ready).unwrap();
        wait_until("the kernel holds what was written", || {
            network.held(ROUTE).iter().any(|held| held.bytes == text.len() as u64)
        });
    }

    /// It is killed, and what it wrote is still there.
    fn die(self, network: &Network) {
        drop(self.process);
        wait_until("what it wrote has no process any more", || {
            network.held(ROUTE).iter().all(|held| held.is_orphan && held.bytes > 0)
        });
        assert!(!network.held(ROUTE).is_empty(), "the kernel still has it");
    }
}
