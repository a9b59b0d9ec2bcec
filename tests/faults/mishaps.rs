//! Redis loses what it knew, in every way there is, while somebody keeps asking.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use portcullis_tests::{Client, Login, Redis, Service};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::proxy::Wound;
use crate::stage::{Stage, stage_on};
use crate::talk::{agree, ask, confirming, eventually, ready, status};

/// What the watchman has seen.
#[derive(Default)]
struct Seen {
    enough: AtomicBool,
    asked: AtomicUsize,
    revived: AtomicUsize,
    turned_away: AtomicUsize,
}

impl Seen {
    /// One round.
    async fn look(&self, client: &Client, url: &str, dead: &[Login], alive: &[Login]) {
        for login in dead {
            let revived = client.get_as(&login.access, "/verify").await.status == 200
                || says_ok(url, login).await;
            self.revived.fetch_add(usize::from(revived), Ordering::SeqCst);
        }
        for login in alive {
            let answer = client.get_as(&login.access, "/verify").await;
            self.turned_away.fetch_add(usize::from(answer.status == 401), Ordering::SeqCst);
        }
        self.asked.fetch_add(2 * dead.len() + alive.len(), Ordering::SeqCst);
    }
}

/// Asks about everybody, again and again, the service and the module itself.
struct Watchman {
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

impl Watchman {
    /// `url` is where a service finds Redis that asks the module itself.
    fn over(stage: &Stage, dead: &[Login], alive: &[Login]) -> Self {
        let seen = Arc::new(Seen::default());
        let url = format!("redis://127.0.0.1:{}", stage.redis.port);
        let (client, own) = (Client::of(stage.auth.url.clone()), seen.clone());
        let (dead, alive) = (dead.to_vec(), alive.to_vec());
        let task = tokio::spawn(async move {
            while !own.enough.load(Ordering::SeqCst) {
                own.look(&client, &url, &dead, &alive).await;
            }
        });
        Self { seen, task }
    }

    /// How often somebody was asked about.
    async fn report(self, what: &str) -> usize {
        self.seen.enough.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
        let [asked, revived, turned_away] =
            [&self.seen.asked, &self.seen.revived, &self.seen.turned_away]
                .map(|count| count.load(Ordering::SeqCst));
        assert_eq!((revived, turned_away), (0, 0), "{what}: revived, turned away");
        asked
    }
}

/// Whether the module says OK; an error is a refusal.
async fn says_ok(url: &str, login: &Login) -> bool {
    let asked = async {
        let client = redis::Client::open(url)?;
        let mut redis = client.get_multiplexed_async_connection().await?;
        let mut check = redis::cmd("AUTH.CHECK");
        check.arg(format!("user:{}", login.user_id)).arg(&login.access);
        check.arg("SESSION").arg(&login.session);
        check.query_async::<String>(&mut redis).await
    };
    asked.await.is_ok_and(|verdict| verdict == "OK")
}

/// One thing that befalls Redis; what must come before it, and then the thing itself.
struct Mishap {
    name: &'static str,
    prepare: fn(&Stage) -> u64,
    happen: fn(&mut Stage, u64),
}

/// For a server that keeps nothing but a snapshot.
const MISHAPS: &[Mishap] = &[
    Mishap { name: "FLUSHALL", prepare: |_| 0, happen: |stage, _| command(stage, &["FLUSHALL"]) },
    Mishap { name: "FLUSHDB", prepare: |_| 0, happen: |stage, _| command(stage, &["FLUSHDB"]) },
    Mishap {
        name: "every key is deleted",
        prepare: |_| 0,
        happen: |stage, _| {
            let script =
                "for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('DEL', key) end";
            command(stage, &["EVAL", script, "0"]);
        },
    },
    Mishap {
        name: "an old snapshot",
        prepare: |stage| {
            command(stage, &["SAVE"]);
            0
        },
        happen: |stage, _| {
            stage.auth.redis.kill();
            stage.auth.redis.start_again();
        },
    },
    Mishap {
        name: "another server",
        prepare: |_| 0,
        happen: |stage, _| {
            stage.redis.inflict(Wound::Refuse);
            stage.auth.redis = server(&[]);
            stage.redis.lead_to(stage.auth.redis.port());
            stage.redis.heal();
        },
    },
];

/// For a server that keeps a log.
const A_LOG_THAT_WAS_CUT: &[Mishap] = &[Mishap {
    name: "a log that was cut",
    prepare: |stage| File::open(log(&stage.auth.redis)).unwrap().metadata().unwrap().len(),
    happen: |stage, length| {
        // Redis lets a busy disk wait with what it writes there.
        let log = File::options().write(true).open(log(&stage.auth.redis)).unwrap();
        eventually("the log has more to be cut off", async || {
            log.metadata().unwrap().len() > length
        });
        stage.auth.redis.kill();
        log.set_len(length).unwrap();
        stage.auth.redis.start_again();
    },
}];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_redis_forgets_nobody_is_revived_or_turned_away_for_a_moment() {
    befall(server(&[]), MISHAPS).await;
    let everysec = ["--appendonly", "yes", "--appendfsync", "everysec"];
    befall(server(&everysec), A_LOG_THAT_WAS_CUT).await;
}

async fn befall(server: Redis, mishaps: &[Mishap]) {
    let mut stage = stage_on(server, |_| {}).await;
    for (round, mishap) in mishaps.iter().enumerate() {
        let what = mishap.name;
        let people = people(&stage.auth, round).await;
        let (dead, alive) = people.split_at(3);
        let known = (mishap.prepare)(&stage);
        for login in dead {
            let answer = stage.auth.post_as(&login.access, "/logout", json!({})).await;
            assert_eq!(answer.must_be(200).json.get("propagation"), None, "{what}");
        }
        let watchman = Watchman::over(&stage, dead, alive);
        (mishap.happen)(&mut stage, known);
        agree(&stage.auth).await;
        ready(&stage.auth);
        let asked = watchman.report(what).await;
        assert!(alive.iter().all(|login| ask(&stage.auth, login) == "OK"), "{what}");
        for login in dead {
            assert_eq!(status(&stage.auth, login).await, 401, "{what}");
        }
        println!("{what}: asked {asked}, revoked accepted 0, turned away 0, sessions lost 0");
    }
}

/// Three who log out and three who stay.
async fn people(auth: &Service, round: usize) -> Vec<Login> {
    let mut people = Vec::new();
    for number in 0..6 {
        people.push(auth.logged_in(&format!("r{round}n{number}")).await);
    }
    people
}

fn server(arguments: &[&str]) -> Redis {
    confirming().tcp().arguments(arguments).start()
}

fn command(stage: &Stage, words: &[&str]) {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]).exec(&mut stage.auth.redis.connection()).unwrap();
}

/// The part of the log that is written to.
fn log(redis: &Redis) -> PathBuf {
    let files = std::fs::read_dir(redis.data().join("appendonlydir")).unwrap().flatten();
    let mut parts: Vec<PathBuf> = files.map(|file| file.path()).collect();
    parts.retain(|path| path.to_string_lossy().ends_with(".incr.aof"));
    parts.sort();
    parts.pop().unwrap()
}
