//! Mixed load for a long time: memory stays flat and nothing goes wrong.

use std::time::{Duration, Instant};

use portcullis_tests::{Database, Process, Redis, chosen, tell};

use crate::load::Load;
use crate::outside::Outside;
use crate::talk::confirming;

const PEOPLE: usize = 6;
/// What may come and go without being a leak: a fifth, and so many KiB.
const SLACK_KIB: u64 = 8 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "ten minutes, or SOAK_MINUTES (1 to 10080)"]
async fn a_long_mixed_load_leaves_memory_flat_and_no_error() {
    let minutes = chosen("SOAK_MINUTES", 10, 1..=7 * 24 * 60);
    let redis = confirming().start();
    let database = Database::shared().fresh_database("soak");
    let mut service = Outside::new(&database, &redis.url(), PEOPLE);
    // Revocations come and go within the soak, too.
    service.set("JWT_EXPIRES_IN", &format!("{}s", minutes * 6));
    // Each arena of glibc keeps what a password hash once took; few are soon full.
    service.set("MALLOC_ARENA_MAX", "2");
    let process = service.serve();
    let load = Load::begin(service, &redis.url(), PEOPLE);
    let (began, length) = (Instant::now(), Duration::from_mins(minutes));
    let mut weights = Vec::new();
    for tenth in 1..=10 {
        while began.elapsed() < length * tenth / 10 {
            load.goes_on(1);
        }
        weights.push((resident_kib(&process), used_kib(&redis)));
    }
    let seen = load.end().await;
    tell(&format!("soak: minutes {minutes}, {seen}, KiB of service and Redis {weights:?}"));
    // Until then it grew to its size.
    let (service, redis) = weights[2];
    let (service_now, redis_now) = weights[9];
    assert!(service_now <= service + service / 5 + SLACK_KIB, "the service grows: {weights:?}");
    assert!(redis_now <= redis + redis / 5 + SLACK_KIB, "Redis grows: {weights:?}");
}

fn resident_kib(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn used_kib(redis: &Redis) -> u64 {
    let info: redis::InfoDict =
        redis::cmd("INFO").arg("memory").query(&mut redis.connection()).unwrap();
    info.get::<u64>("used_memory").unwrap() / 1024
}
