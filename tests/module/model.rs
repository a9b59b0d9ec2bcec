//! Random operations on a real server against a model too simple to be wrong.
//!
//! Every instant is a multiple of 1000 s away from half a grid step beside the present, so that
//! nothing depends on how long the test takes. A replica follows and must agree in the end.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use portcullis_tests::Redis;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::on_each_server;
use crate::talk::{self, Talk};

const IDS: [&str; 5] = ["a", "b", "c", "d", "e"];
const TOKENS: [&str; 4] = ["t1", "t2", "t3", "t4"];
const ENDED: &str =
    "ENDED the session began at or before a logout of everything; do not begin it again";

/// Steps of the grid, the present lying between -1 and 0.
type Step = i64;

#[derive(Clone, Debug)]
enum Operation {
    Create {
        id: usize,
        expires: Step,
        idle: Option<Step>,
        max: Option<usize>,
        device: Option<u8>,
        created: Step,
        seen: Step,
    },
    Touch {
        id: usize,
        at: Step,
    },
    Revoke {
        ids: Vec<usize>,
    },
    RevokeAll {
        except: Option<usize>,
        at: Step,
    },
    Blacklist {
        token: usize,
        expires: Step,
    },
    Check {
        token: usize,
        session: Option<usize>,
        issued: Option<Step>,
    },
    Get {
        id: usize,
    },
    List,
    Disturb {
        how: usize,
    },
}

/// What is done to the whole server; no ledger may notice.
const DISTURBANCES: [&str; 4] =
    ["DEBUG RELOAD", "COPY KEY other REPLACE", "RENAME KEY KEY", "PERSIST KEY"];

fn operation() -> impl Strategy<Value = Operation> {
    let (past, future) = (-20..0_i64, 0..20_i64);
    let id = 0..IDS.len();
    prop_oneof![
        6 => (
            (id.clone(), future.clone(), prop::option::of(0..20_i64), prop::option::of(1..4_usize)),
            (prop::option::of(any::<u8>()), past.clone(), past.clone()),
        )
            .prop_map(|((id, expires, idle, max), (device, created, seen))| Operation::Create {
                id, expires, idle, max, device, created, seen
            }),
        2 => (id.clone(), past.clone()).prop_map(|(id, at)| Operation::Touch { id, at }),
        2 => prop::collection::vec(id.clone(), 1..4).prop_map(|ids| Operation::Revoke { ids }),
        1 => (prop::option::of(id.clone()), past.clone())
            .prop_map(|(except, at)| Operation::RevokeAll { except, at }),
        2 => (0..TOKENS.len(), -5..20_i64)
            .prop_map(|(token, expires)| Operation::Blacklist { token, expires }),
        6 => (0..TOKENS.len(), prop::option::of(id.clone()), prop::option::of(-22..5_i64))
            .prop_map(|(token, session, issued)| Operation::Check { token, session, issued }),
        2 => id.prop_map(|id| Operation::Get { id }),
        2 => Just(Operation::List),
        1 => (0..DISTURBANCES.len()).prop_map(|how| Operation::Disturb { how }),
    ]
}

#[derive(Clone)]
struct Session {
    created: u64,
    seen: u64,
    expires: u64,
    idle_s: u64,
    device: String,
}

#[derive(Default)]
struct Model {
    now: u64,
    sessions: BTreeMap<usize, Session>,
    revoked: BTreeMap<usize, u64>,
    watermark: u64,
}

impl Model {
    fn at(&self, step: Step) -> u64 {
        self.now.checked_add_signed(step * 1_000_000 + 500_000).expect("within reach")
    }

    fn is_live(&self, id: usize) -> bool {
        self.sessions
            .get(&id)
            .is_some_and(|it| it.idle_s == 0 || it.seen + it.idle_s * 1000 > self.now)
    }

    /// Live sessions, the next to be evicted first.
    fn live(&self) -> Vec<usize> {
        let mut live: Vec<usize> =
            self.sessions.keys().copied().filter(|id| self.is_live(*id)).collect();
        live.sort_by_key(|id| (self.sessions[id].seen, self.sessions[id].created, *id));
        live
    }

