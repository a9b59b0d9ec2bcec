//! The snippets of `calling.md`, run as they stand there against a server that misbehaves.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use portcullis_tests::{Directory, Redis, find_program, target, tell, wait_until};
use redis::Connection;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::runtime::Runtime;

use crate::pages::page;
use crate::redis_rs;

/// Far beyond the deadline of every snippet: one that hangs must not hang the test.
const PATIENCE: Duration = Duration::from_mins(1);
const PYTHON_DRIVER: &str = "
import sys
print('ready', flush=True)
for line in sys.stdin:
    print('good' if is_good(*line.split()) else 'refused', flush=True)
";
const NODE_DRIVER: &str = "
import { createInterface } from 'node:readline';
console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  console.log((await isGood(...line.split(' '))) ? 'good' : 'refused');
}
process.exit();
";

#[test]
fn the_redis_rs_snippet_lets_in_what_is_good_and_nothing_else() {
    let shown = page("calling.md").fence("rust");
    let (_head, run) = include_str!("redis_rs.rs").split_once('\n').expect("it has lines");
    assert_eq!(shown, run, "calling.md shows what tests/docs/redis_rs.rs is");

    let redis = server("+auth.check");
    let runtime = Runtime::new().expect("tokio starts");
    let client = redis::Client::open(url(&redis)).expect("the address is one");
    let config = ConnectionManagerConfig::new();
    let manager = runtime
        .block_on(ConnectionManager::new_with_config(client, config))
        .expect("a running server accepts connections");
    lets_in_only_what_is_good(redis, |subject, token, session| {
        runtime.block_on(redis_rs::is_good(&manager, subject, token, session))
    });
}

#[test]
fn the_redis_py_snippet_lets_in_what_is_good_and_nothing_else() {
    let python = target().join("servers/bin/python");
    let has_client = Command::new(&python).args(["-c", "import redis"]).output();
    if !has_client.is_ok_and(|told| told.status.success()) {
        assert!(!in_ci(), "redis-py is missing: run `make install`");
        return skipped("redis-py");
    }
    let redis = server("+auth.check");
    let program = page("calling.md").fence("python") + PYTHON_DRIVER;
    let mut snippet = Snippet::start(&python, "snippet.py", &program, &redis);
    lets_in_only_what_is_good(redis, |subject, token, session| {
        snippet.ask(subject, token, session)
    });
}

#[test]
fn the_node_redis_snippet_lets_in_what_is_good_and_nothing_else() {
    node("js node-redis", "redis", "+auth.check");
}

#[test]
fn the_ioredis_snippet_lets_in_what_is_good_and_nothing_else() {
    node("js ioredis", "ioredis", "+auth.check +info");
}

/// As somebody would write it whose keys all have a prefix.
#[test]
fn f_60_the_key_prefix_of_ioredis_does_not_reach_call() {
    let page = page("calling.md");
    assert!(page.text.contains("Its option `keyPrefix` does not apply to `call`"));
    let installed = target().join("servers/node/node_modules/ioredis").is_dir();
    let Some(node) = find_program("node").filter(|_| installed) else {
        return skipped("ioredis");
    };
    let redis = server("+auth.check +auth.session +info");
    run(&mut redis.connection(), "AUTH.SESSION CREATE user:1 phone EX 600");
    run(&mut redis.connection(), "AUTH.SESSION CREATE app:user:2 phone EX 600");
    let plain = page.fence("js ioredis");
    let program =
        plain.replace("commandTimeout: 250,", "commandTimeout: 250, keyPrefix: \"app:\",");
    assert_ne!(program, plain, "the option is set");
    let mut snippet = Snippet::start(&node, "snippet.mjs", &(program + NODE_DRIVER), &redis);
    assert!(snippet.ask("1", "token", "phone"), "the key as it is given");
    assert!(!snippet.ask("2", "token", "phone"), "the key with the prefix");
}

/// The few lines that stand in the README, as a service has them.
#[test]
fn f_52_the_readmes_python_lines_work_whatever_the_client_decodes() {
    let python = target().join("servers/bin/python");
    let has_client = Command::new(&python).args(["-c", "import redis"]).output();
    if !has_client.is_ok_and(|told| told.status.success()) {
        assert!(!in_ci(), "redis-py is missing: run `make install`");
        return skipped("redis-py");
    }
    let readme = include_str!("../../README.md");
    let (_, lines) = readme.split_once("```python\n").expect("the README has Python lines");
    let (lines, _) = lines.split_once("```").expect("they end");
    let indented = format!("        {}\n", lines.trim_end().replace('\n', "\n        "));
    for decodes in ["True", "False"] {
        let program = format!(
            "import os
import redis as client
class Unauthorized(Exception): pass
redis = client.Redis.from_url(os.environ['REDIS_URL'], decode_responses={decodes})
def is_good(subject, token, session):
    claims = {{'sub': subject, 'sid': session}}
    try:
{indented}        return True
    except Unauthorized:
        return False
{PYTHON_DRIVER}"
        );
        let redis = server("+auth.check");
        run(&mut redis.connection(), "AUTH.SESSION CREATE user:1 phone EX 600");
        let mut snippet = Snippet::start(&python, "readme.py", &program, &redis);
        assert!(snippet.ask("1", "token", "phone"), "decode_responses={decodes}");
        assert!(!snippet.ask("1", "token", "laptop"), "decode_responses={decodes}");
    }
}

