//! An instance fills an empty Redis when it is cut off, and is killed or frozen. Another takes over,
//! and people log out before the route is healed.

use std::time::Duration;

use nix::sys::signal::Signal;
use portcullis_tests::{Login, Network, Process, Running, running};
use sqlx::{Connection as _, Executor as _, MySqlConnection};

use super::cast::{ADMIN, CUT_OFF, Cast, ROUTE, Whose};
use super::tally::Tally;
use crate::sizes::populate;
use crate::talk::eventually;

const SESSIONS: u64 = 400;
/// More than anything but sessions that are filled in, and less than the kernel takes of them.
const MANY: u64 = 20_000;
/// For how long Redis remembers an ending, and a bit.
const LONGER_THAN_REMEMBERED: Duration = Duration::from_secs(21);

/// What becomes of the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Killed,
    /// It goes on after a while, with the rest of what it wanted to tell.
    Frozen(Duration),
}

#[test]
fn f_01_ledgers_that_a_dead_instance_filled_in_revive_nobody() {
    filled_in("ledgers filled in by a killed instance", &[Fate::Killed]);
}

#[test]
fn f_01_ledgers_that_a_frozen_instance_filled_in_revive_nobody() {
    filled_in("ledgers filled in by a frozen instance", &[Fate::Frozen(Duration::ZERO)]);
}

#[test]
#[ignore = "minutes: the full count of instances cut off while they fill ledgers in"]
fn f_01_ledgers_that_many_lost_instances_filled_in_revive_nobody() {
    let fates = [Fate::Killed, Fate::Frozen(Duration::ZERO), Fate::Frozen(LONGER_THAN_REMEMBERED)];
    filled_in("ledgers filled in by lost instances", &fates.repeat(10));
}

fn filled_in(story: &str, fates: &[Fate]) {
    let Some(network) = Network::with_routes(1) else { return };
    let mut tally = Tally::default();
    for fate in fates {
        network.run(async || {
            let mut cast = Cast::with(&network, 1).await;
            populate(&cast.db, SESSIONS).await;
            round(&mut cast, *fate, &mut tally).await;
            tally = cast.counted(tally);
        });
    }
    tally.told(story).must_be_clean();
}

async fn round(cast: &mut Cast<'_>, fate: Fate, tally: &mut Tally) {
    let sessions: Vec<(u64, String)> =
        sqlx::query_as("select user_id, id from user_sessions where user_id > 1 order by id")
            .fetch_all(&cast.db)
            .await
            .unwrap();
    let instance = cast.cut_off.serve();
    cast.settles();
    cast.the_other_goes();
    cut_off_while_filling(cast, &sessions).await;
    match fate {
        Fate::Killed => instance.signal(Signal::SIGKILL),
        Fate::Frozen(_) => {
            instance.signal(Signal::SIGSTOP);
            cast.mysql_lets_go().await;
        }
    }
    cast.the_other_comes();
    cast.settles();
    let admin = cast.log_in(ADMIN).await;
    let ended = end_most(cast, &admin, &sessions).await;

    tally.rounds += 1;
    tally.late += cast.late_ones_arrive(1);
    judge(cast, &admin, &sessions, &ended, tally).await;
    if let Fate::Frozen(length) = fate {
        cast.time_passes(length);
        goes_on(cast, &instance);
        judge(cast, &admin, &sessions, &ended, tally).await;
    }
}

/// The only instance there is reads sessions from MySQL when the route is cut, and then writes them.
async fn cut_off_while_filling(cast: &Cast<'_>, sessions: &[(u64, String)]) {
    let mut holder = MySqlConnection::connect_with(&cast.db.connect_options()).await.unwrap();
    let (_, last) = sessions.last().unwrap();
    let hold = format!("select id from user_sessions where id = '{last}' for update");
    holder.execute("start transaction").await.unwrap();
    holder.execute(sqlx::AssertSqlSafe(hold)).await.unwrap();
    redis::cmd("FLUSHALL").exec(&mut cast.redis.connection()).unwrap();
    let reads = |it: &Running| it.user == CUT_OFF && it.statement.contains("in share mode");
    eventually("sessions are read", async || running(&cast.db).await.iter().any(reads));
    cast.network.cut(ROUTE);
    holder.execute("commit").await.unwrap();
    eventually("sessions are on their way", async || {
        cast.network.held(ROUTE).iter().any(|held| held.bytes >= MANY)
    });
}

/// Three of four, some by an administrator and some by its own token.
async fn end_most<'s>(
    cast: &Cast<'_>,
    admin: &Login,
    sessions: &'s [(u64, String)],
) -> Vec<&'s (u64, String)> {
    let most = sessions.iter().enumerate().filter(|(number, _)| number % 4 != 3);
    let ended: Vec<_> = most.map(|(_, whose)| whose).collect();
    for (number, (user_id, session)) in ended.iter().enumerate() {
        assert_eq!(cast.verdict(*user_id, session), "OK", "the other instance has told it");
        if number % 2 == 0 {
            cast.log_out_by(admin, *user_id).await;
        } else {
            cast.end_own(admin, *user_id, session).await;
        }
    }
    ended
}

fn goes_on(cast: &Cast<'_>, instance: &Process) {
    instance.signal(Signal::SIGCONT);
    cast.cut_off.becomes_ready();
}

async fn judge(
    cast: &Cast<'_>,
    admin: &Login,
    sessions: &[(u64, String)],
    ended: &[&(u64, String)],
    tally: &mut Tally,
) {
    cast.settles();
    for of_somebody in sessions {
        let (user_id, session) = of_somebody;
        let whose = Whose { user_id: *user_id, session };
        if ended.contains(&of_somebody) {
            cast.must_be_dead(tally, admin, whose).await;
        } else {
            cast.must_be_live(tally, admin, whose).await;
        }
    }
}
