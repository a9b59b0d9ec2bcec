//! The question of the hot path: what Redis says of one token.

use portcullis_core::{Digest, Verdict};
use redis::{Cmd, RedisResult, Value};

use super::kept::Asked;
use super::ledgers::{Ledgers, unexpected};
use super::shards::Believed;
use crate::base::session_id::SessionId;

impl Ledgers {
    /// The one question of the hot path: what is kept, or `AUTH.CHECK key DIGEST hex SESSION sid`. The
    /// token itself stays here, so that no `MONITOR` ever shows one.
    pub(crate) async fn check(&self, asked: &Asked<'_>, digest: Digest) -> RedisResult<Verdict> {
        let Believed { lines, line, life } =
            self.shards.believed_about(asked.user_id, || self.key(asked.user_id))?;
        self.everybody.must_be_heard(&line.heard_of_everybody)?;
        let kept = lines.kept.verdict(asked, life).await;
        if let Some(verdict) = lines.heard(&line, kept)? {
            return Ok(verdict);
        }
        let question = self.question(asked.user_id, digest, asked.session);
        let answer = question.query_async::<Value>(&mut line.ask.clone()).await;
        match self.heard(&lines, &line, answer)? {
            Value::Okay => Ok(Verdict::Ok),
            Value::SimpleString(word) => {
                Verdict::of_word(&word).ok_or_else(|| unexpected("AUTH.CHECK"))
            }
            _ => Err(unexpected("AUTH.CHECK")),
        }
    }

    pub(super) fn question(&self, user_id: u64, digest: Digest, session: &SessionId) -> Cmd {
        let mut command = Cmd::with_capacity(6, 192);
        command.arg("AUTH.CHECK").arg(self.key(user_id));
        command.arg("DIGEST").arg(digest.to_hex().as_slice());
        command.arg("SESSION").arg(session.as_str());
        command
    }
}
