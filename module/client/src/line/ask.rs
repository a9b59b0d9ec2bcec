//! Questions that wait: for a connection, for their turn, for an answer, until their time is over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use portcullis_core::Verdict;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::answers::Unavailable;
use crate::clock::Moment;
use crate::question::Written;
use crate::shared::Shared;

/// What comes of a question.
pub(crate) type Outcome = Result<Answered, Unavailable>;

/// A verdict.
#[derive(Clone, Copy)]
pub(crate) struct Answered {
    pub(crate) verdict: Verdict,
    /// Until when it may be handed on.
    pub(crate) until: Moment,
}

/// A question and whoever waits for its outcome.
pub(crate) struct Ask {
    pub(crate) written: Written,
    pub(crate) deadline: Moment,
    /// Whether it has been on a connection that was lost.
    pub(crate) is_repeated: bool,
    asker: Asker,
}

/// Whoever waits.
pub(crate) struct Asker {
    outcome: oneshot::Sender<Outcome>,
    _open: Open,
}

/// One of the questions that have no outcome yet.
pub(crate) struct Open(Arc<Shared>);

impl Open {
    /// `None` if there are so many already.
    pub(crate) fn new(shared: &Arc<Shared>, most: usize) -> Option<Self> {
        let open = Self(Arc::clone(shared));
        (shared.open.fetch_add(1, Ordering::Relaxed) < most).then_some(open)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ask {
    pub(crate) fn new(
        written: Written,
        deadline: Moment,
        open: Open,
    ) -> (Self, oneshot::Receiver<Outcome>) {
        let (outcome, receiver) = oneshot::channel();
        let asker = Asker { outcome, _open: open };
        (Self { written, deadline, is_repeated: false, asker }, receiver)
    }

    pub(crate) fn answer(self, outcome: Outcome) {
        self.asker.answer(outcome);
    }

    /// Whether nobody waits any more, or has waited long enough.
    fn is_over(&self, now: Moment) -> bool {
        now >= self.deadline || self.asker.outcome.is_closed()
    }

    pub(crate) fn into_parts(self) -> (Written, Moment, bool, Asker) {
        (self.written, self.deadline, self.is_repeated, self.asker)
    }

    pub(crate) fn from_parts(written: Written, deadline: Moment, asker: Asker) -> Self {
        Self { written, deadline, is_repeated: true, asker }
    }
}

impl Asker {
    pub(crate) fn answer(self, outcome: Outcome) {
        // Whoever does not wait any more needs none.
        let _ = self.outcome.send(outcome);
    }
}

/// Those that have not been sent, the first to come first.
#[derive(Default)]
pub(crate) struct Waiting(VecDeque<Ask>);

impl Waiting {
    pub(crate) fn push(&mut self, ask: Ask) {
        self.0.push_back(ask);
    }

    /// One that was on its way before all that wait here.
    pub(crate) fn put_back(&mut self, ask: Ask) {
        self.0.push_front(ask);
    }

    /// The next one that somebody still waits for.
    pub(crate) fn next(&mut self, now: Moment) -> Option<Ask> {
        loop {
            let ask = self.0.pop_front()?;
            if !ask.is_over(now) {
                return Some(ask);
            }
            ask.answer(Err(Unavailable::Deadline));
        }
    }

    pub(crate) fn refuse_all(&mut self, refusal: &Unavailable) {
        self.0.drain(..).for_each(|ask| ask.answer(Err(refusal.clone())));
    }

    /// Tells those whose time is over. They came in the order of their deadlines, as good as.
    pub(crate) fn expire(&mut self, now: Moment) {
        // What a rush has needed is given back.
        self.0.shrink_to(64);
        while self.0.front().is_some_and(|ask| ask.is_over(now)) {
            if let Some(ask) = self.0.pop_front() {
                ask.answer(Err(Unavailable::Deadline));
            }
        }
    }

    pub(crate) fn first_deadline(&self) -> Option<Moment> {
        self.0.front().map(|ask| ask.deadline)
    }

    /// Takes in whoever asks, until nobody can any more.
    pub(crate) async fn gather(&mut self, inbox: &mut UnboundedReceiver<Ask>) {
        loop {
            let now = Moment::now();
            self.expire(now);
            let first = self.first_deadline();
            let deadline = async {
                match first {
                    Some(deadline) => sleep(deadline.since(now)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ask = inbox.recv() => match ask {
                    Some(ask) => self.push(ask),
                    None => return,
                },
                () = deadline => {}
            }
        }
    }
}
