//! Which server a line leads to: always the same, or whichever sentinels call the primary.
//!
//! A sentinel that was cut off together with an old primary goes on naming it. So a primary is believed
//! only while more than half of the sentinels of the address name it, and no longer than [`BELIEVED_FOR`]
//! after they were last asked.

use std::collections::BTreeMap;
use std::time::Duration;
use std::{fmt, io};

use portcullis_core::Host;
use tokio::time::sleep;

use super::reply;
use crate::address::Login;
use crate::answers::Why;
use crate::clock::Moment;
use crate::lease::Lease;
use crate::net::{Door, Errand, Failed, Stream, Way, all};
use crate::options::BadOptions;
use crate::resp::Value;

/// How often whoever knows is asked where to go.
pub(crate) const EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);
/// So long after it was asked for, an answer counts: long enough for a look or two to fail, which take
/// [`EVERY`] and [`PATIENCE`]. It assumes that others take as long to replace a primary that they miss.
pub(crate) const BELIEVED_FOR: Duration = Duration::from_secs(5);

pub(crate) enum Route {
    One(Way),
    Sentinels(Sentinels),
}

/// Those who know the primary.
pub(crate) struct Sentinels {
    each: Vec<Errand>,
    /// What they call it.
    name: String,
    door: Door,
    /// Whom they named last.
    named: Option<Host>,
}

/// Why there is no connection.
pub(super) enum NoWay {
    Broken(io::Error),
    Unknown(Why),
}

impl fmt::Display for Route {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(way) => way.fmt(out),
            Self::Sentinels(sentinels) => write!(out, "the primary {}", sentinels.name),
        }
    }
}

impl Route {
    /// A connection, within this time.
    pub(super) async fn open(
        &mut self,
        lease: &Lease,
        limit: Duration,
    ) -> Result<Box<dyn Stream>, NoWay> {
        match self {
            Self::One(way) => way.open(limit).await.map_err(NoWay::Broken),
            Self::Sentinels(sentinels) => sentinels.open(lease, limit).await,
        }
    }

    /// Ends when the line should lead elsewhere.
    pub(super) async fn look_after(&mut self, lease: &Lease) {
        match self {
            Self::One(_) => std::future::pending().await,
            Self::Sentinels(sentinels) => sentinels.look_after(lease).await,
        }
    }
}

impl Sentinels {
    pub(crate) fn new(
        hosts: &[Host],
        (name, login): (String, Login),
        door: Door,
    ) -> Result<Self, BadOptions> {
        let each = hosts
            .iter()
            .map(|Host { name, port }| Ok(Errand::new(door.way(name, *port)?, login.clone())));
        let each = each.collect::<Result<_, BadOptions>>()?;
        Ok(Self { each, name, door, named: None })
    }

    async fn open(&mut self, lease: &Lease, limit: Duration) -> Result<Box<dyn Stream>, NoWay> {
        let (host, until) = self.primary().await.map_err(NoWay::Unknown)?;
        lease.believe_until(until);
        let way = self.door.way(&host.name, host.port);
        self.named = Some(host);
        let way = way.map_err(|_| NoWay::Unknown(Why::NoMajority))?;
        way.open(limit).await.map_err(NoWay::Broken)
    }

    async fn look_after(&mut self, lease: &Lease) {
        loop {
            sleep(EVERY).await;
            match self.primary().await {
                Ok((host, until)) if self.named.as_ref() == Some(&host) => {
                    lease.believe_until(until);
                }
                Ok(_) => return,
                // They may agree again before it is believed no more.
                Err(_) => {}
            }
        }
    }

    /// Whom most of them call the primary, and until when that counts.
    async fn primary(&mut self) -> Result<(Host, Moment), Why> {
        let until = Moment::now().plus(BELIEVED_FOR);
        let words: [&[u8]; 3] = [b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", self.name.as_bytes()];
        let count = self.each.len();
        let asked = self.each.iter_mut().map(|errand| errand.ask(&words, PATIENCE, host));
        let (mut votes, mut fault) = (BTreeMap::<Host, usize>::new(), Why::NoMajority);
        for answer in all(asked).await {
            match answer {
                Ok(host) => {
                    let votes = votes.entry(host).or_default();
                    *votes = votes.saturating_add(1);
                }
                Err(Failed::Lost) => {}
                Err(Failed::Refused(text)) => fault = reply::why(&text),
            }
        }
        let named = votes.into_iter().find(|(_, votes)| votes.saturating_mul(2) > count);
        named.map(|(host, _)| (host, until)).ok_or(fault)
    }
}

/// The address that a sentinel answers with; nothing if it knows no such primary.
fn host(value: &Value<'_>) -> Option<Host> {
    let Value::List(words) = value else { return None };
    let [Value::Text(name), Value::Text(port)] = words.as_slice() else { return None };
    let text = |bytes| std::str::from_utf8(bytes).ok();
    Some(Host { name: text(name)?.to_owned(), port: text(port)?.parse().ok()? })
}
