//! What a process has changed itself it need not be told.

use std::time::Duration;

use portcullis_client::{Options, Question, Verdict, Watch};
use portcullis_tests::{Redis, wait_until};

const LEASE: Duration = Duration::from_mins(1);

fn question<'a>(subject: &'a str, token: &'a str) -> Question<'a> {
    let token = token.as_bytes();
    Question { subject, token, session: None, issued_ms: None, expires: None }
}

#[tokio::test]
async fn what_is_forgotten_is_asked_again_though_the_server_is_silent() {
    let redis = Redis::start();
    let options = Options { lease: LEASE, beat: LEASE / 4, ..Options::default() };
    let watch = Watch::connect(&redis.url(), options).unwrap();
    wait_until("there is a connection", || watch.life().is_some());
    for subject in ["alice", "bob"] {
        let verdict = watch.check(&question(subject, subject)).await;
        assert_eq!(verdict, Ok(Verdict::Ok));
    }
    redis.freeze();
    watch.forget("alice");
    assert_eq!(watch.cached(b"alice"), None);
    assert_eq!(watch.cached(b"bob"), Some(Verdict::Ok), "nobody has forgotten bob");
    redis.thaw();
    assert_eq!(watch.check(&question("alice", "alice")).await, Ok(Verdict::Ok));
}

#[tokio::test]
async fn a_life_is_the_one_that_info_names() {
    let redis = Redis::start();
    let watch = Watch::connect(&redis.url(), Options::default()).unwrap();
    let named = || -> i64 {
        let info: String =
            redis::cmd("INFO").arg("portcullis").query(&mut redis.connection()).unwrap();
        let life = info.lines().find_map(|line| line.strip_prefix("portcullis_check_life:"));
        life.unwrap().trim().parse().unwrap()
    };
    wait_until("it is known", || watch.life() == Some(named()));
    let before = named();
    redis::cmd("FLUSHALL").exec(&mut redis.connection()).unwrap();
    assert_ne!(named(), before);
    wait_until("the next one is known", || watch.life() == Some(named()));
}
