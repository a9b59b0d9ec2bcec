//! A TCP proxy in front of a store that wounds it on demand.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use crate::trap::{Trap, Traps};

/// What the proxy does to every connection, old or new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wound {
    /// Nothing.
    None,
    /// Nobody listens any more; what was connected is closed.
    Refuse,
    /// Nothing is passed on, and nobody is told.
    Blackhole,
    /// Every answer comes this much later.
    Delay(Duration),
    /// Every request comes this much later.
    Lag(Duration),
    /// A connection is closed after this many bytes of an answer.
    CutAfter(usize),
}

/// Every wound that the matrix tries; what is slow takes this long to answer.
pub(crate) const fn wounds(slow: Duration) -> [Wound; 4] {
    [Wound::Refuse, Wound::Blackhole, Wound::Delay(slow), Wound::CutAfter(3)]
}

/// What connections obey. Each knows how many healings it is older than.
#[derive(Clone, Copy)]
struct State {
    wound: Wound,
    healings: u64,
    /// Connections from before this healing are closed.
    closed_before: u64,
    /// Connections from before this healing are never heard of again.
    silent_before: u64,
}

/// A proxy; it ends with the test.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: watch::Sender<State>,
    store: watch::Sender<SocketAddr>,
    traps: Traps,
    /// Keeps the port while nobody listens on it.
    _kept: TcpSocket,
}

impl Proxy {
    pub(crate) fn before(port: u16) -> Self {
        let kept = bound(0);
        let own = kept.local_addr().unwrap().port();
        let sound = State { wound: Wound::None, healings: 0, closed_before: 0, silent_before: 0 };
        let (state, store) = (watch::Sender::new(sound), watch::Sender::new(loopback(port)));
        let traps = Traps::default();
        let listener = bound(own).listen(1024).unwrap();
        let gate = Gate { state: state.clone(), store: store.subscribe(), traps: traps.clone() };
        tokio::spawn(gate.keep(listener, own));
        Self { port: own, state, store, traps, _kept: kept }
    }

    /// New connections reach another server from now on.
    pub(crate) fn lead_to(&self, port: u16) {
        self.store.send_replace(loopback(port));
    }

    /// From now on, for connections old and new.
    pub(crate) fn inflict(&self, wound: Wound) {
        self.state.send_modify(|state| state.wound = wound);
    }

    /// Heals; whatever was connected is closed.
    pub(crate) fn heal(&self) {
        self.traps.disarm();
        self.state.send_modify(|state| {
            state.wound = Wound::None;
            state.healings += 1;
            state.closed_before = state.healings;
        });
    }

    /// Heals for new connections only. The store and its clients never learn that the others are
    /// gone, as with a network that has forgotten them.
    pub(crate) fn heal_for_newcomers(&self) {
        self.traps.disarm();
        self.state.send_modify(|state| {
            state.wound = Wound::None;
            state.healings += 1;
            state.silent_before = state.healings;
        });
    }

    /// Wounds at a certain point of a MySQL transaction.
    pub(crate) fn set_trap(&self, trap: Trap) {
        self.traps.set(trap);
    }

    /// How many packets that transaction has had.
    pub(crate) fn packets_passed(&self) -> usize {
        self.traps.passed()
    }

    /// Whether that point has been reached.
    pub(crate) fn has_sprung(&self) -> bool {
        self.traps.have_sprung()
    }
}

/// Bound but not listening: whoever connects is refused.
fn bound(port: u16) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(loopback(port)).unwrap();
    socket
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Lets clients in, unless the wound is that nobody listens.
struct Gate {
    state: watch::Sender<State>,
    store: watch::Receiver<SocketAddr>,
    traps: Traps,
}

impl Gate {
    async fn keep(self, mut listener: TcpListener, port: u16) {
        let mut state = self.state.subscribe();
        loop {
            tokio::select! {
                client = listener.accept() => {
                    self.let_in(client.unwrap().0);
                    continue;
                }
                refused = state.wait_for(|state| state.wound == Wound::Refuse) => {
                    drop(refused.unwrap());
                }
            }
            drop(listener);
            drop(state.wait_for(|state| state.wound != Wound::Refuse).await.unwrap());
            listener = bound(port).listen(1024).unwrap();
        }
    }

    fn let_in(&self, client: TcpStream) {
        let end = || End {
            state: self.state.subscribe(),
            sender: self.state.clone(),
            traps: self.traps.clone(),
            born: self.state.borrow().healings,
        };
        let (store, there, back) = (*self.store.borrow(), end(), end());
        tokio::spawn(async move {
            let Ok(store) = TcpStream::connect(store).await else { return };
            let (from_client, to_client) = client.into_split();
            let (from_store, to_store) = store.into_split();
            // Whichever way ends first takes the other along.
            tokio::select! {
                () = there.ask(from_client, to_store) => {}
                () = back.answer(from_store, to_client) => {}
            }
        });
    }
}

/// One direction of a connection.
struct End {
    state: watch::Receiver<State>,
    sender: watch::Sender<State>,
    traps: Traps,
    born: u64,
}

impl End {
    async fn ask(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = vec![0; 16 * 1024];
        let mut place = None;
        while let Some(read) = self.read(&mut from, &mut buffer).await {
            let packet = &buffer[..read];
            if let Wound::Lag(lag) = self.wound() {
                tokio::time::sleep(lag).await;
            }
            let sprung = self.traps.pass(&mut place, packet);
            if let Some(Trap { wound, .. }) = sprung {
                self.sender.send_modify(|state| state.wound = wound);
            }
            let is_heard = sprung.is_none_or(|trap| trap.is_heard);
            if is_heard && to.write_all(packet).await.is_err() {
                return;
            }
        }
    }

    async fn answer(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = vec![0; 16 * 1024];
        while let Some(read) = self.read(&mut from, &mut buffer).await {
            let mut answer = &buffer[..read];
            match self.wound() {
                Wound::Delay(delay) => tokio::time::sleep(delay).await,
                Wound::CutAfter(bytes) => answer = &answer[..bytes.min(read)],
                Wound::None | Wound::Refuse | Wound::Blackhole | Wound::Lag(_) => {}
            }
            if to.write_all(answer).await.is_err() || answer.len() < read {
                return;
            }
        }
    }

    fn wound(&self) -> Wound {
        self.state.borrow().wound
    }

    /// What comes next; `None` when the connection is to be closed. A connection that has fallen
    /// silent stays open and says nothing, whatever its two ends do.
    async fn read(&mut self, from: &mut OwnedReadHalf, buffer: &mut [u8]) -> Option<usize> {
        loop {
            let state = *self.state.borrow_and_update();
            if self.born < state.closed_before || state.wound == Wound::Refuse {
                return None;
            }
            let is_silent = state.wound == Wound::Blackhole || self.born < state.silent_before;
            tokio::select! {
                biased;
                changed = self.state.changed() => changed.ok()?,
                read = from.read(buffer), if !is_silent => {
                    // The wound may have come with what was read.
                    if self.state.has_changed().ok()? && self.wound() == Wound::Blackhole {
                        continue;
                    }
                    return read.ok().filter(|read| *read > 0);
                }
            }
        }
    }
}
