//! A Redis that takes its time to read what it had.

use portcullis_tests::{Database, Service};

use crate::talk::{agree, ask, confirming, hydrations, ready, ready_again};

/// Five milliseconds for each key, and a word to whoever asks in between.
const SLOW: [&str; 6] = [
    "--key-load-delay",
    "5000",
    "--loading-process-events-interval-bytes",
    "1024",
    "--rdbcompression",
    "no",
];

/// Until then it answers about no key, not about its own mark either, and whoever works on it begins in vain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_loading_is_left_alone_until_it_has_loaded() {
    let redis = confirming().arguments(&SLOW).start();
    let mut auth = Service::on(redis, &Database::shared().fresh_database("loading"), |_| {}).await;
    ready(&auth);
    let alice = auth.logged_in("alice").await;
    agree(&auth).await;
    let mut keys = redis::pipe();
    for number in 0..400 {
        keys.set(format!("another's:{number}"), format!("{number:0100}"));
    }
    keys.cmd("SAVE").exec(&mut auth.redis.connection()).unwrap();
    auth.redis.kill();
    auth.redis.start_again();
    ready_again(&auth);
    assert_eq!(hydrations(&auth.redis), 1);
    assert_eq!(ask(&auth, &alice), "OK");
}