    fn shown(&self, id: usize) -> String {
        let Session { created, seen, expires, idle_s, device } = &self.sessions[&id];
        format!(
            "[id {} created_ms {created} seen_ms {seen} expires_ms {expires} idle_s {idle_s} device {device}]",
            IDS[id]
        )
    }

    fn end(&mut self, ids: &[usize]) -> usize {
        let live = ids.iter().filter(|id| self.is_live(**id)).count();
        for id in ids {
            self.sessions.remove(id);
        }
        live
    }

    /// Does the operation; the command it is, and the answers that are right.
    fn apply(&mut self, operation: &Operation) -> (String, Vec<String>) {
        let (line, answer) = match operation {
            Operation::Create { .. } => self.create(operation),
            Operation::Touch { id, at } => {
                let at = self.at(*at);
                let is_live = self.is_live(*id);
                if is_live && let Some(session) = self.sessions.get_mut(id) {
                    session.seen = session.seen.max(at);
                }
                let line = format!("AUTH.SESSION TOUCH KEY {} AT {at}", IDS[*id]);
                (line, u8::from(is_live).to_string())
            }
            Operation::Revoke { ids } => {
                let named: Vec<_> = ids.iter().map(|id| IDS[*id]).collect();
                let mut once = ids.clone();
                once.sort_unstable();
                once.dedup();
                let ended = self.end(&once);
                (format!("AUTH.SESSION REVOKE KEY {}", named.join(" ")), ended.to_string())
            }
            Operation::RevokeAll { except, at } => {
                let at = self.at(*at);
                let begun = |(id, it): (&usize, &Session)| {
                    (it.created <= at && Some(*id) != *except).then_some(*id)
                };
                let ids: Vec<usize> = self.sessions.iter().filter_map(begun).collect();
                let ended = self.end(&ids);
                let mut line = format!("AUTH.SESSION REVOKEALL KEY AT {at}");
                match except {
                    Some(id) => add(&mut line, format_args!(" EXCEPT {}", IDS[*id])),
                    None => self.watermark = self.watermark.max(at),
                }
                (line, ended.to_string())
            }
            Operation::Blacklist { token, expires } => {
                let expires = self.at(*expires);
                let known = self.revoked.get(token).copied().unwrap_or(0);
                if expires > self.now {
                    self.revoked.insert(*token, known.max(expires));
                }
                let is_new = known == 0 && expires > self.now;
                let line = format!("AUTH.BLACKLIST KEY {} PXAT {expires}", TOKENS[*token]);
                (line, u8::from(is_new).to_string())
            }
            Operation::Check { .. } => return self.check(operation),
            Operation::Get { id } => {
                let shown = if self.is_live(*id) { self.shown(*id) } else { "nil".into() };
                (format!("AUTH.SESSION GET KEY {}", IDS[*id]), shown)
            }
            Operation::List => {
                let all: Vec<_> = self.live().iter().rev().map(|id| self.shown(*id)).collect();
                ("AUTH.SESSION LIST KEY".into(), format!("[{}]", all.join(" ")))
            }
            Operation::Disturb { how } => return (DISTURBANCES[*how].into(), vec![]),
        };
        (line, vec![answer])
    }

