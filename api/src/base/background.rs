//! Work that goes on beside the requests, and its end.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::base::log_targets as log;
use crate::base::said::Said;

/// Work beside the requests; a clone is about the same work.
#[derive(Clone)]
pub struct Background {
    /// All of it.
    pub tracker: TaskTracker,
    /// Tells it to end.
    pub stop: CancellationToken,
    /// What it has said of its failures.
    pub said: Said,
    deadline: Duration,
}

impl Background {
    /// None yet. What an answer does not wait for may take as long as an answer.
    pub fn new(deadline: Duration) -> Self {
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        Self { tracker, stop, said: Said::default(), deadline }
    }

    /// Begins something that ends by itself, or when it is told to stop.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(work);
    }

    /// Does what an answer does not wait for and nobody would miss: it is lost with the process, and
    /// given up when an answer would be late. What must not be lost is written down in the transaction
    /// that causes it (`mail/queue.rs`, `ledger/outbox.rs`).
    pub fn do_later(&self, work: impl Future<Output = ()> + Send + 'static) {
        let limit = self.deadline;
        self.tracker.spawn(async move {
            if tokio::time::timeout(limit, work).await.is_err() {
                tracing::error!(
                    target: log::STATE,
                    "background work was abandoned: it took too long"
                );
            }
        });
    }

    /// Ends all of it and waits for that.
    pub async fn shut_down(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
