//! A login's beginning is on its way when the route is cut and the instance is killed.

use nix::sys::signal::Signal;
use portcullis_tests::{Login, Network, Process};

use super::cast::{Cast, ROUTE, Whose, beginning_is_held, beginning_is_orphaned};
use super::endings::{By, EVERY_MISHAP, EVERY_WAY, Meanwhile};
use super::held::held_up;
use super::tally::Tally;

#[test]
fn f_01_a_login_from_a_killed_instance_stays_ended_whoever_ended_it() {
    let rounds = EVERY_WAY.map(|by| (by, Meanwhile::Nothing));
    killed("logins of killed instances", &rounds);
}

#[test]
fn f_01_a_login_from_a_killed_instance_stays_ended_whatever_happens_to_redis() {
    let rounds = EVERY_MISHAP.map(|meanwhile| (By::OwnOtherSession, meanwhile));
    killed("logins of killed instances, and Redis", &rounds);
}

#[test]
#[ignore = "minutes: every way with every mishap, twenty times"]
fn f_01_logins_of_killed_instances_stay_ended_in_every_combination() {
    let every = EVERY_WAY.into_iter().flat_map(|by| EVERY_MISHAP.map(|mishap| (by, mishap)));
    let every: Vec<_> = every.collect();
    killed("logins of killed instances, every combination", &every.repeat(20));
}

fn killed(story: &str, rounds: &[(By, Meanwhile)]) {
    let Some(network) = Network::with_routes(1) else { return };
    let tally = network.run(async || {
        let mut cast = Cast::with(&network, 4).await;
        let mut tally = Tally::default();
        for (round, (by, meanwhile)) in rounds.iter().enumerate() {
            // The administrator has enough to do.
            let person = 1 + round % 3;
            let login = UnderWay::on(&cast, person).await;
            login.instance.signal(Signal::SIGKILL);
            beginning_is_orphaned(&network, login.port);
            let after = login.stays_ended(&mut cast, *by, *meanwhile, &mut tally).await;
            cast.log_out(&after).await;
        }
        cast.counted(tally)
    });
    tally.told(story).must_be_clean();
}

/// A login that MySQL has and Redis will hear of late.
pub(super) struct UnderWay {
    /// At which it was made.
    pub(super) instance: Process,
    /// From which its beginning was sent.
    pub(super) port: u16,
    pub(super) person: usize,
    /// The same person's, at the other instance.
    pub(super) other: Login,
    pub(super) session: String,
}

impl UnderWay {
    /// The beginning is in the sender's kernel, and the route is cut.
    pub(super) async fn on(cast: &Cast<'_>, person: usize) -> Self {
        let other = cast.log_in(person).await;
        let instance = cast.cut_off.serve();
        cast.begins_itself(person);
        cast.settles();
        let held_up = held_up(&cast.db, other.user_id, cast.cut_off.login_request(person)).await;
        cast.network.cut(ROUTE);
        drop(held_up.goes_on().await);
        let port = beginning_is_held(cast.network);
        let session = format!(
            "select id from user_sessions where user_id = {} and is_active and id <> '{}'
              order by created_at desc limit 1",
            other.user_id, other.session
        );
        let session = sqlx::query_scalar(sqlx::AssertSqlSafe(session));
        let session = session.fetch_one(&cast.db).await.unwrap();
        Self { instance, port, person, other, session }
    }

    /// The sender is gone. It ends, and is dead whatever arrives. Tells of a login after that.
    pub(super) async fn stays_ended(
        &self,
        cast: &mut Cast<'_>,
        by: By,
        meanwhile: Meanwhile,
        tally: &mut Tally,
    ) -> Login {
        let (user_id, session) = (self.other.user_id, self.session.as_str());
        cast.settles();
        assert_eq!(cast.verdict(user_id, session), "OK", "the other instance has told it");
        meanwhile.before(cast);
        by.end(cast, self.person, &self.other, session).await;
        meanwhile.after(cast, user_id);
        assert_ne!(cast.verdict(user_id, session), "OK", "{by:?} {meanwhile:?}");
        let after = cast.log_in(self.person).await;
        tally.rounds += 1;
        tally.late += cast.late_ones_arrive(usize::from(meanwhile.lets_late_ones_in()));
        let of_user = |session| Whose { user_id, session };
        cast.must_be_dead(tally, &after, of_user(session)).await;
        cast.settles();
        cast.must_be_live(tally, &after, of_user(&after.session)).await;
        if by.spares_others() {
            cast.must_be_live(tally, &after, of_user(&self.other.session)).await;
        }
        after
    }
}
