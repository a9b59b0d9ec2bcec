//! The ledger against a model too simple to be wrong (`simple.rs`). Random requests at random times;
//! the clock also steps back.

mod simple;
mod steps;

use std::time::Duration;

use portcullis_core::{
    Create, Digest, Facts, Ledger, Present, Question, Revocation, TokenRef, Touched, UnixMs,
    encoding,
};
use proptest::prelude::*;

use crate::simple::{Model, Session};
use crate::steps::{IDS, LIMIT, Step, Wanted, steps};

/// Ledger and model, side by side.
struct Pair {
    ledger: Ledger,
    model: Model,
    now: u64,
}

impl Pair {
    fn take(&mut self, step: Step) {
        match step {
            Step::Create { id, wanted } => self.create(IDS[id], wanted),
            Step::Replay { id, created } => self.replay(IDS[id], created),
            Step::Touch { id, at } => self.touch(IDS[id], at),
            Step::End { id } => self.end(IDS[id]),
            Step::LogOut { at, except } => self.log_out(at, except.map(|id| IDS[id])),
            Step::Revoke { token, ttl } => self.revoke(token, self.now + ttl),
            Step::EndEverybody { at } => self.model.everybody = self.model.everybody.max(at),
            Step::Reload => self.reload(),
            Step::Sweep => {
                self.ledger.sweep(self.present());
                self.forget_expired();
            }
        }
    }

    fn present(&self) -> Present {
        Present { now: UnixMs(self.now), watermark: UnixMs(self.model.everybody) }
    }

    fn create(&mut self, id: &'static str, wanted: Wanted) {
        let Wanted { ttl, idle_s, device, seen, keep } = wanted;
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
        let outcome = self.ledger.create(&request, self.present());

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
        let outcome = self.ledger.touch_live(id.as_bytes(), at.map(UnixMs), self.present());
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
        let ended = self.ledger.end([id.as_bytes()], self.present());
        let known = self.model.sessions.remove(id);
        assert_eq!(
            matches!(ended[..], [(_, portcullis_core::State::Live)]),
            known.is_some_and(|it| self.model.is_live(&it, self.now))
        );
    }

    fn log_out(&mut self, at: Option<u64>, except: Option<&'static str>) {
        let now = self.now;
        let at = at.map(|at| at.min(now));
        let present = self.present();
        let outcome = self.ledger.log_out(at.map(UnixMs), except.map(str::as_bytes), present);
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
        encoding::encode(&self.ledger, true, |block| blocks.push(block.to_vec()));
        let mut blocks = blocks.iter();
        if self.ledger.expires(Duration::ZERO).is_some() {
            let read = encoding::decode(encoding::VERSION, || blocks.next());
            let read = read.expect("what was written is read").ledger;
            assert!(read == self.ledger);
            self.ledger = read;
        }
    }

    /// A swept entry stays dead even if the clock steps back, so the model forgets what is gone.
    fn forget_expired(&mut self) {
        let (ledger, now, first) = (&self.ledger, self.now, self.model.first());
        self.model.sessions.retain(|id, it| {
            let is_kept = it.expires > now && (it.created >= first || it.idle(now));
            is_kept || ledger.find(id.as_bytes()).is_some()
        });
        let kept: Vec<_> = ledger.revocations().map(|row| row.digest).collect();
        self.model
            .revoked
            .retain(|token, expires| *expires > self.now || kept.contains(&Digest::of(&[*token])));
    }

    fn compare(&self) {
        let watermark = self.model.latest().cast_signed();
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
            self.ledger.verdict(&question, self.present()),
            self.model.verdict(id, token, issued_ms, self.now),
            "{id:?} {token} {issued_ms:?} at {}",
            self.now
        );
    }

    fn compare_sessions(&self) {
        let shown = self.ledger.live_sessions(self.present()).into_iter().map(|session| {
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
