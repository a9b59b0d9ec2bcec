//! What can be said of all servers together, and what each says of itself.

use futures_util::future::join_all;
use redis::RedisResult;

use super::ledgers::Ledgers;
use super::line::Condition;

/// What one server says of itself.
pub(crate) struct Info {
    /// What it is called in its cluster; nothing if it is in none.
    pub(crate) shard: String,
    /// Whether it is believed about all that it has.
    pub(crate) is_believed: bool,
    /// What its module counts, if it answers.
    pub(crate) text: Option<String>,
}

impl Ledgers {
    /// What the module counts, `INFO portcullis` of each server that has users.
    pub(crate) async fn info(&self) -> Vec<Info> {
        let asked = self.shards.holders().into_iter().map(|lines| async move {
            let asked = async {
                let line = lines.beside()?;
                let mut ask = redis::cmd("INFO");
                let answer = ask.arg("portcullis").query_async(&mut line.ask.clone()).await;
                lines.heard(&line, answer)
            };
            let text = asked.await.ok();
            Info { shard: lines.name().to_owned(), is_believed: lines.is_believed(), text }
        });
        join_all(asked).await
    }

    /// Whether every server answers and has the module.
    pub async fn ping(&self) -> RedisResult<()> {
        let asked = self.shards.holders().into_iter().map(|lines| async move {
            let line = lines.any()?;
            if lines.is_of_a_cluster() {
                // No user is on every server, so that a check would go to one.
                let answer = redis::cmd("AUTH.FENCE").exec_async(&mut line.ask.clone()).await;
                return lines.heard(&line, answer);
            }
            let mut command = redis::cmd("AUTH.CHECK");
            command.arg(self.key(0)).arg("ping");
            let answer = command.exec_async(&mut line.ask.clone()).await;
            lines.heard(&line, answer)
        });
        join_all(asked).await.into_iter().collect()
    }

    /// What can be said of Redis, given how a [`Self::ping`] went.
    pub(crate) fn condition(&self, answer: &RedisResult<()>) -> Condition {
        match (answer, self.shards.condition()) {
            (Ok(()), condition) => condition,
            (Err(cause), _) if cause.code() == Some("NOTREADY") => Condition::NotConfirmed,
            (Err(_), Condition::NoModule) => Condition::NoModule,
            (Err(_), _) => Condition::Unreachable,
        }
    }
}
