//! A rolling upgrade, replicas first: what a module of the first version (encoding version 1) tells its
//! replicas, this one understands in the same way.
//!
//! `tests/fixtures/told-by-v1.txt` was recorded from that version: `>` is a command of its replication
//! stream, `?` a question, `=` what it answered itself after those commands. Lifetimes were put at the
//! year 9999, so that nothing in it expires. Here a primary of that version is a few lines that speak its
//! side of the protocol: a snapshot (`ledgers-v1.rdb`, or none), then the stream.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use portcullis_tests::{Redis, Server, wait_until, workspace};

use crate::talk::{self, Talk};
use crate::{on_each_server, strict, strict_on};

/// What was recorded.
struct Recorded {
    /// Commands, each its words.
    told: Vec<Vec<Vec<u8>>>,
    /// Questions and answers.
    answers: Vec<(String, String)>,
}

impl Recorded {
    fn read() -> Self {
        let text = fs::read_to_string(workspace().join("tests/fixtures/told-by-v1.txt"));
        let text = text.expect("what was told is kept");
        let (mut told, mut answers, mut question) = (Vec::new(), Vec::new(), String::new());
        for line in text.lines() {
            match line.split_at_checked(2) {
                Some(("> ", words)) => told.push(words.split(' ').map(bytes).collect()),
                Some(("? ", asked)) => asked.clone_into(&mut question),
                Some(("= ", answer)) => answers.push((question.clone(), answer.to_owned())),
                _ => panic!("a line of no kind: {line}"),
            }
        }
        Self { told, answers }
    }
}

/// `\x20` stands for a space: what cannot be read, or would be a backslash, is written in this way.
fn bytes(word: &str) -> Vec<u8> {
    let mut parts = word.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (hex, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(hex, 16).expect("two digits"));
        bytes.extend(rest.as_bytes());
    }
    bytes
}

/// A primary that has these ledgers and tells this. It ends with the connection.
struct Primary {
    port: u16,
}

impl Primary {
    fn with(snapshot: Vec<u8>, told: &[Vec<Vec<u8>>]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let mut stream = Vec::new();
        for words in [vec![b"SELECT".to_vec(), b"0".to_vec()]].iter().chain(told) {
            stream.extend(format!("*{}\r\n", words.len()).into_bytes());
            for word in words {
                stream.extend(format!("${}\r\n", word.len()).into_bytes());
                stream.extend([word.as_slice(), b"\r\n"].concat());
            }
        }
        // A replica whose server tries another way first comes a second time.
        thread::spawn(move || {
            for replica in listener.incoming().flatten() {
                let (snapshot, stream) = (snapshot.clone(), stream.clone());
                thread::spawn(move || serve(replica, &snapshot, &stream));
            }
        });
        Self { port }
    }
}

/// Answers until the replica has been told everything and goes away.
fn serve(mut replica: TcpStream, snapshot: &[u8], stream: &[u8]) -> std::io::Result<()> {
    let mut heard = BufReader::new(replica.try_clone()?);
    loop {
        let words = command(&mut heard)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["PING", ..] => replica.write_all(b"+PONG\r\n")?,
            ["REPLCONF", "ACK", ..] => {}
            ["REPLCONF", ..] => replica.write_all(b"+OK\r\n")?,
            ["PSYNC", ..] => {
                let id = "0123456789abcdef0123456789abcdef01234567";
                let begin = format!("+FULLRESYNC {id} 0\r\n${}\r\n", snapshot.len());
                replica.write_all(&[begin.as_bytes(), snapshot, stream].concat())?;
            }
            _ => replica.write_all(b"-ERR not known here\r\n")?,
        }
    }
}

/// The words of the next command.
fn command(from: &mut BufReader<TcpStream>) -> std::io::Result<Vec<String>> {
    let count = number(from)?;
    (0..count)
        .map(|_| {
            let mut word = vec![0; number(from)? + 2];
            from.read_exact(&mut word)?;
            Ok(String::from_utf8_lossy(&word[..word.len() - 2]).into_owned())
        })
        .collect()
}

/// `3` of `*3` or `$3`; the end of the stream is an error.
fn number(from: &mut BufReader<TcpStream>) -> std::io::Result<usize> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let number = line.get(1..).and_then(|digits| digits.trim_end().parse().ok());
    number.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

/// A replica of this module that has been told everything.
#[track_caller]
fn replica_of(server: &Server, snapshot: Vec<u8>, recorded: &Recorded) -> Redis {
    let mut told = recorded.told.clone();
    told.push([b"SET".as_slice(), b"all", b"yes"].map(<[u8]>::to_vec).to_vec());
    let primary = Primary::with(snapshot, &told);
    let replica = strict_on(server).start();
    let mut talk = talk::to(&replica);
    assert_eq!(talk.say(&format!("REPLICAOF 127.0.0.1 {}", primary.port)), "OK");
    wait_until("everything has been told", || talk.say("GET all") == "yes");
    replica
}

#[track_caller]
fn agrees(talk: &mut Talk, recorded: &Recorded) {
    for (question, answer) in &recorded.answers {
        assert_eq!(talk.say(question), *answer, "{question}");
    }
}

fn snapshot_of_version_1() -> Vec<u8> {
    fs::read(workspace().join("tests/fixtures/ledgers-v1.rdb")).expect("the fixture is there")
}

#[test]
fn a_replica_understands_a_primary_of_the_first_version_as_it_understands_itself() {
    let recorded = Recorded::read();
    assert!(recorded.told.len() > 20 && recorded.answers.len() > 20, "too little was recorded");
    on_each_server(|server| {
        let replica = replica_of(server, snapshot_of_version_1(), &recorded);
        let mut talk = talk::to(&replica);
        agrees(&mut talk, &recorded);
        // The snapshot came too.
        assert_eq!(talk.say(&format!("AUTH.CHECK revoked DIGEST {}", talk::digest(1))), "REVOKED");
        assert_eq!(talk.info("replication", "master_link_status"), "up");
    });
}

/// The second step of the upgrade: the replica takes over, is confirmed, and its old primary comes back
/// as a replica with the new module.
#[test]
fn it_takes_over_with_the_same_ledgers_and_hands_them_on() {
    let recorded = Recorded::read();
    on_each_server(|server| {
        let promoted = replica_of(server, snapshot_of_version_1(), &recorded);
        let mut talk = talk::to(&promoted);
        assert_eq!(talk.say("REPLICAOF NO ONE"), "OK");
        let refused = talk.say("AUTH.CHECK user:many t SESSION s2");
        assert!(refused.starts_with("NOTREADY"), "{refused}");
        let run_id = talk.info("server", "run_id");
        assert_eq!(talk.say(&format!("AUTH.CONFIRM {run_id}")), "OK");
        agrees(&mut talk, &recorded);

        let options = Redis::options().server(server).tcp();
        let next = strict(options).start();
        next.replica_of(&promoted);
        let mut next = talk::to(&next);
        wait_until("it has been told of the confirmation", || {
            next.info("portcullis", "portcullis_confirmed") == "1"
        });
        agrees(&mut next, &recorded);
    });
}
