//! Keeps track of who has which slots of a cluster, has a line to each primary, and hands each question
//! to the line whose it is.
//!
//! All of it is one thread's: nothing is heard of a server between two steps of a change to the map.

mod tally;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use portcullis_core::{Host, Node, View, slot_of};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep;

use super::route::{BELIEVED_FOR, EVERY, PATIENCE};
use super::{Ask, Route, keep, reply};
use crate::address::Login;
use crate::answers::{State, Unavailable, Why};
use crate::clock::Moment;
use crate::lease::Lease;
use crate::net::{Door, Errand, Failed, all};
use crate::resp::Value;
use crate::shared::{Kind, Post, Shared};
use tally::{Primary, Tally};

/// How soon the map is looked at once somebody has heard that a slot is elsewhere, or of a new node.
const SOON: Duration = Duration::from_millis(50);
/// So many subjects are tried for one whose slot is a given node's.
const MOST_TRIED: u32 = 200_000;

pub(crate) struct Roster {
    shared: Arc<Shared>,
    door: Door,
    login: Login,
    /// Those that the address names.
    named: Vec<Host>,
    /// Whoever is asked about the map.
    asked: BTreeMap<Host, Errand>,
    members: Members,
    /// How many there have been.
    count: u32,
}

/// By their names, the primaries that there are lines to.
type Members = BTreeMap<String, Member>;

struct Member {
    host: Host,
    lease: Arc<Lease>,
    post: Arc<Post>,
    asks: UnboundedSender<Ask>,
}

impl Roster {
    pub(crate) fn new(shared: Arc<Shared>, there: (Vec<Host>, Door, Login)) -> Self {
        let (named, door, login) = there;
        let (asked, members) = (BTreeMap::new(), Members::new());
        let mut this = Self { shared, door, login, named, asked, members, count: 0 };
        this.ask_henceforth(&this.named.clone());
        this
    }

    /// Runs until nobody can ask any more.
    pub(crate) async fn keep(mut self, mut inbox: UnboundedReceiver<Ask>) {
        let mut refusal = Unavailable::Away;
        loop {
            let (sent, shared) = (Moment::now(), Arc::clone(&self.shared));
            let look = look(&mut self.asked, self.door.is_by_name());
            let desk = Desk { shared: &shared, members: &self.members, refusal: &refusal };
            let Some((views, fault)) = desk.serve(&mut inbox, look).await else { return };
            let tally = Tally::of(&views);
            let is_new = self.ask_henceforth(&self.whom_to_ask(&views, tally.is_enough));
            self.follow(&tally, sent);
            refusal = match fault {
                _ if tally.is_enough => Unavailable::Elsewhere,
                Some(why) if views.is_empty() => Unavailable::Doubtful(why),
                None if views.is_empty() => Unavailable::Away,
                _ => Unavailable::Doubtful(Why::NoMajority),
            };
            self.report(&refusal);
            let desk = Desk { shared: &shared, members: &self.members, refusal: &refusal };
            if desk.serve(&mut inbox, pause(&shared, is_new)).await.is_none() {
                return;
            }
        }
    }

    /// Everybody who has a say, and while those are too few, everybody who may know of others.
    fn whom_to_ask(&self, views: &[(Host, View)], is_enough: bool) -> Vec<Host> {
        let nodes = views.iter().flat_map(|(_, view)| &view.nodes);
        let has_a_say = |it: &&Node| it.is_primary && !it.claim.slots.is_empty();
        let nodes = nodes.filter(|it| !is_enough || has_a_say(it));
        let mut hosts: Vec<Host> = nodes.filter_map(|it| it.host.clone()).collect();
        hosts.extend(self.members.values().map(|member| member.host.clone()));
        if !is_enough {
            hosts.extend(self.named.iter().cloned());
        }
        if views.is_empty() {
            hosts.extend(self.asked.keys().cloned());
        }
        hosts
    }

    /// These and nobody else. True if there is anybody new.
    fn ask_henceforth(&mut self, hosts: &[Host]) -> bool {
        self.asked.retain(|host, _| hosts.contains(host));
        let mut is_new = false;
        for host in hosts {
            if let Entry::Vacant(place) = self.asked.entry(host.clone())
                && let Ok(way) = self.door.way(&host.name, host.port)
            {
                place.insert(Errand::new(way, self.login.clone()));
                is_new = true;
            }
        }
        is_new
    }

    /// Makes the map what a look has come to that began then.
    fn follow(&mut self, tally: &Tally, sent: Moment) {
        for (id, primary) in &tally.primaries {
            if let Some(host) = primary.reached.first() {
                self.join(id, host, primary);
            }
        }
        let Some(map) = self.shared.knowledge.map.as_ref().map(ArcSwap::load_full) else { return };
        let (mut firm, mut left) = (Vec::new(), Vec::new());
        for (id, member) in &self.members {
            match tally.primaries.get(id) {
                Some(it) if it.reached.contains(&member.host) => firm.push((&it.slots, member)),
                // It does not answer, or nobody can tell: then what is believed ends by itself.
                Some(it) if it.reached.is_empty() => left.push((Some(&it.slots), member)),
                None if !tally.is_enough => left.push((None, member)),
                _ => {}
            }
        }
        let (next, moved) = map.next(|slot| {
            let mut firm = firm.iter().filter(|(slots, _)| slots.has(slot));
            let lease = firm.next().map(|(_, member)| &member.lease).or_else(|| {
                let before = map.owner(slot)?;
                let mut left = left.iter().filter(|(_, it)| Arc::ptr_eq(&it.lease, before));
                let is_left = left.any(|(slots, _)| slots.is_none_or(|slots| slots.has(slot)));
                is_left.then_some(before)
            });
            lease.map(Arc::clone)
        });
        if !moved.is_empty() {
            tracing::debug!(slots = moved.len(), "slots have moved");
            self.shared.knowledge.follow(next, moved.into_iter());
        }
        for (_, member) in firm {
            member.lease.believe_until(sent.plus(BELIEVED_FOR));
        }
        self.let_go();
    }

