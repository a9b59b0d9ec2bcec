//! What Redis remembers of clients that keep answers.

use anyhow::Result;
use redis::{Client, Connection};

use crate::stage::Stage;

/// Keys asked about.
const KEYS: usize = 200_000;
/// Keys asked about at a time.
const BATCH: usize = 10_000;
/// Clients beside the first.
const FURTHER: usize = 4;

/// Bytes of a key that one client has asked about, and more of it for each further client.
pub(crate) fn bytes(stage: &Stage) -> Result<[f64; 2]> {
    println!("bill: tracked keys");
    let redis = stage.server()?;
    let url = format!("unix://{}?protocol=resp3", redis.socket().display());
    let mut clients: Vec<Connection> = Vec::new();
    let mut used = vec![used_memory(&mut redis.connection())?];
    for _ in 0..=FURTHER {
        let mut client = Client::open(url.as_str())?.get_connection()?;
        redis::cmd("CLIENT").arg("TRACKING").arg("ON").exec(&mut client)?;
        for first in (0..KEYS).step_by(BATCH) {
            let mut pipe = redis::pipe();
            for n in first..first + BATCH {
                pipe.cmd("AUTH.CHECK").arg(format!("user:{n:08}")).arg("token").ignore();
            }
            pipe.exec(&mut client)?;
        }
        clients.push(client);
        used.push(used_memory(&mut redis.connection())?);
    }
    let [none, one, .., all] = used[..] else { anyhow::bail!("too few clients") };
    Ok([(one - none) / KEYS as f64, (all - one) / (KEYS * FURTHER) as f64])
}

fn used_memory(connection: &mut Connection) -> Result<f64> {
    crate::footprint::info(connection, "memory", "used_memory")
}