    fn create(&mut self, operation: &Operation) -> (String, String) {
        let Operation::Create { id, expires, idle, max, device, created, seen } = operation else {
            unreachable!()
        };
        let (expires, created, seen) = (self.at(*expires), self.at(*created), self.at(*seen));
        let mut line = format!(
            "AUTH.SESSION CREATE KEY {} PXAT {expires} CREATED {created} SEEN {seen}",
            IDS[*id]
        );
        if created <= self.watermark {
            return (line, ENDED.into());
        }
        let known = self.sessions.get(id).filter(|_| self.is_live(*id)).cloned();
        let mut evicted = Vec::new();
        if let Some(max) = max {
            add(&mut line, format_args!(" MAX {max}"));
            if known.is_none() {
                let others: Vec<usize> = self.live().into_iter().filter(|it| it != id).collect();
                let excess = (others.len() + 1).saturating_sub(*max);
                evicted = others[..excess].to_vec();
            }
        }
        self.end(&evicted);
        let mut session = Session {
            created,
            seen: known.as_ref().map_or(seen, |it| it.seen.max(seen)),
            expires,
            idle_s: known.as_ref().map_or(0, |it| it.idle_s),
            device: known.map(|it| it.device).unwrap_or_default(),
        };
        if let Some(idle) = idle {
            session.idle_s = u64::try_from(*idle).expect("not negative") * 1000;
            add(&mut line, format_args!(" IDLE {}", session.idle_s));
        }
        if let Some(device) = device {
            session.device = format!("d{device}");
            add(&mut line, format_args!(" DEVICE {}", session.device));
        }
        self.sessions.insert(*id, session);
        let evicted: Vec<_> = evicted.iter().map(|id| IDS[*id]).collect();
        (line, format!("[{}]", evicted.join(" ")))
    }

    fn check(&self, operation: &Operation) -> (String, Vec<String>) {
        let Operation::Check { token, session, issued } = operation else { unreachable!() };
        let mut line = format!("AUTH.CHECK KEY {}", TOKENS[*token]);
        let mut verdicts =
            if self.revoked.contains_key(token) { vec!["REVOKED"] } else { vec!["OK"] };
        if let Some(issued) = issued {
            let issued = self.at(*issued);
            add(&mut line, format_args!(" IATMS {issued}"));
            if issued <= self.watermark {
                verdicts = vec!["LOGGED_OUT"];
            }
        }
        if let Some(id) = session {
            add(&mut line, format_args!(" SESSION {}", IDS[*id]));
            if !self.is_live(*id) {
                verdicts = vec!["NO_SESSION"];
                // One that has gone idle says so until it is swept.
                verdicts.extend(self.sessions.contains_key(id).then_some("IDLE"));
            }
        }
        (line, verdicts.into_iter().map(String::from).collect())
    }
}

fn add(line: &mut String, option: std::fmt::Arguments<'_>) {
    std::fmt::Write::write_fmt(line, option).expect("a string takes it");
}

fn agrees_with_the_model(primary: &Redis, replica: &Redis, cases: u32) {
    let (talk, follower) = (RefCell::new(talk::to(primary)), RefCell::new(talk::to(replica)));
    let key = Cell::new(0);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { failure_persistence: None, ..Config::with_cases(cases) };
    TestRunner::new_with_rng(config, rng)
        .run(&prop::collection::vec(operation(), 1..60), |operations| {
            let talk: &mut Talk = &mut talk.borrow_mut();
            let mut model = Model { now: talk.now_ms(), ..Model::default() };
            key.set(key.get() + 1);
            let key = format!("user:{}", key.get());
            for operation in &operations {
                let (line, answers) = model.apply(operation);
                let told = talk.say(&line.replace("KEY", &key));
                prop_assert!(
                    answers.is_empty() || answers.contains(&told),
                    "{line} says {told}, not {answers:?}"
                );
            }
            prop_assert_eq!(talk.say("WAIT 1 60000"), "1");
            let digest = format!("DEBUG DIGEST-VALUE {key}");
            prop_assert_eq!(follower.borrow_mut().say(&digest), talk.say(&digest));
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

fn everywhere_with_a_replica(cases: u32) {
    on_each_server(|server| {
        let start = || Redis::options().server(server).tcp().start();
        let (primary, replica) = (start(), start());
        replica.replica_of(&primary);
        agrees_with_the_model(&primary, &replica, cases);
    });
}

#[test]
fn a_real_server_does_what_the_model_does() {
    everywhere_with_a_replica(60);
}

#[test]
#[ignore = "minutes; `make test-long`"]
fn it_does_so_for_thousands_of_histories() {
    everywhere_with_a_replica(3_000);
}
