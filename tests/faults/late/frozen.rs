//! A login's beginning is on its way when its instance stands still, as a machine does that is
//! paused or moved; later it goes on as if nothing had happened.

use std::time::Duration;

use nix::sys::signal::Signal;
use portcullis_tests::Network;

use super::cast::{Cast, Whose};
use super::endings::{By, Meanwhile};
use super::held::held_up;
use super::logins::UnderWay;
use super::tally::Tally;

/// For how long Redis remembers an ending, and a bit.
const LONGER_THAN_REMEMBERED: Duration = Duration::from_secs(21);
/// For how long what was read may be told, and a bit.
const LONGER_THAN_GOOD: Duration = Duration::from_millis(2_100);

#[test]
fn f_01_a_login_from_a_frozen_instance_stays_ended_also_when_that_goes_on() {
    let moment = Duration::ZERO;
    frozen("logins of frozen instances", 1, &[(moment, moment), (LONGER_THAN_GOOD, moment)]);
}

#[test]
#[ignore = "minutes: frozen and cut off for longer than anything is remembered"]
fn f_01_a_login_from_an_instance_that_was_frozen_for_long_stays_ended() {
    let (moment, long) = (Duration::ZERO, LONGER_THAN_REMEMBERED);
    let every = [(moment, long), (long, moment), (long, long)];
    frozen("logins of instances frozen for long", 5, &every);
}

/// Each pair is for how long the route stays cut, and the instance frozen after that.
fn frozen(story: &str, times: usize, pairs: &[(Duration, Duration)]) {
    let Some(network) = Network::with_routes(1) else { return };
    let tally = network.run(async || {
        let mut cast = Cast::with(&network, 4).await;
        let mut tally = Tally::default();
        let ways = [By::OwnOtherSession, By::Administrator];
        for (round, (cut, frozen)) in pairs.repeat(times).into_iter().enumerate() {
            let login = UnderWay::on(&cast, 1 + round % 3).await;
            login.instance.signal(Signal::SIGSTOP);
            cast.mysql_lets_go().await;
            let by = ways[round % ways.len()];
            let after = login.stays_ended(&mut cast, by, Meanwhile::Cut(cut), &mut tally).await;

            cast.time_passes(frozen);
            login.instance.signal(Signal::SIGCONT);
            cast.cut_off.becomes_ready();
            cast.settles();
            let ended = Whose { user_id: after.user_id, session: &login.session };
            cast.must_be_dead(&mut tally, &after, ended).await;
            let accepted = cast.is_accepted_there(&after, ended).await;
            tally.dead_in_service += usize::from(accepted);
            let live = Whose { session: &after.session, ..ended };
            cast.must_be_live(&mut tally, &after, live).await;
            cast.log_out(&after).await;
        }
        cast.counted(tally)
    });
    tally.told(story).must_be_clean();
}

/// Not everything that is old is dead.
#[test]
fn f_01_a_login_that_waited_longer_than_its_fence_is_good_is_not_lost() {
    let Some(network) = Network::with_routes(1) else { return };
    let tally = network.run(async || {
        let cast = Cast::with(&network, 3).await;
        let mut tally = Tally::default();
        let _instance = cast.cut_off.serve();
        for person in 1..3 {
            let other = cast.log_in(person).await;
            let held_up =
                held_up(&cast.db, other.user_id, cast.cut_off.login_request(person)).await;
            cast.time_passes(LONGER_THAN_GOOD);
            let answer = held_up.goes_on().await.await.unwrap().unwrap();
            assert_eq!(answer.status(), 200);
            let body: serde_json::Value = answer.json().await.unwrap();
            let session = body["data"]["session"]["id"].as_str().unwrap();
            tally.rounds += 1;
            // Before anybody asks for it, for then it would be told again.
            cast.settles();
            tally.live_lost += usize::from(cast.verdict(other.user_id, session) != "OK");
        }
        cast.counted(tally)
    });
    tally.told("logins that took long").must_be_clean();
}
