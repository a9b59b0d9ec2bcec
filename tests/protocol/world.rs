//! Everything there is at one instant: MySQL, the servers, the network, the instances, what they are
//! doing, the clocks, and what has been promised.
//!
//! Only writes travel. A question to Redis or MySQL is one step, because it has no effect and
//! whatever is done with its answer is done later. A write lies in its connection until the server
//! takes it, or for ever, also when its sender has long closed the connection or died.

use std::collections::{BTreeMap, VecDeque};

use portcullis_api::ledger::belief::{Behind, Belief, LineId};
use portcullis_core::{MonotonicMs, UnixMs};

use crate::data::{By, Data, Mark, Now};
use crate::events::Left;
use crate::gone::{History, Noted};
use crate::lives::Vouched;
use crate::rules::Rules;
use crate::server::{Command, Reply, Server, Token};
use crate::tasks::Task;
use crate::truth::{Set, Truth};

/// More than a token's life, and far less than endings are remembered for.
pub(crate) const SHORT_MS: u64 = 2_001;
/// More than endings are remembered for at most.
pub(crate) const LONG_MS: u64 = 40_001;
/// How far a clock steps back, or a host's is ahead.
pub(crate) const STEP_MS: u64 = 100_000;
const START_MS: u64 = 1_000_000;

/// The one user there is.
pub(crate) const USER: u64 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) truth: Truth,
    /// One of them is the primary, or has the user where there is a cluster; another gets its data when
    /// it is said so.
    pub(crate) servers: Vec<Server>,
    /// Whether both are primaries, each of its own slots.
    pub(crate) is_cluster: bool,
    /// Whether MySQL says who is vouched for.
    pub(crate) is_judged: bool,
    pub(crate) primary: usize,
    /// What was saved of the primary's data.
    pub(crate) saved: Data,
    pub(crate) connections: BTreeMap<u8, Connection>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) tasks: BTreeMap<u8, Task>,
    /// Since the start, for all alike.
    pub(crate) passed_ms: u64,
    /// How far Redis' wall clock has stepped back.
    pub(crate) stepped_ms: u64,
    pub(crate) left: Left,
    /// MySQL as it can come back, and how often it did.
    pub(crate) kept: Option<Box<Truth>>,
    pub(crate) returns: u8,
    /// What is noted in Redis.
    pub(crate) noted: Noted,
    /// Sessions of which nobody may ever say again that they are live.
    pub(crate) promised: Set,
}

/// Which servers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    One,
    WithReplica,
    /// Two primaries, each of its own slots.
    Cluster,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Instance {
    pub(crate) belief: Belief,
    pub(crate) behind: Behind,
    pub(crate) line: Option<(LineId, u8)>,
    /// Sessions whose end this host has answered, confirmed or pending.
    pub(crate) answered: Set,
    pub(crate) history: History,
    /// How far its clock is ahead.
    pub(crate) ahead_ms: u64,
}