    /// Has a line to this primary, and beats that ask about a slot of its own.
    fn join(&mut self, id: &str, host: &Host, primary: &Primary) {
        let prefix = &self.shared.options.prefix;
        let is_own = |key: &str| primary.slots.has(slot_of(key.as_bytes()));
        let beat = || {
            let mut keys = (0..MOST_TRIED).map(|number| format!("{prefix}beat{number}"));
            keys.find(|key| is_own(key))
        };
        match self.members.get(id) {
            Some(member) if primary.reached.contains(&member.host) => {
                if !is_own(&member.post.beat())
                    && let Some(beat) = beat()
                {
                    member.post.beat_at(&beat);
                }
            }
            _ => {
                // None where all subjects are in one slot, which is another's.
                let Some(beat) = beat() else { return };
                let Ok(way) = self.door.way(&host.name, host.port) else { return };
                self.count = self.count.wrapping_add(1);
                let shared = Arc::clone(&self.shared);
                let lease = Arc::new(Lease::of_server(self.count, shared.options.lease));
                let post = Arc::new(Post::new(
                    Kind::Shard,
                    way.to_string(),
                    Some(Arc::clone(&lease)),
                    &beat,
                ));
                let (asks, inbox) = unbounded_channel();
                let there = (Route::One(way), self.login.clone());
                tokio::spawn(keep(shared, Arc::clone(&post), there, inbox));
                let member = Member { host: host.clone(), lease, post, asks };
                self.members.insert(id.to_owned(), member);
            }
        }
    }

    /// Ends the lines to whoever has no slot any more.
    fn let_go(&mut self) {
        let Some(map) = self.shared.knowledge.map.as_ref().map(ArcSwap::load_full) else { return };
        let has_some =
            |member: &Member| map.leases().any(|it| std::ptr::eq(it, &raw const *member.lease));
        self.members.retain(|_, member| has_some(member));
    }

    /// What the watch is doing, from here on.
    fn report(&self, refusal: &Unavailable) {
        let idle = match refusal {
            Unavailable::Doubtful(why) => State::Doubtful(why.clone()),
            _ => State::Away,
        };
        let posts = self.members.values().map(|member| Arc::clone(&member.post));
        self.shared.post(posts.collect(), idle);
    }
}

/// Where questions come in and go out to whose they are.
struct Desk<'r> {
    shared: &'r Shared,
    members: &'r Members,
    /// What is said to whoever asks about a slot that is nobody's.
    refusal: &'r Unavailable,
}

impl Desk<'_> {
    /// Hands on questions until this is done. `None` if nobody can ask any more.
    async fn serve<T>(
        &self,
        inbox: &mut UnboundedReceiver<Ask>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        loop {
            tokio::select! { biased;
                done = &mut work => return Some(done),
                ask = inbox.recv() => self.hand_on(ask?),
            }
        }
    }

    fn hand_on(&self, ask: Ask) {
        let map = self.shared.knowledge.map.as_ref().map(ArcSwap::load);
        let owner = map.as_ref().and_then(|map| map.owner(ask.written.cell.slot()));
        let member =
            owner.and_then(|lease| self.members.values().find(|it| Arc::ptr_eq(&it.lease, lease)));
        let Some(member) = member else { return ask.answer(Err(self.refusal.clone())) };
        if let Err(back) = member.asks.send(ask) {
            back.0.answer(Err(Unavailable::Away));
        }
    }
}

/// Until it is time for the next look.
async fn pause(shared: &Shared, is_new: bool) {
    if is_new {
        return sleep(SOON).await;
    }
    let moved = async {
        shared.moved.notified().await;
        sleep(SOON).await;
    };
    tokio::select! {
        () = sleep(EVERY) => {}
        () = moved => {}
    }
}

/// What those who answer say, and what is wrong with one that does not.
async fn look(
    asked: &mut BTreeMap<Host, Errand>,
    by_name: bool,
) -> (Vec<(Host, View)>, Option<Why>) {
    let each = asked.iter_mut().map(|(host, errand)| async move {
        let read = |value: &Value<'_>| view(value, host, by_name);
        let answer = errand.ask(&[b"CLUSTER", b"NODES"], PATIENCE, read).await;
        answer.map(|view| (host.clone(), view))
    });
    let (mut views, mut fault) = (Vec::new(), None);
    for answer in all(each).await {
        match answer {
            Ok(view) => views.push(view),
            Err(Failed::Refused(text)) => fault = Some(reply::why(&text)),
            Err(Failed::Lost) => {}
        }
    }
    (views, fault)
}

fn view(value: &Value<'_>, there: &Host, by_name: bool) -> Option<View> {
    let Value::Text(text) = value else { return None };
    // Some say in front of it that it is plain text.
    let text = std::str::from_utf8(text.strip_prefix(b"txt:").unwrap_or(text)).ok()?;
    Some(View::read(text, there, by_name))
}
