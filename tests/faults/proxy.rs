//! A TCP proxy in front of a store that wounds it on demand.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the proxy does to every connection, old or new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wound {
    /// Nothing.
    None,
    /// Connections are closed, new ones at once.
    Refuse,
    /// Bytes are taken and never passed on.
    Blackhole,
    /// Every answer comes this much later.
    Delay(Duration),
    /// A connection is closed after this many bytes of an answer.
    CutAfter(usize),
}

/// Every wound that the matrix tries.
pub(crate) const WOUNDS: [Wound; 4] =
    [Wound::Refuse, Wound::Blackhole, Wound::Delay(Duration::from_secs(20)), Wound::CutAfter(3)];

/// A proxy; it ends with the test.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    wound: watch::Sender<Wound>,
    store: watch::Sender<SocketAddr>,
}

impl Proxy {
    pub(crate) async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (wound, seen) = watch::channel(Wound::None);
        let (store, address) = watch::channel(SocketAddr::from(([127, 0, 0, 1], port)));
        tokio::spawn(accept(listener, address, seen));
        Self { port: own, wound, store }
    }

    /// New connections reach another server from now on.
    pub(crate) fn lead_to(&self, port: u16) {
        self.store.send_replace(SocketAddr::from(([127, 0, 0, 1], port)));
    }

    /// From now on, for connections old and new.
    pub(crate) fn inflict(&self, wound: Wound) {
        self.wound.send_replace(wound);
    }

    /// Heals; what was wounded is closed, as a network does that forgets.
    pub(crate) fn heal(&self) {
        self.wound.send_replace(Wound::Refuse);
        self.wound.send_replace(Wound::None);
    }
}

async fn accept(
    listener: TcpListener,
    store: watch::Receiver<SocketAddr>,
    wound: watch::Receiver<Wound>,
) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        if *wound.borrow() == Wound::Refuse {
            continue;
        }
        let address = *store.borrow();
        tokio::spawn(carry(client, address, wound.clone()));
    }
}

async fn carry(client: TcpStream, store: SocketAddr, wound: watch::Receiver<Wound>) {
    let Ok(store) = TcpStream::connect(store).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_store, to_store) = store.into_split();
    // Whichever way ends first takes the other along.
    tokio::select! {
        () = pass(from_client, to_store, wound.clone(), false) => {}
        () = pass(from_store, to_client, wound, true) => {}
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut wound: watch::Receiver<Wound>,
    is_answer: bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut was = *wound.borrow_and_update();
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            changed = wound.changed() => {
                let now = *wound.borrow_and_update();
                // A wounded connection does not recover, not even if the wound has come and gone.
                if changed.is_err() || now == Wound::Refuse || was != Wound::None {
                    return;
                }
                was = now;
                continue;
            }
        };
        let Ok(read @ 1..) = read else { return };
        let mut answer = &buffer[..read];
        let now = *wound.borrow();
        match now {
            Wound::Refuse => return,
            Wound::Blackhole => continue,
            Wound::Delay(delay) if is_answer => tokio::time::sleep(delay).await,
            Wound::CutAfter(bytes) if is_answer => answer = &answer[..bytes.min(read)],
            Wound::None | Wound::Delay(_) | Wound::CutAfter(_) => {}
        }
        let is_cut = answer.len() < read;
        if to.write_all(answer).await.is_err() || is_cut {
            return;
        }
    }
}
