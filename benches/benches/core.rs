//! The rules of `core` by themselves, each beside the plainest way of doing the same.

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use portcullis_core::{Digest, Facts, Ledger, Question, TokenRef, UnixMs, encoding};
use std::collections::BTreeMap;

const NOW: UnixMs = UnixMs(1_000);
const LATER: UnixMs = UnixMs(1_000_000);
const DIGESTS: u64 = 10_000;

fn digest(n: u64) -> Digest {
    Digest::of(&n.to_le_bytes())
}

fn id(n: u64) -> String {
    format!("{n:0>51}")
}

fn ledger(sessions: u64, digests: u64) -> Ledger {
    let mut ledger = Ledger::default();
    for n in 0..sessions {
        let id = id(n);
        let (id, device) = (id.as_bytes(), [b'd'; 150].as_slice());
        ledger.put(&Facts { id, device, created: NOW, seen: NOW, expires: LATER, idle_s: 0 });
    }
    for n in 0..digests {
        ledger.revoke(digest(n), LATER, NOW);
    }
    ledger
}

fn digests(c: &mut Criterion) {
    let jwt = format!("eyJ{}.eyJ{}.{}", "h".repeat(37), "p".repeat(207), "s".repeat(43));
    let mut group = c.benchmark_group("digest");
    group.bench_function("of a JWT", |b| b.iter(|| Digest::of(black_box(jwt.as_bytes()))));
    group.bench_function("baseline: of as many bytes, unread", |b| {
        let bytes = vec![b'x'; 250];
        b.iter(|| Digest::of(black_box(&bytes)));
    });
    let hex = digest(1).to_hex();
    group.bench_function("from hex", |b| b.iter(|| Digest::from_hex(black_box(&hex))));
    group.finish();
}

fn verdicts(c: &mut Criterion) {
    let mut group = c.benchmark_group("verdict");
    let id = id(0);
    for (name, sessions, digests) in
        [("1 session", 1, 0), ("1000 sessions", 1000, 0), ("1 session, 10⁴ digests", 1, DIGESTS)]
    {
        let ledger = ledger(sessions, digests);
        let token = TokenRef::Digest(digest(u64::MAX));
        let question = Question { token, session: Some(id.as_bytes()), issued_ms: None };
        group.bench_function(name, |b| b.iter(|| ledger.verdict(black_box(&question), NOW)));
    }
    group.bench_function("baseline: HashMap of sessions, HashMap of digests", |b| {
        let sessions: HashMap<Vec<u8>, UnixMs> = [(id.clone().into_bytes(), LATER)].into();
        let revoked: HashMap<Digest, UnixMs> = (0..DIGESTS).map(|n| (digest(n), LATER)).collect();
        let token = digest(u64::MAX);
        b.iter(|| {
            let live = sessions.get(black_box(id.as_bytes())).is_some_and(|at| NOW < *at);
            live && revoked.get(black_box(&token)).is_none_or(|at| NOW >= *at)
        });
    });
    group.finish();
}

fn encodings(c: &mut Criterion) {
    let mut group = c.benchmark_group("encoding");
    for (name, sessions, digests) in [("1 session", 1, 0), ("10⁴ digests", 0, DIGESTS)] {
        let ledger = ledger(sessions, digests);
        let mut blocks: Vec<Vec<u8>> = Vec::new();
        encoding::encode(&ledger, true, |block| blocks.push(block.to_vec()));
        group.bench_function(format!("encode {name}"), |b| {
            b.iter(|| {
                encoding::encode(black_box(&ledger), true, |block| _ = black_box(block.len()));
            });
        });
        group.bench_function(format!("decode {name}"), |b| {
            b.iter(|| {
                let mut blocks = blocks.iter();
                encoding::decode(encoding::VERSION, || blocks.next())
            });
        });
    }
    group.bench_function("baseline: copy 10⁴ rows out of a BTreeMap", |b| {
        let rows: BTreeMap<Digest, UnixMs> = (0..DIGESTS).map(|n| (digest(n), LATER)).collect();
        b.iter(|| rows.iter().map(|(digest, at)| (*digest, *at)).collect::<Vec<_>>());
    });
    group.finish();
}

fn revocations(c: &mut Criterion) {
    let mut group = c.benchmark_group("10⁴ digests");
    let digests: Vec<Digest> = (0..DIGESTS).map(digest).collect();
    group.bench_function("insert", |b| {
        b.iter_batched_ref(
            Ledger::default,
            |ledger| {
                for it in &digests {
                    black_box(ledger.revoke(*it, LATER, NOW));
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("baseline: insert into a HashMap", |b| {
        b.iter_batched_ref(
            HashMap::new,
            |map| {
                for it in &digests {
                    black_box(map.insert(*it, LATER));
                }
            },
            BatchSize::LargeInput,
        );
    });
    let full = ledger(0, DIGESTS);
    group.bench_function("sweep until all expired are gone", |b| {
        b.iter_batched_ref(
            || full.clone(),
            |ledger| {
                while ledger.revoked_len() > 0 {
                    ledger.sweep(LATER);
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("baseline: HashMap::retain", |b| {
        let map: HashMap<Digest, UnixMs> = digests.iter().map(|it| (*it, LATER)).collect();
        b.iter_batched_ref(
            || map.clone(),
            |map| map.retain(|_, at| LATER < *at),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, digests, verdicts, encodings, revocations);
criterion_main!(benches);
