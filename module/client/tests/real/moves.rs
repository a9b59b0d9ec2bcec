//! A slot that leaves the node that is watched, while nobody asks there who would hear of it.

use std::time::Instant;

use portcullis_client::{Verdict, Watch};
use portcullis_tests::{Cluster, Redis, servers};

use super::{ends, options, say};
use crate::about;
use crate::waiting::know;

/// In one slot, whoever's number it is.
const TAG: &str = "{u}";

/// Says where the slot of [`TAG`] is, or is about to be.
fn set_slot(at: &Redis, what: &str, other: &Redis) {
    let mut ask = at.connection();
    let slot: u16 = redis::cmd("CLUSTER").arg("KEYSLOT").arg(TAG).query(&mut ask).unwrap();
    let id: String = redis::cmd("CLUSTER").arg("MYID").query(&mut other.connection()).unwrap();
    say(&mut ask, &format!("CLUSTER SETSLOT {slot} {what} {id}"));
}

/// A subject of that slot whom the node has something to tell of; the first of these has no ledger.
fn known(source: &Redis, watch: &Watch, number: usize) -> String {
    let subject = format!("{TAG}{number}");
    if number > 0 {
        let create = format!("AUTH.SESSION CREATE user:{subject} s EX 900");
        say(&mut source.connection(), &create);
    }
    let (token, mut question) = (format!("token-{number}"), about(&subject, "", "s"));
    (question.token, question.session) = (token.as_bytes(), (number > 0).then_some("s"));
    know(watch, &question, Verdict::Ok);
    subject
}

#[test]
fn what_ends_where_its_slot_has_gone_ends_here_within_the_lease() {
    for server in servers() {
        eprintln!("on {}", server.name);
        let cluster = Cluster::start(&Redis::options().server(server));
        let source = cluster.node_of(&format!("user:{TAG}"));
        let target = cluster.nodes.iter().find(|it| it.port() != source.port()).unwrap();
        // Beats go to a slot that stays: nobody tells the watch that another one goes.
        let mut subjects = (0..).map(|number| format!("beat{number}"));
        let stays =
            |subject: &String| cluster.node_of(&format!("user:{subject}")).port() == source.port();
        let beat = subjects.find(stays).unwrap();
        let url = format!("redis://127.0.0.1:{}", source.port());
        let watch = Watch::connect_node(&url, &beat, options()).unwrap();
        let all: Vec<String> = (0..2).map(|number| known(source, &watch, number)).collect();
        set_slot(target, "IMPORTING", source);
        set_slot(source, "MIGRATING", target);
        let there = target.port();
        let keys = format!("user:{}", all[1]);
        let mut migrate = redis::cmd("MIGRATE");
        migrate.arg("127.0.0.1").arg(there).arg("").arg(0).arg(60_000).arg("KEYS").arg(keys);
        migrate.exec(&mut source.connection()).unwrap();
        set_slot(target, "NODE", target);
        set_slot(source, "NODE", target);
        let mut target = target.connection();
        for (number, subject) in all.iter().enumerate() {
            let token = format!("token-{number}");
            say(&mut target, &format!("AUTH.BLACKLIST user:{subject} {token} EX 900"));
            ends(&watch, token.as_bytes(), Instant::now(), "an end at another node");
        }
    }
}
