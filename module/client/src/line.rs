//! The watch's own thread: a connection, another one when it is lost, and whoever waits meanwhile.

mod ask;
mod conversation;
mod flying;
mod push;
mod reply;
mod roster;
mod route;
mod talk;

use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

pub(crate) use ask::{Ask, Open};

pub(crate) use roster::Roster;
pub(crate) use route::{Route, Sentinels};

use crate::address::Login;
use crate::answers::{Unavailable, Why};
use crate::clock::Moment;
use crate::lease::Lease;
use crate::net::Stream;
use crate::shared::{Phase, Post, Shared};
use ask::Waiting;
use route::NoWay;

/// Between two attempts, at first and at most; each is twice the last.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A connection with its handshakes may take as long, however short the lease is.
const TO_CONNECT: Duration = Duration::from_secs(1);

/// Why there is no connection any more.
pub(crate) enum End {
    /// Nobody has the watch any more.
    Unwanted,
    /// It broke, or what came over it was nothing that was asked for, or nothing came.
    Lost,
    /// The server will not have us.
    Refused(Why),
}

/// Starts the thread; it ends with what it does, when nobody can ask any more.
pub(crate) fn start(work: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("portcullis".into()).spawn(move || runtime.block_on(work))?;
    Ok(())
}

/// Talks to one server until nobody can ask any more.
pub(crate) async fn keep(
    shared: Arc<Shared>,
    post: Arc<Post>,
    (route, login): (Route, Login),
    inbox: UnboundedReceiver<Ask>,
) {
    let lease = shared.lease(&post);
    let waiting = Waiting::default();
    Line { shared: &shared, post: &post, lease, route, login, inbox, waiting }.live().await;
}

struct Line<'s> {
    shared: &'s Shared,
    post: &'s Post,
    lease: &'s Lease,
    route: Route,
    login: Login,
    inbox: UnboundedReceiver<Ask>,
    waiting: Waiting,
}

impl Line<'_> {
    async fn live(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let mut was_joined = false;
            let end = match self.connect().await {
                Ok(stream) => self.talk(stream, &mut was_joined).await,
                Err(end) => end,
            };
            // Before anything else: nobody tells of changes any more.
            self.lease.end();
            let refusal = match end {
                End::Unwanted => return,
                End::Lost => {
                    self.post.enter(Phase::Away);
                    Unavailable::Away
                }
                End::Refused(why) => {
                    self.post.enter(Phase::Doubtful(why.clone()));
                    Unavailable::Doubtful(why)
                }
            };
            if was_joined {
                // It was there a moment ago, so those who wait may be answered yet.
                pause = FIRST_PAUSE;
                let Self { inbox, waiting, .. } = &mut self;
                tokio::select! {
                    () = sleep(jittered(pause)) => continue,
                    () = waiting.gather(inbox) => return,
                }
            }
            self.waiting.refuse_all(&refusal);
            if self.rest(jittered(pause), &refusal).await.is_none() {
                return;
            }
            pause = LONGEST_PAUSE.min(pause.saturating_mul(2));
        }
    }

    /// A connection; meanwhile those who wait are told when their time is over.
    async fn connect(&mut self) -> Result<Box<dyn Stream>, End> {
        let limit = TO_CONNECT.max(self.shared.options.lease.saturating_mul(4));
        let Self { route, lease, inbox, waiting, .. } = self;
        let stream = tokio::select! {
            stream = route.open(lease, limit) => stream,
            () = waiting.gather(inbox) => return Err(End::Unwanted),
        };
        match stream {
            Ok(stream) => {
                self.shared.counters.connections.add_one();
                Ok(stream)
            }
            Err(NoWay::Broken(cause)) => {
                tracing::debug!(%cause, "no connection to Redis");
                Err(End::Lost)
            }
            Err(NoWay::Unknown(why)) => Err(End::Refused(why)),
        }
    }

    /// A pause between two attempts, in which everybody is refused at once. `None` if nobody can ask
    /// any more.
    async fn rest(&mut self, pause: Duration, refusal: &Unavailable) -> Option<()> {
        let refuse = async {
            while let Some(ask) = self.inbox.recv().await {
                ask.answer(Err(refusal.clone()));
            }
        };
        tokio::select! {
            () = sleep(pause) => Some(()),
            () = refuse => None,
        }
    }
}

/// Half of it to all of it, so that many who have lost the same server do not come back as one.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(Moment::now().as_nanos());
    let part = u32::try_from(random % 512).unwrap_or_default();
    pause.saturating_mul(512 + part) / 1024
}
