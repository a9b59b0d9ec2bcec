//! The way to the server that ledgers are on: an address, or whatever sentinels call the primary.
//!
//! An address leads where it leads, and whoever maintains it sees to it that it follows the primary.
//! Sentinels are asked anew for every line, and again and again while there is one (`watch.rs`).

mod authority;
mod door;
mod mode;
mod place;
mod sentinels;

use std::time::Duration;

use portcullis_core::Slots;
use redis::{Client, RedisResult};
use secrecy::{ExposeSecret as _, SecretString};

use crate::ledger::redis_fault::unavailable;
use crate::settings::{Host, Invalid, RedisServers, Stores};
use authority::Authority;
use door::Door;
pub use mode::{NODE_OF_A_CLUSTER, is_node};
pub(super) use place::view;
pub use place::{Place, connected};
use sentinels::Sentinels;

/// How one gets to Redis.
pub struct Way(Kind);

enum Kind {
    One(Place),
    Sentinels(Sentinels),
    /// Some nodes of a cluster, and how one becomes a client of the others.
    Cluster(Vec<(Host, Client)>, Door),
    Node {
        place: Place,
        host: Host,
        by_name: bool,
    },
}

impl Way {
    /// The way that the settings describe. Nothing is asked yet.
    pub fn new(stores: &Stores) -> Result<Self, Invalid> {
        let invalid = |error: redis::RedisError| Invalid::new("REDIS_URL", error.to_string());
        let ca = stores.redis_ca_file.as_deref().map(Authority::read).transpose()?;
        let kind = match stores.redis_servers()? {
            RedisServers::One(url) => Kind::One(one(&url, ca.as_ref()).map_err(invalid)?),
            RedisServers::Sentinels { sentinels, name, db, login, sentinel_login, tls } => {
                let primary = Door { login, db, tls, ca: ca.clone() };
                let to_sentinel = Door { login: sentinel_login, db: 0, tls, ca };
                let each = sentinels.iter().map(|host| to_sentinel.client(host));
                let each = each.collect::<RedisResult<Vec<_>>>().map_err(invalid)?;
                Kind::Sentinels(Sentinels::new(each, name, primary))
            }
            RedisServers::Cluster { nodes, login, tls } => {
                let door = Door { login, db: 0, tls, ca };
                let named = nodes.into_iter().map(|host| Ok((host.clone(), door.client(&host)?)));
                let named = named.collect::<RedisResult<Vec<_>>>().map_err(invalid)?;
                Kind::Cluster(named, door)
            }
        };
        Ok(Self(kind))
    }

    /// Where it leads now.
    pub async fn place(&self, deadline: Duration) -> RedisResult<Place> {
        match &self.0 {
            Kind::One(place) | Kind::Node { place, .. } => Ok(place.clone()),
            Kind::Cluster(..) => Err(unavailable("a cluster is no single server")),
            Kind::Sentinels(sentinels) => sentinels.primary(deadline).await,
        }
    }

    /// Every server that has users, and which slots nobody has.
    pub async fn places(&self, deadline: Duration) -> RedisResult<(Vec<Place>, String)> {
        let Kind::Cluster(named, door) = &self.0 else {
            return Ok((vec![self.place(deadline).await?], String::new()));
        };
        let place = |host: &Host| door.place(host.clone());
        let mut fault = unavailable("no node of the cluster is named");
        for (host, client) in named {
            let asked = async {
                let mut redis = connected(client, deadline, deadline).await?;
                view(&mut redis, host, door.tls).await
            };
            let seen = match asked.await {
                Ok(seen) => seen,
                Err(cause) => {
                    fault = cause;
                    continue;
                }
            };
            let (mut places, mut without) = (Vec::new(), Slots::all());
            for node in seen.nodes.iter().filter(|node| !node.claim.slots.is_empty()) {
                without = without.without(&node.claim.slots);
                places.extend(node.host.as_ref().map(&place).transpose()?);
            }
            return Ok((places, without.to_string()));
        }
        Err(fault)
    }

    /// What the primary is called by whoever keeps track of that, if anybody does and answers.
    pub(super) async fn names(&self, deadline: Duration) -> Option<Host> {
        match &self.0 {
            Kind::One(_) | Kind::Cluster(..) | Kind::Node { .. } => None,
            Kind::Sentinels(sentinels) => sentinels.primary(deadline).await.ok()?.named,
        }
    }
}

impl Way {
    /// Whether it leads to several servers that share the users.
    pub fn is_cluster(&self) -> bool {
        matches!(self.0, Kind::Cluster(..))
    }

    /// The nodes that the settings name.
    pub(super) fn nodes(&self) -> &[(Host, Client)] {
        match &self.0 {
            Kind::Cluster(named, _) => named,
            Kind::One(_) | Kind::Sentinels(_) | Kind::Node { .. } => &[],
        }
    }

    /// The way to a node that another one has told of.
    pub(super) fn to_node(&self, host: &Host) -> RedisResult<Self> {
        match &self.0 {
            Kind::Cluster(_, door) => {
                let (place, host) = (door.place(host.clone())?, host.clone());
                Ok(Self(Kind::Node { place, host, by_name: door.tls }))
            }
            Kind::One(_) | Kind::Sentinels(_) | Kind::Node { .. } => {
                Err(unavailable("there is no cluster"))
            }
        }
    }

    /// Whether nodes are to be called by their names, as their certificates do.
    pub(super) fn is_by_name(&self) -> bool {
        match &self.0 {
            Kind::Cluster(_, door) => door.tls,
            Kind::Node { by_name, .. } => *by_name,
            Kind::One(_) | Kind::Sentinels(_) => false,
        }
    }

    /// Which node it leads to.
    pub(super) fn node(&self) -> Option<&Host> {
        match &self.0 {
            Kind::Node { host, .. } => Some(host),
            Kind::One(_) | Kind::Sentinels(_) | Kind::Cluster(..) => None,
        }
    }
}

fn one(url: &SecretString, ca: Option<&Authority>) -> RedisResult<Place> {
    let text = url.expose_secret();
    let (client, url) = match ca {
        Some(ca) => (Client::build_with_tls(text, ca.certificates())?, ca.named_in(text).into()),
        None => (Client::open(text)?, url.clone()),
    };
    Ok(Place { client, url, named: None })
}
