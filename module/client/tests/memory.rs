//! How much a watch may hold is known beforehand.

use std::alloc::{GlobalAlloc, Layout, System};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use portcullis_client::{Options, Question, Watch};
use portcullis_tests::{Redis, wait_until};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the system's, which keeps the contract; here is only counting.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

const TOKEN: usize = 300;
/// As many as are asked about at once.
const AT_ONCE: usize = 256;

/// Asks about many tokens at once, outside of any runtime.
fn ask(watch: &Watch, tokens: &[String]) {
    type Check<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
    let checks: Vec<Check<'_>> = tokens
        .iter()
        .map(|token| -> Check<'_> {
            Box::pin(async move {
                let token = token.as_bytes();
                let question =
                    Question { subject: "1", token, session: None, issued_ms: None, expires: None };
                watch.check(&question).await.unwrap();
            })
        })
        .collect();
    let mut checks = pin!(checks);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        checks.retain_mut(|check| check.as_mut().poll(&mut context) == Poll::Pending);
        if checks.is_empty() {
            return;
        }
        thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn no_more_is_held_than_was_agreed_on() {
    let redis = Redis::start();
    for most_tokens in [10_000, 20_000] {
        let options = Options {
            lease: Duration::from_mins(1),
            deadline: Duration::from_mins(1),
            most_tokens,
            ..Options::default()
        };
        let all: Vec<String> = (0..most_tokens * 3 / 2).map(|n| format!("{n:0TOKEN$}")).collect();
        let before = HELD.load(Ordering::Relaxed);
        let watch = Watch::connect(&redis.url(), options).unwrap();
        let allowed = most_tokens * (TOKEN + 110) + 256 * 1024;
        for (part, tokens) in all.chunks(AT_ONCE).enumerate() {
            ask(&watch, tokens);
            let held = HELD.load(Ordering::Relaxed).saturating_sub(before);
            // Questions on their way, as their askers and the watch hold them, and buffers for them.
            let transient = AT_ONCE * 8 * TOKEN;
            assert!(held <= allowed + transient, "{held} of {allowed} after {part} parts");
        }
        wait_until("nothing is on its way", || {
            HELD.load(Ordering::Relaxed).saturating_sub(before) <= allowed
        });
        // Nearly all places were in use.
        let tokens = watch.stats().tokens;
        assert!(tokens <= most_tokens && tokens > most_tokens * 9 / 10, "{tokens} held");
        let held = HELD.load(Ordering::Relaxed).saturating_sub(before);
        eprintln!(
            "{tokens} tokens: {} bytes each beside their own, of which {} fixed",
            (held - tokens * TOKEN - 256 * 1024) / tokens,
            256 * 1024
        );
    }
}
