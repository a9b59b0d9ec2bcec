//! A server that stops where it stands, and a network that holds back what a server says.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_client::{Verdict, Watch};

use super::{LEASE, ends, everywhere, live, options, say};
use crate::about;
use crate::waiting::{check, know};

fn stops(rounds: u32) {
    everywhere(
        |options| options,
        |redis| {
            let mut writer = redis.connection();
            let watch = Watch::connect(&redis.url(), options()).unwrap();
            let question = about("1", "token", "s");
            live(&watch, &mut writer, &question);
            for round in 0..rounds {
                know(&watch, &question, Verdict::Ok);
                // At another point between two beats each time.
                thread::sleep(Duration::from_micros(u64::from(round * 7919 % 15_000)));
                redis.freeze();
                ends(&watch, b"token", Instant::now(), "a server that has stopped");
                redis.thaw();
            }
        },
    );
}

#[test]
fn a_server_that_stops_is_believed_no_longer_than_the_lease() {
    stops(15);
}

#[test]
#[ignore = "minutes: a thousand stops of each server"]
fn a_server_that_stops_is_believed_no_longer_than_the_lease_a_thousand_times() {
    stops(1000);
}

fn held(rounds: u32) {
    everywhere(
        |options| options,
        |redis| {
            let mut writer = redis.connection();
            let hole = Hole::before(redis.port());
            let mut options = options();
            options.deadline = LEASE;
            let watch =
                Watch::connect(&format!("redis://127.0.0.1:{}", hole.port), options).unwrap();
            for round in 0..rounds {
                let (subject, token) = (round.to_string(), format!("token-{round}"));
                let question = about(&subject, &token, "s");
                live(&watch, &mut writer, &question);
                thread::sleep(Duration::from_micros(u64::from(round * 7919 % 15_000)));
                hole.is_shut.store(true, Ordering::SeqCst);
                say(&mut writer, &format!("AUTH.SESSION REVOKE user:{subject} s"));
                ends(&watch, token.as_bytes(), Instant::now(), "a push that is held back");
                assert_ne!(check(&watch, &question), Ok(Verdict::Ok));
                hole.is_shut.store(false, Ordering::SeqCst);
                know(&watch, &question, Verdict::NoSession);
            }
        },
    );
}

#[test]
fn a_push_that_is_held_back_is_not_missed_for_longer_than_the_lease() {
    held(15);
}

#[test]
#[ignore = "minutes: a thousand held-back pushes of each server"]
fn a_push_that_is_held_back_is_not_missed_for_longer_than_the_lease_a_thousand_times() {
    held(1000);
}

/// A way to a server that holds back what the server says while it is shut.
struct Hole {
    port: u16,
    is_shut: Arc<AtomicBool>,
}

impl Hole {
    fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_shut = Arc::new(AtomicBool::new(false));
        let shut = Arc::clone(&is_shut);
        thread::spawn(move || {
            listener.incoming().flatten().for_each(|client| join(client, server, &shut));
        });
        Self { port, is_shut }
    }
}

fn join(client: TcpStream, server: u16, is_shut: &Arc<AtomicBool>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
    let (here, there) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    pass(here, there, Arc::new(AtomicBool::new(false)));
    pass(server, client, Arc::clone(is_shut));
}

fn pass(mut from: TcpStream, mut to: TcpStream, is_shut: Arc<AtomicBool>) {
    to.set_nodelay(true).unwrap();
    thread::spawn(move || {
        let mut bytes = vec![0; 65_536];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            while is_shut.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
