//! Notes of commits in Redis: so that an instance that has just started knows of them, and each of those of
//! the others (`store/history.rs` says what for).
//!
//! They go along with the changes that Redis is told, in a short list; in a cluster, where that list may be
//! at another server, and when Redis was away, a moment later. A note that Redis refuses to take holds up no
//! ending: it is tried again.

use redis::{Pipeline, RedisError, Value};

use crate::base::clock::Timestamp;
use crate::base::log_targets as log;
use crate::ledger::ledgers::Ledgers;
use crate::store::history::{History, MOST, Note};

/// Notes on their way to Redis, and since which return they were committed. What does not arrive is written
/// down another time.
pub(super) struct Written {
    history: History,
    sign: u64,
    notes: Vec<Note>,
}

impl Written {
    /// Adds what nobody has written down yet to a pipeline.
    pub(super) fn add(ledgers: &Ledgers, pipeline: &mut Pipeline) -> Self {
        let history = ledgers.store.history.clone();
        let (sign, notes) = history.take_unwritten();
        if !notes.is_empty() {
            let push = pipeline.cmd("LPUSH").arg(key(ledgers));
            for note in &notes {
                push.arg(text(sign, *note));
            }
            pipeline.cmd("LTRIM").arg(key(ledgers)).arg(0).arg(MOST - 1);
        }
        Self { history, sign, notes }
    }

    /// Takes what Redis said to it from the front of the replies.
    pub(super) fn settle(mut self, replies: &mut Vec<Value>) {
        if self.notes.is_empty() {
            return;
        }
        match replies.drain(..2).next() {
            Some(Value::ServerError(refusal)) => {
                let refusal = RedisError::from(refusal);
                tracing::debug!(target: log::WATCH, %refusal, "commits could not be noted in Redis yet");
            }
            Some(_) | None => self.notes.clear(),
        }
    }
}

/// Whoever waited may have given up.
impl Drop for Written {
    fn drop(&mut self) {
        self.history.put_back(self.sign, std::mem::take(&mut self.notes));
    }
}

/// Writes down what no change has taken along, and reads what others have written.
pub(super) async fn exchange(ledgers: &Ledgers) {
    let history = &ledgers.store.history;
    let reading = history.begin_reading();
    write_and_read(ledgers).await;
    for lines in ledgers.shards.all() {
        if let Ok(line) = lines.beside() {
            history.note_everybody(line.heard_of_everybody.latest());
        }
    }
    history.end_reading(reading);
}

async fn write_and_read(ledgers: &Ledgers) {
    let key = key(ledgers);
    write(ledgers, &key).await;
    let mut question = redis::pipe();
    question.cmd("LRANGE").arg(&key).arg(0).arg(-1);
    let answer = ledgers.ask_beside::<(Vec<String>,)>(&key, &question).await;
    let Ok((texts,)) = answer else { return };
    // The oldest first.
    let notes: Vec<(u64, Note)> = texts.iter().rev().filter_map(|text| parse(text)).collect();
    let there: Vec<Note> = notes.iter().map(|(_, note)| *note).collect();
    ledgers.store.history.learn(notes);
    ledgers.store.history.write_again(&there);
    // A Redis that was restored has lost some, and whoever knows them may be gone in a moment.
    write(ledgers, &key).await;
}

async fn write(ledgers: &Ledgers, key: &str) {
    let mut pipeline = redis::pipe();
    let written = Written::add(ledgers, &mut pipeline);
    if !pipeline.is_empty() {
        pipeline.ignore_errors();
        if let Ok(mut replies) = ledgers.ask_beside(key, &pipeline).await {
            written.settle(&mut replies);
        }
    }
}

/// The list of notes.
fn key(ledgers: &Ledgers) -> String {
    format!("portcullis:commits:{}", ledgers.key_prefix())
}

fn text(sign: u64, Note { id, user_id, at }: Note) -> String {
    format!("{sign} {id} {user_id} {}", at.0)
}

fn parse(text: &str) -> Option<(u64, Note)> {
    let mut numbers = text.split(' ').map(|word| word.parse().ok());
    let mut number = || numbers.next().flatten();
    let (sign, id, user_id, at) = (number()?, number()?, number()?, number()?);
    Some((sign, Note { id, user_id, at: Timestamp(at) }))
}
