//! The ledger against a model too simple to be wrong (`simple.rs`). Random requests at random times;
//! the clock also steps back.

mod simple;

use std::time::Duration;

use portcullis_core::{
    Create, Digest, Facts, Ledger, Question, Revocation, TokenRef, Touched, UnixMs, encoding,
};
use proptest::prelude::*;

use crate::simple::{Model, Session};

const LIMIT: usize = 4;
const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

#[derive(Clone, Debug)]
enum Step {
    Create {
        id: usize,
        ttl: u64,
        idle_s: Option<u32>,
        device: Option<Vec<u8>>,
        seen: Option<u64>,
        keep: Option<usize>,
    },
    /// What a log or a primary says, of a session begun whenever.
    Replay {
        id: usize,
        created: u64,
    },
    Touch {
        id: usize,
        at: Option<u64>,
    },
    End {
        id: usize,
    },
    LogOut {
        at: Option<u64>,
        except: Option<usize>,
    },
    Revoke {
        token: u8,
        ttl: u64,
    },
    Reload,
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let id = 0..IDS.len();
    let step = prop_oneof![
        4 => (id.clone(), ticks(1..18), option(0_u32..4), option(prop::collection::vec(any::<u8>(), 0..4)), option(ticks(0..18)), option(1_usize..=LIMIT))
            .prop_map(|(id, ttl, idle_s, device, seen, keep)| Step::Create { id, ttl, idle_s, device, seen, keep }),
        1 => (id.clone(), ticks(0..18)).prop_map(|(id, created)| Step::Replay { id, created }),
        2 => (id.clone(), option(ticks(0..18))).prop_map(|(id, at)| Step::Touch { id, at }),
        1 => id.clone().prop_map(|id| Step::End { id }),
        1 => (option(ticks(0..18)), option(id)).prop_map(|(at, except)| Step::LogOut { at, except }),
        3 => (0_u8..8, ticks(0..18)).prop_map(|(token, ttl)| Step::Revoke { token, ttl }),
        1 => Just(Step::Reload),
        1 => Just(Step::Sweep),
    ];
    prop::collection::vec(((-3_i64..5).prop_map(|ticks| ticks * 500), step), 1..60)
}

/// Half seconds, so that instants often coincide.
fn ticks(count: std::ops::Range<u64>) -> impl Strategy<Value = u64> + Clone {
    count.prop_map(|ticks| ticks * 500)
}

fn option<T: std::fmt::Debug + Clone>(
    inner: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    prop::option::of(inner)
}

/// Ledger and model, side by side.
struct Pair {
    ledger: Ledger,
    model: Model,
    now: u64,
}

impl Pair {
    fn take(&mut self, step: Step) {
        match step {
            Step::Create { id, ttl, idle_s, device, seen, keep } => {
                self.create(IDS[id], (ttl, idle_s, device, seen, keep));
            }
            Step::Replay { id, created } => self.replay(IDS[id], created),
            Step::Touch { id, at } => self.touch(IDS[id], at),
            Step::End { id } => self.end(IDS[id]),
            Step::LogOut { at, except } => self.log_out(at, except.map(|id| IDS[id])),
            Step::Revoke { token, ttl } => self.revoke(token, self.now + ttl),
            Step::Reload => self.reload(),
            Step::Sweep => {
                self.ledger.sweep(UnixMs(self.now));
                self.forget_expired();
            }
        }
    }

    #[expect(clippy::type_complexity, reason = "the parts of one step")]
    fn create(
        &mut self,
        id: &'static str,
        (ttl, idle_s, device, seen, keep): (
            u64,
            Option<u32>,
            Option<Vec<u8>>,
            Option<u64>,
            Option<usize>,
        ),
    ) {
        let now = self.now;
        let request = Create {
            id: id.as_bytes(),
            expires: UnixMs(now + ttl),
            idle_s,
            device: device.as_deref(),
            created: None,
            seen: seen.map(UnixMs),
            keep,
            limit: LIMIT,
        };
        let outcome = self.ledger.create(&request, UnixMs(now));

        let known = self.model.sessions.get(id).filter(|it| self.model.is_live(it, now)).cloned();
        let mut others = self.model.live(now);
        others.retain(|other| *other != id);
        let excess = match &known {
            Some(_) => 0,
            None => (others.len() + 1).saturating_sub(keep.unwrap_or(LIMIT)),
        };
        if excess > 0 && keep.is_none() {
            assert!(outcome.is_err(), "a full ledger took {id}");
            return;
        }
        let outcome = outcome.expect("there was room");
        let evicted: Vec<_> = others.into_iter().take(excess).collect();
        assert_eq!(
            outcome.evicted,
            evicted.iter().map(|id| Box::from(id.as_bytes())).collect::<Vec<Box<[u8]>>>()
        );
        for gone in outcome.forgotten.iter().map(|id| String::from_utf8_lossy(id).into_owned()) {
            let forgotten = self.model.sessions.remove(gone.as_str()).expect("was known");
            assert!(forgotten.idle(now), "{gone} was not idle");
        }
        for gone in evicted {
            self.model.sessions.remove(gone);
        }
        let seen = seen.unwrap_or(now).min(now);
        let session = Session {
            created: known.as_ref().map_or(now.max(self.model.first()), |it| it.created),
            seen: known.as_ref().map_or(seen, |it| it.seen.max(seen)),
            expires: now + ttl,
            idle_s: idle_s.or(known.as_ref().map(|it| it.idle_s)).unwrap_or(0),
            device: device.or(known.map(|it| it.device)).unwrap_or_default(),
        };
        self.model.sessions.insert(id, session);
    }

