//! Two instances with a route each log the same people in and out while routes are cut and healed,
//! one of them is killed with beginnings under way, and Redis is wiped. Which of it happens when is
//! random; the seed is told.

use nix::sys::signal::Signal;
use portcullis_api::base::random::Random;
use portcullis_tests::{Login, Network, Process, chosen, tell};

use super::cast::{
    Cast, OTHER_ROUTE, ROUTE, Whose, beginning_is_orphaned, held_beginning, token_of,
};
use super::held::held_up;
use super::tally::Tally;
use crate::outside::Outside;
use crate::talk::eventually;

const PEOPLE: usize = 4;

#[test]
fn f_01_whatever_is_cut_and_killed_nobody_who_was_logged_out_is_revived() {
    wander(1..=2, 30);
}

#[test]
#[ignore = "minutes: the full count of random cuts"]
fn f_01_whatever_is_cut_and_killed_a_hundred_times_nobody_is_revived() {
    let first = chosen("LATE_SEED", 1_000, 0..=u64::MAX - 1_000);
    wander(first..=first + 49, 60);
}

fn wander(seeds: std::ops::RangeInclusive<u64>, steps: usize) {
    let Some(network) = Network::with_routes(2) else { return };
    for seed in seeds {
        tell(&format!(
            "late beginnings at random: again with LATE_SEED={seed} and `--ignored late`"
        ));
        let tally = network.run(async || {
            let mut world = World::new(&network, seed).await;
            for _ in 0..steps {
                world.step().await;
            }
            world.judged().await
        });
        tally.told(&format!("late beginnings at random, seed {seed}")).must_be_clean();
    }
}

struct World<'a> {
    cast: Cast<'a>,
    /// The instance that is cut off, while it lives.
    instance: Option<Process>,
    /// Any token to make others from.
    model: Login,
    random: Random,
    tally: Tally,
}

impl<'a> World<'a> {
    async fn new(network: &'a Network, seed: u64) -> Self {
        let cast = Cast::on_two_routes(network, PEOPLE).await;
        let model = cast.log_in(0).await;
        let instance = Some(cast.cut_off.serve());
        let (random, tally) = (Random::seeded(seed), Tally::default());
        Self { cast, instance, model, random, tally }
    }

    fn below(&self, limit: usize) -> usize {
        usize::from(self.random.bytes::<1>()[0]) % limit
    }

    async fn step(&mut self) {
        self.tally.rounds += 1;
        let person = 1 + self.below(PEOPLE - 1);
        match self.below(16) {
            0..=4 => drop(self.any().log_in(person).await),
            5..=9 => self.end_one().await,
            10 => self.die_with_a_beginning(person).await,
            11 => self.cast.network.cut(ROUTE),
            12 => self.cast.network.cut(OTHER_ROUTE),
            13 => self.heal(),
            14 => self.cast.network.heal(OTHER_ROUTE),
            _ => redis::cmd("FLUSHALL").exec(&mut self.cast.redis.connection()).unwrap(),
        }
    }

    /// One of those that live.
    fn any(&self) -> &Outside {
        let is_cut_off = self.below(2) == 0 && self.instance.is_some();
        if is_cut_off { &self.cast.cut_off } else { &self.cast.other }
    }

    /// Ends any session, at any instance. What that answers depends on what is cut.
    async fn end_one(&self) {
        let live = self.sessions(true).await;
        if live.is_empty() {
            return;
        }
        let (user_id, session) = &live[self.below(live.len())];
        let token = token_of(&self.model.access, *user_id, session);
        let path = format!("/sessions/{session}");
        let answer = self.any().client.delete_as(&token, &path).await;
        assert!([200, 503].contains(&answer.status.as_u16()), "{answer:?}");
    }

    async fn die_with_a_beginning(&mut self, person: usize) {
        self.heal();
        let cast = &self.cast;
        cast.network.heal(OTHER_ROUTE);
        cast.settles();
        cast.cut_off.becomes_ready();
        cast.begins_itself(person);
        let user_id = cast.log_in(person).await.user_id;
        let held_up = held_up(&cast.db, user_id, cast.cut_off.login_request(person)).await;
        cast.network.cut(ROUTE);
        let login = held_up.goes_on().await;
        // What was done before may have made the instance give its line up, or MySQL the login.
        eventually("a beginning is on its way, or none will be", async || {
            held_beginning(cast.network).is_some() || login.is_finished()
        });
        let held = held_beginning(cast.network);
        if let Some(instance) = self.instance.take() {
            instance.signal(Signal::SIGKILL);
        }
        if let Some(port) = held {
            beginning_is_orphaned(cast.network, port);
            self.tally.late += 1;
        }
    }

    fn heal(&mut self) {
        self.cast.network.heal(ROUTE);
        if self.instance.is_none() {
            // Another that cannot reach Redis may be at work there.
            self.cast.network.heal(OTHER_ROUTE);
            self.instance = Some(self.cast.cut_off.serve());
        }
    }

    async fn sessions(&self, are_live: bool) -> Vec<(u64, String)> {
        sqlx::query_as(
            "select user_id, id from user_sessions where user_id > 1 and is_active = ? order by id",
        )
        .bind(are_live)
        .fetch_all(&self.cast.db)
        .await
        .unwrap()
    }

    async fn judged(mut self) -> Tally {
        self.heal();
        self.cast.network.heal(OTHER_ROUTE);
        self.cast.late_ones_arrive(0);
        self.cast.settles();
        self.cast.cut_off.becomes_ready();
        for (user_id, session) in self.sessions(false).await {
            let whose = Whose { user_id, session: &session };
            self.cast.must_be_dead(&mut self.tally, &self.model, whose).await;
            let accepted = self.cast.is_accepted_there(&self.model, whose).await;
            self.tally.dead_in_service += usize::from(accepted);
        }
        for (user_id, session) in self.sessions(true).await {
            let whose = Whose { user_id, session: &session };
            self.cast.must_be_live(&mut self.tally, &self.model, whose).await;
        }
        if let Some(instance) = &mut self.instance {
            self.tally.crashes += usize::from(instance.has_ended());
        }
        self.cast.counted(self.tally)
    }
}
