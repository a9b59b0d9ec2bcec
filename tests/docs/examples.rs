//! The examples, typed into redis-cli as a reader would type them.
//!
//! A block marked `redis` holds lines `redis> COMMAND …`, each followed by the reply that redis-cli
//! shows; `redis resp3` asks over RESP3. In an example `<token>` stands for a JWT with a quarter of
//! an hour to live and `<run-id>` for the server's own. The pages have a clock of their own, which stands at `NOW_S`: an instant after
//! it, or not a day before it, is moved to the server's. In a reply 13 digits are any instant, and
//! `…` is any rest of a line.

use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use portcullis_tests::{Redis, find_program, servers};

use crate::pages::{Fence, pages};

const PROMPT: &str = "redis> ";
/// What the clock of the pages shows, in seconds.
const NOW_S: u64 = 1_795_305_600;
const DAY_S: u64 = 86_400;

#[test]
fn every_example_shows_what_every_server_answers() {
    let examples: Vec<Fence> = pages().iter().flat_map(crate::pages::Page::fences).collect();
    let examples: Vec<&Fence> =
        examples.iter().filter(|fence| fence.kind.split(' ').next() == Some("redis")).collect();
    assert!(examples.len() > 10, "only {} examples found", examples.len());
    for server in servers() {
        let redis = Redis::options().server(server).start();
        let now_s = time(&redis);
        let run_id = run_id(&redis);
        for example in &examples {
            // The one forgets ledgers, the other what holds for all of them.
            let mut forget = redis::pipe();
            forget.cmd("FLUSHALL").cmd("AUTH.CONFIRM").arg(&run_id).arg("FORGET");
            forget.exec(&mut redis.connection()).expect("both are accepted");
            let (commands, replies) = split(&example.text);
            let commands = at_this_time(&commands, now_s).replace("<token>", &token(now_s));
            let commands = commands.replace("<run-id>", &run_id);
            let shown = redis_cli(&redis, &example.kind, &commands);
            assert!(
                same(&replies, &shown),
                "{} on {}\n--- the page\n{replies}--- the server\n{shown}",
                example.place,
                server.name,
            );
        }
    }
}

#[test]
fn only_instants_and_what_is_left_out_may_differ() {
    assert!(same("1) (integer) 1700000000000\n", "1) (integer) 1800000000001\n"));
    assert!(same("(error) NOPERM …\n", "(error) NOPERM not you\n"));
    assert!(!same("(error) NOPERM …\n", "(error) ERR not you\n"));
    assert!(!same("(integer) 1\n", "(integer) 2\n"));
    assert!(!same("OK\n", "OK\nOK\n"));
}

/// The commands, and the replies that stand between them.
fn split(example: &str) -> (String, String) {
    let (mut commands, mut replies) = (String::new(), String::new());
    for line in example.lines() {
        match line.strip_prefix(PROMPT) {
            Some(command) => commands.extend([command, "\n"]),
            None => replies.extend([line, "\n"]),
        }
    }
    (commands, replies)
}

fn same(page: &str, shown: &str) -> bool {
    let (page, shown): (Vec<_>, Vec<_>) = (page.lines().collect(), shown.lines().collect());
    page.len() == shown.len() && page.iter().zip(shown).all(|(page, shown)| same_line(page, shown))
}

fn same_line(page: &str, shown: &str) -> bool {
    let (page, shown) = (without_instants(page), without_instants(shown));
    match page.strip_suffix('…') {
        Some(beginning) => shown.starts_with(beginning),
        None => page.trim_end() == shown.trim_end(),
    }
}

fn without_instants(line: &str) -> String {
    let words = line.split_inclusive(|c: char| !c.is_ascii_digit());
    let replaced = words.map(|word| {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        if digits.len() == 13 { word.replace(digits, "<instant>") } else { word.to_owned() }
    });
    replaced.collect()
}

fn redis_cli(redis: &Redis, kind: &str, commands: &str) -> String {
    let program = find_program("redis-cli").expect("redis-cli is installed: run `make install`");
    let protocol = kind.ends_with("resp3").then_some("-3");
    let mut child = Command::new(program)
        .args(["--no-raw", "-s"])
        .arg(redis.socket())
        .args(protocol)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-cli starts");
    let mut input = child.stdin.take().expect("its input is a pipe");
    input.write_all(commands.as_bytes()).expect("redis-cli reads");
    drop(input);
    let told = child.wait_with_output().expect("redis-cli ends");
    String::from_utf8_lossy(&told.stdout).into_owned()
}

fn run_id(redis: &Redis) -> String {
    let told: String =
        redis::cmd("INFO").arg("server").query(&mut redis.connection()).expect("INFO answers");
    let line = told.lines().find_map(|line| line.strip_prefix("run_id:"));
    line.expect("INFO server has a run_id").to_owned()
}

/// The server's clock, in seconds.
fn time(redis: &Redis) -> u64 {
    let (now_s, _us): (u64, u64) =
        redis::cmd("TIME").query(&mut redis.connection()).expect("TIME answers");
    now_s
}

/// A JWT with a quarter of an hour to live.
fn token(now_s: u64) -> String {
    let claims = format!(r#"{{"sub":"42","exp":{}}}"#, now_s + 900);
    format!("eyJhbGciOiJIUzI1NiJ9.{}.c2lnbmF0dXJl", BASE64_URL_SAFE_NO_PAD.encode(claims))
}

/// Moves the recent instants of a page to the server's time.
fn at_this_time(commands: &str, now_s: u64) -> String {
    let words = commands.split_inclusive([' ', '\n']);
    let moved = words.map(|word| {
        let number: u64 = word.trim().parse().unwrap_or(0);
        let unit = if word.trim().len() == 13 { 1000 } else { 1 };
        if number / unit + DAY_S < NOW_S {
            return word.to_owned();
        }
        word.replace(word.trim(), &(number + now_s * unit - NOW_S * unit).to_string())
    });
    moved.collect()
}
