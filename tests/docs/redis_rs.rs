//! What `calling.md` shows for redis-rs: from the next line on, word for word.
use std::time::Duration;

use redis::aio::ConnectionManager;

const DEADLINE: Duration = Duration::from_millis(250);

/// Whether a token whose signature was verified is good now. Any doubt is a no.
pub async fn is_good(redis: &ConnectionManager, subject: &str, token: &str, session: &str) -> bool {
    let mut redis = redis.clone();
    let mut check = redis::cmd("AUTH.CHECK");
    check.arg(format!("user:{subject}")).arg(token).arg("SESSION").arg(session);
    let verdict = tokio::time::timeout(DEADLINE, check.query_async::<String>(&mut redis)).await;
    matches!(verdict, Ok(Ok(word)) if word == "OK")
}
