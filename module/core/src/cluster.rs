//! What one node of a cluster says of all: `CLUSTER NODES`, which every server since 7.0 has and which
//! also tells what `CLUSTER SHARDS` does not: the epoch of each claim, and which slots are on the move.

use crate::hosts::Host;
use crate::slots::Slots;

/// What one node says.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Every node that it knows of, itself included.
    pub nodes: Vec<Node>,
}

/// A node, as one of them sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Names it as long as it lives.
    pub id: String,
    /// Where clients reach it; nothing if nobody knows.
    pub host: Option<Host>,
    /// Whether it is the one that says so.
    pub is_speaker: bool,
    /// Whether it calls itself a primary.
    pub is_primary: bool,
    /// What it claims.
    pub claim: Claim,
}

/// Which slots a primary says are its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// Of two who claim a slot, the one with the greater epoch has it.
    pub epoch: u64,
    /// Those that are its own.
    pub slots: Slots,
    /// Those of them that are on their way to somebody else.
    pub leaving: Slots,
    /// Those of others that are on their way here.
    pub arriving: Slots,
}

impl Claim {
    /// What it has and does not give away.
    #[must_use]
    pub fn kept(&self) -> Slots {
        self.slots.without(&self.leaving)
    }

    /// Whether its ledger in this slot may be believed: the slot is its own, stays where it is, and
    /// was brought up to date there.
    #[must_use]
    pub fn is_firm(&self, vouched: &Slots, slot: u16) -> bool {
        self.slots.has(slot) && vouched.has(slot) && !self.leaving.has(slot)
    }
}

impl View {
    /// What `CLUSTER NODES` answers there. The others are called by their names, where they have any, if
    /// `by_name`: so certificates call them.
    #[must_use]
    pub fn read(text: &str, there: &Host, by_name: bool) -> Self {
        let mut view = Self::parse(text, by_name);
        for node in view.nodes.iter_mut().filter(|node| node.is_speaker) {
            node.host.get_or_insert_with(|| there.clone());
        }
        view
    }

    fn parse(text: &str, by_name: bool) -> Self {
        Self { nodes: text.lines().filter_map(|line| Node::parse(line, by_name)).collect() }
    }

    /// What the one who was asked says of itself.
    #[must_use]
    pub fn speaker(&self) -> Option<&Node> {
        self.nodes.iter().find(|node| node.is_speaker)
    }

    /// The others and itself, as far as they are primaries that one could reach.
    pub fn primaries(&self) -> impl Iterator<Item = (&str, &Host)> {
        let primaries = self.nodes.iter().filter(|node| node.is_primary);
        primaries.filter_map(|node| Some((node.id.as_str(), node.host.as_ref()?)))
    }
}

impl Node {
    /// `id ip:port@bus[,name[,…]] flags primary ping pong epoch link slot …`
    fn parse(line: &str, by_name: bool) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (id, address, flags) = (words.next()?, words.next()?, words.next()?);
        let epoch = words.nth(3)?.parse().ok()?;
        let flags: Vec<&str> = flags.split(',').collect();
        let mut claim = Claim { epoch, ..Claim::default() };
        for word in words.skip(1) {
            let Some(moving) = word.strip_prefix('[') else {
                claim.slots = claim.slots.with(&Slots::parse(word));
                continue;
            };
            if let Some((slot, _)) = moving.split_once("->-") {
                claim.leaving.add(slot.parse().ok()?);
            } else if let Some((slot, _)) = moving.split_once("-<-") {
                claim.arriving.add(slot.parse().ok()?);
            }
        }
        let is_unusable = ["noaddr", "handshake"].iter().any(|flag| flags.contains(flag));
        Some(Self {
            id: id.to_owned(),
            host: host(address, by_name).filter(|_| !is_unusable),
            is_speaker: flags.contains(&"myself"),
            is_primary: flags.contains(&"master"),
            claim,
        })
    }
}

/// By its address, for the name after the comma may be one that only people know; by the name, if there is
/// one, where certificates are looked at.
fn host(address: &str, by_name: bool) -> Option<Host> {
    let (address, rest) = address.split_once('@')?;
    let (name, port) = address.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let announced = rest.split(',').nth(1).filter(|name| by_name && !name.is_empty());
    let name = announced.unwrap_or(name.trim_start_matches('[').trim_end_matches(']'));
    // A node that nobody has met does not know what it is called.
    Some(Host { name: name.to_owned(), port }).filter(|host| !host.name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_read_as_servers_write_them() {
        let view = View::parse(
            "07c3 127.0.0.1:30004@31004 slave e7d1 0 1426238317239 4 connected\n\
             67ed 127.0.0.1:30002@31002,redis-2 master - 0 1426238316232 2 connected 5461-10922\n\
             e7d1 ::1:30001@31001 myself,master - 0 0 7 connected 0-5459 5460 [93->-67ed] [77-<-67ed]\n\
             dead :0@0 master,noaddr - 1 1 3 disconnected\n\
             \n",
            false,
        );
        assert_eq!(view.nodes.len(), 4);
        let speaker = view.speaker().cloned();
        let says = speaker.as_ref().map(|it| (&*it.id, it.is_primary, it.claim.epoch));
        assert_eq!(says, Some(("e7d1", true, 7)));
        let claim = speaker.map(|it| it.claim).unwrap_or_default();
        assert_eq!(claim.slots.to_string(), "0-5460");
        assert_eq!(claim.leaving.to_string(), "93");
        assert_eq!(claim.arriving.to_string(), "77");
        let primaries: Vec<_> = view.primaries().map(|(id, host)| (id, host.port)).collect();
        assert_eq!(primaries, [("67ed", 30002), ("e7d1", 30001)]);
        let named = |text, by_name| host(text, by_name).map_or_else(String::new, |it| it.name);
        assert_eq!(named("[::1]:5@6", false), "::1");
        assert_eq!(named("127.0.0.1:5@6,redis-2,shard-id=7", false), "127.0.0.1");
        assert_eq!(named("127.0.0.1:5@6,redis-2,shard-id=7", true), "redis-2");
        assert_eq!(named("127.0.0.1:5@6,,shard-id=7", true), "127.0.0.1");
    }
}
