//! What stands between the implementation and its server: it can hold back what the server says, let
//! parts of it through, cut connections, and lead to another server.
//!
//! Nothing is reordered on a connection, as TCP reorders nothing. What is held on one connection may
//! be overtaken by what is said on another, as in any network.

mod connection;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use connection::Connection;

/// For how long a push is ahead of what other connections have to say.
const AHEAD: Duration = Duration::from_millis(20);

/// A proxy on a loopback port, in front of one server at a time.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    is_over: AtomicBool,
}

struct State {
    /// The unix socket that new connections lead to.
    target: PathBuf,
    is_holding: bool,
    is_refusing: bool,
    /// Whether what goes through is cut into values of the protocol at all.
    is_raw: bool,
    connections: Vec<Connection>,
}

impl Proxy {
    /// A proxy that lets everything through.
    pub(crate) fn before(target: &Path) -> io::Result<Self> {
        Self::start(target, false)
    }

    /// One that does not look at what goes through, for a replica and its primary.
    pub(crate) fn raw_before(target: &Path) -> io::Result<Self> {
        Self::start(target, true)
    }

    fn start(target: &Path, is_raw: bool) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Mutex::new(State {
            target: target.to_owned(),
            is_holding: false,
            is_refusing: false,
            is_raw,
            connections: Vec::new(),
        });
        let shared = Arc::new(Shared { state, is_over: AtomicBool::new(false) });
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            let clients = listener.incoming().map_while(Result::ok);
            let wanted = clients.take_while(|_| !own.is_over.load(Ordering::Acquire));
            wanted.for_each(|client| own.accept(client));
        });
        Ok(Self { address, shared })
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// From now on nothing that the server says gets through.
    pub(crate) fn hold(&self) {
        self.shared.lock().is_holding = true;
    }

    /// Everything gets through again: first what connections with a push among it have to say, as
    /// though the others were slower.
    pub(crate) fn release(&self) {
        let mut state = self.shared.lock();
        let some = state.connections.iter_mut().filter(|it| it.holds_a_push());
        if some.map(Connection::let_through).count() > 0 {
            drop(state);
            thread::sleep(AHEAD);
            state = self.shared.lock();
        }
        state.connections.iter_mut().for_each(Connection::let_through);
        state.is_holding = false;
    }

    /// Lets through what was said before the first push of each connection, and goes on holding.
    pub(crate) fn release_before_pushes(&self) {
        self.shared.lock().connections.iter_mut().for_each(Connection::let_through_before_push);
    }

    /// How many pushes about this key are held.
    pub(crate) fn holds_push_about(&self, key: &str) -> bool {
        self.shared.lock().connections.iter().any(|it| it.holds_push_about(key))
    }

    /// How many answers are held.
    pub(crate) fn held_answers(&self) -> usize {
        self.shared.lock().connections.iter().map(Connection::held_answers).sum()
    }

    /// Whether the server has answered a question with this in it, whether or not that is held.
    pub(crate) fn has_answered(&self, needle: &str) -> bool {
        self.shared.lock().connections.iter().any(|it| it.has_answered(needle))
    }

    /// Ends all connections, and what is held of them is lost.
    pub(crate) fn cut(&self) {
        let mut state = self.shared.lock();
        state.connections.iter().for_each(Connection::close);
        state.connections.clear();
    }

    /// Ends all connections and takes no new ones until [`Self::admit`].
    pub(crate) fn refuse(&self) {
        self.shared.lock().is_refusing = true;
        self.cut();
    }

    pub(crate) fn admit(&self) {
        self.shared.lock().is_refusing = false;
    }

    /// New connections lead to another server, and the old ones end.
    pub(crate) fn lead_to(&self, target: &Path) {
        target.clone_into(&mut self.shared.lock().target);
        self.cut();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        self.cut();
        // Whoever waits for connections is told by one.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, client: TcpStream) {
        let mut state = self.lock();
        if state.is_refusing {
            return;
        }
        // A server that is not there refuses, and so do we.
        let Ok((connection, ends)) = Connection::between(client, &state.target, state.is_raw)
        else {
            return;
        };
        let name = connection.name();
        state.connections.retain(|it| !it.is_over());
        state.connections.push(connection);
        drop(state);
        let (mut from_client, mut from_server) = ends;
        let own = Arc::clone(self);
        thread::spawn(move || {
            connection::pump(&mut from_client, |bytes| {
                own.with(name, |it, _| it.ask(bytes)).unwrap_or(false)
            });
            own.with(name, |it, _| it.client_ended());
        });
        let own = Arc::clone(self);
        thread::spawn(move || {
            connection::pump(&mut from_server, |bytes| {
                own.with(name, |it, is_holding| it.answer(bytes, is_holding)).unwrap_or(false)
            });
            own.with(name, Connection::server_ended);
        });
    }

    /// Does something to a connection, if it has not been cut, knowing whether anything is held.
    fn with<T>(&self, name: u64, deed: impl FnOnce(&mut Connection, bool) -> T) -> Option<T> {
        let mut state = self.lock();
        let is_holding = state.is_holding;
        let connection = state.connections.iter_mut().find(|it| it.name() == name)?;
        Some(deed(connection, is_holding))
    }
}