    fn replay(&mut self, id: &'static str, created: u64) {
        let (seen, expires, idle_s) = (self.now, self.now + 4_000, 2);
        let session = Session { created, seen, expires, idle_s, device: Vec::new() };
        self.ledger.put(&Facts {
            id: id.as_bytes(),
            device: b"",
            created: UnixMs(created),
            seen: UnixMs(seen),
            expires: UnixMs(expires),
            idle_s,
        });
        self.model.sessions.insert(id, session);
    }

    fn touch(&mut self, id: &'static str, at: Option<u64>) {
        let now = self.now;
        let outcome = self.ledger.touch_live(id.as_bytes(), at.map(UnixMs), UnixMs(now));
        let at = at.unwrap_or(now).min(now);
        let first = self.model.first();
        let live = |it: &&mut Session| it.live(now) && it.created >= first;
        let expected = match self.model.sessions.get_mut(id).filter(live) {
            None => Touched::Dead,
            Some(session) if session.seen >= at => Touched::Unmoved,
            Some(session) => {
                session.seen = at;
                Touched::To(UnixMs(at))
            }
        };
        assert_eq!(outcome, expected);
    }

    fn end(&mut self, id: &'static str) {
        let ended = self.ledger.end([id.as_bytes()], UnixMs(self.now));
        let known = self.model.sessions.remove(id);
        assert_eq!(
            matches!(ended[..], [(_, portcullis_core::State::Live)]),
            known.is_some_and(|it| self.model.is_live(&it, self.now))
        );
    }

    fn log_out(&mut self, at: Option<u64>, except: Option<&'static str>) {
        let now = self.now;
        let at = at.map(|at| at.min(now));
        let outcome = self.ledger.log_out(at.map(UnixMs), except.map(str::as_bytes), UnixMs(now));
        let newest = self.model.sessions.values().map(|it| it.created).max().unwrap_or(0);
        let until = at.unwrap_or(now.max(newest));
        let (mut ended, first) = (0, self.model.first());
        self.model.sessions.retain(|id, it| {
            let ends = it.created <= until && Some(*id) != except;
            ended += usize::from(ends && it.live(now) && it.created >= first);
            !ends
        });
        if except.is_none() {
            self.model.watermark = self.model.watermark.max(until);
        }
        assert_eq!(outcome.live, ended);
    }

    fn revoke(&mut self, token: u8, expires: u64) {
        let now = self.now;
        let outcome = self.ledger.revoke(Digest::of(&[token]), UnixMs(expires), UnixMs(now));
        let known = self.model.revoked.get(&token).copied().unwrap_or(0);
        let expected = if expires <= now || known >= expires {
            Revocation::Unchanged
        } else if known > now {
            Revocation::Extended
        } else {
            Revocation::New
        };
        assert_eq!(outcome, expected);
        if expires > now {
            self.model.revoked.insert(token, known.max(expires));
        }
    }

    fn reload(&mut self) {
        let mut blocks = Vec::new();
        encoding::encode(&self.ledger, |block| blocks.push(block.to_vec()));
        let mut blocks = blocks.iter();
        if self.ledger.expires(Duration::ZERO).is_some() {
            let read = encoding::decode(|| blocks.next()).expect("what was written is read");
            assert!(read == self.ledger);
            self.ledger = read;
        }
    }

    /// A swept entry stays dead even if the clock steps back, so the model forgets what is gone.
    fn forget_expired(&mut self) {
        let ledger = &self.ledger;
        self.model
            .sessions
            .retain(|id, it| it.expires > self.now || ledger.find(id.as_bytes()).is_some());
        let kept: Vec<_> = ledger.revocations().map(|row| row.digest).collect();
        self.model
            .revoked
            .retain(|token, expires| *expires > self.now || kept.contains(&Digest::of(&[*token])));
    }

    fn compare(&self) {
        let watermark = self.model.watermark.cast_signed();
        for id in IDS.iter().map(|id| Some(*id)).chain([None]) {
            for (token, issued_ms) in (0..8).flat_map(|token| {
                [None, Some(0), Some(3_000), Some(watermark)].map(|issued| (token, issued))
            }) {
                self.compare_verdict(id, token, issued_ms);
            }
        }
        self.compare_sessions();
    }

    fn compare_verdict(&self, id: Option<&str>, token: u8, issued_ms: Option<i64>) {
        let session = id.map(str::as_bytes);
        let question = Question { token: TokenRef::Token(&[token]), session, issued_ms };
        assert_eq!(
            self.ledger.verdict(&question, UnixMs(self.now)),
            self.model.verdict(id, token, issued_ms, self.now),
            "{id:?} {token} {issued_ms:?} at {}",
            self.now
        );
    }

    fn compare_sessions(&self) {
        let shown = self.ledger.live_sessions(UnixMs(self.now)).into_iter().map(|session| {
            let it = session.facts();
            let times = (it.created.0, it.seen.0, it.expires.0, it.idle_s);
            (it.id.to_vec(), times, it.device.to_vec())
        });
        let known = self.model.live(self.now).into_iter().rev().map(|id| {
            let it = &self.model.sessions[id];
            let times = (it.created, it.seen, it.expires, it.idle_s);
            (id.as_bytes().to_vec(), times, it.device.clone())
        });
        assert_eq!(shown.collect::<Vec<_>>(), known.collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_ledger_agrees_with_the_model_at_every_step(steps in steps()) {
        let mut pair = Pair { ledger: Ledger::default(), model: Model::default(), now: 1_000 };
        for (elapsed, step) in steps {
            pair.now = pair.now.saturating_add_signed(elapsed).max(1);
            pair.take(step);
            pair.compare();
        }
    }
}
