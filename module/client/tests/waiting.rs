//! Waiting for a future without any runtime.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use portcullis_client::{Question, Unavailable, Verdict, Watch};
use portcullis_tests::wait_until;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What comes of it.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => thread::park(),
        }
    }
}

pub(crate) fn check(watch: &Watch, question: &Question<'_>) -> Result<Verdict, Unavailable> {
    block_on(watch.check(question))
}

/// Until this is what is known, asking for it meanwhile.
#[track_caller]
pub(crate) fn know(watch: &Watch, question: &Question<'_>, verdict: Verdict) {
    wait_until("the verdict is known", || {
        let _ = check(watch, question);
        watch.cached(question.token) == Some(verdict)
    });
}
