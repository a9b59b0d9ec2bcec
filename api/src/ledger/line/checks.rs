//! The questions of the hot path, those of one moment in one write.
//!
//! A question by itself costs a system call each way and wakes the server up. Under load many ask
//! at the same moment, so the first waits until every other task that is ready has run; where
//! nobody else is ready that is no time at all. Nothing is kept: each question gets the answer that
//! Redis gave to it.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisResult, Value};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::ledger::redis_fault::unavailable;

/// How many go together at most.
const MOST: usize = 256;

/// Where questions about one connection are put. Each asker waits, so there are never more of
/// them than requests.
pub(crate) struct Checks(UnboundedSender<Question>);

/// A question, and who waits for the answer.
struct Question {
    command: Cmd,
    asker: oneshot::Sender<RedisResult<Value>>,
}

impl Checks {
    /// Asks on this connection for as long as this value lives.
    pub(super) fn on(redis: MultiplexedConnection) -> Self {
        let (put, questions) = unbounded_channel();
        tokio::spawn(run(questions, redis));
        Self(put)
    }

    /// What Redis answers to one command.
    pub(crate) async fn ask(&self, command: Cmd) -> RedisResult<Value> {
        let gone = || unavailable("this connection has been closed");
        let (asker, answer) = oneshot::channel();
        self.0.send(Question { command, asker }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

async fn run(mut questions: UnboundedReceiver<Question>, redis: MultiplexedConnection) {
    while let Some(first) = questions.recv().await {
        tokio::task::yield_now().await;
        let mut together = vec![first];
        while together.len() < MOST
            && let Ok(next) = questions.try_recv()
        {
            together.push(next);
        }
        tokio::spawn(ask(together, redis.clone()));
    }
}

async fn ask(questions: Vec<Question>, mut redis: MultiplexedConnection) {
    let mut pipeline = Pipeline::with_capacity(questions.len());
    let mut askers = Vec::with_capacity(questions.len());
    for Question { command, asker } in questions {
        pipeline.add_command(command);
        askers.push(asker);
    }
    pipeline.ignore_errors();
    let answers = pipeline.query_async::<Vec<Value>>(&mut redis).await;
    // An asker that has gone away needs no answer.
    match answers {
        Ok(answers) => {
            for (asker, answer) in askers.into_iter().zip(answers) {
                drop(asker.send(match answer {
                    Value::ServerError(refusal) => Err(refusal.into()),
                    answer => Ok(answer),
                }));
            }
        }
        Err(fault) => {
            for asker in askers {
                drop(asker.send(Err(fault.clone())));
            }
        }
    }
}