impl Instance {
    /// Whether it asks MySQL about this user.
    pub(crate) fn doubts(&self, user_id: u64) -> bool {
        self.belief.about(user_id, &self.behind).is_err()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Connection {
    pub(crate) server: usize,
    /// Whether its sender still listens.
    pub(crate) is_open: bool,
    /// What was sent, by which task.
    pub(crate) sent: VecDeque<(Option<u8>, Command)>,
}

impl World {
    /// Healthy, and nobody has logged in yet.
    pub(crate) fn healthy(kind: Kind, ahead_ms: &[u64], left: Left, rules: Rules) -> Self {
        let covers = matches!(kind, Kind::Cluster).then_some(1);
        let mark = Mark { by: By::Run(1), position: 0, is_known: true, covers };
        let data = Data { mark: Some(mark), ..Data::default() };
        let mut primary = Server::start('A', 1, data.clone(), true, rules);
        primary.is_confirmed = true;
        let (other, is_cluster) = match kind {
            Kind::One => (None, false),
            Kind::WithReplica => (Some(Server::start('B', 101, data.clone(), false, rules)), false),
            Kind::Cluster => (Some(Server::of_others('B', 101, rules)), true),
        };
        let servers: Vec<Server> = [primary].into_iter().chain(other).collect();
        let confirmed = servers.iter().filter(|it| it.is_confirmed);
        let lives = confirmed.map(Vouched::first).collect();
        let mut truth = Truth::default();
        truth.lives = lives;
        let mut world = Self {
            truth,
            servers,
            is_cluster,
            is_judged: is_cluster || left.splits > 0,
            primary: 0,
            saved: data,
            connections: BTreeMap::new(),
            instances: Vec::new(),
            tasks: BTreeMap::new(),
            passed_ms: START_MS,
            stepped_ms: 0,
            left,
            kept: None,
            returns: 0,
            noted: Noted::default(),
            promised: Set::default(),
        };
        for ahead_ms in ahead_ms {
            world.instances.push(Instance { ahead_ms: *ahead_ms, ..Instance::default() });
            world.connect(world.instances.len() - 1);
            let instance = world.instances.last_mut().expect("just pushed");
            instance.behind.note_all_who_wait();
            instance.belief.believe(instance.line.expect("just connected").0);
        }
        world
    }

    /// Everybody finishes what they are at, and nothing goes wrong.
    pub(crate) fn settle(&mut self, rules: Rules) {
        loop {
            let sent = self.connections.iter().find(|it| !it.1.sent.is_empty()).map(|it| *it.0);
            let task = self.tasks.iter().find(|it| it.1.can_step()).map(|it| *it.0);
            match (sent, task) {
                (Some(connection), _) => self.arrive(connection, rules),
                (None, Some(task)) => self.step(task, rules),
                (None, None) => return,
            }
        }
    }

    // --- time ---

    pub(crate) fn now(&self) -> Now {
        let wall = UnixMs(self.passed_ms - self.stepped_ms);
        Now { wall, monotonic: MonotonicMs(self.passed_ms) }
    }

    pub(crate) fn host_now(&self, instance: usize) -> u64 {
        self.passed_ms + self.instances[instance].ahead_ms
    }

    // --- lines and the network ---

    /// A new connection to whoever is the primary now.
    pub(crate) fn open(&mut self) -> u8 {
        self.open_to(self.primary)
    }

    pub(crate) fn open_to(&mut self, server: usize) -> u8 {
        let id = (0..=u8::MAX).find(|id| !self.connections.contains_key(id)).unwrap_or(u8::MAX);
        let connection = Connection { server, is_open: true, sent: VecDeque::new() };
        self.connections.insert(id, connection);
        id
    }

    pub(crate) fn connect(&mut self, instance: usize) {
        self.end_line(instance);
        let connection = self.open();
        let line = self.instances[instance].belief.begin_line();
        self.instances[instance].line = Some((line, connection));
    }

    pub(crate) fn end_line(&mut self, instance: usize) {
        if let Some((line, connection)) = self.instances[instance].line.take() {
            self.instances[instance].belief.end_line(line);
            self.close(connection);
        }
    }

    /// Its sender listens no more; what was sent may still arrive.
    pub(crate) fn close(&mut self, connection: u8) {
        if let Some(it) = self.connections.get_mut(&connection) {
            it.is_open = false;
        }
        self.give_up_on(connection);
        self.forget_connections();
    }

    pub(crate) fn forget_connections(&mut self) {
        self.connections.retain(|_, it| it.is_open || !it.sent.is_empty());
    }

    /// The server's end is gone, and everything that was on its way.
    pub(crate) fn cut_off(&mut self, server: usize) {
        let of_it = |it: &Connection| it.server == server;
        let gone: Vec<u8> =
            self.connections.iter().filter(|it| of_it(it.1)).map(|it| *it.0).collect();
        for instance in 0..self.instances.len() {
            if self.instances[instance].line.is_some_and(|(_, id)| gone.contains(&id)) {
                self.end_line(instance);
            }
        }
        for connection in gone {
            self.give_up_on(connection);
            self.connections.remove(&connection);
        }
    }

    pub(crate) fn line_of(&self, instance: usize) -> Option<u8> {
        self.instances[instance].line.map(|(_, connection)| connection)
    }

    /// The server at the other end.
    pub(crate) fn server_at(&self, connection: u8) -> Option<&Server> {
        let connection = self.connections.get(&connection)?;
        self.servers.get(connection.server)
    }

    pub(crate) fn token_on(&self, connection: u8, rules: Rules) -> Option<Token> {
        Some(self.server_at(connection)?.token(self.now(), rules))
    }

    pub(crate) fn send(&mut self, connection: u8, task: Option<u8>, command: Command) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.sent.push_back((task, command));
        }
    }

    /// The server takes the next command of a connection.
    pub(crate) fn arrive(&mut self, connection: u8, rules: Rules) {
        let now = self.now();
        let Some(it) = self.connections.get_mut(&connection) else { return };
        let Some((task, command)) = it.sent.pop_front() else { return };
        let (is_open, server) = (it.is_open, it.server);
        let reply = self.servers[server].hear(&command, now, rules);
        if let (Command::Confirm { looked, .. }, Reply::Done) = (&command, reply) {
            self.promised = self.promised.and(*looked);
        }
        if is_open && let Some(task) = task.and_then(|id| self.tasks.get_mut(&id)) {
            task.hear(reply);
        }
        self.forget_connections();
    }

    // --- the promises ---

    /// Who says what it must not: that a session is live of which an end was promised.
    pub(crate) fn broken(&self, rules: Rules) -> Option<String> {
        let says_ok = |server: &Server, ended: Set| {
            let ok = |id: &u8| {
                server.check(*id, self.now(), rules) == Some(portcullis_core::Verdict::Ok)
            };
            ended.each().find(ok)
        };
        if let Some(broken) = self.broken_by_mysql(rules) {
            return Some(broken);
        }
        // Of two primaries, one that is not vouched for cannot know (`api/docs/when-things-fail.md`).
        let is_asked = |server: &&Server| self.is_cluster || self.counts(server.run);
        for server in self.servers.iter().filter(is_asked) {
            if let Some(id) = says_ok(server, self.promised) {
                return Some(format!("server {} says OK to the ended s{id}", server.name));
            }
        }
        for (number, instance) in self.instances.iter().enumerate() {
            let server = self.line_of(number).and_then(|line| self.server_at(line));
            if let Some(server) = server.filter(|_| !self.doubts(number, rules))
                && let Some(id) = says_ok(server, instance.answered)
            {
                return Some(format!("instance {number} accepts s{id}, whose end it answered"));
            }
        }
        None
    }
}
