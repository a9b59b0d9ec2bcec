//! Asks sentinels for the primary.
//!
//! All of them, at once, and the one counts that has heard of the newest failover: a sentinel that was
//! cut off together with an old primary goes on naming it. So nobody's answer ends the search, and
//! where a sentinel stands in the list means nothing.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{Client, ErrorKind, RedisError, RedisResult};
use tokio::sync::Mutex;

use super::door::Door;
use super::place::{Place, connected};
use crate::settings::Host;

/// Those who know where the primary is.
pub(super) struct Sentinels {
    each: Vec<Sentinel>,
    /// What they call it.
    name: String,
    primary: Door,
}

struct Sentinel {
    client: Client,
    /// Asked every second, so it is kept.
    connection: Mutex<Option<MultiplexedConnection>>,
}

/// What one sentinel says; the greatest is the one to follow.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    /// Counts failovers.
    epoch: u64,
    /// Whether this sentinel reaches it.
    is_up: bool,
    host: Host,
}

impl Sentinels {
    pub(super) fn new(each: Vec<Client>, name: String, primary: Door) -> Self {
        let each = each.into_iter().map(|client| Sentinel { client, connection: Mutex::default() });
        Self { each: each.collect(), name, primary }
    }

    /// The primary after the newest failover that any of them has heard of.
    pub(super) async fn primary(&self, deadline: Duration) -> RedisResult<Place> {
        let asked = self.each.iter().map(|sentinel| sentinel.ask(&self.name, deadline));
        let (mut newest, mut fault) = (None, None);
        for answer in join_all(asked).await {
            match answer {
                Ok(Some(told)) => newest = newest.max(Some(told)),
                Ok(None) => {}
                Err(cause) => fault = Some(cause),
            }
        }
        match (newest, fault) {
            (Some(Told { host, .. }), _) => self.primary.place(host),
            (None, Some(cause)) => Err(RedisError::from((
                ErrorKind::Client,
                "no sentinel says where the primary is",
                explained(&cause),
            ))),
            (None, None) => Err(RedisError::from((
                ErrorKind::Client,
                "the sentinels know no such primary",
                format!(
                    "end REDIS_URL with the name that `sentinel monitor` gave it instead of {}",
                    self.name
                ),
            ))),
        }
    }
}

impl Sentinel {
    /// Where it says that the primary is; nothing if it knows none of that name.
    async fn ask(&self, name: &str, deadline: Duration) -> RedisResult<Option<Told>> {
        let mut kept = self.connection.lock().await;
        let asked = async {
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => connected(&self.client, deadline, deadline).await?,
            };
            let mut questions = redis::pipe();
            questions.cmd("SENTINEL").arg("MASTER").arg(name);
            questions.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name);
            let answer = questions.query_async(&mut connection).await;
            Ok::<_, RedisError>((answer, connection))
        };
        let late = |_| RedisError::from((ErrorKind::Io, "a sentinel takes too long to answer"));
        let (answer, connection) = tokio::time::timeout(deadline, asked).await.map_err(late)??;
        let (state, address): (HashMap<String, String>, Option<(String, u16)>) = match answer {
            Ok(answer) => answer,
            Err(cause) => {
                let is_refusal = cause.clone().into_server_errors().is_some();
                *kept = is_refusal.then_some(connection);
                let is_unknown = cause.to_string().contains("No such master");
                return if is_unknown { Ok(None) } else { Err(cause) };
            }
        };
        *kept = Some(connection);
        Ok(address.map(|address| told(&state, address)))
    }
}

fn told(state: &HashMap<String, String>, (name, port): (String, u16)) -> Told {
    let field = |name: &str| state.get(name).map_or("", String::as_str);
    Told {
        epoch: field("config-epoch").parse().unwrap_or(0),
        is_up: !field("flags").contains("_down"),
        host: Host { name, port },
    }
}

/// What went wrong, and what to do about it.
fn explained(cause: &RedisError) -> String {
    let said = cause.to_string();
    let mend = if said.contains("unknown command") {
        "what REDIS_URL names is no sentinel; sentinels usually listen on port 26379"
    } else if said.contains("NOAUTH")
        || said.contains("WRONGPASS")
        || cause.kind() == ErrorKind::AuthenticationFailed
    {
        "set SENTINEL_PASSWORD, and SENTINEL_USERNAME if they use ACLs"
    } else if cause.code() == Some("NOPERM") {
        "give SENTINEL_USERNAME the rights +auth +hello +ping +sentinel|master \
         +sentinel|get-master-addr-by-name +client|setinfo"
    } else {
        "check that they run where REDIS_URL says"
    };
    format!("{mend} ({said})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(epoch: &str, flags: &str, name: &str) -> Told {
        let state = [("config-epoch", epoch), ("flags", flags)];
        let state = state.map(|(name, value)| (name.to_owned(), value.to_owned()));
        told(&HashMap::from(state), (name.to_owned(), 1))
    }

    #[test]
    fn whoever_has_heard_of_the_newest_failover_is_followed() {
        let [cut_off, down, up] =
            [of("3", "master", "old"), of("10", "master,s_down", "new"), of("10", "master", "new")];
        assert!(down > cut_off, "by number, and whatever else is said");
        assert!(up > down);
    }
}
