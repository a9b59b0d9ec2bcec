//! A client that keeps answers as the pages say: over RESP3, tracked per key on the very connection
//! that asks.

use std::sync::mpsc::{self, Receiver};

use portcullis_tests::Redis;
use redis::{PushInfo, PushKind, Value};

use crate::talk::{self, Talk};

/// The end of the year 9999.
pub(crate) const EVER: i64 = 253_402_300_799_999;

/// What `UNTIL` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) word: String,
    pub(crate) until: i64,
    pub(crate) now: i64,
    pub(crate) life: i64,
}

impl Answer {
    /// Asks `AUTH.CHECK question UNTIL`; an error is a panic.
    #[track_caller]
    pub(crate) fn of(talk: &mut Talk, question: &str) -> Self {
        Self::try_of(talk, question).unwrap_or_else(|refusal| panic!("{question}: {refusal}"))
    }

    /// The same, where an error may be the answer.
    #[track_caller]
    pub(crate) fn try_of(talk: &mut Talk, question: &str) -> Result<Self, String> {
        let told = talk.answer(&format!("AUTH.CHECK {question} UNTIL"));
        let parts = match told {
            Value::Array(parts) => parts,
            Value::SimpleString(refusal) => return Err(refusal),
            other => panic!("{question}: {other:?}"),
        };
        let (word, numbers) = parts.split_first().expect("four elements");
        let word = match word {
            Value::Okay => "OK".to_owned(),
            Value::SimpleString(word) => word.clone(),
            other => panic!("{question}: {other:?} is no word"),
        };
        let [Value::Int(until), Value::Int(now), Value::Int(life)] = numbers[..] else {
            panic!("{question}: {numbers:?}")
        };
        Ok(Self { word, until, now, life })
    }
}

/// What was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Nothing,
    /// A key that was asked about has changed.
    Key,
    /// Anything may have changed.
    Everything,
}

pub(crate) struct Keeper {
    pub(crate) talk: Talk,
    pushes: Receiver<PushInfo>,
}

impl Keeper {
    pub(crate) fn of(redis: &Redis) -> Self {
        Self::tracked(talk::resp3(redis))
    }

    /// As a user who needs no password.
    pub(crate) fn as_user(redis: &Redis, name: &str) -> Self {
        let mut talk = talk::resp3(redis);
        assert_eq!(talk.say(&format!("AUTH {name} any")), "OK");
        Self::tracked(talk)
    }

    fn tracked(mut talk: Talk) -> Self {
        let (sender, pushes) = mpsc::channel();
        talk.0.set_push_sender(sender);
        assert_eq!(talk.say("CLIENT TRACKING ON"), "OK");
        Self { talk, pushes }
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, question: &str) -> Answer {
        Answer::of(&mut self.talk, question)
    }

    /// What was pushed until now: a push is sent before the answer to whatever is asked after it.
    #[track_caller]
    pub(crate) fn heard(&mut self) -> Heard {
        assert_eq!(self.talk.say("PING"), "PONG");
        self.heard_so_far()
    }

    /// What had come with the last answer.
    #[track_caller]
    pub(crate) fn heard_so_far(&self) -> Heard {
        let mut heard = Heard::Nothing;
        for push in self.pushes.try_iter() {
            assert_eq!(push.kind, PushKind::Invalidate, "{push:?}");
            heard = match push.data[..] {
                [Value::Nil] => Heard::Everything,
                [Value::Array(_)] if heard != Heard::Everything => Heard::Key,
                _ => heard,
            };
        }
        heard
    }
}
