//! Sentinels put a replica in the place of a primary that hangs or is gone.

use std::time::Instant;

use portcullis_client::{Verdict, Watch};
use portcullis_tests::{Redis, Sentinels, Server, wait_until};

use super::{ends, everywhere_at_once, live, options, say};
use crate::about;
use crate::waiting::{check, know};

fn fails_over(server: &Server, hangs: bool) {
    let start = || Redis::options().server(server).tcp().start();
    let (mut old, new) = (start(), start());
    new.replica_of(&old);
    let sentinels = Sentinels::watch(&old, 3, 1);
    let watch = Watch::connect(&sentinels.url(), options()).unwrap();
    let question = about("42", "token", "s");
    live(&watch, &mut old.connection(), &question);
    say(&mut old.connection(), "WAIT 1 60000");
    if hangs {
        old.freeze();
    } else {
        old.kill();
    }
    wait_until("most name the new one", || {
        (0..3).filter(|number| sentinels.primary(*number) == new.port()).count() >= 2
    });
    wait_until("it takes changes", || {
        let mut revoke = redis::cmd("AUTH.SESSION");
        revoke.arg("REVOKE").arg("user:42").arg("s").exec(&mut new.connection()).is_ok()
    });
    if hangs {
        old.thaw();
    }
    // The old one may be believed until most sentinels have been heard once more.
    wait_until("the old one is believed no more", || {
        check(&watch, &question) == Ok(Verdict::NoSession)
    });
    ends(&watch, b"token", Instant::now(), "revoked at the new primary");
    know(&watch, &question, Verdict::NoSession);
}

#[test]
fn what_is_revoked_after_sentinels_chose_another_primary_is_dead() {
    everywhere_at_once(|server| fails_over(server, false));
}

#[test]
fn a_primary_that_hung_while_sentinels_chose_another_is_not_believed() {
    everywhere_at_once(|server| fails_over(server, true));
}
