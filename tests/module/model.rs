//! Random operations on a real server against a model too simple to be wrong.
//!
//! Every instant is a multiple of 1000 s away from half a grid step beside the present, so that
//! nothing depends on how long the test takes. A replica follows and must agree in the end.

mod operations;
mod simple;

use std::cell::{Cell, RefCell};

use portcullis_tests::Redis;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::on_each_server;
use crate::talk::{self, Talk};
use operations::operation;
use simple::Model;

fn agrees_with_the_model(primary: &Redis, replica: &Redis, cases: u32) {
    let (talk, follower) = (RefCell::new(talk::to(primary)), RefCell::new(talk::to(replica)));
    let key = Cell::new(0);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { failure_persistence: None, ..Config::with_cases(cases) };
    TestRunner::new_with_rng(config, rng)
        .run(&prop::collection::vec(operation(), 1..60), |operations| {
            let talk: &mut Talk = &mut talk.borrow_mut();
            let mut model = Model::at_instant(talk.now_ms());
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
