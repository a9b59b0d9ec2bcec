//! What the pages say of clusters and of keys whose end somebody took away.

use portcullis_tests::{Cluster, Redis};

use crate::talk::{self, Talk};
use crate::{everywhere, on_each_server};

/// A field of `INFO`.
fn info(talk: &mut Talk, section: &str, name: &str) -> String {
    let info: String = redis::cmd("INFO").arg(section).query(&mut talk.0).expect("INFO answers");
    let found = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.unwrap_or_else(|| panic!("no {name} in {info}")).to_owned()
}

#[test]
fn f_60_in_a_cluster_each_primary_is_confirmed_by_itself_and_for_itself() {
    on_each_server(|server| {
        let cluster = Cluster::start(&Redis::options().server(server));
        let mut nodes: Vec<Talk> = cluster.nodes.iter().map(talk::to).collect();
        let ids: Vec<String> =
            nodes.iter_mut().map(|node| info(node, "server", "run_id")).collect();
        // No node sends it on: without a key there is nothing to route it by.
        let told = nodes[1].say(&format!("AUTH.CONFIRM {}", ids[0]));
        assert!(told.contains("this is not the run id of this server"), "{told}");
        assert_eq!(nodes[0].say(&format!("AUTH.CONFIRM {}", ids[0])), "OK");
        let confirmed: Vec<String> =
            nodes.iter_mut().map(|node| info(node, "portcullis", "portcullis_confirmed")).collect();
        assert_eq!(confirmed, ["1", "0", "0"], "the others are not told");
        for (node, id) in nodes.iter_mut().zip(&ids).skip(1) {
            assert_eq!(node.say(&format!("AUTH.CONFIRM {id}")), "OK");
            assert_eq!(info(node, "portcullis", "portcullis_confirmed"), "1");
        }
    });
}

#[test]
fn f_60_a_ledger_without_an_end_gets_one_with_its_next_write() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let left = |talk: &mut Talk, key: &str| -> i64 {
            redis::cmd("PTTL").arg(key).query(&mut talk.0).expect("PTTL answers")
        };
        talk.say("AUTH.SESSION CREATE user:1 phone EX 600");
        assert!(left(&mut talk, "user:1") > 0);

        assert_eq!(talk.say("PERSIST user:1"), "1");
        let payload: Vec<u8> = redis::cmd("DUMP").arg("user:1").query(&mut talk.0).unwrap();
        assert_eq!(talk.tell("RESTORE user:2 0 %", &[&payload]), "OK");
        for key in ["user:1", "user:2"] {
            assert_eq!(left(&mut talk, key), -1, "{key}");
            // Reading changes nothing, and nothing in it lives longer.
            assert_eq!(talk.say(&format!("AUTH.CHECK {key} token SESSION phone")), "OK");
            assert_eq!(left(&mut talk, key), -1, "{key}");
            talk.say(&format!("AUTH.BLACKLIST {key} token EX 60"));
            assert!((1..=1000 * 35_000_000).contains(&left(&mut talk, key)), "{key}");
        }
    });
}
