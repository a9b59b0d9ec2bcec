//! Where a way leads, and how one connects there.

use std::time::Duration;

use portcullis_core::View;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};
use secrecy::{ExposeSecret as _, SecretString};

use crate::settings::Host;

/// Where the way leads at the moment.
#[derive(Clone)]
pub struct Place {
    /// How one connects there.
    pub client: Client,
    /// The same for whoever makes connections of their own.
    pub(crate) url: SecretString,
    /// What it is called, if somebody was asked for that.
    pub named: Option<Host>,
}

impl Place {
    /// Whether both lead to one server, as one and the same.
    pub(crate) fn leads_where(&self, other: &Self) -> bool {
        self.url.expose_secret() == other.url.expose_secret()
    }
}

/// A connection that waits no longer than this to be made, and for any answer.
pub async fn connected(
    client: &Client,
    connecting: Duration,
    answer: Duration,
) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(connecting))
        .set_response_timeout(Some(answer));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// What the node that was reached there says of all; by name, what the others are called.
pub(in crate::ledger) async fn view(
    redis: &mut MultiplexedConnection,
    there: &Host,
    by_name: bool,
) -> RedisResult<View> {
    let text: String = redis::cmd("CLUSTER").arg("NODES").query_async(redis).await?;
    Ok(View::read(&text, there, by_name))
}