fn node(fence: &str, package: &str, rights: &str) {
    let installed = target().join("servers/node/node_modules").join(package).is_dir();
    let Some(node) = find_program("node").filter(|_| installed) else {
        return skipped(package);
    };
    let redis = server(rights);
    let program = page("calling.md").fence(fence) + NODE_DRIVER;
    let mut snippet = Snippet::start(&node, "snippet.mjs", &program, &redis);
    lets_in_only_what_is_good(redis, |subject, token, session| {
        snippet.ask(subject, token, session)
    });
}

/// Asks through a snippet while the server does what servers do.
fn lets_in_only_what_is_good(mut redis: Redis, mut is_good: impl FnMut(&str, &str, &str) -> bool) {
    let mut connection = redis.connection();
    run(&mut connection, "AUTH.SESSION CREATE user:1 phone EX 600");
    run(&mut connection, "SET user:2 text");
    assert!(is_good("1", "token", "phone"), "a live session");
    assert!(!is_good("1", "token", "laptop"), "another session");
    assert!(!is_good("2", "token", "phone"), "a key of the wrong type");
    run(&mut connection, "AUTH.BLACKLIST user:1 revoked EX 600");
    assert!(!is_good("1", "revoked", "phone"), "a revoked token");
    redis.freeze();
    assert!(!is_good("1", "token", "phone"), "a server that hangs");
    redis.thaw();
    wait_until("it works again", || is_good("1", "token", "phone"));
    redis.kill();
    assert!(!is_good("1", "token", "phone"), "a server that is gone");
}

/// A server with a user who may do no more than the page says.
fn server(rights: &str) -> Redis {
    let redis = Redis::options().tcp().start();
    run(&mut redis.connection(), &format!("ACL SETUSER checker on >secret %R~user:* {rights}"));
    redis
}

fn url(redis: &Redis) -> String {
    format!("redis://checker:secret@127.0.0.1:{}", redis.port())
}

fn run(connection: &mut Connection, command: &str) {
    let mut words = command.split(' ');
    let name = words.next().expect("a command has a name");
    let done = redis::cmd(name).arg(words.collect::<Vec<_>>()).exec(connection);
    done.unwrap_or_else(|fault| panic!("{command}: {fault}"));
}

/// A snippet in another language, asked line by line.
struct Snippet {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
    _directory: Directory,
}

impl Snippet {
    fn start(interpreter: &Path, file: &str, program: &str, redis: &Redis) -> Self {
        let directory = Directory::new();
        let path: PathBuf = directory.path().join(file);
        fs::write(&path, program).expect("the directory is writable");
        let modules = target().join("servers/node/node_modules");
        let modules = fs::canonicalize(modules).unwrap_or_default();
        let linked = std::os::unix::fs::symlink(modules, directory.path().join("node_modules"));
        linked.expect("the directory is empty");
        let mut child = Command::new(interpreter)
            .arg(&path)
            .env("REDIS_URL", url(redis))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter starts");
        let questions = child.stdin.take().expect("its input is a pipe");
        let lines = BufReader::new(child.stdout.take().expect("its output is a pipe")).lines();
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let snippet = Self { child, questions, answers, _directory: directory };
        assert_eq!(snippet.answer(), "ready");
        snippet
    }

    fn ask(&mut self, subject: &str, token: &str, session: &str) -> bool {
        writeln!(self.questions, "{subject} {token} {session}").expect("the snippet reads");
        match self.answer().as_str() {
            "good" => true,
            "refused" => false,
            other => panic!("the snippet says {other:?}"),
        }
    }

    fn answer(&self) -> String {
        self.answers.recv_timeout(PATIENCE).expect("the snippet answers")
    }
}

impl Drop for Snippet {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[expect(clippy::disallowed_methods, reason = "CI says by this variable that nothing may lack")]
fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

fn skipped(client: &str) {
    tell(&format!("skipped: {client} is not installed here, its snippet was not run"));
}
