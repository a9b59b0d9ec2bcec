//! The append-only file as a list of commands: what a server wrote, or what it shall read.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use portcullis_tests::{Redis, RedisOptions, Server};

/// A server that has written everything to its file before it answers.
pub(crate) fn server(server: &Server) -> RedisOptions {
    Redis::options().server(server).arguments(&["--appendonly", "yes", "--appendfsync", "always"])
}

/// The commands written since the last rewrite, `SELECT` left out.
#[track_caller]
pub(crate) fn commands(redis: &Redis) -> Vec<String> {
    let bytes = fs::read(file(redis)).expect("the AOF is there");
    let text = String::from_utf8_lossy(&bytes);
    let mut commands: Vec<String> = Vec::new();
    let mut lines = text.split("\r\n");
    while let Some(line) = lines.next() {
        if line.starts_with('*') {
            commands.push(String::new());
        } else if line.starts_with('$') {
            let command = commands.last_mut().expect("a command has begun");
            let gap = if command.is_empty() { "" } else { " " };
            command.push_str(gap);
            command.push_str(lines.next().unwrap_or_default());
        }
    }
    commands.retain(|command| !command.starts_with("SELECT"));
    commands
}

/// Adds commands to the file of a stopped server, as if it had written them.
#[track_caller]
pub(crate) fn append(redis: &Redis, commands: &[&[&[u8]]]) {
    let mut file = fs::File::options().append(true).open(file(redis)).expect("the AOF is there");
    for command in [[b"SELECT".as_slice(), b"0"].as_slice()].iter().chain(commands) {
        write!(file, "*{}\r\n", command.len()).expect("the AOF is writable");
        for word in *command {
            write!(file, "${}\r\n", word.len()).expect("the AOF is writable");
            file.write_all(&[word, b"\r\n".as_slice()].concat()).expect("the AOF is writable");
        }
    }
}

/// The file that is being appended to: the last one.
fn file(redis: &Redis) -> PathBuf {
    let folder = fs::read_dir(redis.data().join("appendonlydir")).expect("an AOF folder");
    let files = folder.flatten().map(|entry| entry.path());
    let last = files.filter(|file| file.to_string_lossy().ends_with(".incr.aof")).max();
    last.expect("an AOF is being written")
}
