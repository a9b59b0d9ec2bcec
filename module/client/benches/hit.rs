//! What a hit costs, and whether threads wait for each other: `cargo bench -p portcullis-client`.
//!
//! Processor time of the thread that looks, so that a busy machine does not count. Beside it, what the
//! maps of others cost with the same tokens: papaya, and `quick_cache`, whose shards have locks. With more
//! threads than cores the time of each still tells whether they take a cache line from each other.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "figures to read, of small numbers"
)]

#[path = "../tests/waiting.rs"]
mod waiting;

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use portcullis_client::{Options, Question, Verdict, Watch};
use portcullis_tests::Redis;
use rustix::time::{ClockId, clock_gettime};

const LOOKS: u32 = 2_000_000;
const ROUNDS: usize = 5;

/// As long as an access token, and different at its end, as signatures are.
fn token(number: usize) -> Vec<u8> {
    let mut state = number as u64 ^ 0x9e37_79b9_7f4a_7c15;
    (0..295)
        .map(|place| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if place < 64 { b'a' } else { b'0' + (state >> 40) as u8 % 64 }
        })
        .collect()
}

fn thread_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// The median over the rounds of what one look costs a thread, in nanoseconds.
fn cost(tokens: &[Vec<u8>], look: impl Fn(&[u8]) -> bool) -> f64 {
    let mut costs: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let (mut state, mut found) = (0x2545_f491_4f6c_dd1d_u64, 0);
            let begun = thread_ns();
            for _ in 0..LOOKS {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let place = (u128::from(state) * tokens.len() as u128) >> 64;
                found += u32::from(look(black_box(&tokens[place as usize])));
            }
            let spent = thread_ns() - begun;
            assert!(found > LOOKS / 100 * 99, "only {found} of {LOOKS} were known");
            spent as f64 / f64::from(LOOKS)
        })
        .collect();
    costs.sort_by(f64::total_cmp);
    costs[ROUNDS / 2]
}

/// The same on so many threads at once, the dearest of them.
fn dearest(threads: usize, tokens: &[Vec<u8>], look: impl Fn(&[u8]) -> bool + Sync) -> f64 {
    thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(|| cost(tokens, &look))).collect();
        all.into_iter().map(|one| one.join().unwrap()).fold(0.0, f64::max)
    })
}

fn watch(redis: &Redis, tokens: &[Vec<u8>]) -> Watch {
    let options = Options {
        lease: Duration::from_mins(1),
        deadline: Duration::from_mins(1),
        most_tokens: tokens.len() * 5 / 4,
        ..Options::default()
    };
    let watch = Watch::connect(&redis.url(), options).unwrap();
    for token in tokens {
        let question =
            Question { subject: "1", token, session: None, issued_ms: None, expires: None };
        waiting::know(&watch, &question, Verdict::Ok);
    }
    watch
}

fn main() {
    let redis = Redis::start();
    let clock = cost(&[token(0)], |_| clock_gettime(ClockId::Boottime).tv_sec > 0);
    println!("the clock                         {clock:6.1} ns");
    for count in [1_000, 200_000] {
        let tokens: Vec<Vec<u8>> = (0..count).map(token).collect();
        let watch = watch(&redis, &tokens);
        let hit = cost(&tokens, |token| watch.cached(token) == Some(Verdict::Ok));
        println!("a hit among {count:7} tokens       {hit:6.1} ns, {:.1} M/s a core", 1e3 / hit);
    }
    let tokens = vec![token(1)];
    let watch = watch(&redis, &tokens);
    let papaya = papaya::HashMap::new();
    papaya.pin().insert(tokens[0].clone(), Verdict::Ok);
    let quick = quick_cache::sync::Cache::new(1000);
    quick.insert(tokens[0].clone(), Verdict::Ok);
    println!("\none hot token, threads at once:   this crate, papaya alone, quick_cache alone");
    for threads in [1, 2, 4, 16] {
        let ours = dearest(threads, &tokens, |token| watch.cached(token) == Some(Verdict::Ok));
        let theirs = dearest(threads, &tokens, |token| papaya.pin().get(token).is_some());
        let others = dearest(threads, &tokens, |token| quick.get(token).is_some());
        println!("{threads:2} threads  {ours:30.1} ns {theirs:11.1} ns {others:15.1} ns");
    }
}
